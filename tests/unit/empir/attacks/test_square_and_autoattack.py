"""Square and AutoAttack against the best attack on a line, and what the library must not do besides."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

from empir.attacks import attack, decisions, run
from tests.unit.empir.attacks.toys import line, task, trained


def could_fall(epsilon: float) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A line, images, their classes, and whether any image in the ball has another [50]."""
    model, images, labels = line(4)
    side = torch.where(labels == 1, -1.0, 1.0).view(-1, 1, 1, 1)
    best = (images + epsilon * side * model.weights.sign().view(1, 1, 4, 4)).clamp(0, 1)
    falls = decisions(model, best) != labels
    assert 5 <= int(falls.sum()) <= 45
    return model, images, labels, falls


def test_autoattack_fools_exactly_what_can_be_fooled() -> None:
    model, images, labels, falls = could_fall(0.05)
    found = run(attack("autoattack", "mnist5k", epsilon=0.05, queries=10), model, images, labels, seed=0)
    assert torch.equal(decisions(model, found) != labels, falls)


def test_square_fools_most_of_what_can_be_fooled() -> None:
    """Its smallest squares never reach the last row and column."""
    model, images, labels, falls = could_fall(0.05)
    found = run(attack("square", "mnist5k", epsilon=0.05, queries=500), model, images, labels, seed=0)
    fooled = decisions(model, found) != labels
    assert not bool((fooled & ~falls).any())
    assert int(fooled.sum()) >= 0.5 * int(falls.sum())


def test_square_needs_no_gradient() -> None:
    class Vote(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return nn.functional.one_hot(trained()(images).argmax(1), 5).float()

    images, labels = task(20, 1)
    found = run(attack("square", "mnist5k", queries=50), Vote(), images, labels, seed=0)
    assert int((decisions(Vote(), found) != labels).sum()) >= 10


def test_square_asks_no_more_than_it_may() -> None:
    class Counted(nn.Module):
        asked = 0

        def forward(self, images: Tensor) -> Tensor:
            Counted.asked += len(images)
            return torch.tensor([[1.0, 0.0]]).repeat(len(images), 1) + 0 * images.flatten(1)[:, :2]

    images = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    run(attack("square", "mnist5k", queries=20), Counted(), images, torch.zeros(3, dtype=torch.int64), seed=0)
    assert Counted.asked <= 3 * (20 + 3)  # and the decision before, at the start, and at the end


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_autoattack_with_few_classes(classes: int) -> None:
    """The library's standard version assumes ten, and its targeted ratio of logits at least four."""

    class First(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return trained()(images)[:, :classes]

    images, labels = (given[:10] for given in task(10, 2))
    known = labels < classes
    found = run(attack("autoattack", "cifar10", queries=5), First(), images[known], labels[known], seed=0)
    assert float((decisions(First(), found) == labels[known]).float().mean()) < 0.7


def test_autoattack_leaves_debuggers_alone() -> None:
    def trace(frame: object, event: str, argument: object) -> None:
        return None

    model, (images, labels) = trained(), task(3, 3)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run(attack("autoattack", "mnist5k", queries=5), model, images, labels, seed=0)
        kept = sys.gettrace()
    finally:
        sys.settrace(before)
    assert kept is trace


def test_autoattack_is_quiet(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Its opinion of the model, here that it gives probabilities, would stand between the lines of a progress bar."""
    model, (images, labels) = nn.Sequential(trained(), nn.Softmax(1)), task(3, 3)
    run(attack("autoattack", "mnist5k", queries=5), model, images, labels, seed=0)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
