"""Width as time: Stripes, UNPU, Loom."""

from __future__ import annotations

from typing import Any

import pytest

from hwsim.datapaths.bit_serial import BitSerial


def serial(operands: str, **fields: Any) -> BitSerial:
    return BitSerial.model_validate({"style": "bit_serial", "native": 16, "serial": operands, **fields})


@pytest.mark.parametrize(
    ("operands", "weights", "activations", "rate", "name"),
    [
        ("activations", 3, 5, 16 / 5, "w16a5"),
        ("weights", 3, 5, 16 / 3, "w3a16"),
        ("both", 3, 5, 256 / 15, "w3a5"),
        ("both", 16, 16, 1, "w16a16"),
        ("activations", 32, 16, 1 / 2, "w32a16"),
        ("weights", 32, 32, 1 / 4, "w32a32"),
        ("both", 32, 4, 2, "w32a4"),
    ],
)
def test_rate_is_native_width_over_serial_width(
    operands: str, weights: int, activations: int, rate: float, name: str
) -> None:
    mode = serial(operands).mode(weights, activations)
    assert mode.rate == pytest.approx(rate)
    assert (mode.name, mode.lanes, mode.lane_dims) == (name, 1, ())


def test_listed_widths_are_what_operands_run_at() -> None:
    coarse = serial("both", widths=[4, 2, 8, 16])
    assert coarse.widths == (2, 4, 8, 16)
    assert coarse.mode(3, 5).name == "w4a8"
    assert coarse.mode(1, 1).rate == 64


def test_energy_per_multiply_against_synthesis() -> None:
    """Medians of 9 arrays in the KU Leuven benchmark at 28 nm, 200 MHz, against 8x8 bits."""
    unit = serial("both", native=8, mac_energy=1.0, energy_overhead=1.0)
    for (activations, weights), measured in {(8, 4): 0.544, (4, 4): 0.264, (2, 2): 0.066}.items():
        assert unit.energy(weights, activations) == pytest.approx(measured, rel=0.1)
