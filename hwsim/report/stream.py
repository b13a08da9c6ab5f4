"""A stream of requests as a plain object and as people read it: latency, load, queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hwsim.report.records import Record
from hwsim.screen import columns
from hwsim.units import format_si

if TYPE_CHECKING:
    from hwsim.simulate.stream.stream import Estimate, Stream


def stream_record(stream: Stream) -> Record:
    """What `hwsim simulate --json` has of a stream; figures without a value are null."""
    return {
        "arrivals": stream.arrivals,
        "seed": stream.seed,
        "seconds": stream.duration,
        "warm_up_seconds": stream.warmup,
        "requests": {
            "arrived": stream.arrived,
            "served": stream.served,
            "left": stream.left,
            "waiting": stream.waiting,
        },
        "latency_seconds": {name: _estimate_record(estimate) for name, estimate in stream.latency.items()},
        "slowest_seconds": stream.slowest,
        "wait_seconds": _estimate_record(stream.wait),
        "offered_per_second": stream.offered,
        "throughput_per_second": stream.throughput,
        "capacity_per_second": stream.capacity,
        "load": stream.load,
        "utilization": stream.utilization,
        "queue": {"mean": stream.queue_mean, "max": stream.queue_max, "growth_per_second": stream.queue_growth},
        "rounds": stream.rounds,
        "most_inputs": stream.service.limit,
        "inputs_per_round": stream.inputs_per_round,
        "members_run": stream.members,
    }


def _estimate_record(estimate: Estimate) -> Record:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def stream_parts(record: Record, members: int) -> list[RenderableType]:
    """Everything that is said of a stream.

    Args:
        record: of the stream.
        members: of the ensemble.
    """
    parts: list[RenderableType] = [Text(heading(record), style="bold")]
    if record["requests"]["arrived"]:
        parts += [latency_table(record), load_table(record)]
    if record["most_inputs"] > 1:
        parts.append(Text("A round with fewer inputs takes as long as a full one."))
    if record["members_run"] is not None:
        parts.append(exits(record, members))
    if record["load"] >= 1:
        parts.append(overloaded(record))
    return parts


def heading(record: Record) -> str:
    """What arrived, and what became of it."""
    counts = record["requests"]
    said = f"Stream of {format_si(record['seconds'], 's')}: {record['arrivals']}; {counts['arrived']:,} arrived, "
    said += f"{counts['served']:,} served, {counts['left']:,} left"
    if record["warm_up_seconds"]:
        said += f"; figures leave out the first {format_si(record['warm_up_seconds'], 's')}"
    return said


def latency_table(record: Record) -> Table:
    """How long requests took, with 95 % intervals where there is a steady state."""
    table = columns("latency", ">time", "95 % interval")
    estimates = {**record["latency_seconds"], "waiting, mean": record["wait_seconds"]}
    for name, estimate in estimates.items():
        table.add_row(name, _seconds(estimate["value"]), "" if record["load"] >= 1 else _interval(estimate))
        if name == "p99":
            table.add_row("slowest", _seconds(record["slowest_seconds"]))
    return table


def load_table(record: Record) -> Table:
    """What the chip had to do, and what it did."""
    table = columns("load", ">")
    table.add_row("requests that arrive", _rate(record["offered_per_second"]))
    table.add_row("requests that are answered", _rate(record["throughput_per_second"]))
    table.add_row("most that the chip can answer", _rate(record["capacity_per_second"]))
    table.add_row("load", f"{record['load']:.1%}")
    table.add_row("chip at work", f"{record['utilization']:.1%}")
    if record["most_inputs"] > 1:
        table.add_row(f"inputs in a round of {record['most_inputs']:,}", f"{record['inputs_per_round']:.3g}")
    table.add_row("requests that wait, mean", f"{record['queue']['mean']:,.3g}")
    table.add_row("requests that wait, most", f"{record['queue']['max']:,}")
    return table


def exits(record: Record, members: int) -> Text:
    """How much an early exit left out, and what comes with it."""
    return Text(
        f"Votes end when they are decided: {record['members_run']:.3g} of {members} members run for a request. How "
        "often members agree is taken as given and, above three members, as independent from member to member. Under "
        "attack members may agree less, and the time of an answer tells whether they do."
    )


def overloaded(record: Record) -> Text:
    """What an overloaded chip's figures mean."""
    growth = record["queue"]["growth_per_second"]
    return Text(
        f"Overloaded: the queue grows by {_rate(growth)}, and latency for as long as one watches.",
        style="red",
    )


def _rate(value: float) -> str:
    return f"{value:,.0f}/s" if value >= 1000 else f"{value:.4g}/s"


def _seconds(value: float | None) -> str:
    return "" if value is None else format_si(value, "s")


def _interval(estimate: Record) -> str:
    if estimate["low"] is None:
        return "too few requests"
    return f"{format_si(max(0.0, estimate['low']), 's')} to {format_si(estimate['high'], 's')}"
