"""Averaging, max voting and switching against hand calculations; ties; draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from empir.ensemble.combine import average_scores, draw, max_vote_scores, switched_scores

ONE_OF_THREE = torch.tensor([True, False, False])
NONE = torch.tensor([False, False, False])


def members(*rows: list[float]) -> Tensor:
    """Probabilities [members, 1, classes]."""
    return torch.tensor(rows)[:, None, :]


def test_average_is_the_mean() -> None:
    p = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(0)).softmax(-1)
    assert average_scores(p, ONE_OF_THREE).numpy() == pytest.approx(p.numpy().mean(0), rel=1e-6)


def test_average_passes_the_gradient_on_in_a_tie_too() -> None:
    p = members([1.0, 0.0], [0.0, 1.0]).requires_grad_()
    average_scores(p, torch.tensor([False, True]))[0, 1].backward()
    assert p.grad is not None
    assert p.grad.tolist() == [[[0.0, 0.5]], [[0.0, 0.5]]]


@pytest.mark.parametrize(("full", "decision"), [([True, False], 2), ([False, True], 1), ([False, False], 1)])
def test_saturated_members_that_disagree_are_settled_by_full_precision(full: list[bool], decision: int) -> None:
    p = members([0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    scores = average_scores(p, torch.tensor(full))
    assert scores.argmax(-1).item() == decision
    assert scores[0, [1, 2]].numpy() == pytest.approx([0.5, 0.5], abs=1e-7)


def test_votes_are_counted() -> None:
    p = members([0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.2, 0.7, 0.1])
    assert max_vote_scores(p, ONE_OF_THREE).numpy() == pytest.approx(np.array([[1 / 3, 2 / 3, 0]]))


def test_the_majority_outvotes_full_precision() -> None:
    p = members([0.98, 0.01, 0.01], [0.3, 0.3001, 0.3], [0.3, 0.3001, 0.3])
    assert max_vote_scores(p, ONE_OF_THREE).argmax(-1).item() == 1


@pytest.mark.parametrize("first", [0, 1, 2])
def test_three_votes_are_settled_by_the_full_precision_member(first: int) -> None:
    p = torch.eye(3).roll(first, 1)[:, None, :] * 0.5 + 1 / 6
    assert max_vote_scores(p, ONE_OF_THREE).argmax(-1).item() == first


def test_a_tie_among_others_goes_to_what_full_precision_finds_likelier() -> None:
    """Votes 0 0 1 1 2, the last in full precision: 2 is not among the leaders, 1 is likelier than 0."""
    p = members([0.9, 0.1, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 1, 0], [0.1, 0.2, 0.7])
    assert max_vote_scores(p, torch.tensor([False] * 4 + [True])).argmax(-1).item() == 1


def test_a_tie_of_two_full_precision_members_is_settled_by_their_mean() -> None:
    p = members([0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert max_vote_scores(p, torch.tensor([True, True, False, False])).argmax(-1).item() == 1


def test_without_full_precision_all_members_judge() -> None:
    p = members([0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4])
    assert max_vote_scores(p, NONE).argmax(-1).item() == 1


def test_leaders_that_full_precision_rules_out_alike_are_settled_by_order() -> None:
    p = torch.eye(4)[[3, 1, 2, 2, 1]][:, None, :]
    assert max_vote_scores(p, torch.tensor([True] + [False] * 4)).argmax(-1).item() == 1


def test_equal_in_everything_is_the_first_class() -> None:
    p = torch.full((3, 2, 4), 0.25)
    assert average_scores(p, NONE).argmax(-1).tolist() == [0, 0]
    assert max_vote_scores(p, ONE_OF_THREE).argmax(-1).tolist() == [0, 0]


def test_every_small_vote_agrees_with_counting() -> None:
    """All votes of four members for three classes, by counting in Python."""
    generator = torch.Generator().manual_seed(1)
    full = torch.tensor([False, True, False, True])
    for votes in np.ndindex(3, 3, 3, 3):
        p = torch.rand(4, 1, 3, generator=generator)
        p[range(4), 0, list(votes)] += 1
        p /= p.sum(-1, keepdim=True)
        most = max(votes.count(c) for c in range(3))
        judged = {c: float(p[1, 0, c] + p[3, 0, c]) for c in range(3) if votes.count(c) == most}
        assert max_vote_scores(p, full).argmax(-1).item() == max(judged, key=judged.__getitem__), votes


def test_switching_returns_the_drawn_member() -> None:
    p = torch.rand(3, 4, 2, generator=torch.Generator().manual_seed(0))
    drawn = torch.tensor([2, 0, 1, 2])
    assert torch.equal(switched_scores(p, drawn), torch.stack([p[2, 0], p[0, 1], p[1, 2], p[2, 3]]))


def images(n: int) -> Tensor:
    return torch.rand(n, 1, 5, 5, generator=torch.Generator().manual_seed(3))


def test_draws_are_uniform_and_independent_between_seeds_and_of_a_changed_pixel() -> None:
    x = images(6000)
    changed = x.clone()
    changed[:, 0, 2, 2] += 1 / 255
    for other in (draw(x, 3, seed=8), draw(changed, 3, seed=7)):
        pairs = np.histogram2d(draw(x, 3, seed=7).numpy(), other.numpy(), bins=(range(4), range(4)))[0]
        chi_squared = ((pairs - 6000 / 9) ** 2 / (6000 / 9)).sum()
        assert chi_squared < 26.1  # 8 degrees of freedom, one in a thousand


def test_draws_do_not_depend_on_the_batch() -> None:
    x = images(64)
    drawn = draw(x, 5, seed=0)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw(x[order], 5, seed=0), drawn[order])
    assert torch.equal(torch.cat([draw(part, 5, seed=0) for part in x.split(7)]), drawn)
    assert torch.equal(draw(x.to(memory_format=torch.channels_last), 5, seed=0), drawn)


def test_draws_do_not_see_the_sign_of_zero_and_leave_the_global_generator() -> None:
    x = torch.zeros(1, 1, 2, 2)
    state = torch.random.get_rng_state()
    assert all(torch.equal(draw(x, 4, seed), draw(-x, 4, seed)) for seed in range(20))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_draw_is_the_hash_that_it_says() -> None:
    """In Python's integers, wrapped to 64 bits."""
    top = 2**64
    x = images(50)
    generator = torch.Generator().manual_seed(11)
    factors = torch.randint(-(2**63), 2**63 - 1, (26,), generator=generator).tolist()
    for image, drawn in zip(x.numpy(), draw(x, 7, seed=11).tolist(), strict=True):
        bits = image.ravel().view("int32").tolist()
        z = (factors[0] + sum(a * x for a, x in zip(factors[1:], bits, strict=True))) % top
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % top
        z = (z ^ z >> 27) * 0x94D049BB133111EB % top
        assert drawn == ((z ^ z >> 31) >> 32) * 7 >> 32
