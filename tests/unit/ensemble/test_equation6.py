"""Equation 6 against the figures of the EMPIR paper, and counted layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ensemble.equation6 import equation6, slowdown, stored, time
from hwsim.ensemble.precision import precisions
from hwsim.networks import network
from hwsim.spec.load import load_hardware
from hwsim.spec.rules import Rule
from tests.unit.ensemble.examples import datapath

IDEAL = load_hardware("empir_ideal").datapath


def test_mnist_costs_exactly_a_quarter_more() -> None:
    """One full-precision member and two of 2-bit weights and 4-bit activations: 1 + 2/8 in time."""
    assert time(IDEAL, [32, 2, 2], [32, 4, 4], 32) == 1.25


def test_three_low_precision_members() -> None:
    """0.38 of the time and 0.25 of the storage, says the paper: 3/8, and widths that add up to 8 bits."""
    assert time(IDEAL, [2, 2, 4], [4, 4, 4], 32) == 0.375
    assert stored([2, 2, 4], 32) == 0.25
    assert time(IDEAL, [32, 32, 32], [32, 32, 32], 32) == 3


def test_two_bits_run_at_the_rate_of_four() -> None:
    assert slowdown(IDEAL, 2, 2, 32) == slowdown(IDEAL, 4, 4, 32) == 1 / 8


def test_members_lie_along_the_last_axis() -> None:
    weights = np.array([[32, 2, 2], [32, 4, 8]])
    assert time(IDEAL, weights, weights, 32).tolist() == [1.25, 1.375]
    assert stored(weights, 32).tolist() == [1.125, 1.375]


@pytest.mark.parametrize(
    ("name", "widths", "rule", "sums", "layerwise"),
    [
        ("cifarconv_released", [(4, 2), (2, 2)], "convs", (1.25, 1.1875), (None, 1.77)),
        ("alexnet", [(2, 2), (4, 4)], "except_first_and_last", (1.25, 1.1875), (1.363, 1.319)),
        ("mnistconv", [(2, 4), (2, 4)], "all", (1.25, 1.125), (1.25, 1.125)),
    ],
)
def test_layers_that_stay_in_full_precision_count(
    name: str,
    widths: list[tuple[int, int]],
    rule: Rule,
    sums: tuple[float, float],
    layerwise: tuple[float | None, float],
) -> None:
    """Counted from the paper's networks and the released code's rules, to the three decimals of those figures."""
    net = network(name)
    found = equation6(net, IDEAL, [precisions(net, *bits, rule, 32) for bits in [(32, 32), *widths]])
    assert (found.sums.time, found.sums.storage) == sums
    assert layerwise[0] is None or found.layerwise.time == pytest.approx(layerwise[0], abs=5e-4)
    assert found.layerwise.storage == pytest.approx(layerwise[1], abs=5e-4)


def test_cifarconv_layer_by_layer_by_hand() -> None:
    """Convolutions 32*3*25*1024, 32*32*25*225, 64*32*25*49 MACs; fully connected layers 576*64 and 64*10 in full."""
    convs, full = 32 * 3 * 25 * 32**2 + 32 * 32 * 25 * 15**2 + 64 * 32 * 25 * 7**2, 576 * 64 + 64 * 10
    net = network("cifarconv_released")
    found = equation6(net, IDEAL, [precisions(net, *bits, "convs", 32) for bits in [(32, 32), (4, 2), (2, 2)]])
    assert found.layerwise.time == pytest.approx(1 + 2 * (convs / 8 + full) / (convs + full))


def test_full_precision_need_not_be_32_bits() -> None:
    assert time(datapath(), [8, 2], [8, 2], 8) == 1.25
