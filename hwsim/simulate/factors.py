"""The part that each dimension has in what a visit moves: how much of it a tile covers, or how often.

All amounts are counted over the digits of a program's loops, the temporal loops with more than one iteration above the
last level, numbered from the outermost. A digit at which the dimension has no work counts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.problem import Problem
from hwsim.cost.traffic import NestArrays
from hwsim.cost.windows import WINDOWS, reaches
from hwsim.operators.nest import DIMENSIONS, RELEVANT, Operand
from hwsim.simulate.tables import Factor

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sharing:
    """Which instances count as one: those side by side on the axes that can, below a level and down.

    Args:
        ability: what an axis has to have; nobody shares where it is empty.
        below: index of the outermost level whose fan-out counts.
    """

    ability: Literal["", "multicast", "reduction", "all"] = ""
    below: int = 0


@dataclass(frozen=True)
class _Loop:
    """A loop over one dimension; `position` among the program's loops, if it is one of them."""

    bound: int
    inner: int
    level: int
    position: int | None
    spatial: bool
    abilities: frozenset[str]


@dataclass(frozen=True)
class _Cut:
    """Tiles of one dimension.

    Args:
        positions: loops of the program that move the tile.
        starts: where a tile begins, an axis for each position and a last one for the tiles counted apart.
        covers: distances of a tile's elements from its beginning, in rising order.
    """

    positions: tuple[int, ...]
    starts: Ints
    covers: Ints

    def counts(self, size: int) -> Ints:
        """Elements of each tile that the dimension has."""
        if self.covers[-1] == len(self.covers) - 1:
            return np.clip(size - self.starts, 0, len(self.covers))
        return np.searchsorted(self.covers, size - self.starts).astype(np.int64)


@dataclass(frozen=True, eq=False)
class View:
    """A nest in the eyes of the chip, or of one instance of a level.

    Args:
        levels: how many the chip has.
    """

    sizes: dict[str, int]
    loops: dict[str, tuple[_Loop, ...]]
    window: tuple[tuple[int, int], tuple[int, int]]
    levels: int
    _known: dict[tuple[object, ...], Factor] = field(default_factory=dict)

    @staticmethod
    def of(problem: Problem, nest: NestArrays) -> View:
        """A nest whose bounds and sizes are plain numbers."""
        last = len(problem.levels) - 1
        loops: dict[str, list[_Loop]] = {dim: [] for dim in DIMENSIONS}
        position = 0
        for loop, inner in zip(nest.loops, nest.inner, strict=True):
            abilities = {"all"}
            if loop.axis is not None:
                axis = problem.levels[loop.level].fanout[loop.axis]
                abilities |= {name for name in ("multicast", "reduction") if getattr(axis, name)}
            mine = loop.axis is None and loop.level < last and bool(loop.bound > 1)
            loops[loop.dim].append(
                _Loop(
                    int(loop.bound),
                    int(inner),
                    loop.level,
                    position if mine else None,
                    loop.axis is not None,
                    frozenset(abilities),
                )
            )
            position += mine
        return View(
            {dim: int(size) for dim, size in nest.sizes.items()},
            {dim: tuple(own) for dim, own in loops.items()},
            (reaches(problem.nest, 0), reaches(problem.nest, 1)),
            last + 1,
        )

    def tile(self, operand: Operand, end: int, depth: int, sharing: Sharing) -> list[Factor]:
        """Words of an operand that come to all instances of level `end`, those counted once that share them.

        Args:
            depth: how many loops of the program decide on the visit.
        """
        factors: list[Factor] = []
        for dim in DIMENSIONS:
            if operand is Operand.INPUTS and dim in "PQRS":
                continue
            counted = self.words(dim, end, depth) if dim in RELEVANT[operand] else self.places(dim, end, depth, sharing)
            factors.append(counted)
        if operand is Operand.INPUTS:
            factors += [self._window(axis, end, depth, sharing) for axis in (0, 1)]
        return factors

    def words(self, dim: str, end: int, depth: int) -> Factor:
        """Iterations of a dimension in the tiles of all instances of a level."""
        key = ("words", dim, end, depth)
        if key not in self._known:
            cut = self._cut(dim, end, depth, Sharing())
            self._known[key] = (cut.positions, cut.counts(self.sizes[dim]).sum(axis=-1))
        return self._known[key]

    def places(
        self, dim: str, end: int, depth: int, sharing: Sharing | None = None, zero_from: int | None = None
    ) -> Factor:
        """Instances that have work, as far as a dimension tells them apart.

        Args:
            sharing: instances that count as one.
            zero_from: count only where the digits of all loops from this one inwards are 0.
        """
        sharing = sharing or Sharing("all")
        key = ("places", dim, end, depth, sharing, zero_from)
        if key not in self._known:
            cut = self._cut(dim, end, depth, sharing, inside=zero_from is None)
            counts = (cut.starts < self.sizes[dim]).sum(axis=-1)
            if zero_from is not None:
                counts = _first_only(counts, cut.positions, zero_from)
            self._known[key] = (cut.positions, counts)
        return self._known[key]

    def ending(self, dim: str, end: int, depth: int) -> Factor:
        """1 at the last visit that has work, as far as a dimension decides."""
        key = ("ending", dim, end, depth)
        if key not in self._known:
            positions, works = self.places(dim, end, depth)
            self._known[key] = (positions, _last_only(works > 0, positions, 0))
        return self._known[key]

    def pieces(self, operand: Operand, level: int, depth: int, until: int, final: bool) -> list[Factor]:
        """Words of a level's tile that its own loops use for the first (or the last) time within a visit.

        Args:
            depth: loops of the program that decide on the visit; until: those that decide on the piece.
            final: count the last use, not the first.
        """
        factors: list[Factor] = []
        for dim in DIMENSIONS:
            if operand is Operand.INPUTS and dim in "PQRS":
                continue
            key = ("piece", dim, level, until, *((depth, final) if dim not in RELEVANT[operand] else ()))
            if key not in self._known:
                cut = self._piece(dim, level, until)
                counts = cut.counts(self.sizes[dim])[..., 0]
                if dim not in RELEVANT[operand]:
                    only = _last_only if final else _first_only
                    counts = only((counts > 0).astype(np.int64), cut.positions, depth)
                self._known[key] = (cut.positions, counts)
            factors.append(self._known[key])
        if operand is Operand.INPUTS:
            factors += [self._window_piece(axis, level, depth, until, final) for axis in (0, 1)]
        return factors

    def trips(self, position: int) -> Factor:
        """Iterations with work of a loop of the program, by the digits of those outside it."""
        for dim, loops in self.loops.items():
            outer = [loop for loop in loops if loop.position is not None and loop.position <= position]
            if outer and outer[-1].position == position:
                loop = outer.pop()
                cut = _cut_by(outer, (), np.zeros(1, dtype=np.int64))
                left = -(-(self.sizes[dim] - cut.starts[..., 0]) // loop.inner)
                return cut.positions, np.clip(left, 0, loop.bound)
        raise AssertionError(f"no loop has position {position}")

    def _cut(self, dim: str, end: int, depth: int, sharing: Sharing, inside: bool = True) -> _Cut:
        """Tiles at level `end`; the loops of a block add up.

        Args:
            inside: whether the steps inside a block count apart from each other.
        """
        loops = [loop for loop in self.loops[dim] if loop.level < end]
        moving = [loop for loop in loops if loop.position is not None and loop.position < depth]
        together = [
            loop for loop in loops if loop.spatial and loop.level >= sharing.below and sharing.ability in loop.abilities
        ]
        apart = [
            loop
            for loop in loops
            if (loop.spatial and loop not in together)
            or (not loop.spatial and loop.level == self.levels - 1 and inside)
        ]
        extent = loops[-1].inner if loops else prod(loop.bound for loop in self.loops[dim])
        return _cut_by(moving, apart, _spans(together, min(extent, self.sizes[dim])))

    def _piece(self, dim: str, level: int, until: int) -> _Cut:
        """What an iteration of a level's loops covers, all instances below together."""
        loops = [loop for loop in self.loops[dim] if loop.level <= level and not loop.spatial]
        moving = [loop for loop in loops if loop.position is not None and loop.position < until]
        extent = loops[-1].inner if loops else prod(loop.bound for loop in self.loops[dim])
        return _cut_by(moving, (), _spans((), min(extent, self.sizes[dim])))

    def _window(self, axis: int, end: int, depth: int, sharing: Sharing) -> Factor:
        """Rows (axis 0) or columns (1) of the input that come, read once by those who share."""
        key = ("window", axis, end, depth, sharing)
        if key not in self._known:
            cuts = [self._cut(dim, end, depth, sharing) for dim in WINDOWS[axis]]
            kinds = [
                np.unique(cut.counts(self.sizes[dim]), return_inverse=True)
                for cut, dim in zip(cuts, WINDOWS[axis], strict=True)
            ]
            distinct = np.array(
                [
                    [self._touched(axis, cuts[0].covers[:p], cuts[1].covers[:r]) for r in kinds[1][0]]
                    for p in kinds[0][0]
                ],
                dtype=np.int64,
            )
            often = []
            for cut, (values, which) in zip(cuts, kinds, strict=True):
                hits = which.reshape(cut.starts.shape)[..., None] == np.arange(len(values))
                often.append(hits.sum(axis=-2))
            table = np.tensordot(often[0] @ distinct, often[1], axes=(-1, -1))
            self._known[key] = _sorted(cuts[0].positions + cuts[1].positions, table)
        return self._known[key]

    def _touched(self, axis: int, outputs: Ints, taps: Ints) -> int:
        """Distinct positions that a set of outputs and one of taps touch."""
        dilation, stride = self.window[axis]
        pixels, window = len(outputs), len(taps)
        if not pixels or not window:
            return 0
        if outputs[-1] == pixels - 1 and taps[-1] == window - 1:
            return pixels * window - max(pixels - dilation, 0) * max(window - stride, 0)
        return len(np.unique(outputs[:, None] * stride + taps * dilation))

    def _window_piece(self, axis: int, level: int, depth: int, until: int, final: bool) -> Factor:
        """Rows or columns that an iteration of a level's loops uses first (last) within a visit.

        The rows of an element's first use do not depend on its column: the iterations that touch it are those that
        touch its row and its column, and the first of a product is the product of the firsts.
        """
        key = ("window piece", axis, level, depth, until, final)
        if key in self._known:
            return self._known[key]
        own = [
            [
                loop
                for loop in self.loops[dim]
                if loop.level <= level and not loop.spatial and loop.position is not None and loop.position < until
            ]
            for dim in WINDOWS[axis]
        ]
        sizes = [self.sizes[dim] for dim in WINDOWS[axis]]
        loops = sorted(
            ((loop, which) for which in (0, 1) for loop in own[which]), key=lambda each: each[0].position or 0
        )
        visit = np.zeros(sizes, dtype=np.int64)  # of every pair of an output and a tap
        turn = np.zeros(sizes, dtype=np.int64)
        turns = 1
        for loop, which in loops:
            digit = np.arange(sizes[which]) // loop.inner % loop.bound
            digit = digit[:, None] if which == 0 else digit
            if loop.position is not None and loop.position < depth:
                visit = visit * loop.bound + digit
            else:
                turn = turn * loop.bound + digit
                turns *= loop.bound
        dilation, stride = self.window[axis]
        rows = np.arange(sizes[0])[:, None] * stride + np.arange(sizes[1]) * dilation
        order = np.lexsort((turn.ravel(), rows.ravel(), visit.ravel()))
        visit, turn, rows = (array.ravel()[order] for array in (visit, turn, rows))
        new = (np.diff(visit) != 0) | (np.diff(rows) != 0)
        chosen = np.append(new, True) if final else np.insert(new, 0, True)
        shape = [loop.bound for loop, _ in loops]
        counts = np.bincount(visit[chosen] * turns + turn[chosen], minlength=prod(shape)).reshape(shape)
        self._known[key] = (tuple(loop.position or 0 for loop, _ in loops), counts.astype(np.int64))
        return self._known[key]


def _cut_by(moving: list[_Loop], apart: list[_Loop] | tuple[()], covers: Ints) -> _Cut:
    starts = np.zeros((), dtype=np.int64)
    for loop in moving:
        starts = starts[..., None] + np.arange(loop.bound) * loop.inner
    starts = starts[..., None] + _spans(apart, 1)
    return _Cut(tuple(loop.position for loop in moving if loop.position is not None), starts, covers)


def _spans(loops: list[_Loop] | tuple[()], extent: int) -> Ints:
    """Distances that loops and a tile inside them cover, in rising order."""
    covered = np.zeros(1, dtype=np.int64)
    for loop in loops:
        covered = (covered[:, None] + np.arange(loop.bound) * loop.inner).ravel()
    return (covered[:, None] + np.arange(extent)).ravel()


def _first_only(counts: Ints, positions: tuple[int, ...], start: int) -> Ints:
    """Counts where the digits of all loops from a position inwards are 0."""
    result = np.zeros_like(counts)
    first = tuple(slice(None) if position < start else slice(0, 1) for position in positions)
    result[first] = counts[first]
    return result


def _last_only(works: NDArray[np.bool_] | Ints, positions: tuple[int, ...], start: int) -> Ints:
    """1 at the last digits, of the loops from a position inwards, that have work where the loops outside stand."""
    outside = prod(works.shape[: sum(position < start for position in positions)])
    flat = works.reshape(outside, -1)
    last = flat.shape[1] - 1 - np.argmax(flat[:, ::-1], axis=1)
    result = np.zeros(flat.shape, dtype=np.int64)
    result[np.arange(outside), last] = flat.any(axis=1)
    return result.reshape(works.shape)


def _sorted(positions: tuple[int, ...], array: Ints) -> Factor:
    order = sorted(range(len(positions)), key=lambda axis: positions[axis])
    return tuple(positions[axis] for axis in order), array.transpose(order)
