"""`hwsim layer`: the best mapping of one layer, without any file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.options import LARGEST, WIDEST, hardware_options, numbers, search_options

if TYPE_CHECKING:
    from hwsim.operators.nest import LoopNest

_DIMENSIONS = "NGKCPQRS"

#: Work that 64-bit counts hold with room to spare [multiply-accumulates].
_MOST_MACS = 2**53


def bounds_of(text: str) -> dict[str, int]:
    """Read `N=1,K=384,C=256,...`, the bounds of the loops."""
    bounds: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        name = name.upper()
        if len(name) != 1 or name not in _DIMENSIONS:
            raise click.BadParameter(f"{part.strip()!r}: the dimensions are {', '.join(_DIMENSIONS)}.")
        if name in bounds:
            raise click.BadParameter(f"{name} is given twice.")
        if not number.isdecimal() or not 1 <= int(number) <= LARGEST:
            raise click.BadParameter(f"{part.strip()!r}: a bound is a whole number from 1 to {LARGEST}.")
        bounds[name] = int(number)
    return bounds


@click.command("layer")
@hardware_options
@click.option(
    "--nest",
    "bounds",
    metavar="N=..,K=..,...",
    type=bounds_of,
    required=True,
    help="Bounds of the loops: batch N, output channels K and input channels C of one group, output rows and columns P "
    "and Q, filter rows and columns R and S; 1 where left out. A product of an N x C and a C x K matrix has no others.",
)
@click.option(
    "--stride",
    metavar="Y[,X]",
    type=numbers(1, 2),
    default="1",
    show_default=True,
    help="Vertical and horizontal, or both.",
)
@click.option(
    "--dilation",
    metavar="Y[,X]",
    type=numbers(1, 2),
    default="1",
    show_default=True,
    help="Vertical and horizontal, or both.",
)
@click.option("--groups", type=click.IntRange(1, LARGEST), help="Independent groups, the same as G in the nest.")
@click.option(
    "--bits",
    metavar="W,A[,O]",
    type=numbers(2, 3, most=WIDEST),
    default="32,32",
    show_default=True,
    help="Width of weights, of activations and, if not as activations, of outputs.",
)
@search_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def layer(
    chip: str,
    overrides: tuple[str, ...],
    bounds: dict[str, int],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int | None,
    bits: tuple[int, ...],
    objective: Literal["latency", "energy", "edp"],
    effort: float | None,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Map one layer: a convolution or a matrix product."""
    from hwsim.cli.map import load_chip, mapper
    from hwsim.mapper import EFFORT
    from hwsim.report.records import layer_record, text

    nest = _nest(bounds, groups, stride, dilation)
    hardware = load_chip(chip, overrides)
    cost = mapper(no_cache)(nest, hardware, *bits, objective=objective, effort=EFFORT if effort is None else effort)
    cost = cost.named("layer", "nest", " ".join(f"{dim}{size}" for dim, size in bounds.items()))
    record = {"schema": "hwsim/layer/1", "hardware": hardware.name, "objective": objective, "nest": _written(nest)}
    record |= layer_record(cost, hardware)
    if as_json:
        click.echo(text(record))
    else:
        from hwsim.report.explain import print_layer
        from hwsim.screen import console

        heading = f"{cost.shape} at {bits[0]}/{bits[1]} bits on {hardware.name}, least {objective}"
        print_layer(console(sys.stdout), record, heading)


def _nest(bounds: dict[str, int], groups: int | None, stride: tuple[int, ...], dilation: tuple[int, ...]) -> LoopNest:
    from hwsim.operators.nest import LoopNest

    if groups is not None and bounds.setdefault("G", groups) != groups:
        raise click.UsageError("--groups and G in the nest differ.")
    nest = LoopNest(**bounds, stride=(stride[0], stride[-1]), dilation=(dilation[0], dilation[-1]))
    if nest.macs > _MOST_MACS:
        raise click.UsageError(f"{nest.macs:.3g} multiply-accumulates are more than hwsim counts exactly.")
    return nest


def _written(nest: LoopNest) -> dict[str, Any]:
    sizes: dict[str, Any] = {dim: getattr(nest, dim) for dim in _DIMENSIONS}
    return sizes | {"stride": list(nest.stride), "dilation": list(nest.dilation)}
