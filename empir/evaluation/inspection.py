"""The measurements behind the gates, on a few samples that are right when clean."""

from __future__ import annotations

from empir.attacks.interface import Attack
from empir.evaluation import gates, probes
from empir.evaluation.accounting import Chances, Classes
from empir.evaluation.adaptive import Swept, pgd, temperatures
from empir.evaluation.answers import Worst
from empir.evaluation.attacked import Question
from empir.evaluation.campaign import Campaign, ask
from empir.evaluation.gates import Gate
from empir.evaluation.gradients import DEFAULT
from empir.evaluation.measure import Progress
from empir.evaluation.target import Target

#: Multiples of epsilon, and iterations, over which accuracy must not rise; every other knob stays where it is.
EPSILONS = (0.25, 0.5, 1.0, 2.0)
ITERATIONS = (1, 10, 40, 100)
USUAL = 40


def inspect(
    target: Target, clean: Worst, samples: Classes, epsilon: float, swept: tuple[Swept, ...], tell: Progress
) -> tuple[Gate, ...]:
    """All gates but the one that needs no measurement of its own.

    Args:
        clean: before any attack.
        samples: to look at, right when clean.
        swept: surrogates and temperatures, best first.
    """

    def after(attack: Attack) -> Chances:
        question = Question(attack, swept[0].gradient, swept[0].temperature)
        return ask(target, question, samples, tell).chances(clean.labels[samples], target.drawn)

    sizes = dict.fromkeys(min(1.0, epsilon * factor) for factor in EPSILONS)
    models = _models(swept)
    tell.begin("gradients, activations and decisions")
    return (
        gates.unbounded(_without_bound(target, clean, samples, swept, tell)),
        gates.falling("epsilon", {size: after(pgd(size, USUAL)) for size in sizes}),
        gates.falling("iterations", {count: after(pgd(epsilon, count)) for count in ITERATIONS}),
        gates.gradients({model.surrogate: probes.without_gradient(target, model, samples) for model in models}),
        gates.saturation(probes.saturation(target, samples)),
        gates.decisions({model.surrogate: probes.agreement(target, model) for model in models}),
    )


def _without_bound(target: Target, clean: Worst, samples: Classes, swept: tuple[Swept, ...], tell: Progress) -> Chances:
    """Chances after PGD on every surrogate that may change every pixel to anything."""
    campaign = Campaign(target, tell, clean)
    for name, heat in temperatures(swept).items():
        left = samples[campaign.worst.chances[samples] > 0]
        campaign.strike(Question(pgd(1.0, ITERATIONS[-1]), name, heat), left)
    return campaign.worst.chances[samples]


def _models(swept: tuple[Swept, ...]) -> list[Question]:
    """The paper's gradient, and every surrogate as it is and at its best temperature."""
    found = {(DEFAULT, 1.0): None}
    for name, heat in temperatures(swept).items():
        found |= {(name, 1.0): None, (name, heat): None}
    return [Question(None, name, heat) for name, heat in found]
