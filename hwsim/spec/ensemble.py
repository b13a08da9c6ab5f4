"""An ensemble as a user writes it: one network at several precisions, and how the answers are combined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator

from hwsim.errors import shown
from hwsim.spec.consistency import Consistent, Finding, records
from hwsim.spec.rules import FullPrecision, Rule
from hwsim.value import Value, canonical

#: Widths that a member may have [bits].
WIDTHS = (*range(1, 9), 16, 32)

#: Most copies of one member; more is a slip of the finger.
MOST = 1000

Name = Annotated[str, Field(min_length=1)]


def _supported(bits: int) -> int:
    if bits not in WIDTHS:
        raise ValueError(f"must be 1 to 8, 16 or 32 bits, not {bits}")
    return bits


Width = Annotated[int, AfterValidator(_supported), Field(json_schema_extra={"enum": list(WIDTHS)})]
Size = Annotated[int, Field(ge=1, le=2**31 - 1)]

#: average: mean of the members' probabilities; max_vote: the class that most members choose; random_switch: every
#: inference draws one member, each as likely as any other, and its answer counts alone.
Combiner = Literal["average", "max_vote", "random_switch"]


class NetworkReference(Value):
    """Which network, with the parameters that make it: `{name: bert_base, sequence_length: 128}`, or just a name."""

    name: Name
    """A network of the zoo, a path to an .onnx file, or package.module:function returning a torch.nn.Module."""
    input_shape: tuple[Size, ...] | None = None
    """Of one sample, without the batch."""
    parameters: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """What the network's constructor takes; in a file they stand beside the name."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"name": given}
        if not isinstance(given, dict):
            return given
        own = {key: value for key, value in given.items() if key in cls.model_fields}
        rest = {key: value for key, value in given.items() if key not in cls.model_fields}
        if rest and isinstance(own.setdefault("parameters", {}), dict):
            own["parameters"] = {**own["parameters"], **rest}
        shape = own.get("input_shape")
        return {**own, "input_shape": tuple(shape)} if isinstance(shape, list) else own

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        full = super().__get_pydantic_json_schema__(core_schema, handler)
        parameter = {"type": ["boolean", "integer", "number", "string"]}
        return {"anyOf": [{"type": "string", "minLength": 1}, {**full, "additionalProperties": parameter}]}


class Member(Value):
    """Copies of the network at one precision."""

    weights: Width
    """Width of the quantised layers' weights [bits]."""
    activations: Width
    """Width of what the quantised layers read [bits]."""
    count: Annotated[int, Field(ge=1, le=MOST)] = 1
    """How many of them."""
    name: Name | None = None
    """Given a number when there are several; named by its precision when left out."""

    @property
    def precision(self) -> str:
        """Both widths: `w2a4`."""
        return f"w{self.weights}a{self.activations}"


class Ensemble(Consistent):
    """Copies of one network whose answers are combined."""

    name: Name
    network: NetworkReference
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    """Run one after another, in this order, unless the combiner draws one of them."""
    combiner: Combiner = "average"
    """average: mean of the members' probabilities; max_vote: the class that most members choose; random_switch: one
    member, drawn at random for every inference, answers alone."""
    quantize: Rule = "all"
    """Which layers of a member run at its bits; the others stay in full precision."""
    full_precision_bits: Width = 32
    """Width of whatever is not quantised; a member with both widths equal to it is a full-precision one."""
    batch: Size = 1
    """Inputs that are computed at once."""
    weights: Literal["streamed", "resident", "auto", "planned"] = "auto"
    """streamed: every inference reads the weights from the outermost level; resident: they stay on the chip between
    inferences; auto: they stay where all of them fit; planned: those weights and activations stay that save most
    traffic with the outermost level."""

    @classmethod
    def inconsistencies(cls, data: Any) -> Iterator[Finding]:
        full = data.get("full_precision_bits", 32) if isinstance(data, dict) else None
        members = list(records(data, "members"))
        for i, member in members:
            for key in ("weights", "activations"):
                bits = member.get(key)
                if isinstance(bits, int) and isinstance(full, int) and full < bits <= WIDTHS[-1]:
                    yield ("members", i, key), f"{bits} bits are wider than full precision, which is {full} bits"
        owner: dict[str, int] = {}
        for (i, _), names in zip(members, _names((member for _, member in members), full), strict=True):
            taken = next((name for name in names if name in owner), None)
            if taken is not None:
                yield ("members", i), f"would have the name {shown(taken)}, which members[{owner[taken]}] has already"
            owner |= dict.fromkeys(names, i)

    def is_full_precision(self, member: Member) -> bool:
        """Whether nothing of a member is quantised."""
        return member.weights == member.activations == self.full_precision_bits

    def identity(self) -> str:
        """Fingerprint of what decides an answer: not of names, order, the batch or where weights stay.

        Measurements name the ensemble by it; see `identity`.
        """
        copies = [(copy.weights, copy.activations) for copy in self.members for _ in range(copy.count)]
        return identity(self.network, copies, self.combiner, self.quantize, self.full_precision_bits)

    def expanded(self) -> tuple[Member, ...]:
        """One member for each copy, all with a name: fp1, fp2, w2a4-1, w2a4-2, ..."""
        names = _names((member.model_dump() for member in self.members), self.full_precision_bits)
        return tuple(
            Member(weights=member.weights, activations=member.activations, name=name)
            for member, own in zip(self.members, names, strict=True)
            for name in own
        )


class _Decider(Value):
    """What decides an ensemble's answers, written in one way only.

    Its name and fields are part of the fingerprints in everybody's files of measurements.
    """

    network: NetworkReference
    members: tuple[tuple[int, int], ...]
    combiner: Combiner
    quantize: Rule
    full_precision_bits: int


def identity(
    network: NetworkReference,
    members: Iterable[tuple[int, int]],
    combiner: Combiner,
    quantize: Rule,
    full_precision_bits: int,
) -> str:
    """Fingerprint of what decides an ensemble's answers, whatever the order in which it is written.

    A combiner decides nothing over one member, nor a rule where nothing is quantised.

    Args:
        network: as written: an .onnx file goes by its path.
        members: weight and activation bits of every copy.
    """
    copies = sorted(members)
    return _decider(network, tuple(copies), combiner, quantize, full_precision_bits).fingerprint()


def identity_frame(
    network: NetworkReference,
    members: Iterable[tuple[int, int]],
    combiner: Combiner,
    quantize: Rule,
    full_precision_bits: int,
) -> tuple[str, str]:
    """What stands before and after the members in the text whose `fingerprint_of` is the `identity`.

    It is the same for all ensembles of one network that have several members, or one, and a quantised one, or none. The
    members in between are written `[2.0, 4.0], [8.0, 8.0]`, ascending.
    """
    decider = _decider(network, tuple(members), combiner, quantize, full_precision_bits)
    text = canonical(type(decider).__name__, {**decider.model_dump(mode="json"), "members": []})
    # No other text can look like this: quotes inside one are escaped, and no parameter is a list.
    before, after = text.split('"members": []')
    return f'{before}"members": [', f"]{after}"


def _decider(
    network: NetworkReference,
    copies: tuple[tuple[int, int], ...],
    combiner: Combiner,
    quantize: Rule,
    full_precision_bits: int,
) -> _Decider:
    if isinstance(quantize, FullPrecision):
        quantize = FullPrecision(full_precision=tuple(sorted(set(quantize.full_precision))))
    return _Decider(
        network=network,
        members=copies,
        combiner=combiner if len(copies) > 1 else "average",
        quantize=quantize if any(bits != (full_precision_bits,) * 2 for bits in copies) else "all",
        full_precision_bits=full_precision_bits,
    )


def _names(members: Iterable[dict[str, Any]], full: Any) -> Iterator[list[str]]:
    """Names of the copies of each member, read from plain data, which may be malformed."""
    made: Counter[str] = Counter()
    for member in members:
        count = member.get("count", 1)
        copies = min(count, MOST) if isinstance(count, int) else 1
        if isinstance(name := member.get("name"), str):
            yield [name] if copies == 1 else [f"{name}-{i + 1}" for i in range(copies)]
            continue
        weights, activations = member.get("weights"), member.get("activations")
        stem = "fp" if weights == activations == full else f"w{weights}a{activations}-"
        yield [f"{stem}{made[stem] + i + 1}" for i in range(copies)]
        made[stem] += copies
