"""The best ensembles of a space for given chips: priced all, judged by what was measured, measured where it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from pathlib import Path
from typing import get_args

import numpy as np

from hwsim.ensemble.solve import Mapper
from hwsim.errors import Fault, Infeasible, SpecError
from hwsim.search.best.answers import Answers, answers, explained
from hwsim.search.best.candidates import Design, Survey, pick, survey
from hwsim.search.design.ensembles import ensemble_of
from hwsim.search.design.grid import Chip, Scenario, choices, scenarios
from hwsim.search.exhaustive.explore import Designs, explore, member_prices
from hwsim.search.exhaustive.prices import Prices
from hwsim.search.measured.evaluate import FIRST, Empir, Entrant, Evaluation, evaluate
from hwsim.search.measured.robustness import Robustness, robustness
from hwsim.search.measured.rounds import Floats, Limits
from hwsim.spec.limits import MEASURED
from hwsim.spec.measurement import append_measurements
from hwsim.spec.space import Accuracy, Space, Subject

#: Candidates that are measured, or proposed.
CANDIDATES = 16

#: Misses whose overheads are explained.
EXPLAINED = 10


@dataclass(frozen=True)
class Rounds:
    """How unmeasured ensembles are measured.

    Args:
        command, options, settings: see `hwsim.search.measured.evaluate.Empir`.
        first: samples of the first round; most: of the last, all of the test split if None.
    """

    command: tuple[str, ...]
    options: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    first: int = FIRST
    most: int | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """What was found of one network.

    Args:
        empir: how its ensembles are measured.
        known: what the measurements say.
        survey: of all designs.
        answers: what the measured ones come to.
        candidates: those that should be measured, ascending in time; unmeasured: those of them that were not.
        evaluation: what was measured now; None where nobody asked for it.
        elsewhere: where nothing measured counts, how many ensembles have a measurement by each other way to count.
    """

    space: Space
    subject: Subject
    empir: Empir
    known: Robustness | None
    survey: Survey
    answers: Answers
    candidates: tuple[Design, ...]
    evaluation: Evaluation | None
    elsewhere: Mapping[Accuracy, int]

    @cached_property
    def unmeasured(self) -> tuple[Design, ...]:
        """Candidates without a measurement."""
        points = self.known.points if self.known else {}
        return tuple(one for one in self.candidates if one.key not in points)


def best_of(
    space: Space,
    chips: Sequence[Chip],
    subject: Subject,
    *,
    mapper: Mapper,
    effort: float,
    most: int = CANDIDATES,
    checkpoints: Path = Path("runs"),
    rounds: Rounds | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> Found:
    """Search one network's ensembles.

    Args:
        most: candidates.
        checkpoints: folder of trained members.
        rounds: how candidates are measured; they are only named if None.
        tell: called with a line for whoever waits.

    Raises:
        SpecError: network or measurements cannot be read, or it is not known what to measure on.
    """
    full = space.ensembles.full_precision_bits
    known = robustness(space.accuracy, subject, full) if _exists(subject) else None
    subject = _settled(subject, known)
    empir = Empir(subject, space.accuracy, checkpoints, full=full)
    if rounds:
        _ready(subject)
    tell(f"{subject.network.name}: pricing every layer at every precision on {_chips(chips)}")
    own = [one for one in scenarios(space) if one.subject.network == subject.network]
    own = [replace(one, subject=subject) for one in own if one.subject.quantize == subject.quantize]
    prices = _Prices(space, chips, mapper, effort)
    found = survey(space, choices(space.ensembles), prices.designs(own, known), most=most)
    picked = pick(found.candidates, most)
    evaluation = None
    if rounds:
        empir = replace(empir, command=rounds.command, options=rounds.options, settings=rounds.settings)
        entrants = _entrants(space, subject, picked, found.measured)
        wanted = [one.key for one in entrants]
        priced = survey(space, choices(space.ensembles), prices.designs(own, known), most=0, only=wanted).measured
        limits = Limits(**{name: limit for name, limit in space.constraints.items() if name in MEASURED})
        costs = _costs(space, entrants, priced)
        evaluation = evaluate(entrants, costs, limits, empir, first=rounds.first, most=rounds.most, tell=tell)
        known = robustness(space.accuracy, subject, full)
        subject = _settled(subject, known)
        found = survey(space, choices(space.ensembles), prices.designs(own, known), most=0)
    judged = answers(space, found.measured)
    judged = replace(judged, misses=explained(space, judged.misses, EXPLAINED, mapper, effort))
    by_time = tuple(sorted(picked, key=lambda one: one.columns["time_overhead"]))
    return Found(
        space,
        subject,
        replace(empir, subject=subject),
        known,
        found,
        judged,
        by_time,
        evaluation,
        _elsewhere(known, subject, full),
    )


class _Prices:
    """What members cost at every batch, found once for all combiners."""

    def __init__(self, space: Space, chips: Sequence[Chip], mapper: Mapper, effort: float) -> None:
        self._space, self._chips, self._mapper, self._effort = space, chips, mapper, effort
        self._known: dict[int, list[Prices | Infeasible]] = {}

    def designs(self, several: Sequence[Scenario], known: Robustness | None) -> Iterator[Designs]:
        """Every design of some scenarios of one network."""
        for one in several:
            if one.batch not in self._known:
                self._known[one.batch] = member_prices(
                    self._space, one, self._chips, mapper=self._mapper, effort=self._effort
                )
            yield from explore(self._space, one, self._chips, known=known, prices=self._known[one.batch])


def _entrants(space: Space, subject: Subject, picked: Sequence[Design], measured: Sequence[Design]) -> list[Entrant]:
    """One full-precision network, the candidates, and what is known already."""
    full = space.ensembles.full_precision_bits
    alone = ensemble_of(subject.network, subject.quantize, "average", 1, "auto", full, ((full, full),))
    entrants = {one.key: one for one in [Entrant(alone), *(Entrant(one.ensemble(space)) for one in picked)]}
    for design in measured:
        if design.columns["cost_feasible"]:
            entrants.setdefault(design.key, Entrant(design.ensemble(space), attacked=False))
    return list(entrants.values())


def _costs(space: Space, entrants: Sequence[Entrant], designs: Sequence[Design]) -> Floats:
    """Of every entrant on every chip at every batch, the smaller the better; infinite where it is over a limit."""
    goals = {
        name: 1.0 if sense == "minimise" else -1.0 for name, sense in space.objectives.items() if name not in MEASURED
    }
    settings = {setting: place for place, setting in enumerate(dict.fromkeys(one.setting for one in designs))}
    rows = {one.key: place for place, one in enumerate(entrants)}
    costs = np.full((len(entrants), max(len(settings), 1), max(len(goals), 1)), inf)
    for one in designs:
        if one.columns["cost_feasible"]:
            # What the chip does not tell, energy say, is the same for all.
            values = [sign * one.columns[name] for name, sign in goals.items()]
            costs[rows[one.key], settings[one.setting]] = np.nan_to_num(values or [0.0], nan=0.0)
    return costs


def _settled(subject: Subject, known: Robustness | None) -> Subject:
    """The subject with what its measurements agree on, by which further ones are made."""
    if known is None:
        return subject
    agreed = {"dataset": subject.dataset or known.dataset, "epsilon": known.epsilon}
    return subject.model_copy(update=agreed)


def _ready(subject: Subject) -> None:
    """Find out, ahead of the work, whether what is measured can be kept."""
    if subject.dataset is None:
        raise SpecError([Fault("which data set is to be measured on? No measurement says so", field="dataset")])
    if subject.measurements is None:
        raise SpecError([Fault("is needed to keep what is measured", field="measurements")])
    append_measurements(subject.measurements, [])


def _elsewhere(known: Robustness | None, subject: Subject, full: int) -> dict[Accuracy, int]:
    if known is None or known.points:
        return {}
    counts: dict[Accuracy, int] = {}
    for accuracy in get_args(Accuracy):
        try:
            found = robustness(accuracy, subject, full)
        except SpecError:  # that is not what was asked for
            continue
        if found and found.points:
            counts[accuracy] = len(found.points)
    return counts


def _exists(subject: Subject) -> bool:
    return subject.measurements is not None and Path(subject.measurements).exists()


def _chips(chips: Sequence[Chip]) -> str:
    return chips[0].hardware.name if len(chips) == 1 else f"{len(chips)} chips"
