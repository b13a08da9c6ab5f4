"""`hwsim simulate`: an ensemble played on a chip, event by event."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.arrivals import check_exit, play, stream_options, wanted, write
from hwsim.cli.map import changed_ensemble, load_chip, mapper
from hwsim.cli.options import ensemble_options, search_options
from hwsim.cli.progress import LayerProgress

if TYPE_CHECKING:
    from hwsim.report.records import Record
    from hwsim.simulate.members.simulation import Simulation
    from hwsim.spec.ensemble import Ensemble
    from hwsim.spec.hardware import Hardware


@click.command("simulate")
@ensemble_options
@search_options
@click.option(
    "--schedule",
    type=click.Choice(["serial", "fifo", "batched", "interleaved", "partitioned", "auto"]),
    callback=lambda ctx, option, value: "serial" if value == "fifo" else value,
    default="serial",
    show_default=True,
    help="How members share the chip. serial, or fifo: input by input, member by member; batched: member by member, "
    "each for the whole batch; interleaved: layer by layer, each for all members; partitioned: side by side, each on "
    "its part of the array; auto: all of these are played, and the best is taken.",
)
@click.option(
    "--for",
    "aim",
    type=click.Choice(["latency", "throughput"]),
    help="What auto looks for: the first answer as early as can be (the default), or most inputs a second.",
)
@click.option("--exact", is_flag=True, help="Play every tile; otherwise what repeats itself exactly is skipped.")
@stream_options
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
    weights: Literal["streamed", "resident", "auto", "planned"] | None,
    objective: Literal["latency", "energy", "edp"],
    effort: float | None,
    no_cache: bool,
    schedule: Literal["serial", "batched", "interleaved", "partitioned", "auto"],
    aim: Literal["latency", "throughput"] | None,
    exact: bool,
    as_json: bool,
    output: Path | None,
    **asked: Any,
) -> None:
    """Play an ensemble on a chip, event by event.

    Maps every layer as `hwsim map` does, plays the mapping on the chip's memories, ports and array, and prints what
    every layer took and waited for, beside the closed form that `hwsim map` prices it with. With --arrivals also a
    stream of requests, each of which is one input: latency, throughput, queue.
    """
    if aim and schedule != "auto":
        raise click.UsageError("--for says what --schedule auto looks for: leave it out, or choose auto.")
    from hwsim.errors import SpecError
    from hwsim.report.files import check_target, write_result
    from hwsim.report.records import text
    from hwsim.report.simulation import simulation_record, simulation_rows

    if output:
        check_target(output)
    requests = wanted(**asked)
    ensemble = changed_ensemble(file, source, dict(parameters), input_shape, batch, weights)
    check_exit(requests, ensemble)
    hardware = load_chip(chip, overrides)
    try:
        with LayerProgress() as progress:
            run = _simulated(
                ensemble,
                hardware,
                progress,
                schedule=schedule,
                aim=aim or "latency",
                objective=objective,
                effort=effort,
                no_cache=no_cache,
                exact=exact,
                record=requests.trace is not None,
                sizes=requests.arrivals is not None,
            )
            stream = play(requests, run, progress.during("answering requests"))
    except SpecError as error:
        from hwsim.spec.load import placed

        raise placed(error, file, None if source else ("network",)) from None
    record = simulation_record(run, stream)
    write(requests, run, stream)
    if output:
        write_result(output, record, simulation_rows)
    if as_json:
        click.echo(text(record))
    else:
        _print(record)


def _simulated(
    ensemble: Ensemble,
    hardware: Hardware,
    progress: LayerProgress,
    *,
    effort: float | None,
    no_cache: bool,
    **asked: Any,
) -> Simulation:
    from hwsim.mapper import EFFORT
    from hwsim.simulate.members.run import simulate_ensemble

    return simulate_ensemble(
        ensemble,
        hardware,
        effort=EFFORT if effort is None else effort,
        mapper=mapper(no_cache),
        progress=progress,
        playing=progress.during("playing layers"),
        **asked,
    )


def _print(record: Record) -> None:
    from hwsim.report.simulation_table import print_simulation
    from hwsim.screen import console

    print_simulation(console(sys.stdout), record)
