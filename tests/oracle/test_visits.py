"""What moves at every visit of a tile, against the mapped nest executed word by word and against the closed form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from hwsim.cost.access import accesses
from hwsim.cost.layer import loops_of
from hwsim.cost.problem import Problem, problem
from hwsim.cost.traffic import NestArrays, flows
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import DIMENSIONS, LoopNest, Operand
from hwsim.simulate.layer.tables import Table
from hwsim.simulate.layer.visits import Ends, Link, Program, program
from hwsim.spec.hardware import Axis, Hardware
from tests.oracle.executed import READ, WRITE, Instance, _Link, _Run, alone
from tests.oracle.loops import Element, Places, Schedule, flatten, touched
from tests.strategies import hardwares, loop_nests, mappings, one_mac, packing, residents

#: Bits of a weight, an input, a partial sum and a result: all different, so that no two can be mixed up.
WEIGHT, INPUT, PARTIAL, RESULT = 3, 5, 11, 7

STORED = {Operand.WEIGHTS: WEIGHT, Operand.INPUTS: INPUT, Operand.OUTPUTS: PARTIAL}

#: Where a word passes a link: what is done to it, and whether that is at the parent's end.
ENDS = {
    (READ, True): "down_reads",
    (WRITE, False): "down_writes",
    (READ, False): "up_reads",
    (WRITE, True): "up_writes",
}


class _Logged(_Run):
    """An execution that notes each word at the visit it moves at.

    `words[operand, parent, end][digits of the program's loops]`; `finished[operand, parent][digits]` counts elements
    that leave at that visit for the last time.
    """

    def __init__(self, stated: Problem, nest: LoopNest, mapping: Mapping, lanes: Axis | None) -> None:
        super().__init__(nest, stated.hardware, mapping, lanes, stated.resident)
        loops = self.schedule.temporal[-1]
        self.inside = [k for k, x in enumerate(loops) if x.bound > 1 and x.level < self.depth - 1]
        self.words: dict[tuple[Operand, int, str], Counter[Places]] = {
            (link.operand, link.parent, end): Counter() for link in self.links for end in ENDS.values()
        }
        self.left: dict[tuple[int, Element], Places] = {}
        self.run()

    def finished(self, parent: int) -> Counter[Places]:
        return Counter(digits for (level, _), digits in self.left.items() if level == parent)

    def _digits(self, time: Places) -> Places:
        return tuple(time[k] for k in self.inside if k < len(time))

    def _fill(self, link: _Link, time: Places) -> None:
        self.current = link
        super()._fill(link, time)

    def _visit(self, link: _Link, time: Places) -> None:
        self.current = link
        super()._visit(link, time)

    def _drain(self, links: list[_Link]) -> None:
        for link in sorted(links, key=lambda link: -link.child):
            self.current = link
            for _, element in link.visitors:
                assert link.now is not None
                self.left[link.parent, element] = self._digits(link.now)
            super()._drain([link])

    def _tally(self, what: str, level: int, operand: Operand, instance: Instance, words: int = 1) -> None:
        super()._tally(what, level, operand, instance, words)
        if level < self.depth:
            link = self.current
            assert link.now is not None
            self.words[operand, link.parent, ENDS[what, level == link.parent]][self._digits(link.now)] += words

    def bits(self, link: Link, end: str) -> dict[Places, int]:
        """What moved at each visit where anything did."""
        moved = {at: words * STORED[link.operand] for at, words in self.words[link.operand, link.parent, end].items()}
        if link.operand is Operand.OUTPUTS and link.child is not None and end.startswith("up"):
            for at, words in self.finished(link.parent).items():
                moved[at] += words * (RESULT - PARTIAL)
        return moved


@st.composite
def mapped(draw: st.DrawFn) -> tuple[Problem, Mapping, Axis | None]:
    """A small layer on a small chip, many with long sums; every other datapath has lanes."""
    sums = st.builds(LoopNest, K=st.integers(1, 3), C=st.integers(2, 12), R=st.integers(1, 3))
    nest, hardware = draw(st.one_of(loop_nests(), sums)), draw(hardwares())
    datapath = draw(st.sampled_from((one_mac(PARTIAL), packing(PARTIAL))))
    hardware = hardware.model_copy(update={"datapath": datapath})
    mode = datapath.mode(WEIGHT, INPUT)
    lanes = Axis(name="lanes", size=mode.lanes, dims=mode.lane_dims) if mode.lanes > 1 else None
    resident = draw(residents(hardware))
    stated = problem(nest, hardware, WEIGHT, INPUT, RESULT, resident=resident)
    return stated, draw(mappings(nest, hardware, lanes, resident=resident)), lanes


def iterations(played: Program, depth: int) -> Iterator[Places]:
    """All iterations with work of the first loops, in order."""
    index = [0] * len(played.loops)
    while True:
        yield tuple(index[:depth])
        if played.advance(index, depth) < 0:
            return


def values(played: Program, table: Table, depth: int) -> dict[Places, int]:
    """What a table says of each iteration where it says anything."""
    return {at: table.at(at) for at in iterations(played, depth) if table.at(at)}


def tables(link: Link) -> Iterator[Table]:
    for ends in (link.chip, link.at_parent, link.at_child or Ends()):
        yield from (ends.down_reads, ends.down_writes, ends.up_reads, ends.up_writes)
    yield from (link.back, link.tile)


@settings(max_examples=120)
@given(mapped())
def test_visits_add_up_to_the_closed_form(layer: tuple[Problem, Mapping, Axis | None]) -> None:
    stated, mapping, _ = layer
    bypass = tuple(level.bypass for level in mapping.levels)
    played = program(stated, mapping)
    nest = NestArrays.of(loops_of(stated, mapping), dict(zip(DIMENSIONS, stated.nest.sizes, strict=True)))
    assert played.steps.total() == nest.steps(len(stated.levels))
    assert moved(played, "chip") == closed_form(stated, nest, bypass)
    one = moved(played, "one")
    for level in range(len(stated.levels)):
        expected = closed_form(stated, nest.seen_by_one(level), bypass)
        for operand in Operand:
            assert one.get((level, operand)) == expected.get((level, operand))


def closed_form(
    stated: Problem, nest: NestArrays, bypass: tuple[tuple[Operand, ...], ...]
) -> dict[tuple[int, Operand], tuple[int, int]]:
    done = accesses(stated, flows(stated, nest, bypass))
    return {(access.level, access.operand): (int(access.read_bits), int(access.write_bits)) for access in done}


def moved(played: Program, view: str) -> dict[tuple[int, Operand], tuple[int, int]]:
    """Bits read and written by level and operand: of all instances, or of one of each level."""
    sums: dict[tuple[int, Operand], tuple[int, int]] = {}
    for link in played.links:
        parent = link.chip if view == "chip" else link.at_parent
        read, written = sums.get((link.parent, link.operand), (0, 0))
        sums[link.parent, link.operand] = (read + parent.down_reads.total(), written + parent.up_writes.total())
        child = link.chip if view == "chip" else link.at_child
        if link.child is not None and child is not None:
            sums[link.child, link.operand] = (child.up_reads.total(), child.down_writes.total())
    return sums


@settings(max_examples=120)
@given(mapped())
def test_every_visit_moves_what_the_execution_moves(layer: tuple[Problem, Mapping, Axis | None]) -> None:
    stated, mapping, lanes = layer
    played = program(stated, mapping)
    run = _Logged(stated, stated.nest, mapping, lanes)
    assert {(link.operand, link.parent) for link in played.links} == {(x.operand, x.parent) for x in run.links}
    for link in played.links:
        for end in ENDS.values():
            if link.child is not None or end in ("down_reads", "up_writes"):
                assert values(played, getattr(link.chip, end), link.depth) == nonzero(run.bits(link, end)), end
        for table in tables(link):
            assert sum(values(played, table, link.depth).values()) == table.total()


def nonzero(moved: dict[Places, int]) -> dict[Places, int]:
    return {at: bits for at, bits in moved.items() if bits}


@settings(max_examples=120)
@given(mapped(), st.data())
def test_one_instance_moves_what_it_would_alone(
    layer: tuple[Problem, Mapping, Axis | None], data: st.DataObject
) -> None:
    stated, mapping, lanes = layer
    played = program(stated, mapping)
    level = data.draw(st.sampled_from(sorted({link.parent for link in played.links})))
    run = _Logged(stated, *_alone(stated, mapping, lanes, level), lanes)
    for link in played.links:
        if link.parent == level:
            for end in ("down_reads", "up_writes"):
                assert values(played, getattr(link.at_parent, end), link.depth) == nonzero(run.bits(link, end)), end
        if link.child == level:
            for end in ("down_writes", "up_reads"):
                assert values(played, getattr(link.at_child, end), link.depth) == nonzero(run.bits(link, end)), end
            outputs = link.operand is Operand.OUTPUTS
            tile = run.words[link.operand, link.parent, "up_reads" if outputs else "down_writes"]
            assert values(played, link.tile, link.depth) == {at: n * STORED[link.operand] for at, n in tile.items()}
            back = nonzero(run.bits(link, "down_writes")) if outputs else {}
            assert values(played, link.back, link.depth) == back


def _alone(stated: Problem, mapping: Mapping, lanes: Axis | None, level: int) -> tuple[LoopNest, Mapping]:
    return alone(stated.nest, stated.hardware, mapping, stated.levels[level].name, lanes)


@settings(max_examples=120)
@given(mapped())
def test_pieces_are_the_words_used_first_and_last(layer: tuple[Problem, Mapping, Axis | None]) -> None:
    stated, mapping, lanes = layer
    played = program(stated, mapping)
    for link in played.links:
        if link.child is None or link.child == len(stated.levels) - 1:
            assert link.pieces is None
            continue
        assert link.pieces is not None
        depth = link.pieces.depth
        assert depth == sum(loop.level <= link.child for loop in played.loops)
        used = _used(stated.hardware, *_alone(stated, mapping, lanes, link.child), lanes, link, depth)
        assert list(used) == list(iterations(played, depth))
        for table, order in ((link.pieces.first, list(used)), (link.pieces.last, list(reversed(used)))):
            seen: dict[Places, set[Element]] = {}
            for at in order:
                before = seen.setdefault(at[: link.depth], set())
                assert table.at(at) == len(used[at] - before) * STORED[link.operand]
                before |= used[at]
            for visit, tile in seen.items():
                assert link.tile.at(visit) == len(tile) * STORED[link.operand]


def _used(
    hardware: Hardware, nest: LoopNest, mapping: Mapping, lanes: Axis | None, link: Link, depth: int
) -> dict[Places, set[Element]]:
    """Elements that the multiplications of each iteration touch, in the order of the program."""
    schedule = Schedule(nest, flatten(hardware, mapping, lanes), len(hardware.levels))
    loops = schedule.temporal[-1]
    inside = [k for k, x in enumerate(loops) if x.bound > 1 and x.level < len(hardware.levels) - 1][:depth]
    used: dict[Places, set[Element]] = {}
    for time in schedule.times():
        elements = used.setdefault(tuple(time[k] for k in inside), set())
        for _, block in schedule.working(len(hardware.levels), time):
            elements |= touched(nest, link.operand, block)
    return used


@settings(max_examples=120)
@given(mapped(), st.data())
def test_iterations_are_those_of_the_execution(
    layer: tuple[Problem, Mapping, Axis | None], data: st.DataObject
) -> None:
    stated, mapping, lanes = layer
    played = program(stated, mapping)
    levels = len(stated.levels)
    schedule = Schedule(stated.nest, flatten(stated.hardware, mapping, lanes), levels)
    inside = [k for k, x in enumerate(schedule.temporal[-1]) if x.bound > 1 and x.level < levels - 1]
    assert [(x.dim, x.bound) for x in played.loops] == [
        (schedule.temporal[-1][k].dim, schedule.temporal[-1][k].bound) for k in inside
    ]
    blocks = Counter(tuple(time[k] for k in inside) for time in schedule.times())
    assert list(iterations(played, len(inside))) == list(blocks)
    assert values(played, played.steps, len(inside)) == dict(blocks)
    assert played.blocks == len(blocks)
    for link in played.links:
        assert link.visits == len({at[: link.depth] for at in blocks})
    for at in blocks:
        for loop in range(len(inside)):
            same = {other[loop] for other in blocks if other[:loop] == at[:loop]}
            assert played.trips_at(loop, at) == len(same)
    depth = data.draw(st.integers(0, len(inside)))
    prefixes = list(dict.fromkeys(at[:depth] for at in blocks))
    index = [0] * depth + [99] * (len(inside) - depth)
    for before, after in zip(prefixes, [*prefixes[1:], None], strict=True):
        changed = played.advance(index, depth)
        assert index == [*(after or (0,) * depth), *[99] * (len(inside) - depth)]
        assert changed == (-1 if after is None else next(k for k in range(depth) if before[k] != after[k]))


@settings(max_examples=120)
@given(mapped())
def test_digits_of_one_kind_are_interchangeable(layer: tuple[Problem, Mapping, Axis | None]) -> None:
    stated, mapping, _ = layer
    played = program(stated, mapping)
    bounds = [loop.bound for loop in played.loops]
    everything = [(played.steps, len(bounds))]
    for link in played.links:
        everything += [(table, link.depth) for table in tables(link)]
        if link.pieces is not None:
            everything += [(link.pieces.first, link.pieces.depth), (link.pieces.last, link.pieces.depth)]
    dense = [_dense(bounds[:depth], table.at) for table, depth in everything if table.terms]
    dense += [_dense(bounds[:loop], lambda at, loop=loop: played.trips_at(loop, at)) for loop in range(len(bounds))]
    for loop, kinds in enumerate(played.kinds):
        assert kinds.shape == (bounds[loop],)
        for kind in set(kinds.tolist()):
            digits = np.flatnonzero(kinds == kind)
            for array in dense:
                if array.ndim > loop:
                    slices = np.take(array, digits, axis=loop)
                    assert (slices == np.take(slices, [0], axis=loop)).all()


def _dense(bounds: list[int], at: Callable[[Places], int]) -> NDArray[np.int64]:
    return np.array([at(index) for index in product(*map(range, bounds))]).reshape(bounds)
