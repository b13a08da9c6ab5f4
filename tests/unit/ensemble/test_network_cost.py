"""A small network on a small chip, by hand."""

from __future__ import annotations

import pytest

from hwsim.cost.layer import LayerCost
from hwsim.ensemble.network_cost import NetworkCost, map_network
from hwsim.errors import Infeasible, SpecError
from hwsim.mapper import map_layer
from hwsim.networks import network
from hwsim.spec.rules import FullPrecision
from tests.unit.ensemble.examples import FULL, small_chip, small_network

CONV, FC = 1152, 80


def layers(cost: NetworkCost) -> dict[str, LayerCost]:
    return {layer.name: layer for layer in cost.layers}


def test_a_compute_bound_network_takes_its_multiplications() -> None:
    cost = map_network(small_network(), small_chip(), FULL, FULL, full_precision_bits=FULL)
    assert cost.cycles == CONV + FC
    assert cost.macs == CONV + FC
    low = map_network(small_network(), small_chip(), 2, 4, full_precision_bits=FULL)
    assert low.cycles == (CONV + FC) / 2


def test_every_layer_is_there() -> None:
    cost = map_network(small_network(), small_chip(launch=7.0), 2, 4, full_precision_bits=FULL)
    assert [(layer.name, layer.mode) for layer in cost.layers] == [
        ("conv", "w4a4"),
        ("pool", "vector"),
        ("flat", "view"),
        ("fc", "w4a4"),
        ("softmax", "vector"),
    ]
    flat = layers(cost)["flat"]
    assert (flat.cycles, flat.dram_bytes, flat.energy_joules, flat.bound) == (0, 0, 0, "nothing")
    assert cost.cycles == (CONV + FC) / 2 + 4 * 7


def test_dram_traffic_of_an_unlimited_buffer_is_every_tensor_once() -> None:
    """At w2a4, in bits: weights, biases, and tensors at their readers' widths; the image with a border of zeros."""
    cost = map_network(small_network(), small_chip(), 2, 4, full_precision_bits=FULL)
    bits = {
        "conv": 2 * 6 * 6 * 4 + 72 * 2 + 64 * 4,
        "pool": (64 + 16) * 4,
        "fc": 16 * 4 + 80 * 2 + 5 * FULL + 5 * FULL,
        "softmax": (5 + 5) * FULL,
    }
    assert {name: 8 * layer.dram_bytes for name, layer in layers(cost).items() if layer.dram_bytes} == bits
    assert cost.dram_bytes == sum(bits.values()) / 8


def test_a_fused_relu_overlaps_with_its_convolution() -> None:
    """64 operations, at 1/32 a cycle: 2048 cycles, more than the 1152 of the multiplications."""
    slow = small_chip(operations_per_cycle=1 / 32)
    conv = layers(map_network(small_network(), slow, FULL, FULL, full_precision_bits=FULL))["conv"]
    assert (conv.cycles, conv.bound) == (64 * 32, "vector")
    assert conv.energy["vector"] == 64 * 3.0


def test_layers_outside_the_rule_run_in_full_precision() -> None:
    cost = map_network(small_network(), small_chip(), 2, 2, "convs", full_precision_bits=FULL)
    assert (layers(cost)["conv"].mode, layers(cost)["fc"].mode) == ("w2a2", "w8a8")
    assert cost.cycles == CONV / 4 + FC


def test_changing_the_mode_costs_time() -> None:
    chip = small_chip(reconfiguration=10.0, leakage=0.5)
    mixed = map_network(small_network(), chip, 2, 2, "convs", full_precision_bits=FULL)
    assert (mixed.switches, mixed.switch_cycles, mixed.switch_joules) == (1, 10.0, 5.0)
    assert mixed.cycles == sum(layer.cycles for layer in mixed.layers) + 10
    assert mixed.energy_joules == sum(layer.energy_joules for layer in mixed.layers) + 5
    assert map_network(small_network(), chip, 2, 2, full_precision_bits=FULL).switches == 0


def test_a_batch_multiplies_work_but_not_weights() -> None:
    one = map_network(small_network(), small_chip(), FULL, FULL, full_precision_bits=FULL)
    four = map_network(small_network().with_batch(4), small_chip(), FULL, FULL, full_precision_bits=FULL)
    assert four.cycles == 4 * one.cycles
    assert four.storage == one.storage
    weights = 72 + 80 + 5
    assert four.dram_bytes - weights == 4 * (one.dram_bytes - weights)


def test_equal_layers_are_mapped_once() -> None:
    asked = []

    def counting(*args: object, **options: object) -> LayerCost:
        asked.append((args, tuple(sorted(options.items()))))
        return map_layer(*args, **options)  # type: ignore[arg-type]

    cost = map_network(network("resnet18"), small_chip(), mapper=counting)
    assert len(asked) == len(set(asked)) < len(cost.modes) == len(network("resnet18").mac_layers)
    done = layers(cost)
    assert done["layer1.0.conv1"].cycles == done["layer1.1.conv2"].cycles


def test_progress_counts_the_layers_mapped() -> None:
    seen: list[tuple[int, int]] = []
    map_network(small_network(), small_chip(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_an_impossible_layer_is_named() -> None:
    chip = small_chip(buffer=1.0)
    with pytest.raises(Infeasible, match="layer conv: "):
        map_network(small_network(), chip, FULL, FULL, full_precision_bits=FULL)


def test_an_unknown_layer_in_the_rule_is_refused() -> None:
    with pytest.raises(SpecError, match="no multiply-accumulate layer is named 'conf'"):
        map_network(small_network(), small_chip(), 2, 2, FullPrecision(full_precision=("conf",)))
