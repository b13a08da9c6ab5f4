"""Tiles on their way: asked for, moved through ports, let go of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hwsim.cost.problem import Problem
from hwsim.cost.traffic import NestArrays, footprint
from hwsim.simulate.layer.channel import Amounts, Channel, Cursor, Kinds, digits
from hwsim.simulate.layer.datapath import Datapath
from hwsim.simulate.layer.machine import Port, Space
from hwsim.simulate.layer.stage import Due, Stage
from hwsim.simulate.layer.visits import Program

#: Ways of a tile.
DOWN, UP = 0, 1

#: Transfers of one channel and way that are under way or queue at a time: enough for both ends never to wait for work.
QUEUE = 4

#: Ranks of events that one channel may have.
RANKS = 4


class Room:
    """A memory below, with the channels that fill it."""

    __slots__ = ("channels", "space")

    def __init__(self, space: Space, channels: list[Channel]) -> None:
        self.space, self.channels = space, channels


class Transport:
    """All channels of a layer in play.

    Args:
        vector: work of the vector unit on the results as they leave [ticks].
    """

    def __init__(
        self,
        stage: Stage,
        problem: Problem,
        nest: NestArrays,
        program: Program,
        kinds: Kinds,
        datapath: Datapath,
        vector: int,
    ) -> None:
        self.stage, self.program, self.datapath, self.vector = stage, program, datapath, vector
        self.channels = tuple(_channels(stage, problem, nest, program, kinds))
        self.rooms = [
            Room(space, [channel for channel in self.channels if channel.space is space])
            for space in stage.machine.spaces.values()
        ]
        self.room = {channel: room for room in self.rooms for channel in room.channels}
        self.below = {channel.above: channel for channel in self.channels if channel.above}
        #: For each channel, the cursor of whoever uses its tiles.
        self.consumers = {channel: self._consumer(channel) for channel in self.channels}
        datapath.near = tuple(channel for channel in self.channels if channel not in self.below)
        #: Where results leave for good, what has been worked on of them [ticks], and how many there are [bits].
        self.top = next((channel for channel in self.channels if channel.outputs), None)
        self.worked = 0
        self._results = max(1, self.top.link.at_parent.up_writes.total()) if self.top else 1
        self._ranks = {channel: RANKS * number for number, channel in enumerate(self.channels)}
        #: Whoever may find something to do: memories with room or sources, channels whose tiles were used.
        self._asking: dict[Room, None] = dict.fromkeys(room for room in self.rooms if room.channels)
        self._moving: dict[Channel, None] = {}

    def _consumer(self, channel: Channel) -> Cursor:
        below = self.below.get(channel)
        if below is None:
            return self.datapath.block
        return below.gone if channel.outputs else below.complete

    def used(self) -> None:
        """The datapath has done a block."""
        for channel in self.datapath.near:
            self._moving[channel] = None

    def began(self) -> None:
        """The datapath has begun a block."""
        for channel in self.datapath.near:
            if channel.fluid:
                self._asking[self.room[channel]] = None

    def go_on(self) -> None:
        """Let go of what was used, and ask for what there is room for."""
        while self._moving or self._asking:
            if self._moving:
                channel, _ = self._moving.popitem()
                if channel.outputs:
                    self._drain(channel)
                else:
                    self._free(channel)
            else:
                self._ask(self._asking.popitem()[0])

    def missing(self, channel: Channel) -> Channel | None:
        """The channel that a unit waits for before it may be asked for: its source, or its own write-backs."""
        above = channel.above
        back = channel.continues()
        if above:
            source = above.came if back or not channel.outputs else above.asked
            if not source.index > channel.asked.index:
                return above
        if back and channel.asked.visits - channel.gone.visits > 1:
            return channel
        return None

    def head(self, room: Room) -> Channel:
        """The channel of a memory whose next unit is needed first."""
        head = room.channels[0]
        for other in room.channels[1:]:
            if other.asked.index < head.asked.index:
                head = other
        return head

    def _ask(self, room: Room) -> None:
        """Ask for tiles of one memory, in the order in which they are needed, for as long as there is room."""
        space = room.space
        while True:
            head = self.head(room)
            if head.asked.ended or len(head.trailing[DOWN]) >= QUEUE or self.missing(head):
                return
            if space.capacity is None and head.asked.visits - head.gone.visits > 1:
                return  # of a memory without a size no more is known than that it holds this tile and the next
            unit = head.next_down()
            bits = unit.room
            if not space.fits(bits):
                if not self._replaces(head):
                    return
                old = head.next_room()
                if not space.fits(bits - old):
                    return
                head.inherited = min(old, bits)
                bits -= head.inherited
            space.take(bits)
            self._send(head, unit, DOWN)

    def _replaces(self, channel: Channel) -> bool:
        """Whether the next tile may take the place of the present one, word by word."""
        if not channel.fluid or channel.inherited or channel.asked.unit - channel.gone.unit != 1:
            return False
        if channel.outputs:
            return channel.leaving.unit == channel.asked.unit
        return self.datapath.running and channel.gone.passed_by(self.datapath.following)

    def _free(self, channel: Channel) -> None:
        consumer = self.consumers[channel]
        while not channel.gone.ended and channel.gone.passed_by(consumer):
            self._leave(channel)

    def _drain(self, channel: Channel) -> None:
        consumer, queue = self.consumers[channel], channel.trailing[UP]
        while not channel.leaving.ended and len(queue) < QUEUE and channel.leaving.passed_by(consumer):
            self._send(channel, channel.next_up(), UP)
        if channel.fluid:
            self._asking[self.room[channel]] = None

    def _send(self, channel: Channel, unit: Amounts, way: int) -> None:
        """Move one unit."""
        stage = self.stage
        source, sink = (channel.source, channel.sink) if way == DOWN else (channel.up_source, channel.up_sink)
        read = unit.read * source.per_bit if source else 0
        written = unit.written * sink.per_bit if sink else 0
        label = self._label(channel, way) if stage.recording else ""
        last = channel.leave() if way == UP else channel.ask()
        if way == DOWN and channel.outputs and channel in self.below:
            self._asking[self.room[self.below[channel]]] = None
        worked = self._share(unit, last) if way == UP and channel is self.top else 0
        queue = channel.trailing[way]
        if not (read or written or worked):
            if queue:
                queue[-1] += 1
            else:
                self._arrive(channel, way, 1, begun=False)
            return
        queue.append(0)
        start = end = now = stage.now
        if read and source:
            start = stage.occupy(source, now, read, label)
            end = start + read
        if worked:
            end = max(end, stage.occupy(stage.machine.vector, start, worked, label) + worked)
        rank = self._ranks[channel] + way
        if way == DOWN and channel.fluid:
            if start > now:
                Due(stage, rank + 2, start - now, channel.came.step)
            else:
                channel.came.step()  # nobody below asks for tiles of it
        enter = max(start, end - written)
        if not written or sink is None:
            Due(stage, rank, end - now, partial(self._finish, channel, way))
        elif enter > now:
            Due(stage, rank, enter - now, partial(self._enter, channel, way, sink, written, end - enter, label))
        else:
            self._enter(channel, way, sink, written, end - now, label)

    def _enter(self, channel: Channel, way: int, sink: Port, written: int, read: int, label: str) -> None:
        """Write what is being read, for `read` ticks more."""
        now = self.stage.now
        end = max(now + read, self.stage.occupy(sink, now, written, label) + written)
        Due(self.stage, self._ranks[channel] + way, end - now, partial(self._finish, channel, way))

    def _finish(self, channel: Channel, way: int) -> None:
        self._arrive(channel, way, 1 + channel.trailing[way].popleft(), begun=channel.fluid)

    def _arrive(self, channel: Channel, way: int, units: int, *, begun: bool) -> None:
        """Units are there; of those that take time and whose words are used as they come, the first was taken so."""
        if way == UP:
            for _ in range(units):
                self._leave(channel)
            self._moving[channel] = None
            return
        for number in range(units):
            channel.complete.step()
            if number or not begun:
                channel.came.step()
        self._asking[self.room[channel]] = None
        if channel.above and not channel.outputs:
            self._moving[channel.above] = None
        if channel in self.below:
            self._asking[self.room[self.below[channel]]] = None

    def _leave(self, channel: Channel) -> None:
        channel.space.leave(channel.next_room() - channel.inherited)
        channel.inherited = 0
        channel.gone.step()
        self._asking[self.room[channel]] = None
        if channel.above and channel.outputs:
            self._moving[channel.above] = None

    def _share(self, unit: Amounts, last: bool) -> int:
        """Time of the vector unit for results that leave the chip [ticks]."""
        share = self.vector - self.worked if last else self.vector * unit.written // self._results
        self.worked += share
        return share

    def _label(self, channel: Channel, way: int) -> str:
        return f"{channel.link.operand} {digits(self.program, channel.asked if way == DOWN else channel.leaving)}"


def _channels(stage: Stage, problem: Problem, nest: NestArrays, program: Program, kinds: Kinds) -> Iterator[Channel]:
    """A channel for each link between two memories, outermost first for each operand."""
    machine, last = stage.machine, len(problem.levels) - 1
    above: Channel | None = None
    for link in program.links:
        if link.child is None:
            continue
        parent, child = ((level, problem.memory(level, link.operand).name) for level in (link.parent, link.child))
        down = machine.reads.get(parent), machine.writes.get(child)
        up = machine.reads.get(child), machine.writes.get(parent)
        if above is not None and (above.link.operand, above.link.child) != (link.operand, link.parent):
            above = None
        most = int(footprint(nest.tile(link.child), link.operand, problem)) * problem.stored_bits(link.operand)
        space = machine.spaces[child]
        above = Channel(program, link, above, (*down, *up), space, link.child == last, kinds, most)
        yield above
