"""One look at all designs of a space: how many are within each limit, which were measured, and which should be.

What should be measured is decided by costs alone. Nothing is known of an ensemble's robustness before it is attacked,
but that more members or wider ones are no worse for its accuracy is what one hopes for and pays for: candidates are
those within the limits on costs of which no other on the same chip, at the same batch and with the same combiner takes
no more time and storage and yet has as many members and bits. Of these, the first K by a spread: the cheapest in time,
the dearest, the one half-way between them, those half-way between these, and so on. Chips, batches and combiners take
turns, each beginning one step later in its spread. So any K of them reach from the cheapest to the limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.search.design.ensembles import Choices, Copies, ensemble_of
from hwsim.search.design.grid import Chip, Scenario
from hwsim.search.design.pareto import nondominated
from hwsim.search.design.verdict import allowed
from hwsim.search.exhaustive.explore import Designs
from hwsim.search.measured.robustness import Key, key
from hwsim.search.results.tables import selected
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.space import Sense, Space

Item = TypeVar("Item")

#: Blocks whose fronts wait before they are compared.
PATIENCE = 32

#: What candidates are chosen by.
HOPES: dict[str, Sense] = {
    "time_overhead": "minimise",
    "storage_overhead": "minimise",
    "members": "maximise",
    "member_bits": "maximise",
}


@dataclass(frozen=True, eq=False)
class Design:
    """One ensemble on one chip.

    Args:
        chip: which; scenario: subject, batch and combiner; copies: weight and activation bits of every member.
        columns: what is known of it, see `hwsim.search.design.columns`.
    """

    chip: Chip
    scenario: Scenario
    copies: Copies
    columns: Mapping[str, float]

    @property
    def key(self) -> Key:
        """What the ensemble is known by."""
        return key(self.copies, self.scenario.combiner)

    @property
    def setting(self) -> tuple[str, int]:
        """Chip and batch, between which nothing is compared when candidates are chosen."""
        return self.chip.hardware.fingerprint(), self.scenario.batch

    def ensemble(self, space: Space) -> Ensemble:
        """As a user would write it."""
        subject, own = self.scenario.subject, space.ensembles
        full, combiner = own.full_precision_bits, self.key[1]
        return ensemble_of(
            subject.network, subject.quantize, combiner, self.scenario.batch, own.weights_stay, full, self.copies
        )


@dataclass
class Survey:
    """What a look at all designs found.

    Args:
        designs: how many there are: ensembles on every chip, at every batch.
        unmapped: those with a member that the chip cannot run.
        within: how many are within each limit; of limits on what is measured, only what was measured is.
        cost_feasible: within all limits on costs; feasible: within all.
        measured: those whose robustness is known, or that were asked for.
        candidates: those that should be measured, by chip, batch and combiner, in the order of the spread.
        refused: chips that run nothing at all, and why.
    """

    designs: int = 0
    unmapped: int = 0
    within: Counter[str] = field(default_factory=Counter)
    cost_feasible: int = 0
    feasible: int = 0
    measured: list[Design] = field(default_factory=list)
    candidates: list[list[Design]] = field(default_factory=list)
    refused: list[tuple[Chip, str]] = field(default_factory=list)


def survey(
    space: Space, choices: Choices, designs: Iterable[Designs], *, most: int, only: Iterable[Key] | None = None
) -> Survey:
    """Look at all designs, block by block.

    A combiner decides nothing over one member: designs of one member count under the space's first combiner only.

    Args:
        most: candidates that are kept of every chip, batch and combiner.
        only: the ensembles to be listed as measured, if not those that were.
    """
    found, chosen = Survey(), None if only is None else frozenset(only)
    fronts: dict[tuple[object, ...], list[Designs]] = {}
    for some in designs:
        scenario, columns = some.scenario, some.columns
        members = some.block.full_precision + some.block.members.shape[1]
        if members == 1 and scenario.combiner != space.ensembles.combiner[0]:
            continue
        if some.why and not any(chip is some.chip for chip, _ in found.refused):
            found.refused.append((some.chip, str(some.why)))
        found.designs += len(some.block.members)
        found.unmapped += int(np.isnan(columns["time_overhead"]).sum())
        for name, limit in space.constraints.items():
            found.within[name] += int(allowed(name, columns[name], limit).sum())
        affordable = columns["cost_feasible"].astype(bool)
        found.cost_feasible += int(affordable.sum())
        found.feasible += int(columns["feasible"].astype(bool).sum())
        listed = (
            np.flatnonzero(~np.isnan(columns["robust_accuracy"])) if chosen is None else _rows(some, choices, chosen)
        )
        found.measured += designs_of(some, choices, listed)
        if most and affordable.any():
            place = (id(some.chip), scenario.subject.fingerprint(), scenario.batch, scenario.combiner)
            waiting = fronts.setdefault(place, [])
            waiting += _front([selected(some, affordable)])
            if len(waiting) > PATIENCE:
                fronts[place] = _front(waiting)
    for waiting in fronts.values():
        found.candidates.append(_spread_out(_front(waiting), choices, most))
    return found


def pick(candidates: Sequence[Sequence[Design]], most: int) -> list[Design]:
    """The first of all candidates, each ensemble once: chips, batches and combiners take turns."""
    starts = [number % max(len(own), 1) for number, own in enumerate(candidates)]
    turned = ([*own[start:], *own[:start]] for start, own in zip(starts, candidates, strict=True))
    turns = chain.from_iterable(zip_longest(*turned))
    picked: dict[tuple[str, Key], Design] = {}
    for design in turns:
        if design is not None:
            picked.setdefault((design.scenario.subject.fingerprint(), design.key), design)
    return list(picked.values())[:most]


def designs_of(some: Designs, choices: Choices, rows: NDArray[np.intp]) -> list[Design]:
    """Some rows of a block, one by one."""
    names = list(some.columns)
    return [
        Design(
            some.chip,
            some.scenario,
            some.block.copies(choices, int(row)),
            {name: float(some.columns[name][row]) for name in names},
        )
        for row in rows
    ]


def spread(items: Sequence[Item]) -> Iterator[Item]:
    """All items: the first, the last, the one half-way, those half-way between these, and so on."""
    seen: set[int] = set()
    parts = 1
    while len(seen) < len(items):
        for part in range(parts + 1):
            place = round(part * (len(items) - 1) / parts)
            if place not in seen:
                seen.add(place)
                yield items[place]
        parts *= 2


def _rows(some: Designs, choices: Choices, chosen: frozenset[Key]) -> NDArray[np.intp]:
    """Where in a block some ensembles are."""
    several, members = some.block.full_precision, some.block.members
    places = {bits: index for index, bits in enumerate(choices.precisions)}
    found: list[int] = []
    for copies, combiner in chosen:
        low = [bits for bits in copies if bits != (choices.full, choices.full)]
        ours = len(copies) == 1 or combiner == some.scenario.combiner
        if (
            not ours
            or len(copies) - len(low) != several
            or len(low) != members.shape[1]
            or not places.keys() >= set(low)
        ):
            continue
        first, last = 0, len(members)
        for column, place in enumerate(sorted(places[bits] for bits in low)):  # rows ascend, column by column
            own = members[first:last, column]
            first, last = (
                first + int(np.searchsorted(own, place)),
                first + int(np.searchsorted(own, place, side="right")),
            )
        found += range(first, last)
    return np.array(sorted(found), dtype=np.intp)


def _front(several: Sequence[Designs]) -> list[Designs]:
    """What of some designs of one chip, batch and combiner is no worse by costs than any other."""
    values = np.concatenate([np.stack([one.columns[name] for name in HOPES], axis=1) for one in several])
    kept = np.split(
        nondominated(values, list(HOPES.values())), np.cumsum([len(one.block.members) for one in several])[:-1]
    )
    return [selected(one, mask) for one, mask in zip(several, kept, strict=True) if mask.any()]


def _spread_out(several: Sequence[Designs], choices: Choices, most: int) -> list[Design]:
    """The first of the spread over ascending time."""
    rows = [(one, row) for one in several for row in range(len(one.block.members))]
    rows.sort(key=lambda place: tuple(place[0].columns[name][place[1]] for name in HOPES))
    chosen = islice(spread(rows), most)
    return [design for one, row in chosen for design in designs_of(one, choices, np.array([row], dtype=np.intp))]
