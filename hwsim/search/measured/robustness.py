"""What a file of measurements says of the ensembles of one network: how right they are, clean and attacked.

Three ways to count, of which only the first tries to be fooled by nothing:

    verify      right when clean and after every attack of `empir verify` (attack `adaptive`)
    standard    right when clean and after each of FGSM, BIM and PGD along the paper's gradient
    released    the mean over FGSM, BIM, PGD and Carlini and Wagner's attack of what is right after each alone, each
                along the gradient that the paper's code follows: the column "average" of the paper's Table 2 (Sen et
                al., ICLR 2020). That code holds no attack against another, so a worst case of its counts would be
                nobody's number.

Nothing is interpolated: an ensemble without its measurement has no robustness. Of several, that of most samples counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isclose
from typing import Any, get_args

from hwsim.errors import Fault, SpecError
from hwsim.spec.ensemble import Combiner, NetworkReference, identity
from hwsim.spec.find import BOUNDED
from hwsim.spec.measurement import RESULTS, Measurement, read_measurements
from hwsim.spec.rules import Rule
from hwsim.spec.space import Accuracy, Subject

#: Weight and activation bits of every member [bits].
Copies = tuple[tuple[int, int], ...]

#: What an ensemble is known by: its members, sorted, and how their answers are combined.
Key = tuple[Copies, Combiner]

#: The attacks of the paper's Table 2, and the gradient that its released code follows with each.
RELEASED = {"fgsm": "released", "bim": "full_precision", "pgd": "released", "cw": "full_precision"}

#: Gradient of the worst case that `standard` takes.
PAPER = "paper"


@dataclass(frozen=True)
class Robust:
    """How right one ensemble is.

    Args:
        clean: share of images that are right when clean.
        robust: share that counts as right under attack; low, high: its 95 % interval.
        samples: images that were attacked.
        clean_loss: what is right less often than by one full-precision network, on the same images where that was
            measured on them; None where it was not measured at all.
    """

    clean: float
    robust: float
    low: float
    high: float
    samples: int
    clean_loss: float | None = None


@dataclass(frozen=True)
class Robustness:
    """What the measurements say of the ensembles of one subject.

    Args:
        accuracy: which robustness counts.
        points: by members, sorted, and combiner; see `key`.
        baseline_clean: share of images that one full-precision network gets right when clean.
        dataset, epsilon: on which data, and within which bound; None where nothing was measured.
    """

    accuracy: Accuracy
    points: Mapping[Key, Robust]
    baseline_clean: float | None
    dataset: str | None
    epsilon: float | None

    def get(self, copies: Iterable[tuple[int, int]], combiner: Combiner) -> Robust | None:
        """What was measured of an ensemble, whatever the order of its members."""
        return self.points.get(key(copies, combiner))

    @property
    def measured(self) -> frozenset[Key]:
        """Every ensemble that has a measurement; one member alone has it with every combiner."""
        combiners: tuple[Combiner, ...] = get_args(Combiner)
        return frozenset(
            (copies, own)
            for copies, combiner in self.points
            for own in (combiners if len(copies) == 1 else (combiner,))
        )


def key(copies: Iterable[tuple[int, int]], combiner: Combiner) -> Key:
    """What an ensemble is known by; a combiner decides nothing over one member, which goes as `average`."""
    members = tuple(sorted(copies))
    return members, combiner if len(members) > 1 else "average"


def robustness(accuracy: Accuracy, subject: Subject, full: int = 32) -> Robustness | None:
    """What the subject's measurements say, on the test split; None where it has none.

    Args:
        full: width of full precision [bits].

    Raises:
        SpecError: the file cannot be read; or the measurements are of several data sets or bounds, of which the subject
            chooses none; or several of one ensemble answer the question.
    """
    if subject.measurements is None:
        return None
    return robustness_of(read_measurements(subject.measurements), accuracy, subject, full)


def robustness_of(
    measurements: Iterable[Measurement], accuracy: Accuracy, subject: Subject, full: int = 32
) -> Robustness:
    """The same of measurements that were read already."""
    own = [one for one in measurements if _of(one, subject, full)]
    counting = [one for one in own if _counts(one, accuracy)]
    dataset = subject.dataset or _agreed("dataset", (one.dataset for one in counting or own), subject)
    own, counting = ([one for one in some if one.dataset == dataset] for some in (own, counting))
    epsilon = subject.epsilon
    if epsilon is None:
        epsilon = _agreed("epsilon", (round(one.epsilon, 12) for one in counting if one.epsilon is not None), subject)
    counting = [one for one in counting if one.epsilon is None or isclose(one.epsilon, epsilon or 0.0)]
    alone = [one for one in own if [(m.weights, m.activations) for m in one.members] == [(full, full)]]
    counted = {one.question for one in counting}
    alone.sort(key=lambda one: (one.samples, one.question in counted))
    by_data, most = {one.data: one.clean_accuracy for one in alone}, alone[-1] if alone else None
    points: dict[Key, Robust] = {}
    faults: list[Fault] = []
    for ensemble, lines in _grouped(counting).items():
        answers = _answers(lines, accuracy)
        if len(answers) == 1:
            points[ensemble] = _robust(answers[0], by_data, most)
        elif answers:
            faults.append(Fault(_ambiguous(ensemble, answers), subject.measurements))
    if faults:
        raise SpecError(faults)
    return Robustness(accuracy, points, most.clean_accuracy if most else None, dataset, epsilon)


def _of(one: Measurement, subject: Subject, full: int) -> bool:
    """Whether a measurement is of an ensemble of the subject."""
    if one.split != "test" or one.defence != subject.defence or one.full_precision_bits != full:
        return False
    copies = tuple((member.weights, member.activations) for member in one.members)
    return one.ensemble == _identity(subject.network, copies, one.combiner, subject.quantize, full)


@lru_cache(4096)
def _identity(network: NetworkReference, copies: Copies, combiner: Combiner, rule: Rule, full: int) -> str:
    """A file has many lines of one ensemble."""
    return identity(network, copies, combiner, rule, full)


def _counts(one: Measurement, accuracy: Accuracy) -> bool:
    """Whether a measurement is part of the answer."""
    if accuracy == "verify":
        return one.attack == "adaptive"
    if accuracy == "released":
        return one.accounting == "released" and RELEASED.get(one.attack, "") == one.gradient
    attacks = one.parameters.get("attacks")
    names = [item.get("attack") for item in attacks if isinstance(item, dict)] if isinstance(attacks, list) else []
    return one.attack == "worst_case" and one.gradient == PAPER and sorted(map(str, names)) == sorted(BOUNDED)


def _agreed(name: str, found: Iterable[Any], subject: Subject) -> Any:
    """What all measurements have.

    Raises:
        SpecError: they have several.
    """
    there = sorted(set(found))
    if len(there) > 1:
        message = f"has measurements with {name} {', '.join(map(str, there))}: choose one with `{name}`"
        raise SpecError([Fault(message, subject.measurements)])
    return there[0] if there else None


def _grouped(measurements: Iterable[Measurement]) -> dict[Key, list[Measurement]]:
    found: defaultdict[Key, list[Measurement]] = defaultdict(list)
    for one in measurements:
        found[key(((member.weights, member.activations) for member in one.members), one.combiner)].append(one)
    return found


def _answers(lines: Sequence[Measurement], accuracy: Accuracy) -> list[tuple[Measurement, ...]]:
    """The complete answers of most samples: one measurement, or one of every attack of the released count."""
    parts = tuple(RELEASED) if accuracy == "released" else ("worst_case" if accuracy == "standard" else "adaptive",)
    trials: defaultdict[str, list[Measurement]] = defaultdict(list)
    for one in lines:
        # What has to be the same of measurements that are averaged: the trained members and the images.
        trials[repr((one.samples, one.data, one.seed, one.members))].append(one)
    complete = [answer for trial in trials.values() for answer in _complete(trial, parts)]
    most = max((answer[0].samples for answer in complete), default=0)
    return [answer for answer in complete if answer[0].samples == most]


def _complete(lines: Sequence[Measurement], parts: tuple[str, ...]) -> Iterator[tuple[Measurement, ...]]:
    """Every choice of one measurement for each part, as few as show that there are several."""
    own = [[one for one in lines if one.attack == part] for part in parts]
    if all(own):
        yield tuple(found[0] for found in own)
        for position, found in enumerate(own):
            for other in found[1:]:
                yield tuple(other if i == position else several[0] for i, several in enumerate(own))


def _robust(answer: tuple[Measurement, ...], baseline: Mapping[str, float], most: Measurement | None) -> Robust:
    first, count = answer[0], len(answer)
    reference = baseline.get(first.data, most.clean_accuracy if most else None)
    return Robust(
        clean=first.clean_accuracy,
        robust=sum(one.robust_accuracy for one in answer) / count,
        # Of a mean: its deviation is at most the mean of the deviations, however the attacks depend on each other.
        low=sum(one.interval[0] for one in answer) / count,
        high=sum(one.interval[1] for one in answer) / count,
        samples=first.samples,
        clean_loss=None if reference is None else reference - first.clean_accuracy,
    )


def _ambiguous(ensemble: Key, answers: Sequence[tuple[Measurement, ...]]) -> str:
    copies, combiner = ensemble
    lines = [one for answer in answers for one in answer]
    asked = [name for name in Measurement.model_fields if name not in RESULTS]
    same_attack = [[one for one in lines if one.attack == attack] for attack in {one.attack for one in lines}]
    differ = [name for name in asked if any(len({repr(getattr(one, name)) for one in own}) > 1 for own in same_attack)]
    members = " + ".join(f"w{weights}a{activations}" for weights, activations in copies)
    return (
        f"has {len(answers)} answers for {members}, {combiner}, on {lines[0].samples} samples: they differ in "
        f"{', '.join(differ)}; keep one of them in the file"
    )
