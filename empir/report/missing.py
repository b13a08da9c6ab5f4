"""What a table has no figures for, and the commands that measure it."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator

from empir.report.published import ATTACKS, BASELINE, DEFENCES, EMPIR
from empir.report.subject import Subject
from empir.report.table import Table

#: Those of the paper's attacks that have a bound in L-infinity, over which the worst case is taken.
BOUNDED = tuple(name for name in ATTACKS if name != "cw")

HINT = (
    "ENSEMBLE.yaml is the file of the ensemble; add --data-dir, --checkpoints and --set recipe... as for its training."
)

Command = tuple[str, ...]


def to_measure(table: Table, output: str) -> str:
    """What is missing, with commands; empty if nothing is.

    Args:
        output: the file of measurements.
    """
    lacking: defaultdict[tuple[Command, ...], list[str]] = defaultdict(list)
    for row in table.rows:
        if not row.ours:
            defence = _defence_of(row.approach)
            lacking[tuple(_all(table, ("--defence", "NAME") if defence else (), output))].append(
                f"{row.approach} (--defence {defence})" if defence else row.approach
            )
        for subject, own in row.ours:
            if commands := tuple(_some(table, subject, frozenset(own), output)):
                lacking[commands].append(subject.label)
    lines = [f"Not measured: {'; '.join(names)}\n{_text(commands)}" for commands, names in lacking.items()]
    return "\n".join([*lines, HINT] if lines else [])


def _text(commands: tuple[Command, ...]) -> str:
    return "\n".join(f"  {shlex.join(command)}" for command in commands)


def _all(table: Table, defence: Command, output: str) -> Iterator[Command]:
    """Train, and measure everything."""
    yield ("empir", "train", *_common(table), *defence, "-o", "runs")
    yield _attack(table, ATTACKS, (*defence, "--accounting", "released"), output)
    yield _attack(table, BOUNDED, defence, output)
    yield _verify(table, defence, output)


def _some(table: Table, subject: Subject, have: frozenset[str], output: str) -> Iterator[Command]:
    """What a trained ensemble lacks."""
    options: Command = () if subject.one.defence == "none" else ("--defence", subject.one.defence)
    if subject.one.seed:
        options = (*options, "--seed", str(subject.one.seed))
    if lacking := tuple(name for name in ATTACKS if name not in have):
        yield _attack(table, lacking, (*options, "--accounting", "released"), output)
    if "standard" not in have:
        yield _attack(table, BOUNDED, options, output)
    if "adaptive" not in have:
        yield _verify(table, options, output)


def _common(table: Table) -> Command:
    return ("--ensemble", "ENSEMBLE.yaml", "--data", table.dataset)


def _attack(table: Table, names: tuple[str, ...], options: Command, output: str) -> Command:
    bounds = (
        part
        for name in names
        if name in BOUNDED and table.epsilon is not None
        for part in ("--set", f"{name}.epsilon={table.epsilon:g}")
    )
    return ("empir", "attack", *_common(table), *options, "--attack", ",".join(names), *bounds, "-o", output)


def _verify(table: Table, options: Command, output: str) -> Command:
    bound = () if table.epsilon is None else ("--set", f"adaptive.epsilon={table.epsilon:g}")
    return ("empir", "verify", *_common(table), *options, *bound, "-o", output)


def _defence_of(approach: str) -> str | None:
    """The defence in one of the paper's approaches."""
    if approach in (BASELINE, EMPIR):
        return None
    name = approach.removeprefix(f"{EMPIR} (").removesuffix(")") if approach.startswith(EMPIR) else approach
    return next(defence for defence, called in DEFENCES.items() if called == name)
