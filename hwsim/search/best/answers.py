"""What the measured designs of a space come to: the best, the front, and why the others fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from hwsim.ensemble.ensemble_cost import map_ensemble
from hwsim.ensemble.solve import Mapper
from hwsim.errors import HwsimError
from hwsim.search.best.candidates import Design
from hwsim.search.design.pareto import nondominated
from hwsim.search.design.verdict import allowed
from hwsim.spec.space import Quantity, Sense, Space

#: Constraints whose excess map_ensemble explains: the multiple of the baseline against Equation 6's.
EXPLAINED = ("time_overhead", "storage_overhead")


@dataclass(frozen=True)
class Excess:
    """A limit that a design breaks.

    Args:
        value: what it has; limit: what is allowed.
        causes: of overheads, what Equation 6 does not see: shares of the baseline by cause, the largest first; empty
            where nobody looked.
    """

    quantity: str
    value: float
    limit: float
    causes: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Miss:
    """A measured design that breaks limits."""

    design: Design
    excesses: tuple[Excess, ...]


@dataclass(frozen=True, eq=False)
class Answers:
    """What was found of one subject.

    Args:
        best: measured and within all limits, the most robust first.
        front: those of them that no other beats in all objectives, or of all measured where none is within the limits.
        unsure: others whose interval of robust accuracy is too wide to say that they are not on it.
        alike: how many of the front another one's interval overlaps.
        objectives: what the front is over; unknown: objectives that no design has a value of.
        misses: measured designs that break limits, the nearest first.
    """

    best: tuple[Design, ...]
    front: tuple[Design, ...]
    unsure: tuple[Design, ...]
    alike: int
    objectives: tuple[str, ...]
    unknown: tuple[str, ...]
    misses: tuple[Miss, ...]


def answers(space: Space, measured: Sequence[Design]) -> Answers:
    """Judge the measured designs of one subject; a front compares its chips and batches, too."""
    best = [one for one in measured if one.columns["feasible"]]
    best.sort(key=_rank)
    known = {name: any(not isnan(one.columns[name]) for one in measured) for name in space.objectives}
    objectives = {name: sense for name, sense in space.objectives.items() if known[name]}
    front, unsure = _front(objectives, best or measured)
    misses = [Miss(one, _excesses(space, one)) for one in measured if not one.columns["feasible"]]
    misses.sort(key=lambda miss: (_distance(miss), _rank(miss.design)))
    return Answers(
        best=tuple(best),
        front=front,
        unsure=unsure,
        alike=sum(any(_overlap(one, other) for other in front if other is not one) for one in front),
        objectives=tuple(objectives),
        unknown=tuple(name for name in space.objectives if not known[name]),
        misses=tuple(misses),
    )


def explained(space: Space, misses: Iterable[Miss], most: int, mapper: Mapper, effort: float) -> tuple[Miss, ...]:
    """The first few misses with the causes of their overheads, which need their ensembles to be mapped."""
    found = []
    for number, miss in enumerate(misses):
        wanted = number < most and any(excess.quantity in EXPLAINED for excess in miss.excesses)
        found.append(_with_causes(space, miss, mapper, effort) if wanted else miss)
    return tuple(found)


def _rank(design: Design) -> tuple[float, float, float, float]:
    """Robust first, then right when clean, then cheap."""
    own = design.columns
    return (-own["robust_accuracy"], -own["clean_accuracy"], own["time_overhead"], own["storage_overhead"])


def _front(
    objectives: Mapping[Quantity, Sense], designs: Sequence[Design]
) -> tuple[tuple[Design, ...], tuple[Design, ...]]:
    """Those on the front, by ascending time, and those that might be if they are as robust as their intervals allow."""
    if not designs or not objectives:
        return (), ()
    senses = list(objectives.values())
    values = np.array([[one.columns[name] for name in objectives] for one in designs])
    on = nondominated(values, senses)
    might = np.zeros(len(designs), dtype=bool)
    if "robust_accuracy" in objectives:
        place = list(objectives).index("robust_accuracy")
        low = values.copy()
        low[:, place] = [one.columns["robust_low"] for one in designs]
        for row in np.flatnonzero(~on & ~np.isnan(values).any(axis=1)).tolist():
            hopeful = low.copy()
            hopeful[row, place] = designs[row].columns["robust_high"]
            might[row] = nondominated(hopeful, senses)[row]
    by_time = sorted(range(len(designs)), key=lambda row: designs[row].columns["time_overhead"])
    return tuple(designs[row] for row in by_time if on[row]), tuple(designs[row] for row in by_time if might[row])


def _overlap(one: Design, other: Design) -> bool:
    """Whether robust accuracies are not told apart by their intervals."""
    low = max(one.columns["robust_low"], other.columns["robust_low"])
    return low <= min(one.columns["robust_high"], other.columns["robust_high"])


def _excesses(space: Space, design: Design) -> tuple[Excess, ...]:
    return tuple(
        Excess(name, design.columns[name], limit, {})
        for name, limit in space.constraints.items()
        if not allowed(name, design.columns[name], limit)
    )


def _distance(miss: Miss) -> float:
    """By how much the worst broken limit is broken; what is not known is no distance."""
    apart = (abs(one.value - one.limit) / (1 + abs(one.limit)) for one in miss.excesses if not isnan(one.value))
    return max(apart, default=0.0)


def _with_causes(space: Space, miss: Miss, mapper: Mapper, effort: float) -> Miss:
    design = miss.design
    try:
        cost = map_ensemble(
            design.ensemble(space), design.chip.hardware, objective=space.objective, effort=effort, mapper=mapper
        )
    except HwsimError:  # it was priced with what other ensembles' weights leave of a memory
        return miss
    causes = {"time_overhead": cost.time_causes, "storage_overhead": cost.storage_causes}
    excesses = (
        Excess(one.quantity, one.value, one.limit, _largest_first(causes.get(one.quantity, {})))
        for one in miss.excesses
    )
    return Miss(design, tuple(excesses))


def _largest_first(causes: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(causes.items(), key=lambda item: -abs(item[1])))
