"""`empir report`: the paper's Table 2 with ours beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from empir.report.table import Table


@click.command("report")
@click.argument("file", metavar="MEASUREMENTS", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--epsilon",
    type=click.FloatRange(0, min_open=True),
    metavar="E",
    help="Show the attacks of this bound [pixel range]; otherwise those of the bound at which most was measured.",
)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also draw confusion matrices and robust over clean accuracy, as PNG files in this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(file: Path, epsilon: float | None, output: Path | None, as_json: bool) -> None:
    """Compare measurements with the paper's.

    MEASUREMENTS is a file that `empir attack -o` and `empir verify -o` wrote. For each network and data set its table
    shows the paper's Table 2 with ours beside it: under the paper's way to count (released), in the worst case over all
    bounded attacks (standard), and after every attack of `empir verify` (adaptive). What was not measured is a dash;
    the commands that measure it are printed to stderr.
    """
    from empir.report.missing import to_measure
    from empir.report.record import record
    from empir.report.table import tables
    from empir.report.text import print_table
    from hwsim.errors import Fault, SpecError
    from hwsim.spec.measurement import read_measurements

    found = tables(read_measurements(file), epsilon)
    if not found:
        raise SpecError([Fault("holds no measurements", str(file))])
    if as_json:
        print(json.dumps(record(found, str(file)), indent=2, ensure_ascii=False))
    else:
        for number, table in enumerate(found):
            print("\n" if number else "", end="")
            print_table(table, sys.stdout)
    for table in found:
        if lacking := to_measure(table, str(file)):
            click.echo(lacking, err=True)
    if output:
        _draw(found, output)


def _draw(found: tuple[Table, ...], folder: Path) -> None:
    """Write all figures and say where they are."""
    from empir.report.confusion import write_confusions
    from empir.report.plot import write_tradeoff

    folder.mkdir(parents=True, exist_ok=True)
    for table in found:
        for path in (write_tradeoff(table, folder), *write_confusions(table, folder)):
            if path:
                click.echo(f"wrote {path}", err=True)
