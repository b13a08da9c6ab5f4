"""Traces as files that Perfetto and chrome://tracing open.

Chrome's trace event format (Duca and Sinclair, Trace Event Format, 2016): complete events (X) on threads of processes,
counters (C) and the names of both (M), times in microseconds. A part of the chip is a process, a track of it a thread.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hwsim import __version__
from hwsim.errors import Fault, SpecError
from hwsim.report.files import check_target, write_whole
from hwsim.units import format_si

if TYPE_CHECKING:
    from hwsim.simulate.trace import Event, Trace

#: Most events of a file: some 40 MB, which viewers open in seconds.
LIMIT = 250_000

#: Tracks that stand above those of the resources.
SCHEDULE = ("rounds", "members", "layers")

#: Number of the first thread; no process has it, or viewers would take that thread for the main one.
FIRST_THREAD = 100


@dataclass(frozen=True)
class Cut:
    """Events for which a file had no room.

    Args:
        what: they show.
        left_out: how many.
        since: start of the first of them [s].
    """

    what: str
    left_out: int
    since: float

    def __str__(self) -> str:
        return f"{self.what}: {self.left_out:,} events from {format_si(self.since, 's')} on"


def check_trace(path: Path) -> None:
    """Refuse a trace's file that could not be written, before the work that it is for.

    Raises:
        SpecError: another suffix than .json, a missing folder.
    """
    if path.suffix.lower() != ".json":
        raise SpecError([Fault("the suffix of a trace must be .json", str(path))])
    check_target(path)


def write_trace(path: Path, trace: Trace, limit: int = LIMIT) -> tuple[Cut, ...]:
    """Write a trace, whole or not at all.

    Where it has too many events, those of each detail are cut short: a detail gets at most half of the room that
    coarser ones leave, the finest all of it.

    Args:
        limit: most events.

    Returns:
        What was left out.

    Raises:
        SpecError: the file cannot be written.
    """
    check_trace(path)
    cuts: list[Cut] = []

    def write(part: Path) -> None:
        with part.open("w", encoding="utf-8") as file:
            cuts.extend(_write(file, trace, limit))

    write_whole(path, write)
    return tuple(cuts)


def _write(file: IO[str], trace: Trace, limit: int) -> list[Cut]:
    threads: dict[tuple[int, str], int] = {}
    cuts: list[Cut] = []
    room, short = limit, 0
    file.write('{"displayTimeUnit": "ns", "traceEvents": [\n')
    for number, detail in enumerate(trace.details, 1):
        finer = sum(other.total for other in trace.details[number:])
        most = max(room // 2, room - finer)
        events = iter(detail.events)
        for event in islice(events, most):
            if event.start == event.end:
                short += 1
            else:
                file.write(_line(_object(event, threads)) + ",\n")
        if detail.total > most:
            cuts.append(Cut(detail.name, detail.total - most, next(events).start / 1e9))
        room -= min(most, detail.total)
    file.write(",\n".join(map(_line, _names(trace, threads))))
    other = {"written by": f"hwsim {__version__}", "left out": [str(cut) for cut in cuts], "shorter than 1 ns": short}
    file.write(f'\n], "otherData": {json.dumps(other)}}}\n')
    return cuts


def _line(event: dict[str, object]) -> str:
    return json.dumps(event, separators=(",", ":"), allow_nan=False)


def _object(event: Event, threads: dict[tuple[int, str], int]) -> dict[str, object]:
    if event.end is None:
        return _of("C", event.part, event.track, ts=_microseconds(event.start), args=event.details)
    thread = threads.setdefault((event.part, event.track), FIRST_THREAD + len(threads))
    times = {"ts": _microseconds(event.start), "dur": _microseconds(event.end - event.start)}
    return _of("X", event.part, event.name, tid=thread, cat=event.track, **times, args=event.details)


def _names(trace: Trace, threads: dict[tuple[int, str], int]) -> Iterator[dict[str, object]]:
    """What tracks are called, and in which order they are shown."""
    for part, name in enumerate((trace.chip, *(f"{trace.chip}, part of {part}" for part in trace.parts))):
        yield _of("M", part, "process_name", args={"name": name})
        yield _of("M", part, "process_sort_index", args={"sort_index": part})
    order = {track: index for index, track in enumerate(SCHEDULE)}
    for (part, track), thread in threads.items():
        yield _of("M", part, "thread_name", tid=thread, args={"name": track})
        yield _of("M", part, "thread_sort_index", tid=thread, args={"sort_index": order.get(track, thread)})


def _of(phase: str, part: int, name: str, **fields: object) -> dict[str, object]:
    return {"ph": phase, "pid": 1 + part, "name": name, **fields}


def _microseconds(nanoseconds: int) -> float:
    """Viewers multiply by 1000, and some of them then cut off what stands behind the point."""
    amount = nanoseconds / 1000
    return amount if int(amount * 1000) == nanoseconds else math.nextafter(amount, math.inf)
