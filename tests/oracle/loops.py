"""Where every instance of a mapped loop nest stands at a step, and which elements it touches from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from hwsim.mapping.mapping import LevelMapping, Mapping
from hwsim.operators.nest import DIMENSIONS, LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware

Element = tuple[int, ...]
Places = tuple[int, ...]
Block = dict[str, range]


@dataclass(frozen=True)
class PlacedLoop:
    """One loop of the whole nest.

    Args:
        tile: iterations of its dimension that each of its own steps covers.
        level: index of the level that it belongs to.
        axis: what unrolls it, if anything.
    """

    dim: str
    bound: int
    tile: int
    level: int
    axis: Axis | None = None


def flatten(hardware: Hardware, mapping: Mapping, lanes_axis: Axis | None = None) -> tuple[PlacedLoop, ...]:
    """All loops of a mapping, outermost first; a level that the mapping leaves out has none."""
    given = {level.level: level for level in mapping.levels}
    bare: list[tuple[str, int, int, Axis | None]] = []
    for i, level in enumerate(hardware.levels):
        axes = {axis.name: axis for axis in level.fanout}
        if lanes_axis is not None and i == len(hardware.levels) - 1:
            axes[lanes_axis.name] = lanes_axis
        chosen = given.get(level.name, LevelMapping(level.name))
        bare += [(loop.dim, loop.bound, i, None) for loop in chosen.temporal]
        bare += [(loop.dim, loop.bound, i, axes[loop.axis]) for loop in chosen.spatial]
    return tuple(
        PlacedLoop(dim, bound, prod(b for d, b, _, _ in bare[j + 1 :] if d == dim), i, axis)
        for j, (dim, bound, i, axis) in enumerate(bare)
    )


def touched(nest: LoopNest, operand: Operand, block: Block) -> set[Element]:
    """Elements of an operand that a block of iterations touches."""
    n, g, k, c, p, q, r, s = (block[dim] for dim in DIMENSIONS)
    if operand is Operand.WEIGHTS:
        return set(product(g, k, c, r, s))
    if operand is Operand.OUTPUTS:
        return set(product(n, g, k, p, q))
    (down, right), (below, beside) = nest.stride, nest.dilation
    rows = {i * down + j * below for i, j in product(p, r)}
    columns = {i * right + j * beside for i, j in product(q, s)}
    return set(product(n, g, c, rows, columns))


def home(hardware: Hardware, operand: Operand) -> int | None:
    """Where an operand lives that stays on the chip: the first level inside the outermost that keeps it, if the chip
    has one of it."""
    for i, level in enumerate(hardware.levels):
        if i > 0 and level.memory(operand) is not None:
            alone = all(axis.size == 1 for above in hardware.levels[:i] for axis in above.fanout)
            return i if alone else None
    return None


class Schedule:
    """The loops of a mapping over a nest, looked at level by level; the level after the last is the datapath."""

    def __init__(self, nest: LoopNest, loops: tuple[PlacedLoop, ...], levels: int) -> None:
        self.sizes = dict(zip(DIMENSIONS, nest.sizes, strict=True))
        self.loops = loops
        above = [[loop for loop in loops if loop.level < i] for i in range(levels + 1)]
        #: Temporal and spatial loops above each level.
        self.temporal = [[loop for loop in each if loop.axis is None] for each in above]
        self.spatial = [[loop for loop in each if loop.axis is not None] for each in above]
        #: Iterations of each dimension in a full tile of each level.
        self.extent = [
            {dim: prod(loop.bound for loop in loops if loop.level >= i and loop.dim == dim) for dim in DIMENSIONS}
            for i in range(levels + 1)
        ]

    def times(self) -> Iterator[Places]:
        """Indices of all temporal loops, step after step, for as long as the chip in lock step spends time on them."""
        for time in product(*(range(loop.bound) for loop in self.temporal[-1])):
            base = dict.fromkeys(DIMENSIONS, 0)
            unrolled: set[str] = set()
            index = iter(time)
            for loop in self.loops:
                if loop.axis is None:
                    base[loop.dim] += next(index) * loop.tile * (loop.dim not in unrolled)
                elif loop.bound > 1:
                    unrolled.add(loop.dim)
            if all(base[dim] < size for dim, size in self.sizes.items()):
                yield time

    def working(self, level: int, time: Places) -> Iterator[tuple[Places, Block]]:
        """Instances of a level that have work, each with the iterations that its tile covers."""
        start = dict.fromkeys(DIMENSIONS, 0)
        for loop, index in zip(self.temporal[level], time, strict=False):
            start[loop.dim] += index * loop.tile
        extent, spatial = self.extent[level], self.spatial[level]
        for instance in product(*(range(loop.bound) for loop in spatial)):
            own = dict(start)
            for loop, index in zip(spatial, instance, strict=True):
                own[loop.dim] += index * loop.tile
            if all(own[dim] < size for dim, size in self.sizes.items()):
                yield instance, {dim: range(own[dim], min(own[dim] + extent[dim], n)) for dim, n in self.sizes.items()}
