"""`empir verify`: is that robustness real?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empir.cli.options import (
    batch_option,
    changes,
    checkpoints_option,
    data_options,
    ensemble_option,
    output_option,
    run_options,
    setting,
)

if TYPE_CHECKING:
    from empir.evaluation.adaptive import Plan
    from empir.evaluation.target import Target
    from empir.evaluation.verify import Verification


@click.command("verify")
@ensemble_option
@checkpoints_option
@data_options
@click.option(
    "--set",
    "settings",
    metavar="NAME.FIELD=VALUE",
    type=setting,
    multiple=True,
    help="Change how hard to try: adaptive.iterations, restarts, sweep_iterations, queries, samples, epsilon; or what "
    "`empir train` was given, as in recipe.epochs=5. Repeatable.",
)
@batch_option
@output_option
@run_options
def verify(
    file: str,
    checkpoints: Path,
    dataset: str,
    data_dir: Path | None,
    limit: int | None,
    settings: tuple[tuple[str, str, Any], ...],
    batch_size: int | None,
    output: Path | None,
    defence: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Ask whether a trained ensemble's robustness is real.

    Attacks that adapt to the ensemble, cheapest first and each on the samples that still stand, make a worst case,
    which is compared with what FGSM, BIM and PGD through the paper's gradient leave. Gates check that the attacks
    work. The verdict is

    \b
    real         the adaptive attacks leave 90 % of what the plain ones leave, and every gate holds,
    partly real  they leave half of it, or 90 % while a gate fails,
    not real     they leave less, or no more than always answering with the commonest class would get.

    Prints the attacks, the sweep over temperatures, the gates and the verdict; -o also appends the measurement
    `adaptive`. A run that was interrupted goes on where it was.
    """
    from empir.cli.kept import Kept
    from empir.cli.progress import Bar
    from empir.cli.target import open_target, split
    from empir.evaluation.verify import verify as run

    training, own = split(changes(settings), ("adaptive",))
    plan = _plan(own.get("adaptive", {}))
    kept = Kept(output)
    target = open_target(
        file, checkpoints, dataset, data_dir, limit, defence, seed, device, batch_size, training
    )  # fmt: skip
    with Bar("verifying") as bar:
        found = run(target, plan, progress=bar)
    kept.add(found.measurement)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(target, found)
    kept.tell()


def _plan(fields: Mapping[str, Any]) -> Plan:
    from pydantic import ValidationError

    from empir.evaluation.adaptive import Plan
    from empir.training.refusal import refused

    try:
        return Plan.model_validate(fields)
    except ValidationError as error:
        raise refused(error, Plan, "adaptive") from None


def _print(target: Target, found: Verification) -> None:
    from rich.text import Text

    from empir.cli.tables import console, heading

    screen = console(sys.stdout)
    screen.print(heading(target, f"within {found.epsilon:.3g} in L-infinity"))
    for part in (_stages(found), _sweep(found)):
        screen.print()
        screen.print(part)
    screen.print()
    screen.print(_gates(found), soft_wrap=True)
    style = {"real": "green", "partly real": "yellow", "not real": "red"}[found.verdict.judgement]
    screen.print()
    screen.print(Text(found.verdict.sentence, style=style), soft_wrap=True)


def _stages(found: Verification) -> Any:
    from empir.cli.tables import interval_text, percent, table

    rows = table("attack", "gradient", ">attacked", ">fooled", ">newly", ">left right", ">95 % interval", ">images/s")
    rows.add_row(
        "clean",
        "",
        f"{found.samples:,}",
        "",
        "",
        percent(found.clean_accuracy),
        interval_text(found.clean_interval),
        "",
    )
    for stage in found.stages:
        rows.add_row(
            stage.attack,
            _surrogate(stage.gradient, stage.temperature),
            f"{stage.attacked:,}",
            _count(stage.fooled),
            _count(stage.broke),
            percent(stage.left),
            interval_text(stage.interval),
            "" if stage.rate is None else f"{stage.rate:,.3g}",
        )
    return rows


def _sweep(found: Verification) -> Any:
    """Accuracy by surrogate and temperature."""
    from empir.cli.tables import percent, table

    heats = sorted({one.temperature for one in found.sweep})
    shares = {(one.gradient, one.temperature): one.accuracy for one in found.sweep}
    rows = table(f"{found.swept_samples} samples, by temperature", *(f">{heat:g}" for heat in heats))
    for name in dict.fromkeys(one.gradient for one in found.sweep):
        rows.add_row(name, *(percent(shares[name, heat]) for heat in heats))
    return rows


def _gates(found: Verification) -> Any:
    from rich.text import Text

    lines = Text()
    for gate in found.gates:
        lines.append("holds  " if gate.passed else "FAILS  ", style="green" if gate.passed else "red")
        lines.append(f"{gate.name}: {gate.found}\n")
        if not gate.passed:
            lines.append(f"       that is, {gate.meaning}\n")
    lines.rstrip()
    return lines


def _count(samples: float) -> str:
    """Whole, unless it is an expectation."""
    return f"{samples:,.0f}" if samples == round(samples) else f"{samples:,.1f}"


def _surrogate(gradient: str, temperature: float) -> str:
    return gradient if temperature == 1 else f"{gradient} / {temperature:g}"
