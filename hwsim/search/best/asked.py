"""Which measurements a question is about: what options name, and the only one there is where they name nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

from hwsim.errors import Fault, SpecError, did_you_mean
from hwsim.search.best.question import rule_of
from hwsim.search.design.ensembles import Copies, ensemble_of
from hwsim.search.measured.robustness import Robust, robustness_of
from hwsim.search.results.tables import rule_text
from hwsim.spec.ensemble import Combiner, identity
from hwsim.spec.find import BOUNDED, commands, find
from hwsim.spec.measurement import Accounting, Measurement
from hwsim.spec.space import Accuracy, Subject

#: What each way to count robustness looks at, in words.
ACCURACIES: dict[Accuracy, str] = {
    "verify": "right after every attack of empir verify",
    "standard": "right after FGSM, BIM and PGD",
    "released": "mean of FGSM, BIM, PGD and CW, as the paper's code counts",
}

#: The same as a question to empir.
QUESTIONS: dict[Accuracy, dict[str, str]] = {
    "verify": {"attack": "adaptive", "accounting": "standard"},
    "standard": {"attack": ",".join(BOUNDED), "accounting": "standard"},
    "released": {"attack": ",".join((*BOUNDED, "cw")), "accounting": "released"},
}


@dataclass(frozen=True)
class Attack:
    """One attack, in place of a way to count robustness.

    Args:
        gradient: the surrogate that it followed; whatever was measured, if only one.
    """

    name: str
    accounting: Accounting = "standard"
    gradient: str | None = None


@dataclass(frozen=True)
class Answers:
    """What was measured under one attack, or by one way to count.

    Args:
        of: an ensemble, by its members; None where it was not measured.
        attacked: what was done to it, in words.
        subject: with the data set and the bound that the measurements have.
    """

    of: Callable[[Copies], Robust | None]
    attacked: str
    subject: Subject


@dataclass(frozen=True)
class Measured:
    """What the measurements are of.

    Args:
        subject: the network and the rest of what is common to them.
        full: width of full precision [bits].
        low: widths of the low-precision members that were measured, ascending [bits].
    """

    subject: Subject
    full: int
    low: tuple[tuple[int, int], ...]


def measured_subject(
    known: Iterable[Measurement],
    file: str,
    network: str | None = None,
    quantize: str | None = None,
    **fields: Any,
) -> Measured:
    """What measurements are of.

    Args:
        file: they are from.
        network, quantize: if they are of several.
        fields: others of the subject: dataset, epsilon, defence.

    Raises:
        SpecError: they are of several networks or rules, of which none is chosen; or of another than what is chosen.
    """
    known = tuple(known)
    one = the_only("--network", network, {m.network.name: m.network for m in known}, file)
    own = [m for m in known if m.network == one and m.defence == fields.get("defence", "none")]
    full = max((m.full_precision_bits for m in own), default=32)
    narrow = [m for m in own if any((x.weights, x.activations) != (full, full) for x in m.members)]
    rule: Any = rule_of(quantize) if quantize else None
    if rule is None:
        rule = the_only("--quantize", None, {rule_text(m.quantize): m.quantize for m in narrow} or {"all": "all"}, file)
    subject = Subject.model_validate({"network": one, "quantize": rule, "measurements": file, **fields})
    low = {(x.weights, x.activations) for m in narrow if m.quantize == subject.quantize for x in m.members}
    return Measured(subject, full, tuple(sorted(low - {(full, full)})))


def the_only(option: str, given: str | None, there: Mapping[str, Any], file: str) -> Any:
    """What an option names of what is there, and the only one of it if the option is not given.

    Raises:
        SpecError: it names something else, or leaves several.
    """
    if given in there:
        return there[given or ""]
    if given is None and len(there) == 1:
        return next(iter(there.values()))
    names = ", ".join(there) or "nothing"
    hint = did_you_mean(given or "", there) or f" (there are: {names})"
    what = f"{given!r} was not measured{hint}" if given else f"choose one of what was measured: {names}"
    raise SpecError([Fault(what, file, field=option)])


def by_accuracy(known: Iterable[Measurement], measured: Measured, accuracy: Accuracy, combiner: Combiner) -> Answers:
    """What was measured, by a way to count.

    Raises:
        SpecError: as `hwsim.search.measured.robustness.robustness`.
    """
    robust = robustness_of(known, accuracy, measured.subject, measured.full)
    subject = _placed(measured.subject, robust.dataset, robust.epsilon)
    return Answers(lambda copies: robust.get(copies, combiner), ACCURACIES[accuracy] + _bound(robust.epsilon), subject)


def by_attack(known: Iterable[Measurement], measured: Measured, attack: Attack, combiner: Combiner) -> Answers:
    """What was measured under one attack.

    Raises:
        SpecError: the measurements are of several data sets, bounds or gradients, of which none is chosen. The function
            that is returned raises it too, if several measurements of one ensemble answer the question.
    """
    subject, file = measured.subject, measured.subject.measurements or ""
    wanted = {"attack": attack.name, "accounting": attack.accounting, "defence": subject.defence, "split": "test"}
    own = [one for one in known if all(getattr(one, name) == value for name, value in wanted.items())]
    own = [one for one in own if one.network == subject.network]
    dataset = the_only("--dataset", subject.dataset, {one.dataset: one.dataset for one in own}, file) if own else ""
    own = [one for one in own if one.dataset == dataset]
    epsilon = subject.epsilon
    if epsilon is None and any(one.epsilon is not None for one in own):
        epsilon = the_only(
            "--epsilon", None, {f"{one.epsilon:g}": one.epsilon for one in own if one.epsilon is not None}, file
        )
    own = [one for one in own if one.epsilon is None or epsilon is None or isclose(one.epsilon, epsilon)]
    gradients = {one.gradient or "none": one.gradient for one in own}
    gradient = the_only("--gradient", attack.gradient, gradients, file) if own else None
    own = [one for one in own if one.gradient == gradient]
    there = {one.ensemble for one in own}

    def look_up(copies: Copies) -> Robust | None:
        if identity(subject.network, copies, combiner, subject.quantize, measured.full) not in there:
            return None
        ensemble = ensemble_of(subject.network, subject.quantize, combiner, 1, "auto", measured.full, copies)
        one = find(
            own, ensemble, dataset=dataset, defence=subject.defence, attack=attack.name, accounting=attack.accounting
        )
        return Robust(one.clean_accuracy, one.robust_accuracy, *one.interval, one.samples)

    followed = f", gradient {gradient}" if gradient else ""
    attacked = f"{attack.name}{_bound(epsilon)}{followed}, counted as {attack.accounting}"
    return Answers(look_up, attacked, _placed(subject, dataset or None, epsilon))


def _placed(subject: Subject, dataset: str | None, epsilon: float | None) -> Subject:
    return subject.model_copy(update={"dataset": dataset or subject.dataset, "epsilon": epsilon})


def _bound(epsilon: float | None) -> str:
    return "" if epsilon is None else f", epsilon {epsilon:g}"


def measuring(subject: Subject, question: Mapping[str, Any]) -> list[str]:
    """The commands that train and measure an ensemble of a subject, ENSEMBLE.yaml.

    Args:
        question: attack and accounting, and gradient if need be.
    """
    asked = {
        "dataset": subject.dataset or "DATASET",
        "defence": subject.defence,
        **{name: value for name, value in question.items() if value is not None},
        **({} if subject.epsilon is None else {"epsilon": subject.epsilon}),
    }
    own = commands(asked, "ENSEMBLE.yaml", "runs", subject.measurements or "measurements.jsonl")
    return [shlex.join(command) for command in own]
