"""What every link of a mapped nest moves at every visit of a tile: the closed form of the traffic, taken apart.

The rules are those of `hwsim.cost.traffic`. The *loops* of a program are the temporal loops of all levels above the
last; one iteration of them all is a *block*, in which the datapath runs everything inside in one go. A tile's *visit*
lasts for as long as the loops that decide where the tile lies stand still: those down to the innermost loop above the
child that indexes the operand. All instances go through the loops in lock step, and iterations in which nobody has work
are left out.

Partial sums. A child instance's content starts from zero at a visit if the instance is not the first of its group (of
the instances that add to one sum), or if the parent's content started from zero and this is the first visit within the
parent's. Otherwise it is read back. "First within the parent's visit" means that every digit over a reduction, among
the loops that decide on the child's tile but not on the parent's, is 0. So, walking up the keepers until such a digit
is not 0, the sums come from there, and only those instances read back that are first of their group all the way down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.layer import loops_of
from hwsim.cost.problem import Problem
from hwsim.cost.traffic import NestArrays
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import DIMENSIONS, REDUCTION, RELEVANT, Operand
from hwsim.simulate.layer.factors import NOBODY, Sharing, View
from hwsim.simulate.layer.tables import Factor, Table, places

__all__ = ["Ends", "Link", "Pieces", "Program", "ProgramLoop", "Table", "program"]


#: Where nothing moves.
NOTHING = Table()


@dataclass(frozen=True)
class ProgramLoop:
    """A temporal loop above the last level."""

    dim: str
    bound: int
    level: int
    level_name: str


@dataclass(frozen=True, eq=False)
class Ends:
    """What moves at the two ends of a link at a visit [bits].

    Args:
        down_reads: read from the parent on the way down.
        down_writes: written into the child.
        up_reads: read from the child on the way up (outputs only).
        up_writes: written into the parent (outputs only).
    """

    down_reads: Table = NOTHING
    down_writes: Table = NOTHING
    up_reads: Table = NOTHING
    up_writes: Table = NOTHING


@dataclass(frozen=True, eq=False)
class Pieces:
    """A tile of the child, cut by the child level's own loops [bits].

    Args:
        depth: how many of the program's loops tell the pieces apart.
        first: of the tile, what a piece uses for the first time within the link's visit.
        last: what it uses for the last time.
    """

    depth: int
    first: Table
    last: Table


@dataclass(frozen=True, eq=False)
class Link:
    """One operand between two neighbouring keepers; the last link ends in the datapath (child None).

    Args:
        depth: how many of the program's loops decide on the tile; for the datapath all, what moves in the steps of a
            block being added up.
        visits: visits with work.
        chip: of all instances together.
        at_parent: at the ports of one parent instance, the busiest: down_reads and up_writes.
        at_child: at the ports of one child instance, the busiest: down_writes and up_reads.
        back: partial sums read back into one child instance [bits].
        tile: what the tile takes in one child instance, outputs as partial sums [bits].
        pieces: None where the child is the last level or the datapath.
    """

    operand: Operand
    parent: int
    child: int | None
    depth: int
    visits: int
    chip: Ends
    at_parent: Ends
    at_child: Ends | None
    back: Table
    tile: Table
    pieces: Pieces | None


@dataclass(frozen=True, eq=False)
class Program:
    """The loops that the tiles of a mapped layer follow, and what moves as they go.

    Args:
        trips: for each loop, its iterations with work at the digits of the loops outside it over the same dimension.
        steps: compute steps of a block in lock step, before the mode's rate.
        links: operand by operand, outermost link first.
        kinds: for each loop, a class for each digit: no table tells two digits of one class apart.
        blocks: blocks with work.
    """

    loops: tuple[ProgramLoop, ...]
    trips: tuple[Factor, ...]
    steps: Table
    links: tuple[Link, ...]
    kinds: tuple[NDArray[np.int64], ...]
    blocks: int

    def trips_at(self, loop: int, index: Sequence[int]) -> int:
        """Iterations with work of a loop where the loops outside it stand at these digits."""
        values, places = self._trips[loop]
        offset = 0
        for position, stride in places:
            offset += index[position] * stride
        return values[offset]

    def advance(self, index: list[int], depth: int) -> int:
        """Go to the next iteration with work of the first `depth` loops, in place.

        Returns:
            The loop that went on; -1 at the end, when all of them are back at 0.
        """
        trips = self._trips
        position = depth
        while position:
            position -= 1
            values, places = trips[position]
            offset = 0
            for outer, stride in places:
                offset += index[outer] * stride
            digit = index[position] + 1
            if digit < values[offset]:
                index[position] = digit
                return position
            index[position] = 0
        return -1

    @cached_property
    def _trips(self) -> tuple[tuple[list[int], tuple[tuple[int, int], ...]], ...]:
        """Trips as flat lists; a loop that always has the same has a list of one."""
        return tuple((array.ravel().tolist(), places(positions, array.shape)) for positions, array in self.trips)


def program(problem: Problem, mapping: Mapping) -> Program:
    """Take a mapped layer apart into visits."""
    priced = loops_of(problem, mapping)
    last = len(problem.levels) - 1
    loops = tuple(
        ProgramLoop(loop.dim, int(loop.bound), loop.level, problem.levels[loop.level].name)
        for loop in priced
        if loop.axis is None and loop.level < last and loop.bound > 1
    )
    nest = NestArrays.of(priced, dict(zip(DIMENSIONS, problem.nest.sizes, strict=True)))
    views = _Views(problem, nest)
    one = views.of(last + 1)
    steps = Table.of((1, [one.words(dim, last, len(loops)) for dim in DIMENSIONS]))
    bypass = tuple(level.bypass for level in mapping.levels)
    links: list[Link] = []
    for operand in Operand:
        links += _links(problem, views, loops, operand, problem.keepers(operand, bypass))
    trips = tuple(one.trips(position) for position in range(len(loops)))
    tables = [steps, *(table for link in links for table in _tables(link))]
    return Program(loops, trips, steps, tuple(links), _kinds(loops, trips, tables), _visits(one, len(loops)))


class _Views:
    """The nest as one instance of each level sees it."""

    def __init__(self, problem: Problem, nest: NestArrays) -> None:
        self.problem, self.nest = problem, nest
        self.made: dict[int, View] = {}

    def of(self, level: int) -> View:
        # Levels with no spatial loop between them see the same.
        unrolled = sum(
            loop.axis is not None and loop.level < level and bool(loop.bound > 1) for loop in self.nest.loops
        )
        if unrolled not in self.made:
            self.made[unrolled] = View.of(self.problem, self.nest.seen_by_one(level) if unrolled else self.nest)
        return self.made[unrolled]


def _visits(one: View, depth: int) -> int:
    """Iterations with work of the first `depth` loops."""
    return Table.of((1, [one.places(dim, one.levels - 1, depth) for dim in DIMENSIONS])).total()


def _links(
    problem: Problem, views: _Views, loops: tuple[ProgramLoop, ...], operand: Operand, chain: tuple[int, ...]
) -> Iterable[Link]:
    last = len(problem.levels) - 1
    bits = problem.stored_bits(operand)
    depths = [0]
    for number, parent in enumerate(chain):
        child = chain[number + 1] if number + 1 < len(chain) else None
        depth = len(loops)
        if child is not None:
            movers = [k for k, loop in enumerate(loops) if loop.level < child and loop.dim in RELEVANT[operand]]
            depth = max(movers, default=-1) + 1
        depths.append(depth)
        end = last + 1 if child is None else child
        ends: list[Ends] = []
        for view in (views.of(0), views.of(parent), views.of(end)):
            if operand is Operand.OUTPUTS:
                ends.append(_outputs(problem, view, chain, depths, child))
            else:
                ends.append(_moved(view, operand, bits, parent, child, depth))
        one = views.of(end)
        yield Link(
            operand,
            parent,
            child,
            depth,
            visits=_visits(views.of(last + 1), depth),
            chip=ends[0],
            at_parent=Ends(down_reads=ends[1].down_reads, up_writes=ends[1].up_writes),
            at_child=None if child is None else Ends(down_writes=ends[2].down_writes, up_reads=ends[2].up_reads),
            back=ends[2].down_writes if operand is Operand.OUTPUTS else NOTHING,
            tile=NOTHING if child is None else Table.of((bits, one.tile(operand, end, depth, NOBODY))),
            pieces=None if child is None or child == last else _pieces(one, loops, operand, bits, child, depth),
        )


def _moved(view: View, operand: Operand, bits: int, parent: int, child: int | None, depth: int) -> Ends:
    """Weights or inputs: one read serves all receivers of a multicast, each of which is filled."""
    end = view.levels if child is None else child
    read = Table.of((bits, view.tile(operand, end, depth, Sharing("multicast", parent))))
    filled = NOTHING if child is None else Table.of((bits, view.tile(operand, end, depth, NOBODY)))
    return Ends(down_reads=read, down_writes=filled)


def _outputs(problem: Problem, view: View, chain: tuple[int, ...], depths: list[int], child: int | None) -> Ends:
    """Outputs: partial sums at the accumulator's width, finished ones at their own.

    Args:
        depths: loops that decide on the tile of each keeper of the chain, this link's child last.
    """
    end = view.levels if child is None else child
    number, depth = len(depths) - 1, depths[-1]
    parent = chain[number - 1]
    bits = problem.stored_bits(Operand.OUTPUTS)
    words = [view.words(dim, end, depth) for dim in DIMENSIONS if dim in RELEVANT[Operand.OUTPUTS]]

    def counted(sharing: Sharing, zero_from: int | None = None) -> list[Factor]:
        return words + [view.places(dim, end, depth, sharing, zero_from) for dim in sorted(REDUCTION)]

    # Words that start from zero: the first visit within the parent's, less those that the parent began by reading back.
    fresh = [(bits, counted(Sharing(below=parent), depths[number - 1]))]
    for k in range(number - 1, 0, -1):
        sharing = Sharing(below=chain[k - 1])
        fresh.append((-bits, counted(sharing, depths[k])))
        fresh.append((bits, counted(sharing, depths[k - 1])))
    fresh_bits = Table.of(*fresh)
    arriving = Table.of((bits, counted(Sharing("reduction", parent))))
    down_reads = arriving + fresh_bits.scaled(-1)
    if child is None:
        return Ends(down_reads=down_reads, up_writes=arriving)
    back = Table.of((bits, counted(Sharing(below=parent)))) + fresh_bits.scaled(-1)
    own = Table.of((bits, counted(NOBODY)))
    narrower = problem.precision.output_bits - bits
    finished = Table.of((narrower, words + [view.ending(dim, end, depth) for dim in sorted(REDUCTION)]))
    return Ends(down_reads, back, own + finished, arriving + finished)


def _pieces(view: View, loops: tuple[ProgramLoop, ...], operand: Operand, bits: int, child: int, depth: int) -> Pieces:
    until = sum(loop.level <= child for loop in loops)
    first, last = (Table.of((bits, view.pieces(operand, child, depth, until, final))) for final in (False, True))
    return Pieces(until, first, last)


def _tables(link: Link) -> Iterable[Table]:
    for ends in (link.chip, link.at_parent, link.at_child):
        if ends is not None:
            yield from (ends.down_reads, ends.down_writes, ends.up_reads, ends.up_writes)
    yield link.tile
    if link.pieces is not None:
        yield from (link.pieces.first, link.pieces.last)


def _kinds(
    loops: tuple[ProgramLoop, ...], trips: tuple[Factor, ...], tables: list[Table]
) -> tuple[NDArray[np.int64], ...]:
    """Digits between which no factor makes a difference."""
    factors = {id(array): (positions, array) for positions, array in trips}
    factors |= {id(array): (positions, array) for t in tables for _, term in t.terms for positions, array in term}
    rows: list[list[NDArray[np.int64]]] = [[] for _ in loops]
    for positions, array in factors.values():
        for axis, position in enumerate(positions):
            rows[position].append(np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1))
    kinds: list[NDArray[np.int64]] = []
    for loop, columns in zip(loops, rows, strict=True):
        # Most digits are as the one before: only those that are not need a closer look.
        changes = np.zeros(loop.bound, dtype=bool)
        for column in columns:
            changes[1:] |= (column[1:] != column[:-1]).any(axis=1)
        classes: dict[tuple[bytes, ...], int] = {}
        heads = [0, *np.flatnonzero(changes).tolist()]
        found = [classes.setdefault(tuple(x[head].tobytes() for x in columns), len(classes)) for head in heads]
        kinds.append(np.array(found, dtype=np.int64)[np.cumsum(changes)])
    return tuple(kinds)
