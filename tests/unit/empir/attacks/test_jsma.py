"""JSMA against a greedy search in NumPy on a linear model, whose class gradients are its weights."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from empir.attacks import attack, decisions, run
from hwsim.errors import SpecError
from tests.unit.empir.attacks.toys import Bare, Pair, Rolled, task, trained


def linear() -> tuple[nn.Module, NDArray[np.float32]]:
    weights = np.random.default_rng(0).normal(size=(5, 100)).astype(np.float32)
    layer = nn.Linear(100, 5, bias=False)
    layer.weight.data = torch.from_numpy(weights)
    return nn.Sequential(nn.Flatten(), layer).eval(), weights


def raised(image: NDArray[np.float32], label: int, weights: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Two values at a time set to 1, those with the greatest weight for the likeliest other class."""
    image, target = image.copy(), next(c for c in np.argsort(-(weights @ image)) if c != label)
    for _ in range(most // 2):
        if (weights @ image).argmax() == target:
            break
        image[np.argsort(-np.where(image < 1, weights[target], -np.inf))[:2]] = 1
    return image


@pytest.mark.parametrize("gamma", [0.04, 0.1])
def test_same_as_a_greedy_search(gamma: float) -> None:
    model, weights = linear()
    images = task(20, 1)[0]
    labels = decisions(model, images)
    found = run(attack("jsma", "mnist5k", gamma=gamma, targets=1), model, images, labels, seed=0)
    for image, own, label in zip(images, found, labels.tolist(), strict=True):
        expected = raised(image.flatten().numpy(), label, weights, round(100 * gamma))
        np.testing.assert_allclose(own.flatten().numpy(), expected, atol=1e-6)


def test_share_is_never_exceeded() -> None:
    model, (images, labels) = trained(), task(20, 2)
    for gamma, most in ((0.019, 0), (0.02, 2), (0.05, 4), (0.29, 28)):
        found = run(attack("jsma", "mnist5k", gamma=gamma), model, images, labels, seed=0)
        assert int((found != images).flatten(1).sum(1).max()) <= most


def test_more_classes_tried_fool_no_fewer() -> None:
    model, (images, labels) = trained(), task(40, 3)
    few, many = (
        run(attack("jsma", "mnist5k", gamma=0.04, targets=targets), model, images, labels, seed=0) for targets in (1, 9)
    )
    fooled = [decisions(model, found) != labels for found in (few, many)]
    assert not bool((fooled[0] & ~fooled[1]).any())
    assert int(fooled[1].sum()) > int(fooled[0].sum())


def test_slack_is_no_class() -> None:
    """The same images as from the classes' logits alone."""
    model, images = Pair(trained(), Rolled(trained())), task(10, 5)[0]
    labels = decisions(model, images)
    with_slack, without = (
        run(attack("jsma", "mnist5k"), given, images, labels, seed=0) for given in (model, Bare(model))
    )
    assert torch.equal(with_slack, without)
    assert not torch.equal(with_slack, images)


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "art.attacks.evasion.saliency_map", None)
    model, (images, labels) = trained(), task(2, 4)
    with pytest.raises(SpecError, match=r"pip install 'hwsim\[jsma\]'"):
        run(attack("jsma", "mnist5k"), model, images, labels, seed=0)
