"""What a design space is made of: chips, and what is the same for all ensembles of a block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path

from hwsim.cost.area import chip_area
from hwsim.ensemble.precision import precisions
from hwsim.errors import Fault, SpecError
from hwsim.importers import resolve
from hwsim.search.design.ensembles import Choices
from hwsim.spec.chip_faults import MOST, chip_faults
from hwsim.spec.consistency import Finding
from hwsim.spec.document import location, path_text
from hwsim.spec.ensemble import Combiner
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_space
from hwsim.spec.space import Ensembles, Space, Span, Subject, Wholes
from hwsim.spec.space_rules import BASE
from hwsim.spec.variants import Base, Dial, changed, dials, named, read_base


@dataclass(frozen=True)
class Chip:
    """One chip of a space.

    Args:
        knobs: name of each knob, and its value as text; the base is the first where there are several.
        hardware: what they make.
        area: estimate [m2]; None where the space gives no feature size.
    """

    knobs: dict[str, str]
    hardware: Hardware
    area: float | None


@dataclass(frozen=True)
class Scenario:
    """What is the same for a whole block of ensembles."""

    subject: Subject
    batch: int
    combiner: Combiner


@dataclass(frozen=True)
class Grid:
    """The chips of a space, each made when it is asked for.

    Args:
        bases: the chips to change; knobs: what changes them.
        node: feature size for areas [m].
    """

    bases: tuple[Base, ...]
    knobs: tuple[Dial, ...]
    node: float | None

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Name of every knob, and its values as text; the base is the first where there are several."""
        base = {BASE: tuple(base.name for base in self.bases)} if len(self.bases) > 1 else {}
        return base | {knob.name: tuple(option.text for option in knob.options) for knob in self.knobs}

    @property
    def count(self) -> int:
        """Number of chips."""
        return prod(len(values) for values in self.axes.values())

    def chip(self, point: Sequence[int]) -> Chip:
        """The chip at an index on each of the axes.

        Raises:
            SpecError: these values do not hold together.
        """
        indices = list(point)
        base = self.bases[indices.pop(0) if len(self.bases) > 1 else 0]
        hardware = changed(base, [knob.options[i] for knob, i in zip(self.knobs, indices, strict=True)])
        if isinstance(hardware, tuple):
            raise SpecError(Fault(why, field=path_text(where)) for where, why in hardware)
        names = {name: values[i] for (name, values), i in zip(self.axes.items(), point, strict=True)}
        return Chip(names, hardware, None if self.node is None else chip_area(hardware, self.node).total)

    def points(self) -> Iterator[tuple[int, ...]]:
        """Every point: bases, then knobs in their order; the last varies fastest."""
        return product(*(range(len(values)) for values in self.axes.values()))


def read_space(source: str | Path, overrides: Iterable[str] = ()) -> Space:
    """A design space from a file, its networks found and the layers that it names among theirs.

    Raises:
        SpecError: with every fault found; see `hwsim.spec.load.load_space`.
    """
    return load_space(source, overrides, _network_faults)


def _network_faults(subject: Subject) -> Iterator[Finding]:
    wanted = subject.network
    try:
        network = resolve(wanted.name, 1, wanted.parameters, wanted.input_shape)
        precisions(network, 32, 1, subject.quantize, 32)
    except SpecError as error:
        for fault in error.faults:
            yield location(fault.field) if fault.field else ("network",), _text(fault)


def _text(fault: Fault) -> str:
    place = ":".join(str(part) for part in (fault.file, fault.line, fault.column) if part is not None)
    return ": ".join(filter(None, (place, fault.message)))


def grid(space: Space) -> Grid:
    """The chips of a space, none of them made yet.

    Raises:
        SpecError: a base cannot be read.
    """
    bases = tuple(read_base(name) for name in space.chips.bases)
    return Grid(bases, dials(space.chips), space.chips.node)


def chips(space: Space) -> tuple[Chip, ...]:
    """Every chip of a space: bases, then knobs in their order; the last varies fastest.

    Raises:
        SpecError: with all that is wrong with the chips.
    """
    found = grid(space)
    made: list[Chip] = []
    faults: list[Fault] = []
    for point in found.points():
        try:
            made.append(found.chip(point))
        except SpecError as error:
            faults += error.faults
    if faults:
        problems, _ = chip_faults(named(space.chips.base), found.knobs)
        known = [Fault(why, field=path_text(where)) for where, why in problems]
        raise SpecError(known or [*faults[:MOST], Fault(f"{len(faults)} faults of chips in all", field="chips.knobs")])
    return tuple(made)


def scenarios(space: Space) -> tuple[Scenario, ...]:
    """Every subject at every batch with every combiner; the last varies fastest."""
    ensembles = space.ensembles
    kinds = product(space.subjects, wholes(ensembles.batch), ensembles.combiner)
    return tuple(Scenario(subject, batch, combiner) for subject, batch, combiner in kinds)


def choices(ensembles: Ensembles) -> Choices:
    """What the members of an ensemble are chosen from."""
    return Choices(
        full_precision=wholes(ensembles.full_precision),
        low_precision=wholes(ensembles.low_precision),
        precisions=tuple(product(wholes(ensembles.weights), wholes(ensembles.activations))),
        full=ensembles.full_precision_bits,
    )


def wholes(value: Wholes) -> tuple[int, ...]:
    """Whole numbers, each once, ascending."""
    if isinstance(value, Span):
        return tuple(range(value.first, value.last + 1, value.step))
    return (value,) if isinstance(value, int) else tuple(sorted(set(value)))
