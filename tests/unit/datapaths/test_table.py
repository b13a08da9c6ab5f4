"""Which line of a table runs a pair of widths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.datapaths.table import Table
from hwsim.errors import Infeasible


def table(*modes: tuple[int, int, float], **fields: Any) -> Table:
    lines = [{"weights": w, "activations": a, "macs_per_cycle": rate, "energy": rate * 1e-15} for w, a, rate in modes]
    return Table.model_validate({"style": "table", "modes": lines, **fields})


TURING = table((32, 32, 64), (16, 16, 512), (8, 8, 1024), (4, 4, 2048))


@pytest.mark.parametrize(
    ("weights", "activations", "name", "rate"),
    [
        (32, 32, "w32a32", 64),
        (32, 4, "w32a32", 64),
        (9, 16, "w16a16", 512),
        (4, 5, "w8a8", 1024),
        (4, 4, "w4a4", 2048),
        (2, 2, "w4a4", 2048),
        (1, 3, "w4a4", 2048),
    ],
)
def test_the_narrowest_line_that_holds_both_operands(weights: int, activations: int, name: str, rate: float) -> None:
    mode = TURING.mode(weights, activations)
    assert (mode.name, mode.rate, mode.lanes) == (name, rate, 1)
    assert mode.energy == pytest.approx(rate * 1e-15)


def test_a_wider_line_wins_only_when_it_is_faster() -> None:
    assert table((4, 4, 10), (8, 8, 20)).mode(4, 4).name == "w8a8"
    assert table((4, 4, 10), (8, 8, 10)).mode(4, 4).name == "w4a4"


def test_operands_wider_than_every_line_run_in_passes() -> None:
    core = table((2, 2, 4096), (16, 16, 512))
    assert core.mode(32, 32).rate == 512 / 4
    assert core.mode(32, 16).rate == 512 / 2
    assert core.mode(17, 3).name == "w32a16"
    assert core.mode(32, 32).energy == pytest.approx(4 * core.mode(16, 16).energy)


def test_no_line_and_no_widest_line() -> None:
    skewed = table((8, 16, 10), (16, 8, 10))
    assert skewed.mode(16, 8).name == "w16a8"
    with pytest.raises(Infeasible, match="16-bit weights and 16-bit activations"):
        skewed.mode(16, 16)
    with pytest.raises(Infeasible):
        skewed.throughput(np.array([8, 16]), 16)


def test_area_is_that_of_the_most_demanding_line() -> None:
    assert TURING.unit_area(lambda w, a: w * a) == max(64 * 1024, 512 * 256, 1024 * 64, 2048 * 16)
    assert table((8, 8, 1), area=3e-6).unit_area(lambda w, a: 0) == 3e-6


def test_lanes_are_part_of_the_rate() -> None:
    pe = Table.model_validate(
        {
            "style": "table",
            "modes": [{"weights": 4, "activations": 4, "macs_per_cycle": 64, "lanes": 8}],
            "lane_dims": ["C"],
        }
    )
    assert (pe.mode(4, 4).rate, pe.mode(4, 4).lanes, pe.mode(4, 4).lane_dims) == (8, 8, ("C",))
    assert (pe.mode(8, 4).rate, pe.mode(8, 4).lanes) == (4, 8)


def test_lines_that_run_asymmetric_operands() -> None:
    tpu = table((8, 8, 4), (8, 16, 2), (16, 8, 2), (16, 16, 1))
    assert tpu.throughput([[8], [16]], [8, 16]).tolist() == [[4, 2], [2, 1]]
