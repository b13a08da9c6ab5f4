"""A design space as a user writes it: ensembles and chips to choose from, what is wanted, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from hwsim.spec.consistency import Consistent, Finding
from hwsim.spec.ensemble import Combiner, Name, NetworkReference, Size, Width
from hwsim.spec.limits import Quantity as Quantity, limits_schema, read_limits
from hwsim.spec.rules import Rule
from hwsim.spec.space_rules import space_inconsistencies
from hwsim.units import Length
from hwsim.value import Value

#: Which robustness counts: under every attack of `empir verify`, under the worst of the paper's bounded attacks, or the
#: mean over the paper's attacks as its released code counts; see `hwsim.search.measured.robustness`.
Accuracy = Literal["verify", "standard", "released"]

Sense = Literal["minimise", "maximise"]

Whole = Annotated[int, Field(ge=0, le=2**31 - 1)]


class _Range(Value):
    """From something to something; `from` is a word of Python, so the fields have names of their own."""

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = dump(self)
        return {{"first": "from", "last": "to"}.get(key, key): value for key, value in content.items()}


class Span(_Range):
    """Whole numbers from one to another, both included."""

    first: Whole = Field(alias="from")
    """The first."""
    last: Whole = Field(alias="to")
    """The last, if a step falls on it."""
    step: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1
    """From one to the next."""


#: One whole number, a list of them, or a span.
Wholes = Whole | Annotated[tuple[Whole, ...], Field(min_length=1)] | Span


class Ensembles(Value):
    """Every combination of these is an ensemble: M full-precision members, N low-precision ones, each of any of the
    widths. Members run in this order: full precision first, then by weight and activation bits."""

    full_precision: Wholes = (1,)
    """M, the number of full-precision members."""
    low_precision: Wholes = Field(default_factory=lambda: Span.model_validate({"from": 0, "to": 4}))
    """N, the number of low-precision members."""
    weights: Wholes = (2, 4)
    """Widths of a low-precision member's weights [bits]."""
    activations: Wholes = (2, 4)
    """Widths of what its quantised layers read [bits]; every pair of the two widths is a member to choose."""
    combiner: Annotated[tuple[Combiner, ...], Field(min_length=1)] = ("average",)
    batch: Wholes = (1,)
    """Inputs computed at once."""
    weights_stay: Literal["streamed", "resident", "auto", "planned"] = "auto"
    """Whether weights stay on the chip between inferences, as `weights` of an ensemble's file."""
    full_precision_bits: Width = 32


class Subject(Value):
    """A network, and what is known of its robustness."""

    network: NetworkReference
    quantize: Rule = "all"
    """Which layers of a low-precision member run at its bits."""
    measurements: Name | None = None
    """File of measurements, relative to this one."""
    dataset: Name | None = None
    """On which robustness was measured."""
    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Bound of the attacks; whatever was measured, if only one."""
    defence: Name = "none"
    """How the members were trained to resist."""


class Steps(_Range):
    """Quantities from one to another: `{from: 64 KiB, to: 1024 KiB, factor: 2}`, all in one unit."""

    first: str | int | float = Field(alias="from")
    """The first."""
    last: str | int | float = Field(alias="to")
    """The last, if a step falls on it."""
    step: str | int | float | None = None
    """From one to the next, by addition."""
    factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = None
    """From one to the next, by multiplication."""


def _unbounded(given: JsonValue) -> JsonValue:
    """A value as it was before it was written as JSON, which has no infinity."""
    if isinstance(given, dict):
        return {key: _unbounded(inside) for key, inside in given.items()}
    if isinstance(given, list):
        return [_unbounded(inside) for inside in given]
    return float(given) if given in ("Infinity", "-Infinity") else given


#: What a hardware file may hold somewhere.
Content = Annotated[JsonValue, AfterValidator(_unbounded)]


class Knob(Value):
    """What varies from chip to chip: one field (a path with values or a range), or several together (choices)."""

    name: Name | None = None
    """In results; the path if left out."""
    path: Name | None = None
    """The field, as --set takes it: levels.DRAM.memories.DRAM.bandwidth."""
    values: Annotated[tuple[Content, ...], Field(min_length=1)] | None = None
    """What it may be, each as the hardware file would have it."""
    range: Steps | None = None
    """What it may be, in steps."""
    choices: Annotated[dict[str, dict[str, Content]], Field(min_length=1)] | None = None
    """In place of a path: for each choice, by its name, the fields that it sets: `{wide: {PATH: VALUE, ...}, ...}`."""


class Chips(Value):
    """Every combination of the knobs' values, on every base, is a chip."""

    base: Name | Annotated[tuple[Name, ...], Field(min_length=1)]
    """Name of a preset, or path of a hardware file relative to this one; or a list of them."""
    knobs: tuple[Knob, ...] = ()
    node: Annotated[Length | None, Field(gt=0)] = None
    """Feature size that areas are estimated for [m]; without it there are none."""

    @property
    def bases(self) -> tuple[str, ...]:
        """All of them."""
        return (self.base,) if isinstance(self.base, str) else self.base


class Exhaustive(Value):
    """Every design; the cost of each distinct layer is computed once."""

    kind: Literal["exhaustive"] = "exhaustive"


class Sampled(Value):
    """Designs that Optuna suggests, each mapped (or played) as a whole."""

    kind: Literal["nsga2", "tpe"]
    trials: Size
    """How many designs are looked at."""
    seed: Whole = 0


class Space(Consistent):
    """A design space."""

    name: Name
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1)]
    """Networks, each searched for itself."""
    ensembles: Ensembles = Ensembles()
    chips: Chips
    objectives: Annotated[dict[Quantity, Sense], Field(min_length=1)]
    """What the Pareto front is taken over, with its sense: minimise or maximise."""
    constraints: Annotated[dict[Quantity, float], BeforeValidator(read_limits), WithJsonSchema(limits_schema())] = (
        Field(default_factory=dict)
    )
    """Largest value allowed, of what is better the larger the least: `time_overhead: 25 %`, `area: 800 mm2`, in base
    units once read; exactly that is allowed."""
    accuracy: Accuracy = "verify"
    """Which robustness counts: verify (every attack of `empir verify`), standard (the worst of the paper's bounded
    attacks) or released (the mean over the paper's attacks, each as its code counts)."""
    timing: Literal["closed_form", "simulated"] = "closed_form"
    """How a layer is timed: by the closed form, or played event by event (member after member)."""
    objective: Literal["latency", "energy", "edp"] = "latency"
    """What every mapping minimises."""
    engine: Annotated[Exhaustive | Sampled, Field(discriminator="kind")] = Exhaustive()
    keep: Literal["front", "feasible", "all"] = "front"
    """Designs that are written down: those that no other of the same chip, network, batch and combiner beats
    within the constraints (and all that were measured), all within the constraints, or all that can run."""

    @classmethod
    def inconsistencies(cls, data: Any) -> Iterator[Finding]:
        return space_inconsistencies(data)
