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

    def table(self, factors: Ints) -> Floats | None:
        """For every cut into tiles, how many waves of them the best unrolling leaves.

        Args:
            factors: unrollings of the fan-out above the tiles' level, shape [ways, dims].

        Returns:
            an array over the dimensions that are unrolled, of extent 1 along the others, whose tiles are left to be
            multiplied; None where it would be large.
        """
        spread = [i for i in range(factors.shape[1]) if (factors[:, i] > 1).any()]
        shape = [extent if i in spread else 1 for i, extent in enumerate(self.grid.shape)]
        if not 0 < len(factors) * prod(shape) <= MOST:
            return None
        best = np.full(shape, np.inf)
        for factor in factors:
            product = np.ones(1)
            for i in spread:
                product = product * self.grid.on_axis(i, np.ceil(self.grid.counts[i] / factor[i]))
            np.minimum(best, product, out=best)
        return best

    def of_box(self, level: int, box: tuple[Ints, ...], place: Ints, table: Floats | None) -> Floats:
        """Least time [cycles] per inner iteration of tiles in a box of the grid, everything outside included.

        Args:
            box: positions along every axis, shaped to broadcast.
            place: position that the level's loops lead from.
            table: as `table` made it, if it did.
        """
        looped, counted, alone = np.ones(1), np.ones(1), np.ones(1)
        where: list[Ints] = []
        for i, (counts, positions, inside) in enumerate(zip(self.grid.counts, box, place, strict=True)):
            here = counts[positions].astype(np.float64)
            looped = looped * (counts[inside] / here)
            counted = counted * here
            if table is not None:
                together = table.shape[i] > 1
                where.append(positions if together else np.zeros_like(positions))
                alone = alone if together else alone * here
        if table is None:
            return self.time(looped, counted, level)
        return self.time(looped, alone * table[tuple(where)], level - 1)

    def of_tiles(self, level: int, inner: Floats, places: Ints, table: Floats | None) -> Floats:
        """Least time [cycles] with chosen tiles, shape [rows].

        Args:
            inner: iterations inside them.
            places: their positions on the grid, shape [rows, dims].
        """
        counts = [own[places[:, i]].astype(np.float64) for i, own in enumerate(self.grid.counts)]
        if table is None:
            return self.time(inner, np.prod(counts, axis=0), level)
        alone = np.prod([c if table.shape[i] == 1 else np.ones_like(c) for i, c in enumerate(counts)], axis=0)
        where = tuple(places[:, i] if table.shape[i] > 1 else np.zeros_like(places[:, i]) for i in range(len(counts)))
        return self.time(inner, alone * table[where], level - 1)
