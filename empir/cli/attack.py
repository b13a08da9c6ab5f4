"""`empir attack`: how often an ensemble is right, clean and under attacks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from empir.cli.options import (
    batch_option,
    changes,
    checkpoints_option,
    data_options,
    ensemble_option,
    names,
    output_option,
    run_options,
    set_option,
)

if TYPE_CHECKING:
    from empir.evaluation.measure import Measured
    from empir.evaluation.target import Target


@click.command("attack")
@ensemble_option
@checkpoints_option
@data_options
@click.option(
    "--attack",
    "attacks",
    metavar="NAME,NAME...",
    type=names,
    default="fgsm,bim,pgd,cw",
    show_default=True,
    help="Attacks; there are autoattack, bim, cw, fgsm, jsma, pgd and square.",
)
@click.option(
    "--gradient",
    metavar="NAME",
    help="What every attack differentiates: paper, released, full_precision, mean_probability, mean_logit, margin or "
    "member:NAME.  [default: paper; with --accounting released what the released code follows]",
)
@click.option(
    "--accounting",
    type=click.Choice(["standard", "released"]),
    default="standard",
    show_default=True,
    help="standard: a sample counts if it is right when clean and after every attack; released: as the paper's code "
    "counts, attack by attack.",
)
@set_option
@batch_option
@output_option
@run_options
def attack(
    file: str,
    checkpoints: Path,
    dataset: str,
    data_dir: Path | None,
    limit: int | None,
    attacks: tuple[str, ...],
    gradient: str | None,
    accounting: Literal["standard", "released"],
    settings: tuple[tuple[str, str, Any], ...],
    batch_size: int | None,
    output: Path | None,
    defence: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Attack a trained ensemble and measure how often it is right.

    Prints a table; measurements are kept only where -o says. Answers to attacked images are kept beside the
    checkpoints, so that nothing is attacked twice: a run that was interrupted goes on, and one that is repeated only
    reads. --set also takes what `empir train` was given, as in recipe.epochs=5.
    """
    from empir.attacks import ATTACKS, attack as make
    from empir.cli.kept import Kept
    from empir.cli.progress import Bar
    from empir.cli.target import open_target, split
    from empir.evaluation.measure import measure

    training, own = split(changes(settings), tuple(ATTACKS))
    chosen = [make(name, dataset, **own.get(name, {})) for name in attacks]
    if unused := next((name for name in own if name not in attacks), None):
        raise click.UsageError(f"--set {unused}: add {unused} to --attack.")
    kept = Kept(output)
    target = open_target(
        file, checkpoints, dataset, data_dir, limit, defence, seed, device, batch_size, training
    )  # fmt: skip
    found = []
    with Bar("attacking") as bar:
        for measured in measure(target, chosen, gradient=gradient, accounting=accounting, progress=bar):
            found.append(measured)
            kept.add(measured.measurement)
    if as_json:
        _print_json(found)
    else:
        _print(target, found, accounting)
    kept.tell()


def _print_json(found: list[Measured]) -> None:
    import json

    record = {
        "measurements": [one.measurement.model_dump(mode="json") for one in found],
        "images_per_second": [one.rate for one in found],
    }
    click.echo(json.dumps(record, indent=2))


def _print(target: Target, found: list[Measured], accounting: str) -> None:
    from empir.cli.tables import console, heading, interval_text, percent, table

    screen = console(sys.stdout)
    screen.print(heading(target, f"{accounting} accounting"))
    screen.print()
    rows = table("attack", "gradient", ">epsilon", ">clean", ">robust", ">95 % interval", ">distortion", ">images/s")
    for one in found:
        line = one.measurement
        rows.add_row(
            _title(line.attack, line.parameters),
            line.gradient or "",
            "" if line.epsilon is None else f"{line.epsilon:.3g}",
            percent(line.clean_accuracy),
            percent(line.robust_accuracy),
            interval_text(line.interval),
            "" if line.median_distortion is None else f"{line.median_distortion:.3g} {line.norm}",
            "" if one.rate is None else f"{one.rate:,.3g}",
        )
    screen.print(rows)


def _title(attack: str, parameters: dict[str, Any]) -> str:
    if attack == "worst_case":
        return f"worst of {', '.join(one['attack'] for one in parameters['attacks'])}"
    return "clean" if attack == "none" else attack
