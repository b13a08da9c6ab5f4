"""Carlini and Wagner's attack: distance to a line, and the known traps of libraries."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from empir.attacks import attack, decisions, run
from empir.attacks.cw import library
from tests.unit.empir.attacks.toys import Bare, Pair, Rolled, line, task, trained


class Cliff(nn.Module):
    """Only an image of zeros is of class 1, and no slope leads there."""

    def forward(self, images: Tensor) -> Tensor:
        total = images.flatten(1).sum(1)
        return torch.stack([1 + 0 * total, 2.0 * (total == 0)], 1)


def test_failure_gives_back_the_original() -> None:
    """Where foolbox returns zeros, and the model happens to get zeros wrong, that is no success."""
    images, labels = task(4, 0)[0], torch.zeros(4, dtype=torch.int64)
    foolbox = library()
    theirs = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=1, steps=50, stepsize=0.1, initial_const=10)
    _, claimed, success = theirs(foolbox.PyTorchModel(Cliff().eval(), (0, 1), "cpu"), images, labels, epsilons=None)
    assert bool(success.all())
    assert float(claimed.abs().max()) == 0
    assert torch.equal(run(attack("cw", "mnist5k"), Cliff(), images, labels, seed=0), images)


def test_values_of_exactly_0_and_1_move() -> None:
    """Slowly, from where the slope of tanh is 2e-6; the rule that aborts early takes that for standstill."""
    model, images, _ = line(1)
    images = images.round()
    labels = decisions(model, images)
    found = run(attack("cw", "mnist5k", iterations=150, abort_early=False), model, images, labels, seed=0)
    assert not bool((decisions(model, found) == labels).any())
    moved = (found - images).abs() > 0.01
    assert bool(moved[images == 0].any())
    assert bool(moved[images == 1].any())


def test_finds_the_nearest_point_beyond_a_line() -> None:
    model, images, labels = line(2)
    thorough = attack("cw", "mnist5k", search_steps=5, iterations=200, learning_rate=0.02, abort_early=False)
    found = run(thorough, model, images, labels, seed=0)
    height, norm = model.height(images), model.weights.norm()
    foot = images - (height / norm**2).view(-1, 1, 1, 1) * model.weights.view(1, 1, 4, 4)
    inside = ((foot >= 0) & (foot <= 1)).flatten(1).all(1)
    assert int(inside.sum()) >= 10
    nearest = (height.abs() / norm)[inside]
    reached = (found - images).flatten(1).norm(dim=1)[inside]
    assert bool((reached >= nearest - 1e-4).all())
    torch.testing.assert_close(reached, nearest, rtol=0.05, atol=0.01)


def test_confidence_is_a_margin_of_logits() -> None:
    model, (images, labels) = trained(), task(10, 1)
    found = run(attack("cw", "mnist5k", confidence=2), model, images, labels, seed=0)
    logits = model(found)
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    assert bool((others - logits.gather(1, labels[:, None])[:, 0] >= 2).all())


def test_slack_is_no_class() -> None:
    """The same images as from the classes' logits alone."""
    model, images = Pair(trained(), Rolled(trained())), task(10, 2)[0]
    labels = decisions(model, images)
    with_slack, without = (
        run(attack("cw", "mnist5k"), given, images, labels, seed=0) for given in (model, Bare(model))
    )
    assert torch.equal(with_slack, without)
    assert not torch.equal(with_slack, images)


def test_does_not_stop_where_only_the_surrogate_is_fooled() -> None:
    """The decision is higher up than the surrogate's, and the way there no descent of the loss."""
    model, images, _ = line(3)
    labels = torch.zeros(50, dtype=torch.int64)
    images = images[decisions(model, images) == 0]
    labels = labels[: len(images)]

    def decide(images: Tensor) -> Tensor:
        return (model.height(images) > 3).long()

    surrogate = run(attack("cw", "mnist5k"), model, images, labels, seed=0)
    assert bool((decisions(model, surrogate) == 1).all())
    assert not bool(decide(surrogate).any())
    judged = run(attack("cw", "mnist5k"), model, images, labels, seed=0, decide=decide)
    assert bool((decide(judged) == 1).all())


@pytest.mark.parametrize("field", ["iterations", "search_steps", "learning_rate", "constant", "confidence"])
def test_every_parameter_reaches_the_library(field: str) -> None:
    model, (images, labels) = trained(), task(5, 3)
    base = {"iterations": 5, "search_steps": 2, "learning_rate": 0.05, "constant": 3.0, "confidence": 0.5}
    one, other = (
        run(attack("cw", "mnist5k", **given), model, images, labels, seed=0)
        for given in (base, {**base, field: type(base[field])(base[field] * 2)})
    )
    assert not torch.equal(one, other)
