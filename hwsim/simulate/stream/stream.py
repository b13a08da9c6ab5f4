"""What a stream of requests meets on the chip: latency, throughput, queue.

Every request that arrives before the end of the stream is answered, if need be after it, and its latency counts: what
is still waiting then would otherwise be the slowest requests of all, left out. Rates, the queue and what is left are
those of the stream's time.

Intervals are 95 % ones from 20 batches of consecutive requests (Law, Simulation Modeling and Analysis, 5th edition,
section 9.5.3; for quantiles by sectioning, Asmussen and Glynn, Stochastic Simulation, section III.5): requests that
follow each other wait together, so that their spread alone would promise too much. They hold for a stream in its steady
state; the latency of an overloaded chip has none, it grows for as long as one watches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hwsim.errors import Fault, SpecError
from hwsim.simulate.members.schedule import Round
from hwsim.simulate.stream.early_exit import decided_after
from hwsim.simulate.stream.requests import Arrivals, Floats
from hwsim.simulate.stream.serve import Log, Progress, serve
from hwsim.simulate.stream.service import Service, drawn, exiting, whole

#: Batches of an interval, and the 97.5 % quantile of Student's t with one degree of freedom less.
BATCHES, STUDENT = 20, 2.0930

#: Percentiles of the latency that are told, and fewest requests in a batch of which one says anything.
PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, which is none where there are too few requests."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Stream:
    """A stream that was played.

    Args:
        arrivals: how requests arrived; seed: of chance.
        duration: of the stream; warmup: its beginning that figures leave out [s].
        arrived, served, left: requests until the end of the stream, served ones and the others.
        waiting: of those left, requests that no round had begun with.
        rounds: that began in the measured time.
        inputs_per_round: mean.
        latency: from arrival to answer: mean, p50, p95, p99 [s]; wait: until a round begins with it [s].
        slowest: longest latency [s].
        throughput: answers; offered: arrivals [requests/s].
        capacity: answers with full rounds and no pause [requests/s].
        utilization: share of the time in which the chip works.
        queue_mean, queue_max: requests that wait, over time.
        queue_growth: of the queue from the start of the measured time to its end [requests/s].
        members: that run for a request, mean; None where that is not asked.
        log: of every request.
    """

    arrivals: str
    seed: int
    duration: float
    warmup: float
    arrived: int
    served: int
    left: int
    waiting: int
    rounds: int
    inputs_per_round: float
    latency: Mapping[str, Estimate]
    wait: Estimate
    slowest: float
    throughput: float
    offered: float
    capacity: float
    utilization: float
    queue_mean: float
    queue_max: int
    queue_growth: float
    members: float | None
    log: Log = field(repr=False, compare=False)
    service: Service = field(repr=False, compare=False)

    @property
    def load(self) -> float:
        """Arrivals / capacity: from 1 on the queue grows without end."""
        return self.offered / self.capacity


def play_stream(
    arrivals: Arrivals,
    rounds: Sequence[Round],
    clock: float,
    *,
    duration: float | None = None,
    warmup: float = 0.0,
    seed: int = 0,
    draw: bool = False,
    agreement: float | None = None,
    classes: int = 0,
    progress: Progress | None = None,
) -> Stream:
    """Play a stream of requests.

    Args:
        rounds: for different numbers of inputs; if `draw`, of each member, for equally many.
        clock: of the chip [Hz].
        duration: of the stream [s]; if None, until the last answer to what a file has.
        warmup: beginning of the stream that figures leave out [s].
        seed: of arrivals and of what is drawn, each with its own numbers.
        draw: every round runs one member, drawn.
        agreement: probability that two members give the same class; votes end when they are decided.
        classes: that members choose from, where votes may end early.

    Raises:
        SpecError: too many requests; no duration; a warm-up longer than the stream.
        Infeasible: votes may end early, but members run side by side.
    """
    chance, choice = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
    times = arrivals.times(duration, chance)
    after = None
    if draw:
        service = drawn(rounds, clock, len(times), choice)
    elif agreement is not None:
        after = decided_after(len(times), len(rounds[0].members), agreement, classes, choice)
        service = exiting(rounds, clock, after)
    else:
        service = whole(rounds, clock)
    log = serve(times, service, progress)
    end = duration if duration is not None else float(log.ended.max(initial=0.0))
    if warmup and warmup >= end:
        raise SpecError([Fault(f"a warm-up of {warmup:g} s leaves nothing of a stream of {end:g} s")])
    members = None if service.outcomes is None or draw else _members(log)
    return measure(log, service, arrivals=str(arrivals), seed=seed, end=end, warmup=warmup, members=members)


def measure(
    log: Log,
    service: Service,
    *,
    end: float,
    warmup: float = 0.0,
    arrivals: str = "",
    seed: int = 0,
    members: Floats | None = None,
) -> Stream:
    """The figures of a stream.

    Args:
        end: of the stream [s].
        warmup: its beginning that figures leave out [s].
        members: that ran for each request, where that is asked.
    """
    span = end - warmup
    counted = slice(int(np.searchsorted(log.arrived, warmup)), None)
    latency, wait = (log.ended - log.arrived)[counted], (log.started - log.arrived)[counted]
    arrived, served = len(log.arrived), int(np.searchsorted(log.ended, end, side="right"))
    begins, ends = log.started[log.first[:-1]], log.ended[log.first[:-1]]
    in_time = (begins >= warmup) & (begins < end)
    rounds = int(in_time.sum())
    per_second = 1 / span if span else 0.0
    return Stream(
        arrivals=arrivals,
        seed=seed,
        duration=end,
        warmup=warmup,
        arrived=arrived,
        served=served,
        left=arrived - served,
        waiting=queue(log, end),
        rounds=rounds,
        inputs_per_round=float(np.diff(log.first)[in_time].sum()) / rounds if rounds else 0.0,
        latency={
            "mean": estimate(latency, np.mean),
            **{name: estimate(latency, _percentile(percent)) for name, percent in PERCENTILES.items()},
        },
        wait=estimate(wait, np.mean),
        slowest=float(latency.max(initial=0.0)),
        throughput=float(served - np.searchsorted(log.ended, warmup, side="right")) * per_second,
        offered=len(latency) * per_second,
        capacity=service.capacity,
        utilization=overlap(begins, ends, warmup, end) * per_second,
        queue_mean=overlap(log.arrived, log.started, warmup, end) * per_second,
        queue_max=longest_queue(log, warmup, end),
        queue_growth=(queue(log, end) - queue(log, warmup)) * per_second,
        members=None if members is None or not len(latency) else float(members[counted].mean()),
        log=log,
        service=service,
    )


def estimate(values: Floats, figure: Callable[[Floats], np.floating]) -> Estimate:
    """A figure of consecutive values, with its interval."""
    if not values.size:
        return Estimate(math.nan)
    value = float(figure(values))
    if values.size < BATCHES * BATCHES:
        return Estimate(value)
    parts = np.array([figure(part) for part in np.array_split(values, BATCHES)])
    half = STUDENT * math.sqrt(float(((parts - value) ** 2).sum()) / (BATCHES * (BATCHES - 1)))
    return Estimate(value, value - half, value + half)


def overlap(begins: Floats, ends: Floats, start: float, end: float) -> float:
    """Time that spans have in common with [start, end], together [s]."""
    return float((np.clip(ends, start, end) - np.clip(begins, start, end)).sum())


def queue(log: Log, time: float) -> int:
    """Requests that have come and that no round has begun with."""
    return int(np.searchsorted(log.arrived, time, "right") - np.searchsorted(log.started, time, "right"))


def longest_queue(log: Log, start: float, end: float) -> int:
    """Most requests that wait at one time; it is longest right after an arrival."""
    seen = slice(int(np.searchsorted(log.arrived, start)), int(np.searchsorted(log.arrived, end, "right")))
    waiting = np.arange(1, len(log.arrived) + 1)[seen] - np.searchsorted(log.started, log.arrived[seen], "right")
    return max(queue(log, start), int(waiting.max(initial=0)))


def _members(log: Log) -> Floats:
    """Members that ran for each request: as many as for its round."""
    counts = np.array([choice.outcome for choice in log.choices])
    return np.repeat(counts[log.chosen], np.diff(log.first)).astype(np.float64)


def _percentile(percent: float) -> Callable[[Floats], np.floating]:
    return lambda values: np.percentile(values, percent)
