"""Accounting against a loop over single samples, and Wilson's interval against its formula."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, strategies as st

from empir.evaluation.accounting import accuracy, confusion, interval, median_distortion, right, standard

#: 97.5 % quantile of the standard normal distribution.
Z = 1.959963984540054


def answers(seed: int, attacks: int, samples: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return (
        random.integers(classes, size=samples),
        random.integers(classes, size=samples),
        random.integers(classes, size=(attacks, samples)),
    )


@given(st.integers(0, 999), st.integers(0, 4), st.integers(1, 30))
def test_standard_needs_a_right_answer_clean_and_after_every_attack(seed: int, attacks: int, samples: int) -> None:
    labels, clean, attacked = answers(seed, attacks, samples)
    robust = 0
    for i in range(samples):
        if clean[i] == labels[i] and all(attacked[a, i] == labels[i] for a in range(attacks)):
            robust += 1
    after = np.array([right(labels, decisions) for decisions in attacked]).reshape(attacks, samples)
    assert accuracy(standard(right(labels, clean), after)) == pytest.approx(robust / samples)


@given(st.integers(0, 999), st.integers(1, 30))
def test_a_drawn_member_counts_by_its_chance(seed: int, samples: int) -> None:
    labels, _, members = answers(seed, 3, samples)
    chances = right(labels, members)
    for i in range(samples):
        assert chances[i] == pytest.approx(sum(members[k, i] == labels[i] for k in range(3)) / 3)


def test_the_worst_case_of_chances_is_their_least() -> None:
    clean, attacked = np.array([1.0, 1.0, 1 / 3]), np.array([[2 / 3, 1.0, 1.0], [1 / 3, 2 / 3, 1.0]])
    assert standard(clean, attacked).tolist() == [1 / 3, 2 / 3, 1 / 3]


def test_an_attack_that_repairs_an_answer_counts_only_as_released() -> None:
    labels, clean, after = np.array([0, 1]), np.array([1, 1]), np.array([0, 1])
    assert accuracy(standard(right(labels, clean), right(labels, after)[None])) == 0.5
    assert accuracy(right(labels, after)) == 1.0


@pytest.mark.parametrize(("count", "of"), [(0, 1000), (1, 7), (153, 1000), (989, 1000), (40, 40)])
def test_interval_is_wilsons(count: int, of: int) -> None:
    share = count / of
    centre = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    chances = np.repeat([1.0, 0.0], [count, of - count])
    assert interval(chances) == pytest.approx((max(0, centre - half), min(1, centre + half)), abs=1e-9)


def test_interval_of_thirds_is_that_of_their_sum() -> None:
    assert interval(np.full(30, 1 / 3)) == interval(np.repeat([1.0, 0.0], [10, 20]))


def test_no_samples_have_no_accuracy() -> None:
    with pytest.raises(ValueError, match="no samples"):
        accuracy(np.zeros(0))


def test_confusion_counts_every_sample_once() -> None:
    labels, decisions, _ = answers(1, 0, 50)
    counted = confusion(labels, decisions, 4)
    assert counted is not None
    for true in range(4):
        for decided in range(4):
            pairs = sum(labels[i] == true and decisions[i] == decided for i in range(50))
            assert counted[true, decided] == pairs
    assert confusion(labels, decisions, 101) is None


def test_distortion_is_that_of_successful_examples() -> None:
    clean, attacked = np.array([1.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0])
    assert median_distortion(clean, attacked, np.array([1.0, 9.0, 9.0, 3.0])) == 2.0
    assert median_distortion(clean, clean, np.ones(4)) is None
