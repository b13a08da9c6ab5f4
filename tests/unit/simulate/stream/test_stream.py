"""Streams: what queueing theory says of them, and what a step-by-step account of the same requests says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hwsim.errors import SpecError
from hwsim.simulate.members.schedule import Round, Stage
from hwsim.simulate.stream.requests import Constant, Poisson, Recorded
from hwsim.simulate.stream.serve import Log, serve
from hwsim.simulate.stream.service import Service, whole
from hwsim.simulate.stream.stream import Stream, measure, play_stream


def round_of(cycles: float, inputs: int = 1) -> Round:
    return Round("round", ((Stage("member", "layer", "mode", cycles),),), (), inputs)


def recorded(*times: float) -> Recorded:
    return Recorded(np.array(times), "here")


# Theory


@pytest.mark.parametrize(("load", "duration"), [(0.5, 60_000), (0.9, 300_000)])
def test_constant_service_of_poisson_arrivals_waits_as_long_as_pollaczek_and_khinchine_say(
    load: float, duration: float
) -> None:
    service = 3.0
    played = play_stream(
        Poisson(load / service), [round_of(3e6)], 1e6, duration=service * duration, warmup=2000 * service, seed=11
    )
    expected = load / (2 * (1 - load)) * service
    assert played.wait.low is not None
    assert played.wait.high is not None
    assert played.wait.low < expected < played.wait.high
    # Close enough to refute an exponential service, and the same without one load in the numerator.
    assert played.wait.high < min(2 * expected, expected / load)
    assert played.wait.low > expected / 2
    assert played.queue_mean == pytest.approx(load / service * played.wait.value, rel=0.01)
    assert played.utilization == pytest.approx(load, rel=0.01)
    assert played.load == pytest.approx(load, rel=0.01)


def test_intervals_hold_as_often_as_they_promise() -> None:
    load, streams = 0.5, 60
    expected = load / (2 * (1 - load))
    held = 0
    for seed in range(streams):
        wait = play_stream(Poisson(load), [round_of(1)], 1.0, duration=3000, warmup=50, seed=seed).wait
        assert wait.low is not None
        assert wait.high is not None
        held += wait.low < expected < wait.high
    assert held >= 52  # binomial: 57 of 60 are expected, fewer than 52 in 3 of 1000 tries


@pytest.mark.parametrize("load", [0.1, 0.9, 0.999])
def test_evenly_spaced_requests_below_capacity_never_wait(load: float) -> None:
    played = play_stream(Constant(load), [round_of(1)], 1.0, duration=5000)
    assert played.queue_max == 0
    assert played.wait.value == pytest.approx(0, abs=1e-9)
    assert [played.latency[name].value for name in ("mean", "p50", "p99")] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("arrivals", [Constant(1.2), Poisson(1.2)])
def test_overloaded_the_chip_gives_its_capacity_and_the_queue_grows_by_the_rest(arrivals: Constant | Poisson) -> None:
    played = play_stream(arrivals, [round_of(1)], 1.0, duration=20_000, seed=4)
    spread = 0.0 if isinstance(arrivals, Constant) else (1.2 / 20_000) ** 0.5
    assert played.load == pytest.approx(1.2, abs=4 * spread + 1e-9)
    assert played.throughput == pytest.approx(1.0, abs=0.001)
    assert played.utilization == pytest.approx(1.0, abs=0.001)
    assert played.queue_growth == pytest.approx(0.2, abs=4 * spread + 0.001)
    assert played.left == played.arrived - played.served
    assert played.waiting == pytest.approx(0.2 * 20_000, abs=4 * spread * 20_000 + 10)


def test_batches_take_load_that_single_rounds_cannot() -> None:
    rounds = [round_of(1.0), round_of(1.6, 4)]
    alone, together = (play_stream(Poisson(2.0), these, 1.0, duration=5000, seed=5) for these in (rounds[:1], rounds))
    assert alone.load == pytest.approx(2.0, rel=0.05)
    assert together.capacity == 2.5
    assert together.throughput == pytest.approx(2.0, rel=0.05)
    assert alone.throughput == pytest.approx(1.0, rel=0.01)
    assert 1 < together.inputs_per_round < 4


# The same requests, step by step


def by_hand(times: Sequence[float], lengths: dict[int, float]) -> tuple[list[float], list[float]]:
    """Starts and ends where a free chip takes all that wait, up to the most that it holds."""
    starts: list[float] = []
    ends: list[float] = []
    free = 0.0
    while len(starts) < len(times):
        begin = max(free, times[len(starts)])
        taken = [time for time in times[len(starts) :] if time <= begin][: max(lengths)]
        free = begin + lengths[min(size for size in lengths if size >= len(taken))]
        starts += [begin] * len(taken)
        ends += [free] * len(taken)
    return starts, ends


# Binary fractions, so that sums are exact; each request has its own, so that none arrives just as a round ends.
arrival_times = st.lists(st.integers(0, 300), max_size=60).map(
    lambda quarters: sorted(n / 4 + (i + 1) / 512 for i, n in enumerate(quarters))
)
round_lengths = st.dictionaries(st.sampled_from([1, 2, 3, 5]), st.integers(0, 40).map(lambda n: n / 4), min_size=1)


def played_by_simpy(times: Sequence[float], lengths: dict[int, float]) -> tuple[Log, Service]:
    service = whole([round_of(cycles, size) for size, cycles in lengths.items()], 1.0)
    return serve(np.array(times, float), service), service


@given(arrival_times, round_lengths)
def test_requests_start_and_end_as_by_hand(times: list[float], lengths: dict[int, float]) -> None:
    log, _ = played_by_simpy(times, lengths)
    starts, ends = by_hand(times, lengths)
    assert (list(log.arrived), list(log.started), list(log.ended)) == (times, starts, ends)


@given(arrival_times, round_lengths)
def test_requests_are_served_in_order_by_one_round_at_a_time(times: list[float], lengths: dict[int, float]) -> None:
    log, service = played_by_simpy(times, lengths)
    assert log.first[-1] == len(times)
    assert all(1 <= after - before <= service.limit for before, after in pairwise(log.first))
    begins, ends = log.started[log.first[:-1]], log.ended[log.first[:-1]]
    assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))
    assert all(one <= other for one, other in pairwise(log.started))


@given(arrival_times, round_lengths, st.integers(1, 320).map(lambda n: n / 4), st.integers(0, 1))
def test_figures_are_those_of_counting_at_every_moment(
    times: list[float], lengths: dict[int, float], end: float, late: int
) -> None:
    warmup = late * end / 4
    log, service = played_by_simpy([time for time in times if time < end], lengths)
    stream = measure(log, service, end=end, warmup=warmup)
    assert stream.arrived == stream.served + stream.left
    assert stream.left - stream.waiting == sum(log.started[i] <= end < log.ended[i] for i in range(stream.arrived))
    moments = sorted({warmup, end, *(t for t in (*log.arrived, *log.started, *log.ended) if warmup < t < end)})
    waiting = busy = 0.0
    most = 0
    for now, later in pairwise(moments):
        count = sum(come <= now < begun for come, begun in zip(log.arrived, log.started, strict=True))
        waiting += count * (later - now)
        busy += any(b <= now < e for b, e in zip(log.started, log.ended, strict=True)) * (later - now)
        most = max(most, count)
    assert stream.queue_mean == pytest.approx(waiting / (end - warmup))
    assert stream.utilization == pytest.approx(busy / (end - warmup))
    assert stream.queue_max == most
    ends = [time for time in log.ended if warmup < time <= end]
    assert stream.throughput == pytest.approx(len(ends) / (end - warmup))
    assert stream.offered == pytest.approx(sum(time >= warmup for time in log.arrived) / (end - warmup))
    longer, shorter = (
        sum(come <= now < begun for come, begun in zip(log.arrived, log.started, strict=True)) for now in (end, warmup)
    )
    assert stream.queue_growth == pytest.approx((longer - shorter) / (end - warmup))
    begins = [float(log.started[first]) for first in log.first[:-1]]
    assert stream.rounds == sum(warmup <= begin < end for begin in begins)


@given(arrival_times.filter(len), round_lengths)
def test_littles_law_is_exact_over_busy_periods(times: list[float], lengths: dict[int, float]) -> None:
    """From an empty system to an empty system, the number in it is its arrival rate times the time that each stays."""
    log, service = played_by_simpy(times, lengths)
    end = float(log.ended[-1])
    stream = measure(log, service, end=end)
    moments = sorted({0.0, *log.arrived, *log.ended})
    inside = sum(
        (later - now) * (np.searchsorted(log.arrived, now, "right") - np.searchsorted(log.ended, now, "right"))
        for now, later in pairwise(moments)
    )
    assert inside / end == pytest.approx(stream.arrived / end * stream.latency["mean"].value)


def test_percentiles_are_those_of_all_requests_after_the_warm_up() -> None:
    times = [float(n * n) for n in range(200)]
    played = play_stream(recorded(*times), [round_of(250)], 1.0, warmup=10_000)
    _, ends = by_hand(times, {1: 250.0})
    latencies = [end - time for time, end in zip(times, ends, strict=True) if time >= 10_000]
    for name, percent in (("p50", 50), ("p95", 95), ("p99", 99)):
        assert played.latency[name].value == pytest.approx(np.percentile(latencies, percent))
    assert played.latency["mean"].value == pytest.approx(np.mean(latencies))
    assert played.slowest == max(latencies)


# Edges


def test_requests_that_come_together_share_a_round() -> None:
    played = play_stream(recorded(1.0, 1.0, 1.0, 1.0), [round_of(2), round_of(3, 3)], 1.0)
    assert list(played.log.started) == [1.0, 1.0, 1.0, 4.0]
    assert list(played.log.ended) == [4.0, 4.0, 4.0, 6.0]


def test_an_empty_stream_has_no_latency() -> None:
    for played in (
        play_stream(recorded(), [round_of(1)], 1.0),
        play_stream(recorded(5.0), [round_of(1)], 1.0, duration=2.0),
        play_stream(recorded(), [round_of(1)], 1.0, agreement=0.9, classes=10),
        play_stream(recorded(), [round_of(1), round_of(1)], 1.0, draw=True),
    ):
        assert (played.arrived, played.served, played.left, played.queue_max) == (0, 0, 0, 0)
        assert (played.throughput, played.utilization, played.queue_mean) == (0, 0, 0)
        assert np.isnan(played.latency["p99"].value)


def test_a_file_is_played_to_its_last_answer_unless_told_otherwise() -> None:
    played = play_stream(recorded(0.0, 0.0, 1.0, 6.0), [round_of(2)], 1.0)
    assert (played.duration, played.served, played.left) == (8.0, 4, 0)
    assert (played.throughput, played.utilization) == (0.5, 1.0)
    played = play_stream(recorded(0.0, 0.0, 1.0, 6.0), [round_of(2)], 1.0, duration=5.0)
    assert (played.arrived, played.served, played.left, played.waiting) == (3, 2, 1, 0)
    assert played.slowest == 5.0  # the one that is left is answered after the end, and counts


def test_a_warm_up_leaves_something() -> None:
    with pytest.raises(SpecError, match="leaves nothing"):
        play_stream(Constant(1.0), [round_of(1)], 1.0, duration=2.0, warmup=2.0)


def test_streams_are_reproducible_and_seeds_differ() -> None:
    def figures(seed: int) -> Stream:
        return play_stream(Poisson(0.8), [round_of(1)], 1.0, duration=500, seed=seed)

    assert figures(1) == figures(1)
    assert figures(1).latency != figures(2).latency


def test_a_drawn_member_answers_alone_and_modes_change_between_rounds() -> None:
    """Two members of one layer, 4 and 10 cycles, in modes of their own: half of all rounds begin with a switch of 3."""
    members = [
        Round(name, ((Stage(name, "layer", mode, cycles),),), (), 1, 3.0)
        for name, mode, cycles in (("wide", "w", 10.0), ("narrow", "n", 4.0))
    ]
    played = play_stream(Constant(0.001), members, 1.0, duration=2e7, seed=1, draw=True)
    expected, spread = 7 + 3 / 2, (9 + 2.25) ** 0.5 / 20_000**0.5
    assert played.latency["mean"].value == pytest.approx(expected, abs=4 * spread)
    assert played.capacity == pytest.approx(1 / expected, rel=4 * spread / expected)
    assert {round(time, 3) for time in played.log.ended - played.log.started} == {4, 7, 10, 13}


def test_a_member_that_multiplies_nothing_leaves_the_mode_as_it_is() -> None:
    """A switch of 3 between rounds of 10 and 20 cycles, one of 5 without any mode between them."""
    modes = (("w", 10.0), ("n", 20.0), ("", 5.0))
    members = [Round(mode, ((Stage(mode, "layer", mode, cycles),),), (), 1, 3.0) for mode, cycles in modes]
    service = Service((tuple(members),), 1.0, np.array([0, 2, 0, 2, 1], np.int16))
    log = serve(np.zeros(5), service)
    assert list(np.diff(log.ended, prepend=0.0)) == [10, 5, 10, 5, 23]


def test_progress_counts_requests_in_order() -> None:
    seen: list[tuple[int, int]] = []
    serve(Constant(1.0).times(20_000, np.random.default_rng()), whole([round_of(1)], 1.0), lambda *n: seen.append(n))
    assert seen == [(4096, 20_000), (8192, 20_000), (12_288, 20_000), (16_384, 20_000)]
