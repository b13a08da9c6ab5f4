"""Lower bounds on what any mapping with given tiles costs: the reason why most of a mapspace is never priced.

The words that cross into a level are those of `hwsim.cost.traffic` with two optimistic guesses: whichever operand gains
most is the one that the loops above hold still (they can spare one operand, no more), and what is unrolled above an
undecided boundary is shared as widely as the axes allow. Both guesses are replaced by facts as a mapping is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from hwsim.cost.windows import WINDOWS, reaches
from hwsim.mapper.arrays import Bools, Floats
from hwsim.mapper.links import Link, Price, links, ports
from hwsim.mapper.mapspace import Mapspace
from hwsim.operators.nest import RELEVANT, Operand


@dataclass(frozen=True)
class Cost:
    """Energy [J] and, for every port, busy time [cycles]; arrays of broadcastable shapes."""

    energy: Floats
    ports: tuple[Floats, ...]


@dataclass(frozen=True)
class Stage:
    """Temporal loops of one level, decided; one array a dimension.

    Args:
        within: number of steps inside the level's loops; outside: number of its own tiles.
    """

    level: int
    within: Sequence[Floats]
    outside: Sequence[Floats]


class Bounds:
    """Lower bounds for one mapspace.

    Attributes:
        ports: ports whose time is bounded.
        links: every operand's links with the prices of their words.
        fixed: what all mappings pay alike.
    """

    def __init__(self, space: Mapspace) -> None:
        self.space = space
        self.ports = ports(space.problem)
        self.links, self.fixed = links(space, self.ports)
        self._free = {o: [i for i, d in enumerate(space.dims) if d not in RELEVANT[o]] for o in Operand}

    def without(self, *, energy: bool, ports: bool) -> Bounds:
        """The same bounds, leaving out what an objective does not look at."""

        def kept(price: Price) -> Price:
            return Price(0.0 if energy else price.energy, tuple(0.0 if ports else cycles for cycles in price.ports))

        fewer = copy(self)
        fewer.links = [replace(link, above=kept(link.above), below=kept(link.below)) for link in self.links]
        return fewer

    def compulsory(self, chosen: Sequence[Link]) -> Price:
        """Cost of links that every word crosses once, or as often as no sharing below the parent could spare it."""
        total = Price(0.0, (0.0,) * len(self.ports))
        counts = [np.array([float(size)]) for size in self.space.sizes]
        for link in chosen:
            if link.child is None:
                cost = self._sum([link], counts, None, [])
            else:
                words = np.full(1, float(self.space.problem.nest.elements(link.operand)))
                cost = self._link(link, words, words, np.ones(1))
            total = total.plus(Price(cost.energy.item(), tuple(cycles.item() for cycles in cost.ports)))
        return total

    def into(self, level: int, counts: Sequence[Floats], *, alone: bool) -> Cost:
        """Lower bound of all words that cross into a level, before anything outside its tile is chosen.

        Args:
            counts: number of tiles that each dimension is cut into there, one array a dimension.
            alone: nothing is unrolled above the level, and the level above is the outermost.

        Returns:
            Cost of the arrays' broadcast shape; the constant part, `fixed`, is left out.
        """
        chosen = [link for link in self.links if link.child == level]
        if not alone:
            return self._sum(chosen, counts, None, [])
        ones = [np.ones(1)] * len(self.space.dims)
        return self._sum(chosen, counts, ones, [Stage(level - 1, counts, ones)])

    def past(self, level: int, child: int, counts: Sequence[Floats]) -> Cost:
        """Lower bound of the words that cross from levels above one to a child below it.

        Args:
            counts: number of tiles that each dimension is cut into at the child, one array a dimension.
        """
        chosen = [link for link in self.links if link.parent < level and link.child == child]
        return self._sum(chosen, counts, None, [])

    def out_of(
        self,
        level: int,
        child: int | None,
        counts: Sequence[Floats],
        unrolled: Sequence[Floats],
        stages: Sequence[Stage],
    ) -> Cost:
        """Lower bound of the words that cross from a level to a child.

        Args:
            child: index of the level below; None for the datapath.
            counts: as in `into`, of the child.
            unrolled: instances that each dimension is unrolled over between the two.
            stages: loops between the two as far as they are decided, outermost first.
        """
        chosen = [link for link in self.links if link.parent == level and link.child == child]
        return self._sum(chosen, counts, unrolled, stages)

    def _sum(
        self,
        chosen: Sequence[Link],
        counts: Sequence[Floats],
        unrolled: Sequence[Floats] | None,
        stages: Sequence[Stage],
    ) -> Cost:
        """Links with one child: all of them in full, less the one that gains most from being held still."""
        none = np.zeros(1)
        energy, best_energy = none, none
        cycles, best_cycles = [none] * len(self.ports), [none] * len(self.ports)
        for link in chosen:
            free = self._free[link.operand]
            one = self._elements(link.operand, counts, unrolled, merged=True)
            each = self._elements(link.operand, counts, unrolled, merged=False)
            visits = _product(counts[i] for i in free)
            adjacent = (len(self.space.problem.levels) if link.child is None else link.child) == link.parent + 1
            receivers = np.ones(1)
            if unrolled is None:
                groups = np.maximum(visits / link.share, 1.0)
                sums = np.maximum(visits / link.group, 1.0)
            elif adjacent:
                groups = sums = _product(np.ceil(counts[i] / unrolled[i]) for i in free)
                receivers = visits / groups
            else:
                groups = sums = np.maximum(visits / _product(unrolled[i] for i in free), 1.0)
            full = self._link(link, one * groups, each * visits, sums)
            energy = energy + full.energy
            cycles = [a + b if b is not _NOTHING else a for a, b in zip(cycles, full.ports, strict=True)]
            if link.child is None:
                continue  # the datapath keeps nothing, so nothing is spared
            fewest = np.ones(1)
            for stage in stages:
                fewest = self._spared_at(stage, link.operand, fewest)
            spared = self._link(link, one * fewest, each * fewest * receivers, fewest)
            best_energy = np.maximum(best_energy, full.energy - spared.energy)
            best_cycles = [
                np.maximum(best, a - b) if a is not _NOTHING else best
                for best, a, b in zip(best_cycles, full.ports, spared.ports, strict=True)
            ]
        return Cost(energy - best_energy, tuple(a - b for a, b in zip(cycles, best_cycles, strict=True)))

    def _spared_at(self, stage: Stage, operand: Operand, outside: Floats) -> Floats:
        """Times that a tile is fetched if a level's loops hold it still as long as they can.

        Args:
            outside: the same for the loops outside, which counts if nothing moves the tile here.
        """
        free = self._free[operand]
        looped = [within > out for within, out in zip(stage.within, stage.outside, strict=True)]
        moved = _any(flag for i, flag in enumerate(looped) if i not in free)
        fetched = np.where(moved, _product(stage.outside[i] for i in free), outside)
        allowed = self.space.problem.levels[stage.level].stationary
        if operand not in allowed:
            # The innermost loop has to spare another operand, if one of the loops does.
            held = _any(flag for i, flag in enumerate(looped) if any(i in self._free[o] for o in allowed))
            fetched = np.where(moved & held, _product(stage.within[i] for i in free), fetched)
        return fetched

    def _link(self, link: Link, above: Floats, below: Floats, groups: Floats) -> Cost:
        """Price words on both sides of a link."""
        if link.operand is Operand.OUTPUTS:
            below = np.maximum(self.space.problem.nest.elements(link.operand) * groups - link.start, 0.0)
        return Cost(
            _weighted(above, link.above.energy, below, link.below.energy),
            tuple(_weighted(above, a, below, b) for a, b in zip(link.above.ports, link.below.ports, strict=True)),
        )

    def _elements(
        self, operand: Operand, counts: Sequence[Floats], unrolled: Sequence[Floats] | None, *, merged: bool
    ) -> Floats:
        """Words of one visit to every tile: the operand's size, and for inputs the halo between tiles."""
        nest = self.space.problem.nest
        if operand is not Operand.INPUTS:
            return np.full(1, float(nest.elements(operand)))
        words = np.full(1, float(nest.N * nest.G * nest.C))
        for axis, (outputs, taps) in enumerate(WINDOWS):
            dilation, stride = reaches(nest, axis)
            pixels = self._beyond(outputs, dilation, counts, unrolled, merged)
            window = self._beyond(taps, stride, counts, unrolled, merged)
            words = words * (float(getattr(nest, outputs) * getattr(nest, taps)) - pixels * window)
        return words

    def _beyond(
        self, dim: str, reach: int, counts: Sequence[Floats], unrolled: Sequence[Floats] | None, merged: bool
    ) -> Floats:
        """Upper bound of the positions that tiles of one dimension see twice within themselves."""
        size = getattr(self.space.problem.nest, dim)
        if dim not in self.space.dims:
            return np.full(1, float(max(size - reach, 0)))
        index = self.space.dims.index(dim)
        pieces = np.asarray(counts[index], dtype=np.float64)
        if merged:
            # Neighbours served by one multicast read their halo once: in effect one larger tile.
            pieces = np.ceil(pieces / unrolled[index]) if unrolled is not None else np.ones_like(pieces)
        return size - pieces if reach == 1 else _most_beyond(size, reach, pieces)


def _most_beyond(size: int, reach: int, pieces: Floats) -> Floats:
    """Most of sum(max(extent - reach, 0)) over the ways to cut `size` into so many tiles, all but the last equal."""
    longest = np.where(pieces > 1, np.ceil(size / np.maximum(pieces - 1, 1)) - 1, size)
    most = np.minimum(size - reach, size - reach * (pieces - 1))
    return np.asarray(np.where(longest > reach, np.maximum(most, 0.0), 0.0))


#: A cost that is zero whatever the mapping.
_NOTHING = np.zeros(1)


def _weighted(above: Floats, a: float, below: Floats, b: float) -> Floats:
    """above * a + below * b, sparing arrays what is multiplied by zero."""
    if not a:
        return below * b if b else _NOTHING
    return above * a + below * b if b else above * a


def _any(flags: Iterable[Bools]) -> Bools:
    result: Bools = np.zeros(1, dtype=bool)
    for flag in flags:
        result = result | flag
    return result


def _product(factors: Iterable[Floats]) -> Floats:
    result = np.ones(1)
    for factor in factors:
        result = result * factor
    return result
