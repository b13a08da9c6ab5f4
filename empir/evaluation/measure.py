"""How often an ensemble is right, clean and under attacks, as measurements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, Protocol

import numpy as np

from empir.attacks.interface import Attack
from empir.evaluation.accounting import Accounting, Chances, Classes, accuracy, confusion, interval, median_distortion
from empir.evaluation.answers import Answers, Worst
from empir.evaluation.attacked import Question, attacked
from empir.evaluation.gradients import DEFAULT, FOLLOWED
from empir.evaluation.target import Target
from empir.evaluation.versions import versions
from hwsim.spec.measurement import MeasuredMember, Measurement


class Progress(Protocol):
    """Who is told how far a run has come."""

    def begin(self, what: str) -> object:
        """Something else is done from now on."""

    def __call__(self, done: int, total: int) -> object:
        """So many images of so many are done."""


class Silent:
    """Tells nobody."""

    def begin(self, what: str) -> None:
        """Nothing."""

    def __call__(self, done: int, total: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Measured:
    """A measurement, and how fast the attack was.

    Args:
        rate: images attacked a second, when they were attacked; None for a worst case, which attacks nothing.
    """

    measurement: Measurement
    rate: float | None


def measure(
    target: Target,
    attacks: Sequence[Attack],
    *,
    gradient: str | None = None,
    accounting: Accounting = "standard",
    progress: Progress | None = None,
) -> Iterator[Measured]:
    """Attack an ensemble: one measurement when clean, one for each attack, and under `standard` the worst case.

    `standard` attacks what is right when clean, away from the true label. `released` attacks every image away from the
    ensemble's own answer, and its attacks are done when they have fooled what they differentiate. The worst case is
    over all attacks, and, where these have different bounds, also over those that share one: a bound that no attack has
    to keep says little about one that it has.

    Args:
        gradient: name of the surrogate that every attack follows; as in `FOLLOWED` if None.

    Raises:
        SpecError: there is no such gradient.
    """
    tell = progress or Silent()
    followed = [gradient or FOLLOWED[accounting].get(one.name, DEFAULT) for one in attacks]
    own = accounting == "released"
    questions = [Question(one, name, blind=own) for one, name in zip(attacks, followed, strict=True)]
    for question in questions:
        question.model(target)  # an unknown gradient is refused before anything is attacked
    labels = target.labels
    clean = answer_clean(target, tell)
    before = Worst.clean(labels, clean, target.drawn)
    yield Measured(_line(target, "none", accounting, before, before.chances, before.decisions), _rate(clean))
    samples = np.arange(len(labels)) if own else before.standing
    guides = clean.decisions if own else labels[samples]
    found: list[tuple[Question, Answers]] = []
    for attack, question in zip(attacks, questions, strict=True):
        tell.begin(str(question))
        answers = attacked(target, question, samples, guides, tell)
        found.append((question, answers))
        if own:
            chances, decisions = answers.chances(labels, target.drawn), answers.decisions
            distances = answers.distances(attack.norm)
        else:
            after = before.after(samples, answers, attack.norm)
            chances, decisions, distances = after.chances, after.decisions, after.distances
        line = _line(
            target,
            attack.name,
            accounting,
            before,
            chances,
            decisions,
            parameters=attack.model_dump(mode="json", exclude={"epsilon"}),
            norm=attack.norm,
            epsilon=attack.epsilon,
            gradient=question.gradient,
            median_distortion=median_distortion(before.chances, chances, distances),
        )
        yield Measured(line, _rate(answers))
    if not own:
        for group in _sets(found):
            yield Measured(_worst_case(target, before, samples, group), None)


def answer_clean(target: Target, progress: Progress) -> Answers:
    """The ensemble's answers to all its images as they are."""
    progress.begin("clean")
    everyone = np.arange(len(target.dataset))
    return attacked(target, Question(), everyone, np.zeros_like(everyone), progress)


def described(question: Question) -> dict[str, Any]:
    """An attack with its parameters and gradient, as JSON."""
    assert question.attack is not None
    temperature = {} if question.temperature == 1 else {"temperature": question.temperature}
    parameters = question.attack.model_dump(mode="json")
    return {"attack": question.attack.name, "gradient": question.gradient, **temperature, **parameters}


def adaptive_measurement(
    target: Target, before: Worst, after: Worst, epsilon: float, stages: Sequence[Question]
) -> Measurement:
    """The measurement that `verify` makes.

    Args:
        before, after: the ensemble clean, and in the worst case over all stages.
        epsilon: their bound in L-infinity [pixel range].
    """
    return _line(
        target,
        "adaptive",
        "standard",
        before,
        after.chances,
        after.decisions,
        parameters={"stages": [described(question) for question in stages]},
        norm="linf",
        epsilon=epsilon,
        median_distortion=median_distortion(before.chances, after.chances, after.distances),
    )


def _sets(found: list[tuple[Question, Answers]]) -> Iterator[list[tuple[Question, Answers]]]:
    """All attacks, then those that share a bound if that is more than one and not all."""

    def bound(item: tuple[Question, Answers]) -> tuple[str, float]:
        attack = item[0].attack
        assert attack is not None
        return attack.norm, -1.0 if attack.epsilon is None else attack.epsilon

    if found:
        yield found
    for _, items in groupby(sorted(found, key=bound), key=bound):
        group = list(items)
        if 1 < len(group) < len(found):
            yield group


def _worst_case(target: Target, clean: Worst, samples: Classes, group: list[tuple[Question, Answers]]) -> Measurement:
    worst = clean
    bounds = set()
    for question, answers in group:
        assert question.attack is not None
        bounds.add((question.attack.norm, question.attack.epsilon))
        worst = worst.after(samples, answers, question.attack.norm)
    norm, epsilon = bounds.pop() if len(bounds) == 1 else (None, None)
    followed = {question.gradient for question, _ in group}
    return _line(
        target,
        "worst_case",
        "standard",
        clean,
        worst.chances,
        worst.decisions,
        parameters={"attacks": [described(question) for question, _ in group]},
        norm=norm,
        epsilon=epsilon,
        gradient=followed.pop() if len(followed) == 1 else None,
        median_distortion=median_distortion(clean.chances, worst.chances, worst.distances) if norm else None,
    )


def _line(
    target: Target,
    attack: str,
    accounting: Accounting,
    clean: Worst,
    chances: Chances,
    decisions: Classes,
    *,
    parameters: dict[str, Any] | None = None,
    norm: Literal["linf", "l2", "l0"] | None = None,
    epsilon: float | None = None,
    gradient: str | None = None,
    median_distortion: float | None = None,
) -> Measurement:
    spec, dataset = target.spec, target.dataset
    # Where a member is drawn for each inference, a sample has no one answer that could be counted.
    classes = max(len(dataset.classes), int(decisions.max()) + 1)
    counts = None if target.drawn else confusion(clean.labels, decisions, classes)
    members = zip(spec.expanded(), target.seeds, target.checksums, strict=True)
    return Measurement(
        ensemble=spec.identity(),
        network=spec.network,
        quantize=spec.quantize,
        full_precision_bits=spec.full_precision_bits,
        combiner=spec.combiner,
        members=tuple(
            MeasuredMember(weights=member.weights, activations=member.activations, seed=seed, checkpoint=checksum)
            for member, seed, checksum in members
        ),
        training=dict(target.training),
        dataset=dataset.name,
        split=dataset.split,
        data=dataset.fingerprint(),
        samples=len(dataset),
        attack=attack,
        parameters=parameters or {},
        norm=norm,
        epsilon=epsilon,
        gradient=gradient,
        accounting=accounting,
        clean_accuracy=accuracy(clean.chances),
        robust_accuracy=accuracy(chances),
        interval=interval(chances),
        median_distortion=median_distortion,
        confusion=None if counts is None else tuple(tuple(row) for row in counts.tolist()),
        seed=target.seed,
        versions=dict(versions()),
    )


def _rate(answers: Answers) -> float | None:
    return len(answers.decisions) / answers.seconds if answers.seconds else None
