"""What stays on the chip by plan, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hwsim.report.plan import Record
from hwsim.screen import columns
from hwsim.units import format_bytes

#: Items of one member that are named; the others are added up.
NAMED = 10

_WHAT = {"weights": "weights of", "activations": "result of", "input": "input"}

_COLUMNS = ("stays on the chip", "memory", ">size", "from", "until", ">saves DRAM")


def plan_parts(record: Record) -> Iterator[RenderableType]:
    """What an ensemble's record says of its plan; nothing where it has none."""
    plan = record["ensemble"]["plan"]
    if plan and plan["kept"]:
        yield plan_table(plan, [member["name"] for member in record["members"]])
    alone = [(network["name"], network["plan"]) for network in (record["baseline"], *record["members"])]
    lines = [line for name, own in (("ensemble", plan), *alone) if own for line in _summary(own, name)]
    if lines:
        yield Text("\n".join(lines))


def plan_table(plan: Record, members: Sequence[str]) -> Table:
    """What stays, by member, that which saves most first; members that keep the same stand there once."""
    table = columns(*_COLUMNS)
    rows = [(name, tuple(_rows([x for x in plan["kept"] if x["member"] == name]))) for name in members]
    shared = tuple(_rows([x for x in plan["kept"] if x["member"] is None]))
    for own, group in groupby([*rows, ("all members", shared)], key=lambda named: named[1]):
        names = [name for name, _ in group]
        if own:
            table.add_row(Text(", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]}", style="bold"))
            for row in own:
                table.add_row(*row)
    return table


def _rows(items: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    ordered = sorted(items, key=lambda item: -item["dram_bytes_saved"])
    for item in ordered[:NAMED]:
        yield (
            f"  {_WHAT[item['kind']]} {item['name']}",
            item["memory"],
            format_bytes(item["bytes"]),
            *(("always", "") if item["kind"] == "weights" else (_turn(item, "from"), _turn(item, "until"))),
            format_bytes(item["dram_bytes_saved"]),
        )
    if rest := ordered[NAMED:]:
        saved = sum(item["dram_bytes_saved"] for item in rest)
        yield f"  {len(rest)} more", "", "", "", "", format_bytes(saved)


def _turn(item: Record, end: str) -> str:
    """A layer, with its member where several share the item."""
    turn = item[end]
    return str(turn["layer"]) if item["member"] else f"{turn['member']} {turn['layer']}"


def _summary(plan: Record, name: str) -> Iterator[str]:
    saved, missed = plan["dram_bytes_saved"], sum(item["dram_bytes_saved"] for item in plan["left"])
    left = f"; what is left out would have saved {format_bytes(missed)}" if plan["left"] else ""
    yield f"What stays of the {name} saves {format_bytes(saved)} of DRAM traffic an inference{left}."
    if plan["gap"]:
        yield f"  It is not proven that no other choice saves more: {100 * plan['gap']:.2g} % at most."
    for memory in plan["memories"]:
        at, taken, room = (memory[key] for key in ("fullest_at", "fullest_bytes", "room_bytes"))
        limit = f" of the {format_bytes(room)} that are not kept for tiles" if room < float("inf") else ""
        if taken:
            yield f"  {memory['memory']} is fullest at {at['member']} {at['layer']}: {format_bytes(taken)}{limit}."
