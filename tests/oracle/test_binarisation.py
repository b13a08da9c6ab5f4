"""Attacks that claim to be strong must find what is known to be there.

The binarisation test of Zimmermann, Brendel, Tramèr and Carlini, "Increasing confidence in adversarial robustness
evaluations" (NeurIPS 2022): for one image at a time, the readout of a network is replaced by one for two classes, which
holds points inside a slightly smaller ball around the image apart from one point on the ball's surface. That point is
an adversarial example, so an attack that finds none is too weak, whatever it says about the network as it was. What
points drawn at random find measures how hard the test is.
"""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from empir.attacks import ATTACKS, attack, decisions, run
from empir.attacks.bim import BIM
from empir.attacks.interface import Attack, per_image
from tests.unit.empir.attacks.toys import task, trained

SAMPLES, EPSILON = 20, 0.1

#: Points inside, how much smaller their ball is, and the share of successes from which an attack passes.
INSIDE, SHRUNK, PASS = 400, 0.95, 0.95


class Readout(nn.Module):
    """Features of a network, and a hyperplane in them: logits (0, scale (w·features + b))."""

    def __init__(self, features: nn.Module, weights: Tensor, bias: Tensor, scale: float) -> None:
        super().__init__()
        self.features, self.weights, self.bias, self.scale = features, weights, bias, scale

    def forward(self, images: Tensor) -> Tensor:
        height = self.scale * (self.features(images) @ self.weights + self.bias)
        return torch.stack([torch.zeros_like(height), height], 1)


def around(image: Tensor, count: int, epsilon: float, draw: torch.Generator) -> Tensor:
    """Points drawn evenly from the ball [count, channels, height, width]."""
    noise = 2 * torch.rand(count, *image.shape, generator=draw) - 1
    return (image + epsilon * noise).clamp(0, 1)


def binarised(image: Tensor, draw: torch.Generator, scale: float = 1.0) -> Readout:
    """A readout that calls the image and its neighbourhood 0, and one corner of the ball 1.

    The hyperplane is Fisher's discriminant of the points inside and the one on the surface, set halfway between that
    point and the innermost of the others.
    """
    features = trained()[:-1]
    inside = features(torch.cat([image[None], around(image, INSIDE - 1, SHRUNK * EPSILON, draw)]))
    while True:
        corner = (image + EPSILON * (2 * torch.randint(2, image.shape, generator=draw) - 1)).clamp(0, 1)
        apart = features(corner[None])[0] - inside.mean(0)
        spread = torch.cov(inside.T)
        weights = torch.linalg.solve(spread + 1e-2 * spread.trace() / len(spread) * torch.eye(len(spread)), apart)
        weights = weights / weights.norm()
        low, high = float((inside @ weights).max()), float(features(corner[None])[0] @ weights)
        if high > low + 1e-3:
            model = Readout(features, weights, torch.tensor(-(low + high) / 2), scale)
            assert decisions(model, torch.stack([image, corner])).tolist() == [0, 1]
            return model


@cache
def cases(scale: float = 1.0) -> tuple[tuple[Tensor, Readout], ...]:
    draw = torch.Generator().manual_seed(7)
    return tuple((image, binarised(image, draw, scale)) for image in task(SAMPLES, 11)[0])


def success(attack: Attack, scale: float = 1.0, samples: int = SAMPLES) -> float:
    """Share of the images for which the attack finds an example."""
    label = torch.zeros(1, dtype=torch.int64)
    found = [
        int(decisions(model, run(attack, model, image[None], label, seed=i))) == 1
        for i, (image, model) in enumerate(cases(scale)[:samples])
    ]
    return sum(found) / len(found)


class Noise(Attack):
    """No attack at all."""

    name: ClassVar = "noise"
    norm: ClassVar = "linf"

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        return images + EPSILON * (2 * torch.rand(images.shape, generator=generator) - 1)


class Downhill(BIM):
    """Goes the wrong way."""

    name: ClassVar = "downhill"

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        return 2 * images - super().perturb(model, images, labels, generator)


class Overconfident(BIM):
    """Loses half of what it found on the way out."""

    name: ClassVar = "overconfident"

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        found = super().perturb(model, images, labels, generator)
        return torch.where(per_image(torch.rand(len(images), generator=generator) < 0.5, images), found, torch.nan)


def test_points_drawn_at_random_find_little() -> None:
    """Or the test would be too easy to prove anything."""
    draw = torch.Generator().manual_seed(13)
    rates = [float(decisions(model, around(image, 500, EPSILON, draw)).double().mean()) for image, model in cases()]
    assert max(rates) < 0.05
    assert sum(rates) / len(rates) < 0.01


@pytest.mark.parametrize("name", [name for name, kind in ATTACKS.items() if kind.strong])
def test_strong_attacks_pass(name: str) -> None:
    """With restarts, where they have any, as whoever asks for a proof would run them."""
    assert ATTACKS[name].norm == "linf", "the points are drawn in an L-infinity ball"
    restarts = {"restarts": 5} if "restarts" in ATTACKS[name].model_fields else {}
    assert success(attack(name, "cifar10", epsilon=EPSILON, **restarts)) >= PASS


@pytest.mark.parametrize(
    "broken",
    [
        Noise(epsilon=EPSILON),
        Downhill(epsilon=EPSILON),
        Overconfident(epsilon=EPSILON),
        attack("pgd", "cifar10", epsilon=EPSILON, iterations=2),
    ],
    ids=["noise", "downhill", "overconfident", "too_few_steps"],
)
def test_broken_attacks_fail(broken: Attack) -> None:
    assert success(broken) < PASS


def test_masked_gradients_are_noticed() -> None:
    """Logits of thousands leave cross-entropy no gradient, and PGD nothing to follow; AutoAttack needs none of it."""
    assert success(attack("pgd", "cifar10", epsilon=EPSILON, restarts=5), 1e5, samples=8) < PASS
    assert success(attack("autoattack", "cifar10", epsilon=EPSILON), 1e5, samples=8) >= PASS
