"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

#: Largest bound of a loop; as many bits as a width may have.
LARGEST, WIDEST = 2**31 - 1, 64


def numbers(*counts: int, most: int = LARGEST) -> Callable[[str], tuple[int, ...]]:
    """Reader of whole numbers separated by commas.

    Args:
        counts: how many there may be; any if empty.
        most: largest of them; the smallest is 1.
    """

    def read(text: str) -> tuple[int, ...]:
        parts = [part.strip() for part in text.split(",")]
        if not all(part.isdecimal() and 1 <= int(part) <= most for part in parts):
            raise click.BadParameter(f"{text!r} is not a list of whole numbers from 1 to {most}.")
        if counts and len(parts) not in counts:
            raise click.BadParameter(f"{text!r} should be {' or '.join(map(str, counts))} numbers, not {len(parts)}.")
        return tuple(int(part) for part in parts)

    return read


def assignment(text: str) -> tuple[str, bool | int | float | str]:
    """Read `NAME=VALUE`; the value is a number or a truth value where it looks like one."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f"{text!r} is not NAME=VALUE.")
    return name.strip(), _plain(value.strip())


def fraction(text: str) -> float:
    """Read `0.25` or `25%`."""
    try:
        number = float(text.strip().removesuffix("%")) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number such as 0.25 or 25%.") from None
    if not 0 <= number < float("inf"):
        raise click.BadParameter(f"{text!r} is not 0 or more.")
    if number >= 10 and "%" not in text:
        raise click.BadParameter(f"{text!r} would be {100 * number:g} %: write 0.25 or 25%.")
    return number


def effort(text: str) -> float:
    """Read a number above 0; `inf` searches until everything is proven."""
    try:
        number = float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number.") from None
    if not number > 0:
        raise click.BadParameter(f"{text!r} is not more than 0.")
    return number


def _plain(text: str) -> bool | int | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def hardware_options(function: Function) -> Function:
    """Which chip, and changes to it."""
    function = click.option(
        "--set",
        "overrides",
        metavar="PATH=VALUE",
        multiple=True,
        help="Change a field of the hardware file, as in levels.DRAM.memories.DRAM.bandwidth='1 TB/s'. Repeatable.",
    )(function)
    return click.option(
        "--hw", "chip", metavar="CHIP", required=True, help="The chip: a preset's name or the path of a YAML file."
    )(function)


def network_options(function: Function) -> Function:
    """How a network is made."""
    function = click.option(
        "--input-shape",
        metavar="SIZE,SIZE...",
        type=numbers(),
        help="Shape of one sample, for networks that do not have one of their own.",
    )(function)
    return click.option(
        "--parameter",
        "parameters",
        metavar="NAME=VALUE",
        type=assignment,
        multiple=True,
        help="A parameter of the network, as in sequence_length=256. Repeatable.",
    )(function)


def ensemble_options(function: Function) -> Function:
    """Which ensemble on which chip, and changes to both."""
    function = click.option(
        "--weights",
        type=click.Choice(["streamed", "resident", "auto", "planned"]),
        help="Whether weights stay on the chip between inferences, if not as the ensemble says; planned: those "
        "weights and activations stay that save most DRAM traffic.",
    )(function)
    function = click.option("--batch", type=click.IntRange(1, LARGEST), help="Another batch than the ensemble's.")(
        function
    )
    function = network_options(function)
    function = click.option("--network", "source", metavar="NETWORK", help="Another network than the ensemble's.")(
        function
    )
    function = hardware_options(function)
    return click.option("--ensemble", "file", metavar="FILE", required=True, help="The ensemble: path of a YAML file.")(
        function
    )


def search_options(function: Function) -> Function:
    """What the mapper looks for, and for how long."""
    function = click.option("--no-cache", is_flag=True, help="Neither read nor write the cache of mapped layers.")(
        function
    )
    function = click.option(
        "--effort",
        metavar="NUMBER",
        type=effort,
        help="Work that one layer's search may take before it settles for a gap to the lower bound.",
    )(function)
    return click.option(
        "--objective",
        type=click.Choice(["latency", "energy", "edp"]),
        default="latency",
        show_default=True,
        help="What every mapping minimises; edp is the energy-delay product.",
    )(function)


def picture_option(function: Function) -> Function:
    """Where a picture goes."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="FILE",
        required=True,
        help="The picture: a .png, .svg or .pdf file.",
    )(function)
