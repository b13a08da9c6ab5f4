"""Bit Fusion: stall-free cycles come out exactly."""

from __future__ import annotations

from collections.abc import Callable

from hwsim.validate import Report
from hwsim.validate._report import published


def test_all_layers_are_equal(reported: Callable[[str], Report]) -> None:
    (table,) = reported("bitfusion").tables
    theirs = [int(row["cycles"]) for row in published("bitfusion", "compute_cycles.csv")]
    assert len(theirs) == 20
    assert list(table.column("cycles")) == theirs


def test_the_figures_are_those_of_a_hand_calculation() -> None:
    """AlexNet's conv2 at 4 bits: 64 channels and 32 filters at a time, 25 taps, 27 x 27 pixels of 16 images."""
    rows = {(row["network"], row["layer"]): int(row["cycles"]) for row in published("bitfusion", "compute_cycles.csv")}
    assert rows["AlexNet", "conv2"] == 2 * 8 * 25 * 27 * 27 * 16
