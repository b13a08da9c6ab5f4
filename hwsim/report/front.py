"""Pareto fronts as people read them: which designs, on which chips, how good, and how much of the space they cover."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hwsim import __version__
from hwsim.report.records import Record
from hwsim.screen import columns, print_apart
from hwsim.search.best.asked import QUESTIONS, measuring
from hwsim.search.design.columns import COLUMNS
from hwsim.search.results.front import Front, Fronts, Goal, distinct
from hwsim.search.results.tables import KNOB
from hwsim.units import format_bytes, format_si

if TYPE_CHECKING:
    from hwsim.spec.space import Accuracy, Subject

#: Rows of a table that is printed; files hold all.
MOST_ROWS = 100

#: What tells designs apart, beside the knobs of their chips.
OPTIONS = ("combiner", "batch", "timing")

#: Columns whose names say the unit, which the cells say too.
_SPOKEN = {
    "seconds": "time",
    "energy_joules": "energy",
    "storage_bytes": "storage",
    "baseline_seconds": "time of the baseline",
    "equation6_time": "time by Equation 6",
    "equation6_storage": "storage by Equation 6",
}

#: Quantities that compare only at the same batch.
_OF_A_BATCH = ("seconds", "energy_joules", "baseline_seconds")


def print_fronts(console: Console, fronts: Fronts) -> None:
    """Everything that `hwsim pareto` says."""
    for number, front in enumerate(fronts.fronts):
        if number:
            console.print()
        table = [front_table(fronts, front)] if len(front.designs) else []
        print_apart(console, Text(heading(fronts, front), style="bold"), *table, Text("\n".join(notes(fronts, front))))
    for line in nothing(fronts):
        console.print(Text(line))


def nothing(fronts: Fronts) -> list[str]:
    """What is said of networks of which no design is left."""
    if fronts.fronts and not fronts.without:
        return []
    names = f" of {listed(fronts.without)}" if fronts.without else ""
    lines = [f"No design{names} is {_within(fronts)}; {fronts.written:,} are written down."]
    if fronts.within == "feasible":
        lines += ["No constraint holds on what was not measured: --cost-feasible leaves those out, --all every one."]
    return ["", *lines] if fronts.fronts else lines


def heading(fronts: Fronts, front: Front) -> str:
    """Whose front, over what."""
    return f"{title(front)}: {listed([_wanted(goal) for goal in fronts.goals])}"


def _wanted(goal: Goal) -> str:
    return f"{'low' if goal.sense == 'minimise' else 'high'} {label(goal.name)}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Names in a sentence: `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def title(front: Front) -> str:
    """The network and its rule."""
    network, rule = front.subject.get("network", "designs"), front.subject.get("quantize", "all")
    return network if rule == "all" else f"{network} ({rule})"


def front_table(fronts: Fronts, front: Front) -> Table:
    """The designs on the front, equal ones once."""
    varying = varied(front)
    rows = distinct(front, fronts.goals)
    several = any(count > 1 for _, count in rows)
    names = [label(name) for name in varying]
    table = columns(
        "members", *names, *(f">{label(goal.name)}" for goal in fronts.goals), *([">equal"] if several else [])
    )
    for row, count in rows[:MOST_ROWS]:
        cells = [members(row), *(value(name, row[name]) for name in varying), *goal_cells(fronts, row)]
        table.add_row(*map(str, cells), *([f"{count:,}"] if several else []))
    return table


def goal_cells(fronts: Fronts, row: Record) -> list[str]:
    """A design's goals; a robust accuracy with its interval."""
    return [value(goal.name, row[goal.name]) + _interval(goal, row) for goal in fronts.goals]


def _interval(goal: Goal, row: Record) -> str:
    low, high = row.get("robust_low"), row.get("robust_high")
    if goal.name != "robust_accuracy" or low is None or high is None or math.isnan(low + high):
        return ""
    return f" [{100 * low:.1f}, {100 * high:.1f}]"


def notes(fronts: Fronts, front: Front) -> list[str]:
    """What the front is a front of, its hypervolume, and what is missing."""
    lines = []
    same = constant(front)
    if same:
        lines.append("The same for all: " + ", ".join(f"{label(name)} {own}" for name, own in same.items()) + ".")
    shown = len(distinct(front, fronts.goals))
    if shown > MOST_ROWS:
        lines.append(f"The first {MOST_ROWS} of {shown:,} different designs; -o FILE writes all.")
    lines.append(counts(fronts, front))
    if len(front.designs):
        lines.append(f"Hypervolume {front.volume:.4g} against {reference(fronts, front)}, which designs have to beat.")
    lines += [line for name in front.lacking for line in why_unknown(fronts, front, name)]
    if "batch" in varied(front) and any(goal.name in _OF_A_BATCH for goal in fronts.goals):
        lines.append("Time and energy are of a whole batch, and batches differ: choose one with --where batch=NUMBER.")
    if fronts.incomplete:
        lines.append(f"Designs may be missing: {fronts.incomplete}.")
    return lines


def counts(fronts: Fronts, front: Front) -> str:
    """How many designs there are on the front and behind it."""
    text = f"{len(front.designs):,} of {front.compared:,} designs {_within(fronts)} are on the front"
    if front.unknown:
        text += f"; of {front.unknown:,} more {listed([label(name) for name in front.incomplete], 'or')} is not known"
    priced = fronts.points.looked_at
    return text + (f" ({priced:,} priced, {fronts.written:,} written down)." if priced is not None else ".")


def reference(fronts: Fronts, front: Front) -> str:
    """The reference point of the hypervolume."""
    pairs = zip(fronts.goals, front.reference, strict=True)
    return ", ".join(f"{label(goal.name)} {value(goal.name, limit)}" for goal, limit in pairs)


def why_unknown(fronts: Fronts, front: Front, name: str) -> list[str]:
    """Why a quantity is known of no design, and what would make it known."""
    column = COLUMNS.get(name)
    if column is None or column.costs:
        reason = {
            "area": ": the space gives its chips no `node`",
            "energy_overhead": ": no chip prices any energy",
        }.get(name, "")
        return [f"{label(name).capitalize()} is known of no design{reason}."]
    accuracy: Accuracy = fronts.points.space.get("accuracy", "verify")
    about = f"{label(name).capitalize()} was measured of no design {_within(fronts)}"
    return [
        f"{about}; these commands measure one:",
        *(f"  {command}" for command in measuring(_subject(fronts, front), QUESTIONS[accuracy])),
    ]


def _subject(fronts: Fronts, front: Front) -> Subject:
    """What the space says of a front's network; without a space only its name is known."""
    from hwsim.spec.ensemble import NetworkReference
    from hwsim.spec.space import Subject

    name = front.subject.get("network", "NETWORK")
    subjects = (Subject.model_validate(given) for given in fronts.points.space.get("subjects") or ())
    unknown = Subject(network=NetworkReference(name=name))
    return next((subject for subject in subjects if subject.network.name == name), unknown)


def members(row: Record) -> str:
    """What an ensemble is made of, in words."""
    return str(row.get("configuration", ""))


def varied(front: Front) -> list[str]:
    """What differs from design to design, beside the members."""
    return [name for name in _described(front) if len(_values(front, name)) > 1]


def constant(front: Front) -> dict[str, str]:
    """What is the same for all designs."""
    own = ((name, _values(front, name)) for name in _described(front))
    return {name: value(name, found[0]) for name, found in own if len(found) == 1 and found[0] is not None}


def _described(front: Front) -> list[str]:
    """Columns that a configuration is told by."""
    known = list(front.designs.columns)
    return [name for name in OPTIONS if name in known] + [name for name in known if name.startswith(KNOB)]


def _values(front: Front, name: str) -> list[Any]:
    return list(dict.fromkeys([*front.designs[name], *front.others[name]]))


def label(name: str) -> str:
    """A column's name for people."""
    return _SPOKEN.get(name, name.replace("_", " ")) if name in COLUMNS else name.removeprefix(KNOB)


def is_share(name: str) -> bool:
    """Whether a quantity is read in per cent."""
    return name.endswith(("_overhead", "_accuracy", "_loss")) or name in (
        "equation6_time",
        "equation6_storage",
        "robust_low",
        "robust_high",
    )


def value(name: str, given: Any) -> str:
    """A cell for people, in the unit of its column."""
    if given is None or given != given:
        return "–"
    if isinstance(given, str | bool):
        return str(given)
    if is_share(name):
        return f"{100 * given:+.2f} %" if name.endswith("_overhead") else f"{100 * given:.2f} %"
    unit = COLUMNS[name].unit if name in COLUMNS else ""
    if unit == "B":
        return format_bytes(given)
    return format_si(given, unit) if unit in ("s", "J", "m2") else f"{given:g}"


def _within(fronts: Fronts) -> str:
    """Which designs are compared."""
    asked = [f"{one.column.removeprefix(KNOB)} {' or '.join(one.values)}" for one in fronts.where]
    kept = {"feasible": ["within every constraint"], "cost_feasible": ["within every constraint on costs"]}
    return " ".join([*kept.get(fronts.within or "", []), *(["with " + listed(asked)] if asked else [])]) or "in all"


def fronts_record(fronts: Fronts) -> Record:
    """What `hwsim pareto --json` prints."""
    return {
        "schema": "hwsim/pareto/1",
        "version": __version__,
        "path": str(fronts.points.path),
        "goals": {goal.name: goal.sense for goal in fronts.goals},
        "where": {one.column: list(one.values) for one in fronts.where},
        "within": fronts.within,
        "constraints": fronts.limits,
        "priced": fronts.points.looked_at,
        "written": fronts.written,
        "incomplete": fronts.incomplete,
        "without": list(fronts.without),
        "fronts": [
            {
                **front.subject,
                "compared": front.compared,
                "unknown": front.unknown,
                "reference": dict(zip([goal.name for goal in fronts.goals], front.reference, strict=True)),
                "hypervolume": front.volume,
                "designs": [{str(key): own for key, own in row.items()} for row in front.designs.to_dict("records")],
            }
            for front in fronts.fronts
        ],
    }


def design_rows(record: Record) -> Iterator[Record]:
    """The designs of all fronts, one a row."""
    for front in record["fronts"]:
        yield from front["designs"]
