"""The record of a simulation as people read it: layers and what they waited for, totals, where the time goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from hwsim.report.records import Record
from hwsim.report.residency import plan_parts
from hwsim.report.stream import stream_parts
from hwsim.report.table import distinct
from hwsim.screen import columns, print_apart
from hwsim.units import format_bytes, format_si

_LAYERS = ("layer", "operator", "mode", ">tiles", ">cycles", ">closed form", ">ratio", ">array", "waits for")
_TOTALS = ("", ">cycles", ">closed form", ">ratio", ">time", ">energy", ">mode switches")
_CANDIDATES = (
    "schedule", ">first answer", ">all answers", ">inputs/s", ">array filled", ">DRAM/input", ">switches/input",
)  # fmt: skip

#: What is less than this part of a layer's time is not worth naming, nor is more than the first few.
NEGLIGIBLE, NAMED = 0.005, 3

#: Name of the datapath in what a time is made of.
_COMPUTE = "compute"


def print_simulation(console: Console, record: Record) -> None:
    """Everything that `hwsim simulate` says."""
    inputs = "1 input" if record["inputs"] == 1 else f"{record['inputs']:,} inputs"
    said = f"{record['name']}: {record['network']} on {record['hardware']}, {record['schedule']}"
    if record["division"]:
        said += f" ({record['division']})"
    parts: list[RenderableType] = [
        Text(f"{said}, {inputs} a round", style="bold"),
        layers_table(record),
        played(record),
    ]
    parts += [totals_table(record), *plan_parts(record), comparison_table(record)]
    parts += [time_table(record), utilization_table(record)]
    if record["combining"] == "random_switch":
        parts.append(draw(record))
    if record["choice"]:
        parts += [candidates_table(record["choice"]), why(record["choice"])]
    if record["stream"]:
        parts += stream_parts(record["stream"], len(record["members"]))
    print_apart(console, *parts)


def layers_table(record: Record) -> Table:
    """Every layer of every member; copies that were played alike stand there once."""
    table = columns(*_LAYERS)
    for names, member in distinct(record["members"]):
        table.add_row(Text(names, style="bold"))
        _add_layers(table, member["layers"])
    if record["combiner"]:
        table.add_row(Text("ensemble", style="bold"))
        _add_layers(table, [record["combiner"]])
    return table


def _add_layers(table: Table, layers: Iterable[Record]) -> None:
    for layer in layers:
        cells = [f"  {layer['name']}", layer["operator"], layer["mode"]]
        if layer["mode"] == "view":
            table.add_row(*cells, style="dim")
            continue
        cycles = layer["cycles"]
        table.add_row(
            *cells,
            format_si(layer["tiles"], "").strip() if layer["tiles"] else "",
            _cycles(cycles),
            _cycles(layer["closed_form_cycles"]),
            _ratio(cycles, layer["closed_form_cycles"]),
            f"{layer['busy'].get(_COMPUTE, 0.0) / cycles:.0%}" if layer["macs"] and cycles else "",
            waiting(layer["stalls"], cycles),
        )


def waiting(stalls: Mapping[str, float], cycles: float) -> str:
    """What a layer waited for, the longest first, as parts of its time."""
    worth = [(cause, time / cycles) for cause, time in stalls.items() if cycles and time / cycles >= NEGLIGIBLE]
    longest = sorted(worth, key=lambda item: -item[1])[:NAMED]
    return ", ".join(f"{cause} {part:.0%}" for cause, part in longest)


def played(record: Record) -> Text:
    """How much was played, and how much of it skipped."""
    total = record["ensemble"]
    tiles, skipped = total["tiles"], total["skipped"]
    said = f"{tiles:,} tiles with those of the baseline, {total['events']:,} events."
    if skipped:
        said += (
            f" {skipped / tiles:.1%} of the tiles ({skipped:,}) were skipped: the state of the chip repeated itself."
            " --exact plays them, to the same end."
        )
    return Text(said)


def totals_table(record: Record) -> Table:
    """Baseline, members and ensemble."""
    table = columns(*_TOTALS, *([">of the chip"] if record["division"] else []))
    _add_total(table, "baseline (one in full precision)", record["baseline"])
    for member in record["members"]:
        _add_total(table, f"  {member['name']}", member)
    name = "ensemble, expected" if record["combining"] == "random_switch" else "ensemble"
    _add_total(table, name, record["ensemble"], style="bold")
    return table


def _add_total(table: Table, name: str, total: Record, style: str | None = None) -> None:
    cycles, closed = total["cycles"], total["closed_form_cycles"]
    seconds, energy = format_si(total["seconds"], "s"), format_si(total["energy_joules"], "J")
    switches = f"{total['mode_switches']:.4g}"
    cells = [name, _cycles(cycles), _cycles(closed), _ratio(cycles, closed), seconds, energy, switches]
    share = [f"{total['share']:.1%}"] if total.get("share", 1) < 1 else []
    table.add_row(*cells, *share, style=style)


def comparison_table(record: Record) -> Table:
    """The simulated multiple of the baseline beside the closed form's and Equation 6's."""
    table = columns("multiple of the baseline", ">simulated", ">closed form", ">Equation 6", ">layer by layer")
    table.add_row("time", *(f"{1 + overhead:.4g}" for overhead in record["time_overhead"].values()))
    both = record["energy_overhead"].values()
    table.add_row("energy", *("unknown" if overhead is None else f"{1 + overhead:.4g}" for overhead in both))
    return table


def time_table(record: Record) -> Table:
    """What the ensemble's time consists of."""
    slowest = " of the slowest part" if record["division"] else ""
    table = columns(f"time{slowest}", ">cycles", ">part")
    whole = record["ensemble"]["cycles"]
    for cause, cycles in sorted(record["time"].items(), key=lambda item: -item[1]):
        if cycles:
            table.add_row(cause, _cycles(cycles), f"{cycles / whole:.1%}")
    return table


def utilization_table(record: Record) -> Table:
    """Which part of the time every resource is at work."""
    table = columns("resource", ">at work")
    for resource, part in sorted(record["utilization"].items(), key=lambda item: -item[1]):
        table.add_row(resource, f"{part:.1%}")
    return table


def draw(record: Record) -> Text:
    """What the figures of an ensemble mean that draws one member for every inference."""
    return Text(
        f"random_switch: one of {len(record['members'])} members, drawn at random, runs a round. Cycles, time and "
        "utilisation of the ensemble are expected values, and so is Equation 6's time."
    )


def candidates_table(choice: Record) -> Table:
    """Every schedule, played."""
    table = columns(*_CANDIDATES, title=f"schedules for {choice['aim']}, the best first")
    for candidate in choice["candidates"]:
        division = f" ({candidate['division']})" if candidate["division"] else ""
        table.add_row(
            candidate["schedule"] + division,
            format_si(candidate["first_seconds"], "s"),
            format_si(candidate["all_seconds"], "s"),
            f"{candidate['inputs_per_second']:,.1f}",
            f"{candidate['array_filled']:.1%}",
            format_bytes(candidate["dram_bytes"]),
            f"{candidate['mode_switches']:.3g}",
        )
    for schedule, reason in choice["refused"].items():
        table.add_row(Text(f"{schedule}: {reason}", style="dim"))
    return table


def why(choice: Record) -> Text:
    """What makes the winner faster than each of the others, in cycles of an input."""
    best, *others = choice["candidates"]
    if not others:
        return Text(f"No schedule but {best['schedule']} applies.")
    divided = ", on parts of the chip along the slowest" if any(one["division"] for one in choice["candidates"]) else ""
    lines = [f"Cycles that {best['schedule']} saves (+) or pays (-) for every input{divided}:"]
    lines += [f"  against {other['schedule']} {savings(other['beaten_by'])}" for other in others]
    return Text("\n".join(lines))


def savings(saved: Mapping[str, float]) -> str:
    """Cycles by cause, the most first, after their sum."""
    worth = sorted(((cause, cycles) for cause, cycles in saved.items() if abs(cycles) >= 0.5), key=lambda x: -abs(x[1]))
    if not worth:
        return "none"
    return f"{sum(saved.values()):+,.0f}: " + ", ".join(f"{cause} {cycles:+,.0f}" for cause, cycles in worth)


def _ratio(cycles: float, closed: float) -> str:
    return f"{cycles / closed:.3f}" if closed else ""


def _cycles(cycles: float) -> str:
    return f"{cycles:,.0f}" if cycles < 1e9 else format_si(cycles, "").strip()
