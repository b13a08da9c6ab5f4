"""Steady state: what repeats itself exactly is counted, not played.

Whenever the datapath enters a new iteration of a loop, the whole state of the chip is compared with that of up to
`MEMORY` iterations before. The states are equal if everything in them either goes with the loop (the place is the same
but for that loop's digit, the time that is left is the same) or stands still (the same place, the same moment in time).
What follows is then decided to be the same, for as long as

  * the iterations to come are like those compared: no table tells their digits apart, and the last is never one,
  * nothing that stands still happens, and nothing that goes on passes the place of what stands still.

So many periods are skipped: places, clocks and counts go on by as many times what they went on in one. Time is counted
in whole ticks, so that "the same" needs no tolerance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwsim.simulate.channel import END, Cursor

if TYPE_CHECKING:
    from hwsim.simulate.player import Player

#: Iterations that are looked back upon; a longer period is not recognised.
MEMORY = 6

#: Iterations in a row that are compared in vain before a while of them is let pass; the while doubles each time.
PATIENCE = 8


@dataclass(frozen=True)
class State:
    """Everything that decides what comes next, and everything that is counted.

    Args:
        digit: of the loop that is watched.
        now: [ticks].
        fixed: must be equal.
        places: index of every cursor.
        free: when each port is free [ticks].
        due: rank and moment of whatever is to happen, by rank.
        named: what is counted.
        counts: go on evenly.
    """

    digit: int
    now: int
    fixed: tuple[object, ...]
    places: tuple[tuple[int, ...], ...]
    free: tuple[int, ...]
    due: tuple[tuple[int, int], ...]
    named: tuple[object, ...]
    counts: tuple[int, ...]


class Steady:
    """Watches a player for repetition."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.cursors: list[Cursor] = [player.block, player.following]
        for channel in player.channels:
            self.cursors += [channel.asked, channel.came, channel.complete, channel.leaving, channel.gone]
        machine = player.machine
        self.servers = [machine.array, machine.vector, *machine.ports]
        self.past: list[list[State]] = [[] for _ in player.program.loops]
        self.vain = [0 for _ in player.program.loops]
        self.rest = [0 for _ in player.program.loops]
        self.pause = [PATIENCE for _ in player.program.loops]

    def at(self, loop: int) -> None:
        """The datapath has entered an iteration of a loop."""
        for inner in self.past[loop + 1 :]:
            inner.clear()
        index, past = self.player.block.index, self.past[loop]
        if past and past[-1].digit >= index[loop]:
            past.clear()
        left = self.player.program.trips_at(loop, index) - 2 - index[loop]
        if left < 1:
            return
        if self.rest[loop]:
            self.rest[loop] -= 1
            return
        state = self._state(loop)
        for before in reversed(past):
            if state.digit - before.digit > left:
                break
            times = self._times(loop, before, state)
            if times > 0:
                self._skip(loop, before, state, times)
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

    def _state(self, loop: int) -> State:
        player = self.player
        passed = player.skipped_ticks
        now = player.env.now + passed
        channels = player.channels
        fixed = (
            player.running,
            player.ending,
            player.limit,
            player.cause,
            # What a memory holds, and how far it is ahead, matters as long as more is to be asked for.
            *(
                room.space.capacity is not None
                and not all(channel.asked.ended for channel in room.channels)
                and room.space.held
                for room in player.rooms
            ),
            *(
                (
                    channel.inherited,
                    *map(tuple, channel.trailing),
                    not channel.asked.ended and channel.asked.unit - channel.gone.unit,
                    not channel.asked.ended and channel.asked.visits - channel.gone.visits,
                    channel.outputs and not channel.asked.ended and channel.asked.unit - channel.leaving.unit,
                )
                for channel in channels
            ),
        )
        return State(
            player.block.index[loop],
            now,
            fixed,
            tuple(tuple(cursor.index) for cursor in self.cursors),
            tuple(max(now, port.free + passed) for port in self.servers),
            tuple(sorted((due.rank, due.time + passed) for due in player.due)),
            (*sorted(player.stalls), *sorted(player.moved)),
            tuple(self._counts()),
        )

    def _counts(self) -> list[int]:
        player = self.player
        counts = [player.folded, player.vectored]
        counts += [number for cursor in self.cursors for number in (cursor.unit, cursor.visits)]
        counts += [port.busy for port in self.servers]
        counts += [room.space.held for room in player.rooms]
        for channel in player.channels:
            counts += [*channel.given[0], *channel.given[1], *channel.moved]
        counts += [player.stalls[cause] for cause in sorted(player.stalls)]
        counts += [bits for place in sorted(player.moved) for bits in player.moved[place]]
        return counts

    def _restore(self, counts: Iterable[int]) -> None:
        """The inverse of `_counts`."""
        player, number = self.player, iter(counts)
        player.folded, player.vectored = next(number), next(number)
        for cursor in self.cursors:
            cursor.unit, cursor.visits = next(number), next(number)
        for port in self.servers:
            port.busy = next(number)
        for room in player.rooms:
            room.space.held = next(number)
        for channel in player.channels:
            for given in (*channel.given, channel.moved):
                given[:] = [next(number) for _ in given]
        for cause in sorted(player.stalls):
            player.stalls[cause] = next(number)
        for place in sorted(player.moved):
            player.moved[place] = [next(number), next(number)]

    def _times(self, loop: int, before: State, state: State) -> int:
        """How often the period between two states comes again for certain."""
        if before.fixed != state.fixed or before.named != state.named or len(before.due) != len(state.due):
            return 0
        period, time = state.digit - before.digit, state.now - before.now
        going: list[tuple[int, ...]] = []
        still: list[tuple[int, ...]] = []
        most = END
        program, kinds = self.player.program, self.player.kinds[loop]
        for old, new in zip(before.places, state.places, strict=True):
            if old == new:
                still.append(new)
            elif new[loop] - old[loop] == period and old[:loop] == new[:loop] and old[loop + 1 :] == new[loop + 1 :]:
                going.append(new)
                furthest = min(program.trips_at(loop, new) - 2, _alike(kinds, old[loop]))
                most = min(most, (furthest - new[loop]) // period)
            else:
                return 0
        for here in going:
            for there in still:
                if here[:loop] == there[:loop] and here[loop] - period <= there[loop]:
                    most = min(most, (there[loop] - 1 - here[loop]) // period)
        moments = [
            *((old[1], new[1]) for old, new in zip(before.due, state.due, strict=True)),
            *zip(before.free, state.free, strict=True),
        ]
        if any(old[0] != new[0] for old, new in zip(before.due, state.due, strict=True)):
            return 0
        for earlier, later in moments:
            if later - earlier == time:
                continue
            if later != earlier:
                return 0
            if time:
                most = min(most, (later - state.now - 1) // time)
        return most

    def _skip(self, loop: int, before: State, state: State, times: int) -> None:
        player = self.player
        period, time = state.digit - before.digit, state.now - before.now
        tiles = player.block.unit
        for cursor, old, new in zip(self.cursors, before.places, state.places, strict=True):
            if old != new:
                cursor.index[loop] += times * period
        self._restore(
            new + times * (new - old) for old, new in zip(before.counts, state.counts, strict=True)
        )
        player.skipped += player.block.unit - tiles
        if time:
            self._pass(before, state, times * time)
            player.note_skip(loop, times * period, times * time)

    def _pass(self, before: State, state: State, ticks: int) -> None:
        """Let time go by; what stands still comes nearer."""
        player = self.player
        for port, earlier, later in zip(self.servers, before.free, state.free, strict=True):
            if later == earlier:
                port.free -= ticks
        coming = sorted(player.due, key=lambda due: (due.rank, due.time))
        for due, (_, earlier), (_, later) in zip(coming, before.due, state.due, strict=True):
            if later == earlier:
                due.put_off(-ticks)
        player.skipped_ticks += ticks


def _alike(kinds: list[int], digit: int) -> int:
    """Last digit up to which no table tells the digits apart."""
    end = digit
    while end + 1 < len(kinds) and kinds[end + 1] == kinds[digit]:
        end += 1
    return end
