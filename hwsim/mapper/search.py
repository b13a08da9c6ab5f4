"""Exact search of a mapspace by branch and bound, whole arrays of partial mappings at a time.

A mapping is built from the datapath outwards: unroll the innermost fan-out, choose the tile of the level above it,
unroll the next fan-out, and so on. What lies inside a chosen tile is known exactly; what lies outside is bounded by
`hwsim.mapper.outside`, the least that any choice of larger tiles costs. A partial mapping whose bound is no better than
the best complete one is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import prod

import numpy as np

from hwsim.cost.traffic import Array, footprint
from hwsim.mapper.arrays import Bools, Floats, Ints, ceil_div, columns, volume
from hwsim.mapper.bounds import Bounds, Stage
from hwsim.mapper.exact import Complete, Found
from hwsim.mapper.links import Price, series_time, wave_prices
from hwsim.mapper.mapspace import Mapspace, Unrollings
from hwsim.mapper.objective import Goal, Objective
from hwsim.mapper.outside import Grid, fits, outside
from hwsim.mapper.partial import Partial, joined, nothing_yet
from hwsim.mapper.waves import Waves
from hwsim.operators.nest import DIMENSIONS, Operand

#: Pairs of partial mapping and next choice that are looked at in one array operation.
CHUNK = 1 << 18
#: Partial mappings that the first, greedy descent keeps at every stage.
BEAM = 48


@dataclass(frozen=True)
class _Crossed:
    """Energy [J], shape [rows], and port times [cycles], shape [rows, ports]."""

    energy: Floats
    ports: Floats


@dataclass(frozen=True)
class _Costs:
    """Energy [J], time [cycles], and time that overlaps with nothing [cycles]."""

    energy: Floats
    time: Floats
    series: Floats


class Search:
    """Branch and bound over one mapspace. Levels are numbered from the outermost."""

    def __init__(self, space: Mapspace, objective: Objective, found: Found, effort: float) -> None:
        self.space, self.found, self.effort = space, found, effort
        self.problem, self.depth, self.sizes = space.problem, space.depth, space.sizes
        self.goal = Goal.of(space.problem, objective)
        self.bounds = Bounds(space)
        self.grid = Grid(space)
        self.outside = outside(space, self.grid, self.bounds, self.goal)
        self.ways: list[Unrollings] = [
            space.unrollings(level, thin=level == self.depth - 1) for level in range(self.depth)
        ]
        self.passing = [self._passing(level) for level in range(self.depth)]
        self.waves = Waves(space, self.grid)
        self._waves: dict[int, Floats] = {}

    def run(self) -> None:
        """Descend greedily once for a good mapping, then visit everything that could be better."""
        fixed = self.bounds.fixed
        start = nothing_yet(self.sizes, fixed.energy, fixed.ports, self._root())
        if not self.found.warm:
            self._descend(start, self.depth - 1, BEAM)
        self._descend(start, self.depth - 1, None)
        if any(self.space.thinned):
            self.found.open_bound = min(self.found.open_bound, self._floor())

    def _floor(self) -> float:
        """Bound of all mappings, those that a thinned mapspace leaves out included: every word crosses every link."""
        least = self.bounds.compulsory(self.bounds.links).plus(self.bounds.fixed)
        ports = zip(self.bounds.ports, least.ports, strict=True)
        share = self.problem.nest.macs / self.problem.instances(self.depth)
        compute = self.waves.time(np.full(1, share), np.ones(1), 0)
        busiest = max((cycles for port, cycles in ports if not port.serial), default=0.0)
        return float(self._value(np.maximum(compute, busiest), 0.0, least.energy)[0])

    def _root(self) -> float:
        """Bound of all mappings."""
        energy = self.bounds.fixed.energy + self.passing[self.depth - 1].energy
        share = self.problem.nest.macs / self.problem.instances(self.depth)
        time = float(self.waves.time(np.full(1, share), np.ones(1), 0)[0])
        if self.depth > 1:
            out = self.outside[self.depth - 1]
            energy, time = energy + float(out.least_energy.min()), max(time, float(out.least_time.min()))
        return float(self._value(np.full(1, time), 0.0, energy)[0])

    def _descend(self, partial: Partial, level: int, beam: int | None) -> None:
        """Complete partial mappings whose boundary is just below `level`."""
        for unrolled in self._unroll(partial, level, beam):
            if level == 0:
                self.found.consider(Complete.of(self.space, unrolled, self.ways), self.goal)
                continue
            for tiled in self._tile(unrolled, level, beam):
                self._descend(tiled, level - 1, beam)

    # -- who may still win -------------------------------------------------------------------------------------------

    def _value(self, time: Floats, series: Floats | float, *energy: Floats | float) -> Floats:
        """Bound of the objective; time has the shape of the result.

        Args:
            energy: parts of it, which are not added up where nobody looks at them.
        """
        time = np.asarray(time + series)
        return self.goal(np.asarray(sum(energy)), time) if self.goal.sees_energy else time + self.goal.launch

    def _alive(self, value: Floats) -> Bools:
        return np.asarray(value < self.found.threshold)

    def _exhausted(self, bound: float) -> bool:
        """Whether to settle for the best mapping so far, leaving open what is bounded by `bound`."""
        if self.found.looked <= self.effort or self.found.mapping is None:
            return False
        if bound < self.found.threshold:
            self.found.open_bound = min(self.found.open_bound, float(bound))
        return True

    def _best(self, partial: Partial, beam: int | None) -> Iterator[Partial]:
        """Rows that may still win, best first: the beam's width, or all of them in growing chunks."""
        partial = partial.rows(self._alive(partial.value))
        order = np.lexsort((partial.energy, partial.value))
        if beam is not None:
            if len(order):
                yield partial.rows(order[:beam])
            return
        first, width = 0, 64
        while first < len(order):
            rows = partial.rows(order[first : first + width])
            rows = rows.rows(self._alive(rows.value))
            if not len(rows) or self._exhausted(rows.value[0]):
                return
            yield rows
            first, width = first + width, min(width * 4, 4096)

    # -- spatial loops -----------------------------------------------------------------------------------------------

    def _unroll(self, partial: Partial, level: int, beam: int | None) -> Iterator[Partial]:
        """Add the spatial loops of a level's fan-out."""
        passing = self.passing[level].energy
        counts, member = np.unique(ceil_div(self.sizes, partial.tile), axis=0, return_inverse=True)
        member = member.ravel()
        order = np.argsort(member, kind="stable")
        inner = volume(partial.steps) / volume(counts)[member]
        series = partial.series + series_time(self.bounds.ports, columns(partial.ports))
        # However the tiles fall, a way that uses few instances leaves this much to each of them.
        least = (inner * volume(counts)[member]).min() / volume(self.ways[level].factor)
        floor = self._value(self.waves.time(np.ones(1), least, level), series.min(), partial.energy.min(), passing)
        worth = np.nonzero(self._alive(floor))[0]
        if not len(worth):
            return
        ways = self.ways[level]
        factor, lower = ways.factor[worth], ways.lower[worth]
        kept: list[Partial] = []
        step = max(1, CHUNK // len(worth))
        for start in range(0, len(counts), step):
            if self._exhausted(partial.value.min()):
                break
            tiles = _waves(counts[start : start + step], factor)
            first, last = np.searchsorted(member[order], (start, start + step))
            for begin in range(first, last, step):
                rows = order[begin : min(last, begin + step)]
                steps = self.waves.time(inner[rows, None], tiles[member[rows] - start], level)
                rough = self._value(steps, series[rows, None], partial.energy[rows, None], passing)
                self.found.looked += rough.size
                row, pick = np.nonzero(self._alive(rough))
                # What is left is divided dimension by dimension only where that may matter.
                inside = counts[member[rows[row]]]
                left = ceil_div(inside, factor[pick])
                useful = ((factor[pick] == 1) | (ceil_div(inside, lower[pick]) > left)).all(axis=1)
                useful &= self.grid.holds(left)
                if level == 0:
                    useful &= (self.space.looped(0) | (left == 1)).all(axis=1)
                row, pick, left = row[useful], pick[useful], left[useful]
                out = self._outside_of(level, left)
                time = np.maximum(steps[row, pick], out.time)
                energy = partial.energy[rows[row]], passing, out.energy
                good = np.nonzero(self._alive(self._value(time, series[rows[row]] + out.series, *energy)))[0]
                if len(good):
                    here = _Costs(out.energy[good], time[good], out.series[good])
                    kept.append(self._unrolled(partial.rows(rows[row[good]]), level, worth[pick[good]], here))
        if kept:
            yield from self._best(joined(kept), beam)

    def _unrolled(self, rows: Partial, level: int, way: Ints, out: _Costs) -> Partial:
        """Partial mappings with one more fan-out unrolled.

        Args:
            way: unrolling of each row.
            out: bounds of what lies outside, compute time included.
        """
        ways = (*rows.ways, way)
        factor = self.ways[level].factor[way]
        everything = np.ones((1, len(self.sizes)), dtype=np.int64) if level == 0 else None
        crossed = self._out_of(level, rows.tiles, ways, everything)
        past = self._past(level, rows.tiles)
        energy = rows.energy + crossed.energy + past.energy + out.energy
        # Instances work in lock step: whatever is below this fan-out is as busy as its busiest instance.
        count, left = ceil_div(self.sizes, rows.tile), ceil_div(self.sizes, rows.tile * factor)
        spread = self.problem.levels[level].instances_below * volume(left) / volume(count)
        steps = np.where(factor > 1, rows.inner * left, rows.steps)
        ports = rows.ports.copy()
        ports[:, self._below(level)] *= spread[:, None]
        crossed.ports[:, self._below(level)] *= spread[:, None]
        busy, serial = self._port_time(ports + crossed.ports + past.ports)
        time = np.maximum(out.time, busy)
        wave, series, coming = rows.wave, rows.series, rows.series
        if level < self.depth - 1:
            wave = wave * factor
            series = series + self._first_wave(wave, [level])
            coming = series + self._first_wave(wave, range(level))
        value = self._value(time, coming + serial + out.series, energy)
        return replace(
            rows,
            tile=rows.tile * factor,
            steps=steps,
            wave=wave,
            ports=ports,
            spread=spread,
            series=series,
            value=value,
            ways=ways,
        )

    def _below(self, level: int) -> Bools:
        """Which ports belong to levels below one."""
        return np.array([port.level > level for port in self.bounds.ports], dtype=bool)

    # -- temporal loops ----------------------------------------------------------------------------------------------

    @cached_property
    def _reachable(self) -> dict[int, list[list[Ints]]]:
        return {level: self.grid.reachable(level, out.whole) for level, out in self.outside.items()}

    def _reach(self, level: int) -> list[Ints]:
        """How many positions each position leads to, by dimension."""
        return [np.array([len(outer) for outer in axis]) for axis in self._reachable[level]]

    def _boxes(self, level: int, places: Ints) -> tuple[Ints, Ints]:
        """Where the loops of a level can lead.

        Args:
            places: on the grid, shape [groups, dims].

        Returns:
            Positions in the flattened grid, all that can be reached from one place after those from another, and from
            which group each is reached.
        """
        reach, shape = self._reachable[level], self.outside[level].time.shape
        flat = []
        for place in places.tolist():
            position = np.zeros(1, dtype=np.int64)
            for i, (here, extent) in enumerate(zip(place, shape, strict=True)):
                position = (position[:, None] * extent + reach[i][here]).ravel()
            flat.append(position)
        group = np.repeat(np.arange(len(flat)), [len(positions) for positions in flat])
        return np.concatenate(flat), group

    def _tile(self, partial: Partial, level: int, beam: int | None) -> Iterator[Partial]:
        """Add the temporal loops of a level: choose the tile that it keeps."""
        out, passing = self.outside[level], self.passing[level].energy
        counts = self.grid.places(ceil_div(self.sizes, partial.tile))
        places, member = np.unique(counts, axis=0, return_inverse=True)
        order = np.argsort(member.ravel(), kind="stable")
        first = np.searchsorted(member.ravel()[order], np.arange(len(places) + 1))
        steps = volume(partial.steps)[order]
        series = (partial.series + series_time(self.bounds.ports, columns(partial.ports)))[order]
        energy = partial.energy[order]
        # What the rows of a group have at least, and then row by row what that leaves.
        fewest, soonest, cheapest = (np.minimum.reduceat(each, first[:-1]) for each in (steps, series, energy))
        waves = self._waves_outside(level)
        kept: list[Partial] = []
        size = volume(np.stack([many[axis] for many, axis in zip(self._reach(level), places.T, strict=True)], axis=1))
        chunk = np.cumsum(size) // CHUNK
        for start, end in pairwise((*np.flatnonzero(np.diff(chunk, prepend=-1)), len(places))):
            if self._exhausted(partial.value.min()):
                break
            where, group = self._boxes(level, places[start:end])
            group += start
            costs = _Costs(*(grid.ravel()[where] for grid in (out.energy, out.time, out.series)))
            per_step = waves[where]
            time = np.maximum(costs.time, fewest[group] * per_step)
            value = self._value(time, soonest[group] + costs.series, cheapest[group], passing, costs.energy)
            self.found.looked += value.size
            good = np.nonzero(self._alive(value))[0]
            if beam is not None:
                good = good[np.lexsort((cheapest[group[good]] + costs.energy[good], value[good], group[good]))]
                _, begins, many = np.unique(group[good], return_index=True, return_counts=True)
                good = good[np.arange(len(good)) - np.repeat(begins, many) < beam]
            rows = first[group[good] + 1] - first[group[good]]
            pick = np.repeat(good, rows)
            row = first[group[pick]] + np.arange(len(pick)) - np.repeat(np.cumsum(rows) - rows, rows)
            if len(pick) > len(good):
                time = np.maximum(costs.time[pick], steps[row] * per_step[pick])
                value = self._value(time, series[row] + costs.series[pick], energy[row], passing, costs.energy[pick])
                self.found.looked += value.size
                alive = self._alive(value)
                row, pick = row[alive], pick[alive]
            at = np.unravel_index(where[pick], out.time.shape)
            outer = np.stack([own[axis] for own, axis in zip(self.grid.counts, at, strict=True)], axis=1)
            for begin in range(0, len(row), CHUNK >> 2):
                part = slice(begin, begin + (CHUNK >> 2))
                kept += self._tiled(partial, level, order[row[part]], outer[part])
                if beam is None and sum(len(tiled) for tiled in kept) > CHUNK >> 2:
                    yield from self._best(joined(kept), beam)
                    kept = []
        if kept:
            yield from self._best(joined(kept), beam)

    def _tiled(self, partial: Partial, level: int, row: Ints, outer: Ints) -> list[Partial]:
        """Partial mappings with their next tile, none where the memories cannot hold it.

        Args:
            row: which are taken on; outer: and for each the number of tiles outside.
        """
        bound = ceil_div(ceil_div(self.sizes, partial.tile[row]), outer)
        tile = partial.tile[row] * bound
        good = fits(self.space, level, columns(np.minimum(tile, self.sizes)))
        if level == self.depth - 1 and self.space.mirrored:
            good &= self._first_of_mirrored(tile)
        row, outer, bound, tile = row[good], outer[good], bound[good], tile[good]
        if not len(row):
            return []
        rows = partial.rows(row)
        crossed = self._out_of(level, rows.tiles, rows.ways, outer)
        crossed.ports[:, self._below(level)] *= rows.spread[:, None]
        energy, ports, inner = rows.energy + crossed.energy, rows.ports + crossed.ports, rows.inner * bound
        out = self.outside[level]
        place = np.zeros(len(outer), dtype=np.int64) if out.whole else self.grid.flat(outer)
        past = self._past(level, rows.tiles)
        busy, serial = self._port_time(ports + past.ports)
        time = np.maximum(volume(rows.steps) * self._waves_outside(level)[place], busy)
        wave = tile if level == self.depth - 1 else rows.wave
        value = self._value(
            np.maximum(time, out.time.ravel()[place]),
            rows.series + self._first_wave(wave, range(level)) + serial + out.series.ravel()[place],
            energy,
            past.energy,
            out.energy.ravel()[place],
        )
        return [
            replace(
                rows, tile=tile, inner=inner, wave=wave, energy=energy, ports=ports, value=value,
                tiles=(*rows.tiles, tile),
            )
        ]  # fmt: skip

    def _first_of_mirrored(self, tile: Ints) -> Bools:
        """Of two tiles that differ in rows and columns changing places, the one to look at."""
        extent = {dim: tile[:, i] for i, dim in enumerate(self.space.dims)}
        rows = extent.get("P", np.int64(1)), extent.get("R", np.int64(1))
        cols = extent.get("Q", np.int64(1)), extent.get("S", np.int64(1))
        return np.asarray((rows[0] > cols[0]) | ((rows[0] == cols[0]) & (rows[1] >= cols[1])))

    # -- bounds ------------------------------------------------------------------------------------------------------

    def _passing(self, level: int) -> Price:
        """Least cost of the links that pass a level by on their way to the datapath, and at the ports also of those
        that end at it or outside: whatever a memory does for one level it does on top of its work for the other."""
        links = self.bounds.links
        by = self.bounds.compulsory([link for link in links if link.parent < level and link.child is None])
        above = self.bounds.compulsory([link for link in links if link.child is not None and link.child <= level])
        # What adds to the layer's time is counted with the costs outside, which are added as well.
        overlapping = tuple(
            0.0 if port.serial else cycles for port, cycles in zip(self.bounds.ports, above.ports, strict=True)
        )
        return by.plus(Price(0.0, overlapping))

    def _past(self, level: int, tiles: tuple[Ints, ...]) -> _Crossed:
        """Least cost of all links that pass a level by, and at the ports also of those outside it.

        Args:
            tiles: chosen tiles from the innermost level outwards, at least up to level + 1.
        """
        rows = len(tiles[0]) if tiles else 1
        energy = np.full(rows, self.passing[level].energy)
        ports = np.tile(np.array(self.passing[level].ports), (rows, 1))
        for child in range(level + 1, self.depth):
            if any(link.parent < level and link.child == child for link in self.bounds.links):
                counts = ceil_div(self.sizes, tiles[self.depth - 1 - child]).astype(np.float64)
                cost = self.bounds.past(level, child, columns(counts))
                energy = energy + cost.energy
                for index, cycles in enumerate(cost.ports):
                    ports[:, index] += cycles
        return _Crossed(energy, ports)

    def _outside_of(self, level: int, left: Ints) -> _Costs:
        """Least cost outside a boundary that leaves so many tiles, shape [..., dims]."""
        shape = left.shape[:-1]
        if level == 0:
            return _Costs(np.zeros(shape), np.zeros(shape), np.zeros(shape))
        out = self.outside[level]
        grids = (out.least_energy, out.least_time, out.least_series)
        if out.whole:
            return _Costs(*(np.broadcast_to(grid.ravel(), shape) for grid in grids))
        place = self.grid.flat(left)
        return _Costs(*(grid.ravel()[place] for grid in grids))

    def _out_of(self, level: int, tiles: tuple[Ints, ...], ways: tuple[Ints, ...], outer: Ints | None) -> _Crossed:
        """Lower bound of what crosses from a level to each of its children, inner tiles and unrollings known.

        Args:
            tiles: chosen tiles from the innermost level outwards, up to level + 1.
            ways: chosen unrollings from the innermost level outwards, up to `level`.
            outer: number of tiles at `level`; None while undecided.
        """
        rows = len(ways[-1])
        energy, ports = np.zeros(rows), np.zeros((rows, len(self.bounds.ports)))
        unrolled = np.ones(1)
        stages: list[Stage] = []
        for child in range(level + 1, self.depth + 1):
            position = self.depth - child  # of the fan-out right above the child
            factor = self.ways[child - 1].factor[ways[position]].astype(np.float64)
            unrolled = unrolled * factor
            inside = tiles[position - 1] if position else np.ones_like(self.sizes)[None, :]
            counts = ceil_div(self.sizes, inside).astype(np.float64)
            own = outer if child == level + 1 else ceil_div(self.sizes, tiles[position])
            if own is not None:
                stages.append(Stage(child - 1, columns(np.ceil(counts / factor)), columns(own.astype(np.float64))))
            cost = self.bounds.out_of(
                level, None if child == self.depth else child, columns(counts), columns(unrolled), stages
            )
            energy = energy + cost.energy
            for index, cycles in enumerate(cost.ports):
                ports[:, index] += cycles
        return _Crossed(energy, ports)

    def _port_time(self, ports: Floats) -> tuple[Floats, Floats]:
        """Time of the busiest port, and of the memories that add to the layer's time [cycles]."""
        overlapping = np.array([not port.serial for port in self.bounds.ports], dtype=bool)
        return ports[:, overlapping].max(axis=1, initial=0.0), series_time(self.bounds.ports, columns(ports))

    def _waves_outside(self, level: int) -> Floats:
        """Least time [cycles] per step of a tile's inside, everything outside included: over the flattened grid.

        Unrollings too poor to beat the best mapping are left out.
        """
        if self.found.mapping is not None and level in self._waves:
            return self._waves[level]
        if self.outside[level].whole:
            waves = self.waves.alone(level)
        else:
            factors = self.ways[level - 1].factor
            if self.found.mapping is not None:
                factors = np.unique(factors, axis=0)
                below = prod(inside.instances_below for inside in self.problem.levels[level:])
                most = volume(ceil_div(self.sizes, factors)) / below
                energy = self.passing[level].energy + self.bounds.fixed.energy
                floor = self._value(self.waves.time(np.ones(1), most, level - 1), 0.0, energy)
                factors = factors[self._alive(floor)]
            waves = self.waves.grid_of(level, factors)
        if self.found.mapping is not None:
            self._waves[level] = waves
        return waves

    def _first_wave(self, wave: Ints, parents: Sequence[int]) -> Floats:
        """Time that the first tiles take down from some levels, and the last ones up to them [cycles].

        Args:
            wave: what all instances below a parent hold at first, shape [rows, dims].
        """
        total = np.zeros(len(wave))
        if not self.problem.hardware.fill_and_drain:
            return total
        extents: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
        extents |= dict(zip(self.space.dims, columns(np.minimum(wave, self.sizes)), strict=True))
        for operand in Operand:
            keepers = set(self.problem.keepers(operand, self.space.bypass)[:-1]) & set(parents)
            cycles = wave_prices(self.problem, operand, sorted(keepers))
            if cycles:
                total = total + footprint(extents, operand, self.problem) * cycles
        return total


def _waves(counts: Ints, factor: Ints) -> Floats:
    """How many waves of tiles every unrolling leaves: shape [rows, ways].

    Quotients of integers below 2^53 round up exactly in floating point, several times faster than in integers; few of
    them differ.

    Args:
        counts: tiles to cover, shape [rows, dims].
        factor: instances, shape [ways, dims].
    """
    waves = np.ones((len(counts), len(factor)))
    for dim in range(counts.shape[1]):
        distinct, place = np.unique(factor[:, dim], return_inverse=True)
        left = np.ceil(counts[:, dim, None] / distinct)
        waves *= left if len(distinct) == 1 else left[:, place]
    return waves
