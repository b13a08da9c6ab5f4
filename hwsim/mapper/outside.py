"""What lies outside a tile, for every tile at once: least costs over a grid with one axis a dimension."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.cost.capacity import occupancy
from hwsim.cost.traffic import Array
from hwsim.mapper.arrays import Bools, Floats, Ints, ceil_div
from hwsim.mapper.bounds import Bounds
from hwsim.mapper.links import series_time
from hwsim.mapper.mapspace import Mapspace
from hwsim.mapper.objective import Goal
from hwsim.operators.nest import DIMENSIONS

#: Longest dimension whose positions are looked up in a table.
TABLE = 1 << 20


@dataclass(frozen=True)
class Outside:
    """Costs of everything outside a level's tile, over the grid of numbers of tiles.

    Args:
        energy: with exactly these tiles at the level [J], time: [cycles]; infinite where they do not fit.
        series: of that time, what overlaps with nothing [cycles].
        least_energy, least_time, least_series: minimised over all tiles that contain one of these.
        whole: the grid has one point, the whole nest.
    """

    energy: Floats
    time: Floats
    series: Floats
    least_energy: Floats
    least_time: Floats
    least_series: Floats
    whole: bool


class Grid:
    """Numbers of tiles that each dimension can be cut into, one axis a dimension."""

    def __init__(self, space: Mapspace) -> None:
        self.space = space
        self.counts = [space.counts(i) for i in range(len(space.dims))]
        self.shape = tuple(len(counts) for counts in self.counts)
        self._lookup = [np.searchsorted(counts, np.arange(min(counts[-1], TABLE) + 1)) for counts in self.counts]

    def on_axis(self, index: int, values: Ints | Floats) -> Ints | Floats:
        """Values of one dimension, shaped to broadcast over the grid."""
        shape = [1] * len(self.shape)
        shape[index] = len(values)
        return values.reshape(shape)

    def places(self, counts: Ints) -> Ints:
        """Positions on every axis, shape [..., dims]."""
        return np.stack([self._position(i, counts[..., i]) for i in range(len(self.shape))], axis=-1)

    def flat(self, counts: Ints) -> Ints:
        """Positions in the flattened grid, shape [...]."""
        place = np.zeros(counts.shape[:-1], dtype=np.int64)
        for i, extent in enumerate(self.shape):
            place = place * extent + self._position(i, counts[..., i])
        return place

    def holds(self, counts: Ints) -> Bools:
        """Whether counts lie on the grid, shape [...]; all do but where a dimension is thinned."""
        good = np.ones(counts.shape[:-1], dtype=bool)
        for i, thinned in enumerate(self.space.thinned):
            if thinned:
                mine = counts[..., i]
                good &= self.counts[i][self._position(i, mine)] == mine
        return good

    def _position(self, index: int, counts: Ints) -> Ints:
        """Positions on one axis: of the least entry that is no less."""
        if self.counts[index][-1] <= TABLE:
            return self._lookup[index][counts]
        return np.asarray(np.searchsorted(self.counts[index], counts))

    def reachable(self, level: int, whole: bool) -> list[list[Ints]]:
        """For every dimension and position inside a level's loops: positions that one bound can lead to outside."""
        looped = self.space.looped(level)
        table: list[list[Ints]] = []
        for i, counts in enumerate(self.counts):
            bound = ceil_div(counts[:, None], counts[None, :])
            fits = (ceil_div(counts[:, None], bound) == counts[None, :]) & (looped[i] | (bound == 1))
            if whole:
                fits[:, 1:] = False
            table.append([np.nonzero(row)[0] for row in fits])
        return table


def fits(space: Mapspace, level: int, tiles: list[Ints]) -> Bools:
    """Whether tiles fit the memories and the dataflow of a level.

    Args:
        tiles: extents, one array a dimension, of broadcastable shapes.
    """
    extents: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
    extents |= dict(zip(space.dims, tiles, strict=True))
    good = np.ones(np.broadcast_shapes(*(np.shape(tile) for tile in tiles)), dtype=bool)
    for taken in occupancy(space.problem, level, extents, space.bypass[level]):
        good &= taken.bits <= taken.usable
    for tile, least, greatest in zip(tiles, space.least_tile(level), space.greatest_tile(level), strict=True):
        good &= (tile >= least) & (tile <= greatest)
    return good


def outside(space: Mapspace, grid: Grid, bounds: Bounds, goal: Goal) -> dict[int, Outside]:
    """For every level below the outermost: least cost of all that lies outside its tile."""
    levels: dict[int, Outside] = {}
    seen = bounds.without(energy=not goal.sees_energy, ports=not goal.sees_time)
    energy = np.zeros((1,) * len(grid.shape))
    time = np.zeros((1,) * len(grid.shape))
    series = np.zeros((1,) * len(grid.shape))
    for level in range(1, space.depth):
        alone = level == 1 and not space.problem.levels[0].fanout
        whole = (level == 1 or levels[level - 1].whole) and _holds_everything(space, level)
        counts = [grid.on_axis(i, counts[: 1 if whole else None]) for i, counts in enumerate(grid.counts)]
        tiles = [ceil_div(size, count) for size, count in zip(space.sizes, counts, strict=True)]
        good = fits(space, level, tiles)
        corner = tuple(slice(extent) for extent in good.shape)
        crossing = seen.into(level, [count.astype(np.float64) for count in counts], alone=alone)
        here_energy = np.where(good, crossing.energy + energy[corner], np.inf)
        here_time = time[corner]
        others = bounds.compulsory([link for link in bounds.links if link.child != level]).plus(bounds.fixed)
        for port, cycles, other in zip(bounds.ports, crossing.ports, others.ports, strict=True):
            if cycles.any() and not port.serial:
                here_time = np.maximum(here_time, cycles + other)
        here_time = np.where(good, here_time, np.inf)
        here_series = series[corner] + series_time(bounds.ports, crossing.ports)
        here_series = np.broadcast_to(here_series, good.shape)
        innermost = level == space.depth - 1
        least_energy = _least(here_energy, innermost or whole, goal.sees_energy)
        least_time = _least(here_time, innermost or whole, goal.sees_time or not goal.sees_energy)
        # Tiles that do not fit are left in: a lower minimum is still a bound.
        least_series = _least(here_series, innermost or whole or not here_series.any(), goal.sees_time)
        levels[level] = Outside(here_energy, here_time, here_series, least_energy, least_time, least_series, whole)
        energy, time, series = (
            np.broadcast_to(least, grid.shape) for least in (least_energy, least_time, least_series)
        )
    return levels


def _least(grid: Floats, everywhere: bool, seen: bool) -> Floats:
    """Minimum over all points with no more tiles in any dimension.

    Args:
        everywhere: settle for the minimum of the whole grid, where running minima are not worth their time.
    """
    if everywhere or not seen:
        return np.broadcast_to(grid.min(), grid.shape)
    least = grid.copy()
    for axis in range(least.ndim):
        np.minimum.accumulate(least, axis=axis, out=least)
    return least


def _holds_everything(space: Mapspace, level: int) -> bool:
    """Whether the whole nest fits a level that nothing is unrolled above. Then, if it fits all levels outside too, no
    smaller tile is better: every operand comes in once, and the loops inside have all the freedom there is. The
    innermost tile is another matter where it is waited for at the start and at the end."""
    if level == space.depth - 1 and space.problem.hardware.fill_and_drain:
        return False
    if any(above.fanout for above in space.problem.levels[:level]) or not space.looped(level).all():
        return False
    return bool(fits(space, level, [np.array([size]) for size in space.sizes]).all())
