"""One layer explained: its mapping as a loop nest, the traffic of every memory, where time and energy go."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from hwsim.cost.layer import Certificate, LayerCost
from hwsim.ensemble.network_cost import VIEW
from hwsim.report.console import columns, print_apart
from hwsim.spec.hardware import Hardware
from hwsim.units import format_bytes, format_si


def print_layer(console: Console, cost: LayerCost, hardware: Hardware, heading: str) -> None:
    """Everything that is known about a layer."""
    parts: list[RenderableType] = [Text(heading, style="bold"), summary(cost)]
    if cost.mapping:
        parts.append(Text(str(cost.mapping)))
    if cost.traffic:
        parts.append(traffic_table(cost, hardware))
    if cost.traffic:
        parts.append(_shares("energy", "J", cost.energy))
        parts.append(_shares("time if alone", "cycles", cost.busy))
    print_apart(console, *parts)


def summary(cost: LayerCost) -> Text:
    """Totals in a line or two."""
    if cost.mode == VIEW:
        return Text("It only renames elements and costs nothing.")
    said = f"{cost.cycles:,.0f} cycles ({format_si(cost.seconds, 's')}), {format_si(cost.energy_joules, 'J')}, "
    said += f"{format_bytes(cost.dram_bytes)} of DRAM traffic, bound by {cost.bound}"
    if cost.macs:
        said += f"\n{cost.macs:,} multiply-accumulates in mode {cost.mode}, {cost.utilization:.1%} of the peak"
    if cost.certificate:
        said += f"\n{searched(cost.certificate)}"
    return Text(said)


def searched(certificate: Certificate) -> str:
    """What the search proved."""
    said = f"{certificate.space:.4g} mappings in the space, {certificate.priced:,} priced"
    if certificate.proven:
        return f"{said}: the optimum, proven"
    return f"{said}: at most {certificate.gap:.1%} above the optimum"


def traffic_table(cost: LayerCost, hardware: Hardware) -> Table:
    """Reads and writes of every memory and operand."""
    table = columns("level", "memory", "operand", ">reads [words]", ">writes [words]", ">read", ">written")
    for access in cost.traffic:
        table.add_row(
            hardware.levels[access.level].name,
            access.memory,
            str(access.operand),
            f"{float(access.reads):,.0f}",
            f"{float(access.writes):,.0f}",
            format_bytes(float(access.read_bits) / 8),
            format_bytes(float(access.write_bits) / 8),
        )
    return table


def _shares(name: str, unit: str, parts: dict[str, float]) -> Table:
    table = columns(name, f">{unit}")
    for part, amount in sorted(parts.items(), key=lambda item: -item[1]):
        if amount:
            table.add_row(part, format_si(amount, unit) if unit == "J" else f"{amount:,.0f}")
    return table
