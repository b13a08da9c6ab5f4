"""Mapped layers, played on chips with limits: against the closed form, the sum of the parts, and the words that move.

A machine never rests while it has work: at any moment something computes, moves or waits for a launch. So it takes no
longer than all its parts one after another; and no less than any part that it has one of.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal
from unittest.mock import patch

import pytest
from hypothesis import given, settings, strategies as st

from hwsim.cost.access import accesses
from hwsim.cost.capacity import at_home
from hwsim.cost.layer import LayerCost, loops_of
from hwsim.cost.problem import Problem, problem
from hwsim.cost.traffic import NestArrays, flows
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import DIMENSIONS
from hwsim.simulate.layer.machine import Space
from hwsim.simulate.layer.play import play
from hwsim.simulate.layer.played import Played
from hwsim.units import Bandwidth
from tests.oracle.loops import Schedule, flatten
from tests.strategies import limited, loop_nests

#: The closed form rounds; what is played is exact until it is turned into floating point.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Work:
    """What the port of one instance of a memory has to do.

    Args:
        alone: the array rests meanwhile.
    """

    bits: float
    bits_per_cycle: float
    alone: bool

    @property
    def cycles(self) -> float:
        return self.bits / self.bits_per_cycle


def stated(cost: LayerCost) -> tuple[Problem, Mapping, NestArrays]:
    assert cost.problem is not None
    assert cost.mapping is not None
    sizes = dict(zip(DIMENSIONS, cost.problem.nest.sizes, strict=True))
    return cost.problem, cost.mapping, NestArrays.of(loops_of(cost.problem, cost.mapping), dict(sizes))


def moved(cost: LayerCost) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Bits read and written by all instances, as the closed form of the traffic has them."""
    levels = stated(cost)[0].levels
    bits = {
        (levels[x.level].name, x.memory, str(x.operand)): (float(x.read_bits), float(x.write_bits))
        for x in cost.traffic
    }
    return {place: both for place, both in bits.items() if any(both)}


def works(cost: LayerCost) -> dict[str, Work]:
    """Work of every port with a limit, by its name, as the closed form of one instance's traffic has it."""
    layer, mapping, nest = stated(cost)
    bypass = tuple(level.bypass for level in mapping.levels)
    bare = {(x.level, x.operand): x for x in accesses(layer, flows(layer, nest, bypass))}
    read: dict[tuple[int, str], float] = defaultdict(float)
    written: dict[tuple[int, str], float] = defaultdict(float)
    for x in cost.traffic:  # biases, which only levels see that the chip has one of
        own = bare.get((x.level, x.operand))
        read[x.level, x.memory] += float(x.read_bits) - float(own.read_bits if own else 0)
        written[x.level, x.memory] += float(x.write_bits) - float(own.write_bits if own else 0)
    found = {}
    for index, level in enumerate(layer.levels):
        for x in accesses(layer, flows(layer, nest.seen_by_one(index), bypass)):
            if x.level == index:
                read[index, x.memory] += float(x.read_bits)
                written[index, x.memory] += float(x.write_bits)
        for memory in level.memories:
            down, up = read[index, memory.name], written[index, memory.name]
            ends = (
                (memory.name, memory.bandwidth, down + up),
                (f"{memory.name} read", memory.read_bandwidth, down),
                (f"{memory.name} write", memory.write_bandwidth, up),
            )
            for name, width, bits in ends:
                if width is not None and bits:
                    alone = memory.buffering == "single" and index > 0
                    found[name] = Work(bits, 8 * width.bytes_per_cycle(layer.hardware.clock), alone)
    return found


def least(cost: LayerCost) -> float:
    """No machine takes less: the array and what it rests for, any other port, the vector unit."""
    ports = works(cost).values()
    alone = cost.busy["compute"] + sum(port.cycles for port in ports if port.alone)
    others = max((port.cycles for port in ports if not port.alone), default=0.0)
    return cost.busy["launch"] + max(alone, others, cost.busy.get("vector", 0.0))


def most(cost: LayerCost) -> float:
    """No machine takes more: everything one after another."""
    ports = sum(port.cycles for port in works(cost).values())
    return cost.busy["launch"] + cost.busy["compute"] + ports + cost.busy.get("vector", 0.0)


def blocks(cost: LayerCost) -> set[tuple[int, ...]]:
    """Iterations with work of the loops above the innermost level, found step by step."""
    layer, mapping, _ = stated(cost)
    hardware = layer.hardware
    lanes = next((axis for axis in layer.levels[-1].fanout if axis not in hardware.levels[-1].fanout), None)
    schedule = Schedule(layer.nest, flatten(hardware, mapping, lanes), len(hardware.levels))
    last = len(hardware.levels) - 1
    outside = [k for k, loop in enumerate(schedule.temporal[-1]) if loop.bound > 1 and loop.level < last]
    return {tuple(time[k] for k in outside) for time in schedule.times()}


class Watched(Space):
    """Room that is looked at whenever it changes."""

    def take(self, bits: int) -> None:
        super().take(bits)
        assert self.held >= 0
        assert self.capacity is None or self.held <= self.capacity

    def leave(self, bits: int) -> None:
        super().leave(bits)
        assert self.held >= 0


def watched(cost: LayerCost, *, exact: bool) -> tuple[Played, list[Space]]:
    """A layer played, and the rooms that it was played in."""
    spaces: list[Space] = []

    def space(name: str, capacity: int | None, streaming: bool) -> Space:
        spaces.append(Watched(name, capacity, streaming))
        return spaces[-1]

    with patch("hwsim.simulate.layer.machine.Space", space):
        return play(cost, exact=exact), spaces


@settings(max_examples=150)
@given(limited(bandwidths=False, fill_and_drain=False), st.booleans())
def test_without_limits_it_takes_the_closed_form(cost: LayerCost, exact: bool) -> None:
    """Ports without limits never make the datapath wait, however small the memories are."""
    played = play(cost, exact=exact)
    assert played.cycles == pytest.approx(cost.cycles, rel=ROUNDING)
    assert played.busy == {"compute": pytest.approx(cost.cycles, rel=ROUNDING)}
    assert not played.stalls


@settings(max_examples=80)
@given(limited())
def test_limits_that_are_not_looked_at(cost: LayerCost) -> None:
    """Array and vector unit are what is left: one after another at worst, on results that are not out before."""
    cycles = play(cost, bounded=False).cycles - cost.busy["launch"]
    compute, vector = cost.busy["compute"], cost.busy.get("vector", 0.0)
    assert max(compute, vector) * (1 - ROUNDING) <= cycles <= (compute + vector) * (1 + ROUNDING)


@settings(max_examples=200)
@given(limited(buffering=("double", "streaming"), fill_and_drain=False))
def test_no_faster_than_the_closed_form_and_no_slower_than_its_parts(cost: LayerCost) -> None:
    cycles = play(cost).cycles
    assert cost.cycles * (1 - ROUNDING) <= cycles <= most(cost) * (1 + ROUNDING)


@settings(max_examples=200)
@given(limited(fill_and_drain=True))
def test_single_buffers_and_waves(cost: LayerCost) -> None:
    """The closed form is no lower bound here, for it adds to the part that binds what may overlap with it.

    The transfers of a single-buffered memory keep the array waiting, but not the ports of other memories; and a port
    that binds is itself at work during the first and the last wave.
    """
    cycles = play(cost).cycles
    assert least(cost) * (1 - ROUNDING) <= cycles <= most(cost) * (1 + ROUNDING)


@settings(max_examples=200)
@given(limited())
def test_everything_moves_once_and_every_moment_is_accounted_for(cost: LayerCost) -> None:
    played = play(cost)
    assert played.moved == moved(cost)
    assert played.tiles == len(blocks(cost))
    ports = works(cost)
    busy = dict(played.busy)
    assert busy.pop("compute") == pytest.approx(cost.busy["compute"], rel=ROUNDING)
    assert busy.pop("vector", 0.0) == pytest.approx(cost.busy.get("vector", 0.0), rel=ROUNDING)
    assert busy == {name: pytest.approx(port.cycles, rel=ROUNDING) for name, port in ports.items()}
    assert played.busy["compute"] + sum(played.stalls.values()) == pytest.approx(played.cycles, rel=ROUNDING)
    assert all(cycles > 0 for cycles in played.stalls.values())
    assert played.stalls.get("launch", 0.0) == cost.busy["launch"]


@settings(max_examples=150)
@given(limited())
def test_no_memory_holds_more_than_it_can(cost: LayerCost) -> None:
    """At any event of a run that plays them all, and in sum of one that skips; in the end nothing is left."""
    played, spaces = watched(cost, exact=True)
    layer, _, _ = stated(cost)
    stay = Counter[str]()
    for operand in layer.resident:
        home = layer.home(operand)
        stay[layer.memory(home, operand).name] += at_home(layer, operand)
    assert {space.name: space.held for space in spaces} == {space.name: stay[space.name] for space in spaces}
    assert played.peak == {space.name: space.peak for space in spaces}
    for level in layer.levels[1:]:
        for memory in level.memories:
            assert memory.size is None or played.peak[memory.name] <= 8 * memory.size
    assert {space.name: space.held for space in watched(cost, exact=False)[1]} == {x.name: x.held for x in spaces}


def test_skipping_changes_nothing() -> None:
    tiles = skipped = 0

    @settings(max_examples=120)
    @given(limited(nests=loop_nests(macs=3000, size=24), steps=3000))
    def same(cost: LayerCost) -> None:
        nonlocal tiles, skipped
        exact, quick = play(cost, exact=True), play(cost)
        assert exact.skipped == 0
        assert 0 <= quick.skipped <= quick.tiles
        assert replace(quick, events=0, skipped=0) == replace(exact, events=0, skipped=0)
        tiles, skipped = tiles + quick.tiles, skipped + quick.skipped

    same()
    assert skipped > tiles / 4


@settings(max_examples=100)
@given(limited())
def test_slices_are_what_resources_did(cost: LayerCost) -> None:
    """No resource does two things at once, each is at work for as long as it says, and every tile is computed once."""
    played = play(cost, exact=True, record=True)
    assert replace(played, slices=()) == play(cost, exact=True)
    tracks = defaultdict(list)
    for piece in played.slices:
        assert piece.cycles > 0
        tracks[piece.track].append(piece)
    assert tracks.keys() == played.busy.keys()
    for track, pieces in tracks.items():
        pieces.sort(key=lambda piece: piece.start)
        assert pieces[0].start >= cost.busy["launch"]
        assert pieces[-1].start + pieces[-1].cycles <= played.cycles * (1 + ROUNDING)
        for one, following in pairwise(pieces):
            assert one.start + one.cycles <= following.start * (1 + ROUNDING)
        assert sum(piece.cycles for piece in pieces) == pytest.approx(played.busy[track], rel=ROUNDING)
    names = [piece.name for piece in tracks["compute"]]
    assert len(set(names)) == len(names) == len(blocks(cost))


@settings(max_examples=80)
@given(limited(systolic=False), st.sampled_from((2, 3, 8)))
def test_everything_faster(cost: LayerCost, times: int) -> None:
    """Ports, array, vector unit and launch so many times as fast: each moment comes in so many times less."""
    layer = rated(stated(cost)[0], times, launch=stated(cost)[0].hardware.launch / times)
    faster = replace(layer, mode=replace(layer.mode, rate=layer.mode.rate * times))
    vector = {"vector": cost.busy["vector"] / times} if "vector" in cost.busy else {}
    before, after = play(cost), play(replace(cost, problem=faster, busy=cost.busy | vector))
    assert after.cycles * times == pytest.approx(before.cycles, rel=ROUNDING)
    for one, other in ((before.busy, after.busy), (before.stalls, after.stalls)):
        assert {name: cycles * times for name, cycles in other.items()} == pytest.approx(one, rel=ROUNDING)
    assert after.moved == before.moved
    assert after.peak == before.peak


@settings(max_examples=60)
@given(limited(launch=0.0), st.sampled_from((1e6, 1.545e9)))
def test_rates_by_the_second(cost: LayerCost, clock: float) -> None:
    """What ports move in a second, on a chip of another clock: nothing but the clock tells it from bytes per cycle."""
    assert play(replace(cost, problem=rated(stated(cost)[0], clock, "second", clock=clock))) == play(cost)


def rated(layer: Problem, times: float, per: Literal["second", "cycle"] = "cycle", **fields: float) -> Problem:
    """The same layer on a chip whose ports move so many times as much."""
    levels = []
    for level in layer.hardware.levels:
        memories = []
        for memory in level.memories:
            ports = {port: getattr(memory, port) for port in ("bandwidth", "read_bandwidth", "write_bandwidth")}
            update = {port: Bandwidth(width.amount * times, per) for port, width in ports.items() if width is not None}
            memories.append(memory.model_copy(update=update))
        levels.append(level.model_copy(update={"memories": tuple(memories)}))
    hardware = layer.hardware.model_copy(update={"levels": tuple(levels)} | fields)
    bits = layer.precision.weight_bits, layer.precision.activation_bits, layer.precision.output_bits
    return problem(layer.nest, hardware, *bits, resident=layer.resident)


@pytest.mark.slow
@settings(max_examples=1500)
@given(limited())
def test_no_machine_is_stuck(cost: LayerCost) -> None:
    """Nor does skipping change anything of it."""
    exact, quick = play(cost, exact=True), play(cost)
    assert least(cost) * (1 - ROUNDING) <= exact.cycles <= most(cost) * (1 + ROUNDING)
    assert replace(quick, events=0, skipped=0) == replace(exact, events=0, skipped=0)
