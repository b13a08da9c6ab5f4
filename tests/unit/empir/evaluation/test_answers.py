"""The worst case, folded attack by attack, against a loop over single samples."""

from __future__ import annotations

import numpy as np
import pytest

from empir.evaluation.answers import Answers, Worst, joined


def answers(decisions: list[int], members: list[list[int]] | None = None, distance: float = 0.1) -> Answers:
    far = np.full(len(decisions), distance, np.float32)
    everyone = np.array(members if members else [decisions])
    return Answers(np.array(decisions), everyone, far, 2 * far, 3 * far, 0.5)


def test_each_attack_only_makes_it_worse() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(3, size=40)
    clean = random.integers(3, size=40)
    worst = Worst.clean(labels, answers(clean.tolist()), drawn=False)
    decisions = clean.copy()
    for _ in range(5):
        samples = np.sort(random.choice(40, size=15, replace=False))
        found = random.integers(3, size=15)
        worst = worst.after(samples, answers(found.tolist()))
        for i, decided in zip(samples, found, strict=True):
            if decisions[i] == labels[i]:
                decisions[i] = decided
    assert worst.decisions.tolist() == decisions.tolist()
    assert worst.chances.tolist() == (decisions == labels).astype(float).tolist()
    assert worst.standing.tolist() == [i for i in range(40) if decisions[i] == labels[i]]


def test_distance_is_that_of_the_first_attack_that_succeeds() -> None:
    worst = Worst.clean(np.array([0, 0, 0]), answers([0, 0, 1]), drawn=False)
    worst = worst.after(np.array([0, 1, 2]), answers([1, 0, 1], distance=0.2))
    worst = worst.after(np.array([0, 1]), answers([2, 2], distance=0.3), "l2")
    assert worst.distances == pytest.approx([0.2, 0.6, 0.0])
    assert worst.decisions.tolist() == [1, 2, 1]


def test_a_drawn_ensemble_stands_while_any_member_is_right() -> None:
    worst = Worst.clean(np.array([0, 0]), answers([0, 0], [[0, 0], [0, 1]]), drawn=True)
    assert worst.chances.tolist() == [1.0, 0.5]
    worst = worst.after(np.array([0, 1]), answers([1, 1], [[1, 1], [0, 1]]))
    assert worst.chances.tolist() == [0.5, 0.0]
    assert worst.standing.tolist() == [0]


def test_answers_to_parts_are_joined_in_order() -> None:
    whole = joined([answers([0, 1], [[0, 1], [2, 2]]), answers([2], [[2], [1]], distance=0.5)])
    assert whole.decisions.tolist() == [0, 1, 2]
    assert whole.members.tolist() == [[0, 1, 2], [2, 2, 1]]
    assert whole.distances("linf") == pytest.approx([0.1, 0.1, 0.5])
    assert whole.distances("l0") == pytest.approx([0.3, 0.3, 1.5])
    assert whole.seconds == 1.0
