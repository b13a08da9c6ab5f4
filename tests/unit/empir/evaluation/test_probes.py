"""Gradients, activations and decisions, counted a second time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from empir.evaluation.attacked import Question
from empir.evaluation.probes import agreement, saturation, without_gradient
from empir.quantization.layers import freeze, quantize
from tests.unit.empir.evaluation.examples import CLASSES, SIDE, Means, quadrants, target

SAMPLES = 24


def test_rounded_pixels_have_no_gradient() -> None:
    on = target([Means(steps=8), Means(steps=8)], quadrants(SAMPLES))
    assert without_gradient(on, Question(None, "mean_probability"), np.arange(SAMPLES)) == 1.0
    on = target([Means(steps=8), Means()], quadrants(SAMPLES))
    assert without_gradient(on, Question(None, "mean_probability"), np.arange(SAMPLES)) == 0.0


def test_a_saturated_softmax_has_a_gradient_at_a_higher_temperature_only() -> None:
    on = target([Means(scale=250.0)], quadrants(SAMPLES), batch_size=5)
    images = on.dataset.images(slice(None)).double()
    top = nn.functional.avg_pool2d(images, SIDE // 2).flatten(1).sort(-1).values
    # What keeps the gradient alive is exp(-gap), which underflows in single precision.
    gaps = 250 * (top[:, -1] - top[:, -2])
    blind = float((gaps > 104).double().mean())
    assert 0 < blind < 1
    assert without_gradient(on, Question(None, "mean_probability"), np.arange(SAMPLES)) == pytest.approx(blind)
    assert without_gradient(on, Question(None, "mean_probability", 100.0), np.arange(SAMPLES)) == 0.0


def test_agreement_is_with_the_decision() -> None:
    members = [Means(), Means(favour=1, bias=0.3), Means(favour=1, bias=0.3)]
    on = target(members, quadrants(SAMPLES), "max_vote", batch_size=5)
    images = on.dataset.images(slice(None))
    same = [bool(members[0](images[i : i + 1]).argmax() == on.module.decide(images[i : i + 1])) for i in range(SAMPLES)]
    assert 0 < sum(same) < SAMPLES
    assert agreement(on, Question(None, "member:fp1")) == sum(same) / SAMPLES


class Layers(nn.Module):
    """A convolution over the image, and a linear layer over what it makes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 2, stride=2, bias=False)
        self.last = nn.Linear(3 * 4, CLASSES, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.first(images).flatten(1))


def test_saturation_counts_what_the_clip_cuts_off() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Layers()
    member = freeze(quantize(network, 2, 4, "all", torch.zeros(1, 1, SIDE, SIDE)))
    on = target([member], quadrants(SAMPLES), batch_size=7)
    (found,) = saturation(on, np.arange(SAMPLES))
    assert found.layer == "fp1 last"
    weights = member.first.weight.numpy().reshape(3, 4)
    pixels = (on.dataset.images(slice(None)).numpy() * 15).round() / 15
    low = high = closed = 0
    for image in pixels[:, 0]:
        patches = [image[i : i + 2, j : j + 2].ravel() for i in (0, 2) for j in (0, 2)]
        sums = [float(kernel @ patch) for kernel in weights for patch in patches]
        low += sum(value <= 0 for value in sums)
        high += sum(value >= 1 for value in sums)
        closed += all(value <= 0 or value >= 1 for value in sums)
    assert 0 < low < 12 * SAMPLES
    assert found.at_zero == pytest.approx(low / (12 * SAMPLES))
    assert found.at_one == pytest.approx(high / (12 * SAMPLES))
    assert found.closed == pytest.approx(closed / SAMPLES)


def test_full_precision_has_nothing_to_saturate() -> None:
    assert saturation(target([Means()], quadrants(SAMPLES)), np.arange(SAMPLES)) == ()
