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
#: A bound has to beat the best by more than rounding.
MARGIN = 1 - 1e-9


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
        self._wave_tables: dict[int, Floats | None] = {}

    def run(self) -> None:
        """Descend greedily once for a good mapping, then visit everything that could be better."""
        fixed = self.bounds.fixed
        start = nothing_yet(self.sizes, fixed.energy, fixed.ports, self._root())
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
        return float(self._value(np.full(1, least.energy), np.maximum(compute, busiest), np.zeros(1))[0])

    def _root(self) -> float:
        """Bound of all mappings."""
        energy = self.bounds.fixed.energy + self.passing[self.depth - 1].energy
        share = self.problem.nest.macs / self.problem.instances(self.depth)
        time = float(self.waves.time(np.full(1, share), np.ones(1), 0)[0])
        if self.depth > 1:
            out = self.outside[self.depth - 1]
            energy, time = energy + float(out.least_energy.min()), max(time, float(out.least_time.min()))
        return float(self._value(np.full(1, energy), np.full(1, time), np.zeros(1))[0])

    def _descend(self, partial: Partial, level: int, beam: int | None) -> None:
        """Complete partial mappings whose boundary is just below `level`."""
        for unrolled in self._unroll(partial, level, beam):
            if level == 0:
                self.found.consider(Complete.of(self.space, unrolled, self.ways), self.goal)
                continue
            for tiled in self._tile(unrolled, level, beam):
                self._descend(tiled, level - 1, beam)

    # -- who may still win -------------------------------------------------------------------------------------------

    def _value(self, energy: Floats, time: Floats, series: Floats) -> Floats:
        return self.goal(np.asarray(energy), np.asarray(time + series))

    def _alive(self, value: Floats) -> Bools:
        return np.asarray(value < self.found.value * MARGIN)

    def _exhausted(self, bound: float) -> bool:
        """Whether to settle for the best mapping so far, leaving open what is bounded by `bound`."""
        if self.found.looked <= self.effort or self.found.mapping is None:
            return False
        if bound < self.found.value * MARGIN:
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
        floor = self._value(partial.energy.min() + passing, self.waves.time(np.ones(1), least, level), series.min())
        worth = np.nonzero(self._alive(floor))[0]
        if not len(worth):
            return
        # Quotients of integers below 2^53 round up exactly in floating point, several times faster than in integers.
        factor, lower = (table[worth].astype(np.float64) for table in (self.ways[level].factor, self.ways[level].lower))
        kept: list[Partial] = []
        step, width = max(1, CHUNK // factor.size), max(1, CHUNK // len(worth))
        for start in range(0, len(counts), step):
            if self._exhausted(partial.value.min()):
                break
            some = counts[start : start + step, None, :].astype(np.float64)
            left = np.ceil(some / factor)
            useful = ((factor == 1) | (np.ceil(some / lower) > left)).all(axis=2)
            useful &= self.grid.holds(left.astype(np.int64))
            if level == 0:
                useful &= (self.space.looped(0) | (left == 1)).all(axis=2)
            out = self._outside_of(level, left.astype(np.int64))
            tiles = left.prod(axis=2)
            first, last = np.searchsorted(member[order], (start, start + step))
            for begin in range(first, last, width):
                rows = order[begin : min(last, begin + width)]
                group = member[rows] - start
                steps = self.waves.time(inner[rows, None], tiles[group], level)
                rough = self._value(
                    partial.energy[rows, None] + passing + out.energy[group],
                    np.maximum(steps, out.time[group]),
                    series[rows, None] + out.series[group],
                )
                self.found.looked += rough.size
                row, pick = np.nonzero(self._alive(rough) & useful[group])
                if len(row):
                    at = (group[row], pick)
                    chosen = partial.rows(rows[row])
                    here = _Costs(out.energy[at], np.maximum(steps[row, pick], out.time[at]), out.series[at])
                    kept.append(self._unrolled(chosen, level, worth[pick], here))
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
        value = self._value(energy, time, coming + serial + out.series)
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

    def _tile(self, partial: Partial, level: int, beam: int | None) -> Iterator[Partial]:
        """Add the temporal loops of a level: choose the tile that it keeps."""
        out, reach = self.outside[level], self._reachable[level]
        groups, member = np.unique(self.grid.places(ceil_div(self.sizes, partial.tile)), axis=0, return_inverse=True)
        member = member.ravel()
        passing = self.passing[level].energy
        inner = volume(partial.steps) / volume(ceil_div(self.sizes, partial.tile))
        waves = self._wave_table(level)
        series = partial.series + series_time(self.bounds.ports, columns(partial.ports))
        chosen: list[tuple[Ints, Ints]] = []
        kept: list[Partial] = []
        for number, place in enumerate(groups):
            if self._exhausted(partial.value.min()):
                break
            mine = np.nonzero(member == number)[0]
            box = np.ix_(*(reach[i][position] for i, position in enumerate(place)))
            energy = out.energy[box]
            time = np.maximum(out.time[box], self.waves.of_box(level, box, place, waves) * inner[mine].min())
            outside_series = out.series[box]
            value = self._value(
                energy + (partial.energy[mine].min() + passing), time, outside_series + series[mine].min()
            )
            good = np.nonzero(self._alive(value).ravel())[0]
            if beam is not None and len(good) > beam:
                good = good[np.argsort(value.ravel()[good], kind="stable")[:beam]]
            rough = self._value(
                partial.energy[mine, None] + passing + energy.ravel()[None, good],
                time.ravel()[None, good],
                series[mine, None] + outside_series.ravel()[None, good],
            )
            self.found.looked += value.size + rough.size
            row, pick = np.nonzero(self._alive(rough))
            where = np.unravel_index(good[pick], value.shape)
            axes = zip(self.grid.counts, box, where, strict=True)
            outer = np.stack([counts[axis.ravel()[at]] for counts, axis, at in axes], axis=1)
            chosen.append((mine[row], outer))
            if sum(len(rows) for rows, _ in chosen) > CHUNK >> 2:
                kept += self._tiled(partial, level, chosen)
                chosen = []
            if beam is None and sum(len(part) for part in kept) > CHUNK >> 2:
                yield from self._best(joined(kept), beam)
                kept = []
        kept += self._tiled(partial, level, chosen)
        if kept:
            yield from self._best(joined(kept), beam)

    def _tiled(self, partial: Partial, level: int, chosen: list[tuple[Ints, Ints]]) -> list[Partial]:
        """Partial mappings with their next tile, none where the memories cannot hold it.

        Args:
            chosen: rows, and for each the number of tiles outside.
        """
        if not chosen:
            return []
        row = np.concatenate([rows for rows, _ in chosen])
        outer = np.concatenate([counts for _, counts in chosen])
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
        out, places = self.outside[level], self.grid.places(outer)
        place = tuple(np.zeros_like(outer.T)) if out.whole else tuple(places.T)
        past = self._past(level, rows.tiles)
        busy, serial = self._port_time(ports + past.ports)
        time = np.maximum(
            self.waves.of_tiles(level, volume(rows.steps) / volume(outer), places, self._wave_table(level)), busy
        )
        wave = tile if level == self.depth - 1 else rows.wave
        value = self._value(
            energy + past.energy + out.energy[place],
            np.maximum(time, out.time[place]),
            rows.series + self._first_wave(wave, range(level)) + serial + out.series[place],
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

    def _wave_table(self, level: int) -> Floats | None:
        """Best waves above a level, leaving out unrollings too poor to beat the best mapping."""
        if self.found.mapping is None:
            return None if self.outside[level].whole else self.waves.table(self.ways[level - 1].factor)
        if level not in self._wave_tables:
            factors = np.unique(self.ways[level - 1].factor, axis=0)
            below = prod(inside.instances_below for inside in self.problem.levels[level:])
            most = volume(ceil_div(self.sizes, factors)) / below
            floor = self._value(
                np.full(1, self.passing[level].energy + self.bounds.fixed.energy),
                self.waves.time(np.ones(1), most, level - 1),
                np.zeros(1),
            )
            worth = factors[self._alive(floor)]
            self._wave_tables[level] = None if self.outside[level].whole else self.waves.table(worth)
        return self._wave_tables[level]

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
