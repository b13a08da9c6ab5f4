"""The ensemble as a module: decisions, names, draws, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from empir.ensemble.module import Combiner, EnsembleModule


class Table(nn.Module):
    """A network that returns the logits that its first pixel picks."""

    def __init__(self, *rows: list[float]) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.tensor(rows), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.rows[images[:, 0, 0, 0].long()] + 0 * images.sum((1, 2, 3))[:, None]


#: First image: everyone prefers 0. Second: the members prefer 2, 1, 1. Third: 0, 1, 2.
ROWS = (
    ([3.0, 0.0, 0.0], [0.0, 0.0, 9.0], [1.0, 0.0, 0.0]),
    ([3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]),
    ([3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
)
IMAGES = torch.arange(3.0).view(3, 1, 1, 1)


def ensemble(combiner: Combiner, seed: int = 0) -> EnsembleModule:
    return EnsembleModule([Table(*rows) for rows in ROWS], [True, False, False], combiner, seed, ("fp1", "a", "b"))


def test_members_decide() -> None:
    assert ensemble("average").member_decisions(IMAGES).tolist() == [[0, 2, 0], [0, 1, 1], [0, 1, 2]]
    assert ensemble("average").names == ("fp1", "a", "b")


@pytest.mark.parametrize(("combiner", "decided"), [("max_vote", [0, 1, 0]), ("average", [0, 2, 0])])
def test_decisions(combiner: Combiner, decided: list[int]) -> None:
    """The third image under averaging is a tie of three up to permutation: full precision settles it."""
    module = ensemble(combiner)
    assert module.decide(IMAGES).tolist() == decided
    assert module.decide(IMAGES).dtype == torch.int64
    assert module(IMAGES).shape == (3, 3)


def test_average_is_of_probabilities() -> None:
    expected = torch.stack([torch.tensor(rows).softmax(-1) for rows in ROWS]).mean(0)
    assert torch.allclose(ensemble("average")(IMAGES)[:2], expected[:2], atol=1e-7)


def test_switching_takes_each_member_somewhere_and_not_the_same_under_another_seed() -> None:
    decisions = {tuple(ensemble("random_switch", seed).decide(IMAGES).tolist()) for seed in range(60)}
    assert decisions == {(0, i, j) for i in (1, 2) for j in (0, 1, 2)}
    assert torch.equal(ensemble("random_switch", 5).decide(IMAGES), ensemble("random_switch", 5).decide(IMAGES))


def test_some_members_in_the_order_asked_for() -> None:
    module = ensemble("average")
    assert torch.equal(module.logits(IMAGES, only=(2, 0)), module.logits(IMAGES)[[2, 0]])


def test_scores_of_an_average_have_the_gradient_of_the_mean_probability() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 4, 6, generator=generator)
    members = [nn.Sequential(nn.Flatten(), nn.Linear(6, 4, bias=False)) for _ in weights]
    for member, weight in zip(members, weights, strict=True):
        member[1].weight = nn.Parameter(weight, requires_grad=False)
    images = torch.rand(5, 1, 2, 3, generator=generator).requires_grad_()
    EnsembleModule(members, [False] * 3, "average")(images)[:, 1].sum().backward()
    p = (images.detach().flatten(1) @ weights.mT).softmax(-1)
    expected = (p[..., 1:2] * (weights[:, None, 1] - p @ weights)).mean(0)
    assert torch.allclose(images.grad.flatten(1), expected, atol=1e-6)


def test_a_copy_of_the_members_is_kept_in_evaluation_mode() -> None:
    member = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(1, 2))
    module = EnsembleModule([member], [True], "average")
    assert member.training
    assert not any(part.training for part in module.modules())
    before = module(IMAGES)
    with torch.no_grad():
        member[2].weight.zero_()
    assert torch.equal(module(IMAGES), before)


@pytest.mark.parametrize(
    ("members", "full", "combiner", "names"),
    [
        ([], [], "average", ()),
        ([nn.Flatten()], [True, False], "average", ()),
        ([nn.Flatten()], [True], "average", ("a", "b")),
        ([nn.Flatten()], [True], "mean", ()),
    ],
)
def test_what_cannot_be_an_ensemble(
    members: list[nn.Module], full: list[bool], combiner: Combiner, names: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"an ensemble needs|no combiner"):
        EnsembleModule(members, full, combiner, names=names)
