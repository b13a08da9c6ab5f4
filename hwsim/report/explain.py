"""The record of one layer explained: its mapping as a loop nest, traffic of every memory, where time and energy go."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from hwsim.mapping.record import from_record
from hwsim.report.records import Record
from hwsim.screen import columns, print_apart
from hwsim.units import format_bytes, format_si


def print_layer(console: Console, record: Record, heading: str) -> None:
    """Everything that is known about a layer."""
    parts: list[RenderableType] = [Text(heading, style="bold"), summary(record)]
    if record["mapping"]:
        parts.append(Text(str(from_record(record["mapping"]))))
    if record["traffic"]:
        parts.append(traffic_table(record))
        parts.append(_shares("energy", "J", record["energy"]))
        parts.append(_shares("time of each alone", "cycles", record["busy"]))
    print_apart(console, *parts)


def summary(record: Record) -> Text:
    """Totals in a few lines."""
    if record["mode"] == "view":
        return Text("It only renames elements and costs nothing.")
    energy, seconds = format_si(record["energy_joules"], "J"), format_si(record["seconds"], "s")
    said = f"{record['cycles']:,.0f} cycles ({seconds}), {energy}, {format_bytes(record['dram_bytes'])} of DRAM traffic"
    said += f", bound by {record['bound']}"
    if record["macs"]:
        said += f"\n{record['macs']:,} multiply-accumulates in mode {record['mode']}"
        said += f", {record['utilization']:.1%} of the peak"
    if certificate := record["certificate"]:
        said += f"\n{certificate['space']:.4g} mappings in the space, {certificate['priced']:,} priced: "
        if certificate["proven"]:
            said += "the optimum, proven"
        else:
            said += f"the optimum is at most {certificate['gap']:.1%} less"
    return Text(said)


def traffic_table(record: Record) -> Table:
    """Reads and writes of every memory and operand."""
    table = columns("level", "memory", "operand", ">reads [words]", ">writes [words]", ">read", ">written")
    for access in record["traffic"]:
        table.add_row(
            access["level"],
            access["memory"],
            access["operand"],
            f"{access['reads']:,.0f}",
            f"{access['writes']:,.0f}",
            format_bytes(access["read_bits"] / 8),
            format_bytes(access["write_bits"] / 8),
        )
    return table


def _shares(name: str, unit: str, parts: dict[str, float]) -> Table:
    table = columns(name, f">{unit}")
    for part, amount in sorted(parts.items(), key=lambda item: -item[1]):
        if amount:
            table.add_row(part, format_si(amount, unit) if unit == "J" else f"{amount:,.0f}")
    return table
