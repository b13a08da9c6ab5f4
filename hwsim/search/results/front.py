"""The Pareto fronts of what a sweep wrote down, network by network, without holding all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import Fault, SpecError
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.pareto import hypervolume, nondominated
from hwsim.search.results.points import Condition, Points, Scanned, scan, take
from hwsim.spec.space import Sense

if TYPE_CHECKING:
    from pandas import DataFrame

#: Designs of different networks, or with other layers in full precision, are not each other's rivals.
SUBJECT = ("network", "quantize")

#: Cells along x and y of the grid in which one design that is not on the front stands for all that are in its cell.
CELLS = (36, 24)

#: Column of `Front.others`: how many designs a design stands for.
COUNT = "count"

#: Among designs that are equal in every goal, the first in these comes first.
_TIES = ("area", "members", "storage_overhead", "time_overhead", "energy_overhead")


@dataclass(frozen=True)
class Goal:
    """One of the quantities that a front is taken over."""

    name: str
    sense: Sense


@dataclass(frozen=True)
class Front:
    """The front of one network.

    Args:
        subject: the network and its rule, by column.
        designs: those on the front, ascending in the goals one after another.
        others: of those behind it, one for each cell of a grid over the first two goals, and how many are in the cell.
        compared: designs of which every goal is known.
        unknown: designs of which one is not, one of `incomplete`.
        incomplete: goals that are not known of all designs; lacking: those that are known of none.
        reference: of the hypervolume, a value of every goal.
        volume: hypervolume, in the product of the goals' units.
    """

    subject: dict[str, str]
    designs: DataFrame
    others: DataFrame
    compared: int
    unknown: int
    incomplete: tuple[str, ...]
    lacking: tuple[str, ...]
    reference: tuple[float, ...]
    volume: float


@dataclass(frozen=True)
class Fronts:
    """The fronts of all networks.

    Args:
        points: where the designs are.
        goals: what the fronts are taken over; the first two are drawn.
        where: what was asked of the designs.
        within: the column that had to be true; None if none had to.
        written: designs that are written down.
        fronts: of every network that has a design.
        without: networks that have none.
    """

    points: Points
    goals: tuple[Goal, ...]
    where: tuple[Condition, ...]
    within: str | None
    written: int
    fronts: tuple[Front, ...]
    without: tuple[str, ...] = ()

    @property
    def limits(self) -> dict[str, float]:
        """Constraints of the space, in base units."""
        return {str(name): float(value) for name, value in (self.points.space.get("constraints") or {}).items()}

    @property
    def incomplete(self) -> str | None:
        """Why designs may be missing that would be on the front; None if all are there.

        Whatever is kept, all that was measured is.
        """
        space = self.points.space
        if not self.points.complete:
            return "the sweep is not finished: run it again, and it goes on"
        keep, objectives = space.get("keep", "all"), space.get("objectives") or {}
        measured = any(goal.name in COLUMNS and not COLUMNS[goal.name].costs for goal in self.goals)
        if keep == "front" and not measured and any(objectives.get(goal.name) != goal.sense for goal in self.goals):
            own = ", ".join(f"{name} ({sense}d)" for name, sense in objectives.items())
            return f"the sweep kept only the fronts over {own}: for any other, sweep with `keep: feasible` or `all`"
        if keep != "all" and self.within is None:
            return "the sweep kept only designs within the constraints, and what was measured: sweep with `keep: all`"
        return None


def fronts(
    points: Points,
    goals: Sequence[Goal],
    where: Sequence[Condition] = (),
    within: str | None = None,
    reference: Mapping[str, float] | None = None,
) -> Fronts:
    """The front of every network.

    Args:
        within: a column that has to be true of a design.
        reference: of the hypervolume, for any of the goals. Of another it is the constraint's limit if there is one;
            otherwise 0 if more is better, and a tenth beyond the worst of all compared if less is.

    Raises:
        SpecError: a condition is met by no design, or a sweep went on meanwhile.
    """
    own = [name for name in SUBJECT if name in points.kinds]
    names = [goal.name for goal in goals]
    scanned = scan(points, list(dict.fromkeys([*names, *own])), where, [within] if within else [])
    groups = _subjects(scanned, own)
    values = np.column_stack([scanned.columns.pop(name) for name in names])
    results = Fronts(points, tuple(goals), tuple(where), within, scanned.rows, ())
    found = [
        _front(results, scanned, values[rows], scanned.numbers[rows], subject, reference or {})
        for subject, rows in groups
    ]
    asked = next((one.values for one in where if one.column == SUBJECT[0]), scanned.texts.get(SUBJECT[0], ()))
    present = {front.subject.get(SUBJECT[0]) for front in found}
    without = tuple(sorted(set(asked) - present))
    return Fronts(points, tuple(goals), tuple(where), within, scanned.rows, tuple(found), without)


def logarithmic(name: str, values: NDArray[np.float64]) -> bool:
    """Whether an axis is better divided by ratios: a quantity with a unit, all above 0, and some 30 times others."""
    finite = values[np.isfinite(values)]
    with_unit = name in COLUMNS and bool(COLUMNS[name].unit)
    return with_unit and len(finite) > 0 and bool(finite.min() > 0) and bool(finite.max() > 30 * finite.min())


def distinct(front: Front, goals: Sequence[Goal]) -> list[tuple[dict[str, Any], int]]:
    """The designs of a front, those that are equal in every goal together: the first, and how many they are."""
    found: dict[tuple[float, ...], list[Any]] = {}
    names = [goal.name for goal in goals]
    for row in front.designs.to_dict("records"):
        found.setdefault(tuple(row[name] for name in names), [row, 0])[1] += 1
    return [(row, count) for row, count in found.values()]


def _subjects(scanned: Scanned, names: Sequence[str]) -> list[tuple[dict[str, str], NDArray[np.int64] | slice]]:
    """Every network with the rows that are its own, in the order of their names."""
    if not len(scanned.numbers):
        return []
    key = np.zeros(len(scanned.numbers), dtype=np.int64)
    for name in names:
        key = key * len(scanned.texts[name]) + scanned.columns[name]
    several = np.flatnonzero(np.bincount(key))
    found = []
    for value in several:
        subject, rest = {}, int(value)
        for name in reversed(names):
            rest, code = divmod(rest, len(scanned.texts[name]))
            subject[name] = scanned.texts[name][code]
        rows = slice(None) if len(several) == 1 else np.flatnonzero(key == value)
        found.append(({name: subject[name] for name in names}, rows))
    return sorted(found, key=lambda item: tuple(item[0].values()))


def _front(
    asked: Fronts,
    scanned: Scanned,
    values: NDArray[np.float64],
    numbers: NDArray[np.int64],
    subject: dict[str, str],
    reference: Mapping[str, float],
) -> Front:
    goals = asked.goals
    known = np.asarray(~np.isnan(values).any(axis=1))
    best = nondominated(values, [goal.sense for goal in goals])
    behind = np.flatnonzero(known & ~best)
    cells, stands_for = _thinned([goal.name for goal in goals], values, behind)
    designs = take(asked.points, scanned, numbers[best])
    others = take(asked.points, scanned, numbers[behind[cells]])
    limits = asked.limits
    limit = tuple(
        reference.get(goal.name, _worst(goal, values[:, column], known, limits.get(goal.name)))
        for column, goal in enumerate(goals)
    )
    ties = [name for name in _TIES if name in designs and asked.points.kinds[name] == "number"]
    return Front(
        subject=subject,
        designs=designs.sort_values([*(goal.name for goal in goals), *ties], kind="stable"),
        others=others.assign(**{COUNT: stands_for}),
        compared=int(known.sum()),
        unknown=int((~known).sum()),
        incomplete=tuple(goal.name for column, goal in enumerate(goals) if np.isnan(values[:, column]).any()),
        lacking=tuple(goal.name for column, goal in enumerate(goals) if np.isnan(values[:, column]).all()),
        reference=limit,
        volume=hypervolume(values[best], [goal.sense for goal in goals], limit),
    )


def _worst(goal: Goal, values: NDArray[np.float64], known: NDArray[np.bool_], limit: float | None) -> float:
    if limit is not None:
        return limit
    finite = known & np.isfinite(values)
    if goal.sense == "maximise" or not finite.any():
        return 0.0
    worst = float(values.max(where=finite, initial=-np.inf))
    return worst + (0.1 * abs(worst) or 1.0)


def _thinned(
    names: Sequence[str], values: NDArray[np.float64], behind: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Which of the rows behind the front are shown, the first in each cell of a grid over them, and how many are in it.

    All are, each for itself, if they are few.
    """
    if len(behind) <= prod(CELLS) or len(names) < len(CELLS):
        return np.arange(len(behind)), np.ones(len(behind), dtype=np.int64)
    place = np.zeros(len(behind), dtype=np.int64)
    for column, cells in enumerate(CELLS):
        own = values[behind, column]
        if logarithmic(names[column], own):
            own = np.log(own)
        finite = own[np.isfinite(own)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        share = (np.clip(own, low, high) - low) / ((high - low) or 1.0)
        place = place * cells + np.minimum((share * cells).astype(np.int64), cells - 1)
    _, first, counts = np.unique(place, return_index=True, return_counts=True)
    return first, counts


def goal_of(points: Points, text: str) -> Goal:
    """Read `NAME`, `NAME:minimise` or `NAME:maximise`; without a sense, the one in which the quantity is better.

    Raises:
        SpecError: there is no such column, it holds text, or it is not known which of its values are better.
    """
    name, _, end = text.rpartition(":")
    sense: Sense | None = "minimise" if end == "minimise" else "maximise" if end == "maximise" else None
    column = points.column(name if sense else text)
    if points.kinds[column] == "text":
        raise SpecError([Fault(f"the column {column!r} holds text, which has no order", str(points.path))])
    if sense is None:
        known = COLUMNS.get(column)
        if known is None or known.better is None:
            what = f"which values of {column!r} are better is not known: write {column}:minimise or {column}:maximise"
            raise SpecError([Fault(what, str(points.path))])
        sense = "minimise" if known.better == "less" else "maximise"
    return Goal(column, sense)
