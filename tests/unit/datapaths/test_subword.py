"""P/max(w, a) lanes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hwsim.datapaths.subword import Subword


def subword(**fields: Any) -> Subword:
    return Subword.model_validate({"style": "subword", "native": 16, "widths": [4, 8, 16], **fields})


@pytest.mark.parametrize(
    ("weights", "activations", "lanes", "rate"),
    [
        (16, 16, 1, 1),
        (8, 8, 2, 1),
        (4, 8, 2, 1),
        (4, 4, 4, 1),
        (1, 2, 4, 1),
        (5, 3, 2, 1),
        (32, 32, 1, 1 / 4),
        (32, 4, 1, 1 / 2),
    ],
)
def test_lanes_follow_the_wider_operand(weights: int, activations: int, lanes: int, rate: float) -> None:
    for mode in (subword().mode(weights, activations), subword().mode(activations, weights)):
        assert (mode.lanes, mode.rate) == (lanes, rate)


def test_both_operands_run_at_the_wider_width() -> None:
    assert subword().mode(2, 7).name == "w8a8"


def test_lanes_unroll_outputs_apart_and_the_reduction_together() -> None:
    assert subword().mode(4, 4).lane_dims == ("K",)
    assert subword(sum="together").mode(4, 4).lane_dims == ("C", "R", "S")
    assert subword(lane_dims=["P", "Q"]).mode(4, 4).lane_dims == ("P", "Q")
    assert subword().mode(16, 16).lane_dims == ()


def test_energy_per_multiply_against_synthesis() -> None:
    """Medians of 18 arrays in the KU Leuven benchmark at 28 nm, 200 MHz: 4x4 and 2x2 against 8x8 bits."""
    unit = subword(native=8, widths=[2, 4, 8], mac_energy=1.0, energy_overhead=1.0)
    assert unit.energy(8, 8) == 1
    assert unit.energy(4, 4) == pytest.approx(0.308, rel=0.1)
    assert unit.energy(2, 2) == pytest.approx(0.114, rel=0.1)


def test_lanes_must_be_whole() -> None:
    with pytest.raises(ValidationError, match="6 bits do not divide the native 16"):
        subword(widths=[6, 16])
