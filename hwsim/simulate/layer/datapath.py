"""The datapath: block after block of compute steps, for as long as the tiles of all operands are there."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from hwsim.cost.cycles import folds, skew
from hwsim.cost.problem import Problem
from hwsim.cost.traffic import NestArrays
from hwsim.operators.nest import Operand
from hwsim.simulate.layer.channel import Channel, Cursor, Kinds, digits, key
from hwsim.simulate.layer.machine import Port
from hwsim.simulate.layer.stage import Due, Stage
from hwsim.simulate.layer.ticks import exact
from hwsim.simulate.layer.visits import Link, Program

#: Bits read and written by all instances, by level and operand.
Traffic = dict[tuple[int, Operand], list[int]]


class Block:
    """What the datapath does in one block.

    Args:
        compute: time of the array [ticks].
        ports: time of ports that work meanwhile [ticks].
        alone: time of ports that the array rests for [ticks].
        moved: by all instances [bits].
    """

    __slots__ = ("alone", "compute", "moved", "ports")

    def __init__(self, compute: int, ports: Iterable[tuple[Port, int]], moved: Traffic) -> None:
        self.compute, self.moved = compute, moved
        busy = [(port, ticks) for port, ticks in ports if ticks]
        self.ports = [(port, ticks) for port, ticks in busy if not port.alone]
        self.alone = [(port, ticks) for port, ticks in busy if port.alone]


def skewed(problem: Problem, nest: NestArrays) -> Fraction:
    """Time that a systolic array loses to its skew over a layer [cycles]."""
    return exact(float(folds(problem, nest) * skew(problem))) if problem.hardware.systolic else Fraction(0)


class Datapath:
    """The array in play.

    Args:
        rank: of its events among those that happen at once; it takes two.
    """

    def __init__(
        self, stage: Stage, problem: Problem, nest: NestArrays, program: Program, kinds: Kinds, rank: int
    ) -> None:
        self.stage, self.problem, self.program, self.kinds, self.rank = stage, problem, program, kinds, rank
        self.array = stage.machine.array
        depth = len(program.loops)
        #: The first block that is not done, and the one after it.
        self.block, self.following = Cursor(program, depth, depth), Cursor(program, depth, depth)
        #: Channels whose tiles it uses itself.
        self.near: tuple[Channel, ...] = ()
        self.running = self.ending = False
        #: Until when it is known, and counted, what the datapath does [ticks]; what it has waited for since, and what
        #: ended the last block.
        self.marked, self.cause, self.limit = 0, "", ""
        self.stalls: dict[str, int] = {}
        self.moved: Traffic = {}
        #: The outermost loop that has gone on since this was looked at.
        self.boundary = depth
        self._links = [link for link in program.links if link.child is None]
        self._blocks: dict[tuple[int, ...], Block] = {}
        self._woken = 0
        #: Time lost to the skew of a systolic array, in the whole layer and until now [ticks]; whose tiles cost it.
        self.folded, self._folding = 0, self._stationary()
        self._folds = stage.machine.ticks.of(skewed(problem, nest))

    def _stationary(self) -> Link | None:
        last = len(self.problem.levels) - 1
        inner = [link for link in self.program.links if link.child == last]
        return max(inner, key=lambda link: link.visits, default=None)

    @property
    def ports(self) -> set[Port]:
        """Ports of the memories next to it, and the array itself."""
        machine = self.stage.machine
        places = [(link.parent, self.problem.memory(link.parent, link.operand).name) for link in self._links]
        both = (machine.reads, machine.writes)
        return {self.array, *(ports[place] for ports in both for place in places if place in ports)}

    def wait(self) -> None:
        """Account for the time until now, if the datapath waited."""
        now = self.stage.now
        if now > self.marked:
            if not self.running:
                self.stall(self.cause, now - self.marked)
            self.marked = now

    def stall(self, cause: str, ticks: int) -> None:
        """Note that the array was idle."""
        self.stalls[cause] = self.stalls.get(cause, 0) + ticks

    def go_on(self) -> bool:
        """End a block, or begin one; whether anything has changed."""
        now = self.stage.now
        if now < self.marked or self.running or self.block.ended:
            return False
        if self.ending:
            if any(self.unfinished(channel) for channel in self.near if channel.fluid):
                return False
            self.ending = False
            self.boundary = min(self.boundary, self.block.step())
            return True
        index = self.block.index
        for channel in self.near:
            if not channel.came.index > index:
                return False
        if self.array.free > now:
            if self._woken != self.array.free:
                self._woken = self.array.free
                Due(self.stage, self.rank, self.array.free - now, lambda: None)
            return False
        self._begin(now)
        return True

    def unfinished(self, channel: Channel) -> bool:
        """Whether words of the present tile are still to come, or of the one whose place it took still to go."""
        return not channel.complete.index > self.block.index or (channel.outputs and channel.inherited > 0)

    def _begin(self, now: int) -> None:
        stage, array, block = self.stage, self.array, self._block()
        compute = block.compute + self._fold()
        if stage.recording:
            stage.record(array.name, f"tile {digits(self.program, self.block)}", now, compute)
        end = now + compute
        array.busy += compute
        for port, ticks in block.alone:
            stage.occupy(port, end, ticks, "operands")
            self.stall(port.name, ticks)
            end += ticks
        array.free = stop = end
        self.limit = array.name
        for port, ticks in block.ports:
            done = stage.occupy(port, now, ticks, "operands") + ticks
            if done > stop:
                stop, self.limit = done, port.name
        if stop > end:
            self.stall(self.limit, stop - end)
        for place, (read, written) in block.moved.items():
            sums = self.moved.setdefault(place, [0, 0])
            sums[0] += read
            sums[1] += written
        self.running = True
        self.following.step()
        Due(stage, self.rank + 1, stop - now, self._computed)

    def _computed(self) -> None:
        self.running, self.ending, self.marked = False, True, self.stage.now

    def _block(self) -> Block:
        kinds = key(self.kinds, self.block.index, len(self.program.loops))
        block = self._blocks.get(kinds)
        if block is None:
            block = self._blocks[kinds] = self._priced(self.block.index)
        return block

    def _priced(self, index: list[int]) -> Block:
        machine = self.stage.machine
        busy: dict[Port, int] = {}
        moved: Traffic = {}
        for link in self._links:
            place = link.parent, self.problem.memory(link.parent, link.operand).name
            read, written = link.at_parent.down_reads.at(index), link.at_parent.up_writes.at(index)
            for port, bits in ((machine.reads.get(place), read), (machine.writes.get(place), written)):
                if port:
                    busy[port] = busy.get(port, 0) + bits * port.per_bit
            moved[link.parent, link.operand] = [link.chip.down_reads.at(index), link.chip.up_writes.at(index)]
        return Block(self.program.steps.at(index) * machine.step, busy.items(), moved)

    def _fold(self) -> int:
        """Time that a new stationary tile costs [ticks]."""
        if not self._folds:
            return 0
        link = self._folding
        if self.following.visits + 1 == self.program.blocks:
            share = self._folds - self.folded
        elif link is None or any(self.block.index[link.depth :]):
            return 0
        else:
            share = self._folds // link.visits
        self.folded += share
        return share
