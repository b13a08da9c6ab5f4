"""The table as people read it: by rich on a terminal, with pipes in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import IO

from empir.evaluation.gradients import FOLLOWED
from empir.report.published import ATTACKS, Published
from empir.report.table import Cell, Table, attacks_of

DASH = "–"


def print_table(table: Table, file: IO[str]) -> None:
    """Heading, table and notes."""
    print(heading(table), file=file)
    print(file=file)
    header, *lines = grid(table)
    if file.isatty():
        _print_rich(header, lines, file)
    else:
        print("\n".join(_piped(header, lines)), file=file)
    print(file=file)
    print("\n".join(notes(table)), file=file)


def heading(table: Table) -> str:
    """What was measured on what; a warning where the paper's data are others."""
    bound = "" if table.epsilon is None else f", epsilon {table.epsilon:g}"
    ours = f"{table.dataset} ({table.split}, {table.samples:,} samples{bound})"
    if table.benchmark is None:
        return f"{table.network} on {ours}: accuracy [%]"
    first = (
        f"{table.benchmark.name}: accuracy [%], ours on {ours}, beside Table 2 of Sen et al. (ICLR 2020) on "
        f"{table.benchmark.dataset}"
    )
    if table.dataset == table.benchmark.reader:
        return first
    other = f"{table.dataset} is not the paper's {table.benchmark.dataset}"
    return f"{first}\n{other}: compare what falls and what stands, not the figures."


def grid(table: Table) -> list[list[str]]:
    """Cells by line, the names of the columns first."""
    names = columns(table)
    lines = [["approach", "", *names.values()]]
    for row in table.rows:
        if row.paper:
            figures = _published(row.paper)
            lines.append([row.approach, "paper", *(figures.get(name, DASH) for name in names)])
        for subject, own in row.ours:
            lines.append([subject.label, "ours", *(_shown(table, name, own) for name in names)])
        if not row.ours:
            lines.append([row.approach, "ours", *(DASH for _ in names)])
    return lines


def columns(table: Table) -> Mapping[str, str]:
    """Cells' names -> columns' titles; the worst case over attacks with and without a bound only where it was taken."""
    there = set(chain.from_iterable(own for row in table.rows for _, own in row.ours))
    every = {"standard_all": "standard, all"} if "standard_all" in there else {}
    return {
        "clean": "clean",
        **{name: name.upper() for name in ATTACKS},
        "average": "average",
        "standard": "standard",
        **every,
        "adaptive": "adaptive",
    }


def notes(table: Table) -> Iterator[str]:
    """How the figures were counted, and what is out of line."""
    yield (
        f"{ATTACKS[0].upper()} to average: counted as released with the paper: right after the attack, which follows "
        "the ensemble's own answers."
    )
    sets = {name: sorted(_attacked(table, name)) for name in ("standard", "standard_all")}
    over = f": {'; or '.join(sets['standard'])}" if sets["standard"] else ""
    yield f"standard: right when clean and after every bounded attack{over} [95 % interval]."
    if sets["standard_all"]:
        yield f"standard, all: the same after {'; or '.join(sets['standard_all'])}."
    yield "adaptive: the same after every attack of `empir verify` [95 % interval]."
    for subject, own in (item for row in table.rows for item in row.ours):
        for name, cell in own.items():
            source = cell.source
            if source and name in ATTACKS and source.gradient != FOLLOWED["released"][name]:
                released = f"the released code's on {FOLLOWED['released'][name]}"
                yield f"{subject.label}: {name.upper()} is on {source.gradient}, {released}."
    if table.not_shown:
        yield f"Measured, but not shown: {', '.join(dict.fromkeys(_others(table)))}."


def percent(share: float) -> str:
    """Two decimals, as the paper prints them."""
    return f"{100 * share:.2f}"


def _published(paper: Published) -> dict[str, str]:
    figures = {"clean": paper.clean, **paper.attacked, "average": paper.average}
    return {name: percent(share) for name, share in figures.items()}


def _shown(table: Table, name: str, own: Mapping[str, Cell]) -> str:
    if name not in own:
        return DASH
    cell = own[name]
    low, high = (100 * bound for bound in cell.interval)
    interval = f" [{low:.1f}, {high:.1f}]" if name in ("standard", "standard_all", "adaptive") else ""
    fewer = f" (n={cell.samples:,})" if cell.samples < table.samples else ""
    return f"{percent(cell.accuracy)}{interval}{fewer}"


def _attacked(table: Table, name: str) -> set[str]:
    """The sets of attacks that the worst cases in a column are over."""
    found = (own[name].source for row in table.rows for _, own in row.ours if name in own)
    return {", ".join(attacks_of(source)) for source in found if source}


def _others(table: Table) -> Iterator[str]:
    for one in table.not_shown:
        bound = "" if one.epsilon is None else f" at {one.epsilon:g}"
        gradient = f" on {one.gradient}" if one.gradient else ""
        yield f"{one.attack}{bound}{gradient} ({one.accounting})"


def _piped(header: list[str], lines: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]

    def joined(cells: list[str]) -> str:
        padded = (
            text.ljust(width) if place < 2 else text.rjust(width)
            for place, (text, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    yield joined(header)
    rules = ("-" * (width + 2) if place < 2 else "-" * (width + 1) + ":" for place, width in enumerate(widths))
    yield f"|{'|'.join(rules)}|"
    yield from map(joined, lines)


def _print_rich(header: list[str], lines: list[list[str]], file: IO[str]) -> None:
    from rich.console import Console
    from rich.table import Table as Rich

    drawn = Rich(box=None, header_style="dim", pad_edge=False)
    for place, name in enumerate(header):
        drawn.add_column(name, justify="left" if place < 2 else "right", overflow="fold")
    for line in lines:
        drawn.add_row(*line, style="dim" if line[1] == "paper" else "")
    Console(file=file, highlight=False).print(drawn)
