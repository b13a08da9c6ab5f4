"""Trials of designs in an Optuna study, which several processes may share and any of them may leave.

A study lies in an SQLite file, a database or a journal, and all that is known lies in it: whoever opens it goes on. A
design is evaluated once. One that is suggested again is answered from the trial that has it; one that another process
has in hand is left to it. After a few such suggestions in a row the last of them is changed, as little as makes a new
design of it, so that a search always comes to its end.

What a process leaves behind when it is killed is noticed by those that come after: a trial still running whose process
is gone from this machine, or that began more than an hour ago on another. Its design is tried again, three times at
most. Every trial has a random generator of its own, seeded by its number, so that one process alone repeats itself,
interrupted or not.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from secrets import token_hex
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from hwsim.search.sampled.variables import Variable
from hwsim.spec.space import Sampled, Sense

#: Suggestions in a row that were looked at before, after which one is made that was not.
PATIENCE = 4

#: A trial on another machine that runs for longer than this counts as left behind.
BELIEVED = timedelta(hours=1)

#: How often a design may end the process that evaluates it.
ATTEMPTS = 3

_DIRECTIONS = {"minimise": StudyDirection.MINIMIZE, "maximise": StudyDirection.MAXIMIZE}

#: This process, which another may have the number of once it is gone.
_PROCESS = token_hex(8)

#: What a trial says of itself: its design and who evaluates it, what came out, whose result it has, how many processes
#: it ended.
_TAKEN, _RESULT, _COPY, _LOST = "taken", "result", "same as", "ended"


@dataclass(frozen=True)
class Suggestion:
    """A design that is to be evaluated.

    Args:
        trial: its number.
        design: what names it.
        parameters: value of every variable.
    """

    trial: int
    design: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class _Seen:
    """Designs that are not to be evaluated again.

    Args:
        trials: number of all trials.
        known: the trial of every design that was evaluated.
        taken: designs in hand; given_up: those that nobody tries any more.
    """

    trials: int
    known: dict[str, FrozenTrial]
    taken: frozenset[str]
    given_up: frozenset[str]

    @cached_property
    def seen(self) -> frozenset[str]:
        return self.taken | self.given_up | self.known.keys()


class Trials:
    """The trials of one study, as one process takes part in them.

    Args:
        storage: where the study lies.
        study: its name.
        senses: of every objective.
        engine: which sampler, and its seed.
        variables: what designs are chosen by.
        name: what names the design that values of the variables make.
        fresh: values near some others that make a design other than those seen, drawn by a seed; None where there is
            none left.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study: str,
        senses: Sequence[Sense],
        engine: Sampled,
        variables: Iterable[Variable],
        name: Callable[[Mapping[str, Any]], str],
        fresh: Callable[[Mapping[str, Any], tuple[int, int], Set[str]], dict[str, Any] | None],
    ) -> None:
        self._storage = storage
        self._distributions = {variable.name: _distribution(variable) for variable in variables}
        self._seed, self._name, self._fresh = engine.seed, name, fresh
        self._held: dict[int, Trial] = {}
        self._study = optuna.create_study(
            storage=storage,
            sampler=_Seeded(engine),
            study_name=study,
            directions=[_DIRECTIONS[sense] for sense in senses],
            load_if_exists=True,
        )

    def results(self) -> dict[str, Any]:
        """What was told of every design, in the order of the trials."""
        return {design: trial.user_attrs[_RESULT] for design, trial in self._looked().known.items()}

    def given_up(self) -> frozenset[str]:
        """Designs that ended their process each time that they were evaluated."""
        return self._looked().given_up

    def ask(self, designs: int) -> Suggestion | None:
        """A design that nobody has looked at; None where enough are evaluated or in hand, or none is left.

        Args:
            designs: how many are wanted in all.
        """
        repeats, now = 0, self._looked()
        suggested: dict[str, Any] = {}
        while len(now.seen) < designs:
            if repeats >= PATIENCE:
                values = self._fresh(suggested, (self._seed, now.trials), now.seen)
                if values is None:
                    return None
                self._study.enqueue_trial(values)
            trial = self._study.ask(self._distributions)
            self._held[trial.number] = trial
            suggested = trial.params
            design = self._name(suggested)
            # First said, then asked who else has it: of two that take the same, one at least sees the other.
            trial.set_user_attr(_TAKEN, [design, socket.gethostname(), os.getpid(), _PROCESS])
            now = self._looked(besides=trial.number)
            if design in now.known:
                self._copy(trial, now.known[design])
            elif design in now.seen:
                self._end(trial.number)
            else:
                return Suggestion(trial.number, design, suggested)
            repeats += 1
        return None

    def tell(self, trial: int, values: Sequence[float], violations: Mapping[str, float], result: Any) -> None:
        """What came out of a suggestion.

        Args:
            values: of every objective.
            violations: by how much each constraint is missed, 0 where it holds.
            result: plain data, kept as it is.
        """
        held = self._held.pop(trial)
        held.set_user_attr(_RESULT, result)
        for constraint, violation in violations.items():
            held.set_constraint(constraint, violation)
        # Another machine may have believed this process dead: the design is then evaluated there.
        self._study.tell(held, list(values), skip_if_finished=True)

    def give_up(self, trial: int) -> None:
        """Whoever evaluated a suggestion was ended by it every time."""
        self._held[trial].set_user_attr(_LOST, ATTEMPTS)
        self._end(trial)

    def withdraw(self) -> None:
        """Give back every suggestion that was not told: whoever goes on begins with them."""
        for number, trial in list(self._held.items()):
            self._end(number)
            self._study.enqueue_trial(trial.params)

    def reap(self) -> int:
        """Take back what killed processes had in hand, so that it is tried again; returns how many trials that is."""
        left = [trial for trial in self._trials() if trial.state == TrialState.RUNNING and self._left_behind(trial)]
        for trial in left:
            self._storage.set_trial_user_attr(self._id(trial.number), _LOST, 1)
            self._end(trial.number)
        hopeless = self.given_up()
        for trial in left:
            if _TAKEN in trial.user_attrs and _design(trial) not in hopeless:
                self._study.enqueue_trial(trial.params)
        return len(left)

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _looked(self, besides: int | None = None) -> _Seen:
        """What is known, and what is in hand, one trial left out."""
        trials = self._trials()
        known: dict[str, FrozenTrial] = {}
        taken, lost = set[str](), Counter[str]()
        for trial in trials:
            if _TAKEN not in trial.user_attrs or trial.number == besides:
                continue
            design = _design(trial)
            lost[design] += trial.user_attrs.get(_LOST, 0)
            if trial.state == TrialState.RUNNING:
                taken.add(design)
            elif trial.state == TrialState.COMPLETE and _RESULT in trial.user_attrs:
                known.setdefault(design, trial)
        hopeless = frozenset(design for design, times in lost.items() if times >= ATTEMPTS and design not in known)
        return _Seen(len(trials), known, frozenset(taken), hopeless)

    def _copy(self, trial: Trial, known: FrozenTrial) -> None:
        """Answer a suggestion from the trial that has its result."""
        del self._held[trial.number]
        trial.set_user_attr(_COPY, known.number)
        for constraint, violation in known.constraints.items():
            trial.set_constraint(constraint, violation)
        self._study.tell(trial, known.values, skip_if_finished=True)

    def _end(self, number: int) -> None:
        """End a trial without a result."""
        self._held.pop(number, None)
        self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _id(self, number: int) -> int:
        study = self._storage.get_study_id_from_name(self._study.study_name)
        return self._storage.get_trial_id_from_study_id_trial_number(study, number)

    def _left_behind(self, trial: FrozenTrial) -> bool:
        _, machine, process, token = trial.user_attrs.get(_TAKEN, ("", "", 0, ""))
        if machine == socket.gethostname() and (token != _PROCESS if process == os.getpid() else not _alive(process)):
            return True
        started = trial.datetime_start
        return started is not None and datetime.now() - started > BELIEVED


class _Seeded(BaseSampler):
    """A sampler that begins every trial anew, from a seed and the trial's number; what it knows is in the study."""

    def __init__(self, engine: Sampled) -> None:
        self._engine = engine
        self._own = self._sampler(0)

    def _sampler(self, trial: int) -> BaseSampler:
        seed = int(np.random.SeedSequence((self._engine.seed, trial)).generate_state(1)[0])
        if self._engine.kind == "tpe":
            return TPESampler(seed=seed, multivariate=True)
        return NSGAIISampler(seed=seed, population_size=max(4, min(50, self._engine.trials // 8)))

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._own = self._sampler(trial.number)
        self._own.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._own.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._own.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._own.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        if isinstance(self._own, NSGAIISampler) and state == TrialState.COMPLETE:
            self._own.get_trial_generation(study, trial)  # what was not its own suggestion joins the population, too
        self._own.after_trial(study, trial, state, values)


def _design(trial: FrozenTrial) -> str:
    return str(trial.user_attrs[_TAKEN][0])


def _distribution(variable: Variable) -> BaseDistribution:
    if variable.ordered:
        return IntDistribution(0, variable.size - 1)
    return CategoricalDistribution(range(variable.size))


def _alive(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
