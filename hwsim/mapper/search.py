"""Exact search of a mapspace by branch and bound, whole arrays of partial mappings at a time.

A mapping is built from the datapath outwards: unroll the innermost fan-out, choose the tile of the level above it,
unroll the next fan-out, and so on. What lies inside a chosen tile is known exactly; what lies outside is bounded by
`Frontier.outside`, the least that any choice of larger tiles costs, found for every tile at once by running minima over
the grid of tile counts. A partial mapping whose bound is no better than the best complete one is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.access import accesses
from hwsim.cost.capacity import occupancy
from hwsim.cost.cycles import cycles
from hwsim.cost.energy import access_energy, leakage_power, mac_energy
from hwsim.cost.traffic import Array, NestArrays, PricedLoop, flows, footprint
from hwsim.mapper.bounds import Bounds, Cost, Floats
from hwsim.mapper.mapspace import Ints, Mapspace, Unrollings
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import DIMENSIONS, RELEVANT, Operand

#: Pairs of partial mapping and next choice that are looked at in one array operation.
CHUNK = 1 << 18
#: Partial mappings that the first, greedy descent keeps at every stage.
BEAM = 48
#: Grid points times unrollings that may be tabulated for their waves.
MOST_WAVES = 3 << 23
#: A bound has to beat the best by more than rounding.
MARGIN = 1 - 1e-9

Objective = Callable[[Floats, Floats], Floats]
OBJECTIVES: dict[str, Objective] = {
    "latency": lambda energy, time: np.broadcast_arrays(energy, time)[1],
    "energy": lambda energy, time: np.broadcast_arrays(energy, time)[0],
    "edp": lambda energy, time: energy * time,
}


@dataclass(frozen=True)
class Partial:
    """Partial mappings, one a row.

    Args:
        tile: extent of each dimension inside the boundary reached, shape [rows, dims].
        inner: product of the temporal bounds so far, shape [rows, dims].
        wave: the innermost level's tile times what is unrolled outside it, shape [rows, dims].
        energy: bound of everything inside [J]; ports: of every port's time [cycles], shape [rows, ports].
        series: first and last waves of the levels passed [cycles].
        value: bound of the objective for any completion.
        tiles: for each level from the innermost outwards, tiles chosen; shape [rows, dims] each.
        ways: for each level from the innermost outwards, index of the unrolling chosen.
    """

    tile: Ints
    inner: Ints
    wave: Ints
    energy: Floats
    ports: Floats
    series: Floats
    value: Floats
    tiles: tuple[Ints, ...] = ()
    ways: tuple[Ints, ...] = ()

    def __len__(self) -> int:
        return len(self.tile)

    def rows(self, pick: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Partial:
        return Partial(
            self.tile[pick], self.inner[pick], self.wave[pick], self.energy[pick], self.ports[pick], self.series[pick],
            self.value[pick], tuple(t[pick] for t in self.tiles), tuple(w[pick] for w in self.ways),
        )  # fmt: skip


@dataclass(frozen=True)
class _Crossed:
    """Energy [J], shape [rows], and port times [cycles], shape [rows, ports]."""

    energy: Floats
    ports: Floats


@dataclass(frozen=True)
class _Outside:
    """Costs outside a level's tile, over a grid of tile counts.

    Args:
        energy, time: with a tile of exactly these counts at the level; infinite where it does not fit.
        least_energy, least_time: minimised over all tiles that contain one of these counts.
        whole: the grid has one point, the whole nest.
    """

    energy: Floats
    time: Floats
    least_energy: Floats
    least_time: Floats
    whole: bool


@dataclass
class Found:
    """Best mapping so far, shared by the mapspaces of one problem."""

    value: float = float("inf")
    energy: float = float("inf")
    mapping: Mapping | None = None
    priced: int = 0
    looked: int = 0
    open_bound: float = float("inf")


class Search:
    """Branch and bound over one mapspace."""

    def __init__(self, space: Mapspace, objective: str, found: Found, effort: float) -> None:
        self.space, self.found, self.effort = space, found, effort
        self.problem = space.problem
        self.bounds = Bounds(space)
        self.objective = OBJECTIVES[objective]
        self.depth = space.depth
        self.sizes = space.sizes
        self.by_energy = objective != "latency"
        self.by_time = objective != "energy" or leakage_power(self.problem) > 0
        self.constant = float(self.bounds.fixed.energy) + mac_energy(self.problem)
        self.leakage = leakage_power(self.problem) / self.problem.hardware.clock
        self.launch = self.problem.hardware.launch * self.problem.hardware.clock
        self.correction = 1 + 1 / self.problem.nest.K if self.problem.corrected else 1.0
        self.counts = [space.counts(i) for i in range(len(space.dims))]
        self.shape = tuple(len(c) for c in self.counts)
        self.lookup = [np.searchsorted(c, np.arange(c[-1] + 1)) for c in self.counts]
        self._unrollings: dict[int, Unrollings] = {}
        self._wave_grids: dict[int, Floats | None] = {}
        self._reach: dict[int, list[list[Ints]]] = {}
        self.passing = [self._passing(level) for level in range(self.depth)]
        self.outside = self._outside()

    def _passing(self, level: int) -> Cost:
        """Least cost of the links that pass a level by on their way to the datapath, and at the ports also of those
        that end at it or outside: whatever a memory does for one level it does on top of its work for the other."""
        links = self.bounds.links
        by = self.bounds.compulsory([link for link in links if link.parent < level and link.child is None])
        outside = self.bounds.compulsory([link for link in links if link.child is not None and link.child <= level])
        return Cost(by.energy, tuple(a + b for a, b in zip(by.ports, outside.ports, strict=True)))

    # -- what lies outside a tile ------------------------------------------------------------------------------------

    def _outside(self) -> dict[int, _Outside]:
        """For every level and every cut of the nest into tiles: least cost of all levels outside."""
        grids: dict[int, _Outside] = {}
        bounds = self.bounds.without(energy=not self.by_energy, ports=not self.by_time)
        energy: Floats = np.zeros((1,) * len(self.shape))
        time: Floats = np.zeros((1,) * len(self.shape))
        for level in range(1, self.depth):
            alone = level == 1 and not self.problem.levels[0].fanout
            whole = (level == 1 or grids[level - 1].whole) and self._holds_everything(level)
            counts = [self._on_axis(i, c[: 1 if whole else None]) for i, c in enumerate(self.counts)]
            tiles = [-(-int(size) // count) for size, count in zip(self.sizes, counts, strict=True)]
            shape = np.broadcast_shapes(*(np.shape(tile) for tile in tiles))
            crossing = bounds.into(level, tiles, [count.astype(np.float64) for count in counts], alone=alone)
            fits = self._fits(level, tiles)
            here_energy = np.where(fits, crossing.energy + energy[tuple(slice(n) for n in shape)], np.inf)
            here_time = time[tuple(slice(n) for n in shape)]
            rest = self.bounds.compulsory([link for link in self.bounds.links if link.child != level])
            for port, other, fixed in zip(crossing.ports, rest.ports, self.bounds.fixed.ports, strict=True):
                if port.any():
                    here_time = np.maximum(here_time, port + (other + fixed))
            here_time = np.where(fits, here_time, np.inf)
            energy, time = here_energy, here_time
            if level == self.depth - 1:
                energy, time = (np.broadcast_to(grid.min(), grid.shape) for grid in (energy, time))
            elif not whole:
                energy, time = energy.copy(), time.copy()
                for grid in (energy,) * self.by_energy + (time,) * (self.by_time or not self.by_energy):
                    for axis in range(len(self.shape)):
                        np.minimum.accumulate(grid, axis=axis, out=grid)
            grids[level] = _Outside(here_energy, here_time, energy, time, whole)
            energy, time = np.broadcast_to(energy, self.shape), np.broadcast_to(time, self.shape)
        return grids

    def _holds_everything(self, level: int) -> bool:
        """Whether the whole nest fits a level that nothing is unrolled above. Then, if it fits all levels outside too,
        no smaller tile is better: every operand comes in once, and the loops inside have all the freedom there is."""
        if any(above.fanout for above in self.problem.levels[:level]) or not self.space.looped(level).all():
            return False
        return bool(self._fits(level, [np.array([size]) for size in self.sizes]).all())

    def _on_axis(self, index: int, values: NDArray[np.generic]) -> NDArray[np.generic]:
        shape = [1] * len(self.shape)
        shape[index] = len(values)
        return values.reshape(shape)

    def _fits(self, level: int, tiles: list[NDArray[np.generic]]) -> NDArray[np.bool_]:
        """Whether tiles fit the memories and the dataflow of a level."""
        extents: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
        extents |= dict(zip(self.space.dims, tiles, strict=True))
        fits = np.ones(np.broadcast_shapes(*(np.shape(t) for t in tiles)), dtype=bool)
        for taken in occupancy(self.problem, level, extents, self.space.bypass[level]):
            fits &= taken.bits <= taken.usable
        least, greatest = self.space.least_tile(level), self.space.greatest_tile(level)
        for index, tile in enumerate(tiles):
            fits &= (tile >= least[index]) & (tile <= greatest[index])
        return fits

    # -- building from the inside ------------------------------------------------------------------------------------

    def run(self) -> None:
        """Descend greedily once for a good mapping, then visit everything that could be better."""
        start = Partial(
            tile=np.ones((1, len(self.sizes)), dtype=np.int64),
            inner=np.ones((1, len(self.sizes)), dtype=np.int64),
            wave=np.ones((1, len(self.sizes)), dtype=np.int64),
            energy=np.zeros(1),
            ports=np.zeros((1, len(self.bounds.ports))),
            series=np.zeros(1),
            value=np.zeros(1),
        )
        self._descend(start, self.depth - 1, BEAM)
        self._descend(start, self.depth - 1, None)

    def _descend(self, partial: Partial, level: int, beam: int | None) -> None:
        """Complete partial mappings whose boundary is just below `level`."""
        for unrolled in self._unroll(partial, level, beam):
            if level == 0:
                self._price(unrolled)
                continue
            for tiled in self._tile(unrolled, level, beam):
                self._descend(tiled, level - 1, beam)

    def _alive(self, value: Floats) -> NDArray[np.bool_]:
        return value < self.found.value * MARGIN

    def _best(self, partial: Partial, beam: int | None) -> Iterator[Partial]:
        """Rows that may still win, best first: the beam's width, or all of them in growing chunks."""
        partial = partial.rows(self._alive(partial.value))
        if not len(partial):
            return
        order = np.lexsort((partial.energy, partial.value))
        if beam is not None:
            yield partial.rows(order[:beam])
            return
        first, width = 0, 64
        while first < len(order):
            rows = partial.rows(order[first : first + width])
            rows = rows.rows(self._alive(rows.value))
            if not len(rows):
                return
            if self._exhausted(rows.value[0]):
                return
            yield rows
            first, width = first + width, min(width * 4, 4096)

    def _bound(self, energy: Floats, time: Floats, series: Floats) -> Floats:
        total = time + series + self.launch
        leaked = self.leakage * total if self.leakage else 0.0  # not 0 * inf
        return self.objective(energy + self.constant + leaked, total)

    def _ways(self, level: int) -> Unrollings:
        if level not in self._unrollings:
            self._unrollings[level] = self.space.unrollings(level, thin=level == self.depth - 1)
        return self._unrollings[level]

    def _unroll(self, partial: Partial, level: int, beam: int | None) -> Iterator[Partial]:
        """Add the spatial loops of a level's fan-out."""
        ways = self._ways(level)
        passing = self.passing[level].energy
        counts, member = np.unique(-(-self.sizes // partial.tile), axis=0, return_inverse=True)
        member = member.ravel()
        order = np.argsort(member, kind="stable")
        inner = partial.inner.astype(np.float64).prod(axis=1)
        # However the tiles fall, a way that uses few instances leaves this much to each of them.
        least = (inner * counts.astype(np.float64).prod(axis=1)[member]).min() / ways.factor.prod(axis=1)
        floor = self._bound(
            partial.energy.min() + passing, self._compute(np.float64(1), least, level), partial.series.min()
        )
        worth = np.nonzero(self._alive(floor))[0]
        if not len(worth):
            return
        factor = ways.factor[worth]
        kept: list[Partial] = []
        step = max(1, CHUNK // factor.size)
        for start in range(0, len(counts), step):
            if self._exhausted(partial.value.min()):
                break
            some = counts[start : start + step, None, :]
            left = -(-some // factor)
            useful = (factor == -(-some // left)).all(axis=2)
            outside_energy, outside_time = self._outside_of(level, left)
            tiles = left.astype(np.float64).prod(axis=2)
            first, last = np.searchsorted(member[order], (start, start + step))
            for begin in range(first, last, max(1, CHUNK // len(worth))):
                rows = order[begin : min(last, begin + max(1, CHUNK // len(worth)))]
                group = member[rows] - start
                steps = self._compute(inner[rows, None], tiles[group], level)
                rough = self._bound(
                    partial.energy[rows, None] + passing + outside_energy[group],
                    np.maximum(steps, outside_time[group]),
                    partial.series[rows, None],
                )
                self.found.looked += rough.size
                row, pick = np.nonzero(self._alive(rough) & useful[group])
                if len(row):
                    at = (group[row], pick)
                    kept.append(
                        self._unrolled(
                            partial.rows(rows[row]), level, worth[pick], steps[row, pick],
                            outside_energy[at], outside_time[at],
                        )
                    )  # fmt: skip
        if kept:
            yield from self._best(_join(kept), beam)

    def _compute(self, inner: Floats, left: Floats, level: int) -> Floats:
        """Least compute time [cycles] with so many iterations inside a boundary and so many tiles left outside it."""
        room = max(1, prod(above.instances_below for above in self.problem.levels[:level]))
        return inner * np.maximum(left / room, 1.0) * (self.correction / self.problem.mode.rate)

    def _unrolled(
        self, rows: Partial, level: int, way: Ints, steps: Floats, outside_energy: Floats, outside_time: Floats
    ) -> Partial:
        """Partial mappings with one more fan-out unrolled, `way` by `way`."""
        spread = (*rows.ways, way)
        outside = np.ones((1, len(self.sizes)), dtype=np.int64) if level == 0 else None
        crossed = self._out_of(level, rows.tiles, spread, outside)
        time = np.maximum(self._time(rows.ports + crossed.ports, steps, level), outside_time)
        energy = rows.energy + crossed.energy + self.passing[level].energy + outside_energy
        factor = self._ways(level).factor[way]
        inner = level == self.depth - 1
        wave = rows.wave * (1 if inner else factor)
        series = rows.series + (0.0 if inner else self._first_wave(wave, [level]))
        return replace(
            rows,
            tile=rows.tile * factor,
            wave=wave,
            series=series,
            value=self._bound(energy, time, series + (0.0 if inner else self._first_wave(wave, range(level)))),
            ways=spread,
        )

    def _out_of(self, level: int, tiles: tuple[Ints, ...], ways: tuple[Ints, ...], outside: Ints | None) -> _Crossed:
        """Lower bound of what crosses from a level to each of its children, inner tiles and unrollings known.

        Args:
            tiles: chosen tiles from the innermost level outwards, up to level + 1.
            ways: chosen unrollings from the innermost level outwards, up to `level`.
        """
        energy: Floats | float = 0.0
        ports: Floats | float = 0.0
        unrolled: Floats | float = 1.0
        for child in range(level + 1, self.depth + 1):
            position = self.depth - child  # of the fan-out right above the child
            unrolled = unrolled * self._ways(child - 1).factor[ways[position]].astype(np.float64)
            inside = tiles[position - 1] if position else np.ones_like(self.sizes)[None, :]
            cost = self.bounds.out_of(
                level,
                None if child == self.depth else child,
                _columns(inside),
                _columns((-(-self.sizes // inside)).astype(np.float64)),
                _columns(unrolled),
                None if outside is None else _columns(outside.astype(np.float64)),
            )
            energy = energy + cost.energy
            if cost.ports:
                ports = ports + np.stack([np.broadcast_to(p, (len(unrolled),)) for p in cost.ports], axis=1)
        return _Crossed(energy, ports)

    def _time(self, ports: Floats, steps: Floats, level: int) -> Floats:
        if not ports.shape[1]:
            return steps
        known = zip(self.bounds.fixed.ports, self.passing[level].ports, strict=True)
        return np.maximum(steps, (ports + np.array([float(a) + float(b) for a, b in known])).max(axis=1))

    def _outside_of(self, level: int, left: Ints) -> tuple[Floats, Floats]:
        """Least cost outside a boundary that leaves so many tiles, shape [..., dims]."""
        if level == 0:
            return np.zeros(left.shape[:-1]), np.zeros(left.shape[:-1])
        grid = self.outside[level]
        if grid.whole:
            return np.full(left.shape[:-1], grid.least_energy.item()), np.full(left.shape[:-1], grid.least_time.item())
        place = np.zeros(left.shape[:-1], dtype=np.int64)
        for i, lookup in enumerate(self.lookup):
            place = place * self.shape[i] + lookup[left[..., i]]
        return grid.least_energy.ravel()[place], grid.least_time.ravel()[place]

    def _place(self, counts: Ints) -> Ints:
        """Position of tile counts on every axis of the grids, shape [rows, dims]."""
        return np.stack([lookup[counts[:, i]] for i, lookup in enumerate(self.lookup)], axis=1)

    def _reachable(self, level: int) -> list[list[Ints]]:
        """For every dimension and position inside a level's loops: positions that one loop bound can lead to outside."""
        if level not in self._reach:
            looped = self.space.looped(level)
            table: list[list[Ints]] = []
            for i, counts in enumerate(self.counts):
                bound = -(-counts[:, None] // counts[None, :])
                fits = (-(-counts[:, None] // bound) == counts[None, :]) & (looped[i] | (bound == 1))
                if self.outside[level].whole:
                    fits[:, 1:] = False
                table.append([np.nonzero(row)[0] for row in fits])
            self._reach[level] = table
        return self._reach[level]

    def _tile(self, partial: Partial, level: int, beam: int | None) -> Iterator[Partial]:
        """Add the temporal loops of a level: choose the tile that it keeps."""
        grid, reach = self.outside[level], self._reachable(level)
        left = self._place(-(-self.sizes // partial.tile))
        groups, member = np.unique(left, axis=0, return_inverse=True)
        member = member.ravel()
        passing = self.passing[level].energy
        rows: list[Ints] = []
        outer: list[Ints] = []
        kept: list[Partial] = []
        pairs = size = 0

        def flush() -> None:
            nonlocal pairs, size
            made = self._tiled(partial, level, np.concatenate(rows), np.concatenate(outer)) if rows else None
            rows.clear()
            outer.clear()
            pairs = 0
            if made is not None:
                kept.append(made)
                size += len(made)

        waves = self._waves(level) if beam is None else None
        inner = partial.inner.astype(np.float64).prod(axis=1)
        for number, place in enumerate(groups):
            if self._exhausted(partial.value.min()):
                break
            mine = np.nonzero(member == number)[0]
            box = np.ix_(*(reach[i][position] for i, position in enumerate(place)))
            energy, time = grid.energy[box], grid.time[box]
            time = np.maximum(time, self._iterations(level, box, place, waves) * inner[mine].min())
            floor = np.float64(partial.energy[mine].min())
            value = self._bound(energy + floor + passing, time, np.float64(partial.series[mine].min()))
            self.found.looked += value.size
            good = np.nonzero(self._alive(value).ravel())[0]
            if beam is not None and len(good) > beam:
                good = good[np.argsort(value.ravel()[good], kind="stable")[:beam]]
            if not len(good):
                continue
            where = np.unravel_index(good, value.shape)
            picks = np.stack([self.counts[i][box[i].ravel()[where[i]]] for i in range(len(self.shape))], axis=1)
            at = np.ravel_multi_index(where, value.shape)
            rough = self._bound(
                partial.energy[mine, None] + passing + energy.ravel()[None, at],
                time.ravel()[None, at] + np.zeros((len(mine), 1)),
                partial.series[mine, None],
            )
            row, pick = np.nonzero(self._alive(rough))
            rows.append(mine[row])
            outer.append(picks[pick])
            pairs += len(row)
            self.found.looked += rough.size
            if pairs > CHUNK >> 2:
                flush()
            if beam is None and size > 1 << 16:
                yield from self._best(_join(kept), beam)
                kept, size = [], 0
        flush()
        if kept:
            yield from self._best(_join(kept), beam)

    def _iterations(self, level: int, box: tuple[Ints, ...], place: Ints, waves: Floats | None) -> Floats:
        """Least compute time [cycles] per inner iteration of tiles in a box of the grid, loops from `place` to there
        and everything outside included."""
        looped: Floats = np.ones(1)
        counted: Floats = np.ones(1)
        for i, positions in enumerate(box):
            counts = self.counts[i][positions]
            looped = looped * (-(-self.counts[i][place[i]] // counts)).astype(np.float64)
            counted = counted * counts.astype(np.float64)
        if waves is not None:
            return looped * waves[box]
        return self._compute(looped, counted, level)

    def _waves(self, level: int) -> Floats | None:
        """For every cut into tiles at a level, the compute time of one iteration in each of them [cycles] in the best
        unrolling above it. Unrollings too poor to beat the best mapping are left out; None if many are left."""
        if level not in self._wave_grids:
            ways = self._ways(level - 1)
            below = prod(inside.instances_below for inside in self.problem.levels[level:])
            most = (-(-self.sizes // ways.factor)).astype(np.float64).prod(axis=1) / below
            floor = self._bound(
                np.float64(self.passing[level].energy), self._compute(most, np.float64(1), level - 1), np.float64(0)
            )
            factors = ways.factor[self._alive(floor)]
            grid: Floats | None = None
            if len(factors) and len(factors) * prod(self.shape) <= MOST_WAVES and self.outside[level].whole is False:
                best = np.full(self.shape, np.inf)
                for factor in factors:
                    product: Floats = np.ones(1)
                    for i, counts in enumerate(self.counts):
                        product = product * self._on_axis(i, (-(-counts // factor[i])).astype(np.float64))
                    np.minimum(best, product, out=best)
                grid = self._compute(np.float64(1), best, level - 1)
            self._wave_grids[level] = grid
        return self._wave_grids[level]

    def _exhausted(self, bound: float) -> bool:
        """Whether to settle for the best mapping so far, leaving open what is bounded by `bound`."""
        if self.found.looked <= self.effort or self.found.mapping is None:
            return False
        if bound < self.found.value * MARGIN:
            self.found.open_bound = min(self.found.open_bound, float(bound))
        return True

    def _tiled(self, partial: Partial, level: int, row: Ints, outer: Ints) -> Partial | None:
        """Partial mappings with their next tile, `outer` many of them; none where the memories cannot hold it."""
        bound = -(-(-(-self.sizes // partial.tile[row])) // outer)
        tile = partial.tile[row] * bound
        clipped = np.minimum(tile, self.sizes)
        good = self._fits(level, _columns(clipped))
        if level == self.depth - 1 and self.space.mirrored:
            good &= self._first_of_mirrored(tile)
        row, outer, bound, tile, clipped = (x[good] for x in (row, outer, bound, tile, clipped))
        if not len(row):
            return None
        tiles = tuple(t[row] for t in partial.tiles)
        ways = tuple(w[row] for w in partial.ways)
        crossed = self._out_of(level, tiles, ways, outer)
        energy, ports = partial.energy[row] + crossed.energy, partial.ports[row] + crossed.ports
        inner = partial.inner[row] * bound
        steps = self._compute(
            inner.astype(np.float64).prod(axis=1), outer.astype(np.float64).prod(axis=1), level
        )
        grid = self.outside[level]
        place = tuple(np.zeros_like(outer.T)) if grid.whole else tuple(self._place(outer).T)
        time = np.maximum(self._time(ports, steps, level), grid.time[place])
        series = partial.series[row]
        wave = tile if level == self.depth - 1 else partial.wave[row]
        value = self._bound(
            energy + self.passing[level].energy + grid.energy[place],
            time,
            series + self._first_wave(wave, range(level)),
        )
        return Partial(tile, inner, wave, energy, ports, series, value, (*tiles, tile), ways)

    def _first_of_mirrored(self, tile: Ints) -> NDArray[np.bool_]:
        """Of two tiles that differ in rows and columns changing places, the one to look at."""
        dims = self.space.dims
        rows, columns = (
            sum(tile[:, dims.index(dim)] * weight for dim, weight in zip(pair, (1 << 20, 1), strict=True) if dim in dims)
            for pair in (("P", "R"), ("Q", "S"))
        )
        return np.asarray(rows >= columns)

    def _first_wave(self, wave: Ints, parents: Sequence[int]) -> Floats:
        """Time that the first tiles take down from some levels, and the last ones up to them.

        Args:
            wave: what all instances below a parent hold at first, shape [rows, dims].
        """
        total = np.zeros(len(wave))
        if not self.problem.hardware.fill_and_drain:
            return total
        extents: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
        extents |= dict(zip(self.space.dims, _columns(np.minimum(wave, self.sizes)), strict=True))
        for operand, cycles_per_word in self.bounds.wave_prices(parents):
            total = total + footprint(extents, operand, self.problem) * cycles_per_word
        return total

    # -- pricing complete mappings -----------------------------------------------------------------------------------

    def _price(self, partial: Partial) -> None:
        """Price complete mappings exactly, in every loop order, and keep the best."""
        tiles = [np.broadcast_to(self.sizes, partial.tile.shape), *reversed(partial.tiles)]
        ways = list(reversed(partial.ways))
        unrolled = [self._ways(level).bounds[ways[level]] for level in range(self.depth)]
        temporal = []
        for level in range(self.depth):
            below = unrolled[level].prod(axis=1) * (tiles[level + 1] if level + 1 < self.depth else 1)
            temporal.append(-(-tiles[level] // below))
        for order, loops in self._distinct_orders(temporal, unrolled):
            nest = NestArrays.of(loops, {d: getattr(self.problem.nest, d) for d in DIMENSIONS})
            done = accesses(self.problem, flows(self.problem, nest, self.space.bypass))
            time = np.asarray(cycles(self.problem, loops, self.space.bypass).total) + self.launch
            joules = sum(access_energy(self.problem, done).values()) + mac_energy(self.problem)
            time = np.broadcast_to(time, (len(partial),))
            joules = np.broadcast_to(joules, (len(partial),)) + self.leakage * time
            allowed = np.ones(len(partial), dtype=bool)
            for level in range(self.depth):
                allowed &= self.space.allows(level, self._ordered(level, order), temporal[level])
            value = np.where(allowed, self.objective(joules, time), np.inf)
            self.found.priced += len(partial)
            best = np.lexsort((joules, value))[0]
            if (value[best], joules[best]) < (self.found.value, self.found.energy):
                self.found.value, self.found.energy = float(value[best]), float(joules[best])
                self.found.mapping = self._mapping([t[best] for t in temporal], [u[best] for u in unrolled], order)

    def _distinct_orders(
        self, temporal: list[Ints], unrolled: list[Ints]
    ) -> Iterator[tuple[tuple[Operand, ...], tuple[PricedLoop, ...]]]:
        """Loops of a batch of mappings in every order that makes a difference to one of them."""
        seen: set[tuple[tuple[int, str], ...]] = set()
        for order in self.space.orders():
            loops = self._loops(temporal, unrolled, order)
            key = tuple((loop.level, loop.dim) for loop in loops if loop.axis is None)
            if key not in seen:
                seen.add(key)
                yield order, loops

    def _ordered(self, level: int, order: tuple[Operand, ...]) -> list[int]:
        """Dimensions outermost first, those that do not index the stationary operand innermost."""
        still = order[level : level + 1] or self.problem.levels[level].stationary
        return sorted(
            range(len(self.space.dims)), key=lambda i: any(self.space.dims[i] not in RELEVANT[o] for o in still)
        )

    def _loops(
        self, temporal: list[Ints], unrolled: list[Ints], order: tuple[Operand, ...]
    ) -> tuple[PricedLoop, ...]:
        loops: list[PricedLoop] = []
        for level in range(self.depth):
            for i in self._ordered(level, order):
                if (temporal[level][:, i] > 1).any():
                    loops.append(PricedLoop(self.space.dims[i], temporal[level][:, i], level))
            for axis in range(unrolled[level].shape[1]):
                for i, dim in enumerate(self.space.dims):
                    if (unrolled[level][:, axis, i] > 1).any():
                        loops.append(PricedLoop(dim, unrolled[level][:, axis, i], level, axis))
        return tuple(loops)

    def _mapping(self, temporal: list[Ints], unrolled: list[Ints], order: tuple[Operand, ...]) -> Mapping:
        levels = []
        for number, level in enumerate(self.problem.levels):
            loops = tuple(
                Loop(self.space.dims[i], int(temporal[number][i]))
                for i in self._ordered(number, order)
                if temporal[number][i] > 1
            )
            spatial = tuple(
                SpatialLoop(dim, int(unrolled[number][axis, i]), level.fanout[axis].name)
                for axis in range(len(level.fanout))
                for i, dim in enumerate(self.space.dims)
                if unrolled[number][axis, i] > 1
            )
            levels.append(LevelMapping(level.name, loops, spatial, self.space.bypass[number]))
        return Mapping(tuple(levels))


def _columns(array: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    return [array[:, i] for i in range(array.shape[1])]


def _join(parts: list[Partial]) -> Partial:
    if len(parts) == 1:
        return parts[0]
    return Partial(
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("tile", "inner", "wave", "energy", "ports", "series", "value")),
        tuple(np.concatenate(group) for group in zip(*(p.tiles for p in parts), strict=True)),
        tuple(np.concatenate(group) for group in zip(*(p.ways for p in parts), strict=True)),
    )
