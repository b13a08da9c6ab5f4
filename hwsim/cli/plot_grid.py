"""`hwsim plot grid`: accuracy and cost of M full-precision and N low-precision members."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hwsim.cli.options import WIDEST, fraction, hardware_options, picture_option, search_options

if TYPE_CHECKING:
    from hwsim.report.grid import MemberGrid
    from hwsim.spec.space import Accuracy


def widths(text: str) -> tuple[tuple[int, int], ...]:
    """Read `w2a4`, or several separated by commas."""
    read = []
    for part in text.split(","):
        weights, _, activations = part.strip().lower().removeprefix("w").partition("a")
        if not (weights.isdecimal() and activations.isdecimal()) or not part.strip().lower().startswith("w"):
            raise click.BadParameter(f"{part.strip()!r} is not a precision such as w2a4.")
        if not (1 <= int(weights) <= WIDEST and 1 <= int(activations) <= WIDEST):
            raise click.BadParameter(f"{part.strip()!r} has a width that is not from 1 to {WIDEST} bits.")
        read.append((int(weights), int(activations)))
    return tuple(read)


@click.command("grid")
@click.argument("measurements", metavar="MEASUREMENTS", type=click.Path(path_type=Path))
@hardware_options
@click.option("--network", metavar="NETWORK", help="Of several that were measured, this one.")
@click.option("--quantize", metavar="RULE", help="Of several rules that were measured, this one, as in 'all but fc'.")
@click.option("--low", metavar="PRECISION,...", type=widths, help="Of the first low-precision member, of the second "
              "and so on, as in w2a2,w4a4; the last for all further ones.")  # fmt: skip
@click.option("--most-full", type=click.IntRange(0, 16), default=3, show_default=True, help="Largest M.")
@click.option("--most-low", type=click.IntRange(0, 16), default=3, show_default=True, help="Largest N.")
@click.option("--combiner", type=click.Choice(["average", "max_vote", "random_switch"]), default="average",
              show_default=True, help="How answers are combined.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Inputs computed at once.")
@click.option("--weights", type=click.Choice(["streamed", "resident", "auto"]), default="auto", show_default=True,
              help="Whether weights stay on the chip between inferences.")  # fmt: skip
@click.option("--accuracy", type=click.Choice(["verify", "standard", "released"]), default="verify", show_default=True,
              help="Which robustness counts: after all that `empir verify` tries, or after the paper's bounded attacks "
              "counted strictly, or as its code counts.")  # fmt: skip
@click.option("--attack", metavar="NAME", help="Accuracy under this attack in its place, as in the paper: fgsm.")
@click.option("--gradient", metavar="NAME", help="The surrogate that the --attack followed, if several were measured.")
@click.option("--accounting", type=click.Choice(["standard", "released"]), default="standard", show_default=True,
              help="How --attack counts: strictly, or as the paper's code does.")  # fmt: skip
@click.option("--dataset", metavar="NAME", help="Of several data sets, this one.")
@click.option("--epsilon", metavar="NUMBER", type=click.FloatRange(0, 1), help="Of several bounds, this one.")
@click.option("--defence", metavar="NAME", default="none", show_default=True, help="How the members were trained.")
@click.option("--budget", type=fraction, metavar="FRACTION", default="25%", show_default=True,
              help="Overhead that is allowed: cells within it are framed.")  # fmt: skip
@search_options
@picture_option
def grid_command(measurements: Path, output: Path, **asked: Any) -> None:
    """Draw the accuracy and cost of M + N members.

    M have full precision, N low precision, as in the paper's figure 4. Four panels, a cell for each M and N: clean
    accuracy, accuracy under attack, time and storage as multiples of one full-precision network's on the chip. What was
    not measured stays empty, and the commands that measure it are printed.
    """
    from hwsim.report.figure import PICTURES, empty_figure, write_figure
    from hwsim.report.files import check_target
    from hwsim.report.grid import draw_grid

    check_target(output, PICTURES)
    drawn = _grid(measurements, **asked)
    figure = empty_figure(2.4 + 1.75 * (asked["most_low"] + 1), 3 + 1.25 * (asked["most_full"] + 1))
    draw_grid(figure, drawn)
    write_figure(output, figure)


def _grid(
    file: Path,
    *,
    chip: str,
    overrides: tuple[str, ...],
    network: str | None,
    quantize: str | None,
    low: tuple[tuple[int, int], ...] | None,
    most_full: int,
    most_low: int,
    combiner: Literal["average", "max_vote", "random_switch"],
    batch: int,
    weights: Literal["streamed", "resident", "auto"],
    accuracy: Accuracy,
    attack: str | None,
    gradient: str | None,
    accounting: Literal["standard", "released"],
    dataset: str | None,
    epsilon: float | None,
    defence: str,
    budget: float,
    objective: Literal["latency", "energy", "edp"],
    effort: float | None,
    no_cache: bool,
) -> MemberGrid:
    """What is measured and mapped; what is not measured is told on stderr."""
    from hwsim.cli.map import load_chip, mapper
    from hwsim.cli.progress import LayerProgress
    from hwsim.mapper import EFFORT
    from hwsim.report.grid import Ways, member_grid
    from hwsim.search.best.asked import QUESTIONS, Attack, by_accuracy, by_attack, measured_subject, measuring, the_only
    from hwsim.spec.measurement import read_measurements

    if most_full + most_low == 0:
        raise click.UsageError("--most-full 0 and --most-low 0 leave no ensemble.")
    if attack is None and gradient is not None:
        raise click.UsageError("--gradient is of an --attack.")
    hardware, known = load_chip(chip, overrides), read_measurements(file)
    of = measured_subject(known, str(file), network, quantize, dataset=dataset, epsilon=epsilon, defence=defence)
    if low is None:
        low = (the_only("--low", None, {f"w{w}a{a}": (w, a) for w, a in of.low}, str(file)),)
    if attack is None:
        answers = by_accuracy(known, of, accuracy, combiner)
    else:
        answers = by_attack(known, of, Attack(attack, accounting, gradient), combiner)
    with LayerProgress() as progress:
        drawn = member_grid(
            Ways(answers.subject, hardware, low, combiner, batch, of.full, weights, objective),
            range(most_full + 1),
            range(most_low + 1),
            answers.of,
            answers.attacked,
            budget=budget,
            effort=EFFORT if effort is None else effort,
            mapper=mapper(no_cache),
            progress=progress.during("mapping ensembles"),
        )
    if drawn.missing:
        question = {"attack": attack, "accounting": accounting, "gradient": gradient} if attack else QUESTIONS[accuracy]
        names = ", ".join(cell.members for cell in drawn.missing)
        click.echo(f"Not measured: {names}. For each of them, as ENSEMBLE.yaml:", err=True)
        for command in measuring(answers.subject, question):
            click.echo(f"  {command}", err=True)
    return drawn
