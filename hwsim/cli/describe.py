"""`hwsim check`, `schema`, `hw` and `network`: what there is, and whether a file is right."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.options import network_options
from hwsim.errors import EXIT_BAD_INPUT

if TYPE_CHECKING:
    from hwsim.spec.ensemble import Ensemble
    from hwsim.spec.hardware import Hardware


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.pass_context
def check(ctx: click.Context, files: tuple[str, ...]) -> None:
    """Check hardware, ensemble, space and measurement (.jsonl) files: report every fault."""
    from hwsim.errors import HwsimError

    good = True
    for file in files:
        try:
            found = _measurements(file) if file.endswith(".jsonl") else _described(file)
        except HwsimError as error:
            click.echo(str(error), err=True)
            good = False
        else:
            click.echo(f"{file}: {found}: no fault")
    ctx.exit(0 if good else EXIT_BAD_INPUT)


def _measurements(file: str) -> str:
    """What a file of measurements holds."""
    from hwsim.spec.measurement import read_measurements

    measurements = read_measurements(file)
    ensembles = {measurement.ensemble for measurement in measurements}
    return f"measurements: {len(measurements)}, ensembles: {len(ensembles)}"


def _described(file: str) -> str:
    """What a YAML file describes."""
    from hwsim.spec.ensemble import Ensemble
    from hwsim.spec.files import locate, presets
    from hwsim.spec.load import kind_of, load_ensemble, load_hardware
    from hwsim.spec.space import Space

    kind = kind_of(locate(file, presets()))
    if kind is Space:
        return _space(file)
    if kind is Ensemble:
        ensemble = load_ensemble(file)
        _check_network(ensemble, file)
        return f"ensemble {ensemble.name}"
    return f"hardware {load_hardware(file).name}"


def _space(file: str) -> str:
    """How much a design space holds."""
    from math import prod

    from hwsim.search.design.ensembles import count
    from hwsim.search.design.grid import choices, grid, read_space, scenarios

    space = read_space(file)
    numbers = {
        "networks": len(space.subjects),
        "ensembles": count(choices(space.ensembles)),
        "batches and combiners": len(scenarios(space)) // len(space.subjects),
        "chips": grid(space).count,
    }
    numbers["designs"] = prod(numbers.values())
    return f"space {space.name}: {', '.join(f'{name}: {number:,}' for name, number in numbers.items())}"


def _check_network(ensemble: Ensemble, file: str) -> None:
    """Refuse a network that cannot be found, or layers that it does not have."""
    from hwsim.ensemble.precision import precisions
    from hwsim.errors import SpecError
    from hwsim.importers import resolve
    from hwsim.spec.load import placed

    reference = ensemble.network
    full = ensemble.full_precision_bits
    try:
        found = resolve(reference.name, ensemble.batch, reference.parameters, reference.input_shape)
        precisions(found, full, 1, ensemble.quantize, full)
    except SpecError as error:
        raise placed(error, file, ("network",)) from None


@click.command()
@click.argument("kind", type=click.Choice(["hardware", "ensemble", "space", "measurement"]))
def schema(kind: Literal["hardware", "ensemble", "space", "measurement"]) -> None:
    """Print the JSON Schema of a kind of file, or of a line of measurements, for editors."""
    import json

    from hwsim.spec.load import KINDS
    from hwsim.spec.schema import json_schema

    click.echo(json.dumps(json_schema(KINDS[kind]), indent=2))


@click.group()
def hw() -> None:
    """The chips that come with hwsim."""


@hw.command("list")
def hw_list() -> None:
    """List the chips."""
    from hwsim.errors import HwsimError
    from hwsim.screen import columns, console
    from hwsim.spec.files import presets
    from hwsim.spec.load import load_hardware

    table = columns("name", "description")
    for name in presets():
        try:
            table.add_row(name, load_hardware(name).description)
        except HwsimError as error:
            table.add_row(name, f"faulty: {error}")
    console(sys.stdout).print(table)


@hw.command("show")
@click.argument("name")
def hw_show(name: str) -> None:
    """Print a chip's file, and the peak rate of each mode as comments under it."""
    from hwsim.spec.files import locate, presets, read_text
    from hwsim.spec.load import load_hardware

    hardware = load_hardware(name)
    click.echo(read_text(locate(name, presets())).rstrip())
    click.echo("\n# Derived: peak rate of each mode of the datapath, of the whole chip.")
    for line in _peaks(hardware):
        click.echo(f"#   {line}".rstrip())


def _peaks(hardware: Hardware) -> list[str]:
    """Lines of a table: one for each mode that operands of common widths run in."""
    from hwsim.errors import Infeasible
    from hwsim.spec.ensemble import WIDTHS
    from hwsim.units import format_si

    rows = [("mode", "MACs/cycle", "peak", "energy")]
    seen = set()
    for bits in [(weights, activations) for weights in WIDTHS for activations in WIDTHS]:
        try:
            mode = hardware.datapath.mode(*bits)
        except Infeasible:
            continue
        if mode.name in seen:
            continue
        seen.add(mode.name)
        rate = hardware.datapaths * mode.rate * mode.lanes
        energy = format_si(mode.energy, "J/MAC") if mode.energy else "not given"
        rows.append((mode.name, f"{rate:.6g}", format_si(rate * hardware.clock, "MAC/s"), energy))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


@click.group()
def network() -> None:
    """The networks that come with hwsim."""


@network.command("list")
def network_list() -> None:
    """List the networks."""
    from inspect import signature

    from hwsim.networks import zoo
    from hwsim.screen import columns, console
    from hwsim.units import format_si

    table = columns("name", ">layers", ">MACs", ">weights", "parameters")
    for name, make in zoo().items():
        made = make()
        knobs = ", ".join(f"{knob.name}={knob.default}" for knob in signature(make).parameters.values())
        table.add_row(name, str(len(made.layers)), format_si(made.macs, ""), format_si(made.weights, ""), knobs)
    console(sys.stdout).print(table)


@network.command("show")
@click.argument("name")
@network_options
@click.option("--batch", type=click.IntRange(1, 2**31 - 1), default=1, show_default=True, help="Samples at once.")
def network_show(
    name: str, parameters: tuple[tuple[str, Any], ...], input_shape: tuple[int, ...] | None, batch: int
) -> None:
    """Print the layers of a network: a preset, an .onnx file or package.module:function."""
    from hwsim.importers import resolve
    from hwsim.screen import columns, console
    from hwsim.units import format_si

    found = resolve(name, batch, dict(parameters), input_shape)
    table = columns(
        "layer", "operator", "shape", ">MACs", ">vector operations", ">parameters", ">outputs", "fused", "reads"
    )
    for layer in found.layers:
        table.add_row(
            layer.name,
            layer.operator.label,
            layer.operator.shape,
            format_si(layer.macs, "") if layer.macs else "",
            format_si(layer.operations, "") if layer.operations else "",
            f"{layer.parameters.total:,}" if layer.parameters.total else "",
            f"{layer.output_elements:,}",
            ", ".join(operator.label for operator in layer.fused),
            ", ".join(layer.inputs),
        )
    screen = console(sys.stdout)
    screen.print(table)
    click.echo(
        f"\n{found.name}: {format_si(found.macs, 'MAC')}, {found.parameters.total:,} parameters, "
        f"{found.working_set_elements():,} live activations at most, batch {found.batch}"
    )
