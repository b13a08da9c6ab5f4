"""The machinery of `hwsim.simulate.play`: channels and the datapath, moved on by events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import simpy

from hwsim.cost.access import accesses
from hwsim.cost.cycles import folds, skew
from hwsim.cost.layer import LayerCost, loops_of
from hwsim.cost.streamed import VECTOR
from hwsim.cost.traffic import NestArrays, flows, footprint
from hwsim.operators.nest import DIMENSIONS, Operand
from hwsim.simulate.channel import Amounts, Channel, Cursor, Kinds, key
from hwsim.simulate.machine import Machine, Port, Space
from hwsim.simulate.played import Played, Slice
from hwsim.simulate.steady import Steady
from hwsim.simulate.ticks import exact as exactly
from hwsim.simulate.visits import Link, program

#: Causes of waiting that are no resource.
LAUNCH, FIRST, LAST = "launch", "first tiles", "last results"

#: Ways of a tile.
DOWN, UP = 0, 1

#: Transfers of one channel and way that are under way or queue at a time: enough for both ends never to wait for work.
QUEUE = 4

Traffic = dict[tuple[int, Operand], list[int]]


class Due(simpy.Event):
    """Something that happens after some ticks; of what happens at once, the lower rank comes first."""

    def __init__(self, player: Player, rank: int, after: int, action: Callable[[], None]) -> None:
        super().__init__(player.env)
        self._ok, self._value = True, None
        self.player, self.rank, self.time, self.action = player, rank, player.env.now + after, action
        player.due[self] = None
        self.callbacks.append(Due._happen)
        player.env.schedule(self, rank, after)

    def put_off(self, ticks: int) -> None:
        """Happen so much later instead."""
        del self.player.due[self]
        Due(self.player, self.rank, self.time + ticks - self.player.env.now, self.action)

    def _happen(self) -> None:
        if self in self.player.due:  # not if it was put off
            del self.player.due[self]
            self.player.events += 1
            self.action()


class Block:
    """What the datapath does in one block.

    Args:
        compute: time of the array [ticks].
        ports: time of ports that work meanwhile [ticks].
        alone: time of ports that the array rests for [ticks].
        moved: by all instances, by level and operand: bits read and written.
    """

    __slots__ = ("alone", "compute", "moved", "ports")

    def __init__(self, compute: int, ports: Iterable[tuple[Port, int]], moved: Traffic) -> None:
        self.compute, self.moved = compute, moved
        busy = [(port, ticks) for port, ticks in ports if ticks]
        self.ports = [(port, ticks) for port, ticks in busy if not port.alone]
        self.alone = [(port, ticks) for port, ticks in busy if port.alone]


class Room:
    """A memory below, with the channels that fill it."""

    __slots__ = ("channels", "space")

    def __init__(self, space: Space, channels: list[Channel]) -> None:
        self.space, self.channels = space, channels


class Player:
    """A layer in play.

    Args:
        cost: with problem and mapping.
        exact, record, bounded: as `hwsim.simulate.play.play` takes them.
    """

    def __init__(self, cost: LayerCost, exact: bool, record: bool, bounded: bool) -> None:
        assert cost.problem is not None
        assert cost.mapping is not None
        self.cost, self.problem, self.recording = cost, cost.problem, record
        self.machine = Machine(cost.problem, bounded)
        loops = loops_of(cost.problem, cost.mapping)
        self.bypass = tuple(level.bypass for level in cost.mapping.levels)
        self.nest = NestArrays.of(loops, dict(zip(DIMENSIONS, cost.problem.nest.sizes, strict=True)))
        self.program = program(cost.problem, cost.mapping)
        self.kinds: Kinds = tuple(kind.tolist() for kind in self.program.kinds)
        self.env = simpy.Environment()
        self.due: dict[Due, None] = {}
        self.events = self.skipped = 0
        self.slices: list[Slice] = []
        self.stalls: dict[str, int] = {}
        self.moved: Traffic = {}
        self.channels = tuple(self._channels())
        self.ranks = {channel: 4 * number for number, channel in enumerate(self.channels)}
        self.top = next((channel for channel in self.channels if channel.outputs), None)
        self.below = {channel.above: channel for channel in self.channels if channel.above}
        self.rooms = [
            Room(space, [channel for channel in self.channels if channel.space is space])
            for space in self.machine.spaces.values()
        ]
        self.room = {channel: room for room in self.rooms for channel in room.channels}
        depth = len(self.program.loops)
        #: The first block that is not done, and the one after it.
        self.block, self.following = Cursor(self.program, depth, depth), Cursor(self.program, depth, depth)
        self.consumers = self._consumers()
        self.near = [channel for channel in self.channels if self.consumers[channel] is self.block]
        self.running = self.ending = False
        self.marked, self.cause, self.limit = 0, FIRST, ""
        self.boundary = depth
        #: Whoever may find something to do: memories with room or sources, channels whose tiles were used.
        self.asking: dict[Room, None] = dict.fromkeys(room for room in self.rooms if room.channels)
        self.moving: dict[Channel, None] = {}
        self.woken = 0
        self.blocks: dict[tuple[int, ...], Block] = {}
        self.folds, self.folding = self._folds()
        self.folded = self.vectored = 0
        vector = cost.busy.get(VECTOR, 0.0)
        self.vector = self.machine.ticks.of(exactly(vector))
        self.results = self.top.link.at_parent.up_writes.total() if self.top else 0
        self.steady = None if exact else Steady(self)

    # What is there to be played

    def _channels(self) -> Iterator[Channel]:
        machine, problem = self.machine, self.problem
        last = len(problem.levels) - 1
        above: Channel | None = None
        for link in self.program.links:
            parent = link.parent, problem.memory(link.parent, link.operand).name
            if link.child is None:
                continue
            child = link.child, problem.memory(link.child, link.operand).name
            ports = (
                machine.reads.get(parent), machine.writes.get(child), machine.reads.get(child),
                machine.writes.get(parent),
            )  # fmt: skip
            if above is not None and (above.link.operand, above.link.child) != (link.operand, link.parent):
                above = None
            most = footprint(self.nest.tile(link.child), link.operand, problem) * problem.stored_bits(link.operand)
            inner = link.child == last
            above = Channel(self.program, link, above, ports, machine.spaces[child], inner, self.kinds, int(most))
            yield above

    def _consumers(self) -> dict[Channel, Cursor]:
        """For each channel, the cursor of whoever uses its tiles."""
        return {
            channel: self.block
            if channel not in self.below
            else self.below[channel].gone
            if channel.outputs
            else self.below[channel].complete
            for channel in self.channels
        }

    def _folds(self) -> tuple[int, Link | None]:
        """Time lost to the skew of a systolic array over the layer [ticks], and the link whose tiles cost it."""
        if not self.problem.hardware.systolic:
            return 0, None
        total = self.machine.ticks.of(exactly(float(folds(self.problem, self.nest) * skew(self.problem))))
        last = len(self.problem.levels) - 1
        inner = [link for link in self.program.links if link.child == last]
        return total, max(inner, key=lambda link: link.visits, default=None)

    def _parameters(self) -> None:
        """Biases and norm parameters pass first, and once."""
        bare = {(a.level, a.operand): a for a in accesses(self.problem, flows(self.problem, self.nest, self.bypass))}
        for access in self.cost.traffic:
            known = bare.get((access.level, access.operand))
            read = round(float(access.read_bits) - float(known.read_bits if known else 0))
            written = round(float(access.write_bits) - float(known.write_bits if known else 0))
            self._count(access.level, access.operand, read, written)
            place = access.level, access.memory
            for ports, bits in ((self.machine.reads, read), (self.machine.writes, written)):
                if bits and place in ports:
                    self._occupy(ports[place], 0, bits * ports[place].per_bit, "parameters")

    # The run

    def run(self) -> Played:
        """Play the layer to its end."""
        self._parameters()
        self._settle()
        env = self.env
        while self.due:
            env.step()
            while env.peek() == env.now:
                env.step()
            self._settle()
        if not (self.block.ended and all(channel.gone.ended for channel in self.channels)):
            raise RuntimeError(f"stuck at {self.block.index} of {self.program.loops}")
        end = max(env.now, *(port.free for port in (*self.machine.ports, self.machine.vector)))
        if not self.top and self.vector:
            end = max(end, self.vector)
            self.machine.vector.busy = self.vector
        self._idle(end)
        return self._played(end)

    def _settle(self) -> None:
        """Begin whatever can begin."""
        self._idle(self.env.now)
        while True:
            if self.moving:
                channel, _ = self.moving.popitem()
                if channel.outputs:
                    self._drain(channel)
                else:
                    self._free(channel)
            elif self.asking:
                self._ask(self.asking.popitem()[0])
            elif not self._compute():
                break
        if not self.running and self.env.now >= self.marked:
            self.cause = self._cause()
        if self.boundary < len(self.program.loops):
            boundary, self.boundary = self.boundary, len(self.program.loops)
            if self.steady and boundary >= 0:
                self.steady.at(boundary)

    def _idle(self, now: int) -> None:
        """Account for the time since the last look, if the datapath waited."""
        if now > self.marked:
            if not self.running:
                self.stalls[self.cause] = self.stalls.get(self.cause, 0) + now - self.marked
            self.marked = now

    # Tiles

    def _ask(self, room: Room) -> None:
        """Ask for tiles of one memory, in the order in which they are needed, for as long as there is room."""
        channels, space = room.channels, room.space
        while True:
            head = channels[0]
            for other in channels[1:]:
                if other.asked.index < head.asked.index:
                    head = other
            if head.asked.ended or len(head.trailing[DOWN]) >= QUEUE or self._missing(head):
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

    def _missing(self, channel: Channel) -> Channel | None:
        """The channel that a unit waits for before it may be asked for: its source, or its own write-backs."""
        index, above = channel.asked.index, channel.above
        back = channel.starts_from_sums()
        if above:
            source = above.came if back or not channel.outputs else above.asked
            if not source.index > index:
                return above
        if back and channel.asked.visits - channel.gone.visits > 1:
            return channel
        return None

    def _replaces(self, channel: Channel) -> bool:
        """Whether the next tile may take the place of the present one, word by word."""
        if not channel.fluid or channel.inherited or channel.asked.unit - channel.gone.unit != 1:
            return False
        if channel.outputs:
            return channel.leaving.unit == channel.asked.unit
        return self.running and channel.gone.passed_by(self.following)

    def _free(self, channel: Channel) -> None:
        consumer = self.consumers[channel]
        while not channel.gone.ended and channel.gone.passed_by(consumer):
            self._leave(channel)

    def _drain(self, channel: Channel) -> None:
        consumer = self.consumers[channel]
        queue = channel.trailing[UP]
        while not channel.leaving.ended and len(queue) < QUEUE and channel.leaving.passed_by(consumer):
            self._send(channel, channel.next_up(), UP)
        if channel.fluid:
            self.asking[self.room[channel]] = None

    def _send(self, channel: Channel, unit: Amounts, way: int) -> None:
        """Move one unit."""
        source, sink = (channel.source, channel.sink) if way == DOWN else (channel.up_source, channel.up_sink)
        read = unit.read * source.per_bit if source else 0
        written = unit.written * sink.per_bit if sink else 0
        label = f"{channel.link.operand} {self._place(channel, way)}" if self.recording else ""
        rest = channel.leave() if way == UP else channel.ask()
        if way == DOWN and channel.outputs and channel in self.below:
            self.asking[self.room[self.below[channel]]] = None
        worked = self._share(unit, rest) if way == UP and channel is self.top else 0
        queue = channel.trailing[way]
        if not (read or written or worked):
            if queue:
                queue[-1] += 1
            else:
                self._arrive(channel, way, 1, begun=False)
            return
        queue.append(0)
        now = self.env.now
        start = end = now
        if read and source:
            start = self._occupy(source, now, read, label)
            end = start + read
        if worked:
            begun = self._occupy(self.machine.vector, start, worked, label)
            end = max(end, begun + worked)
        rank = self.ranks[channel] + way
        if way == DOWN and channel.fluid:
            if start > now:
                Due(self, rank + 2, start - now, channel.came.step)
            else:
                channel.came.step()  # nobody below asks for tiles of it
        if not written or sink is None:
            Due(self, rank, end - now, partial(self._finish, channel, way))
        elif (enter := max(start, end - written)) > now:
            Due(self, rank, enter - now, partial(self._enter, channel, way, sink, written, end - enter, label))
        else:
            self._enter(channel, way, sink, written, end - now, label)

    def _enter(self, channel: Channel, way: int, sink: Port, written: int, read: int, label: str) -> None:
        """Write what is being read, for `read` ticks more."""
        now = self.env.now
        end = max(now + read, self._occupy(sink, now, written, label) + written)
        rank = self.ranks[channel] + way
        Due(self, rank, end - now, partial(self._finish, channel, way))

    def _finish(self, channel: Channel, way: int) -> None:
        self._arrive(channel, way, 1 + channel.trailing[way].popleft(), begun=channel.fluid)

    def _arrive(self, channel: Channel, way: int, units: int, *, begun: bool) -> None:
        """Units are there; of those that take time and whose words are used as they come, the first was taken so."""
        for number in range(units):
            if way == UP:
                self._leave(channel)
                continue
            channel.complete.step()
            if number or not begun:
                channel.came.step()
        if way == UP:
            self.moving[channel] = None
        else:
            self.asking[self.room[channel]] = None
            if channel.above and not channel.outputs:
                self.moving[channel.above] = None
            if channel in self.below:
                self.asking[self.room[self.below[channel]]] = None

    def _leave(self, channel: Channel) -> None:
        channel.space.leave(channel.next_room() - channel.inherited)
        channel.inherited = 0
        channel.gone.step()
        self.asking[self.room[channel]] = None
        if channel.above and channel.outputs:
            self.moving[channel.above] = None

    def _share(self, unit: Amounts, last: bool) -> int:
        """Time of the vector unit for results that leave the chip [ticks]."""
        share = self.vector - self.vectored if last else self.vector * unit.written // max(1, self.results)
        self.vectored += share
        return share

    def _occupy(self, port: Port, earliest: int, ticks: int, label: str) -> int:
        """Queue at a port, and stop the array where its memory has a single buffer; when the work begins."""
        array = self.machine.array
        start = port.reserve(max(earliest, array.free) if port.alone else earliest, ticks)
        if port.alone:
            array.free = start + ticks
        if self.recording and ticks:
            self._record(port.name, label, start, ticks)
        return start

    # The datapath

    def _compute(self) -> bool:
        """End a block, or begin one."""
        if self.env.now < self.marked:
            return False  # what it does until then is known, and counted
        if self.ending:
            if any(self._unfinished(channel) for channel in self.near if channel.fluid):
                return False
            self.ending = False
            self.boundary = min(self.boundary, self.block.step())
            for channel in self.near:
                self.moving[channel] = None
            return True
        if self.running or self.block.ended:
            return False
        index = self.block.index
        if any(not channel.came.index > index for channel in self.near):
            return False
        wait = self.machine.array.free - self.env.now
        if wait > 0:
            if self.woken != self.machine.array.free:
                self.woken = self.machine.array.free
                Due(self, 4 * len(self.channels), wait, lambda: None)
            return False
        self._begin()
        return True

    def _unfinished(self, channel: Channel) -> bool:
        """Whether words of the present tile are still to come, or of the one whose place it took still to go."""
        return not channel.complete.index > self.block.index or (channel.outputs and channel.inherited > 0)

    def _begin(self) -> None:
        block, now = self._block(), self.env.now
        array = self.machine.array
        compute = block.compute + self._fold()
        if self.recording:
            self._record(array.name, f"tile {self._digits(self.block)}", now, compute)
        end = now + compute
        array.busy += compute
        for port, ticks in block.alone:
            self._occupy(port, end, ticks, "operands")
            self.stalls[port.name] = self.stalls.get(port.name, 0) + ticks
            end += ticks
        array.free = stop = end
        self.limit = array.name
        for port, ticks in block.ports:
            done = self._occupy(port, now, ticks, "operands") + ticks
            if done > stop:
                stop, self.limit = done, port.name
        if stop > end:
            self.stalls[self.limit] = self.stalls.get(self.limit, 0) + stop - end
        for (level, operand), (read, written) in block.moved.items():
            self._count(level, operand, read, written)
        self.running = True
        self.following.step()
        for channel in self.near:
            if channel.fluid:
                self.asking[self.room[channel]] = None
        Due(self, 4 * len(self.channels) + 1, stop - now, self._computed)

    def _computed(self) -> None:
        self.running, self.ending, self.marked = False, True, self.env.now

    def _block(self) -> Block:
        index = self.block.index
        kinds = key(self.kinds, index, len(self.program.loops))
        if kinds not in self.blocks:
            ports: list[tuple[Port, int]] = []
            moved: Traffic = {}
            for link in self.program.links:
                if link.child is not None:
                    continue
                place = link.parent, self.problem.memory(link.parent, link.operand).name
                read, written = link.at_parent.down_reads.at(index), link.at_parent.up_writes.at(index)
                ports += [
                    (port, bits * port.per_bit)
                    for port, bits in ((self.machine.reads.get(place), read), (self.machine.writes.get(place), written))
                    if port
                ]
                moved[link.parent, link.operand] = [link.chip.down_reads.at(index), link.chip.up_writes.at(index)]
            together: dict[Port, int] = {}
            for port, ticks in ports:
                together[port] = together.get(port, 0) + ticks
            compute = self.program.steps.at(index) * self.machine.step
            self.blocks[kinds] = Block(compute, together.items(), moved)
        return self.blocks[kinds]

    def _fold(self) -> int:
        """Time that a new stationary tile costs a systolic array [ticks]."""
        if not self.folds:
            return 0
        link = self.folding
        if self.following.visits + 1 == self.program.blocks:
            share = self.folds - self.folded
        elif link is None or any(self.block.index[link.depth :]):
            return 0
        else:
            share = self.folds // link.visits
        self.folded += share
        return share

    # What is noted

    def _cause(self) -> str:
        """What the datapath waits for."""
        if self.block.ended:
            return LAST
        if not self.block.unit and not self.ending:
            return FIRST
        for channel in self.near:
            if not channel.came.index > self.block.index:
                return self._blame(channel, self.block.index)
        for channel in self.near:
            if self.ending and channel.fluid and self._unfinished(channel):
                return self._ports(channel, UP if channel.complete.index > self.block.index else DOWN)
        return next((port.name for port in self.machine.ports if port.alone and port.free > self.env.now), LAST)

    def _blame(self, channel: Channel, index: list[int]) -> str:
        """Why a tile is not there."""
        if channel.asked.index > index:
            return self._ports(channel, DOWN)
        head = min(self.room[channel].channels, key=lambda sibling: sibling.asked.index)
        missing = self._missing(head)
        if missing is head:
            return self._ports(head, UP)
        return self._blame(missing, head.asked.index) if missing else f"room in {head.space.name}"

    def _ports(self, channel: Channel, way: int) -> str:
        """The slower end of a channel."""
        ends = (channel.source, channel.sink) if way == DOWN else (channel.up_source, channel.up_sink)
        now = self.env.now
        return max((port for port in ends if port), key=lambda port: max(now, port.free), default=self.machine.vector).name

    def _count(self, level: int, operand: Operand, read: int, written: int) -> None:
        if read or written:
            sums = self.moved.setdefault((level, operand), [0, 0])
            sums[0] += read
            sums[1] += written

    def _record(self, track: str, name: str, start: int, ticks: int) -> None:
        time = self.machine.ticks.cycles
        launch = self.problem.hardware.launch * self.problem.hardware.clock
        self.slices.append(Slice(track, name, launch + time(start), time(ticks)))

    def note_skip(self, loop: int, iterations: int, ticks: int) -> None:
        """Iterations of a loop are not played, because they are like those before."""
        if self.recording:
            dim = self.program.loops[loop].dim.lower()
            self._record("skipped", f"{iterations} more of {dim} like these", self.env.now, ticks)

    def _place(self, channel: Channel, way: int) -> str:
        return self._digits(channel.asked if way == DOWN else channel.leaving)

    def _digits(self, cursor: Cursor) -> str:
        loops = zip(self.program.loops[: cursor.depth], cursor.index, strict=False)
        return " ".join(f"{loop.dim.lower()}{digit}" for loop, digit in loops)

    def _played(self, ticks: int) -> Played:
        time, hardware = self.machine.ticks.cycles, self.problem.hardware
        launch = hardware.launch * hardware.clock
        for channel in self.channels:
            down_read, down_written, up_read, up_written = channel.moved
            assert channel.link.child is not None
            self._count(channel.link.parent, channel.link.operand, down_read, up_written)
            self._count(channel.link.child, channel.link.operand, up_read, down_written)
        servers = (self.machine.array, self.machine.vector, *self.machine.ports)
        stalls = {cause: time(waited) for cause, waited in self.stalls.items() if waited}
        return Played(
            cycles=time(ticks) + launch,
            busy={port.name: time(port.busy) for port in servers if port.busy or port is self.machine.array},
            stalls={LAUNCH: launch, **stalls} if launch else stalls,
            moved={
                (self.problem.levels[level].name, self.problem.memory(level, operand).name, str(operand)): (read, written)
                for (level, operand), (read, written) in sorted(self.moved.items())
            },
            peak={space.name: space.peak for space in self.machine.spaces.values()},
            tiles=self.program.blocks,
            events=self.events,
            skipped=self.skipped,
            slices=tuple(self.slices),
        )
