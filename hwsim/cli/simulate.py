"""`hwsim simulate`: an ensemble played on a chip, event by event."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.options import ensemble_options, search_options

if TYPE_CHECKING:
    from hwsim.simulate.simulation import Simulation
    from hwsim.spec.ensemble import Ensemble
    from hwsim.spec.hardware import Hardware


@click.command("simulate")
@ensemble_options
@search_options
@click.option(
    "--schedule",
    type=click.Choice(["serial", "batched", "interleaved", "partitioned", "auto"]),
    default="serial",
    show_default=True,
    help="How members share the chip. serial: input by input, member by member; batched: member by member, each for the "
    "whole batch; interleaved: layer by layer, each for all members; partitioned: side by side, each on its part of "
    "the array; auto: all of these are played, and the best is taken.",
)
@click.option(
    "--for",
    "aim",
    type=click.Choice(["latency", "throughput"]),
    help="What auto looks for: the answer to the first input as early as can be (the default), or most inputs a second.",
)
@click.option("--exact", is_flag=True, help="Play every tile; otherwise what repeats itself exactly is skipped.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Also write a .json, .csv or .parquet file."
)
def simulate(
    file: str,
    chip: str,
    overrides: tuple[str, ...],
    source: str | None,
    parameters: tuple[tuple[str, Any], ...],
    input_shape: tuple[int, ...] | None,
    batch: int | None,
    weights: Literal["streamed", "resident", "auto"] | None,
    objective: Literal["latency", "energy", "edp"],
    effort: float | None,
    no_cache: bool,
    schedule: Literal["serial", "batched", "interleaved", "partitioned", "auto"],
    aim: Literal["latency", "throughput"] | None,
    exact: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Play an ensemble on a chip, event by event.

    Maps every layer as `hwsim map` does, plays the mapping on the chip's memories, ports and array, and prints what
    every layer took and waited for, beside the closed form that `hwsim map` prices it with.
    """
    if aim and schedule != "auto":
        raise click.UsageError("--for says what --schedule auto looks for: leave it out, or choose auto.")
    from hwsim.cli.map import changed_ensemble, load_chip
    from hwsim.errors import SpecError
    from hwsim.report.files import check_target, write_result
    from hwsim.report.records import text
    from hwsim.report.simulation import simulation_record, simulation_rows
    from hwsim.report.simulation_table import print_simulation
    from hwsim.screen import console

    if output:
        check_target(output)
    ensemble = changed_ensemble(file, source, dict(parameters), input_shape, batch, weights)
    hardware = load_chip(chip, overrides)
    try:
        run = _simulated(ensemble, hardware, schedule, aim or "latency", objective, effort, no_cache, exact)
    except SpecError as error:
        from hwsim.spec.load import placed

        raise placed(error, file, None if source else ("network",)) from None
    record = simulation_record(run)
    if output:
        write_result(output, record, simulation_rows)
    if as_json:
        click.echo(text(record))
    else:
        print_simulation(console(sys.stdout), record)


def _simulated(
    ensemble: Ensemble,
    hardware: Hardware,
    schedule: Literal["serial", "batched", "interleaved", "partitioned", "auto"],
    aim: Literal["latency", "throughput"],
    objective: Literal["latency", "energy", "edp"],
    effort: float | None,
    no_cache: bool,
    exact: bool,
) -> Simulation:
    from hwsim.cli.map import mapper
    from hwsim.cli.progress import LayerProgress
    from hwsim.mapper import EFFORT
    from hwsim.simulate.run import simulate_ensemble

    with LayerProgress() as progress:
        return simulate_ensemble(
            ensemble,
            hardware,
            schedule=schedule,
            aim=aim,
            objective=objective,
            effort=EFFORT if effort is None else effort,
            exact=exact,
            mapper=mapper(no_cache),
            progress=progress,
            playing=progress.during("playing layers"),
        )
