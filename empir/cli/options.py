"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import torch

Function = TypeVar("Function", bound=Callable[..., Any])

#: Largest seed and largest count.
LARGEST = 2**31 - 1


def names(text: str) -> tuple[str, ...]:
    """Read names separated by commas, each once."""
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise click.BadParameter(f"{text!r} is not a list of names separated by commas.")
    if repeated := next((name for name in found if found.count(name) > 1), None):
        raise click.BadParameter(f"{repeated!r} is named twice.")
    return tuple(found)


def setting(text: str) -> tuple[str, str, Any]:
    """Read `NAME.FIELD=VALUE`, as in `pgd.iterations=100`; the value is JSON where it looks like it, otherwise text."""
    path, equals, value = text.partition("=")
    name, dot, field = (part.strip() for part in path.partition("."))
    if not (equals and dot and name and field and value.strip()):
        raise click.BadParameter(f"{text!r} is not NAME.FIELD=VALUE, as in pgd.iterations=100.")
    try:
        return name, field, json.loads(value)
    except ValueError:
        return name, field, value.strip()


def changes(settings: tuple[tuple[str, str, Any], ...]) -> dict[str, dict[str, Any]]:
    """What `--set` gave, by name and field.

    Raises:
        UsageError: a field is set twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, field, value in settings:
        if field in found.setdefault(name, {}):
            raise click.UsageError(f"--set {name}.{field} is given twice.")
        found[name][field] = value
    return found


def resolve_device(name: str) -> torch.device:
    """The device that `--device` names; `auto` is a GPU where there is one.

    Raises:
        SpecError: there is no GPU.
    """
    import torch

    from hwsim.errors import Fault, SpecError

    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise SpecError([Fault("torch finds no GPU: use cpu or auto", "--device")])
    return torch.device("cuda" if usable and name != "cpu" else "cpu")


def ensemble_option(function: Function) -> Function:
    """Which ensemble."""
    return click.option("--ensemble", "file", metavar="FILE", required=True, help="The ensemble: path of a YAML file.")(
        function
    )


def checkpoints_option(function: Function) -> Function:
    """Where trained members are."""
    return click.option(
        "--checkpoints",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        default="runs",
        show_default=True,
        help="Folder of trained members, as `empir train -o` wrote it.",
    )(function)


def data_options(function: Function) -> Function:
    """Which images, and how many of them."""
    function = click.option(
        "--limit", metavar="N", type=click.IntRange(1, LARGEST), help="Only the first N images, for a quick look."
    )(function)
    function = click.option(
        "--data-dir",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the data set's files; mnist5k needs none.",
    )(function)
    return click.option(
        "--data", "dataset", metavar="NAME", default="mnist5k", show_default=True, help="The data set."
    )(function)


def run_options(function: Function) -> Function:
    """How a member was trained, the seed, where to compute, and how to answer."""
    function = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(function)
    function = click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where to compute; auto is the GPU where there is one.",
    )(function)
    function = click.option(
        "--seed", type=click.IntRange(0, LARGEST), default=0, show_default=True, help="Of everything drawn at random."
    )(function)
    return click.option(
        "--defence", metavar="NAME", default="none", show_default=True, help="How the members are trained to resist."
    )(function)


def batch_option(function: Function) -> Function:
    """How many images at once."""
    return click.option(
        "--batch-size", metavar="N", type=click.IntRange(1, LARGEST), help="Images computed at once, if not as usual."
    )(function)


def set_option(function: Function) -> Function:
    """Changes to parameters; read them with `changes`."""
    return click.option(
        "--set",
        "settings",
        metavar="NAME.FIELD=VALUE",
        type=setting,
        multiple=True,
        help="Change a parameter of an attack, as in pgd.iterations=100. Repeatable.",
    )(function)


def output_option(function: Function) -> Function:
    """Where measurements go."""
    return click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Append the measurements to this .jsonl file; what it holds already is not added again.",
    )(function)
