"""`hwsim sweep`: every design of a space, on many cores or machines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from hwsim.search.sweeps.sweep import Swept


@click.command()
@click.argument("space", metavar="SPACE.yaml")
@click.option(
    "--jobs", type=click.IntRange(1, 4096), metavar="N", help="Worker processes; as many as cores by default."
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Of a Dask scheduler whose workers compute, as soon as it has any."
)
@click.option(
    "--storage",
    metavar="URL|FILE",
    help="Where an engine that samples keeps its trials: postgresql://..., or a journal file NAME.log; SQLite in the "
    "folder by default.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the results; the name of the space with .sweep by default.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--no-cache", is_flag=True, help="Neither read nor write the cache of mapped layers.")
def sweep(
    space: str,
    jobs: int | None,
    scheduler: str | None,
    storage: str | None,
    output: Path | None,
    as_json: bool,
    no_cache: bool,
) -> None:
    """Look at every design of a space: every ensemble on every chip, or as many as its engine samples.

    Writes those that the space keeps into a folder of Parquet files: points/ (one design a row) and counts/ (how many
    there are of each kind). Interrupted, even killed, it goes on where it was when it is run again with the same
    folder; of an edited space only what changed is computed. Prints what was found, scenario by scenario.

    Exit codes: 0 everything is done; 2 bad input, or some of it could not be computed; 130 interrupted.
    """
    if jobs and scheduler:
        raise click.UsageError("--jobs is for this machine: the workers of a --scheduler are as many as they are.")
    from hwsim.cli.sweep_progress import SweepProgress
    from hwsim.search.design.grid import read_space
    from hwsim.search.results.summary import summary
    from hwsim.search.sweeps.sweep import run

    read = read_space(space)
    folder = output or Path(f"{read.name}.sweep")
    with SweepProgress() as progress:
        try:
            swept = run(
                read,
                folder,
                jobs=jobs,
                scheduler=scheduler,
                storage=storage,
                cache=not no_cache,
                progress=progress,
            )
        except KeyboardInterrupt:
            progress.stop()
            click.echo(f"{progress.told()}; what is done stays in {folder}: the same command goes on", err=True)
            raise
    records = summary(folder)
    if as_json:
        import json

        click.echo(json.dumps(_record(read.name, swept, records), indent=2))
    else:
        _print(swept, records)


def _record(name: str, swept: Swept, records: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "space": name,
        "folder": str(swept.folder),
        "chips": swept.chips,
        "designs": swept.designs,
        "found_designs": swept.found,
        "units": swept.units,
        "scenarios": records,
    }


def _print(swept: Swept, records: list[dict[str, Any]]) -> None:
    from hwsim.screen import columns, console, print_apart

    screen = console(sys.stdout)
    several = [name for name in _SCENARIO if len({record[name] for record in records}) > 1] or ["network"]
    heads = [[_told(name, record[name]) for name in several] for record in records]
    names = [name for name in records[0] if name not in _SCENARIO]
    hidden = {name for name in ("infeasible_chips", "measured") if not any(record[name] for record in records)}
    hidden |= {name for name, same in _SAME.items() if all(record[name] == record[same] for record in records)}
    shown = [name for name in names if name not in hidden]
    cells = [[f"{record[name]:,}" for name in shown] for record in records]
    widths = [max(map(len, (*head, *own))) + 2 for head, own in zip(heads, cells, strict=True)]
    tables = []
    for some in _side_by_side(widths, screen.width - max(len(_head(name)) for name in shown)):
        table = columns("", *(">" + "\n".join(heads[number]) for number in some))
        for row, name in enumerate(shown):
            table.add_row(_head(name), *(cells[number][row] for number in some))
        tables.append(table)
    print_apart(screen, *tables, f"{swept.designs:,} designs on {swept.chips:,} chips: {swept.folder}")


def _side_by_side(widths: list[int], room: int) -> list[list[int]]:
    """Columns in groups that fit a screen, at least one in each."""
    groups: list[list[int]] = []
    left = 0
    for number, width in enumerate(widths):
        if not groups or width > left:
            groups.append([])
            left = room
        groups[-1].append(number)
        left -= width
    return groups


def _told(name: str, value: object) -> str:
    return f"batch {value}" if name == "batch" else str(value).replace("_", " ")


def _head(name: str) -> str:
    return _HEADS.get(name, name.replace("_", " "))


#: What a scenario is told by.
_SCENARIO = ("network", "quantize", "batch", "combiner")

#: Rows that say nothing where they say the same as others.
_SAME = {"mapped": "designs", "cost_feasible": "feasible"}

#: What is counted, where its name would not explain itself.
_HEADS = {
    "infeasible_chips": "chips that cannot run it",
    "mapped": "designs that can run",
    "within_equation6": "within by Equation 6",
    "cost_feasible": "within all limits on costs",
    "feasible": "within all limits",
    "front": "on the front",
}
