"""A mapped loop nest, executed: buffers with real words in them, moved step by step and counted as they move.

Slow and literal on purpose. Nothing here knows a formula for traffic; every count is the length of a set of elements
that was just copied, and the program computes the layer: the outermost level ends with the convolution's output, or a
test fails. What the program is:

* **Time.** All instances of the chip go through the temporal loops of the mapping together, in order. At one step an
  instance of a level has the indices of the temporal loops above it, common to all, and of the spatial loops above it,
  its own. An instance whose indices lie past the size of a dimension has no work: it fills nothing, reads nothing.
* **Tiles.** The tile of an operand at an instance is every element that the loops inside it can touch from there, cut
  off at the sizes of the nest. An input tile has the elements touched, not their bounding box.
* **When a tile moves.** The copy stands in the loop nest just inside the innermost temporal loop above the child that
  has a bound above 1 and indexes the operand; loops further in repeat over the same tile, whichever level they belong
  to. Each iteration of that loop copies the whole tile anew: a halo that two successive tiles share is fetched twice,
  and a loop of which only the first iteration has work fetches each time it is entered, for the program compares no
  tags. Loops of bound 1 are no loops.
* **Who fills.** Every instance with work gets one copy of its tile: one write a word. An instance that has no work in
  the last wave keeps what it had.
* **What the parent reads.** The parent is the nearest level outside that keeps the operand. One read serves every
  instance under the same parent instance that fills the word at this step, through all fan-outs between the two: words
  that spatial neighbours share (multicast, halo, input diagonals) are read once. Instances at different places on an
  axis without multicast are served apart.
* **The datapath** holds nothing: it is the child of the innermost level that keeps the operand, and its tile of one
  word moves at every step.
* **Partial sums.** An output visit lasts from one move of the output tile to the next. At its start the words which the
  parent instance holds already are read back (one read there, one write here); others start from zero, which costs
  nothing. Under an axis with reduction, instances that hold the same word form a group: the first of them reads back,
  the others start from zero, and at the end their words (one read each) are added on the way up into one write of the
  parent. Under an axis without reduction each place on the axis is a group of its own. Only the first group reads back;
  what the others send is added where it arrives (one more read there). A word that the parent instance itself started
  from zero in its present visit, and that nobody has drained to yet, is not held: its first visit below reads nothing
  back.
* **What stays on the chip.** A resident operand lies whole in its home, the first level inside the outermost that keeps
  it, from before the first step, or (outputs) to after the last one. Nothing further out ever sees it.
* **Lock step.** A wave of instances lasts as long as a full tile, for nobody below a fan-out over a dimension can stop
  early on that dimension alone. So a step is skipped when a temporal loop outside the outermost spatial loop over its
  dimension (or any, where the dimension is not unrolled) has passed the size, and takes one unit of time otherwise.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import DIMENSIONS, RELEVANT, LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware
from tests.oracle.loops import Element, Places, Schedule, flatten, home, touched

Instance = tuple[int, ...]

READ, WRITE = "read", "write"


@dataclass(frozen=True)
class Executed:
    """What an execution did.

    Args:
        reads, writes: words by (level name, operand), over all instances.
        busiest: (reads, writes) of the instance with the most of both together, by (level name, operand) [words].
        peak: most words that one instance of a memory held at a time, by (level name, memory name).
        steps: units of time in lock step.
        macs: multiplications done.
        weights, inputs: the operands, shaped (G, K, C, R, S) and (N, G, C, height, width).
        output: what the outermost level, or the home of resident outputs, held at the end, shaped (N, G, K, P, Q).
    """

    reads: dict[tuple[str, Operand], int]
    writes: dict[tuple[str, Operand], int]
    busiest: dict[tuple[str, Operand], tuple[int, int]]
    peak: dict[tuple[str, str], int]
    steps: int
    macs: int
    weights: NDArray[np.int64]
    inputs: NDArray[np.int64]
    output: NDArray[np.int64]


def convolve(nest: LoopNest, weights: NDArray[np.int64], inputs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The layer's output (N, G, K, P, Q), straight from the definition."""
    rows = np.arange(nest.P)[:, None] * nest.stride[0] + np.arange(nest.R) * nest.dilation[0]
    columns = np.arange(nest.Q)[:, None] * nest.stride[1] + np.arange(nest.S) * nest.dilation[1]
    windows = inputs[:, :, :, rows[:, :, None, None], columns]  # n g c p r q s
    result: NDArray[np.int64] = np.einsum("gkcrs,ngcprqs->ngkpq", weights, windows)
    return result


def execute(
    nest: LoopNest,
    hardware: Hardware,
    mapping: Mapping,
    lanes_axis: Axis | None = None,
    resident: frozenset[Operand] = frozenset(),
) -> Executed:
    """Run a mapping on random small integers and count what moves.

    Args:
        lanes_axis: lanes of the datapath, one more axis at the end of the innermost level's fan-out.
        resident: operands that stay on the chip.
    """
    return _Run(nest, hardware, mapping, lanes_axis, resident).run()


def alone(
    nest: LoopNest, hardware: Hardware, mapping: Mapping, level: str, lanes_axis: Axis | None = None
) -> tuple[LoopNest, Mapping]:
    """What one instance of a level has to do if it gets a full tile in every wave.

    The spatial loops above it are gone, and each dimension that they unroll has shrunk to its waves, every one of them
    a full tile.
    """
    names = [spec.name for spec in hardware.levels]
    depth = names.index(level)
    sizes = dict(zip(DIMENSIONS, nest.sizes, strict=True))
    for loop in flatten(hardware, mapping, lanes_axis):
        if loop.axis is not None and loop.level < depth and loop.bound > 1:
            sizes[loop.dim] = ceil(ceil(sizes[loop.dim] / loop.tile) / loop.bound) * loop.tile
    levels = tuple(replace(each, spatial=()) if names.index(each.level) < depth else each for each in mapping.levels)
    return LoopNest(**sizes, stride=nest.stride, dilation=nest.dilation), Mapping(levels)


@dataclass
class _Link:
    """A parent and a child level that keep an operand, with nobody between who does; the child may be the datapath.

    Args:
        key: how many of the temporal loops decide when the tile moves.
        apart: positions, among the spatial indices of a child instance, of axes that do not share words.
        now: the temporal indices at which the present tile came.
        visitors: groups of child instances that hold an output word of a parent instance.
    """

    operand: Operand
    parent: int
    child: int
    key: int
    apart: tuple[int, ...]
    now: Places | None = None
    visitors: dict[tuple[Instance, Element], dict[Places, list[Instance]]] = field(default_factory=dict)


class _Run:
    def __init__(
        self,
        nest: LoopNest,
        hardware: Hardware,
        mapping: Mapping,
        lanes_axis: Axis | None,
        resident: frozenset[Operand],
    ) -> None:
        self.nest, self.hardware = nest, hardware
        self.top = {operand: (home(hardware, operand) or 0) if operand in resident else 0 for operand in Operand}
        self.depth = len(hardware.levels)  # the datapath's place in the hierarchy
        self.schedule = Schedule(nest, flatten(hardware, mapping, lanes_axis), self.depth)
        self.bypass = {level.level: level.bypass for level in mapping.levels}
        # buffers[level, operand][instance][element]: the words that lie there now; an output that starts from zero is
        # absent until it is first written.
        self.buffers: dict[tuple[int, Operand], dict[Instance, dict[Element, int]]] = defaultdict(dict)
        self.held: dict[tuple[int, Operand], Counter[Instance]] = defaultdict(Counter)
        self.count: Counter[tuple[str, int, Operand, Instance]] = Counter()
        self.peak: Counter[tuple[int, str]] = Counter()
        self.links = [link for operand in Operand for link in self._chain(operand)]

    def run(self) -> Executed:
        weights, inputs = self._load()
        steps = macs = 0
        for time in self.schedule.times():
            steps += 1
            self._move(time)
            macs += self._multiply(time)
        self._drain([link for link in self.links if link.operand is Operand.OUTPUTS])
        output = np.zeros((self.nest.N, self.nest.G, self.nest.K, self.nest.P, self.nest.Q), dtype=np.int64)
        for element, value in self.buffers[self.top[Operand.OUTPUTS], Operand.OUTPUTS][()].items():
            output[element] = value
        return Executed(
            self._total(READ), self._total(WRITE), self._busiest(), self._peak(), steps, macs, weights, inputs, output
        )

    def _chain(self, operand: Operand) -> Iterator[_Link]:
        keeping = [
            i
            for i, level in enumerate(self.hardware.levels)
            if level.memory(operand) is not None and operand not in self.bypass.get(level.name, ())
        ]
        keeping = [i for i in keeping if i >= self.top[operand]]
        assert keeping[0] == self.top[operand], f"the outermost level that may hold the {operand} keeps them"
        for parent, child in zip(keeping, [*keeping[1:], self.depth], strict=True):
            movers = [
                j
                for j, loop in enumerate(self.schedule.temporal[child])
                if loop.bound > 1 and (child == self.depth or loop.dim in RELEVANT[operand])
            ]
            sharing = "reduction" if operand is Operand.OUTPUTS else "multicast"
            apart = tuple(
                j
                for j, loop in enumerate(self.schedule.spatial[child])
                if loop.level >= parent and not getattr(loop.axis, sharing)
            )
            yield _Link(operand, parent, child, max(movers, default=-1) + 1, apart)

    # The program

    def _load(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Put random operands into the outermost level, or into their home."""
        nest, random = self.nest, np.random.default_rng(0)
        height = (nest.P - 1) * nest.stride[0] + (nest.R - 1) * nest.dilation[0] + 1
        width = (nest.Q - 1) * nest.stride[1] + (nest.S - 1) * nest.dilation[1] + 1
        weights = random.integers(-9, 10, (nest.G, nest.K, nest.C, nest.R, nest.S))
        inputs = random.integers(-9, 10, (nest.N, nest.G, nest.C, height, width))
        ((_, whole),) = self.schedule.working(0, ())
        for operand, array in ((Operand.WEIGHTS, weights), (Operand.INPUTS, inputs), (Operand.OUTPUTS, None)):
            tile = touched(self.nest, operand, whole)
            top = self.top[operand]
            self.held[top, operand][()] = len(tile)
            self.buffers[top, operand][()] = {} if array is None else {element: int(array[element]) for element in tile}
        return weights, inputs

    def _move(self, time: Places) -> None:
        """Drain the tiles that go, innermost first, and fill the tiles that come, outermost first."""
        moved = [link for link in self.links if link.now != time[: link.key] or link.child == self.depth]
        self._drain([link for link in moved if link.operand is Operand.OUTPUTS])
        for link in moved:
            link.now = time[: link.key]
            if link.operand is Operand.OUTPUTS:
                self._visit(link, time)
            else:
                self._fill(link, time)
        self._note_peak({link.child for link in moved})

    def _fill(self, link: _Link, time: Places) -> None:
        served: dict[tuple[Instance, Places], set[Element]] = defaultdict(set)
        for child, covers in self.schedule.working(link.child, time):
            parent, tile = self._parent(link, child), touched(self.nest, link.operand, covers)
            source = self.buffers[link.parent, link.operand][parent]
            self.buffers[link.child, link.operand][child] = {element: source[element] for element in tile}
            self.held[link.child, link.operand][child] = len(tile)
            self._tally(WRITE, link.child, link.operand, child, len(tile))
            served[parent, self._place(link, child)] |= tile
        for (parent, _), words in served.items():
            self._tally(READ, link.parent, link.operand, parent, len(words))

    def _visit(self, link: _Link, time: Places) -> None:
        link.visitors = {}
        for child, covers in self.schedule.working(link.child, time):
            parent, tile = self._parent(link, child), touched(self.nest, Operand.OUTPUTS, covers)
            self.buffers[link.child, Operand.OUTPUTS][child] = {}
            self.held[link.child, Operand.OUTPUTS][child] = len(tile)
            for element in tile:
                groups = link.visitors.setdefault((parent, element), {})
                groups.setdefault(self._place(link, child), []).append(child)
        for (parent, element), groups in link.visitors.items():
            above = self.buffers[link.parent, Operand.OUTPUTS][parent]
            if element in above:
                first = next(iter(groups.values()))[0]
                self._tally(READ, link.parent, Operand.OUTPUTS, parent)
                self._tally(WRITE, link.child, Operand.OUTPUTS, first)
                self.buffers[link.child, Operand.OUTPUTS][first][element] = above[element]

    def _drain(self, links: list[_Link]) -> None:
        for link in sorted(links, key=lambda link: -link.child):
            below = self.buffers[link.child, Operand.OUTPUTS]
            for (parent, element), groups in link.visitors.items():
                above = self.buffers[link.parent, Operand.OUTPUTS][parent]
                for turn, group in enumerate(groups.values()):
                    for child in group:
                        self._tally(READ, link.child, Operand.OUTPUTS, child)
                    update = sum(below[child].pop(element) for child in group)
                    if turn > 0:
                        self._tally(READ, link.parent, Operand.OUTPUTS, parent)
                        update += above[element]
                    above[element] = update
                    self._tally(WRITE, link.parent, Operand.OUTPUTS, parent)
            link.visitors = {}

    def _multiply(self, time: Places) -> int:
        """One multiply-accumulate in every datapath that has work."""
        macs = 0
        for instance, covers in self.schedule.working(self.depth, time):
            (weight,) = self.buffers[self.depth, Operand.WEIGHTS][instance].values()
            (data,) = self.buffers[self.depth, Operand.INPUTS][instance].values()
            (element,) = touched(self.nest, Operand.OUTPUTS, covers)
            sums = self.buffers[self.depth, Operand.OUTPUTS][instance]
            sums[element] = sums.get(element, 0) + weight * data
            macs += 1
        return macs

    def _parent(self, link: _Link, child: Instance) -> Instance:
        """The parent instance above a child instance."""
        return child[: len(self.schedule.spatial[link.parent])]

    @staticmethod
    def _place(link: _Link, child: Instance) -> Places:
        """Where a child stands on the axes that share nothing."""
        return tuple(child[j] for j in link.apart)

    # The counts

    def _tally(self, what: str, level: int, operand: Operand, instance: Instance, words: int = 1) -> None:
        if level < self.depth:
            self.count[what, level, operand, instance] += words

    def _total(self, what: str) -> dict[tuple[str, Operand], int]:
        total = {
            (self.hardware.levels[i].name, link.operand): 0
            for link in self.links
            for i in (link.parent, link.child)
            if i < self.depth
        }
        for (counted, i, operand, _), words in self.count.items():
            if counted == what:
                total[self.hardware.levels[i].name, operand] += words
        return total

    def _busiest(self) -> dict[tuple[str, Operand], tuple[int, int]]:
        most: dict[tuple[str, Operand], tuple[int, int]] = {}
        for _, i, operand, instance in self.count:
            name = (self.hardware.levels[i].name, operand)
            both = (self.count[READ, i, operand, instance], self.count[WRITE, i, operand, instance])
            most[name] = max(most.get(name, both), both, key=sum)
        return most

    def _note_peak(self, levels: set[int]) -> None:
        for i in levels - {self.depth} | set(self.top.values()):
            for memory in self.hardware.levels[i].memories:
                instances = {instance for operand in memory.keeps for instance in self.held[i, operand]}
                for instance in instances:
                    words = sum(self.held[i, operand][instance] for operand in memory.keeps)
                    self.peak[i, memory.name] = max(self.peak[i, memory.name], words)

    def _peak(self) -> dict[tuple[str, str], int]:
        return {(self.hardware.levels[i].name, memory): words for (i, memory), words in self.peak.items()}
