"""The mapspace of a problem: which tiles, unrollings, loop orders and bypasses the hardware allows.

Bounds may be any integers, but only the smallest bound of each trip count is kept: with n tiles left to cover, bounds b
and b' that both leave ceil(n/b) trips outside differ in tile size alone, and the smaller tile serves as well. Because
ceil(ceil(D/a)/b) = ceil(D/(a b)), a chain of bounds built from the inside leaves n = ceil(D / tile) tiles at every
level, so that a tile size and its count carry all there is to know about the loops inside.

Loop orders reduce to the operand that a level's innermost loops leave still: every dimension fails to index one operand
at most, so whatever stands innermost spares one operand, and the order of the loops outside it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, product
from math import isqrt, prod

import numpy as np

from hwsim.cost.problem import Problem
from hwsim.mapper.arrays import Bools, Ints, ceil_div
from hwsim.operators.nest import DIMENSIONS, RELEVANT, Operand
from hwsim.spec.hardware import Axis, Level

#: Cuts of a nest into tiles that are tabulated, at most.
MOST_CUTS = 1 << 22
#: Longest dimension that is cut in every way.
LONGEST = 1 << 22


@dataclass(frozen=True)
class Unrollings:
    """Ways to unroll dimensions over one fan-out.

    Args:
        bounds: instances used, shape [ways, axes, dims].
    """

    bounds: Ints

    @cached_property
    def factor(self) -> Ints:
        """Instances by dimension, all axes together: shape [ways, dims]."""
        return np.asarray(self.bounds.prod(axis=1))

    @cached_property
    def lower(self) -> Ints:
        """Most instances by dimension that remain when one axis gives one up: shape [ways, dims]; 1 where none can.

        A way is worth having only if each dimension then needs another wave: two axes that share a dimension may
        overshoot it without either of them being too long.
        """
        fewer = np.where(self.bounds > 1, self.factor[:, None, :] // self.bounds * (self.bounds - 1), 0)
        return np.asarray(np.maximum(fewer.max(axis=1, initial=0), 1))

    def __len__(self) -> int:
        return len(self.bounds)


@dataclass(frozen=True)
class Mapspace:
    """Choices of one problem under one bypass. Arrays over dimensions are in the order of `dims`.

    Args:
        dims: dimensions larger than one, in the order of `DIMENSIONS`.
        bypass: for each level, operands that pass it by.
    """

    problem: Problem
    dims: tuple[str, ...]
    bypass: tuple[tuple[Operand, ...], ...]

    @cached_property
    def sizes(self) -> Ints:
        """Size of every dimension."""
        return np.array([getattr(self.problem.nest, dim) for dim in self.dims], dtype=np.int64)

    @cached_property
    def depth(self) -> int:
        """Number of levels."""
        return len(self.problem.levels)

    def counts(self, dim: int) -> Ints:
        """Numbers of tiles that a dimension can be cut into, ascending."""
        size = int(self.sizes[dim])
        return halvings(size) if self.thinned[dim] else tile_counts(size)

    @cached_property
    def thinned(self) -> tuple[bool, ...]:
        """Dimensions that are only cut in halves, quarters and so on, so that a table of all cuts fits in memory. A
        mapspace with one is searched, but nothing is proven of the mappings left out."""
        thinned = [int(size) > LONGEST for size in self.sizes]

        def number(dim: int) -> int:
            size = int(self.sizes[dim])
            return len(halvings(size) if thinned[dim] else tile_counts(size))

        while prod(number(dim) for dim in range(len(self.dims))) > MOST_CUTS and not all(thinned):
            longest = max((dim for dim in range(len(self.dims)) if not thinned[dim]), key=number)
            thinned[longest] = True
        return tuple(thinned)

    def looped(self, level: int) -> Bools:
        """Whether each dimension may have a temporal loop at a level."""
        return np.array([dim in self.problem.levels[level].loops for dim in self.dims], dtype=bool)

    def least_tile(self, level: int) -> Ints:
        """Smallest tile that the dataflow allows at a level."""
        fixed = _fixed_tiles(self.problem.levels[level])
        return np.array(
            [size if fixed.get(dim) == "full" else 1 for dim, size in zip(self.dims, self.sizes, strict=True)]
        )

    def greatest_tile(self, level: int) -> Ints:
        """Largest tile that the dataflow allows at a level."""
        fixed = _fixed_tiles(self.problem.levels[level])
        limits = [fixed.get(dim, "full") for dim in self.dims]
        return np.array([np.iinfo(np.int64).max if x == "full" else x for x in limits])

    @cached_property
    def mirrored(self) -> bool:
        """Whether rows and columns may change places: exchanging (P, R) with (Q, S) maps the space onto itself."""
        nest = self.problem.nest
        if (nest.P, nest.R, nest.stride[0], nest.dilation[0]) != (nest.Q, nest.S, nest.stride[1], nest.dilation[1]):
            return False
        allowed = [set(level.loops) for level in self.problem.levels]
        allowed += [set(axis.dims) for level in self.problem.levels for axis in level.fanout]
        fixed = [_fixed_tiles(level) for level in self.problem.levels]
        return all(
            all((row in dims) == (column in dims) for dims in allowed)
            and all(tile.get(row) == tile.get(column) for tile in fixed)
            for row, column in (("P", "Q"), ("R", "S"))
        )

    def orders(self) -> Iterator[tuple[Operand, ...]]:
        """For each level above the innermost, the operand its loops hold still. The innermost level's order is free:
        the datapath keeps nothing."""
        useful = [o for o in Operand if any(d not in RELEVANT[o] for d in self.dims)] or [Operand.OUTPUTS]
        return product(*(useful for _ in self.problem.levels[:-1]))

    def allows(self, level: int, ordered: Sequence[int], bounds: Ints) -> Bools:
        """Whether the dataflow allows loops of a level: innermost one that leaves a stationary operand in place, if
        there is one.

        Args:
            ordered: dimensions of the loops, outermost first.
            bounds: shape [rows, dims].
        """
        allowed = self.problem.levels[level].stationary
        holds = [any(self.dims[i] not in RELEVANT[o] for o in allowed) for i in ordered]
        present = bounds[:, ordered] > 1
        innermost = len(ordered) - 1 - present[:, ::-1].argmax(axis=1)
        return np.asarray(np.array(holds)[innermost] | ~present[:, holds].any(axis=1))

    def unrollings(self, level: int, thin: bool = False) -> Unrollings:
        """Ways to unroll over a level's fan-out.

        Args:
            thin: the tiles below are single elements, so that only the smallest bound of each count is worth having.
        """
        axes = self.problem.levels[level].fanout
        bounds = np.ones((1, 0, len(self.dims)), dtype=np.int64)
        for axis in axes:
            more = _axis_bounds(axis, self.dims, self.sizes, thin)
            left, right = np.divmod(np.arange(len(bounds) * len(more)), len(more))
            bounds = np.concatenate([bounds[left], more[right][:, None, :]], axis=1)
        # Which axis a dimension sits on matters only as far as the axes' abilities differ.
        factors = [
            bounds[:, [a for a, axis in enumerate(axes) if (axis.multicast, axis.reduction) == ability]].prod(axis=1)
            for ability in sorted({(axis.multicast, axis.reduction) for axis in axes})
        ]
        key = np.zeros(len(bounds), dtype=np.int64)
        for factor in factors:
            for column in range(len(self.dims)):
                key = key * (int(factor[:, column].max()) + 1) + factor[:, column]
        _, first = np.unique(key, return_index=True)
        return Unrollings(bounds[np.sort(first)])


def mapspaces(problem: Problem) -> list[Mapspace]:
    """One mapspace for each set of optional operands that could pass by."""
    dims = tuple(dim for dim in DIMENSIONS if getattr(problem.nest, dim) > 1) or ("K",)
    choices = []
    for index, level in enumerate(problem.levels):
        optional = sorted(level.optional - problem.obliged(index))
        choices.append([subset for size in range(len(optional) + 1) for subset in combinations(optional, size)])
    return [Mapspace(problem, dims, pick) for pick in product(*choices)]


def _fixed_tiles(level: Level) -> dict[str, int | str]:
    return {str(dim): extent for dim, extent in level.tile.items()}


@cache
def tile_counts(size: int) -> Ints:
    """Distinct values of ceil(size / tile), ascending: about 2 sqrt(size) of them."""
    few = np.arange(1, isqrt(size) + 2)
    return np.unique(np.concatenate([ceil_div(size, few), ceil_div(size, ceil_div(size, few)), [1]]))


@cache
def halvings(size: int) -> Ints:
    """Numbers of tiles of 1, 2, 4, ... elements, ascending."""
    return np.unique(ceil_div(size, 1 << np.arange(size.bit_length() + 1)))


def _axis_bounds(axis: Axis, dims: tuple[str, ...], sizes: Ints, thin: bool) -> Ints:
    """Every way to share one axis among the dimensions it allows: shape [ways, dims]."""
    ways = np.ones((1, 0), dtype=np.int64)
    used = np.ones(1, dtype=np.int64)
    for dim, size in zip(dims, sizes, strict=True):
        most = min(axis.size, int(size)) if dim in axis.dims else 1
        bounds = np.arange(1, most + 1)
        if thin:
            bounds = np.intersect1d(bounds, ceil_div(int(size), tile_counts(int(size))))
        row, pick = np.nonzero(used[:, None] * bounds[None, :] <= axis.size)
        ways = np.concatenate([ways[row], bounds[pick, None]], axis=1)
        used = used[row] * bounds[pick]
    return ways


def space_size(spaces: list[Mapspace]) -> int:
    """Mappings in the union of mapspaces: chains of bounds by dimension, times loop orders, before capacities and the
    shared room on an axis rule any out."""
    total = 0
    for space in spaces:
        chains = 1
        for index, dim in enumerate(space.dims):
            slots: list[int | None] = []  # largest bound of each slot, outermost first; None where there is no limit
            for level in space.problem.levels:
                slots.append(None if dim in level.loops else 1)
                slots += [axis.size if dim in axis.dims else 1 for axis in level.fanout]
            chains *= _chains(int(space.sizes[index]), tuple(reversed(slots[1:])), space.thinned[index])
        total += chains * sum(1 for _ in space.orders())
    return total


@cache
def _chains(tiles: int, slots: tuple[int | None, ...], halved: bool) -> int:
    """Canonical chains of bounds for the given slots, innermost first; the outermost loop takes what is left."""
    if not slots:
        return 1
    limit, rest = slots[0], slots[1:]
    counts = halvings(tiles) if halved else tile_counts(tiles)
    bounds = ceil_div(tiles, counts)
    fits = [int(n) for n, bound in zip(counts, bounds, strict=True) if limit is None or bound <= limit]
    return sum(_chains(n, rest, halved) for n in fits)
