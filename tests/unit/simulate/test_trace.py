"""Traces: what they say was when, and whether viewers can read it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hwsim.errors import SpecError
from hwsim.mapper import map_layer
from hwsim.operators.shapes import gemm
from hwsim.report.trace import check_trace, write_trace
from hwsim.simulate.layer.play import play
from hwsim.simulate.layer.played import Played, Slice
from hwsim.simulate.members.arrange import Schedule
from hwsim.simulate.members.run import simulate_ensemble
from hwsim.simulate.members.schedule import Round, Stage
from hwsim.simulate.stream.requests import Constant, Recorded
from hwsim.simulate.stream.stream import play_stream
from hwsim.simulate.trace import Detail, Event, Trace, trace_rounds, trace_stream
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network

Json = dict[str, Any]


def played(cycles: float, *slices: Slice, **stalls: float) -> Played:
    return Played(cycles, {}, stalls, {}, {}, len(slices), len(slices), 0, slices)


def written(trace: Trace, path: Path, limit: int = 10**6) -> list[Json]:
    """Events of a file, which must keep the format's rules."""
    write_trace(path, trace, limit)
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))
    events: list[Json] = content["traceEvents"]
    assert content["displayTimeUnit"] in ("ns", "ms")
    check_format(events)
    return events


def check_format(events: Sequence[Json]) -> None:
    """The rules of the trace event format for the kinds of events that are used, and no overlap within a thread."""
    threads, processes = set(), set()
    tracks: dict[tuple[int, int], list[Json]] = defaultdict(list)
    for event in events:
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        match event["ph"]:
            case "X":
                assert event.keys() <= {"ph", "pid", "tid", "name", "cat", "ts", "dur", "args"}
                assert event["ts"] >= 0
                assert event["dur"] > 0
                tracks[event["pid"], event["tid"]].append(event)
            case "C":
                assert event["ts"] >= 0
                assert all(isinstance(value, int | float) for value in event["args"].values())
            case "M":
                if event["name"] == "thread_name":
                    assert isinstance(event["args"]["name"], str)
                    assert (event["pid"], event["tid"]) not in threads
                    threads.add((event["pid"], event["tid"]))
                elif event["name"] == "process_name":
                    assert event["pid"] not in processes
                    processes.add(event["pid"])
                else:
                    assert event["name"] in ("thread_sort_index", "process_sort_index")
                    assert isinstance(event["args"]["sort_index"], int)
            case other:
                pytest.fail(f"unknown phase {other}")
    assert tracks.keys() <= threads
    assert {event["pid"] for event in events} <= processes
    assert len({thread for _, thread in threads}) == len(threads)  # some viewers take equal numbers for one thread
    for slices in tracks.values():
        for convert in (lambda time: int(time * 1000), lambda time: round(time * 1000)):  # as viewers make nanoseconds
            spans = sorted((convert(x["ts"]), convert(x["ts"]) + convert(x["dur"])) for x in slices)
            assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def slices_of(events: Sequence[Json]) -> dict[tuple[str, str], list[tuple[str, float, float]]]:
    """(process, thread) -> (name, start, end) [us]."""
    processes = {x["pid"]: x["args"]["name"] for x in events if x["name"] == "process_name"}
    threads = {x["tid"]: x["args"]["name"] for x in events if x["name"] == "thread_name"}
    found = defaultdict(list)
    for x in events:
        if x["ph"] == "X":
            found[processes[x["pid"]], threads[x["tid"]]].append((x["name"], x["ts"], round(x["ts"] + x["dur"], 3)))
    return dict(found)


LAYER = played(10, Slice("DRAM", "weights k0", 0, 4), Slice("compute", "tile k0", 4, 6), Slice("DRAM", "out", 6, 4.0))


def test_a_round_is_shown_by_members_layers_and_resources(tmp_path: Path) -> None:
    lane = (Stage("a", "conv", "wide", 10.0, 5.0, LAYER), Stage("a", "flat", "", 0.0), Stage("a", "fc", "wide", 3.0),
            Stage("b", "conv", "narrow", 10.0, 5.0, LAYER))  # fmt: skip
    round = Round("serial", (lane,), (Stage("ensemble", "combiner", "", 2.0),), 1, 5.0)
    events = written(trace_rounds([round], "chip", 500e6), tmp_path / "run.json")  # 2 ns a cycle
    assert slices_of(events) == {
        ("chip", "members"): [("a", 0, 0.036), ("b", 0.036, 0.066), ("ensemble", 0.066, 0.07)],
        ("chip", "layers"): [
            ("mode switch", 0, 0.01),
            ("a: conv", 0.01, 0.03),
            ("a: fc", 0.03, 0.036),
            ("mode switch", 0.036, 0.046),
            ("b: conv", 0.046, 0.066),
            ("ensemble: combiner", 0.066, 0.07),
        ],
        ("chip", "DRAM"): [
            ("weights k0 of a: conv", 0.01, 0.018),
            ("out of a: conv", 0.022, 0.03),
            ("weights k0 of b: conv", 0.046, 0.054),
            ("out of b: conv", 0.058, 0.066),
        ],
        ("chip", "compute"): [("tile k0 of a: conv", 0.018, 0.03), ("tile k0 of b: conv", 0.054, 0.066)],
    }


def test_parts_of_the_chip_are_processes_of_their_own(tmp_path: Path) -> None:
    lanes = ((Stage("a", "conv", "wide", 10.0, 0.0, LAYER),), (Stage("b", "conv", "narrow", 30.0),))
    round = Round("partitioned", lanes, (Stage("ensemble", "combiner", "", 2.0),), 1)
    found = slices_of(written(trace_rounds([round], "chip", 1e9), tmp_path / "run.json"))
    assert found["chip, part of a", "DRAM"][0] == ("weights k0 of a: conv", 0, 0.004)
    assert found["chip, part of b", "layers"] == [("b: conv", 0, 0.03)]
    assert found["chip", "layers"] == [("ensemble: combiner", 0.03, 0.032)]


def test_a_layer_tells_where_its_time_went(tmp_path: Path) -> None:
    stage = Stage("a", "conv", "w4a4", 10.0, 0.0, played(10, DRAM=4.0, none=0.0))
    events = written(trace_rounds([Round("serial", ((stage,),), (), 1)], "chip", 1e9), tmp_path / "run.json")
    (layer,) = [x for x in events if x["name"] == "a: conv"]
    assert layer["args"] == {"cycles": 10, "mode": "w4a4", "tiles": 0, "skipped": 0, "stalls": {"DRAM": 4}}


def test_drawn_members_are_shown_one_after_another(tmp_path: Path) -> None:
    rounds = [Round("serial", ((Stage(name, "fc", "m", 5.0),),), (), 1) for name in ("a", "b")]
    found = slices_of(written(trace_rounds(rounds, "chip", 1e9), tmp_path / "run.json"))
    assert found["chip", "members"] == [("a", 0, 0.005), ("b", 0.005, 0.01)]


def check_slices(layer: Played, exact: bool) -> None:
    """What a resource did happened once, within the layer and, unless repetitions were skipped, all of it is there."""
    tracks: dict[str, list[Slice]] = defaultdict(list)
    for piece in layer.slices:
        tracks[piece.track].append(piece)
    for track, slices in tracks.items():
        spans = sorted((piece.start, piece.start + piece.cycles) for piece in slices)
        assert spans[0][0] >= 0
        assert spans[-1][1] <= layer.cycles + 1e-6
        assert all(end <= start + 1e-6 for (_, end), (start, _) in pairwise(spans))
        if exact:
            assert sum(piece.cycles for piece in slices) == pytest.approx(layer.busy[track])
    if exact:
        assert tracks.keys() == {track for track, cycles in layer.busy.items() if cycles}


@pytest.mark.parametrize("schedule", ["serial", "interleaved"])
def test_an_ensemble_that_was_played_is_shown_without_overlaps(tmp_path: Path, schedule: Schedule) -> None:
    chip = small_chip(bandwidth=0.5, buffer=100, operations_per_cycle=2, reconfiguration=50.0)
    ensemble = small_ensemble((8, 8), (2, 4), combiner="max_vote")
    run = simulate_ensemble(ensemble, chip, small_network(), schedule=schedule, record=True, exact=True)
    for layer in (layer for member in run.members for layer in member.layers):
        check_slices(layer, exact=True)
    found = slices_of(written(trace_rounds(run.rounds, chip.name, chip.clock), tmp_path / "run.json"))
    assert {track for _, track in found} == {"members", "layers", "DRAM", "compute", "vector"}
    assert found["small", "layers"][-1][2] == pytest.approx(run.cycles * 1e6)  # at 1 Hz
    assert sum(name == "mode switch" for name, _, _ in found["small", "layers"]) == run.switches


def test_skipped_repetitions_stand_on_a_track_of_their_own() -> None:
    chip = small_chip(bandwidth=0.5, buffer=100)
    layer = play(map_layer(gemm(M=300, N=12, K=12), chip, 8, 8), record=True)
    assert layer.skipped
    check_slices(layer, exact=False)
    told = [piece for piece in layer.slices if piece.track == "skipped"]
    played_ones = sum(piece.track == "compute" for piece in layer.slices)
    assert told
    assert played_ones == layer.tiles - layer.skipped


cycle_counts = st.builds(Fraction, st.integers(0, 50), st.sampled_from([1, 2, 3, 7]))


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.lists(st.tuples(cycle_counts, st.booleans()), max_size=12), cycle_counts), min_size=1),
    st.sampled_from([1e9, 1.545e9, 7.3e8, 333e6, 1.0]),
)
def test_slices_never_overlap_however_cycles_fall_between_nanoseconds(
    tmp_path_factory: pytest.TempPathFactory, layers: list[tuple[list[tuple[Fraction, bool]], Fraction]], clock: float
) -> None:
    stages = []
    for pieces, switch in layers:
        now, slices = Fraction(0), []
        for length, rest in pieces:
            if not rest:
                slices.append(Slice("port", "tile", float(now), float(length)))
            now += length
        stages.append(Stage("a", "l", "m", float(now), float(switch), played(float(now), *slices)))
    round = Round("serial", (tuple(stages),), (), 1)
    path = tmp_path_factory.mktemp("trace") / "run.json"
    for _, slices_us in slices_of(written(trace_rounds([round, round], "chip", clock), path)).items():
        assert all(0 <= start <= end for _, start, end in slices_us)
    busy = sum(length for pieces, _ in layers for length, rest in pieces if not rest)
    events = [x for x in json.loads(path.read_text())["traceEvents"] if x.get("cat") == "port"]
    told = sum(x["dur"] for x in events) * 1e3
    assert told == pytest.approx(2 * float(busy) * 1e9 / clock, rel=1e-6, abs=1.0 + 2 * sum(len(x) for x, _ in layers))


def test_a_real_overlap_is_not_hidden(tmp_path: Path) -> None:
    stage = Stage("a", "l", "m", 20.0, 0.0, played(20, Slice("port", "one", 0, 10), Slice("port", "two", 5, 10)))
    with pytest.raises(AssertionError):
        written(trace_rounds([Round("serial", ((stage,),), (), 1)], "chip", 1e9), tmp_path / "run.json")


def test_what_is_too_short_to_be_seen_is_counted(tmp_path: Path) -> None:
    """At 10 cycles a nanosecond the first of two short slices gets one, the other none, and a long one what is left."""
    slices = (Slice("port", "first", 0, 2), Slice("port", "second", 2, 2), Slice("port", "long", 4, 50))
    stage = Stage("a", "l", "m", 60.0, 0.0, played(60, *slices))
    events = written(trace_rounds([Round("serial", ((stage,),), (), 1)], "chip", 1e10), tmp_path / "run.json")
    assert slices_of(events)["chip", "port"] == [("first of a: l", 0, 0.001), ("long of a: l", 0.001, 0.005)]
    assert json.loads((tmp_path / "run.json").read_text())["otherData"]["shorter than 1 ns"] == 1


def test_a_stream_shows_its_rounds_and_its_queue(tmp_path: Path) -> None:
    rounds = [Round("batched", ((Stage("a", "fc", "m", 4000.0),),), (), size) for size in (1, 2)]
    arrivals = Recorded(np.array([0.0, 1e-6, 1e-6, 2e-6, 20e-6]), "here")
    events = written(trace_stream(play_stream(arrivals, rounds, 1e9), "chip"), tmp_path / "run.json")
    found = slices_of(events)
    assert found["chip", "rounds"] == [
        ("request 1", 0, 4),
        ("requests 2 to 3", 4, 8),
        ("request 4", 8, 12),
        ("request 5", 20, 24),
    ]
    assert found["chip", "layers"] == [("a: fc", start, start + 4) for start in (0, 4, 8, 20)]
    queue = [(x["ts"], x["args"]["waiting"]) for x in events if x["ph"] == "C"]
    assert queue == [(1, 2), (2, 3), (4, 1), (8, 0)]


def test_a_stream_without_requests_is_a_trace_without_slices(tmp_path: Path) -> None:
    stream = play_stream(Recorded(np.zeros(0), "here"), [Round("serial", ((),), (), 1)], 1e9)
    assert slices_of(written(trace_stream(stream, "chip"), tmp_path / "run.json")) == {}


def test_a_trace_that_is_too_long_is_cut_where_it_is_finest(tmp_path: Path) -> None:
    round = Round("serial", ((Stage("a", "conv", "m", 10.0, 0.0, LAYER),),), (), 1)
    stream = play_stream(Constant(1e7), [round], 1e9, duration=1e-5)  # 100 rounds, one every 100 ns, without a queue
    everything = written(trace_stream(stream, "chip"), tmp_path / "all.json")
    assert write_trace(tmp_path / "all.json", trace_stream(stream, "chip"), 600) == ()
    assert sum(x["ph"] in "XC" for x in everything) == 100 + 200 + 300
    cuts = write_trace(tmp_path / "run.json", trace_stream(stream, "chip"), 400)
    assert sum(x["ph"] in "XC" for x in json.loads((tmp_path / "run.json").read_text())["traceEvents"]) == 400
    # Rounds take 100, layers half of the other 300, and resources what is left.
    assert [(cut.what, cut.left_out) for cut in cuts] == [("members and layers", 50), ("resources", 150)]
    assert cuts[0].since == pytest.approx(7.5e-6)  # members and layers, two events for each of 75 rounds
    assert cuts[1].since == pytest.approx(5e-6)
    assert str(cuts[0]) == "members and layers: 50 events from 7.5 us on"


def test_a_trace_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    def events() -> Any:
        yield Event(0, "members", "a", 0, 1, {})
        raise KeyboardInterrupt

    target = tmp_path / "run.json"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_trace(target, Trace("chip", (), (Detail("all", 2, events()),)))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("name", "why"), [("run.csv", "must be .json"), ("missing/run.json", "there is no folder")])
def test_impossible_files_are_refused(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(SpecError, match=why):
        check_trace(tmp_path / name)
