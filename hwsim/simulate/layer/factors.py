"""The part that each dimension has in what a visit moves: how much of it a tile covers, or how often.

All amounts are counted over the digits of a program's loops, the temporal loops with more than one iteration above the
last level, numbered from the outermost. A digit at which the dimension has no work counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from sys import maxsize

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.problem import Problem
from hwsim.cost.traffic import NestArrays
from hwsim.cost.windows import WINDOWS, reaches
from hwsim.operators.nest import DIMENSIONS, RELEVANT, Operand
from hwsim.simulate.layer.tables import Factor

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sharing:
    """Which instances count as one: those side by side on the axes that can, below a level and down.

    Args:
        ability: what an axis has to have, if anything: "multicast" or "reduction".
        below: index of the outermost level whose fan-out counts.
    """

    ability: str = ""
    below: int = 0

    def counts_once(self, level: int, abilities: Sequence[str]) -> bool:
        """Whether the instances on an axis count as one."""
        return level >= self.below and (not self.ability or self.ability in abilities)


#: All instances count as one; each counts.
EVERYBODY, NOBODY = Sharing(), Sharing(below=maxsize)


@dataclass(frozen=True, eq=False)
class _Loop:
    """A loop over one dimension; `position` among the program's loops, if it is one of them."""

    bound: int
    inner: int
    level: int
    position: int | None
    spatial: bool
    abilities: tuple[str, ...]

    @property
    def steps(self) -> Ints:
        """Where the tile inside begins at each iteration."""
        return np.arange(self.bound, dtype=np.int64) * self.inner


@dataclass(frozen=True)
class _Cut:
    """Tiles of one dimension, as loops of it: those that move the tile, those whose tiles count apart, and those whose
    tiles count as one, around a tile of `extent`."""

    moving: tuple[_Loop, ...]
    apart: tuple[_Loop, ...] = ()
    together: tuple[_Loop, ...] = ()
    extent: int = 1

    @property
    def positions(self) -> tuple[int, ...]:
        return tuple(loop.position for loop in self.moving if loop.position is not None)

    @property
    def starts(self) -> Ints:
        """Where a tile begins: an axis for each moving loop, and a last one for the tiles that count apart."""
        starts = np.zeros((), dtype=np.int64)
        for loop in self.moving:
            starts = starts[..., None] + loop.steps
        return starts[..., None] + _spans(self.apart)

    @property
    def covered(self) -> int | Ints:
        """How many elements a full tile has in a row, or, where there are gaps, how far they lie from its beginning."""
        extent = self.extent
        for loop in reversed(self.together):
            if loop.inner != extent:
                return (_spans(self.together)[:, None] + np.arange(self.extent)).ravel()
            extent *= loop.bound
        return extent

    def counts(self, size: int) -> Ints:
        """Elements of each tile that the dimension has."""
        left, covered = size - self.starts, self.covered
        if isinstance(covered, int):
            return np.minimum(np.maximum(left, 0), covered)
        return np.searchsorted(covered, left).astype(np.int64)


@dataclass(frozen=True, eq=False)
class View:
    """A nest in the eyes of the chip, or of one instance of a level.

    Args:
        sizes: of every dimension, and `extents` what its loops cover.
        loops: with more than one iteration, by dimension, outermost first.
        window: distances at which outputs and taps meet, for rows and for columns.
        levels: how many the chip has.
    """

    sizes: dict[str, int]
    extents: dict[str, int]
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
            if loop.bound == 1:
                continue
            abilities: tuple[str, ...] = ()
            if loop.axis is not None:
                axis = problem.levels[loop.level].fanout[loop.axis]
                abilities = tuple(name for name in ("multicast", "reduction") if getattr(axis, name))
            mine = loop.axis is None and loop.level < last
            place = position if mine else None
            loops[loop.dim].append(
                _Loop(int(loop.bound), int(inner), loop.level, place, loop.axis is not None, abilities)
            )
            position += mine
        return View(
            {dim: int(size) for dim, size in nest.sizes.items()},
            {dim: prod(loop.bound for loop in own) for dim, own in loops.items()},
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
        cut = self._cut(dim, end, depth)
        return self._once(("words", dim, cut), lambda: (cut.positions, cut.counts(self.sizes[dim]).sum(axis=-1)))

    def places(
        self, dim: str, end: int, depth: int, sharing: Sharing = EVERYBODY, zero_from: int | None = None
    ) -> Factor:
        """Instances that have work, as far as a dimension tells them apart.

        Args:
            sharing: instances that count as one.
            zero_from: count only where the digits of all loops from this one inwards are 0.
        """
        cut = self._cut(dim, end, depth, sharing, inside=zero_from is None)
        free = sum(zero_from is None or position < zero_from for position in cut.positions)
        return self._once(
            ("places", dim, cut, free),
            lambda: (cut.positions, _first_only((cut.starts < self.sizes[dim]).sum(axis=-1), free)),
        )

    def ending(self, dim: str, end: int, depth: int) -> Factor:
        """1 at the last visit that has work, as far as a dimension decides."""
        positions, works = self.places(dim, end, depth)
        return self._once(("ending", dim, positions, end), lambda: (positions, _last_only(works, 0)))

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
            positions, covered = self._piece(dim, level, until)
            if dim not in RELEVANT[operand]:
                free = sum(position < depth for position in positions)
                covered = (_last_only if final else _first_only)(np.minimum(covered, 1), free)
            factors.append((positions, covered))
        if operand is Operand.INPUTS:
            factors += [self._window_piece(axis, level, depth, until, final) for axis in (0, 1)]
        return factors

    def trips(self, position: int) -> Factor:
        """Iterations with work of a loop of the program, by the digits of those outside it."""
        (dim,) = (dim for dim, loops in self.loops.items() if any(loop.position == position for loop in loops))
        *outer, loop = (x for x in self.loops[dim] if x.position is not None and x.position <= position)
        cut = _Cut(tuple(outer))
        left = -(-(self.sizes[dim] - cut.starts[..., 0]) // loop.inner)
        return cut.positions, np.minimum(np.maximum(left, 0), loop.bound)

    def _once(self, key: tuple[object, ...], make: Callable[[], Factor]) -> Factor:
        """Links that see the same loops share their factors."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _cut(self, dim: str, end: int, depth: int, sharing: Sharing = NOBODY, inside: bool = True) -> _Cut:
        """Tiles at level `end`; those of the steps inside a block count apart, or not at all.

        Loops of the program that decide on nothing repeat over one tile: they stand at 0 when it comes.
        """
        moving: list[_Loop] = []
        apart: list[_Loop] = []
        together: list[_Loop] = []
        extent = self.extents[dim]
        for loop in self.loops[dim]:
            if loop.level >= end:
                break
            extent = loop.inner
            if loop.spatial:
                (together if sharing.counts_once(loop.level, loop.abilities) else apart).append(loop)
            elif loop.level == self.levels - 1:
                apart += [loop] * inside
            elif loop.position is not None and loop.position < depth:
                moving.append(loop)
        return _Cut(tuple(moving), tuple(apart), tuple(together), extent)

    def _pieced(self, dim: str, until: int) -> tuple[_Loop, ...]:
        """The program's loops over a dimension that decide on what an iteration of a level's loops covers."""
        return tuple(loop for loop in self.loops[dim] if loop.position is not None and loop.position < until)

    def _piece(self, dim: str, level: int, until: int) -> Factor:
        """What an iteration of a level's loops covers, all instances below together."""

        def cover() -> Factor:
            inside = [loop.inner for loop in self.loops[dim] if loop.level <= level and not loop.spatial]
            cut = _Cut(self._pieced(dim, until), extent=inside[-1] if inside else self.extents[dim])
            return cut.positions, cut.counts(self.sizes[dim])[..., 0]

        return self._once(("piece", dim, level, until), cover)

    def _window(self, axis: int, end: int, depth: int, sharing: Sharing) -> Factor:
        """Rows (axis 0) or columns (1) of the input that come, read once by those who share.

        A tile of outputs and one of taps touch as many positions as their sizes say, wherever they lie.
        """
        outputs, taps = (self._cut(dim, end, depth, sharing) for dim in WINDOWS[axis])

        def count() -> Factor:
            sizes = [self.sizes[dim] for dim in WINDOWS[axis]]
            pixels, window = (cut.counts(size) for cut, size in zip((outputs, taps), sizes, strict=True))
            found = [np.unique(counts) for counts in (pixels, window)]
            often = [
                (counts[..., None] == values).sum(axis=-2)
                for counts, values in zip((pixels, window), found, strict=True)
            ]
            covered = (outputs.covered, taps.covered)
            distinct = [[self._touched(axis, int(p), int(r), *covered) for r in found[1]] for p in found[0]]
            table = np.tensordot(often[0] @ np.array(distinct, dtype=np.int64), often[1], axes=(-1, -1))
            return _in_order(outputs.positions + taps.positions, table)

        return self._once(("window", axis, outputs, taps), count)

    def _touched(self, axis: int, pixels: int, window: int, outputs: int | Ints, taps: int | Ints) -> int:
        """Distinct positions that the first so many of a tile's outputs and taps touch."""
        dilation, stride = self.window[axis]
        if isinstance(outputs, int) and isinstance(taps, int):
            return pixels * window - max(pixels - dilation, 0) * max(window - stride, 0)
        places = [np.arange(x) if isinstance(x, int) else x for x in (outputs, taps)]
        return len(np.unique(places[0][:pixels, None] * stride + places[1][:window] * dilation))

    def _window_piece(self, axis: int, level: int, depth: int, until: int, final: bool) -> Factor:
        """Rows or columns that an iteration of a level's loops uses first (last) within a visit.

        The rows of an element's first use do not depend on its column: the iterations that touch it are those that
        touch its row and its column, and the first of a product is the product of the firsts.
        """
        pixels, taps = (self.sizes[dim] for dim in WINDOWS[axis])
        points = (np.arange(pixels)[:, None], np.arange(taps)[None])
        loops = [(loop, x) for dim, x in zip(WINDOWS[axis], points, strict=True) for loop in self._pieced(dim, until)]
        loops.sort(key=lambda each: each[0].position or 0)

        def count() -> Factor:
            visit = turn = np.zeros((pixels, taps), dtype=np.int64)  # of every pair of an output and a tap
            turns = 1
            for loop, x in loops:
                digit = x // loop.inner % loop.bound
                if loop.position is not None and loop.position < depth:
                    visit = visit * loop.bound + digit
                else:
                    turn, turns = turn * loop.bound + digit, turns * loop.bound
            dilation, stride = self.window[axis]
            rows = points[0] * stride + points[1] * dilation
            order = np.lexsort((turn.ravel(), rows.ravel(), visit.ravel()))
            visit, turn, rows = (x.ravel()[order] for x in (visit, turn, rows))
            new = (np.diff(visit) != 0) | (np.diff(rows) != 0)
            chosen = np.append(new, True) if final else np.insert(new, 0, True)
            shape = [loop.bound for loop, _ in loops]
            counts = np.bincount(visit[chosen] * turns + turn[chosen], minlength=prod(shape))
            return tuple(loop.position or 0 for loop, _ in loops), counts.reshape(shape)

        return self._once(("window piece", axis, level, depth, until, final), count)


def _spans(loops: tuple[_Loop, ...]) -> Ints:
    """Where the tiles of loops begin, in rising order."""
    begins = np.zeros(1, dtype=np.int64)
    for loop in loops:
        begins = (begins[:, None] + loop.steps).ravel()
    return begins


def _first_only(counts: Ints, free: int) -> Ints:
    """Counts where the digits of all loops inside the first `free` are 0."""
    if free == counts.ndim:
        return counts
    result = np.zeros_like(counts)
    first = (slice(None),) * free + (slice(0, 1),) * (counts.ndim - free)
    result[first] = counts[first]
    return result


def _last_only(works: Ints, free: int) -> Ints:
    """1 at the last digits, of the loops inside the first `free`, that have work where those stand."""
    flat = works.reshape(prod(works.shape[:free]), -1) > 0
    last = flat.shape[1] - 1 - np.argmax(flat[:, ::-1], axis=1)
    result = np.zeros(flat.shape, dtype=np.int64)
    result[np.arange(len(flat)), last] = flat.any(axis=1)
    return result.reshape(works.shape)


def _in_order(positions: tuple[int, ...], array: Ints) -> Factor:
    order = sorted(range(len(positions)), key=lambda axis: positions[axis])
    return tuple(positions[axis] for axis in order), array.transpose(order)
