"""Words that a mapped loop nest moves between neighbouring levels: exact, for whole arrays of loop bounds at once.

Every count is a product over dimensions, because the tiles of a nest are a Cartesian product: a dimension that indexes
an operand contributes its size (its tiles, short last ones included, cover it once), a dimension that does not
contributes the number of times that the loops over it bring the tile back. Only the input's sliding window couples two
dimensions; there the distinct positions p*stride + r*dilation of a tile number P*R - (P - d)+ (R - s)+, with d and s
divided by their common divisor, which is again a difference of products.

Rules
  * A loop with bound above 1 moves the tiles of the operands it indexes. Walking outwards from a tile, loops that do
    not index the operand are free until the first that does (the reuse run); every loop from there on is paid for.
  * Neighbouring input tiles share a halo. It is fetched again from one time step to the next, and once for all
    instances that a multicast serves in the same step.
  * Outputs: the first visit of an element starts from zero, later visits read the partial sum back. Of the instances
    that share a sum across a fan-out one continues from it, the others start from zero; their sums are added on the way
    up, or, on an axis without reduction, one by one in the memory above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.problem import Problem
from hwsim.cost.windows import WINDOWS, reaches, union_words
from hwsim.operators.nest import DIMENSIONS, REDUCTION, RELEVANT, Operand

Array: TypeAlias = NDArray[Any] | int | float


@dataclass(frozen=True)
class PricedLoop:
    """One loop of a nest of arrays.

    Args:
        bound: iterations, any shape that broadcasts with the other loops'.
        level: index of the level it belongs to.
        axis: index of the axis it is unrolled on; None for a temporal loop.
    """

    dim: str
    bound: Array
    level: int
    axis: int | None = None


@dataclass(frozen=True)
class Flow:
    """Words of one operand across one link of its chain of keepers (the last link ends in the datapath).

    Args:
        parent, child: level indices; child is None for the datapath.
        down_reads: read from the parent on the way down.
        down_writes: written into the child, all instances together.
        up_reads: read from the child on the way up (outputs only).
        up_writes: written into the parent (outputs only).
        finished: of the words on the way up, those that are final results.
    """

    operand: Operand
    parent: int
    child: int | None
    down_reads: Array
    down_writes: Array
    up_reads: Array
    up_writes: Array
    finished: Array = 0


@dataclass(frozen=True)
class NestArrays:
    """Loops outermost first, with the tile that each leaves inside it."""

    loops: tuple[PricedLoop, ...]
    sizes: dict[str, Array]
    inner: tuple[Array, ...]

    @staticmethod
    def of(loops: tuple[PricedLoop, ...], sizes: dict[str, Array]) -> NestArrays:
        tile: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
        inner: list[Array] = []
        for loop in reversed(loops):
            inner.append(tile[loop.dim])
            tile[loop.dim] = tile[loop.dim] * loop.bound
        return NestArrays(loops, sizes, tuple(reversed(inner)))

    def tile(self, level: int) -> dict[str, Array]:
        """Tile held at a level: the product of the bounds of its own and all deeper loops, at most the size."""
        tile: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
        for loop in self.loops:
            if loop.level >= level:
                tile[loop.dim] = tile[loop.dim] * loop.bound
        return {dim: np.minimum(extent, self.sizes[dim]) for dim, extent in tile.items()}

    def seen_by_one(self, level: int) -> NestArrays:
        """The nest as the busiest instance of a level sees it: the loops unrolled above it are gone.

        Instances run in lock step, so a dimension that is unrolled above counts full tiles in every wave. A loop that
        is unrolled over one instance is no loop.
        """
        sizes = dict(self.sizes)
        for dim in DIMENSIONS:
            tile: Array = 1
            for index in reversed([k for k, loop in enumerate(self.loops) if loop.dim == dim]):
                loop = self.loops[index]
                if loop.axis is None or loop.level >= level:
                    tile = tile * loop.bound
                    continue
                # The outermost loop that unrolls decides: it comes last here.
                waves = ceil_div(self.sizes[dim], self.inner[index] * loop.bound)
                unrolls = _settled(np.greater(loop.bound, 1))
                if unrolls is not False:
                    sizes[dim] = waves * tile if unrolls is True else np.where(unrolls, waves * tile, sizes[dim])
        return NestArrays.of(tuple(x for x in self.loops if x.axis is None or x.level >= level), sizes)

    def steps(self, levels: int) -> Array:
        """Compute steps of the nest in lock step, before the mode's rate."""
        total: Array = 1
        for size in self.seen_by_one(levels).sizes.values():
            total = total * size
        return total


def footprint(tile: dict[str, Array], operand: Operand, problem: Problem) -> Array:
    """Distinct elements of an operand in one tile."""
    if operand is not Operand.INPUTS:
        words: Array = 1
        for dim in DIMENSIONS:
            if dim in RELEVANT[operand]:
                words = words * tile[dim]
        return words
    words = tile["N"] * tile["G"] * tile["C"]
    for axis, (outputs, taps) in enumerate(WINDOWS):
        dilation, stride = reaches(problem.nest, axis)
        pixels, window = tile[outputs], tile[taps]
        words = words * (pixels * window - np.maximum(pixels - dilation, 0) * np.maximum(window - stride, 0))
    return words


def flows(problem: Problem, nest: NestArrays, bypass: tuple[tuple[Operand, ...], ...] = ()) -> tuple[Flow, ...]:
    """Words across every link of every operand's chain of keepers.

    Args:
        nest: loops over all levels, outermost first; spatial loops of a level inside its temporal ones.
        bypass: for each level, operands that this mapping does not keep there.

    Returns:
        One flow a link, each count an array of the loops' broadcast shape.
    """
    result: list[Flow] = []
    for operand in (Operand.WEIGHTS, Operand.INPUTS):
        chain = problem.keepers(operand, bypass)
        for parent, child in zip(chain, (*chain[1:], None), strict=True):
            link = _Link(problem, nest, operand, parent, child)
            result.append(Flow(operand, parent, child, link.reads(), 0 if child is None else link.fills(), 0, 0))
    chain = problem.keepers(Operand.OUTPUTS, bypass)
    total: Array = 1
    for dim in RELEVANT[Operand.OUTPUTS]:
        total = total * nest.sizes[dim]
    fresh = total  # visits that start from zero in the parent
    for parent, child in zip(chain, (*chain[1:], None), strict=True):
        link = _Link(problem, nest, Operand.OUTPUTS, parent, child)
        arriving = link.arrivals()
        groups, own = (link.groups(), link.fills()) if link.splits_sums else (arriving, arriving)
        back = groups - fresh
        result.append(
            Flow(
                Operand.OUTPUTS,
                parent,
                child,
                down_reads=arriving - fresh,
                down_writes=0 if child is None else back,
                up_reads=0 if child is None else own,
                up_writes=arriving,
                finished=0 if child is None else total,  # the datapath always updates partial sums
            )
        )
        fresh = own - back
    return tuple(result)


def ceil_div(numerator: Array, denominator: Array) -> Array:
    """Quotient rounded up."""
    return -(-numerator // denominator)


def _settled(flags: Array) -> Array:
    """A plain truth value where an array of them agrees, so that arrays stay as small as their causes."""
    if np.all(flags):
        return True
    return flags if np.any(flags) else False


@dataclass(frozen=True)
class _Link:
    """Counting rules of one operand between two neighbouring keepers."""

    problem: Problem
    nest: NestArrays
    operand: Operand
    parent: int
    child: int | None

    def fills(self) -> Array:
        """Words entering (or leaving) all instances of the child over the run."""
        return self._words(lambda _: True, merged=False)

    def reads(self) -> Array:
        """Words read from the parent: once for all receivers of a multicast."""
        return self._words(lambda loop: not self._shares(loop, "multicast"), merged=True)

    def arrivals(self) -> Array:
        """Partial sums reaching the parent."""
        return self._words(lambda loop: not self._shares(loop, "reduction"), merged=False)

    def groups(self) -> Array:
        """Visits of the child counted once for all instances that add to one sum."""
        return self._words(lambda loop: loop.level < self.parent or loop.dim not in REDUCTION, merged=False)

    @cached_property
    def splits_sums(self) -> bool:
        """Whether a fan-out between the two shares one sum among instances."""
        return any(
            loop.axis is not None and loop.level >= self.parent and loop.dim in REDUCTION
            for loop in (self.nest.loops[index] for index in self._above)
        )

    @cached_property
    def _above(self) -> list[int]:
        end = len(self.problem.levels) if self.child is None else self.child
        return [index for index, loop in enumerate(self.nest.loops) if loop.level < end]

    def _shares(self, loop: PricedLoop, ability: str) -> bool:
        if loop.axis is None or loop.level < self.parent:
            return False
        return bool(getattr(self.problem.levels[loop.level].fanout[loop.axis], ability))

    @cached_property
    def _paid(self) -> dict[int, Array]:
        """For each temporal loop above the child: is it paid for, or part of the reuse run?

        The datapath holds nothing, so nothing is reused there in time.
        """
        paid: dict[int, Array] = {}
        moved: Array = self.child is None
        for index in reversed(self._above):
            loop = self.nest.loops[index]
            if loop.axis is not None:
                continue
            if loop.dim in RELEVANT[self.operand] and moved is not True:
                moved = _settled(np.logical_or(moved, np.greater(loop.bound, 1)))
            paid[index] = moved
        return paid

    def _words(self, spatial: Callable[[PricedLoop], bool], *, merged: bool) -> Array:
        """Words over the run.

        Args:
            spatial: whether the instances of a spatial loop each count.
            merged: instances that do not count apart see one larger tile together.
        """
        words: Array = 1
        for dim in DIMENSIONS:
            if self.operand is Operand.INPUTS and dim in "PQRS":
                continue
            if dim in RELEVANT[self.operand]:
                words = words * self.nest.sizes[dim]
            else:
                words = words * self._visits(dim, spatial)
        if self.operand is Operand.INPUTS:
            for axis, (outputs, taps) in enumerate(WINDOWS):
                dilation, stride = reaches(self.problem.nest, axis)
                seen_twice = self._beyond(outputs, dilation, spatial, merged) * self._beyond(
                    taps, stride, spatial, merged
                )
                window = self.nest.sizes[outputs] * self.nest.sizes[taps] - seen_twice
                if merged and (self._gaps(outputs, spatial) or self._gaps(taps, spatial)):
                    window = self._united(axis, window, spatial)
                words = words * window
        return words

    def _gaps(self, dim: str, spatial: Callable[[PricedLoop], bool]) -> bool:
        """Whether a loop in time may lie between instances that read together and their tiles."""
        own = [self.nest.loops[index] for index in self._above if self.nest.loops[index].dim == dim]
        apart = [loop.axis is None or spatial(loop) for loop in own]
        first = apart.index(False) if False in apart else len(own)
        return any(
            is_apart and np.any(np.greater(loop.bound, 1))
            for loop, is_apart in zip(own[first:], apart[first:], strict=True)
        )

    def _united(self, axis: int, adjoining: Array, spatial: Callable[[PricedLoop], bool]) -> Array:
        """Words of a window where tiles of instances that read together need not adjoin."""
        own = [
            [(index, self.nest.loops[index]) for index in self._above if self.nest.loops[index].dim == dim]
            for dim in WINDOWS[axis]
        ]
        sizes = [self.nest.sizes[dim] for dim in WINDOWS[axis]]
        tables = [
            [(loop.bound, self.nest.inner[index], loop.axis is not None and not spatial(loop)) for index, loop in loops]
            for loops in own
        ]
        arrays = np.broadcast_arrays(
            *sizes, adjoining, *(value for table in tables for bound, inside, _ in table for value in (bound, inside))
        )
        words = np.empty(arrays[0].shape, dtype=np.int64)
        for place in np.ndindex(words.shape):
            values = iter([int(array[place]) for array in arrays])
            extents = (next(values), next(values))
            next(values)
            loops = tuple(tuple((next(values), next(values), merged) for _, _, merged in table) for table in tables)
            words[place] = union_words(extents, loops, reaches(self.problem.nest, axis))
        return words

    def _visits(self, dim: str, spatial: Callable[[PricedLoop], bool]) -> Array:
        """Times that the loops over an irrelevant dimension bring a tile (back), those with no work left out."""
        own = [index for index in self._above if self.nest.loops[index].dim == dim]
        counted: list[Array] = [
            self._paid[index] if self.nest.loops[index].axis is None else spatial(self.nest.loops[index])
            for index in own
        ]
        visits = self._visits_when(dim, own, [flag is True for flag in counted])
        # Where it depends on the mapping whether a loop is paid for, an inner one is only if all outer ones are.
        for position, flag in enumerate(counted):
            if isinstance(flag, np.ndarray):
                paid = [other is True or (other is not False and k <= position) for k, other in enumerate(counted)]
                visits = np.where(flag, self._visits_when(dim, own, paid), visits)
        return visits

    def _visits_when(self, dim: str, own: list[int], counted: list[bool]) -> Array:
        """Visits over one dimension, given which of its loops count.

        Args:
            own: indices of its loops above the child, outermost first.
        """
        # Innermost loops that do not count leave as many visits as there are tiles outside them.
        while counted and not counted[-1]:
            counted = counted[:-1]
        if all(counted):
            return ceil_div(self.nest.sizes[dim], self.nest.inner[own[len(counted) - 1]]) if counted else 1
        inside: list[Array] = [1]
        for index, flag in zip(reversed(own[: len(counted)]), reversed(counted), strict=True):
            inside.append(inside[-1] * (self.nest.loops[index].bound if flag else 1))
        inside.reverse()
        visits: Array = 1
        rest = self.nest.sizes[dim]
        for position, (index, flag) in enumerate(zip(own, counted, strict=False)):
            unit = self.nest.inner[index]
            if flag:
                full = (rest - 1) // unit
                visits = visits + full * inside[position + 1]
                rest = rest - full * unit
            else:
                rest = np.minimum(rest, unit)
        return visits

    def _beyond(self, dim: str, reach: int, spatial: Callable[[PricedLoop], bool], merged: bool) -> Array:
        """Sum over tiles of max(extent - reach, 0): what a sliding window of that reach sees twice within a tile."""
        own = [index for index in self._above if self.nest.loops[index].dim == dim]
        unit: Array = self.nest.inner[own[-1]] if own else self._all_inside(dim)
        if merged:
            together: Array = True
            for index in reversed(own):
                loop = self.nest.loops[index]
                if loop.axis is None or spatial(loop):
                    together = _settled(np.logical_and(together, np.equal(loop.bound, 1)))
                elif together is not False:
                    unit = unit * np.where(together, loop.bound, 1)
        size = self.nest.sizes[dim]
        unit = np.minimum(unit, size)
        return np.asarray((size // unit) * np.maximum(unit - reach, 0) + np.maximum(size % unit - reach, 0))

    def _all_inside(self, dim: str) -> Array:
        extent: Array = 1
        for loop in self.nest.loops:
            if loop.dim == dim:
                extent = extent * loop.bound
        return extent
