"""Attacks that adapt to an ensemble: the steps of `verify`, cheapest first, each on the samples that still stand."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from empir.attacks import attack
from empir.attacks.interface import Attack
from empir.evaluation.accounting import Classes, accuracy
from empir.evaluation.attacked import SCORES, Question
from empir.evaluation.campaign import Campaign
from empir.evaluation.gradients import DEFAULT
from empir.evaluation.target import Target
from hwsim.value import Value

#: What makes the claim that is judged.
PLAIN = ("fgsm", "bim", "pgd")

#: What is differentiated, and by what the members' logits are divided.
SURROGATES = ("mean_probability", "mean_logit", "margin")
TEMPERATURES = (1.0, 10.0, 100.0, 0.1, 0.01)

#: Step of PGD as a share of epsilon.
STEP = 0.1

Count = Annotated[int, Field(ge=1)]


class Plan(Value):
    """How hard to try."""

    iterations: Count = 100
    """Of PGD on every surrogate."""
    restarts: Count = 5
    """Of the same."""
    sweep_iterations: Count = 20
    """Of PGD in the sweep over surrogates and temperatures."""
    queries: Count = 5000
    """Of Square, alone and in AutoAttack."""
    samples: Count = 100
    """On which the sweep chooses, and the gates look."""
    epsilon: Annotated[float, Field(gt=0, le=1)] | None = None
    """Bound in L-infinity [pixel range]; that of the plain attacks on this data set if None."""


class Swept(Value):
    """One surrogate at one temperature."""

    gradient: str
    temperature: float
    accuracy: float
    """Of the sweep's samples, after short PGD."""


def plain(dataset: str, epsilon: float | None) -> tuple[Attack, ...]:
    """The attacks that make the claim, with their published parameters but for another epsilon."""
    changes = {} if epsilon is None else {"epsilon": epsilon}
    return tuple(attack(name, dataset, **changes) for name in PLAIN)


def pgd(epsilon: float, iterations: int, restarts: int = 1) -> Attack:
    """Adaptive PGD: steps as long as its ball needs."""
    return attack("pgd", "", epsilon=epsilon, step=STEP * epsilon, iterations=iterations, restarts=restarts)


def claim(campaign: Campaign, attacks: tuple[Attack, ...]) -> None:
    """Every plain attack on every sample that is right when clean: `empir attack` asks the same."""
    right = campaign.worst.standing
    for one in attacks:
        campaign.strike(Question(one, DEFAULT), right)


def sweep(campaign: Campaign, plan: Plan, epsilon: float, samples: Classes) -> tuple[Swept, ...]:
    """Every surrogate at every temperature: on the same samples, to compare; then on all that stand, best first.

    Returns:
        The surrogates and temperatures, in order of the accuracy that they leave.
    """
    short = pgd(epsilon, plan.sweep_iterations)
    swept = []
    for name in surrogates(campaign.target):
        for heat in TEMPERATURES:
            left = accuracy(campaign.strike(Question(short, name, heat), samples))
            swept.append(Swept(gradient=name, temperature=heat, accuracy=left))
    swept.sort(key=lambda pair: pair.accuracy)
    for pair in swept:
        campaign.strike(Question(short, pair.gradient, pair.temperature))
    return tuple(swept)


def white_box(campaign: Campaign, plan: Plan, epsilon: float, swept: tuple[Swept, ...]) -> None:
    """Transfer from every member, then long PGD on every surrogate at its best temperature."""
    heats = temperatures(swept)
    names = campaign.target.module.names
    for name in names if len(names) > 1 else ():
        # One member's cross-entropy saturates as the mean logit's does.
        campaign.strike(Question(pgd(epsilon, plan.iterations), f"member:{name}", heats["mean_logit"]))
    for name, heat in heats.items():
        campaign.strike(Question(pgd(epsilon, plan.iterations, plan.restarts), name, heat))


def square(campaign: Campaign, plan: Plan, epsilon: float, swept: tuple[Swept, ...]) -> None:
    """Square on the best surrogate's scores, then on the ensemble's own, which are stepwise where members vote."""
    one = attack("square", "", epsilon=epsilon, queries=plan.queries)
    campaign.strike(Question(one, swept[0].gradient, swept[0].temperature))
    campaign.strike(Question(one, SCORES))


def autoattack(campaign: Campaign, plan: Plan, epsilon: float, swept: tuple[Swept, ...]) -> None:
    """AutoAttack on the best surrogate."""
    one = attack("autoattack", "", epsilon=epsilon, queries=plan.queries)
    campaign.strike(Question(one, swept[0].gradient, swept[0].temperature))


def surrogates(target: Target) -> tuple[str, ...]:
    """Those that differ: over a single member a mean of probabilities is one of logits."""
    return SURROGATES if len(target.module.names) > 1 else ("mean_probability", "margin")


def temperatures(swept: tuple[Swept, ...]) -> dict[str, float]:
    """Best temperature of each surrogate, the best surrogate first."""
    best: dict[str, float] = {}
    for pair in swept:
        best.setdefault(pair.gradient, pair.temperature)
    return best
