"""What a design is chosen by, for a search that looks at some of them: a few variables with a number of values each.

Every design has the same variables, so that two can be crossed: a place for each low-precision member that there can
be, of which those beyond N decide nothing. The order of members decides nothing either. So several choices make one
design, which its key tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import cast

import numpy as np

from hwsim.search.design.ensembles import Choices, Copies, blocks, count
from hwsim.search.design.grid import Grid, choices, wholes
from hwsim.search.results.tables import KNOB
from hwsim.spec.ensemble import Combiner
from hwsim.spec.space import Space
from hwsim.spec.space_rules import BASE

#: Draws of a new design, before all designs are gone through; draws that change as many variables; and the most designs
#: that are gone through.
DRAWS, TRIES, EVERY = 500, 10, 1_000_000


@dataclass(frozen=True)
class Variable:
    """One choice.

    Args:
        size: how many values there are, numbered from 0.
        ordered: whether neighbouring values are alike.
    """

    name: str
    size: int
    ordered: bool = True


@dataclass(frozen=True)
class Design:
    """One chip with one ensemble.

    Args:
        chip: number of every knob's value.
        full_precision: M.
        members: number of every low-precision member in `Choices.precisions`, ascending.
    """

    chip: tuple[int, ...]
    batch: int
    combiner: Combiner
    full_precision: int
    members: tuple[int, ...]

    @property
    def key(self) -> str:
        """What names it among the designs of one subject; see `design_named`."""
        members = ",".join(map(str, self.members))
        return f"{','.join(map(str, self.chip))}|{self.batch}|{self.combiner}|{self.full_precision}|{members}"


def design_named(key: str) -> Design:
    """The design of a key."""
    chip, batch, combiner, several, members = key.split("|")
    return Design(_numbers(chip), int(batch), cast("Combiner", combiner), int(several), _numbers(members))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(","))) if text else ()


@dataclass(frozen=True)
class Axes:
    """What the designs of one subject are chosen from.

    Args:
        knobs: how many values each knob of a chip has, by its name; the base is one where there are several.
        unordered: knobs of which neighbouring values are not alike.
        batches: ascending.
    """

    knobs: Mapping[str, int]
    unordered: frozenset[str]
    batches: tuple[int, ...]
    combiners: tuple[Combiner, ...]
    choices: Choices

    @property
    def size(self) -> int:
        """How many designs there are."""
        return prod(self.knobs.values()) * len(self.batches) * len(self.combiners) * count(self.choices)

    def copies(self, design: Design) -> Copies:
        """Weight and activation bits of every member, full precision first [bits]."""
        full = (self.choices.full, self.choices.full)
        return (full,) * design.full_precision + tuple(self.choices.precisions[index] for index in design.members)


def axes(space: Space, chips: Grid) -> Axes:
    """What the designs of a space are chosen from, the same for every subject."""
    named = {knob.name or knob.path or "" for knob in space.chips.knobs if knob.choices is not None}
    return Axes(
        knobs={name: len(values) for name, values in chips.axes.items()},
        unordered=frozenset({BASE, *named}),
        batches=wholes(space.ensembles.batch),
        combiners=space.ensembles.combiner,
        choices=choices(space.ensembles),
    )


def variables(space: Axes) -> tuple[Variable, ...]:
    """Every variable that has more than one value."""
    widths = _widths(space.choices)
    found = [
        *(Variable(KNOB + name, size, name not in space.unordered) for name, size in space.knobs.items()),
        Variable("batch", len(space.batches)),
        Variable("combiner", len(space.combiners), ordered=False),
        Variable("M", len(space.choices.full_precision)),
        Variable("N", len(space.choices.low_precision)),
    ]
    for place in range(1, max(space.choices.low_precision) + 1):
        found += (Variable(f"member {place} {what}", len(own)) for what, own in widths.items())
    return tuple(variable for variable in found if variable.size > 1)


def design_of(space: Axes, values: Mapping[str, int]) -> Design:
    """The design that values of the variables make.

    No member at all is no ensemble: the smallest one is taken in its place.
    """
    options = space.choices
    several = options.full_precision[values.get("M", 0)]
    low = options.low_precision[values.get("N", 0)]
    if (several, low) not in options.sizes:
        several, low = min(options.sizes, key=sum)
    number = {precision: index for index, precision in enumerate(options.precisions)}
    widths = _widths(options)
    members = (
        number[widths["weights"][values.get(f"member {place} weights", 0)],
               widths["activations"][values.get(f"member {place} activations", 0)]]
        for place in range(1, low + 1)
    )  # fmt: skip
    return Design(
        chip=tuple(values.get(KNOB + name, 0) for name in space.knobs),
        batch=space.batches[values.get("batch", 0)],
        combiner=space.combiners[values.get("combiner", 0)],
        full_precision=several,
        members=tuple(sorted(members)),
    )


def values_of(space: Axes, design: Design) -> dict[str, int]:
    """Values of the variables that make a design; places beyond N have their first."""
    options, widths = space.choices, _widths(space.choices)
    values = {
        **{KNOB + name: value for name, value in zip(space.knobs, design.chip, strict=True)},
        "batch": space.batches.index(design.batch),
        "combiner": space.combiners.index(design.combiner),
        "M": options.full_precision.index(design.full_precision),
        "N": options.low_precision.index(len(design.members)),
    }
    for place, member in enumerate(design.members, start=1):
        for (what, own), bits in zip(widths.items(), options.precisions[member], strict=True):
            values[f"member {place} {what}"] = own.index(bits)
    return {variable.name: values.get(variable.name, 0) for variable in variables(space)}


def every(space: Axes) -> Iterator[Design]:
    """All designs, each once."""
    chips = product(*map(range, space.knobs.values()))
    for chip, batch, combiner in product(chips, space.batches, space.combiners):
        for block in blocks(space.choices):
            for members in block.members.tolist():
                yield Design(chip, batch, combiner, block.full_precision, tuple(members))


def fresh(space: Axes, near: Mapping[str, int], seed: tuple[int, ...], seen: Set[str]) -> dict[str, int] | None:
    """Values that make a design other than those seen, drawn by a seed; None where none was found.

    One variable of the given values is changed, then two and so on up to all, until a design is new. Where none is, the
    designs are gone through if they are few enough for that.

    Args:
        near: values of all variables.
        seen: keys of designs.
    """
    random = np.random.default_rng(seed)
    choose = variables(space)
    for draw in range(DRAWS):
        values, changed = dict(near), min(1 + draw // TRIES, len(choose))
        for index in random.choice(len(choose), changed, replace=False) if choose else ():
            values[choose[index].name] = int(random.integers(choose[index].size))
        if design_of(space, values).key not in seen:
            return values
    if space.size > EVERY:
        return None
    left = [design for design in every(space) if design.key not in seen]
    return values_of(space, left[random.integers(len(left))]) if left else None


def _widths(options: Choices) -> dict[str, list[int]]:
    """The widths of weights and of activations, of which every pair is a member to choose [bits]."""
    weights, activations = zip(*options.precisions, strict=True) if options.precisions else ((), ())
    return {"weights": sorted(set(weights)), "activations": sorted(set(activations))}
