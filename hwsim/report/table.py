"""A mapped ensemble as people read it: members and layers, totals, Equation 6 and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwsim.cost.layer import LayerCost
from hwsim.ensemble.ensemble_cost import EnsembleCost
from hwsim.ensemble.network_cost import VIEW, NetworkCost
from hwsim.report.console import columns, print_apart
from hwsim.units import format_bytes, format_si

#: A cause that adds less than this to a multiple of the baseline is not worth a line.
NEGLIGIBLE = 5e-5


def print_ensemble(console: Console, cost: EnsembleCost) -> None:
    """Everything that `hwsim map` says."""
    heading = f"{cost.ensemble.name}: {cost.network}, batch {cost.batch}, on {cost.hardware.name}"
    print_apart(
        console,
        Text(heading, style="bold"),
        layers_table(cost),
        _searched(cost),
        totals_table(cost),
        comparison_table(cost),
        verdict(cost),
    )


def layers_table(cost: EnsembleCost) -> Table:
    """Every layer of every member; copies that cost the same stand there once."""
    table = _layer_columns()
    for names, member in distinct(cost.members):
        table.add_row(Text(names, style="bold"))
        _add_layers(table, member.layers)
    if cost.combiner:
        table.add_row(Text("ensemble", style="bold"))
        _add_layers(table, [cost.combiner])
    return table


def network_table(cost: NetworkCost) -> Table:
    """Every layer of one network."""
    table = _layer_columns()
    _add_layers(table, cost.layers)
    return table


def _layer_columns() -> Table:
    return columns(
        "layer", "operator", "shape", ">bits", "mode", ">MACs", ">cycles", "bound", ">util", ">DRAM", ">energy"
    )


def _add_layers(table: Table, layers: Iterable[LayerCost]) -> None:
    for layer in layers:
        table.add_row(*_layer_cells(layer), style="dim" if layer.mode == VIEW else None)


def distinct(members: Iterable[NetworkCost]) -> Iterator[tuple[str, NetworkCost]]:
    """Neighbours with equal layers together, under all their names."""
    for _, group in groupby(members, key=lambda member: member.layers):
        copies = list(group)
        names = [member.name for member in copies]
        yield ", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]}", copies[0]


def _layer_cells(layer: LayerCost) -> list[str]:
    weights = str(layer.weight_bits) if layer.weight_bits else "-"
    nothing = layer.mode == VIEW
    return [
        f"  {layer.name}",
        layer.operator,
        layer.shape,
        f"{weights}/{layer.activation_bits}",
        layer.mode,
        _count(layer.macs) if layer.macs else "",
        "" if nothing else _cycles(layer.cycles),
        "" if nothing else layer.bound.removesuffix(" bandwidth"),
        f"{layer.utilization:.1%}" if layer.macs else "",
        "" if nothing else format_bytes(layer.dram_bytes),
        "" if nothing else format_si(layer.energy_joules, "J"),
    ]


def _searched(cost: EnsembleCost) -> Text:
    """What is known about the optimality of the mappings, where it is not proven."""
    networks = (cost.baseline, *cost.members)
    found = {id(layer.certificate): layer.certificate for network in networks for layer in network.layers}
    certificates = [certificate for certificate in found.values() if certificate]
    open_ones = [certificate for certificate in certificates if not certificate.proven]
    if not open_ones:
        return Text("Every mapping is the proven optimum of its mapspace.")
    gap = max(certificate.gap for certificate in open_ones)
    return Text(
        f"{len(open_ones)} of {len(certificates)} mappings are not proven optimal: at most {gap:.1%} above the optimum."
        " Raise --effort to search on."
    )


def totals_table(cost: EnsembleCost) -> Table:
    """Baseline, members and ensemble."""
    table = columns("", ">cycles", ">time", ">energy", ">DRAM", ">storage", ">working set", "weights")
    table.add_row("baseline (one in full precision)", *_total_cells(cost.baseline), _place(cost.baseline))
    for member in cost.members:
        table.add_row(f"  {member.name}", *_total_cells(member), _place(member))
    table.add_row("ensemble", *_total_cells(cost), _place(cost.members[0]), style="bold")
    return table


def _total_cells(cost: EnsembleCost | NetworkCost) -> list[str]:
    return [
        _cycles(cost.cycles),
        format_si(cost.seconds, "s"),
        format_si(cost.energy_joules, "J"),
        format_bytes(cost.dram_bytes),
        format_bytes(cost.storage_bytes),
        format_bytes(cost.working_set_bytes),
    ]


def _place(cost: NetworkCost) -> str:
    return "stay on the chip" if cost.resident else "streamed"


def comparison_table(cost: EnsembleCost) -> Table:
    """The simulated multiples beside Equation 6's, and the reasons for the difference."""
    over, predicted = cost.overhead, cost.equation6
    table = columns("multiple of the baseline", ">simulated", ">Equation 6", ">by layer", "difference from Equation 6")
    for name, simulated, sums, layerwise, why in (
        ("time", over.time, predicted.sums.time, predicted.layerwise.time, cost.time_causes),
        ("storage", over.storage, predicted.sums.storage, predicted.layerwise.storage, cost.storage_causes),
    ):
        table.add_row(
            name, _multiple(1 + simulated), _multiple(sums), _multiple(layerwise), reasons(1 + simulated - sums, why)
        )
    table.add_row("energy", "unknown" if over.energy is None else _multiple(1 + over.energy))
    return table


def reasons(difference: float, causes: Mapping[str, float]) -> str:
    """What a difference is made of, the largest cause first."""
    if abs(difference) < NEGLIGIBLE and all(abs(amount) < NEGLIGIBLE for amount in causes.values()):
        return "none"
    ordered = sorted(causes.items(), key=lambda item: -abs(item[1]))
    named = [f"{cause} {amount:+.4g}" for cause, amount in ordered if abs(amount) >= NEGLIGIBLE]
    return f"{difference:+.4g}: {', '.join(named)}"


def verdict(cost: EnsembleCost) -> Text:
    """Within the budget or not."""
    over = cost.overhead
    within, style = ("Within", "green") if cost.within_budget else ("Over", "red")
    said = f"time {100 * over.time:+.4g} %, storage {100 * over.storage:+.4g} %"
    return Text(f"{within} the budget of {100 * cost.budget:.4g} %: {said}.", style=style)


def _cycles(cycles: float) -> str:
    return f"{cycles:,.0f}" if cycles < 1e9 else _count(cycles)


def _count(number: float) -> str:
    return format_si(number, "").strip()


def _multiple(value: float) -> str:
    return f"{value:.4g}"
