"""The paper's Table 2 with ours beside it, as plain values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from empir.evaluation.gradients import FOLLOWED
from empir.report.published import ATTACKS, BENCHMARKS, Benchmark, Published, rows
from empir.report.subject import Subject, subjects
from hwsim.spec.measurement import Measurement


@dataclass(frozen=True)
class Cell:
    """One accuracy.

    Args:
        accuracy: share of the samples.
        interval: of 95 %.
        samples: on which it was measured.
        source: the measurement; None for what several tell.
    """

    accuracy: float
    interval: tuple[float, float]
    samples: int
    source: Measurement | None = None


Ours = tuple[Subject, Mapping[str, Cell]]


@dataclass(frozen=True)
class Row:
    """An approach: the paper's figures, ours, or both.

    Args:
        ours: subjects, each with its cells by name, as `cells` makes them.
    """

    approach: str
    paper: Published | None
    ours: tuple[Ours, ...]


@dataclass(frozen=True)
class Table:
    """All approaches on one network and data set.

    Args:
        network: name in the zoo.
        benchmark: the paper's, None for a network that it does not have.
        samples: most on which anything was measured.
        epsilon: bound of the L-infinity attacks that are shown [pixel range].
        not_shown: measurements of other attacks, bounds, gradients or parameters.
    """

    network: str
    benchmark: Benchmark | None
    dataset: str
    split: str
    samples: int
    epsilon: float | None
    rows: tuple[Row, ...]
    not_shown: tuple[Measurement, ...]


def tables(measurements: Iterable[Measurement], epsilon: float | None = None) -> tuple[Table, ...]:
    """One table for each network and data set, in the order of their first measurement.

    Args:
        epsilon: bound of the attacks to show; if None, the one at which most was measured.
    """
    groups: dict[tuple[str, str, str], list[Subject]] = {}
    for subject in subjects(measurements):
        one = subject.one
        groups.setdefault((one.network.name, one.dataset, one.split), []).append(subject)
    return tuple(_table(group, epsilon) for group in groups.values())


def _table(group: list[Subject], epsilon: float | None) -> Table:
    one = group[0].one
    benchmark = BENCHMARKS.get(one.network.name)
    shown = usual_epsilon(group) if epsilon is None else epsilon
    ours: list[Ours] = [(subject, cells(subject.measurements, shown)) for subject in group]
    used = {question for subject, own in ours for question in _shown(subject, own)}
    everything = [measurement for subject in group for measurement in subject.measurements]
    return Table(
        network=one.network.name,
        benchmark=benchmark,
        dataset=one.dataset,
        split=one.split,
        samples=max(measurement.samples for measurement in everything),
        epsilon=shown,
        rows=tuple(_rows(rows(benchmark.name) if benchmark else (), ours)),
        not_shown=tuple(measurement for measurement in everything if measurement.question not in used),
    )


def _shown(subject: Subject, own: Mapping[str, Cell]) -> Iterator[str]:
    """Questions that the cells answer, alone or as a part of a worst case, and those of clean images."""
    sources = [cell.source for cell in own.values() if cell.source]
    yield from (one.question for one in sources)
    yield from (one.question for one in subject.measurements if one.attack == "none")
    parts = {name for one in sources if one.accounting == "standard" for name in attacks_of(one)}
    bounds = {None, *(one.epsilon for one in sources)}
    yield from (
        one.question
        for one in subject.measurements
        if one.accounting == "standard" and one.attack in parts and one.epsilon in bounds
    )


def _rows(paper: tuple[Published, ...], ours: list[Ours]) -> Iterator[Row]:
    """The paper's rows, then what only we have."""
    known = [published.approach for published in paper]
    for published in paper:
        same = tuple(item for item in ours if item[0].approach == published.approach)
        yield Row(published.approach, published, same)
    for approach in dict.fromkeys(subject.approach for subject, _ in ours):
        if approach not in known:
            yield Row(approach, None, tuple(item for item in ours if item[0].approach == approach))


def usual_epsilon(group: Iterable[Subject]) -> float | None:
    """The bound in L-infinity at which most was measured, the greatest of several; None if nothing was."""
    found = Counter(
        measurement.epsilon
        for subject in group
        for measurement in subject.measurements
        if measurement.norm == "linf" and measurement.epsilon is not None
    )
    return max(found, key=lambda epsilon: (found[epsilon], epsilon)) if found else None


def cells(measurements: Iterable[Measurement], epsilon: float | None) -> dict[str, Cell]:
    """Everything that is shown of one subject, by name; what was not measured is left out.

    Names: `clean`; the paper's attacks and their `average`, as released; the worst case of bounded attacks, `standard`,
    and of a set with others, `standard_all`; `adaptive`.
    """
    every = tuple(measurements)
    bounded = tuple(one for one in every if one.epsilon is None or _equal(one.epsilon, epsilon))
    worst = [one for one in bounded if one.attack == "worst_case"]
    released = {
        name: _pick(one for one in bounded if one.attack == name and one.accounting == "released") for name in ATTACKS
    }
    found = {
        "clean": _pick(one for one in every if one.attack == "none") or _clean(every),
        **released,
        "average": _average([cell for cell in released.values() if cell]),
        "standard": _pick(one for one in worst if one.norm == "linf" and one.epsilon is not None),
        "standard_all": _pick(one for one in worst if one.norm != "linf" or one.epsilon is None),
        "adaptive": _pick(one for one in bounded if one.attack == "adaptive"),
    }
    return {name: cell for name, cell in found.items() if cell}


def _pick(measurements: Iterable[Measurement]) -> Cell | None:
    """Of several: most samples, the released code's gradient, the larger set of attacks, the lowest accuracy."""
    found = sorted(
        measurements,
        key=lambda one: (
            -one.samples,
            one.gradient != FOLLOWED["released"].get(one.attack, one.gradient),
            -len(attacks_of(one)),
            one.robust_accuracy,
        ),
    )
    if not found:
        return None
    best = found[0]
    return Cell(best.robust_accuracy, best.interval, best.samples, best)


def _clean(measurements: tuple[Measurement, ...]) -> Cell:
    """The clean accuracy that every measurement under attack tells too, with Wilson's interval."""
    from scipy.stats import binomtest

    one = max(measurements, key=lambda one: one.samples)
    found = binomtest(round(one.clean_accuracy * one.samples), one.samples).proportion_ci(0.95, "wilson")
    return Cell(one.clean_accuracy, (float(found.low), float(found.high)), one.samples)


def attacks_of(measurement: Measurement) -> tuple[str, ...]:
    """Names of the attacks that a worst case is over; empty for anything else."""
    listed = measurement.parameters.get("attacks")
    if measurement.attack != "worst_case" or not isinstance(listed, list):
        return ()
    return tuple(str(item["attack"]) for item in listed if isinstance(item, dict) and "attack" in item)


def _average(found: list[Cell]) -> Cell | None:
    """Mean over the paper's attacks, if all were measured.

    The interval has the mean bounds: an average of figures that vary together, as those of one set of samples do, is
    at most as uncertain as they are on average.
    """
    if len(found) < len(ATTACKS):
        return None
    low, high = (fmean(cell.interval[side] for cell in found) for side in (0, 1))
    return Cell(fmean(cell.accuracy for cell in found), (low, high), min(cell.samples for cell in found))


def _equal(one: float, other: float | None) -> bool:
    return other is not None and math.isclose(one, other, rel_tol=1e-6)
