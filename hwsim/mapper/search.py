"""Exact search of a mapspace by branch and bound, whole arrays of partial mappings at a time.

A mapping is built from the datapath outwards: unroll the innermost fan-out, choose the tile of the level above it,
unroll the next fan-out, and so on. What lies inside a chosen tile is known exactly; what lies outside is bounded by
`Frontier.outside`, the least that any choice of larger tiles costs, found for every tile at once by running minima over
the grid of tile counts. A partial mapping whose bound is no better than the best complete one is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.access import accesses
from hwsim.cost.capacity import occupancy
from hwsim.cost.cycles import cycles
from hwsim.cost.energy import access_energy, leakage_power, mac_energy
from hwsim.cost.traffic import NestArrays, PricedLoop, flows, footprint
from hwsim.mapper.bounds import Bounds, Floats
from hwsim.mapper.mapspace import Ints, Mapspace, Unrollings
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import DIMENSIONS, RELEVANT, Operand

#: Pairs of partial mapping and next choice that are looked at in one array operation.
CHUNK = 1 << 18
#: Partial mappings that the first, greedy descent keeps at every stage.
BEAM = 48
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
        energy: bound of everything inside [J]; ports: of every port's time [cycles], shape [rows, ports].
        series: time that overlaps with nothing [cycles].
        value: bound of the objective for any completion.
        tiles: for each level from the innermost outwards, tiles chosen; shape [rows, dims] each.
        ways: for each level from the innermost outwards, index of the unrolling chosen.
    """

    tile: Ints
    inner: Ints
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
            self.tile[pick], self.inner[pick], self.energy[pick], self.ports[pick], self.series[pick],
            self.value[pick], tuple(t[pick] for t in self.tiles), tuple(w[pick] for w in self.ways),
        )  # fmt: skip


@dataclass(frozen=True)
class _Crossed:
    """Energy [J], shape [rows], and port times [cycles], shape [rows, ports]."""

    energy: Floats
    ports: Floats


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
        self.constant = float(self.bounds.fixed.energy) + mac_energy(self.problem)
        self.leakage = leakage_power(self.problem) / self.problem.hardware.clock
        self.launch = self.problem.hardware.launch * self.problem.hardware.clock
        self.correction = 1 + 1 / self.problem.nest.K if self.problem.corrected else 1.0
        self.counts = [space.counts(i) for i in range(len(space.dims))]
        self.shape = tuple(len(c) for c in self.counts)
        self._unrollings: dict[int, Unrollings] = {}
        self.passing = [self.bounds.crossing(level) for level in range(self.depth)]
        self.outside = self._outside()

    # -- what lies outside a tile ------------------------------------------------------------------------------------

    def _outside(self) -> dict[int, tuple[Floats, Floats, Floats, Floats]]:
        """For every level and every cut of the nest into tiles: least cost of all levels outside.

        Returns:
            by level: (energy, time) with a tile of exactly these counts at that level, infinite where none fits, and
            the same minimised over all tiles that contain it.
        """
        grids: dict[int, tuple[Floats, Floats, Floats, Floats]] = {}
        energy = np.zeros((1,) * len(self.shape))
        time = np.zeros((1,) * len(self.shape))
        counts = [self._on_axis(i, c.astype(np.float64)) for i, c in enumerate(self.counts)]
        tiles = [self._on_axis(i, -(-int(self.sizes[i]) // c)) for i, c in enumerate(self.counts)]
        for level in range(1, self.depth):
            known = level == 1 and not self.problem.levels[0].fanout
            crossing = self.bounds.into(level, tiles, counts, alone=known)
            here_energy = np.broadcast_to(crossing.energy + energy, self.shape).copy()
            here_time = time
            for port, fixed in zip(crossing.ports, self.bounds.fixed.ports, strict=True):
                here_time = np.maximum(here_time, port + fixed)
            here_time = np.broadcast_to(here_time, self.shape).copy()
            fits = self._fits(level, tiles)
            here_energy[~fits] = np.inf
            here_time[~fits] = np.inf
            energy, time = here_energy.copy(), here_time.copy()
            for axis in range(len(self.shape)):
                np.minimum.accumulate(energy, axis=axis, out=energy)
                np.minimum.accumulate(time, axis=axis, out=time)
            grids[level] = (here_energy, here_time, energy, time)
        return grids

    def _on_axis(self, index: int, values: NDArray[np.generic]) -> NDArray[np.generic]:
        shape = [1] * len(self.shape)
        shape[index] = len(values)
        return values.reshape(shape)

    def _fits(self, level: int, tiles: list[NDArray[np.generic]]) -> NDArray[np.bool_]:
        """Whether tiles fit the memories and the dataflow of a level."""
        extents: dict[str, object] = dict.fromkeys(DIMENSIONS, 1)
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
            if self.found.looked > self.effort:
                self.found.open_bound = min(self.found.open_bound, float(rows.value[0]))
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
        count = -(-self.sizes // partial.tile)
        room = prod(above.instances_below for above in self.problem.levels[:level])
        kept: list[Partial] = []
        step = max(1, CHUNK // max(1, len(ways) * len(self.sizes)))
        for first in range(0, len(partial), step):
            rows = partial.rows(slice(first, first + step))
            pair = count[first : first + step, None, :]
            factor = ways.factor[None, :, :]
            left = -(-pair // factor)
            useful = (factor == -(-pair // left)).all(axis=2)
            row, way = np.nonzero(useful)
            self.found.looked += len(row)
            if not len(row):
                continue
            kept.append(self._unrolled(rows, row, ways, way, level, left[row, way], room))
        if kept:
            yield from self._best(_join(kept), beam)

    def _unrolled(
        self, rows: Partial, row: NDArray[np.int64], ways: Unrollings, way: NDArray[np.int64], level: int,
        left: Ints, room: int,
    ) -> Partial:  # fmt: skip
        factor = ways.factor[way]
        tiles = tuple(t[row] for t in rows.tiles)
        spread = (*(w[row] for w in rows.ways), way)
        outside = np.ones((1, len(self.sizes))) if level == 0 else None
        energy, ports = rows.energy[row], rows.ports[row]
        crossed = self._out_of(level, tiles, spread, outside)
        tile = rows.tile[row]
        tile = tile * factor
        inner = rows.inner[row]
        steps = (inner * left).astype(np.float64).prod(axis=1) / max(room, 1)
        steps = np.maximum(steps, inner.astype(np.float64).prod(axis=1)) * self.correction / self.problem.mode.rate
        passing = self.passing[level]
        time = self._time(ports + crossed.ports, steps, level)
        outside_energy, outside_time = self._outside_of(level, left)
        value = self._bound(
            energy + crossed.energy + passing.energy + outside_energy, np.maximum(time, outside_time), rows.series[row]
        )
        return Partial(tile, inner, energy, ports, rows.series[row], value, tiles, spread)

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
        """Least cost outside a boundary that leaves so many tiles."""
        if level == 0:
            return np.zeros(len(left)), np.zeros(len(left))
        index = tuple(np.searchsorted(self.counts[i], left[:, i]) for i in range(len(self.sizes)))
        _, _, energy, time = self.outside[level]
        return energy[index], time[index]

    def _tile(self, partial: Partial, level: int, beam: int | None) -> Iterator[Partial]:
        """Add the temporal loops of a level: choose the tile that it keeps."""
        grid_energy, grid_time, _, _ = self.outside[level]
        floor_energy, floor_series = float(partial.energy.min()), float(partial.series.min())
        value = self._bound(
            grid_energy + floor_energy + self.passing[level].energy, grid_time, np.float64(floor_series)
        )
        places = np.nonzero(self._alive(value).ravel())[0]
        order = np.argsort(value.ravel()[places], kind="stable")
        places = places[order]
        if beam is not None:
            places = places[: 64 * beam]
        index = np.unravel_index(places, self.shape)
        outer = np.stack([self.counts[i][index[i]] for i in range(len(self.sizes))], axis=1)
        energy_here, time_here = grid_energy.ravel()[places], grid_time.ravel()[places]
        step = max(1, CHUNK // max(1, len(partial)))
        kept: list[Partial] = []
        size = 0
        for first in range(0, len(places), step):
            block = slice(first, first + step)
            made = self._tiled(partial, level, outer[block], energy_here[block], time_here[block])
            if made is None:
                continue
            kept.append(made)
            size += len(made)
            if beam is None and size > 1 << 16:
                yield from self._best(_join(kept), beam)
                kept, size = [], 0
        if kept:
            yield from self._best(_join(kept), beam)

    def _tiled(
        self, partial: Partial, level: int, outer: Ints, energy_here: Floats, time_here: Floats
    ) -> Partial | None:
        """Pairs of partial mapping and tile counts that a chain of loops can reach and the memories can hold."""
        left = -(-self.sizes // partial.tile)
        rough = self._bound(
            partial.energy[:, None] + self.passing[level].energy + energy_here[None, :], time_here[None, :] + np.zeros((len(partial), 1)),
            partial.series[:, None],
        )  # fmt: skip
        possible = self._alive(rough)
        self.found.looked += possible.size
        looped = self.space.looped(level)
        for i in range(len(self.sizes)):
            fewer, more = outer[None, :, i], left[:, i, None]
            bound = -(-more // fewer)
            possible &= (-(-more // bound) == fewer) & (looped[i] | (bound == 1))
        row, pick = np.nonzero(possible)
        if not len(row):
            return None
        bound = -(-left[row] // outer[pick])
        tile = partial.tile[row] * bound
        clipped = np.minimum(tile, self.sizes)
        good = self._fits(level, _columns(clipped))
        row, pick, bound, tile, clipped = (x[good] for x in (row, pick, bound, tile, clipped))
        if not len(row):
            return None
        tiles = tuple(t[row] for t in partial.tiles)
        ways = tuple(w[row] for w in partial.ways)
        crossed = self._out_of(level, tiles, ways, outer[pick])
        energy, ports = partial.energy[row] + crossed.energy, partial.ports[row] + crossed.ports
        inner = partial.inner[row] * bound
        room = max(1, prod(above.instances_below for above in self.problem.levels[:level]))
        steps = (inner * outer[pick]).astype(np.float64).prod(axis=1) / room
        steps = np.maximum(steps, inner.astype(np.float64).prod(axis=1)) * self.correction / self.problem.mode.rate
        time = np.maximum(self._time(ports, steps, level), time_here[pick])
        series = partial.series[row]
        if level == self.depth - 1 and self.problem.hardware.fill_and_drain:
            series = series + self._first_wave(clipped)
        value = self._bound(energy + self.passing[level].energy + energy_here[pick], time, series)
        return Partial(tile, inner, energy, ports, series, value, (*tiles, tile), ways)

    def _first_wave(self, tile: Ints) -> Floats:
        """Least time that the first tile takes down and the last one up."""
        extents: dict[str, object] = dict.fromkeys(DIMENSIONS, 1)
        extents |= dict(zip(self.space.dims, _columns(tile), strict=True))
        problem = self.problem
        total = np.zeros(len(tile))
        for operand in Operand:
            words = footprint(extents, operand, problem)
            bits = problem.precision.output_bits if operand is Operand.OUTPUTS else problem.stored_bits(operand)
            for level in problem.keepers(operand, self.space.bypass)[:-1]:
                memory = problem.memory(level, operand)
                port = memory.bandwidth or (
                    memory.write_bandwidth if operand is Operand.OUTPUTS else memory.read_bandwidth
                )
                if port is not None:
                    total = total + words * bits / (8 * port.bytes_per_cycle(problem.hardware.clock))
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
        for order in self.space.orders():
            loops = self._loops(temporal, unrolled, order)
            nest = NestArrays.of(loops, {d: getattr(self.problem.nest, d) for d in DIMENSIONS})
            done = accesses(self.problem, flows(self.problem, nest, self.space.bypass))
            time = np.asarray(cycles(self.problem, loops, self.space.bypass).total) + self.launch
            joules = sum(access_energy(self.problem, done).values()) + mac_energy(self.problem)
            time = np.broadcast_to(time, (len(partial),))
            joules = np.broadcast_to(joules, (len(partial),)) + self.leakage * time
            value = self.objective(joules, time)
            self.found.priced += len(partial)
            best = np.lexsort((joules, value))[0]
            if (value[best], joules[best]) < (self.found.value, self.found.energy):
                self.found.value, self.found.energy = float(value[best]), float(joules[best])
                self.found.mapping = self._mapping([t[best] for t in temporal], [u[best] for u in unrolled], order)

    def _ordered(self, level: int, order: tuple[Operand, ...]) -> list[int]:
        """Dimensions outermost first, those that do not index the stationary operand innermost."""
        dims = range(len(self.space.dims))
        if level >= len(order):
            return list(dims)
        return sorted(dims, key=lambda i: self.space.dims[i] not in RELEVANT[order[level]])

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
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("tile", "inner", "energy", "ports", "series", "value")),
        tuple(np.concatenate(group) for group in zip(*(p.tiles for p in parts), strict=True)),
        tuple(np.concatenate(group) for group in zip(*(p.ways for p in parts), strict=True)),
    )
