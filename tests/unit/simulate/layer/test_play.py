"""Layers played by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

import hwsim
from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import Stream, fused, streamed
from hwsim.datapaths import STYLES
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import LoopNest
from hwsim.simulate.layer.play import play
from hwsim.spec.hardware import Axis, VectorUnit
from tests.strategies import chip
from tests.unit.simulate.layer.by_hand import TWO_TILES, I, O, Span, W, dram, layer, level, memory, spans, step, weights


def timeline(cost: LayerCost) -> dict[str, list[Span]]:
    """When each resource is at work, and the end; the same with skipping and without."""
    played = play(cost, exact=True, record=True)
    assert play(cost).cycles == played.cycles
    tracks: dict[str, list[Span]] = {"end": [(played.cycles, played.cycles)]}
    for piece in played.slices:
        tracks.setdefault(piece.track, []).append((piece.start, piece.start + piece.cycles))
    return {track: sorted(spans) for track, spans in tracks.items()}


def test_double_buffer() -> None:
    """load 1 | compute 1, load 2 | compute 2"""
    cost = layer(weights("double", 8), *TWO_TILES)
    assert timeline(cost) == {"DRAM read": spans(0, 4, 4, 8), "compute": spans(4, 8, 8, 12), "end": spans(12, 12)}
    assert play(cost).stalls == {"first tiles": 4}
    assert cost.cycles == 8  # the closed form without the first tile


def test_slow_port() -> None:
    """A tile takes 8 cycles to come: compute 1 ends at 12, and waits for tile 2 until 16."""
    cost = layer(weights("double", 8, rate=0.5), *TWO_TILES)
    assert timeline(cost)["compute"] == spans(8, 12, 16, 20)
    assert play(cost).stalls == {"first tiles": 8, "DRAM read": 4}


def test_room_for_one_tile() -> None:
    """load 1 | compute 1 | load 2 | compute 2: nothing comes while the present tile is there."""
    cost = layer(weights("single", 4), *TWO_TILES)
    assert timeline(cost) == {"DRAM read": spans(0, 4, 8, 12), "compute": spans(4, 8, 12, 16), "end": spans(16, 16)}
    assert play(cost).peak == {"RF": 32}
    assert play(cost).stalls == {"first tiles": 4, "DRAM read": 4}


def test_single_buffer_keeps_the_array_waiting() -> None:
    """There is room for both tiles, but the array rests while either is written: load 1, load 2 | compute 1, compute 2.

    With a write port of 2 words a cycle a write takes the last 2 of the 4 cycles that the DRAM takes. The array is free
    between the writes, but tile 1 has come only at 4, when the write of tile 2 has not begun: it computes from 4 to 8,
    and the write of tile 2, which could begin at 6, waits for it until 8.
    """
    cost = layer(weights("single", 8, write_bandwidth=1.0), *TWO_TILES)
    assert timeline(cost)["end"] == spans(16, 16)
    assert cost.cycles == 16  # 8 of the array and 8 of the port
    cost = layer(weights("single", 8, write_bandwidth=2.0), *TWO_TILES)
    assert timeline(cost) == {
        "DRAM read": spans(0, 4, 4, 8),
        "RF write": spans(2, 4, 8, 10),
        "compute": spans(4, 8, 10, 14),
        "end": spans(14, 14),
    }


def test_streaming_next_to_the_datapath() -> None:
    """Words are used as they come, and those of the next tile take the place of those that have been used."""
    cost = layer(weights("streaming", 4), *TWO_TILES)
    assert timeline(cost) == {"DRAM read": spans(0, 4, 4, 8), "compute": spans(0, 4, 4, 8), "end": spans(8, 8)}
    assert play(cost).peak == {"RF": 32}
    # A tile that comes in 8 cycles is computed in its first 4 but not done before its last word is there.
    slow = layer(weights("streaming", 4, rate=0.5), *TWO_TILES)
    assert timeline(slow) == {"DRAM read": spans(0, 8, 8, 16), "compute": spans(0, 4, 8, 12), "end": spans(16, 16)}
    assert play(slow).stalls == {"DRAM read": 8}


def test_streaming_on_the_way() -> None:
    """Pieces of two words go on as they come, and the next tile follows into the room that they leave."""

    def through(buffering: str, size: float) -> dict[str, list[Span]]:
        middle, last = memory("GLB", (W,), buffering=buffering, size=size), memory("RF", (W,))
        hardware = chip(dram((W,), read_bandwidth=1.0), level("GLB", middle), level("RF", last))
        return timeline(layer(hardware, LoopNest(K=8), step("DRAM", "K2"), step("GLB", "K2"), step("RF", "K2")))

    assert through("streaming", 4) == {
        "DRAM read": spans(0, 2, 2, 4, 4, 6, 6, 8),
        "compute": spans(2, 4, 4, 6, 6, 8, 8, 10),
        "end": spans(10, 10),
    }
    assert through("double", 8) == {
        "DRAM read": spans(0, 4, 4, 8),
        "compute": spans(4, 6, 6, 8, 8, 10, 10, 12),
        "end": spans(12, 12),
    }


def test_results() -> None:
    """compute 1 | compute 2, store 1 | store 2"""
    hardware = chip(dram((O,), write_bandwidth=1.0), level("RF", memory("RF", (O,), size=8)))
    cost = layer(hardware, *TWO_TILES)
    assert timeline(cost) == {"DRAM write": spans(4, 8, 8, 12), "compute": spans(0, 4, 4, 8), "end": spans(12, 12)}
    assert play(cost).stalls == {"last results": 4}


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        # load 1 | compute 1, load 2 | compute 2, load 3, store 1 | compute 3, store 2 | store 3
        (
            {"read_bandwidth": 1.0, "write_bandwidth": 1.0},
            {"DRAM read": spans(0, 4, 4, 8, 8, 12), "DRAM write": spans(8, 12, 12, 16, 16, 20), "end": spans(20, 20)},
        ),
        # The loads have queued since the beginning; store 1 waits for load 3.
        ({"bandwidth": 1.0}, {"DRAM": spans(0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24), "end": spans(24, 24)}),
    ],
)
def test_reads_and_writes(ports: dict[str, float], expected: dict[str, list[Span]]) -> None:
    hardware = chip(dram((W, O), **ports), level("RF", memory("RF W", (W,), size=12), memory("RF O", (O,), size=12)))
    cost = layer(hardware, LoopNest(K=12), step("DRAM", "K3"), step("RF", "K4"))
    assert timeline(cost) == expected | {"compute": spans(4, 8, 8, 12, 12, 16)}


def test_partial_sums_come_back() -> None:
    """Two sums of two results each, left and taken up again.

    Tiles c0 k0 and c0 k1 compute from 0 to 4 and are stored from 2 to 6. That of c1 k0 is read back once it has been
    stored, from 4 to 6, that of c1 k1 from 6 to 8; they compute from 6 to 10, and are stored from 8 to 12.
    """
    ports = {"read_bandwidth": 1.0, "write_bandwidth": 1.0}
    hardware = chip(dram((O,), **ports), level("RF", memory("RF", (O,), size=64)))
    cost = layer(hardware, LoopNest(K=4, C=2), step("DRAM", "C2 K2"), step("RF", "K2"))
    assert timeline(cost) == {
        "DRAM read": spans(4, 6, 6, 8),
        "DRAM write": spans(2, 4, 4, 6, 8, 10, 10, 12),
        "compute": spans(0, 2, 2, 4, 6, 8, 8, 10),
        "end": spans(12, 12),
    }
    played = play(cost)
    assert played.moved["DRAM", "DRAM", "outputs"] == (4 * 8, 8 * 8)
    assert played.stalls == {"DRAM read": 2, "last results": 2}


def test_operands_slower_than_the_array() -> None:
    """A weight takes 2 cycles to be read, a step of the array 1."""
    hardware = chip(dram((W,)), level("RF", memory("RF", (W,), read_bandwidth=0.5)))
    cost = layer(hardware, *TWO_TILES)
    assert timeline(cost) == {"RF read": spans(0, 8, 8, 16), "compute": spans(0, 4, 8, 12), "end": spans(16, 16)}
    assert play(cost).stalls == {"RF read": 8}


def test_slower_end_of_a_transfer() -> None:
    """Two instances are filled with half of a tile each: written while it is read, never before."""

    def filled(rate: float) -> dict[str, list[Span]]:
        axis = Axis(name="X", size=2)
        ports = level("RF", memory("RF", (W,), write_bandwidth=rate, size=4))
        below = dram((W,), read_bandwidth=1.0).model_copy(update={"fanout": (axis,)})
        return timeline(layer(chip(below, ports), LoopNest(K=8), step("DRAM", "K2", "X=K2"), step("RF", "K2")))

    # 2 words to each instance in the last 2 of 4 cycles.
    assert filled(1.0) == {
        "DRAM read": spans(0, 4, 4, 8),
        "RF write": spans(2, 4, 6, 8),
        "compute": spans(4, 6, 8, 10),
        "end": spans(10, 10),
    }
    # 2 words take 8 cycles to be written, and the write of tile 2 waits for that of tile 1.
    assert filled(0.25) == {
        "DRAM read": spans(0, 4, 4, 8),
        "RF write": spans(0, 8, 8, 16),
        "compute": spans(8, 10, 16, 18),
        "end": spans(18, 18),
    }


def test_resident_weights() -> None:
    """They are there before the layer begins: nothing is loaded, and all eight take their room throughout."""
    cost = layer(weights("double", 16), *TWO_TILES, resident=(W,))
    assert timeline(cost) == {"compute": spans(0, 4, 4, 8), "end": spans(8, 8)}
    played = play(cost)
    assert played.peak == {"RF": 64}
    assert played.moved["RF", "RF", "weights"] == (64, 0)
    assert ("DRAM", "DRAM", "weights") not in played.moved


def test_launch() -> None:
    """Everything begins after the launch, which is given in seconds."""
    hardware = weights("double", 8).model_copy(update={"clock": 4.0, "launch": 0.75})
    cost = layer(hardware, *TWO_TILES)
    assert timeline(cost) == {"DRAM read": spans(3, 7, 7, 11), "compute": spans(7, 11, 11, 15), "end": spans(15, 15)}
    assert play(cost).stalls == {"launch": 3, "first tiles": 4}


def test_vector_work() -> None:
    """Two operations on each result that leaves: 8 cycles a tile, which the array does not wait for."""
    vector = VectorUnit(operations_per_cycle=1.0)
    hardware = chip(dram((O,)), level("RF", memory("RF", (O,), size=8)), vector=vector)
    cost = fused(layer(hardware, *TWO_TILES), hardware, operations=16)
    assert timeline(cost) == {"compute": spans(0, 4, 4, 8), "vector": spans(4, 12, 12, 20), "end": spans(20, 20)}


def test_biases_first() -> None:
    """Four bytes of biases delay the first tile."""
    hardware = weights("double", 8)
    cost = fused(layer(hardware, *TWO_TILES), hardware, 0, Stream(2, 16))
    assert timeline(cost) == {
        "DRAM read": spans(0, 4, 4, 8, 8, 12),
        "compute": spans(8, 12, 12, 16),
        "end": spans(16, 16),
    }
    assert play(cost).moved["DRAM", "DRAM", "weights"] == (64 + 32, 0)


def test_systolic_skew() -> None:
    """A tile of 4 weights is a step of 4 columns: 3 cycles of skew and 4 to load them come with each of them."""
    above = dram((W,), read_bandwidth=1.0).model_copy(update={"fanout": (Axis(name="X", size=4),)})
    hardware = chip(above, level("RF", memory("RF", (W,), size=2)), systolic=True)
    cost = layer(hardware, LoopNest(K=8), step("DRAM", "K2", "X=K4"), step("RF"))
    assert timeline(cost)["compute"] == spans(4, 12, 12, 20)
    assert cost.busy["compute"] == 16


def test_short_last_tile() -> None:
    """Ten weights in tiles of four: the last one comes in 2 cycles and computes for 2."""
    cost = layer(weights("double", 8), LoopNest(K=10), step("DRAM", "K3"), step("RF", "K4"))
    assert timeline(cost) == {
        "DRAM read": spans(0, 4, 4, 8, 8, 10),
        "compute": spans(4, 8, 8, 12, 12, 14),
        "end": spans(14, 14),
    }
    assert play(cost).tiles == 3


def test_names_of_slices() -> None:
    played = play(layer(weights("double", 8), *TWO_TILES), exact=True, record=True)
    names = {(piece.track, piece.start): piece.name for piece in played.slices}
    assert names["compute", 4] != names["compute", 8]
    assert "weights" in names["DRAM read", 0]
    assert names["DRAM read", 0].removeprefix("weights ") == names["compute", 4].removeprefix("tile ")


def test_a_layer_without_its_problem_is_refused() -> None:
    """Otherwise multiplications would be taken for a stream."""
    cost = layer(weights("double", 8), *TWO_TILES)
    with pytest.raises(ValueError, match="lacks its problem"):
        play(replace(cost, problem=None))


def test_a_datapath_without_limit_takes_no_time() -> None:
    """Two tiles come in 4 cycles each, and that is all."""
    free = STYLES["table"].model_validate(
        {"style": "table", "modes": [{"weights": 8, "activations": 8, "macs_per_cycle": float("inf"), "energy": 0.0}]}
    )
    nest, *mapping = TWO_TILES
    hardware = weights("double", 8).model_copy(update={"datapath": free})
    played = play(hwsim.price(nest, hardware, Mapping(tuple(mapping)), 8, 8))
    assert (played.cycles, played.busy["compute"]) == (8, 0)


def test_nothing_is_multiplied() -> None:
    """Two operations on each of 6 words, and a port of 4 words a cycle for 12: the vector unit decides."""
    hardware = chip(dram((W, I, O), bandwidth=4.0), vector=VectorUnit(operations_per_cycle=1.0), clock=2.0, launch=0.5)
    played = play(streamed(hardware, 12, [Stream(6, 8)], Stream(6, 8)), record=True)
    assert played.cycles == 13
    assert played.busy == {"compute": 0, "vector": 12, "DRAM": 3}
    assert played.stalls == {"launch": 1, "vector": 12}
    assert sorted((piece.track, piece.start, piece.cycles) for piece in played.slices) == [
        ("DRAM", 1, 3),
        ("vector", 1, 12),
    ]
