"""What `hwsim search` found, as people read it: counts, the best, the front, why others fail, what to measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from hwsim.report.records import Record
from hwsim.report.table import NEGLIGIBLE
from hwsim.screen import columns
from hwsim.search.design.columns import COLUMNS
from hwsim.units import format_bytes, format_si

#: Designs of a list that are printed; files hold all.
MOST = 10

#: Causes that explain an overhead.
CAUSES = 3

_ACCURACIES = {
    "verify": "every attack of empir verify",
    "standard": "the worst of FGSM, BIM and PGD",
    "released": "the mean of FGSM, BIM, PGD and CW, counted as released",
}

_SHORT = {
    "time_overhead": "time",
    "storage_overhead": "storage",
    "energy_overhead": "energy",
    "clean_accuracy": "clean",
    "robust_accuracy": "robust",
    "energy_joules": "energy",
    "storage_bytes": "storage",
}


def print_search(console: Console, record: Record) -> None:
    """Everything that `hwsim search` says."""
    for number, network in enumerate(record["networks"]):
        for place, part in enumerate(_parts(record, network)):
            if number or place:
                console.print()
            console.print(part, soft_wrap=isinstance(part, Text) and bool(part.no_wrap))


def _parts(record: Record, network: Record) -> Iterator[RenderableType]:
    designs = network["designs"]
    best = [one for one in designs if one["measured"] and not one["excesses"]]
    front = sorted((one for one in designs if one["on_front"] == "yes"), key=_time)
    misses = [one for one in designs if one["excesses"]]
    unmeasured = [one for one in designs if not one["measured"]]
    yield Text(_heading(record, network), style="bold")
    yield _counts(record, network)
    if network["infeasible_chips"]:
        yield Text("\n".join(map(_refused, network["infeasible_chips"][:MOST])), style="red")
    yield from _evaluation(network)
    if best:
        yield _titled(f"Measured and within all limits, most robust first{_of(best)}", _table(best))
    elif network["counts"]["measured"]:
        yield Text("Nothing that was measured is within all limits.", style="red")
    elif network["measurements"]:
        yield Text(_nothing(record, network), style="red")
    if front:
        yield from _front(network, front)
    if misses:
        by = "; causes by the closed form" if record["timing"] == "simulated" else ""
        yield _titled(f"Measured, but not within the limits{by}{_of(misses)}", _misses(misses))
    if unmeasured:
        yield from _unmeasured(unmeasured)


def _heading(record: Record, network: Record) -> str:
    chips = record["chips"]
    where = chips[0]["hardware"] if len(chips) == 1 else f"{len(chips):,} chips"
    text = f"{network['network']} ({network['quantize']}) on {where}"
    if network["dataset"] is None:
        return f"{text}, nothing measured"
    bound = "" if network["epsilon"] is None else f", epsilon {network['epsilon']:g}"
    return f"{text}: robust by {_ACCURACIES[record['accuracy']]} on {network['dataset']}{bound}"


def _nothing(record: Record, network: Record) -> str:
    others = [f"--accuracy {way} {count}" for way, count in network["measured_otherwise"].items()]
    has = f" ({', '.join(others)} ensembles have)" if others else ""
    return f"Nothing in {network['measurements']} counts as {record['accuracy']}{has}."


def _counts(record: Record, network: Record) -> Table:
    counts, measured = network["counts"], network["counts"]["measured"]
    table = columns("", ">designs")
    unmapped = f", {counts['unmapped']:,} of which cannot run" if counts["unmapped"] else ""
    table.add_row("ensembles, by chip, batch and combiner", f"{counts['designs']:,}{unmapped}")
    for name, limit in record["constraints"].items():
        within = f"{counts['within'][name]:,}"
        of = f" of {measured:,} measured" if name in ("clean_loss", "clean_accuracy", "robust_accuracy") else ""
        table.add_row(f"  {_name(name)} {_limit(name, limit)}", within + of)
    if record["constraints"]:
        table.add_row("  within all limits on costs", f"{counts['cost_feasible']:,}")
        table.add_row("  within all limits", f"{counts['feasible']:,}")
    return table


def _refused(chip: Record) -> str:
    which = ", ".join(f"{name} {own}" for name, own in chip["knobs"].items())
    return f"{which or 'The chip'} runs nothing: {chip['why']}"


def _evaluation(network: Record) -> Iterator[Text]:
    done = network["evaluation"]
    if not done:
        return
    lines = [
        f"Round {number}, {one['samples']:,} samples: {one['measured']} measured, {len(one['out'])} out"
        + (f": {'; '.join(one['out'])}" if one["out"] else "")
        for number, one in enumerate(done["rounds"], 1)
    ]
    yield Text("\n".join(lines))
    failed: dict[str, list[Record]] = {}
    for one in done["failures"]:
        failed.setdefault(one["reason"], []).append(one)
    for reason, several in failed.items():
        names = "; ".join(one["ensemble"] for one in several)
        yield Text(f"Not measured: {names}: {reason}\n  {several[0]['command']}", style="red", no_wrap=True)


def _table(designs: Sequence[Record]) -> Table:
    energy = any(one["columns"]["energy_overhead"] is not None for one in designs)
    knobs = list(designs[0]["knobs"])
    batches = len({one["batch"] for one in designs}) > 1
    names = ["configuration", "combiner", *([">batch"] if batches else []), *knobs, ">time", ">storage"]
    table = columns(*names, *([">energy"] if energy else []), ">clean", ">robust", ">95 % interval", ">samples")
    for one in designs[:MOST]:
        own = one["columns"]
        table.add_row(
            *_place(one, batches, knobs),
            _more(own["time_overhead"]),
            _more(own["storage_overhead"]),
            *([_more(own["energy_overhead"])] if energy else []),
            _share(own["clean_accuracy"]),
            _share(own["robust_accuracy"]),
            f"{_share(own['robust_low'])} to {_share(own['robust_high'])}",
            f"{own['robust_samples']:,.0f}",
        )
    return table


def _front(network: Record, front: Sequence[Record]) -> Iterator[RenderableType]:
    own, count = network["front"], len(front)
    over = ", ".join(map(_short, own["over"]))
    of = "within all limits" if own["within_limits"] else "of all measured, since none is within the limits"
    yield _titled(f"The front over {over}, {of}{_of(front)}", _table(front))
    notes = []
    if own["not_told_apart"]:
        some = "All" if own["not_told_apart"] == count else f"{own['not_told_apart']} of {count}"
        notes.append(f"{some} have an interval that overlaps another's: their robustness is not told apart.")
    maybe = [_title(one) for one in network["designs"] if one["on_front"] == "maybe"]
    if maybe:
        notes.append(f"As far as their intervals go, these may be on it too{_of(maybe)}: {'; '.join(maybe[:MOST])}.")
    if own["unknown"]:
        notes.append(f"Not known of any design: {', '.join(map(_short, own['unknown']))}.")
    if notes:
        yield Text("\n".join(notes))


def _misses(misses: Sequence[Record]) -> Table:
    table = columns("configuration", ">robust", "over")
    for one in misses[:MOST]:
        table.add_row(_title(one), _share(one["columns"]["robust_accuracy"]), "; ".join(map(_why, one["excesses"])))
    return table


def _why(excess: Record) -> str:
    name, value = excess["quantity"], excess["value"]
    if value is None:
        return f"{_short(name)} is not known"
    causes = [(cause, amount) for cause, amount in excess["causes"].items() if abs(amount) >= NEGLIGIBLE][:CAUSES]
    because = f": {', '.join(f'{cause} {amount:+.4g}' for cause, amount in causes)}" if causes else ""
    return f"{_short(name)} {_value(name, value)} ({_limit(name, excess['limit'])}){because}"


def _unmeasured(unmeasured: Sequence[Record]) -> Iterator[RenderableType]:
    table = columns("configuration", ">time", ">storage")
    for one in unmeasured[:MOST]:
        table.add_row(_title(one), _more(one["columns"]["time_overhead"]), _more(one["columns"]["storage_overhead"]))
    yield _titled(f"Within the limits on costs, and worth measuring{_of(unmeasured)}", table)
    lines = [f"--evaluate measures them in rounds. By hand, {_title(unmeasured[0])}:"]
    # One line each, however long: they are copied into a shell.
    yield Text("\n".join([*lines, *(f"  {command}" for command in unmeasured[0]["commands"])]), no_wrap=True)


def _titled(title: str, table: Table) -> Group:
    return Group(Text(title, style="bold"), table)


def _place(one: Record, batches: bool, knobs: Sequence[str]) -> list[str]:
    combiner = (one["combiner"] or "").replace("_", " ")
    return [
        one["configuration"],
        combiner,
        *([str(one["batch"])] if batches else []),
        *(one["knobs"][k] for k in knobs),
    ]


def _title(one: Record) -> str:
    """`fp + w2a4, max vote`: members, combiner, and what of its chip was chosen."""
    combiner = [one["combiner"].replace("_", " ")] if one["combiner"] else []
    batch = [f"batch {one['batch']}"] if one["batch"] > 1 else []
    return ", ".join(
        [one["configuration"], *combiner, *batch, *(f"{name} {own}" for name, own in one["knobs"].items())]
    )


def _of(items: Sequence[object]) -> str:
    """What a list leaves out."""
    return f" ({MOST} of {len(items)})" if len(items) > MOST else ""


def _time(one: Record) -> float:
    return float(one["columns"]["time_overhead"])


def _name(quantity: str) -> str:
    return quantity.replace("_", " ")


def _short(quantity: str) -> str:
    return _SHORT.get(quantity, _name(quantity))


def _limit(quantity: str, limit: float) -> str:
    more = COLUMNS[quantity].better == "more"
    return f"{'at least' if more else 'at most'} {_value(quantity, limit, signed=False)}"


def _value(quantity: str, value: float, signed: bool = True) -> str:
    """A quantity with its unit; an overhead with its sign."""
    unit = COLUMNS[quantity].unit
    if unit:
        return format_bytes(value) if unit == "B" else format_si(value, unit)
    if quantity in ("members", "low_precision", "member_bits"):
        return f"{value:g}"
    return _more(value) if signed and quantity.endswith("overhead") else f"{100 * value:.4g} %"


def _more(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.4g} %"


def _share(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
