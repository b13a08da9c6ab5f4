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

from dataclasses import dataclass
from math import gcd
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.problem import Problem
from hwsim.operators.nest import DIMENSIONS, REDUCTION, RELEVANT, Operand

Array: TypeAlias = NDArray[Any] | int | float
WINDOWS = (("P", "R"), ("Q", "S"))


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
    """

    operand: Operand
    parent: int
    child: int | None
    down_reads: Array
    down_writes: Array
    up_reads: Array
    up_writes: Array


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

        Instances run in lock step, so a dimension that is unrolled above counts full tiles in every wave.
        """
        sizes = dict(self.sizes)
        for dim in DIMENSIONS:
            outermost = next(
                (k for k, x in enumerate(self.loops) if x.dim == dim and x.axis is not None and x.level < level), None
            )
            if outermost is None:
                continue
            tile: Array = 1
            for loop in self.loops[outermost + 1 :]:
                if loop.dim == dim and not (loop.axis is not None and loop.level < level):
                    tile = tile * loop.bound
            wave = self.inner[outermost] * self.loops[outermost].bound
            sizes[dim] = -(-self.sizes[dim] // wave) * tile
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
        stride, dilation = _coprime(problem, axis)
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
        arriving, groups, own = link.arrivals(), link.groups(), link.fills()
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
            )
        )
        fresh = own - back
    return tuple(result)


def _coprime(problem: Problem, axis: int) -> tuple[int, int]:
    stride, dilation = problem.nest.stride[axis], problem.nest.dilation[axis]
    common = gcd(stride, dilation)
    return stride // common, dilation // common


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
        return self._words(self._paid_temporal(), lambda _: True, merged=False)

    def reads(self) -> Array:
        """Words read from the parent: once for all receivers of a multicast."""
        return self._words(self._paid_temporal(), lambda loop: not self._shares(loop, "multicast"), merged=True)

    def arrivals(self) -> Array:
        """Partial sums reaching the parent."""
        return self._words(self._paid_temporal(), lambda loop: not self._shares(loop, "reduction"), merged=False)

    def groups(self) -> Array:
        """Visits of the child counted once for all instances that add to one sum."""
        return self._words(
            self._paid_temporal(), lambda loop: loop.level < self.parent or loop.dim not in REDUCTION, merged=False
        )

    def _above(self) -> list[int]:
        end = len(self.problem.levels) if self.child is None else self.child
        return [index for index, loop in enumerate(self.nest.loops) if loop.level < end]

    def _shares(self, loop: PricedLoop, ability: str) -> bool:
        if loop.axis is None or loop.level < self.parent:
            return False
        return bool(getattr(self.problem.levels[loop.level].fanout[loop.axis], ability))

    def _paid_temporal(self) -> dict[int, Array]:
        """For each temporal loop above the child: is it paid for (1), or part of the reuse run (0)?

        The datapath holds nothing, so nothing is reused there in time.
        """
        paid: dict[int, Array] = {}
        moved: Array = self.child is None
        for index in reversed(self._above()):
            loop = self.nest.loops[index]
            if loop.axis is not None:
                continue
            if loop.dim in RELEVANT[self.operand]:
                moved = np.logical_or(moved, np.greater(loop.bound, 1)) if moved is not True else True
            paid[index] = moved
        return paid

    def _words(self, paid: dict[int, Array], spatial: Any, *, merged: bool) -> Array:
        above = self._above()
        words: Array = 1
        for dim in DIMENSIONS:
            if self.operand is Operand.INPUTS and dim in "PQRS":
                continue
            if dim in RELEVANT[self.operand]:
                words = words * self.nest.sizes[dim]
            else:
                words = words * self._visits(dim, above, paid, spatial)
        if self.operand is Operand.INPUTS:
            for axis, (outputs, taps) in enumerate(WINDOWS):
                stride, dilation = _coprime(self.problem, axis)
                words = words * (
                    self.nest.sizes[outputs] * self.nest.sizes[taps]
                    - self._beyond(outputs, dilation, above, spatial, merged)
                    * self._beyond(taps, stride, above, spatial, merged)
                )
        return words

    def _visits(self, dim: str, above: list[int], paid: dict[int, Array], spatial: Any) -> Array:
        """Times that the loops over an irrelevant dimension bring a tile (back), those with no work left out."""
        own = [index for index in above if self.nest.loops[index].dim == dim]
        counted = [
            paid[index] if self.nest.loops[index].axis is None else spatial(self.nest.loops[index]) for index in own
        ]
        if not own:
            return 1
        if all(flag is True for flag in counted):
            return -(-self.nest.sizes[dim] // self.nest.inner[own[-1]])
        inside: list[Array] = [1]
        for index, flag in zip(reversed(own), reversed(counted), strict=True):
            inside.append(inside[-1] * np.where(flag, self.nest.loops[index].bound, 1))
        inside.reverse()
        visits: Array = 1
        rest = self.nest.sizes[dim]
        for position, (index, flag) in enumerate(zip(own, counted, strict=True)):
            unit = self.nest.inner[index]
            full = (rest - 1) // unit
            visits = visits + np.where(flag, full * inside[position + 1], 0)
            rest = np.where(flag, rest - full * unit, np.minimum(rest, unit))
        return visits

    def _beyond(self, dim: str, reach: int, above: list[int], spatial: Any, merged: bool) -> Array:
        """Sum over tiles of max(extent - reach, 0): what a sliding window of that reach sees twice within a tile."""
        own = [index for index in above if self.nest.loops[index].dim == dim]
        unit: Array = self.nest.inner[own[-1]] if own else self._all_inside(dim)
        if merged:
            together: Array = True
            for index in reversed(own):
                loop = self.nest.loops[index]
                if loop.axis is None or spatial(loop):
                    together = np.logical_and(together, np.equal(loop.bound, 1))
                else:
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
