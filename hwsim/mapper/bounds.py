"""Lower bounds on what any mapping with given tiles costs: the reason why most of a mapspace is never priced.

The words that cross into a level are those of `hwsim.cost.traffic` with two optimistic guesses: whichever operand gains
most is the one that the loops above hold still (they can spare one operand, no more), and what is unrolled above an
undecided boundary is shared as widely as the axes allow. Both guesses are replaced by facts as a mapping is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from math import gcd, prod

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.problem import Problem
from hwsim.cost.traffic import WINDOWS
from hwsim.mapper.mapspace import Mapspace
from hwsim.operators.nest import REDUCTION, RELEVANT, Operand

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cost:
    """Energy [J] and, for every port, busy time [cycles]; arrays of one broadcast shape."""

    energy: Floats
    ports: tuple[Floats, ...]


@dataclass(frozen=True)
class _Price:
    """What one word costs: energy [J] and busy time at each port [cycles]."""

    energy: float
    ports: tuple[float, ...]


@dataclass(frozen=True)
class Link:
    """One operand between two neighbouring keepers, priced by word.

    Args:
        above: a word crossing the parent's side; below: the child's side, every instance.
        fixed: words (of the parent's price) that cost nothing whatever the mapping: partial sums start from zero once.
        share: instances that one word read from the parent can serve at most.
    """

    operand: Operand
    parent: int
    child: int | None
    above: _Price
    below: _Price
    start: float
    share: int


class Bounds:
    """Lower bounds for one mapspace."""

    def __init__(self, space: Mapspace) -> None:
        self.space = space
        problem = space.problem
        self.ports = _ports(problem)
        self.irrelevant = {o: [i for i, d in enumerate(space.dims) if d not in RELEVANT[o]] for o in Operand}
        self.fixed = Cost(np.float64(0), tuple(np.float64(0) for _ in self.ports))
        self.links = self._links()

    def wave_prices(self, parents: Sequence[int]) -> list[tuple[Operand, float]]:
        """Operands that some levels hand down (outputs: take up) through a memory below, and the time of a word."""
        problem = self.space.problem
        prices = []
        for operand in Operand:
            up = operand is Operand.OUTPUTS
            for level in set(problem.keepers(operand, self.space.bypass)[:-1]) & set(parents):
                memory = problem.memory(level, operand)
                port = memory.bandwidth or (memory.write_bandwidth if up else memory.read_bandwidth)
                if port is not None:
                    bits = problem.precision.output_bits if up else problem.stored_bits(operand)
                    prices.append((operand, bits / (8 * port.bytes_per_cycle(problem.hardware.clock))))
        return prices

    def without(self, *, energy: bool, ports: bool) -> Bounds:
        """The same bounds, leaving out what an objective does not look at."""
        fewer = copy(self)
        fewer.links = [
            replace(link, above=_kept(link.above, energy, ports), below=_kept(link.below, energy, ports))
            for link in self.links
        ]
        return fewer

    def compulsory(self, links: Sequence[Link]) -> Cost:
        """Cost of links that every word crosses once, or as often as no sharing below the parent could spare it."""
        energy, ports = 0.0, np.zeros(len(self.ports))
        ones = [np.ones(1, dtype=np.int64)] * len(self.space.dims)
        counts = [np.array([float(size)]) for size in self.space.sizes]
        for link in links:
            if link.child is None:
                cost = self._sum([link], ones, counts, None, None)
            else:
                words = np.full(1, float(self.space.problem.nest.elements(link.operand)))
                cost = self._link(link, words, words, 1.0)
            energy += float(np.sum(cost.energy))
            ports += [float(np.sum(port)) for port in cost.ports]
        return Cost(np.float64(energy), tuple(np.float64(p) for p in ports))

    def into(
        self, level: int, tiles: Sequence[Ints], counts: Sequence[Floats], alone: bool
    ) -> Cost:
        """Lower bound of all words that cross into a level, before anything outside its tile is chosen.

        Args:
            tiles: extent of each dimension's tile at that level, one array a dimension.
            counts: number of these tiles.
            alone: nothing is unrolled above the level, and the level above is the outermost.

        Returns:
            Cost of the arrays' broadcast shape; the constant part, `fixed`, is left out.
        """
        ones = [np.ones(1)] * len(self.space.dims) if alone else None
        return self._sum([link for link in self.links if link.child == level], tiles, counts, ones, ones)

    def out_of(
        self,
        level: int,
        child: int | None,
        tiles: Sequence[Ints],
        counts: Sequence[Floats],
        unrolled: Sequence[Floats],
        outside: Sequence[Floats] | None,
    ) -> Cost:
        """Lower bound of the words that cross from a level to a child.

        Args:
            child: index of the level below; None for the datapath.
            tiles, counts: as in `into`, of the child.
            unrolled: instances that each dimension is unrolled over between the two.
            outside: number of tiles at `level`, which the loops between step through; None while undecided.
        """
        links = [link for link in self.links if link.parent == level and link.child == child]
        return self._sum(links, tiles, counts, unrolled, outside)

    def _links(self) -> list[Link]:
        problem, space = self.space.problem, self.space
        nest = problem.nest
        links: list[Link] = []
        energy, ports = 0.0, [0.0] * len(self.ports)

        def add_fixed(price: _Price, bits: float) -> None:
            nonlocal energy
            energy += price.energy * bits
            for index, cycles in enumerate(price.ports):
                ports[index] += cycles * bits

        for operand in Operand:
            chain = problem.keepers(operand, space.bypass)
            bits = problem.stored_bits(operand)
            for parent, child in zip(chain, (*chain[1:], None), strict=True):
                end = len(problem.levels) if child is None else child
                axes = [axis for level in problem.levels[parent:end] for axis in level.fanout]
                missing = {d for d in space.dims if d not in RELEVANT[operand]}
                shared = [
                    axis.size
                    for axis in axes
                    if (axis.reduction if operand is Operand.OUTPUTS else axis.multicast) and missing & set(axis.dims)
                ]
                reads, writes = self._price(parent, operand, "read"), self._price(parent, operand, "write")
                if operand is not Operand.OUTPUTS:
                    above = _scaled(reads, bits)
                    below = _scaled(self._price(child, operand, "write"), bits)
                    start = 0.0
                else:
                    # A parent takes every sum in and gives all but the first back; a child's own reads and writes
                    # come to one of each per sum that is read back (see `hwsim.cost.traffic.flows`).
                    above = _plus(_scaled(reads, bits), _scaled(writes, bits))
                    down, up = self._price(child, operand, "write"), self._price(child, operand, "read")
                    below = _plus(_scaled(down, bits), _scaled(up, bits))
                    split = any(
                        set(axis.dims) & REDUCTION & set(space.dims)
                        for level in problem.levels[:parent]
                        for axis in level.fanout
                    )
                    start = float("inf") if split else float(nest.elements(operand))
                    if parent == chain[0]:
                        add_fixed(reads, -bits * nest.elements(operand))
                    if child is not None:
                        narrower = (problem.precision.output_bits - bits) * nest.elements(operand)
                        add_fixed(writes, narrower)
                        add_fixed(up, narrower)
                links.append(Link(operand, parent, child, above, below, start, prod(shared)))
        self.fixed = Cost(np.float64(energy), tuple(np.float64(p) for p in ports))
        return links

    def _price(self, level: int | None, operand: Operand, way: str) -> _Price:
        """One bit into or out of a level's memory."""
        if level is None:
            return _Price(0.0, (0.0,) * len(self.ports))
        memory = self.space.problem.memory(level, operand)
        energy = memory.energy.read if way == "read" else memory.energy.write
        cycles = [
            port.cycles_per_bit if port.level == level and port.memory == memory.name and way in port.ways else 0.0
            for port in self.ports
        ]
        return _Price(energy, tuple(cycles))

    def _sum(
        self,
        links: Sequence[Link],
        tiles: Sequence[Ints],
        counts: Sequence[Floats],
        unrolled: Sequence[Floats] | None,
        outside: Sequence[Floats] | None,
    ) -> Cost:
        """Links with one child: all of them in full, less the one that gains most from being held still."""
        energy: Floats | float = 0.0
        ports: list[Floats | float] = [0.0] * len(self.ports)
        best_energy: Floats | float = 0.0
        best_ports: list[Floats | float] = [0.0] * len(self.ports)
        for link in links:
            free = self.irrelevant[link.operand]
            one = self._elements(link.operand, tiles, counts, unrolled, merged=True)
            each = self._elements(link.operand, tiles, counts, unrolled, merged=False)
            visits = _product(counts[i] for i in free)
            adjacent = (len(self.space.problem.levels) if link.child is None else link.child) == link.parent + 1
            receivers: Floats | float = 1.0
            if unrolled is None:
                groups: Floats | float = np.maximum(visits / link.share, 1.0)
            elif adjacent:
                groups = _product(np.ceil(counts[i] / unrolled[i]) for i in free)
                receivers = visits / groups
            else:
                groups = np.maximum(visits / _product(unrolled[i] for i in free), 1.0)
            full = self._link(link, one * groups, each * visits, groups)
            energy = energy + full.energy
            ports = [a + b if _matters(b) else a for a, b in zip(ports, full.ports, strict=True)]
            if link.child is None:
                continue  # the datapath keeps nothing, so nothing is spared
            fewest: Floats | float = 1.0
            if outside is not None and unrolled is not None and adjacent:
                moved: NDArray[np.bool_] | np.bool_ = np.False_
                for i in range(len(self.space.dims)):
                    if i not in free:
                        moved = moved | (np.ceil(counts[i] / unrolled[i]) > outside[i])
                fewest = np.where(moved, _product(outside[i] for i in free), 1.0)
            spared = self._link(link, one * fewest, each * fewest * receivers, fewest)
            best_energy = np.maximum(best_energy, full.energy - spared.energy)
            best_ports = [
                np.maximum(b, f - s) if _matters(f) else b
                for b, f, s in zip(best_ports, full.ports, spared.ports, strict=True)
            ]
        return Cost(
            np.asarray(energy - best_energy, dtype=np.float64),
            tuple(np.asarray(p - b, dtype=np.float64) for p, b in zip(ports, best_ports, strict=True)),
        )

    def _link(self, link: Link, above: Floats, below: Floats, groups: Floats | float) -> Cost:
        """Price words on both sides of a link."""
        if link.operand is Operand.OUTPUTS:
            below = np.maximum(self.space.problem.nest.elements(link.operand) * groups - link.start, 0.0)
        return Cost(
            _weighted(above, link.above.energy, below, link.below.energy),
            tuple(_weighted(above, a, below, b) for a, b in zip(link.above.ports, link.below.ports, strict=True)),
        )

    def _elements(
        self,
        operand: Operand,
        tiles: Sequence[Ints],
        counts: Sequence[Floats],
        unrolled: Sequence[Floats] | None,
        *,
        merged: bool,
    ) -> Floats | float:
        """Words of one visit to every tile: the operand's size, and for inputs the halo between tiles."""
        nest = self.space.problem.nest
        if operand is not Operand.INPUTS:
            return float(nest.elements(operand))
        words: Floats | float = float(nest.N * nest.G * nest.C)
        for axis, (outputs, taps) in enumerate(WINDOWS):
            common = gcd(nest.stride[axis], nest.dilation[axis])
            stride, dilation = nest.stride[axis] // common, nest.dilation[axis] // common
            pixels = self._beyond(outputs, dilation, tiles, counts, unrolled, merged)
            window = self._beyond(taps, stride, tiles, counts, unrolled, merged)
            words = words * (float(getattr(nest, outputs) * getattr(nest, taps)) - pixels * window)
        return words

    def _beyond(
        self,
        dim: str,
        reach: int,
        tiles: Sequence[Ints],
        counts: Sequence[Floats],
        unrolled: Sequence[Floats] | None,
        merged: bool,
    ) -> Floats | float:
        """Upper bound of the positions that tiles of one dimension see twice within themselves."""
        size = getattr(self.space.problem.nest, dim)
        if dim not in self.space.dims:
            return float(max(size - reach, 0))
        index = self.space.dims.index(dim)
        pieces: Floats = np.asarray(counts[index], dtype=np.float64)
        if merged:
            # Neighbours served by one multicast read their halo once: in effect one larger tile.
            pieces = np.ceil(pieces / unrolled[index]) if unrolled is not None else np.ones_like(pieces)
        return size - pieces if reach == 1 else _most_beyond(size, reach, pieces)


@dataclass(frozen=True)
class Port:
    """A memory's port, all instances together."""

    level: int
    memory: str
    ways: tuple[str, ...]
    cycles_per_bit: float


def _ports(problem: Problem) -> tuple[Port, ...]:
    """Ports that can limit a layer. Single-buffered memories only add time, and no bound counts on it."""
    ports: list[Port] = []
    for index, level in enumerate(problem.levels):
        for memory in level.memories:
            if memory.buffering == "single" and index > 0:
                continue
            for ways, bandwidth in (
                (("read", "write"), memory.bandwidth),
                (("read",), memory.read_bandwidth),
                (("write",), memory.write_bandwidth),
            ):
                if bandwidth is not None:
                    rate = 8 * bandwidth.bytes_per_cycle(problem.hardware.clock) * problem.instances(index)
                    ports.append(Port(index, memory.name, ways, 1 / rate))
    return tuple(ports)


def _most_beyond(size: int, reach: int, pieces: Floats) -> Floats:
    """Most of sum(max(extent - reach, 0)) over the ways to cut `size` into so many tiles, all but the last equal."""
    longest = np.where(pieces > 1, np.ceil(size / np.maximum(pieces - 1, 1)) - 1, size)
    most = np.minimum(size - reach, size - reach * (pieces - 1))
    return np.where(longest > reach, np.maximum(most, 0.0), 0.0)


def _weighted(above: Floats | float, a: float, below: Floats | float, b: float) -> Floats | float:
    """above * a + below * b, sparing arrays what is multiplied by zero."""
    if not a:
        return below * b if b else 0.0
    return above * a + below * b if b else above * a


def _matters(cost: Floats | float) -> bool:
    return not isinstance(cost, float) or cost != 0.0


def _product(factors: Iterable[Floats]) -> Floats | float:
    result: Floats | float = 1.0
    for factor in factors:
        result = result * factor
    return result


def _kept(price: _Price, no_energy: bool, no_ports: bool) -> _Price:
    return _Price(0.0 if no_energy else price.energy, tuple(0.0 if no_ports else port for port in price.ports))


def _scaled(price: _Price, bits: int) -> _Price:
    return _Price(price.energy * bits, tuple(cycles * bits for cycles in price.ports))


def _plus(a: _Price, b: _Price) -> _Price:
    return _Price(a.energy + b.energy, tuple(x + y for x, y in zip(a.ports, b.ports, strict=True)))
