"""What a chip does for one round of inputs: stages one after another, in lanes side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hwsim.simulate.layer.played import Played


@dataclass(frozen=True)
class Stage:
    """One layer of one member, or the combiner, on its part of the chip.

    Args:
        member: whose layer it is; "ensemble" for the combiner.
        layer: its name.
        mode: that the datapath multiplies in; empty where nothing is multiplied, which leaves the mode as it is.
        cycles: of the layer, launch included [cycles].
        switch_cycles: of changing the datapath's mode before it [cycles].
        played: the layer, played; equal layers share one.
    """

    member: str
    layer: str
    mode: str
    cycles: float
    switch_cycles: float = 0.0
    played: Played | None = None


@dataclass(frozen=True)
class Placed:
    """A stage and when it begins, its mode switch included [cycles from the start of the round]."""

    stage: Stage
    lane: int
    start: float


@dataclass(frozen=True)
class Round:
    """One pass over all members, repeated without end; what `switch_cycles` say holds in that steady state.

    Args:
        name: of the schedule.
        lanes: run side by side, each on its part of the chip; the stages of one follow each other.
        tail: runs on the whole chip once every lane has ended: the combiner.
        inputs: answered by one round, all of them at its end.
        reconfiguration: time of one mode switch [cycles].
    """

    name: str
    lanes: tuple[tuple[Stage, ...], ...]
    tail: tuple[Stage, ...]
    inputs: int
    reconfiguration: float = 0.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Lane by lane, then the tail."""
        return (*(stage for lane in self.lanes for stage in lane), *self.tail)

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members in the order in which they end."""
        ends: dict[str, float] = {}
        for lane in self.lanes:
            now = 0.0
            for stage in lane:
                now += stage.switch_cycles + stage.cycles
                ends.pop(stage.member, None)
                ends[stage.member] = now
        return tuple(sorted(ends, key=lambda member: ends[member]))

    @property
    def lane_cycles(self) -> tuple[float, ...]:
        """Of every lane [cycles]."""
        return tuple(length(lane) for lane in self.lanes)

    @property
    def cycles(self) -> float:
        """From the start of the round to its end: the slowest lane, then the tail [cycles]."""
        return max(self.lane_cycles, default=0.0) + length(self.tail)

    @property
    def switches(self) -> int:
        """Mode changes of all lanes, the one back to the start of the round included."""
        return sum(sum(switching(lane)) for lane in self.lanes)

    @property
    def switch_cycles(self) -> float:
        """Of all mode switches, those of lanes side by side together [cycles]."""
        return sum(stage.switch_cycles for stage in self.stages)

    def placed(self) -> Iterator[Placed]:
        """Every stage with its lane and its start, lane by lane; the tail is in the first one."""
        for number, lane in enumerate(self.lanes):
            yield from _placed(lane, number, 0.0)
        yield from _placed(self.tail, 0, max(self.lane_cycles, default=0.0))


def length(stages: Iterable[Stage]) -> float:
    """Time of stages that follow each other, mode switches included [cycles]."""
    return sum(stage.switch_cycles + stage.cycles for stage in stages)


def switching(stages: Iterable[Stage], before: str | None = None) -> tuple[bool, ...]:
    """Which of the stages that follow each other begin with a change of the datapath's mode.

    Args:
        before: mode that the datapath is in before; that of the last stage unless given, as where they repeat.
    """
    modes = [stage.mode for stage in stages]
    mode = before or next((mode for mode in reversed(modes) if mode), "")
    result = []
    for own in modes:
        result.append(own not in ("", mode))
        mode = own or mode
    return tuple(result)


def switched(stages: Iterable[Stage], reconfiguration: float, before: str | None = None) -> tuple[Stage, ...]:
    """Stages that follow each other, with the time of every mode switch between them.

    Args:
        reconfiguration: time of one [cycles].
        before: see `switching`.
    """
    stages = tuple(stages)
    return tuple(
        replace(stage, switch_cycles=reconfiguration if switches else 0.0)
        for stage, switches in zip(stages, switching(stages, before), strict=True)
    )


def _placed(stages: Iterable[Stage], lane: int, start: float) -> Iterator[Placed]:
    for stage in stages:
        yield Placed(stage, lane, start)
        start += stage.switch_cycles + stage.cycles
