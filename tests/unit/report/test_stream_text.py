"""What people read of a stream of requests."""

from __future__ import annotations

import io
import json
import math

import numpy as np
from rich.console import Console

from hwsim.report.records import text
from hwsim.report.stream import stream_parts, stream_record
from hwsim.simulate.members.schedule import Round, Stage
from hwsim.simulate.stream.requests import Arrivals, Constant, Recorded
from hwsim.simulate.stream.stream import Stream, play_stream


def played(arrivals: Arrivals, inputs: int = 1, agreement: float | None = None, duration: float | None = 2.0) -> Stream:
    """Three members of 0.4 ms each."""
    lane = tuple(Stage(name, "layer", "mode", 400.0) for name in ("a", "b", "c"))
    rounds = [Round("serial", (lane,), (), inputs)]
    return play_stream(arrivals, rounds, 1e6, duration=duration, agreement=agreement, classes=10)


def printed(stream: Stream) -> list[list[str]]:
    screen = Console(file=io.StringIO(), width=200)
    for part in stream_parts(stream_record(stream), members=3):
        screen.print(part)
    assert isinstance(screen.file, io.StringIO)
    return [line.split() for line in screen.file.getvalue().splitlines()]


def test_figures_stand_with_their_units_and_intervals() -> None:
    lines = printed(played(Constant(500)))
    assert " ".join(lines[0]) == ("Stream of 2 s: 500 requests/s, evenly spaced; 1,000 arrived, 1,000 served, 0 left")
    assert ["mean", "1.2", "ms", "1.2", "ms", "to", "1.2", "ms"] in lines
    assert ["requests", "that", "arrive", "500/s"] in lines
    assert ["most", "that", "the", "chip", "can", "answer", "833.3/s"] in lines
    assert ["load", "60.0%"] in lines
    assert ["requests", "that", "wait,", "most", "0"] in lines


def test_an_overloaded_chip_has_no_intervals() -> None:
    lines = printed(played(Constant(1000)))
    assert ["load", "120.0%"] in lines
    (mean,) = [line for line in lines if line[:1] == ["mean"]]
    assert len(mean) == 3
    assert "the queue grows by 166" in " ".join(lines[-1])  # 1000 arrive in a second, 833.3 are answered


def test_short_streams_have_no_intervals() -> None:
    assert ["mean", "1.2", "ms", "too", "few", "requests"] in printed(played(Constant(100)))


def test_batches_and_exits_are_told() -> None:
    lines = [" ".join(line) for line in printed(played(Constant(500), inputs=4, agreement=1.0))]
    assert "inputs in a round of 4 1" in lines
    assert "A round with fewer inputs takes as long as a full one." in lines
    assert any("2 of 3 members run for a request" in line for line in lines)


def test_a_stream_without_requests_says_so_and_is_valid_json() -> None:
    stream = played(Recorded(np.zeros(0), "nothing.txt"), duration=None)
    (only,) = printed(stream)
    assert " ".join(only) == "Stream of 0 s: as in nothing.txt; 0 arrived, 0 served, 0 left"
    record = json.loads(text(stream_record(stream)))
    assert record["latency_seconds"]["mean"] == {"value": None, "low": None, "high": None}
    assert math.isfinite(record["capacity_per_second"])
