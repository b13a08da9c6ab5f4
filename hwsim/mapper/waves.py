"""Least compute time: iterations in lock step, before the unrollings outside are chosen."""

from __future__ import annotations

from math import prod

import numpy as np

from hwsim.mapper.arrays import Floats, Ints
from hwsim.mapper.mapspace import Mapspace
from hwsim.mapper.outside import Grid

#: Grid points times unrollings that may be tabulated.
MOST = 3 << 23


class Waves:
    """Bounds on compute time for one mapspace."""

    def __init__(self, space: Mapspace, grid: Grid) -> None:
        self.grid = grid
        self._room = [
            max(1, prod(above.instances_below for above in space.problem.levels[:level]))
            for level in range(space.depth + 1)
        ]
        correction = 1 + 1 / space.problem.nest.K if space.problem.corrected else 1.0
        self._cycles_per_step = correction / space.problem.mode.rate

    def time(self, inner: Floats, left: Floats, level: int) -> Floats:
        """Least time [cycles] with so many iterations in each tile inside a boundary and so many tiles outside it.

        Short last tiles make iterations per tile a mean: those of the whole nest over the number of tiles.
        """
        return np.asarray(inner * np.maximum(left / self._room[level], 1.0) * self._cycles_per_step)

    def alone(self, level: int) -> Floats:
        """`grid_of` where the whole nest is one tile of the level."""
        return self.time(np.ones(1), np.ones(1), level)

    def grid_of(self, level: int, factors: Ints) -> Floats:
        """Least time [cycles] per step of the inside of a level's tiles, everything outside included.

        Args:
            factors: unrollings of the fan-out above the level, shape [ways, dims].

        Returns:
            For every cut into tiles, in the order of the flattened grid.
        """
        counts = [self.grid.on_axis(i, own.astype(np.float64)) for i, own in enumerate(self.grid.counts)]
        tiles = prod(counts, start=np.ones(1))
        spread = [i for i in range(factors.shape[1]) if (factors[:, i] > 1).any()]
        shape = [extent if i in spread else 1 for i, extent in enumerate(self.grid.shape)]
        if not 0 < len(factors) * prod(shape) <= MOST:
            return self.time(1 / tiles, tiles, level).ravel()
        best = np.full(shape, np.inf)
        for factor in factors:
            np.minimum(best, prod((np.ceil(counts[i] / factor[i]) for i in spread), start=np.ones(1)), out=best)
        alone = prod((own for i, own in enumerate(counts) if i not in spread), start=np.ones(1))
        return self.time(1 / tiles, best * alone, level - 1).ravel()
