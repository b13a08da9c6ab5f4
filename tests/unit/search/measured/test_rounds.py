"""Successive halving by intervals: nobody is dropped who may still be on the front."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from hwsim.search.measured.rounds import ERROR, Bounds, Limits, alive, bounds, interval, level, possible, schedule

Floats = NDArray[np.float64]


def exactly(clean: Floats, robust: Floats) -> Bounds:
    return Bounds(clean, clean, robust, robust)


def true_front(costs: Floats, clean: Floats, robust: Floats, loss: float | None, baseline: int) -> list[bool]:
    """By definition, setting by setting and pair by pair."""
    candidates = range(len(costs))
    within = [loss is None or clean[baseline] - clean[i] <= loss + 1e-12 for i in candidates]

    def beats(i: int, j: int, setting: int) -> bool:
        one = (*costs[i, setting], -clean[i], -robust[i])
        other = (*costs[j, setting], -clean[j], -robust[j])
        return all(a <= b for a, b in zip(one, other, strict=True)) and one != other

    def on(j: int, setting: int) -> bool:
        there = [i for i in candidates if within[i] and np.isfinite(costs[i, setting]).all()]
        return j in there and not any(beats(i, j, setting) for i in there)

    return [any(on(j, setting) for setting in range(costs.shape[1])) for j in candidates]


def test_the_schedule_ends_with_all() -> None:
    assert list(schedule(100, 1000)) == [100, 400, 1000]
    assert list(schedule(100, 1600)) == [100, 400, 1600]
    assert list(schedule(100, 50)) == [50]
    assert list(islice(schedule(10, None), 4)) == [10, 40, 160, 640]


def test_the_levels_of_all_rounds_add_up_to_the_error() -> None:
    spent = sum(2 * 7 * level(number, 7) for number in range(1, 2000))
    assert ERROR * 0.999 < spent < ERROR


@pytest.mark.parametrize(
    ("right", "samples", "low", "high"),
    # Clopper and Pearson's intervals at 95 %, from tables.
    [(0, 10, 0.0, 0.3085), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0)],
)
def test_intervals_of_tables(right: int, samples: int, low: float, high: float) -> None:
    found = interval(right / samples, samples, 0.05)
    assert [float(end) for end in found] == pytest.approx([low, high], abs=5e-5)


def test_the_ends_are_where_the_tails_say() -> None:
    """As many right answers or more have half the error at the lower end; as many or fewer at the upper."""
    from scipy.stats import binom

    for right in (1, 3, 50, 99):
        low, high = (float(end) for end in interval(right / 100, 100, 0.001))
        assert binom.sf(right - 1, 100, low) == pytest.approx(0.0005)
        assert binom.cdf(right, 100, high) == pytest.approx(0.0005)


def test_shares_of_no_whole_number_are_rounded_outwards() -> None:
    low, high = interval(0.305, 100, 0.05)
    assert low == interval(0.30, 100, 0.05)[0]
    assert high == interval(0.31, 100, 0.05)[1]


def test_what_was_not_measured_may_be_anything() -> None:
    known = bounds([np.nan, 0.5], [np.nan, 0.5], [0, 100], 1)
    assert (known.clean_low[0], known.clean_high[0], known.robust_low[0], known.robust_high[0]) == (0, 1, 0, 1)
    costs = np.array([[[5.0]], [[1.0]]])
    assert alive(costs, known, Limits(clean_loss=0.0), 1).all()


def test_more_rounds_widen_the_same_count() -> None:
    narrow, wide = bounds([0.5], [0.5], [100], 1), bounds([0.5], [0.5], [100], 3)
    assert wide.clean_low[0] < narrow.clean_low[0] < 0.5 < narrow.clean_high[0] < wide.clean_high[0]


def test_one_that_costs_more_and_is_surely_worse_is_out() -> None:
    costs = np.array([[[0.1, 0.1]], [[0.2, 0.1]]])
    low, high = np.array([0.5, 0.1]), np.array([0.7, 0.4])
    apart = Bounds(low, high, low, high)
    assert alive(costs, apart, Limits()).tolist() == [True, False]
    touching = Bounds(low, np.array([0.7, 0.5]), low, np.array([0.7, 0.5]))
    assert alive(costs, touching, Limits()).tolist() == [True, False]  # it costs less, and is at least as right
    overlapping = Bounds(low, np.array([0.7, 0.51]), low, high)
    assert alive(costs, overlapping, Limits()).all()
    assert alive(costs[::-1], apart, Limits()).all()  # the worse one is the cheaper


def test_equals_do_not_beat_each_other() -> None:
    same = np.full(3, 0.5)
    assert alive(np.zeros((3, 1, 2)), exactly(same, same), Limits()).all()


def test_it_may_be_the_best_on_another_chip() -> None:
    costs = np.array([[[1.0], [3.0]], [[2.0], [2.0]], [[3.0], [np.inf]]])
    clean = np.array([0.9, 0.8, 0.7])
    assert alive(costs, exactly(clean, clean), Limits()).tolist() == [True, True, False]


def test_a_limit_is_kept_where_it_may_be_and_at_its_edge() -> None:
    clean = np.array([0.96, 0.94, 0.93])
    known = exactly(clean, np.full(3, 0.5))
    assert possible(known, Limits(clean_loss=0.02), 0).tolist() == [True, True, False]
    assert possible(known, Limits(clean_loss=0.02)).all()  # against an unknown baseline
    wide = Bounds(clean - 0.01, clean + 0.01, known.robust_low, known.robust_high)
    assert possible(wide, Limits(clean_loss=0.02), 0).all()
    assert possible(known, Limits(clean_accuracy=0.94)).tolist() == [True, True, False]
    assert possible(wide, Limits(clean_accuracy=0.945)).tolist() == [True, True, False]
    assert not possible(known, Limits(robust_accuracy=0.51)).any()


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Floats, Bounds, Floats, Floats]:
    """Costs on a coarse grid, so that there are ties, true accuracies, and intervals that hold them."""
    count, settings, objectives = draw(st.integers(1, 7)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    shape = (count, settings, objectives)
    size = count * settings * objectives
    costs = np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=size, max_size=size))).reshape(shape)
    gone = draw(st.lists(st.booleans(), min_size=count * settings, max_size=count * settings))
    costs[np.array(gone).reshape(count, settings)] = np.inf
    shares = st.lists(st.integers(0, 10).map(lambda tenths: tenths / 10), min_size=count, max_size=count)
    widths = st.lists(st.sampled_from([0.0, 0.05, 0.3]), min_size=count, max_size=count)
    clean, robust = np.array(draw(shares)), np.array(draw(shares))
    ends = [np.array(draw(widths)) for _ in range(4)]
    return costs, Bounds(clean - ends[0], clean + ends[1], robust - ends[2], robust + ends[3]), clean, robust


@given(worlds(), st.sampled_from([None, 0.0, 0.1, 0.3]))
def test_the_true_front_survives_whatever_the_intervals_that_hold_it(
    world: tuple[Floats, Bounds, Floats, Floats], loss: float | None
) -> None:
    costs, known, clean, robust = world
    kept = alive(costs, known, Limits(clean_loss=loss), 0)
    assert all(kept[i] for i, on in enumerate(true_front(costs, clean, robust, loss, 0)) if on)


@given(worlds(), st.sampled_from([None, 0.0, 0.1, 0.3]))
def test_with_no_doubt_left_only_the_front_survives(
    world: tuple[Floats, Bounds, Floats, Floats], loss: float | None
) -> None:
    costs, _, clean, robust = world
    kept = alive(costs, exactly(clean, robust), Limits(clean_loss=loss), 0)
    assert kept.tolist() == true_front(costs, clean, robust, loss, 0)


def test_by_chance_the_front_is_lost_no_more_often_than_stated() -> None:
    """400 searches with samples drawn at random: at 5 % 33 losses or more have a probability of 0.4 %."""
    generator = np.random.default_rng(0)
    lost = dropped = 0
    for _ in range(400):
        costs = generator.random((12, 1, 2))
        clean, robust = 1 - 0.2 * generator.random(12), generator.random(12)
        front = np.array(true_front(costs, clean, robust, 0.05, 0))
        right = generator.random((2, 1600, 12)) < np.stack([clean, robust])[:, None]
        kept = np.ones(12, dtype=bool)
        for number, samples in enumerate((100, 400, 1600), 1):
            shares = right[:, :samples].mean(axis=1)
            known = bounds(shares[0], shares[1], [samples] * 12, number)
            kept &= alive(costs, known, Limits(clean_loss=0.05), 0)
        lost += bool((front & ~kept).any())
        dropped += int((~kept).sum())
    assert lost < 33
    assert dropped > 400 * 12 / 4  # and it is worth it
