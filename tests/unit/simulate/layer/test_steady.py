"""What repeats itself is skipped, and nothing else than that changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hwsim
from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import fused
from hwsim.mapping.mapping import Mapping
from hwsim.networks import network
from hwsim.operators.nest import LoopNest
from hwsim.simulate.layer.play import play
from hwsim.simulate.layer.played import Played
from hwsim.spec.hardware import VectorUnit
from tests.strategies import chip, one_mac
from tests.unit.simulate.layer.by_hand import I, O, W, dram, layer, level, memory, step, weights


def both(cost: LayerCost) -> Played:
    """A layer with repetition skipped, once it is known to be the same without."""
    exact, quick = play(cost, exact=True), play(cost)
    assert exact.skipped == 0
    assert replace(quick, events=0, skipped=0) == replace(exact, events=0, skipped=0)
    return quick


def test_a_million_tiles() -> None:
    """4 words are loaded while those before compute for 4 cycles: the first load, then a million times 4 cycles."""
    cost = layer(weights("double", 8), LoopNest(K=4_000_000), step("DRAM", "K1000000"), step("RF", "K4"))
    played = play(cost)
    assert played.cycles == 4_000_004
    assert played.busy == {"compute": 4_000_000, "DRAM read": 4_000_000}
    assert played.moved["RF", "RF", "weights"] == (32_000_000, 32_000_000)
    assert played.tiles == 1_000_000
    assert played.events < 100
    assert played.skipped > 999_900


@pytest.mark.parametrize("buffering", ["single", "double", "streaming"])
@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0])
def test_long_and_regular(buffering: str, rate: float) -> None:
    """Loads and stores of 500 tiles, a short one among them."""
    registers = memory("RF", (W, O), buffering=buffering, size=64, write_bandwidth=2.0)
    hardware = chip(dram((W, O), bandwidth=rate), level("RF", registers))
    played = both(layer(hardware, LoopNest(K=1998), step("DRAM", "K500"), step("RF", "K4")))
    assert played.tiles == 500
    assert played.skipped > 400
    assert played.events < 500  # of more than three a tile


def test_loops_within_loops() -> None:
    """Weights change every 40 tiles, sums are left 6 times and taken up again."""
    ports = {"read_bandwidth": 2.0, "write_bandwidth": 1.0}
    hardware = chip(dram((W, I, O), **ports), level("RF", memory("RF", (W, I, O), size=64)))
    played = both(layer(hardware, LoopNest(K=12, C=12, P=40), step("DRAM", "C6 K6 P40"), step("RF", "K2 C2")))
    assert played.tiles == 1440
    assert played.skipped > 720


def test_two_iterations_are_a_period() -> None:
    """Room for three tiles, weights and results: every other load waits for a store.

    Tile 2i+1 is loaded while tile 2i computes. Tile 2i+2 is asked for only after the results of 2i+1, which take the
    room of the weights of 2i, and so has to wait for the results of 2i to be out: 4 cycles for that, 4 to load it. So
    two tiles take 4 + 4 + 4 cycles.
    """
    ports = {"read_bandwidth": 1.0, "write_bandwidth": 1.0}
    hardware = chip(dram((W, O), **ports), level("RF", memory("RF", (W, O), buffering="single", size=12)))
    cost = layer(hardware, LoopNest(K=1600), step("DRAM", "K400"), step("RF", "K4"))
    starts = [piece.start for piece in play(cost, exact=True, record=True).slices if piece.track == "compute"]
    assert starts == [4 + 12 * (tile // 2) + 4 * (tile % 2) for tile in range(400)]
    played = both(cost)
    assert played.cycles == starts[-1] + 4 + 4
    assert played.skipped > 350


def test_something_else_goes_on_meanwhile() -> None:
    """The second tile of weights takes 500 cycles to come, while 1,000 inputs pass by the first, 4 cycles each."""
    above = level(
        "DRAM",
        memory("DRAM W", (W,), read_bandwidth=4 / 500),
        memory("DRAM I", (I,), read_bandwidth=1.0),
        memory("DRAM O", (O,)),
    )
    hardware = chip(above, level("RF", memory("RF W", (W,), size=8), memory("RF I", (I,), size=2)))
    cost = layer(hardware, LoopNest(K=8, P=1000), step("DRAM", "K2 P1000"), step("RF", "K4"))
    played = both(cost)
    assert played.cycles == 500 + 2 * 4000
    assert played.stalls == {"first tiles": 500}
    assert played.skipped > 1900
    # Slower than that, the array waits: the second tile comes at twice 6,000 cycles.
    slow = above.model_copy(update={"memories": (memory("DRAM W", (W,), read_bandwidth=4 / 6000), *above.memories[1:])})
    hardware = hardware.model_copy(update={"levels": (slow, hardware.levels[1])})
    played = both(layer(hardware, LoopNest(K=8, P=1000), step("DRAM", "K2 P1000"), step("RF", "K4")))
    assert played.cycles == 12000 + 4000
    assert played.stalls == {"first tiles": 6000, "DRAM W read": 2000}
    assert played.skipped > 1900


@pytest.mark.parametrize("name", ["eyeriss_v1", "nvdla_large"])
def test_mapped_layers(name: str) -> None:
    hardware = hwsim.load_hardware(name)
    nests = [layer.nest for layer in network("lenet5").layers if layer.nest is not None]
    played = [both(hwsim.map_layer(nest, hardware, 8, 8, effort=2000)) for nest in nests]
    assert sum(one.skipped for one in played) > sum(one.tiles for one in played) / 10


def test_what_was_skipped_is_recorded() -> None:
    """Slices of what was played, and one for what was not, cover the time of the array."""
    cost = layer(weights("double", 8), LoopNest(K=4000), step("DRAM", "K1000"), step("RF", "K4"))
    played = play(cost, record=True)
    cycles = {
        track: sum(piece.cycles for piece in played.slices if piece.track == track) for track in ("compute", "skipped")
    }
    assert cycles["skipped"] == 4 * played.skipped
    assert cycles["compute"] + cycles["skipped"] == played.busy["compute"]


def test_the_last_results_go_out_by_themselves() -> None:
    """The vector unit takes 24 cycles for 12 results; sums that are all asked for go on by themselves."""
    every = (W, I, O)
    hardware = chip(
        dram(every),
        level("GLB", memory("GLB", every, size=85.25, buffering="streaming", bandwidth=8.0)),
        level("buffer", memory("buffer", every, buffering="single")),
        level("RF", memory("RF", every, buffering="streaming")),
        datapath=one_mac(11),
        vector=VectorUnit(operations_per_cycle=0.5),
    )
    mapping = Mapping((step("DRAM", "Q2 C19"), step("GLB", "Q6"), step("buffer", "R11"), step("RF")))
    cost = hwsim.price(LoopNest(C=19, Q=12, R=11), hardware, mapping, 8, 8)
    assert both(fused(cost, hardware, operations=12)).skipped > 0
