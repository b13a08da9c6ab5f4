"""The record of a mapped ensemble as people read it: members and layers, totals, Equation 6 and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwsim.report.records import Record
from hwsim.report.residency import plan_parts
from hwsim.screen import columns, print_apart
from hwsim.units import format_bytes, format_si

#: A cause that adds less than this to a multiple of the baseline is not worth naming.
NEGLIGIBLE = 5e-5

_TOTALS = ("", ">cycles", ">time", ">energy", ">DRAM", ">storage", ">working set", "weights")
_LAYERS = ("layer", "operator", "shape", ">bits", "mode", ">MACs", ">cycles", "bound", ">util", ">DRAM", ">energy")
_MULTIPLES = ("multiple of the baseline", ">simulated", ">Equation 6", ">layer by layer")


def print_ensemble(console: Console, record: Record) -> None:
    """Everything that `hwsim map` says."""
    heading = f"{record['name']}: {record['network']}, batch {record['batch']}, on {record['hardware']}"
    print_apart(
        console,
        Text(heading, style="bold"),
        layers_table(record),
        proofs(record),
        totals_table(record),
        *plan_parts(record),
        comparison_table(record),
        explanation(record),
        *([draw(record)] if record["combining"] == "random_switch" else []),
        verdict(record),
    )


def layers_table(record: Record) -> Table:
    """Every layer of every member; copies that cost the same stand there once."""
    table = columns(*_LAYERS)
    for names, member in distinct(record["members"]):
        table.add_row(Text(names, style="bold"))
        _add_layers(table, member["layers"])
    if record["combiner"]:
        table.add_row(Text("ensemble", style="bold"))
        _add_layers(table, [record["combiner"]])
    return table


def network_table(record: Record) -> Table:
    """Every layer of one network."""
    table = columns(*_LAYERS)
    _add_layers(table, record["layers"])
    return table


def _add_layers(table: Table, layers: Iterable[Record]) -> None:
    for layer in layers:
        bits = f"{layer['weight_bits'] or '-'}/{layer['activation_bits']}"
        cells = [f"  {layer['name']}", layer["operator"], layer["shape"], bits, layer["mode"]]
        if layer["mode"] == "view":
            table.add_row(*cells, style="dim")
            continue
        table.add_row(
            *cells,
            format_si(layer["macs"], "").strip() if layer["macs"] else "",
            _cycles(layer["cycles"]),
            layer["bound"].removesuffix(" bandwidth"),
            f"{layer['utilization']:.1%}" if layer["macs"] else "",
            format_bytes(layer["dram_bytes"]),
            format_si(layer["energy_joules"], "J"),
        )


def distinct(members: Iterable[Record]) -> Iterator[tuple[str, Record]]:
    """Neighbours with equal layers together, under all their names."""
    for _, group in groupby(members, key=lambda member: member["layers"]):
        copies = list(group)
        names = [member["name"] for member in copies]
        yield ", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]}", copies[0]


def proofs(record: Record) -> Text:
    """Whether the mappings are known to be the best."""
    layers = (layer for network in (record["baseline"], *record["members"]) for layer in network["layers"])
    certificates = [layer["certificate"] for layer in layers if layer["certificate"]]
    gaps = [certificate["gap"] for certificate in certificates if not certificate["proven"]]
    if not gaps:
        return Text("Every mapping is the proven optimum of its mapspace.")
    return Text(
        f"{len(gaps)} of {len(certificates)} mappings are not proven optimal; the optimum is at most {max(gaps):.1%} "
        "less. A larger --effort searches on."
    )


def totals_table(record: Record) -> Table:
    """Baseline, members and ensemble."""
    table = columns(*_TOTALS)
    table.add_row("baseline (one in full precision)", *_totals(record["baseline"]))
    for member in record["members"]:
        table.add_row(f"  {member['name']}", *_totals(member))
    name = "ensemble, expected" if record["combining"] == "random_switch" else "ensemble"
    table.add_row(name, *_totals(record["ensemble"]), style="bold")
    return table


def _totals(total: Record) -> list[str]:
    return [
        _cycles(total["cycles"]),
        format_si(total["seconds"], "s"),
        format_si(total["energy_joules"], "J"),
        format_bytes(total["dram_bytes"]),
        format_bytes(total["storage_bytes"]),
        format_bytes(total["working_set_bytes"]),
        _where(total),
    ]


def _where(total: Record) -> str:
    """Where weights are between inferences."""
    if total["weights_resident"]:
        return "stay on the chip"
    kept = total["weights_kept_bytes"]
    return f"{kept / total['storage_bytes']:.0%} stay" if kept else "streamed"


def comparison_table(record: Record) -> Table:
    """The simulated multiples beside Equation 6's: the paper's two sums, and counted layer by layer."""
    over, predicted = record["overhead"], record["equation6"]
    table = columns(*_MULTIPLES)
    for name in ("time", "storage"):
        simulated, sums, layerwise = 1 + over[name], predicted[name], predicted["layerwise"][name]
        table.add_row(name, f"{simulated:.4g}", f"{sums:.4g}", f"{layerwise:.4g}")
    table.add_row("energy", "unknown" if over["energy"] is None else f"{1 + over['energy']:.4g}")
    return table


def explanation(record: Record) -> Text:
    """Why time and storage are not what Equation 6 predicts."""
    lines = ["Difference from Equation 6:"]
    for name in ("time", "storage"):
        apart = 1 + record["overhead"][name] - record["equation6"][name]
        lines.append(f"  {name} {reasons(apart, record['difference'][name])}")
    return Text("\n".join(lines))


def draw(record: Record) -> Text:
    """What the figures of an ensemble mean that draws one member for every inference."""
    return Text(
        f"random_switch: one of {len(record['members'])} members, drawn at random, runs an inference, and all are "
        "stored. Cycles, time, energy and DRAM traffic of the ensemble are expected values, and so is Equation 6's "
        "time: the mean of its terms, not their sum."
    )


def reasons(difference: float, causes: Mapping[str, float]) -> str:
    """What a difference is made of, the largest cause first."""
    worth = {cause: amount for cause, amount in causes.items() if abs(amount) >= NEGLIGIBLE}
    if not worth:
        return "none"
    ordered = sorted(worth.items(), key=lambda item: -abs(item[1]))
    return f"{difference:+.4g}: " + ", ".join(f"{cause} {amount:+.4g}" for cause, amount in ordered)


def verdict(record: Record) -> Text:
    """Within the budget or not."""
    over = record["overhead"]
    within, style = ("Within", "green") if record["within_budget"] else ("Over", "red")
    said = f"time {100 * over['time']:+.4g} %, storage {100 * over['storage']:+.4g} %"
    return Text(f"{within} the budget of {100 * record['budget']:.4g} %: {said}.", style=style)


def _cycles(cycles: float) -> str:
    return f"{cycles:,.0f}" if cycles < 1e9 else format_si(cycles, "").strip()
