"""Eyeriss: the published mapping is expressible, and gives what the chip's authors measured."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwsim.operators.nest import Operand
from hwsim.validate import Report
from hwsim.validate._report import published
from hwsim.validate.eyeriss import Layer, active, layer, streamed

ROWS = {row["layer"]: row for row in published("eyeriss", "alexnet.csv")}


@pytest.fixture(scope="module")
def layers() -> dict[str, Layer]:
    return {name: layer(row) for name, row in ROWS.items()}


def test_active_elements_are_those_of_the_paper(layers: dict[str, Layer]) -> None:
    counted = {name: active(each.nest, each.mapping) for name, each in layers.items()}
    assert counted == {"CONV1": 154, "CONV2": 135, "CONV3": 156, "CONV4": 156, "CONV5": 156}


def test_compute_cycles_by_hand(layers: dict[str, Layer]) -> None:
    """Images x groups x filters an element computes in turn x channels in turn x strips x columns x taps."""
    assert layers["CONV1"].cost.busy["compute"] == 4 * 1 * (96 // 2) * 3 * 8 * 55 * 11
    assert layers["CONV2"].cost.busy["compute"] == 4 * 2 * 128 * 48 * 1 * 27 * 5
    assert layers["CONV3"].cost.busy["compute"] == 4 * 1 * (384 // 4) * 256 * 1 * 13 * 3
    assert layers["CONV4"].cost.busy["compute"] == 4 * 2 * (192 // 2) * (192 // 2) * 1 * 13 * 3
    assert layers["CONV5"].cost.busy["compute"] == 4 * 2 * (128 // 2) * (192 // 2) * 1 * 13 * 3


def test_filters_take_a_64_bit_word_a_cycle_in_every_pass(layers: dict[str, Layer]) -> None:
    """CONV1: 3 blocks of 32 filters x 3 channels x 8 strips x 4 images, 32 filters of 11 x 11 in each."""
    loading = layers["CONV1"].cost.busy["fill and drain"]
    assert loading == pytest.approx(3 * 3 * 8 * 4 * 32 * 121 / 4, rel=0.02)


def test_processing_latency_is_near_the_measured_one(layers: dict[str, Layer]) -> None:
    """Within 10 % but for CONV2, which lacks the start of its many short passes."""
    errors = {name: each.cost.seconds * 1e3 / each.milliseconds - 1 for name, each in layers.items()}
    assert {name for name, error in errors.items() if abs(error) > 0.10} == {"CONV2"}
    assert abs(errors["CONV2"]) < 0.12
    total = sum(each.cost.seconds * 1e3 for each in layers.values())
    assert total == pytest.approx(103.5, rel=0.05)


def test_buffer_traffic_is_the_measured_one(layers: dict[str, Layer]) -> None:
    """CONV3 was measured under CONV4's mapping, whatever its own line of the table says."""
    measured = {**layers, "CONV3": layer(ROWS["CONV3"], ROWS["CONV4"])}
    for each in measured.values():
        (sums,) = (x for x in each.cost.traffic if x.memory == "GLB" and x.operand is Operand.OUTPUTS)
        traffic = 2 * (sums.reads + sums.writes) + streamed(each)
        assert traffic / 1e6 == pytest.approx(float(each.row["glb_mb"]), rel=0.004)


def test_four_images_in_the_buffer_stream_every_row_once_a_pass(layers: dict[str, Layer]) -> None:
    for name in ("CONV3", "CONV4", "CONV5"):
        each = layers[name]
        (inputs,) = (x for x in each.cost.traffic if x.memory == "GLB" and x.operand is Operand.INPUTS)
        assert 2 * inputs.reads == streamed(each)


@pytest.mark.slow
def test_the_mapper_is_never_slower_than_the_published_mapping(reported: Callable[[str], Report]) -> None:
    chosen = reported("eyeriss").tables[-1]
    for published_ms, ours in zip(chosen.column("published [ms]"), chosen.column("ours [ms]"), strict=True):
        assert float(ours) <= float(published_ms)
