"""`hwsim search`: the best ensembles for a chip."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.options import assignment, fraction, numbers, search_options
from hwsim.errors import EXIT_OK, EXIT_OVER_BUDGET

if TYPE_CHECKING:
    from hwsim.search.best.best import Found, Rounds
    from hwsim.search.design.grid import Chip
    from hwsim.spec.space import Space

#: What runs empir: the one that is installed beside this hwsim.
EMPIR = (sys.executable, "-m", "empir")

#: Options that say what a space file says.
KNOBS = (
    "network", "parameters", "input_shape", "chip", "overrides", "measurements", "quantize", "dataset", "epsilon",
    "defence", "full_precision", "low_precision", "bits", "weights", "activations", "combiner", "batch", "weights_stay",
    "time_overhead", "storage_overhead", "clean_loss", "accuracy", "timing", "objective",
)  # fmt: skip


def wholes(text: str) -> list[int]:
    """Read `0,1,2` or `1..8` or both: `1..4,8`."""
    found: list[int] = []
    for part in text.split(","):
        first, dots, last = (piece.strip() for piece in part.partition(".."))
        ends = (first, last) if dots else (first, first)
        if not all(end.isdecimal() and len(end) < 5 for end in ends) or int(ends[1]) < int(ends[0]):
            raise click.BadParameter(f"{text!r} is not a list of whole numbers such as 0,1,2 or 1..8.")
        found += range(int(ends[0]), int(ends[1]) + 1)
    return found


def names(text: str) -> list[str]:
    """Read names separated by commas; spaces in them stand for underscores."""
    return [part.strip().replace(" ", "_") for part in text.split(",")]


def setting(text: str) -> str:
    """Check `NAME.FIELD=VALUE`, which empir reads."""
    path, equals, value = text.partition("=")
    if not equals or not value or not all(path.partition(".")):
        raise click.BadParameter(f"{text!r} is not NAME.FIELD=VALUE, as in recipe.epochs=5.")
    return text


def _ensemble_options(function: Any) -> Any:
    options = (
        click.option("--full-precision", metavar="LIST", type=wholes, default="0..2", show_default=True,
                     help="Values of M, the number of full-precision members."),
        click.option("--low-precision", metavar="LIST", type=wholes, default="0..4", show_default=True,
                     help="Values of N, the number of low-precision members."),
        click.option("--bits", metavar="LIST", type=wholes, default="1..8", show_default=True,
                     help="Widths of a low-precision member's weights and, apart from them, of its activations."),
        click.option("--weights", metavar="LIST", type=wholes, help="Of the weights, if not as --bits says."),
        click.option("--activations", metavar="LIST", type=wholes, help="Of the activations, if not as --bits says."),
        click.option("--combiner", metavar="NAME,...", type=names, default="average,max_vote,random_switch",
                     show_default=True, help="How answers are combined."),
        click.option("--batch", metavar="LIST", type=wholes, default="1", show_default=True,
                     help="Inputs computed at once."),
        click.option("--weights-stay", type=click.Choice(["streamed", "resident", "auto"]), default="auto",
                     show_default=True, help="Whether weights stay on the chip between inferences."),
        click.option("--quantize", metavar="RULE", help="all, convs, except_first_and_last or 'all but LAYER,...'.  "
                     "[default: the rule of the measurements; all without any]"),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _limit_options(function: Any) -> Any:
    options = (
        click.option("--time-overhead", metavar="SHARE", type=fraction, default="25%", show_default=True,
                     help="Time allowed beyond one full-precision network's; exactly that is allowed."),
        click.option("--storage-overhead", metavar="SHARE", type=fraction, default="25%", show_default=True,
                     help="The same of stored parameters."),
        click.option("--clean-loss", metavar="SHARE", type=fraction, default="2%", show_default=True,
                     help="Clean accuracy that may be lost to one full-precision network."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _measurement_options(function: Any) -> Any:
    options = (
        click.option("--measurements", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
                     help="What was measured, a .jsonl file; --evaluate appends to it."),
        click.option("--accuracy", type=click.Choice(["verify", "standard", "released"]),
                     help="Which robustness counts.  [default: verify, or as the space says]"),
        click.option("--dataset", metavar="NAME", help="On which data set, if measurements are of several or none."),
        click.option("--epsilon", metavar="NUMBER", type=click.FloatRange(0, 1),
                     help="Within which bound, if measurements are of several or none."),
        click.option("--defence", metavar="NAME", default="none", show_default=True,
                     help="How the members were trained to resist."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _evaluate_options(function: Any) -> Any:
    options = (
        click.option("--evaluate", is_flag=True, help="Measure candidates by empir, in rounds."),
        click.option("--candidates", metavar="N", type=click.IntRange(1, 10_000), default=16, show_default=True,
                     help="Ensembles that are measured, or proposed."),
        click.option("--first", metavar="N", type=click.IntRange(1), default=100, show_default=True,
                     help="Samples of the first round; every other has four times as many as the one before."),
        click.option("--samples", metavar="N", type=click.IntRange(1),
                     help="Samples of the last round.  [default: the whole test split]"),
        click.option("--checkpoints", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), default="runs",
                     show_default=True, help="Folder of trained members and of the ensembles' files."),
        click.option("--data-dir", metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
                     help="Folder of the data set's files, for empir."),
        click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where empir computes."),
        click.option("--empir-set", "settings", metavar="NAME.FIELD=VALUE", type=setting, multiple=True,
                     help="Handed to empir as --set, as in recipe.epochs=5. Repeatable."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@click.command("search")
@click.option("--space", "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="A design space, in place of all options that make one.")  # fmt: skip
@click.option("--network", metavar="NETWORK", help="Which network the ensembles are copies of.")
@click.option("--parameter", "parameters", metavar="NAME=VALUE", type=assignment, multiple=True,
              help="A parameter of the network, as in sequence_length=256. Repeatable.")  # fmt: skip
@click.option("--input-shape", metavar="SIZE,SIZE...", type=numbers(), help="Shape of one sample, if need be.")
@click.option("--hw", "chip", metavar="CHIP", help="The chip: a preset's name or the path of a YAML file.")
@click.option("--set", "overrides", metavar="PATH=VALUE", multiple=True,
              help="Change a field of the hardware file. Repeatable.")  # fmt: skip
@_measurement_options
@_ensemble_options
@_limit_options
@_evaluate_options
@click.option("--timing", type=click.Choice(["closed_form", "simulated"]), default="closed_form", show_default=True,
              help="How a layer is timed: by the closed form, or played event by event.")  # fmt: skip
@search_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every design that is listed.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Also write a .json, .csv or .parquet file.")  # fmt: skip
@click.pass_context
def search(ctx: click.Context, /, **given: Any) -> None:
    """Find the ensembles that are most robust within the limits.

    Prices every ensemble of M full-precision and N low-precision members, any widths, on one chip (or the chips of
    --space), and judges those whose robustness was measured:

    \b
    verify    right when clean and after every attack of `empir verify`; the default, because it is the honest one,
    standard  right when clean and after each of FGSM, BIM and PGD,
    released  the mean of FGSM, BIM, PGD and CW, each counted as the paper's code counts it.

    Prints how many designs are within each limit, the best, the Pareto front over time, storage, energy, clean and
    robust accuracy, why others fail, and which to measure with what commands. Nothing unmeasured is guessed.

    With --evaluate those are measured: ensembles over a limit on costs are never attacked. Of the others, candidates
    are those that no other beats in time and storage with as many members and bits, spread from the cheapest to the
    limit. empir trains members once for all and attacks in rounds, first on few samples, then on four times as many
    wherever an ensemble may still reach the front: the true front survives with a probability of at least 95 %. Every
    measurement is a line in the file, and none is made twice.

    Exit codes: 0 a measured ensemble is within all limits (or any, where nothing is measured), 1 none is, 2 bad input.
    """
    from hwsim.cache.families import RememberedFamilies
    from hwsim.mapper import EFFORT
    from hwsim.mapper.family import Families
    from hwsim.report.files import check_target, write_result
    from hwsim.report.records import text
    from hwsim.report.search import search_record, search_rows
    from hwsim.search.best.best import best_of

    if given["output"]:
        check_target(given["output"])
    _check(ctx, given)
    space, chips = _from_file(given) if given["file"] else _from_options(ctx, given)
    rounds = _rounds(given) if given["evaluate"] else None
    found: list[Found] = [
        best_of(
            space,
            chips,
            subject,
            mapper=Families() if given["no_cache"] else RememberedFamilies(),
            effort=EFFORT if given["effort"] is None else given["effort"],
            most=given["candidates"],
            checkpoints=given["checkpoints"],
            rounds=rounds,
            tell=lambda line: click.echo(line, err=True),
        )
        for subject in space.subjects
    ]
    record = search_record(space, chips, found)
    if given["output"]:
        write_result(given["output"], record, search_rows)
    if given["as_json"]:
        click.echo(text(record))
    else:
        from hwsim.report.search_table import print_search
        from hwsim.screen import console

        print_search(console(sys.stdout), record)
    ctx.exit(EXIT_OK if record["satisfied"] else EXIT_OVER_BUDGET)


def _check(ctx: click.Context, given: dict[str, Any]) -> None:
    """Refuse options that contradict each other, and files that are not there."""
    from hwsim.errors import Fault, SpecError

    if given["file"]:
        said = [name for name in KNOBS if _said(ctx, name) and name != "accuracy"]
        if said:
            options = ", ".join(_option(ctx, name) for name in said)
            raise click.UsageError(f"--space says what {options} would: leave out one or the other.")
        return
    if missing := [option for option, name in (("--network", "network"), ("--hw", "chip")) if not given[name]]:
        raise click.UsageError(f"{' and '.join(missing)} missing: say which, or give a --space.")
    if given["bits"] and _said(ctx, "bits") and given["weights"] and given["activations"]:
        raise click.UsageError("--bits says nothing beside --weights and --activations: leave it out.")
    if given["measurements"] is None:
        if given["evaluate"]:
            raise click.UsageError("--evaluate needs --measurements FILE, to keep what it measures.")
        if alone := [_option(ctx, name) for name in ("clean_loss", "accuracy", "epsilon") if _said(ctx, name)]:
            raise click.UsageError(f"{', '.join(alone)}: nothing tells without --measurements FILE.")
    elif not given["evaluate"] and not given["measurements"].exists():
        raise SpecError([Fault("no such file: --evaluate would make it", str(given["measurements"]))])


def _said(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _option(ctx: click.Context, name: str) -> str:
    return next(option.opts[0] for option in ctx.command.params if option.name == name)


def _from_file(given: dict[str, Any]) -> tuple[Space, tuple[Chip, ...]]:
    from hwsim.search.design.grid import chips, read_space

    space = read_space(given["file"])
    if given["accuracy"]:
        space = space.model_copy(update={"accuracy": given["accuracy"]})
    if given["evaluate"] and any(subject.measurements is None for subject in space.subjects):
        raise click.UsageError("--evaluate needs a file of measurements for every subject of the space.")
    return space, chips(space)


def _from_options(ctx: click.Context, given: dict[str, Any]) -> tuple[Space, tuple[Chip, ...]]:
    from hwsim.search.best.question import measured_rules, rule_of, space_of
    from hwsim.search.design.grid import Chip
    from hwsim.spec.ensemble import NetworkReference
    from hwsim.spec.load import load_hardware

    file: Path | None = given["measurements"]
    network = NetworkReference(
        name=given["network"], input_shape=given["input_shape"], parameters=dict(given["parameters"])
    )
    rule = rule_of(given["quantize"]) if given["quantize"] else None
    if rule is None:
        rules = measured_rules(file, network) if file and file.exists() else ()
        rule = rules[0] if len(rules) == 1 else "all"
        if len(rules) > 1:
            click.echo(f"measurements are of {len(rules)} rules: --quantize chooses; all is taken", err=True)
    subject = {
        "network": network.model_dump(mode="json"),
        "quantize": rule if isinstance(rule, str) else rule.model_dump(mode="json"),
        "measurements": str(file) if file else None,
        "dataset": given["dataset"],
        "epsilon": given["epsilon"],
        "defence": given["defence"],
    }
    ensembles = {
        "full_precision": given["full_precision"],
        "low_precision": given["low_precision"],
        "weights": given["weights"] or given["bits"],
        "activations": given["activations"] or given["bits"],
        "combiner": given["combiner"],
        "batch": given["batch"],
        "weights_stay": given["weights_stay"],
    }
    limits = ("time_overhead", "storage_overhead", *(["clean_loss"] if file else []))
    space = space_of(
        subject,
        ensembles,
        {name: given[name] for name in limits},
        given["chip"],
        accuracy=given["accuracy"] or "verify",
        timing=given["timing"],
        objective=given["objective"],
    )
    return space, (Chip({}, load_hardware(given["chip"], given["overrides"]), None),)


def _rounds(given: dict[str, Any]) -> Rounds:
    from hwsim.search.best.best import Rounds

    options = [("--data-dir", given["data_dir"]), ("--device", given["device"])]
    return Rounds(
        command=EMPIR,
        options=tuple(str(part) for option in options if option[1] for part in option),
        settings=given["settings"],
        first=given["first"],
        most=given["samples"],
    )
