"""What a layer costs, against the mapped nest executed word by word."""

from __future__ import annotations

from math import isclose
from typing import NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from hwsim.cost.layer import price
from hwsim.datapaths import DatapathStyle
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import AccessEnergy, Axis, Hardware, Level, Memory
from hwsim.units import Bandwidth
from tests.oracle.executed import Executed, alone, execute
from tests.strategies import chip, hardwares, loop_nests, mappings, one_mac, packing, residents

EVERY = tuple(Operand)


@st.composite
def layers(draw: st.DrawFn) -> tuple[LoopNest, Hardware]:
    return draw(loop_nests()), draw(hardwares())


def lanes_of(hardware: Hardware, weight_bits: int, activation_bits: int) -> Axis | None:
    mode = hardware.datapath.mode(weight_bits, activation_bits)
    return Axis(name="lanes", size=mode.lanes, dims=mode.lane_dims) if mode.lanes > 1 else None


class Widths(NamedTuple):
    """Of a word, by what it is [bits]."""

    weight: int
    activation: int
    finished: int
    partial: int


def bits_moved(nest: LoopNest, run: Executed, name: str, operand: Operand, widths: Widths) -> tuple[int, int]:
    """Read and written at a level. A finished output goes up once from level to level, to where it stays, at its own
    width; all other words of outputs are partial sums, those that the datapath sends included."""
    reads, writes = run.reads[name, operand], run.writes[name, operand]
    if operand is not Operand.OUTPUTS:
        width = widths.weight if operand is Operand.WEIGHTS else widths.activation
        return reads * width, writes * width
    accumulating = [each for each, kept in run.reads if kept is Operand.OUTPUTS]
    saved = nest.elements(Operand.OUTPUTS) * (widths.partial - widths.finished)
    going, coming = name != accumulating[0], name != accumulating[-1]
    return reads * widths.partial - going * saved, writes * widths.partial - coming * saved


@pytest.mark.parametrize("datapath", [one_mac(), packing()], ids=["plain", "lanes"])
@settings(max_examples=300)
@given(data=st.data())
def test_traffic_is_what_the_execution_moves(datapath: DatapathStyle, data: st.DataObject) -> None:
    nest, hardware = data.draw(layers())
    hardware = hardware.model_copy(update={"datapath": datapath})
    lanes, stay = lanes_of(hardware, 4, 4), data.draw(residents(hardware))
    mapping = data.draw(mappings(nest, hardware, lanes, resident=stay))
    run = execute(nest, hardware, mapping, lanes, stay)
    cost = price(nest, hardware, mapping, 4, 4, resident=stay)
    names = [level.name for level in hardware.levels]
    priced = {(names[access.level], access.operand): (access.reads, access.writes) for access in cost.traffic}
    moved = {key: (run.reads[key], run.writes[key]) for key in run.reads}
    assert {key: words for key, words in priced.items() if key in moved or any(words)} == moved
    assert cost.macs == run.macs
    assert cost.cycles == run.steps


@pytest.mark.parametrize(
    ("nest", "between", "inside", "union"),
    [
        (LoopNest(Q=4, S=3), Loop("Q", 2), Loop("S", 3), 5),  # columns 0 1 2 beside 2 3 4, then 1 2 3 beside 3 4 5
        (LoopNest(P=3, R=4), Loop("R", 2), Loop("P", 3), 5),  # rows 0 1 2 beside 2 3 4, then 1 2 3 beside 3 4 5
    ],
)
def test_instances_share_words_also_where_their_tiles_are_not_neighbours(
    nest: LoopNest, between: Loop, inside: Loop, union: int
) -> None:
    """A loop between the unrolled one and the tile sets the tiles of two instances 2 apart; they still have a word in
    common at each of the 2 steps."""
    outer = Level(name="outer", memories=(Memory(name="DRAM", keeps=EVERY),), fanout=(Axis(name="X", size=2),))
    inner = Level(name="inner", memories=(Memory(name="RF", keeps=EVERY),))
    hardware = chip(outer, Level(name="middle"), inner)
    mapping = Mapping(
        (
            LevelMapping("outer", spatial=(SpatialLoop(between.dim, 2, "X"),)),
            LevelMapping("middle", (between,)),
            LevelMapping("inner", (inside,)),
        )
    )
    (priced,) = (
        access.reads
        for access in price(nest, hardware, mapping, 8, 8).traffic
        if (access.level, access.operand) == (0, Operand.INPUTS)
    )
    assert execute(nest, hardware, mapping).reads["outer", Operand.INPUTS] == 2 * union
    assert priced == 2 * union


@settings(max_examples=150)
@given(data=st.data())
def test_energy_is_that_of_the_words_moved(data: st.DataObject) -> None:
    widths = Widths(weight=3, activation=5, finished=7, partial=11)
    nest, hardware = data.draw(layers())
    costs = st.integers(0, 1000).map(float)
    levels = tuple(
        level.model_copy(
            update={
                "memories": tuple(
                    memory.model_copy(update={"energy": AccessEnergy(read=data.draw(costs), write=data.draw(costs))})
                    for memory in level.memories
                )
            }
        )
        for level in hardware.levels
    )
    hardware = hardware.model_copy(update={"datapath": one_mac(accumulator=widths.partial), "levels": levels})
    stay = data.draw(residents(hardware))
    mapping = data.draw(mappings(nest, hardware, resident=stay))
    run = execute(nest, hardware, mapping, resident=stay)
    energy = float(nest.macs)  # 1 J each
    for name, operand in run.reads:
        memory = hardware.level(name).memory(operand)
        assert memory is not None
        read, written = bits_moved(nest, run, name, operand, widths)
        energy += read * memory.energy.read + written * memory.energy.write
    assert isclose(price(nest, hardware, mapping, 3, 5, 7, resident=stay).energy_joules, energy)


@settings(max_examples=150)
@given(data=st.data())
def test_time_is_that_of_the_busiest_instance(data: st.DataObject) -> None:
    """One memory has a port that may be too narrow: a transfer hides behind the multiplications or adds to them."""
    widths = Widths(weight=8, activation=16, finished=24, partial=40)
    nest, hardware = data.draw(layers())
    place = data.draw(st.sampled_from([i for i, level in enumerate(hardware.levels) if level.memories]))
    slow = hardware.levels[place]
    memory = data.draw(st.sampled_from(slow.memories))
    shared = data.draw(st.booleans())
    rates = [data.draw(st.sampled_from((0.25, 1.0, 3.0, 16.0))) for _ in range(2)]
    ports = ("bandwidth",) if shared else ("read_bandwidth", "write_bandwidth")
    port = {name: Bandwidth(rate, "cycle") for name, rate in zip(ports, rates, strict=False)}
    buffering = data.draw(st.sampled_from(("single", "double", "streaming")))
    narrow = memory.model_copy(update={"buffering": buffering, **port})
    level = slow.model_copy(update={"memories": tuple(narrow if m is memory else m for m in slow.memories)})
    levels = (*hardware.levels[:place], level, *hardware.levels[place + 1 :])
    hardware = hardware.model_copy(update={"levels": levels, "datapath": one_mac(accumulator=widths.partial)})
    stay = data.draw(residents(hardware))
    mapping = data.draw(mappings(nest, hardware, resident=stay))
    steps = execute(nest, hardware, mapping).steps
    one, its_loops = alone(nest, hardware, mapping, slow.name)
    run = execute(one, hardware, its_loops, resident=stay)
    moved = [bits_moved(one, run, *key, widths) for key in run.reads if key[0] == slow.name and key[1] in memory.keeps]
    read, written = (sum(bits[side] for bits in moved) / 8 for side in (0, 1))
    transfer = (read + written) / rates[0] if shared else max(read / rates[0], written / rates[1])
    waits = buffering == "single" and place > 0  # the outermost level has no tiles to wait for
    expected = steps + transfer if waits else max(steps, transfer)
    assert isclose(price(nest, hardware, mapping, 8, 16, 24, resident=stay).cycles, expected)
