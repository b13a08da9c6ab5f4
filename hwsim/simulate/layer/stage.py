"""Where a layer is played: time, what is to happen, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import simpy
from simpy.events import EventPriority

from hwsim.simulate.layer.machine import Machine, Port
from hwsim.simulate.layer.played import Slice

#: Track of iterations that were not played.
SKIPPED = "skipped"


class Due(simpy.Event):
    """Something that happens after some ticks; of what happens at once, the lower rank comes first."""

    def __init__(self, stage: Stage, rank: int, after: int, action: Callable[[], object]) -> None:
        super().__init__(stage.env)
        self._ok, self._value = True, None
        self.stage, self.rank, self.time, self.action = stage, rank, stage.now + after, action
        stage.due[self] = None
        self.callbacks.append(Due._happen)
        stage.env.schedule(self, EventPriority(rank), after)

    def put_off(self, ticks: int) -> None:
        """Happen so much later instead."""
        del self.stage.due[self]
        Due(self.stage, self.rank, self.time + ticks - self.stage.now, self.action)

    def _happen(self) -> None:
        if self in self.stage.due:  # not if it was put off
            del self.stage.due[self]
            self.stage.events += 1
            self.action()


class Stage:
    """Time and resources, shared by everything that is played.

    Args:
        machine: the chip.
        recording: whether to keep what every resource did when.
    """

    def __init__(self, machine: Machine, recording: bool) -> None:
        self.machine, self.recording = machine, recording
        self.env = simpy.Environment()
        #: The present [ticks].
        self.now = 0
        self.due: dict[Due, None] = {}
        self.events = 0
        self.slices: list[Slice] = []
        hardware = machine.problem.hardware
        #: Before everything else [cycles].
        self.launch = hardware.launch * hardware.clock

    def step(self) -> None:
        """Let everything of the next moment happen."""
        env = self.env
        self.now = cast(int, env.peek())
        while env.peek() == self.now:
            env.step()

    def occupy(self, port: Port, earliest: int, ticks: int, label: str) -> int:
        """Queue at a port, and stop the array where its memory has a single buffer; when the work begins [ticks]."""
        array = self.machine.array
        start = port.reserve(max(earliest, array.free) if port.alone else earliest, ticks)
        if port.alone:
            array.free = start + ticks
        if self.recording:
            self.record(port.name, label, start, ticks)
        return start

    def record(self, track: str, name: str, start: int, ticks: int) -> None:
        """Note what a resource does."""
        if ticks:
            time = self.machine.ticks.cycles
            self.slices.append(Slice(track, name, self.launch + time(start), time(ticks)))
