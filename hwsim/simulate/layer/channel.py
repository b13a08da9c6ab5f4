"""One operand on its way between two memories: which of its tiles have been asked for, have come, and have gone.

A unit is what is moved at once: a tile, or for a streaming memory what an iteration of its own loops touches for the
first time (on the way in) or for the last time (on the way out). Units are counted by the loops' indices, so that
"before" is the order of the loops.
"""

from __future__ import annotations

from collections import deque
from operator import getitem
from typing import NamedTuple

from hwsim.operators.nest import Operand
from hwsim.simulate.layer.machine import Port, Space
from hwsim.simulate.layer.visits import Link, Program

#: First index of a cursor that has passed the last unit: after every other.
END = 1 << 60


#: For every loop, the class of each of its digits: no table tells two digits of one class apart.
Kinds = tuple[list[int], ...]


def key(kinds: Kinds, index: list[int], depth: int) -> tuple[int, ...]:
    """Classes of the first digits of an index."""
    return tuple(map(getitem, kinds[:depth], index))


class Amounts:
    """What a tile, or a piece of one, moves [bits].

    Args:
        read, written: at one instance of where it comes from and of where it goes.
        room: what it takes, or leaves, in the memory below.
    """

    __slots__ = ("read", "room", "written")

    def __init__(self, read: int, written: int, room: int) -> None:
        self.read, self.written, self.room = read, written, room


class Tile(NamedTuple):
    """What a tile moves.

    Args:
        ways: down and up.
        moved: by all instances: read above, written below, read below, written above [bits].
    """

    ways: tuple[Amounts, Amounts]
    moved: tuple[int, int, int, int]


def digits(program: Program, cursor: Cursor) -> str:
    """Where a cursor stands: `k3 p0`."""
    loops = zip(program.loops[: cursor.depth], cursor.index, strict=False)
    return " ".join(f"{loop.dim.lower()}{digit}" for loop, digit in loops)


class Cursor:
    """A place among the units of a channel.

    Args:
        depth: how many of the loops count units.
        visit: how many of them count tiles.
    """

    __slots__ = ("_program", "depth", "ended", "index", "rooms", "tile", "unit", "visit", "visits")

    def __init__(self, program: Program, depth: int, visit: int) -> None:
        self._program, self.depth, self.visit = program, depth, visit
        self.index = [0] * max(1, len(program.loops))
        self.unit = self.visits = 0
        #: Whether every unit has been passed.
        self.ended = False
        #: What is known of the unit it stands on.
        self.tile: Tile | None = None
        self.rooms: tuple[int, int] | None = None

    def step(self) -> int:
        """Go on to the next unit; the loop that went on, -1 at the end."""
        changed = self._program.advance(self.index, self.depth) if self.depth else -1
        self.unit += 1
        self.tile = self.rooms = None
        if changed < self.visit:
            self.visits += 1
            if changed < 0:
                self.index[0] = END
                self.ended = True
        return changed

    def passed_by(self, other: Cursor) -> bool:
        """Whether another cursor has left the unit that this one stands on behind, all of it."""
        depth = self.depth
        return other.ended if not depth else other.index[:depth] > self.index[:depth]


class Channel:
    """The tiles of one operand in one memory.

    Args:
        above: the channel that fills the memory this one is filled from; None for the first.
        ports: that a tile leaves through on its way down and enters by; the same on its way up.
        space: room in the memory below.
        last: whether that memory is of the innermost level.
        kinds: of the program's loops.
        most: that a tile takes in the memory [bits]. In lock step an instance with less is taken to do as much as the
            busiest could, which may be more than there is.
    """

    def __init__(
        self,
        program: Program,
        link: Link,
        above: Channel | None,
        ports: tuple[Port | None, Port | None, Port | None, Port | None],
        space: Space,
        last: bool,
        kinds: Kinds,
        most: int,
    ) -> None:
        self.kinds, self.link, self.above, self.space = kinds, link, above, space
        self.source, self.sink, self.up_source, self.up_sink = ports
        self.outputs = link.operand is Operand.OUTPUTS
        #: Tiles take each other's place word by word: the memory streams, and feeds the datapath itself.
        self.fluid = space.streaming and last
        largest = link.tile.at([0] * max(1, len(program.loops)))
        self.pieces = link.pieces if space.streaming and not last and largest <= most else None
        self.most = most
        self.depth = self.pieces.depth if self.pieces else link.depth
        #: Units asked for, begun to come, all there; begun to leave, all gone. Each cursor stands on the next one.
        self.asked, self.came, self.complete, self.leaving, self.gone = (
            Cursor(program, self.depth, link.depth) for _ in range(5)
        )
        #: What pieces of the present tile have taken of it, down and up: [bits of room, bits read, bits written].
        self.given = ([0, 0, 0], [0, 0, 0])
        #: Room of the oldest unit that the next one has taken over already [bits].
        self.inherited = 0
        #: Units on their way that end with those that transfer something: down and up.
        self.trailing: tuple[deque[int], deque[int]] = (deque(), deque())
        #: Bits moved on the whole chip: read above, written below, read below, written above.
        self.moved = [0, 0, 0, 0]
        self._down: Amounts | None = None
        self._tiles: dict[tuple[int, ...], Tile] = {}
        self._rooms: dict[tuple[int, ...], tuple[int, int]] = {}

    def continues(self) -> bool:
        """Whether the next tile to be asked for continues from partial sums."""
        return self.outputs and self._tile(self.asked).ways[0].written > 0

    def next_down(self) -> Amounts:
        """What the next unit to be asked for moves and takes."""
        if self._down is None:
            self._down = self._unit(self.asked, 0)
        return self._down

    def next_up(self) -> Amounts:
        """What the next unit to leave moves and leaves."""
        return self._unit(self.leaving, 1)

    def next_room(self) -> int:
        """What the next unit to be gone leaves [bits]."""
        return self._room(self.gone, 1)

    def ask(self) -> bool:
        """Take the next unit as asked for; whether it was the last."""
        self._take(self.asked, 0)
        self._down = None
        return self.asked.ended

    def leave(self) -> bool:
        """Take the next unit as leaving; whether it was the last."""
        return self._take(self.leaving, 1)

    def _take(self, cursor: Cursor, way: int) -> bool:
        given = self.given[way]
        if self.pieces:
            unit = self._unit(cursor, way)
            given[0] += unit.room
            given[1] += unit.read
            given[2] += unit.written
        before = cursor.visits
        moved = self._tile(cursor).moved
        cursor.step()
        if cursor.visits != before:
            given[:] = 0, 0, 0
            for end in (0, 1) if way == 0 else (2, 3):
                self.moved[end] += moved[end]
        return cursor.ended

    def _unit(self, cursor: Cursor, way: int) -> Amounts:
        tile = self._tile(cursor).ways[way]
        if not self.pieces:
            return tile
        room = self._room(cursor, way)
        taken = self.given[way]
        if taken[0] + room == tile.room:  # the last piece takes what rounding left
            return Amounts(tile.read - taken[1], tile.written - taken[2], room) if room else Amounts(0, 0, 0)
        return Amounts(tile.read * room // tile.room, tile.written * room // tile.room, room)

    def _room(self, cursor: Cursor, way: int) -> int:
        """What a unit takes on its way down, or leaves on its way up [bits]."""
        if not self.pieces:
            return self._tile(cursor).ways[way].room
        if cursor.rooms is None:
            index = cursor.index
            own = self._key(index, self.depth)
            if own not in self._rooms:
                self._rooms[own] = (self.pieces.first.at(index), self.pieces.last.at(index))
            cursor.rooms = self._rooms[own]
        return cursor.rooms[way]

    def _tile(self, cursor: Cursor) -> Tile:
        """The tile that is due here, down and up, and what the whole chip moves for it."""
        if cursor.tile is None:
            own = self._key(cursor.index, self.link.depth)
            if own not in self._tiles:
                self._tiles[own] = self._priced(cursor.index)
            cursor.tile = self._tiles[own]
        return cursor.tile

    def _priced(self, index: list[int]) -> Tile:
        link, below = self.link, self.link.at_child
        assert below is not None
        start = [*index[: link.depth], *[0] * (len(index) - link.depth)]
        parent, chip, room = link.at_parent, link.chip, min(self.most, link.tile.at(start))
        return Tile(
            (
                Amounts(parent.down_reads.at(start), below.down_writes.at(start), room),
                Amounts(below.up_reads.at(start), parent.up_writes.at(start), room),
            ),
            (chip.down_reads.at(start), chip.down_writes.at(start), chip.up_reads.at(start), chip.up_writes.at(start)),
        )

    def _key(self, index: list[int], depth: int) -> tuple[int, ...]:
        """Iterations of equal keys move the same."""
        return key(self.kinds, index, depth)
