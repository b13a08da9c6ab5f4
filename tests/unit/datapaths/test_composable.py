"""floor(P/w) floor(P/a) lanes, as Bit Fusion counts them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hwsim.datapaths.composable import Composable


def composable(**fields: Any) -> Composable:
    return Composable.model_validate({"style": "composable", "native": 8, "widths": [2, 4, 8], **fields})


@pytest.mark.parametrize(
    ("weights", "activations", "lanes", "rate"),
    [
        (8, 8, 1, 1),
        (4, 8, 2, 1),
        (4, 4, 4, 1),
        (2, 4, 8, 1),
        (2, 2, 16, 1),
        (1, 1, 16, 1),
        (3, 5, 2, 1),
        (16, 8, 1, 1 / 2),
        (16, 16, 1, 1 / 4),
        (32, 32, 1, 1 / 16),
        (32, 2, 4, 1 / 4),
    ],
)
def test_each_operand_splits_by_its_own_width(weights: int, activations: int, lanes: int, rate: float) -> None:
    for mode in (composable().mode(weights, activations), composable().mode(activations, weights)):
        assert (mode.lanes, mode.rate) == (lanes, rate)


def test_native_units_an_instance_holds_multiply_the_rate_not_the_lanes() -> None:
    mode = composable(macs_per_cycle=4).mode(4, 4)
    assert (mode.rate, mode.lanes) == (4, 4)
    assert composable(macs_per_cycle=4).throughput(4, 4) == 16


def test_widths_above_the_native_may_be_listed() -> None:
    """TPU v1: 8x8 at full speed, 8x16 at half, 16x16 at a quarter (Jouppi et al., ISCA 2017, section 2)."""
    tpu = composable(widths=[8, 16])
    assert tpu.throughput([[4], [8], [16]], [8, 16]).tolist() == [[1, 1 / 2], [1, 1 / 2], [1 / 2, 1 / 4]]


def test_where_the_sum_goes() -> None:
    assert composable().mode(4, 4).lane_dims == ("C", "R", "S")
    assert composable(sum="apart").mode(4, 4).lane_dims == ("K",)


def test_energy_per_multiply_against_synthesis() -> None:
    """Medians of 45 arrays in the KU Leuven benchmark at 28 nm, 200 MHz, against 8x8 bits."""
    unit = composable(mac_energy=1.0, energy_overhead=1.0)
    for (activations, weights), measured in {(8, 4): 0.494, (4, 4): 0.249, (8, 2): 0.245, (2, 2): 0.059}.items():
        assert unit.energy(weights, activations) == pytest.approx(measured, rel=0.1)


def test_known_energies_of_modes_replace_the_scaling() -> None:
    unit = composable(mac_energy=1.0, energy_overhead=2.0, energies={"w4a4": 0.7})
    assert unit.energy([8, 4, 3], [8, 4, 4]).tolist() == [2, 0.7, 0.7]
    with pytest.raises(ValidationError, match=r"no mode is named 'w5a4': write e\.g\. w2a8"):
        composable(energies={"w5a4": 0.7})


def test_area_is_that_of_the_native_multipliers_and_their_overhead() -> None:
    unit = composable(mac_area=511e-12, area_overhead=3.4, macs_per_cycle=2)
    assert unit.unit_area(lambda w, a: 0) == pytest.approx(3474.8e-12)
    assert composable(area_overhead=3).unit_area(lambda w, a: w + a) == 3 * 16
