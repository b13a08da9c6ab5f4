"""What ran on the chip when, as slices on tracks.

One group of tracks for the chip, and one for each part of it where members run side by side: which round, which member,
which layer, and below them a track for every resource. Times are whole nanoseconds, the finest that viewers of traces
tell apart, rounded such that slices that follow each other do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.simulate.members.schedule import Round, Stage
from hwsim.simulate.stream.requests import Floats
from hwsim.simulate.stream.serve import Log
from hwsim.simulate.stream.stream import Stream
from hwsim.units import format_si

#: Tracks that are no resource of the chip.
ROUNDS, MEMBERS, LAYERS = "rounds", "members", "layers"

#: The counter of a stream.
QUEUE = "requests"

#: Number of the whole chip among its parts.
WHOLE = 0

NANOSECONDS = 1e9

#: By how much rounding may make a slice end too late [ns]; what overlaps by more is left as it is.
ROUNDING = 2


class Event(NamedTuple):
    """A slice of a track or, without an end, a new value of a counter.

    Args:
        part: of the chip, from 1; 0 for the whole chip.
        track: in it, or name of the counter.
        name: of the slice.
        start, end: from the start of the trace; equal where a slice is too short to be seen [ns].
        details: for whoever clicks on the slice; value of the counter.
    """

    part: int
    track: str
    name: str
    start: int
    end: int | None
    details: Mapping[str, object]


@dataclass(frozen=True)
class Detail:
    """Events that are cut short together where all of them would be too many.

    Args:
        name: what they show.
        total: how many there are.
        events: by their start.
    """

    name: str
    total: int
    events: Iterable[Event] = field(repr=False)


@dataclass(frozen=True)
class Trace:
    """What ran when.

    Args:
        chip: its name.
        parts: names of its parts, where members run side by side.
        details: the coarsest first; their events can be had once.
    """

    chip: str
    parts: tuple[str, ...]
    details: tuple[Detail, ...]


def trace_rounds(rounds: Sequence[Round], chip: str, clock: float) -> Trace:
    """Rounds, each played once, one after another.

    Args:
        rounds: with what their resources did, if their layers were played with `record`.
        chip: its name.
        clock: of the chip [Hz].
    """
    starts = np.cumsum([0.0, *(round.cycles / clock for round in rounds)])[:-1]
    return _trace(chip, clock, rounds, np.arange(len(rounds), dtype=np.int32), starts, ())


def trace_stream(stream: Stream, chip: str) -> Trace:
    """A stream of requests: every round, and how many requests wait.

    Args:
        stream: whose layers were played with `record`, if resources are to be shown.
        chip: its name.
    """
    log, service = stream.log, stream.service
    rounds = [service.round(choice) for choice in log.choices]
    times, waiting = _waiting(log)
    counter = (Event(WHOLE, QUEUE, "", int(t), None, {"waiting": int(n)}) for t, n in zip(times, waiting, strict=True))
    coarse = Detail("rounds and the queue", log.rounds + len(times), merge(counter, _rounds(log), key=_start))
    return _trace(chip, service.clock, rounds, log.chosen, log.started[log.first[:-1]], (coarse,))


def _trace(
    chip: str,
    clock: float,
    rounds: Sequence[Round],
    chosen: NDArray[np.int32],
    starts: Floats,
    coarse: tuple[Detail, ...],
) -> Trace:
    """Rounds below what is coarser than they are.

    Args:
        rounds: that differ; chosen: which of them is played each time, and when that starts [s].
    """
    often = np.bincount(chosen, minlength=len(rounds)).tolist()
    scale = NANOSECONDS / clock

    def all_of(events: Callable[[Round, float, float], Iterable[Event]]) -> Iterator[Event]:
        for start, index in zip(starts, chosen, strict=True):
            yield from events(rounds[index], NANOSECONDS * float(start), scale)

    def count(events: Callable[[Round], int]) -> int:
        return sum(times * events(round) for times, round in zip(often, rounds, strict=True))

    return Trace(
        chip,
        _parts(rounds[0]) if rounds else (),
        (
            *coarse,
            Detail("members and layers", count(lambda round: len(_stages(round, 0.0, 1.0))), _apart(all_of(_stages))),
            Detail("resources", count(_slices), _apart(all_of(_resources))),
        ),
    )


def _parts(round: Round) -> tuple[str, ...]:
    """Names of the parts of a chip on which lanes run side by side."""
    if len(round.lanes) < 2:
        return ()
    return tuple(", ".join(dict.fromkeys(stage.member for stage in lane)) for lane in round.lanes)


def _placed(round: Round) -> list[tuple[float, int, Stage]]:
    """Every stage with its start [cycles], mode switch included, and its part of the chip; in order of the starts."""
    several = len(round.lanes) > 1
    placed = []
    lanes = [(number if several else WHOLE, 0.0, lane) for number, lane in enumerate(round.lanes, 1)]
    for part, start, stages in (*lanes, (WHOLE, max(round.lane_cycles, default=0.0), round.tail)):
        for stage in stages:
            placed.append((start, part, stage))
            start += stage.switch_cycles + stage.cycles
    return sorted(placed, key=lambda entry: entry[0])


def _stages(round: Round, origin: float, scale: float) -> list[Event]:
    """Members, layers and mode switches.

    Args:
        origin: start of the round; scale: of a cycle [ns].
    """

    def event(part: int, track: str, name: str, start: float, end: float, details: Mapping[str, object]) -> Event:
        return Event(part, track, name, int(0.5 + origin + scale * start), int(0.5 + origin + scale * end), details)

    events = []
    placed = sorted(_placed(round), key=lambda entry: entry[1])
    for (part, member), group in groupby(placed, key=lambda entry: (entry[1], entry[2].member)):
        run = list(group)
        end = run[-1][0] + run[-1][2].switch_cycles + run[-1][2].cycles
        events.append(event(part, MEMBERS, member, run[0][0], end, {"cycles": end - run[0][0]}))
        for start, _, stage in run:
            begin = start + stage.switch_cycles
            if stage.switch_cycles:
                details = {"cycles": stage.switch_cycles, "to": stage.mode}
                events.append(event(part, LAYERS, "mode switch", start, begin, details))
            if stage.cycles:
                name = f"{stage.member}: {stage.layer}"
                events.append(event(part, LAYERS, name, begin, begin + stage.cycles, _about(stage)))
    return sorted(events, key=_start)


def _about(stage: Stage) -> dict[str, object]:
    about: dict[str, object] = {"cycles": stage.cycles}
    if stage.mode:
        about["mode"] = stage.mode
    if stage.played:
        about |= {"tiles": stage.played.tiles, "skipped": stage.played.skipped}
        about["stalls"] = {cause: cycles for cause, cycles in stage.played.stalls.items() if cycles}
    return about


def _resources(round: Round, origin: float, scale: float) -> Iterator[Event]:
    """What every resource did; lanes side by side take turns by layers."""
    for start, part, stage in _placed(round):
        if not stage.played:
            continue
        begin = start + stage.switch_cycles
        for piece in sorted(stage.played.slices, key=lambda piece: piece.start):
            first = origin + scale * (begin + piece.start)
            last = origin + scale * (begin + piece.start + piece.cycles)
            name = f"{piece.name.rstrip()} of {stage.member}: {stage.layer}"
            details = {"cycles": piece.cycles, **piece.details}
            yield Event(part, piece.track, name, int(0.5 + first), int(0.5 + last), details)


def _slices(round: Round) -> int:
    return sum(len(stage.played.slices) for stage in round.stages if stage.played)


def _rounds(log: Log) -> Iterator[Event]:
    for first, after in pairwise(log.first.tolist()):
        name = f"request {first + 1}" if after == first + 1 else f"requests {first + 1} to {after}"
        start, end = (int(0.5 + NANOSECONDS * float(times[first])) for times in (log.started, log.ended))
        details = {"requests": after - first, "waited": f"{format_si(log.started[first] - log.arrived[first], 's')}"}
        yield Event(WHOLE, ROUNDS, name, start, end, details)


def _waiting(log: Log) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times at which the number of requests that wait changes [ns], and what it is from then on."""
    begins = log.started[log.first[:-1]]
    times = np.rint(NANOSECONDS * np.concatenate([log.arrived, begins])).astype(np.int64)
    changes = np.concatenate([np.ones(len(log.arrived), np.int64), -np.diff(log.first)])
    order = np.argsort(times, kind="stable")
    times, waiting = times[order], np.cumsum(changes[order])
    last = np.append(times[1:] != times[:-1], True)[: len(times)]  # of what happens in one moment
    times, waiting = times[last], waiting[last]
    new = np.diff(waiting, prepend=0) != 0
    return times[new], waiting[new]


def _apart(events: Iterable[Event]) -> Iterator[Event]:
    """Slices without overlaps that only rounding makes, a nanosecond or longer.

    A shorter one gets its nanosecond if the track is free, and no time where it is not.
    """
    free: dict[tuple[int, str], int] = {}
    for event in events:
        assert event.end is not None
        track = event.part, event.track
        late = free.get(track, 0) - event.start
        start, end = event.start + (late if 0 < late <= ROUNDING else 0), event.end
        if end <= start:
            end = start + 1 if start == event.start else start
        free[track] = max(end, free.get(track, 0))
        yield event._replace(start=start, end=end)


def _start(event: Event) -> int:
    return event.start
