"""Attacks one after another, each on what is left, with a record of what each one broke."""

from __future__ import annotations

from dataclasses import dataclass, field

from empir.evaluation.accounting import Chances, Classes, accuracy, interval
from empir.evaluation.answers import Answers, Worst
from empir.evaluation.attacked import Question, attacked
from empir.evaluation.measure import Progress
from empir.evaluation.target import Target
from hwsim.value import Value


class Stage(Value):
    """One attack of a campaign."""

    attack: str
    """With its iterations: `pgd-100`."""
    gradient: str
    temperature: float
    attacked: int
    """Samples."""
    fooled: float
    """Of these, how many were right when clean and are wrong after it; the expected number where a member is drawn."""
    broke: float
    """Of these, how many no attack before it had fooled."""
    left: float
    """Robust accuracy over all samples, in the worst case until now."""
    interval: tuple[float, float]
    rate: float | None
    """Samples attacked a second."""


@dataclass
class Campaign:
    """The worst case so far, and how it came about.

    Args:
        target: what is attacked.
        tell: who is told.
        clean: before any attack.
        worst: over all attacks until now.
        stages, questions: the attacks, as told and as asked.
    """

    target: Target
    tell: Progress
    clean: Worst
    worst: Worst = field(init=False)
    stages: list[Stage] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.worst = self.clean

    def strike(self, question: Question, samples: Classes | None = None) -> Chances:
        """Attack some samples, or all that stand.

        Returns:
            Their chance of a right answer after this attack alone.
        """
        samples = self.worst.standing if samples is None else samples
        chances = self.worst.chances[samples]
        if not len(samples):
            return chances
        labels = self.worst.labels[samples]
        answers = ask(self.target, question, samples, self.tell)
        after = answers.chances(labels, self.target.drawn)
        self.worst = self.worst.after(samples, answers)
        self.questions.append(question)
        self.stages.append(
            Stage(
                attack=question.title,
                gradient=question.gradient,
                temperature=question.temperature,
                attacked=len(samples),
                fooled=float((self.clean.chances[samples] - after).clip(min=0).sum()),
                broke=float((chances - after).clip(min=0).sum()),
                left=accuracy(self.worst.chances),
                interval=interval(self.worst.chances),
                rate=len(samples) / answers.seconds if answers.seconds else None,
            )
        )
        return after


def ask(target: Target, question: Question, samples: Classes, tell: Progress) -> Answers:
    """The ensemble's answers to some images after an attack on their true labels."""
    tell.begin(str(question))
    return attacked(target, question, samples, target.labels[samples], tell)
