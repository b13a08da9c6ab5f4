"""Exact prices of complete mappings, in every loop order that makes a difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwsim.cost.access import accesses
from hwsim.cost.cycles import cycles
from hwsim.cost.energy import access_energy
from hwsim.cost.traffic import NestArrays, PricedLoop, flows
from hwsim.mapper.arrays import Floats, Ints, ceil_div
from hwsim.mapper.mapspace import Mapspace, Unrollings
from hwsim.mapper.objective import Goal
from hwsim.mapper.partial import Partial
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import DIMENSIONS, RELEVANT, Operand

Order = tuple[Operand, ...]

#: Bounds that could be computed in the time of one exact price.
PRICED_AS = 64

#: A bound has to beat the best by more than rounding.
MARGIN = 1 - 1e-9


@dataclass(frozen=True)
class Complete:
    """Mappings that lack nothing but their loop order.

    Args:
        temporal: bounds of every level, outermost first, shape [rows, dims] each.
        unrolled: bounds of every level's fan-out, shape [rows, axes, dims] each.
    """

    space: Mapspace
    temporal: tuple[Ints, ...]
    unrolled: tuple[Ints, ...]

    @staticmethod
    def of(space: Mapspace, partial: Partial, ways: list[Unrollings]) -> Complete:
        """Read the loop bounds off the tiles and unrollings chosen.

        Args:
            ways: unrollings of every level, outermost first.
        """
        tiles = [np.broadcast_to(space.sizes, partial.tile.shape), *reversed(partial.tiles)]
        unrolled = tuple(way.bounds[pick] for way, pick in zip(ways, reversed(partial.ways), strict=True))
        below = [*tiles[1:], np.ones_like(partial.tile)]
        temporal = tuple(
            ceil_div(tile, inside * spread.prod(axis=1))
            for tile, inside, spread in zip(tiles, below, unrolled, strict=True)
        )
        return Complete(space, temporal, unrolled)

    def __len__(self) -> int:
        return len(self.temporal[0])

    def orders(self) -> Iterator[tuple[Order, tuple[PricedLoop, ...]]]:
        """Loops in every order that makes a difference to one of the rows."""
        seen: set[tuple[tuple[int, str], ...]] = set()
        for order in self.space.orders():
            loops = self._loops(order)
            key = tuple((loop.level, loop.dim) for loop in loops if loop.axis is None)
            if key not in seen:
                seen.add(key)
                yield order, loops

    def price(self, loops: tuple[PricedLoop, ...], order: Order) -> tuple[Floats, Floats]:
        """Energy of the accesses [J] and time without launch [cycles] of every row, infinite where the dataflow forbids
        the order."""
        problem = self.space.problem
        nest = NestArrays.of(loops, {dim: getattr(problem.nest, dim) for dim in DIMENSIONS})
        done = accesses(problem, flows(problem, nest, self.space.bypass))
        allowed = np.ones(len(self), dtype=bool)
        for level, bounds in enumerate(self.temporal):
            allowed &= self.space.allows(level, self._ordered(level, order), bounds)
        energy = sum(access_energy(problem, done).values())
        time = cycles(problem, loops, self.space.bypass, done).total
        return np.where(allowed, energy, np.inf), np.where(allowed, time, np.inf)

    def mapping(self, row: int, order: Order) -> Mapping:
        """One row as a mapping."""
        dims = self.space.dims
        levels = []
        for number, level in enumerate(self.space.problem.levels):
            temporal, unrolled = self.temporal[number][row], self.unrolled[number][row]
            loops = tuple(Loop(dims[i], int(temporal[i])) for i in self._ordered(number, order) if temporal[i] > 1)
            spatial = tuple(
                SpatialLoop(dim, int(unrolled[axis, i]), level.fanout[axis].name)
                for axis in range(len(level.fanout))
                for i, dim in enumerate(dims)
                if unrolled[axis, i] > 1
            )
            levels.append(LevelMapping(level.name, loops, spatial, self.space.bypass[number]))
        return Mapping(tuple(levels))

    def _ordered(self, level: int, order: Order) -> list[int]:
        """Dimensions outermost first, those that do not index the stationary operand innermost."""
        dims = self.space.dims
        still = order[level : level + 1] or self.space.problem.levels[level].stationary
        return sorted(range(len(dims)), key=lambda i: any(dims[i] not in RELEVANT[operand] for operand in still))

    def _loops(self, order: Order) -> tuple[PricedLoop, ...]:
        """Loops outermost first, without those that no row iterates."""
        loops: list[PricedLoop] = []
        for level, (temporal, unrolled) in enumerate(zip(self.temporal, self.unrolled, strict=True)):
            for i in self._ordered(level, order):
                if (temporal[:, i] > 1).any():
                    loops.append(PricedLoop(self.space.dims[i], temporal[:, i], level))
            for axis in range(unrolled.shape[1]):
                for i, dim in enumerate(self.space.dims):
                    if (unrolled[:, axis, i] > 1).any():
                        loops.append(PricedLoop(dim, unrolled[:, axis, i], level, axis))
        return tuple(loops)


@dataclass
class Found:
    """The best mapping so far, shared by the mapspaces of one problem, and what was done for it.

    Args:
        value: of the objective; energy: of the accesses [J], which decides ties.
        priced: mappings whose exact cost was computed.
        looked: partial mappings that were bounded, and those priced in the same currency.
        open_bound: least bound among those left unexplored for want of effort.
        floor: what no mapping falls below, as far as is known beforehand.
        warm: the best mapping so far is a good one, so that none has to be looked for in haste.
    """

    value: float = float("inf")
    energy: float = float("inf")
    mapping: Mapping | None = None
    priced: int = 0
    looked: int = 0
    open_bound: float = float("inf")
    floor: float = 0.0
    warm: bool = False

    @property
    def threshold(self) -> float:
        """What a bound has to stay below to be worth following."""
        return 0.0 if self.value * MARGIN <= self.floor else self.value * MARGIN

    def consider(self, complete: Complete, goal: Goal) -> None:
        """Price mappings in all their orders and keep the best."""
        for order, loops in complete.orders():
            energy, time = complete.price(loops, order)
            value = np.broadcast_to(goal(energy, time), (len(complete),))
            energy = np.broadcast_to(energy, (len(complete),))
            self.priced += len(complete)
            self.looked += PRICED_AS * len(complete)
            best = int(np.lexsort((energy, value))[0])
            if (value[best], energy[best]) < (self.value, self.energy):
                self.value, self.energy = float(value[best]), float(energy[best])
                self.mapping = complete.mapping(best, order)
