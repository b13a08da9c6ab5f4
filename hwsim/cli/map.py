"""`hwsim map`: what an ensemble costs on a chip."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.options import ensemble_options, fraction, search_options
from hwsim.errors import EXIT_OK, EXIT_OVER_BUDGET

if TYPE_CHECKING:
    from hwsim.ensemble.solve import Mapper
    from hwsim.report.records import Record
    from hwsim.spec.ensemble import Ensemble
    from hwsim.spec.hardware import Hardware


@click.command("map")
@ensemble_options
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
    weights: Literal["streamed", "resident", "auto", "planned"] | None,
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
    from hwsim.cache.results import Results
    from hwsim.errors import SpecError
    from hwsim.report.files import check_target, write_result
    from hwsim.report.records import text
    from hwsim.spec.files import locate, presets

    if output:
        check_target(output)
    asked = ("map", overrides, source, parameters, input_shape, batch, weights, objective, effort, budget)
    results = None if no_cache else Results(asked, [locate(file, {}), locate(chip, presets())])
    record = results.get() if results else None
    if record is None:
        ensemble = changed_ensemble(file, source, dict(parameters), input_shape, batch, weights)
        hardware = load_chip(chip, overrides)
        try:
            if explain:
                _require_layer(ensemble, explain)
            record = _map(ensemble, hardware, objective, budget, effort, no_cache)
        except SpecError as error:
            from hwsim.spec.load import placed  # not above: a remembered result is printed without it

            raise placed(error, file, None if source else ("network",)) from None
        if results and ":" not in ensemble.network.name:  # what a function returns depends on anything
            results.keep(record, [Path(ensemble.network.name)])
    if output:
        write_result(output, record)
    if as_json:
        click.echo(text(record))
    elif explain:
        _explain(record, explain)
    else:
        _print(record)
    ctx.exit(EXIT_OK if record["within_budget"] else EXIT_OVER_BUDGET)


def load_chip(chip: str, overrides: tuple[str, ...]) -> Hardware:
    """The chip, with changes."""
    from hwsim.spec.load import load_hardware

    return load_hardware(chip, overrides)


def mapper(no_cache: bool) -> Mapper:
    """The mapper, with or without its memory on disk."""
    from hwsim.cache.layers import remembered
    from hwsim.mapper import map_layer

    return map_layer if no_cache else remembered(map_layer)


def changed_ensemble(
    file: str,
    source: str | None,
    parameters: dict[str, Any],
    input_shape: tuple[int, ...] | None,
    batch: int | None,
    weights: str | None,
) -> Ensemble:
    """The ensemble of a file, with the changes that the options make."""
    from hwsim.spec.ensemble import NetworkReference
    from hwsim.spec.load import load_ensemble

    ensemble = load_ensemble(file)
    own = ensemble.network
    if source is not None:
        network = NetworkReference(name=source, input_shape=input_shape, parameters=parameters)
    else:
        changed = {"parameters": {**own.parameters, **parameters}, "input_shape": input_shape or own.input_shape}
        network = own.model_copy(update=changed)
    changes = {"network": network, "batch": batch, "weights": weights}
    return ensemble.model_copy(update={key: value for key, value in changes.items() if value is not None})


def _map(
    ensemble: Ensemble,
    hardware: Hardware,
    objective: Literal["latency", "energy", "edp"],
    budget: float,
    effort: float | None,
    no_cache: bool,
) -> Record:
    from hwsim.cli.progress import LayerProgress
    from hwsim.ensemble.ensemble_cost import map_ensemble
    from hwsim.mapper import EFFORT
    from hwsim.report.records import ensemble_record

    with LayerProgress() as progress:
        cost = map_ensemble(
            ensemble,
            hardware,
            objective=objective,
            budget=budget,
            effort=EFFORT if effort is None else effort,
            mapper=mapper(no_cache),
            progress=progress,
        )
    return ensemble_record(cost)


def _require_layer(ensemble: Ensemble, layer: str) -> None:
    """Refuse a layer that the network does not have before anything is mapped."""
    from hwsim.importers import resolve

    reference = ensemble.network
    network = resolve(reference.name, ensemble.batch, reference.parameters, reference.input_shape)
    combined = len(ensemble.expanded()) > 1 and ensemble.combiner != "random_switch"
    combiner = ["combiner"] if combined else []
    _known([*(known.name for known in network.layers), *combiner], layer)


def _known(names: list[str], layer: str) -> None:
    from hwsim.errors import Fault, SpecError, did_you_mean

    if layer not in names:
        hint = did_you_mean(layer, names) or f" (there are: {', '.join(names)})"
        raise SpecError([Fault(f"there is no layer {layer!r}{hint}", "--explain")])


def _print(record: Record) -> None:
    from hwsim.report.table import print_ensemble
    from hwsim.screen import console

    print_ensemble(console(sys.stdout), record)


def _explain(record: Record, name: str) -> None:
    from hwsim.report.explain import print_layer
    from hwsim.report.table import distinct
    from hwsim.screen import console

    combiner = [record["combiner"]] if record["combiner"] else []
    _known([layer["name"] for layer in (*record["baseline"]["layers"], *combiner)], name)
    screen = console(sys.stdout)
    networks = (record["baseline"], *record["members"], {"name": "the ensemble", "layers": combiner})
    named = (
        {"name": member["name"], "layers": [layer for layer in member["layers"] if layer["name"] == name]}
        for member in networks
    )
    chosen = [member for member in named if member["layers"]]
    for number, (names, member) in enumerate(distinct(chosen)):
        for layer in member["layers"]:
            if number:
                screen.print()
            bits = f"{layer['weight_bits'] or '-'}/{layer['activation_bits']} bits"
            print_layer(screen, layer, f"{name} ({layer['operator']} {layer['shape']}, {bits}) of {names}")
