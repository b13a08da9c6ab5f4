"""Sanity gates: what must hold of a robustness that is real, and what it means where it does not.

The checks are those of Athalye et al. ("Obfuscated gradients give a false sense of security", ICML 2018) and Carlini et
al. ("On evaluating adversarial robustness", 2019): attacks without bounds must succeed always, stronger ones at least
as often, those that see the gradient more often than those that do not; and there must be a gradient to see.
Every gate is a pure function of what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from empir.evaluation.accounting import Chances, accuracy, interval
from empir.evaluation.words import percent
from hwsim.value import Value

#: Most samples without any gradient under the surrogate that has one most often.
MOST_WITHOUT_GRADIENT = 0.01

#: Most samples that leave a quantised layer none of its inputs between 0 and 1.
MOST_CLOSED = 0.01

#: Least share of clean images on which the best surrogate answers as the ensemble does.
LEAST_AGREEMENT = 0.98


class Gate(Value):
    """One check."""

    name: str
    passed: bool
    found: str
    """What was measured, in words."""
    meaning: str
    """What to conclude where it fails."""
    values: dict[str, float]


def unbounded(chances: Chances) -> Gate:
    """Gradient attacks that may change every pixel to anything fool every sample.

    Args:
        chances: chance of a right answer after them [samples].
    """
    left = accuracy(chances)
    return Gate(
        name="unbounded epsilon reaches 0 %",
        passed=left == 0,
        found=f"{percent(left)} of {chances.size} samples stand at epsilon = 1",
        meaning="the gradient attacks fail even where success is certain, so what stands at a small epsilon proves "
        "nothing",
        values={"accuracy": left},
    )


def falling(what: str, after: Mapping[float, Chances]) -> Gate:
    """Accuracy never rises with epsilon, or with iterations, by more than its interval allows.

    Args:
        what: is varied.
        after: its values, rising, with the chances of a right answer of the same samples.
    """
    steps = {value: accuracy(chances) for value, chances in after.items()}
    rises = [
        f"{percent(steps[low])} at {low:.3g}, but {percent(steps[high])} at {high:.3g}"
        for number, low in enumerate(steps)
        for high in list(steps)[number + 1 :]
        if steps[high] > interval(after[low])[1]
    ]
    course = ", ".join(f"{percent(share)} at {value:.3g}" for value, share in steps.items())
    return Gate(
        name=f"accuracy never rises with {what}",
        passed=not rises,
        found="; ".join(rises) or course,
        meaning=f"more {what} makes the attack worse, so it is led astray and what it leaves standing proves nothing",
        values={f"{value:.6g}": share for value, share in steps.items()},
    )


def black_box(white: Chances, both: Chances) -> Gate:
    """Square, which sees scores alone, fools few of those whom no gradient attack has fooled.

    Args:
        white: chance of a right answer after all gradient attacks [samples].
        both: after Square on top of them.
    """
    before, after = accuracy(white), accuracy(both)
    return Gate(
        name="Square never beats white-box",
        passed=after >= interval(white)[0],
        found=f"{percent(before)} stand after the gradient attacks, {percent(after)} after Square too",
        meaning="an attack that sees no gradient finds what the gradient attacks miss: the gradients mislead",
        values={"white_box": before, "with_square": after},
    )


def gradients(without: Mapping[str, float]) -> Gate:
    """There is an input gradient to follow.

    Args:
        without: share of samples whose input gradient is zero in every pixel, by surrogate.
    """
    best = min(without, key=lambda name: without[name])
    blind = ", ".join(f"{name} {percent(share)}" for name, share in without.items())
    return Gate(
        name="gradients do not vanish",
        passed=without[best] <= MOST_WITHOUT_GRADIENT,
        found=f"samples whose gradient is exactly zero: {blind}",
        meaning="no surrogate gives every sample a gradient, so attacks that follow it stand still, and that is all",
        values=dict(without),
    )


class Saturation(Value):
    """What a quantised layer reads."""

    layer: str
    """With its member."""
    at_zero: float
    """Share of its inputs that are 0 or less: where a rectifier or the clip to [0, 1] cuts the gradient."""
    at_one: float
    """Share that is 1 or more."""
    closed: float
    """Share of samples all of whose inputs are either: no gradient passes."""


def saturation(layers: Sequence[Saturation]) -> Gate:
    """Every quantised layer of every member lets gradients pass.

    Low-precision layers leave few of their inputs between 0 and 1, which alone stops no attack; a layer that leaves
    none hides its member from every surrogate, while the others' gradients seem in order.

    Args:
        layers: all that quantise their inputs, but those that read the image itself.
    """
    dead = [layer for layer in layers if layer.closed > MOST_CLOSED]
    shares = [
        f"{layer.layer} {percent(layer.at_zero)} at 0 and {percent(layer.at_one)} at 1, closed to "
        f"{percent(layer.closed)} of samples"
        for layer in dead or layers
    ]
    return Gate(
        name="activations are not saturated",
        passed=not dead,
        found="; ".join(shares) or "no layer quantises its activations",
        meaning="the clip to [0, 1] hides whole members from the gradient, and attacks do not know how to change their "
        "answer",
        values={
            f"{layer.layer} {what}": getattr(layer, what)
            for layer in layers
            for what in ("at_zero", "at_one", "closed")
        },
    )


def decisions(agreement: Mapping[str, float]) -> Gate:
    """What is differentiated decides as the ensemble does.

    Args:
        agreement: share of clean images where a surrogate's argmax is the ensemble's decision, by surrogate.
    """
    best = max(agreement, key=lambda name: agreement[name])
    return Gate(
        name="surrogate's argmax is the decision",
        passed=agreement[best] >= LEAST_AGREEMENT,
        found=", ".join(f"{name} {percent(share)}" for name, share in agreement.items()),
        meaning="no surrogate answers as the ensemble does, so what fools them need not fool it",
        values=dict(agreement),
    )


def failed(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """Those that did not hold."""
    return tuple(gate for gate in gates if not gate.passed)
