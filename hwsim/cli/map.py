"""`hwsim map`: what an ensemble costs on a chip."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.options import fraction, hardware_options, network_options, search_options
from hwsim.errors import EXIT_OK, EXIT_OVER_BUDGET

if TYPE_CHECKING:
    from hwsim.ensemble.ensemble_cost import EnsembleCost
    from hwsim.ensemble.solve import Mapper
    from hwsim.spec.ensemble import Ensemble
    from hwsim.spec.network import Network


@click.command("map")
@click.option("--ensemble", "file", metavar="FILE", required=True, help="The ensemble: path of a YAML file.")
@hardware_options
@click.option("--network", "source", metavar="NETWORK", help="Another network than the ensemble's.")
@network_options
@click.option("--batch", type=click.IntRange(1, 2**31 - 1), help="Another batch than the ensemble's.")
@click.option(
    "--weights",
    type=click.Choice(["streamed", "resident", "auto"]),
    help="Whether weights stay on the chip between inferences, if not as the ensemble says.",
)
@search_options
@click.option(
    "--budget",
    type=fraction,
    metavar="FRACTION",
    default="25%",
    show_default=True,
    help="Overhead in time and in storage that is allowed (energy is reported, not judged): 0.25 or 25%. "
    "Exactly the budget is within it.",
)
@click.option("--explain", metavar="LAYER", help="Print the mapping of one layer as a loop nest, with its traffic.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Also write a .json, .csv or .parquet file."
)
@click.pass_context
def map_command(
    ctx: click.Context,
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
    budget: float,
    explain: str | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Map an ensemble and compare it with one full-precision network.

    Both run on the same chip, each with its own best mapping of every layer. Prints members and layers, totals, the
    overhead beside what Equation 6 of the EMPIR paper predicts, the reasons for the difference, and whether the
    overhead stays within the budget: exit code 0 if it does, 1 if it does not.
    """
    if explain and as_json:
        raise click.UsageError("--json has the mapping and the traffic of every layer already: leave out --explain.")
    from hwsim.cli.progress import LayerProgress
    from hwsim.ensemble.ensemble_cost import map_ensemble
    from hwsim.mapper import EFFORT
    from hwsim.report.files import check_target, write_result
    from hwsim.report.records import ensemble_record, rows, text
    from hwsim.spec.load import load_ensemble, load_hardware

    if output:
        check_target(output)
    changes = {"batch": batch, "weights": weights}
    ensemble = load_ensemble(file).model_copy(
        update={key: value for key, value in changes.items() if value is not None}
    )
    hardware = load_hardware(chip, overrides)
    network = _network(ensemble, source, dict(parameters), input_shape)
    if explain:
        _known(network, explain)
    with LayerProgress() as progress:
        cost = map_ensemble(
            ensemble,
            hardware,
            network,
            objective=objective,
            budget=budget,
            effort=EFFORT if effort is None else effort,
            mapper=mapper(no_cache),
            progress=progress,
        )
    if output:
        write_result(output, ensemble_record(cost), rows(cost))
    if as_json:
        click.echo(text(ensemble_record(cost)))
    else:
        _show(cost, explain)
    ctx.exit(EXIT_OK if cost.within_budget else EXIT_OVER_BUDGET)


def mapper(no_cache: bool) -> Mapper:
    """The mapper, with or without its memory on disk."""
    from hwsim.cache import remembered
    from hwsim.mapper import map_layer

    return map_layer if no_cache else remembered(map_layer)


def _network(
    ensemble: Ensemble, source: str | None, parameters: dict[str, Any], input_shape: tuple[int, ...] | None
) -> Network:
    from hwsim.importers import resolve

    own = ensemble.network
    if source is None:
        source, parameters = own.name, {**own.parameters, **parameters}
        input_shape = input_shape or own.input_shape
    return resolve(source, ensemble.batch, parameters, input_shape)


def _known(network: Network, layer: str) -> None:
    from hwsim.errors import Fault, SpecError, did_you_mean

    names = [known.name for known in network.layers]
    if layer not in names:
        hint = did_you_mean(layer, names) or f" (there are: {', '.join(names)})"
        raise SpecError([Fault(f"{network.name} has no layer {layer!r}{hint}", "--explain")])


def _show(cost: EnsembleCost, explain: str | None) -> None:
    from hwsim.report.console import console
    from hwsim.report.explain import print_layer
    from hwsim.report.table import distinct, print_ensemble

    screen = console(sys.stdout)
    if not explain:
        print_ensemble(screen, cost)
        return
    for names, member in distinct((cost.baseline, *cost.members)):
        for layer in member.layers:
            if layer.name == explain:
                bits = f"{layer.weight_bits or '-'}/{layer.activation_bits} bits"
                print_layer(
                    screen, layer, cost.hardware, f"{layer.name} ({layer.operator} {layer.shape}, {bits}) of {names}"
                )
