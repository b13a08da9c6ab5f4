"""`hwsim pareto`: the front of a sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hwsim.search.results.front import Fronts, Goal
    from hwsim.search.results.points import Points


@click.command()
@click.argument("path", metavar="SWEEP", type=click.Path(path_type=Path))
@click.option("--x", metavar="GOAL", required=True, help="What the front is taken over, along the x axis.")
@click.option("--y", metavar="GOAL", required=True, help="The same along the y axis.")
@click.option("--z", metavar="GOAL", multiple=True, help="More of it; the first is drawn as colour. Repeatable.")
@click.option(
    "--where",
    metavar="COLUMN=VALUE",
    multiple=True,
    help="Only designs with this value, as in batch=16 or the value of a chip's knob. Repeatable: of one column any of "
    "the values, of several columns all.",
)
@click.option(
    "--feasible-only",
    "within",
    flag_value="feasible",
    default=True,
    help="Designs within every constraint: the default.",
)
@click.option("--cost-feasible", "within", flag_value="cost_feasible", help="Within those that need no measurement.")
@click.option("--all", "within", flag_value="", help="All designs that the sweep wrote down.")
@click.option(
    "--reference",
    metavar="GOAL=VALUE",
    multiple=True,
    help="Of the hypervolume, as in time_overhead=25% or area='800 mm2'. Repeatable. If not given: a constraint's "
    "limit; else 0 if more is better, and a tenth beyond the worst design if less is.",
)
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path), help="Write a page, which needs no other file."
)
@click.option("--png", metavar="FILE", type=click.Path(path_type=Path), help="Write a picture.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Also write a .json, .csv or .parquet file."
)
def pareto(
    path: Path,
    x: str,
    y: str,
    z: tuple[str, ...],
    where: tuple[str, ...],
    within: str,
    reference: tuple[str, ...],
    html: Path | None,
    png: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Find the designs of a sweep that no other beats.

    SWEEP is the folder that `hwsim sweep` wrote, or a Parquet file. A GOAL is one of its columns: NAME, NAME:minimise
    or NAME:maximise. Every network has a front of its own.
    """
    from hwsim.report.files import check_target, write_result
    from hwsim.report.front import design_rows, fronts_record, print_fronts
    from hwsim.report.records import text
    from hwsim.screen import console
    from hwsim.search.results.front import fronts
    from hwsim.search.results.points import conditions, open_points

    for target, suffixes in ((output, None), (html, (".html", ".htm")), (png, (".png",))):
        if target:
            check_target(target, *([suffixes] if suffixes else []))
    points = open_points(path)
    goals = _goals(points, [("--x", x), ("--y", y), *(("--z", name) for name in z)])
    filters = conditions(points, [_pair("--where", "COLUMN=VALUE", given) for given in where])
    found = fronts(points, goals, filters, _within(points, within), _reference(goals, reference))
    record = fronts_record(found)
    if output:
        write_result(output, record, design_rows)
    _draw(found, html, png)
    if as_json:
        click.echo(text(record))
    else:
        print_fronts(console(sys.stdout), found)


def _goals(points: Points, given: list[tuple[str, str]]) -> list[Goal]:
    """What the front is taken over.

    Raises:
        SpecError: with what is wrong about every one.
    """
    from dataclasses import replace

    from hwsim.errors import Fault, SpecError
    from hwsim.search.results.front import goal_of

    goals: dict[str, Goal] = {}
    faults: list[Fault] = []
    for option, name in given:
        try:
            goal = goal_of(points, name)
        except SpecError as error:
            faults += (replace(fault, field=option) for fault in error.faults)
            continue
        if goal.name in goals:
            faults.append(Fault(f"{goal.name} is there twice", field=option))
        goals[goal.name] = goal
    if faults:
        raise SpecError(faults)
    return list(goals.values())


def _within(points: Points, column: str) -> str | None:
    """The column that has to be true; a file without verdicts has designs of every kind."""
    return column if column in points.kinds else None


def _reference(goals: list[Goal], given: tuple[str, ...]) -> dict[str, float]:
    """The reference point, as far as it is given.

    Raises:
        SpecError: a value is none of its quantity, or of no goal.
    """
    from typing import get_args

    from hwsim.errors import Fault, SpecError, did_you_mean
    from hwsim.spec.limits import Quantity, limit

    read: dict[str, float] = {}
    faults: list[Fault] = []
    names = [goal.name for goal in goals]
    for name, value in (_pair("--reference", "GOAL=VALUE", one) for one in given):
        if name not in names:
            hint = did_you_mean(name, names) or f" (there are: {', '.join(names)})"
            faults.append(Fault(f"{name!r} is none of the goals{hint}", field="--reference"))
            continue
        try:
            read[name] = limit(name, _number(value)) if name in get_args(Quantity) else float(value)
        except ValueError as error:
            faults.append(Fault(f"{name}: {error}", field="--reference"))
    if faults:
        raise SpecError(faults)
    return read


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _pair(option: str, metavar: str, given: str) -> tuple[str, str]:
    """Read a name, an equals sign and a value, which may have such a sign too."""
    name, equals, value = given.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f"{given!r} is not {metavar}.", param_hint=option)
    return name.strip(), value.strip()


def _draw(found: Fronts, html: Path | None, png: Path | None) -> None:
    if html:
        from hwsim.report.front_page import write_page

        write_page(html, found)
    if png:
        from hwsim.report.front_plot import write_picture

        write_picture(png, found)
