"""Limits and what keeps to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hwsim.ensemble.ensemble_cost import Overhead
from hwsim.search.design.verdict import allowed, feasible


@given(st.floats(0, 100), st.integers(-30, 30).map(lambda step: step * 1e-10))
def test_shares_are_judged_as_a_single_ensemble_is(limit: float, off: float) -> None:
    value = limit + (1 + limit) * off
    expected = Overhead(value, 0.0, None).within(limit)
    assert bool(allowed("time_overhead", np.array([value]), limit)[0]) is expected
    assert bool(allowed("storage_overhead", np.array([value]), limit)[0]) is expected


def test_exactly_the_limit_keeps_to_it() -> None:
    tenths = np.cumsum(np.full(10, 0.1))  # 0.1 + 0.1 + 0.1 is more than 0.3
    assert tenths[2] > 0.3
    assert allowed("time_overhead", tenths[:4], 0.3).tolist() == [True, True, True, False]
    assert allowed("robust_accuracy", tenths[:4], 0.2).tolist() == [False, True, True, True]
    assert allowed("clean_loss", np.array([0.9 - 0.7 - 0.18, 0.021]), 0.02).tolist() == [True, False]


def test_a_small_area_is_not_lost_in_the_tolerance() -> None:
    limit = 1e-6  # one square millimetre
    assert allowed("area", np.array([limit, limit * (1 + 1e-12), limit * 1.000001]), limit).tolist() == [
        True,
        True,
        False,
    ]
    assert allowed("seconds", np.array([2e-9, 2.1e-9]), 2e-9).tolist() == [True, False]


def test_what_is_not_known_keeps_to_nothing() -> None:
    assert not allowed("time_overhead", np.array([np.nan]), 1e300).any()
    assert not allowed("robust_accuracy", np.array([np.nan]), 0.0).any()


@pytest.mark.parametrize(("only", "expected"), [(None, [True, False, False]), (["time_overhead"], [True, False, True])])
def test_all_constraints_hold_at_once(only: list[str] | None, expected: list[bool]) -> None:
    columns = {
        "seconds": np.ones(3),
        "time_overhead": np.array([0.2, 0.3, 0.1]),
        "robust_accuracy": np.array([0.5, 0.5, np.nan]),
    }
    limits = {"time_overhead": 0.25, "robust_accuracy": 0.4}
    assert feasible(columns, limits, only).tolist() == expected


def test_what_cannot_run_is_not_feasible_even_without_constraints() -> None:
    assert feasible({"seconds": np.array([1.0, np.nan])}, {}).tolist() == [True, False]
