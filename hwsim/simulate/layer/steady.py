"""Steady state: what repeats itself exactly is counted, not played.

Whenever the datapath enters a new iteration of a loop, the state of the chip is compared with that of up to `MEMORY`
iterations before. Every channel is then in one of three groups:

  going       everything about it goes with the loop: its places are the same but for that loop's digit, the time that
              its transfers still take is the same
  still       nothing about it has changed: the same places, the same moments in time
  by itself   anything else, such as weights that are fetched ahead at their own pace. It must be fed by memory that has
              no channel of its own, and share no port and no room with what goes on.

The datapath goes on too. What goes on will do the same again, as only itself decides on it, for as long as

  * the iterations to come are like those compared: no table tells their digits apart, and the last is never one,
  * nothing that stands still happens, and no place that goes on passes one that does not.

So many periods are skipped: what goes on is put off by as much time, and places and counts go on by as many times what
they went on in one. The rest plays on meanwhile. Time is counted in whole ticks, so that "the same" needs no tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hwsim.simulate.layer.channel import END, Channel, Cursor, Kinds
from hwsim.simulate.layer.datapath import Datapath
from hwsim.simulate.layer.stage import SKIPPED, Stage
from hwsim.simulate.layer.transport import RANKS, Room, Transport
from hwsim.simulate.layer.visits import Program

#: Iterations that are looked back upon; a longer period is not recognised.
MEMORY = 6

#: Iterations in a row that are compared in vain before a while of them is let pass; the while doubles each time.
PATIENCE = 8

Index = tuple[int, ...]


@dataclass(frozen=True)
class Actor:
    """The datapath or a channel at a moment.

    Args:
        fixed: decides what it does next, and has no place or time in it.
        places: indices of its cursors.
        due: rank and moment of what is to happen to it [ticks].
    """

    fixed: tuple[object, ...]
    places: tuple[Index, ...]
    due: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class State:
    """Everything that decides what comes next.

    Args:
        digit: of the loop that is watched.
        now: [ticks].
        actors: the datapath, then the channels.
        held: in every room [bits].
        free: when each port is free [ticks].
        counts: what is counted, of the datapath, the channels, the ports and the rooms.
        names: of what the datapath counts.
    """

    digit: int
    now: int
    actors: tuple[Actor, ...]
    held: tuple[int, ...]
    free: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    names: tuple[object, ...]


class Steady:
    """Watches a layer in play for repetition."""

    def __init__(self, stage: Stage, program: Program, kinds: Kinds, datapath: Datapath, transport: Transport) -> None:
        self.stage, self.program, self.kinds, self.datapath = stage, program, kinds, datapath
        self.transport, self.channels, self.rooms = transport, transport.channels, transport.rooms
        #: Blocks that were not played.
        self.skipped = 0
        self.cursors: list[tuple[Cursor, ...]] = [
            (datapath.block, datapath.following),
            *((c.asked, c.came, c.complete, c.leaving, c.gone) for c in self.channels),
        ]
        machine = stage.machine
        self.ports = [machine.array, machine.vector, *machine.ports]
        number = {port: place for place, port in enumerate(self.ports)}
        #: Ports that each actor uses, and its room, by number; the datapath has none.
        self.uses: list[frozenset[int]] = [frozenset(number[port] for port in datapath.ports)]
        for channel in self.channels:
            ends = [port for port in (channel.source, channel.sink, channel.up_source, channel.up_sink) if port]
            ends += [machine.array] if any(port.alone for port in ends) else []
            ends += [machine.vector] if channel is transport.top else []
            self.uses.append(frozenset(number[port] for port in ends))
        self.room_of = [-1, *(self.rooms.index(transport.room[channel]) for channel in self.channels)]
        self.past: list[list[State]] = [[] for _ in program.loops]
        self.vain, self.rest = [0 for _ in program.loops], [0 for _ in program.loops]
        self.pause = [PATIENCE for _ in program.loops]

    def at(self, loop: int) -> None:
        """The datapath has entered an iteration of a loop."""
        for inner in self.past[loop + 1 :]:
            inner.clear()
        index, past = self.datapath.block.index, self.past[loop]
        if past and past[-1].digit >= index[loop]:
            past.clear()
        left = self.program.trips_at(loop, index) - 2 - index[loop]
        if left < 1:
            return
        if self.rest[loop]:
            self.rest[loop] -= 1
            return
        state = self._state(loop)
        for before in reversed(past):
            if state.digit - before.digit > left:
                break
            going = self._going(loop, before, state)
            times = self._times(loop, before, state, going) if going else 0
            if times > 0:
                self._skip(loop, before, state, going, times)
                past.clear()
                self.vain[loop], self.pause[loop] = 0, PATIENCE
                return
        past.append(state)
        if len(past) > MEMORY:
            del past[0]
        self.vain[loop] += 1
        if self.vain[loop] % PATIENCE == 0:
            self.rest[loop] = self.pause[loop]
            self.pause[loop] = min(2 * self.pause[loop], 32 * PATIENCE)
            past.clear()

    # What there is to be compared

    def _state(self, loop: int) -> State:
        stage, datapath = self.stage, self.datapath
        now = stage.now
        due: list[list[tuple[int, int]]] = [[] for _ in self.cursors]
        for event in stage.due:
            due[self._actor(event.rank)].append((event.rank, event.time))
        fixed: list[tuple[object, ...]] = [(datapath.running, datapath.ending, datapath.limit, datapath.cause)]
        for channel in self.channels:
            ahead: tuple[object, ...] = (channel.inherited, *map(tuple, channel.trailing))
            asked, gone = channel.asked, channel.gone
            if not asked.ended:  # how far it is ahead decides, as long as there is more to be asked for
                ahead += (asked.visits - gone.visits,)
                if channel.fluid:
                    ahead += (asked.unit - gone.unit, channel.outputs and asked.unit - channel.leaving.unit)
            fixed.append(ahead)
        return State(
            datapath.block.index[loop],
            now,
            tuple(
                Actor(own, tuple(tuple(cursor.index) for cursor in cursors), tuple(sorted(coming)))
                for own, cursors, coming in zip(fixed, self.cursors, due, strict=True)
            ),
            tuple(self._limits(room) for room in self.rooms),
            tuple(max(now, port.free) for port in self.ports),
            tuple(tuple(counts) for counts in self._counts()),
            (*sorted(datapath.stalls), *sorted(datapath.moved)),
        )

    def _actor(self, rank: int) -> int:
        number = rank // RANKS
        return 1 + number if number < len(self.channels) else 0

    @staticmethod
    def _limits(room: Room) -> int:
        """What a room holds [bits], where that may keep something out."""
        if room.space.capacity is None or all(channel.asked.ended for channel in room.channels):
            return 0
        return room.space.held

    def _counts(self) -> Iterator[list[int]]:
        """Counts of the chip and the datapath, of every channel, of every port, of every room."""
        datapath = self.datapath
        yield [
            datapath.folded,
            *(datapath.stalls[cause] for cause in sorted(datapath.stalls)),
            *(bits for place in sorted(datapath.moved) for bits in datapath.moved[place]),
            *(number for cursor in self.cursors[0] for number in (cursor.unit, cursor.visits)),
        ]
        for channel, cursors in zip(self.channels, self.cursors[1:], strict=True):
            yield [
                *(number for cursor in cursors for number in (cursor.unit, cursor.visits)),
                *channel.given[0],
                *channel.given[1],
                *channel.moved,
                self.transport.worked if channel is self.transport.top else 0,
            ]
        for port in self.ports:
            yield [port.busy]
        for room in self.rooms:
            yield [room.space.held]

    def _restore(self, counts: list[Iterable[int] | None]) -> None:
        """Set what `_counts` gives; None leaves it as it is."""
        datapath = self.datapath
        of_chip, *rest = counts
        channels, ports = rest[: len(self.channels)], rest[len(self.channels) : len(self.channels) + len(self.ports)]
        if of_chip is not None:
            number = iter(of_chip)
            datapath.folded = next(number)
            for cause in sorted(datapath.stalls):
                datapath.stalls[cause] = next(number)
            for place in sorted(datapath.moved):
                datapath.moved[place] = [next(number), next(number)]
            for cursor in self.cursors[0]:
                cursor.unit, cursor.visits = next(number), next(number)
        for channel, cursors, own in zip(self.channels, self.cursors[1:], channels, strict=True):
            if own is not None:
                number = iter(own)
                for cursor in cursors:
                    cursor.unit, cursor.visits = next(number), next(number)
                for given in (*channel.given, channel.moved):
                    given[:] = [next(number) for _ in given]
                if channel is self.transport.top:
                    self.transport.worked = next(number)
        for port, busy in zip(self.ports, ports, strict=True):
            if busy is not None:
                (port.busy,) = busy
        for room, held in zip(self.rooms, rest[len(self.channels) + len(self.ports) :], strict=True):
            if held is not None:
                (room.space.held,) = held

    # What goes on as before

    def _going(self, loop: int, before: State, state: State) -> frozenset[int]:
        """Actors that go with the loop; none where something else could interfere with them."""
        if before.names != state.names:
            return frozenset()
        period, time = state.digit - before.digit, state.now - before.now
        going: set[int] = set()
        alone: set[int] = set()
        for number, (old, new) in enumerate(zip(before.actors, state.actors, strict=True)):
            if _goes(old, new, loop, period, time):
                going.add(number)
            elif old != new:
                alone.add(number)
        if 0 not in going:
            return frozenset()
        # Whoever shares a room with what is by itself may be let in by it.
        rooms = {self.room_of[number] for number in alone}
        alone |= {number for number in range(1, len(self.room_of)) if self.room_of[number] in rooms}
        ports = frozenset().union(*(self.uses[number] for number in going))
        for number in alone:
            channel = self.channels[number - 1]
            below = self.transport.below.get(channel)
            if (
                number in going
                or (below is not None and 1 + self.channels.index(below) in going)
                or channel.above is not None
                or channel.depth > loop
                or ports & self.uses[number]
                or (below is not None and not self._fed(channel, below))
            ):
                return frozenset()
        for port in ports:
            passed = state.free[port] - before.free[port]
            if passed not in (0, time) or (passed == 0 and any(port in self.uses[number] for number in alone)):
                return frozenset()
        for number in going - {0}:
            if before.held[self.room_of[number]] != state.held[self.room_of[number]]:
                return frozenset()
        return frozenset(going)

    @staticmethod
    def _fed(channel: Channel, below: Channel) -> bool:
        """Whether the channel below waits for something else than this one."""
        if below.asked.ended:
            return True
        source = channel.asked if below.outputs and not below.continues() else channel.came
        return source.index > below.asked.index

    def _times(self, loop: int, before: State, state: State, going: frozenset[int]) -> int:
        """How often the period between two states comes again for certain."""
        period, time = state.digit - before.digit, state.now - before.now
        program, kinds = self.program, self.kinds[loop]
        places = [place for number in going for place in state.actors[number].places]
        olds = [place for number in going for place in before.actors[number].places]
        fixed = {
            place for number, actor in enumerate(state.actors) if number not in going for place in actor.places
        } | {new for old, new in zip(olds, places, strict=True) if old == new}
        moved = {(old, new) for old, new in zip(olds, places, strict=True) if old != new}
        most = END
        for old, new in moved:
            furthest = min(program.trips_at(loop, new) - 2, _alike(kinds, old[loop]))
            most = min(most, (furthest - new[loop]) // period)
            for there in fixed:
                if new[:loop] == there[:loop] and old[loop] <= there[loop]:
                    most = min(most, (there[loop] - 1 - new[loop]) // period)
        if time:
            still = [actor for number, actor in enumerate(state.actors) if actor == before.actors[number]]
            for moment in (moment for actor in still for _, moment in actor.due):
                most = min(most, (moment - state.now - 1) // time)
            for earlier, later in zip(before.free, state.free, strict=True):
                if earlier == later:
                    most = min(most, (later - state.now - 1) // time)
        return most

    def _skip(self, loop: int, before: State, state: State, going: frozenset[int], times: int) -> None:
        stage, datapath = self.stage, self.datapath
        period, time = state.digit - before.digit, state.now - before.now
        tiles = datapath.block.unit
        for number in going:
            old, new = before.actors[number], state.actors[number]
            for cursor, there, here in zip(self.cursors[number], old.places, new.places, strict=True):
                if there != here:
                    cursor.index[loop] += times * period
        ports = frozenset().union(*(self.uses[number] for number in going))
        rooms = {self.room_of[number] for number in going}
        concerned = [
            *(number in going for number in range(len(self.cursors))),
            *(number in ports for number in range(len(self.ports))),
            *(number in rooms for number in range(len(self.rooms))),
        ]
        self._restore(
            [
                [there + times * (there - here) for here, there in zip(old, new, strict=True)] if yes else None
                for yes, old, new in zip(concerned, before.counts, state.counts, strict=True)
            ]
        )
        self.skipped += datapath.block.unit - tiles
        if time:
            for port in ports:
                if state.free[port] - before.free[port] == time:
                    self.ports[port].free = state.free[port] + times * time
            for due in [due for due in stage.due if self._actor(due.rank) in going]:
                due.put_off(times * time)
            datapath.marked += times * time
            if stage.recording:
                name = f"{times * period} more of {self.program.loops[loop].dim.lower()} like these"
                stage.record(SKIPPED, name, stage.now, times * time)


def _goes(old: Actor, new: Actor, loop: int, period: int, time: int) -> bool:
    """Whether everything about an actor goes with a loop, and something does."""
    if old.fixed != new.fixed or len(old.due) != len(new.due):
        return False
    for (rank, earlier), (other, later) in zip(old.due, new.due, strict=True):
        if rank != other or later - earlier != time:
            return False
    moved = False
    for there, here in zip(old.places, new.places, strict=True):
        if there != here:
            if (
                here[loop] - there[loop] != period
                or here[:loop] != there[:loop]
                or here[loop + 1 :] != there[loop + 1 :]
            ):
                return False
            moved = True
    return moved


def _alike(kinds: list[int], digit: int) -> int:
    """Last digit up to which no table tells the digits apart."""
    end = digit
    while end + 1 < len(kinds) and kinds[end + 1] == kinds[digit]:
        end += 1
    return end
