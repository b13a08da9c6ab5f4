"""The chip as things that can be busy or full: ports of memories, room in them, the array and the vector unit.

One instance of every memory is played, the busiest: instances run in lock step, so the others do the same or less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import isfinite

from hwsim.cost.problem import Problem
from hwsim.simulate.layer.ticks import Ticks, bits_per_cycle, exact
from hwsim.spec.hardware import Memory
from hwsim.units import Bandwidth


class Port:
    """A server without preemption, first come, first served.

    Args:
        name: of the track that it is drawn on.
        per_bit: what a bit takes [ticks].
        alone: the array rests while it works, because its memory has a single buffer.
    """

    __slots__ = ("alone", "busy", "free", "name", "per_bit")

    def __init__(self, name: str, per_bit: int, alone: bool = False) -> None:
        self.name, self.per_bit, self.alone = name, per_bit, alone
        self.free = 0
        self.busy = 0

    def reserve(self, earliest: int, ticks: int) -> int:
        """Queue for work that cannot begin before `earliest`; when it begins [ticks]."""
        start = earliest if earliest > self.free else self.free
        self.free = start + ticks
        self.busy += ticks
        return start


class Space:
    """Room in one instance of a memory.

    Args:
        name: of the memory.
        capacity: [bits]; None where it has no end.
        streaming: words make room for others one by one.
    """

    __slots__ = ("capacity", "held", "name", "peak", "streaming")

    def __init__(self, name: str, capacity: int | None, streaming: bool, held: int = 0) -> None:
        self.name, self.capacity, self.streaming = name, capacity, streaming
        self.held = self.peak = held

    def fits(self, bits: int) -> bool:
        """Whether so much more would fit."""
        return self.capacity is None or self.held + bits <= self.capacity

    def take(self, bits: int) -> None:
        """Fill so much of it."""
        self.held += bits
        if self.held > self.peak:
            self.peak = self.held

    def leave(self, bits: int) -> None:
        """Make so much free."""
        self.held -= bits


class Machine:
    """Ports and rooms of a chip, and how long things take on it.

    Args:
        problem: the layer; its chip, and the mode that the datapath is in.
        bounded: otherwise ports and rooms have no limits.
        durations: of other things that take whole numbers of ticks [cycles].
    """

    def __init__(self, problem: Problem, bounded: bool = True, durations: Iterable[Fraction] = ()) -> None:
        self.problem = problem
        step = 1 / exact(problem.mode.rate) if isfinite(problem.mode.rate) else Fraction(0)
        if problem.corrected:
            step *= 1 + Fraction(1, problem.nest.K)
        rates = {key: bits_per_cycle(width, problem.hardware.clock) for key, width in _widths(problem, bounded)}
        self.ticks = Ticks.dividing([step, *(1 / rate for rate in rates.values()), *durations])
        self.step = self.ticks.of(step)
        self.reads: dict[tuple[int, str], Port] = {}
        self.writes: dict[tuple[int, str], Port] = {}
        for (level, memory, way), rate in rates.items():
            alone = memory.buffering == "single" and level > 0
            name = f"{memory.name} {way}" if way else memory.name
            port = Port(name, self.ticks.of(1 / rate), alone)
            if way != "write":
                self.reads[level, memory.name] = port
            if way != "read":
                self.writes[level, memory.name] = port
        self.array = Port("compute", 0)
        self.vector = Port("vector", 0)
        self.spaces = {
            (level, memory.name): Space(
                memory.name,
                None if memory.size is None or not bounded else int(8 * memory.size),
                memory.buffering == "streaming",
            )
            for level, spec in enumerate(problem.levels)
            if level > 0
            for memory in spec.memories
        }

    @property
    def ports(self) -> tuple[Port, ...]:
        """Ports of memories, each once, outermost memory first."""
        return tuple(dict.fromkeys((*self.reads.values(), *self.writes.values())))


def _widths(problem: Problem, bounded: bool) -> Iterator[tuple[tuple[int, Memory, str], Bandwidth]]:
    """Bandwidth of every port that has one: by level, memory and way, which is empty for a shared port."""
    for level, spec in enumerate(problem.levels):
        for memory in spec.memories:
            ways = {"": memory.bandwidth, "read": memory.read_bandwidth, "write": memory.write_bandwidth}
            for way, width in ways.items():
                if bounded and width is not None:
                    yield (level, memory, way), width
