"""Limits as people write them, in base units."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from hwsim.spec.limits import Quantity, limit


@pytest.mark.parametrize(
    ("quantity", "given", "expected"),
    [
        ("time_overhead", 0.25, 0.25),
        ("time_overhead", "25 %", 0.25),
        ("time_overhead", "25%", 0.25),
        ("storage_overhead", " 12.5 % ", 0.125),
        ("energy_overhead", "-10 %", -0.1),
        ("time_overhead", 3, 3.0),
        ("clean_loss", "2 %", 0.02),
        ("clean_loss", -0.01, -0.01),
        ("clean_accuracy", "97 %", 0.97),
        ("robust_accuracy", 1, 1.0),
        ("area", "800 mm2", 8e-4),
        ("area", 8e-4, 8e-4),
        ("seconds", "5 us", 5e-6),
        ("baseline_seconds", "1 ms", 1e-3),
        ("energy_joules", "3 mJ", 3e-3),
        ("storage_bytes", "2 MiB", 2.0**21),
        ("members", 5, 5.0),
        ("member_bits", 10.5, 10.5),
    ],
)
def test_limits(quantity: str, given: Any, expected: float) -> None:
    assert limit(quantity, given) == expected


@pytest.mark.parametrize(
    ("quantity", "given", "message"),
    [
        ("time_overhead", "25", "must be a number such as 0.25 or 25 %, not '25'"),
        ("time_overhead", "a %", "must be a number such as 0.25 or 25 %, not 'a %'"),
        ("time_overhead", True, "must be a number such as 0.25 or 25 %, not true"),
        ("time_overhead", None, "must be a number such as 0.25 or 25 %, not nothing"),
        ("time_overhead", -2, "must be a finite number of at least -1, not -2"),
        ("time_overhead", float("inf"), "must be a finite number of at least -1, not inf"),
        ("time_overhead", "1e999 %", "must be a finite number of at least -1, not inf"),
        ("clean_accuracy", 97, "must be between 0 and 1, not 97"),
        ("clean_loss", float("nan"), "must be between -1 and 1, not nan"),
        ("area", 800, "missing unit: write e.g. 36 mm2"),
        ("area", "800", "missing unit: write e.g. 36 mm2"),
        ("area", "25 %", "'%' is not a unit of an area (write e.g. 36 mm2)"),
        ("area", [], "must be a quantity such as 36 mm2, not a list"),
        ("seconds", "5 MHz", "'MHz' is not a unit of a time (write e.g. 5 us)"),
        ("members", "4", "must be a number such as 4, not '4'"),
        ("members", -1, "must be a finite number of at least 0, not -1"),
        ("members", 10**309, "must be a finite number of at least 0, not 1000000000000000000000000000000000000..."),
    ],
)
def test_no_limits(quantity: str, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        limit(quantity, given, unit_required=True)
    assert str(caught.value) == message


@pytest.mark.parametrize("quantity", get_args(Quantity))
def test_every_quantity_can_be_limited(quantity: str) -> None:
    assert limit(quantity, 0.5) == 0.5
    with pytest.raises(ValueError, match="must be"):
        limit(quantity, {})
