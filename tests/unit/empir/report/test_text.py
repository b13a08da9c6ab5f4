"""What a table says to people, and what it tells them to run."""

from __future__ import annotations

import io
import shlex

import click
import pytest

from empir.cli import main
from empir.report.missing import to_measure
from empir.report.table import tables
from empir.report.text import heading, print_table
from tests.unit.empir.report.made import FP, W2A4, measured

EMPIR = (FP, W2A4, W2A4)
COMPLETE = [
    *(measured(EMPIR, name, right, accounting="released") for name, right in
      {"cw": 860, "fgsm": 600, "bim": 200, "pgd": 180}.items()),
    measured(EMPIR, "worst_case", 120, over=("bim", "fgsm", "pgd")),
    measured(EMPIR, "adaptive", 3),
]  # fmt: skip


def printed(lines, terminal: bool = False, **options) -> str:
    file = io.StringIO()
    if terminal:
        file.isatty = lambda: True
    (table,) = tables(lines, **options)
    print_table(table, file)
    return file.getvalue()


def cells(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """Lines with pipes by approach and whose, each by column."""
    header, rule, *lines = (
        [cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line[:1] == "|"
    )
    assert all(set(cell) <= {"-", ":"} for cell in rule)
    return {(line[0], line[1]): dict(zip(header[2:], line[2:], strict=True)) for line in lines}


def test_figures_are_in_percent_under_their_columns() -> None:
    found = cells(printed(COMPLETE))
    assert found["EMPIR", "paper"] == {
        "clean": "98.89", "CW": "86.73", "FGSM": "67.06", "BIM": "18.61", "PGD": "17.51", "average": "47.48",
        "standard": "–", "adaptive": "–",
    }  # fmt: skip
    assert found["EMPIR: FP + 2×w2a4, max vote", "ours"] == {
        "clean": "98.00", "CW": "86.00", "FGSM": "60.00", "BIM": "20.00", "PGD": "18.00", "average": "46.00",
        "standard": "12.00 [10.1, 14.2]", "adaptive": "0.30 [0.1, 0.9]",
    }  # fmt: skip
    assert set(found["Defensive Distill.", "ours"].values()) == {"–"}


def test_columns_are_aligned() -> None:
    lines = [line for line in printed(COMPLETE).splitlines() if line.startswith("|")]
    assert len({tuple(i for i, c in enumerate(line) if c == "|") for line in lines}) == 1


def test_data_and_samples_are_named_and_told_from_the_paper_s() -> None:
    text = printed(COMPLETE)
    assert "ours on mnist5k (test, 1,000 samples, epsilon 0.3)" in text
    assert "mnist5k is not the paper's MNIST" in text
    (same,) = tables([measured(EMPIR, "fgsm", 10, dataset="mnist")])
    assert "is not the paper's" not in heading(same)
    (other,) = tables([measured((FP,), "fgsm", 10, network="somebody.net:f")])
    assert heading(other) == "somebody.net:f on mnist5k (test, 1,000 samples, epsilon 0.3): accuracy [%]"


def test_fewer_samples_are_marked() -> None:
    fewer = measured(EMPIR, "adaptive", 1, samples=200, clean=190)
    assert cells(printed([*COMPLETE[:-1], fewer]))["EMPIR: FP + 2×w2a4, max vote", "ours"]["adaptive"].endswith(
        "(n=200)"
    )


def test_the_worst_case_of_unbounded_attacks_has_a_column_when_measured() -> None:
    every = measured(EMPIR, "worst_case", 0, over=("bim", "cw", "fgsm", "pgd"), norm=None, epsilon=None)
    text = printed([*COMPLETE, every])
    assert cells(text)["EMPIR: FP + 2×w2a4, max vote", "ours"]["standard, all"] == "0.00 [0.0, 0.4]"
    assert "standard, all: the same after bim, cw, fgsm, pgd." in text
    assert "standard, all" not in printed(COMPLETE)


def test_what_is_out_of_line_is_said() -> None:
    text = printed([
        measured(EMPIR, "pgd", 10, accounting="released", gradient="mean_logit"),
        measured(EMPIR, "fgsm", 10, accounting="released"),
        measured(EMPIR, "fgsm", 400, accounting="released", epsilon=0.1),
    ])  # fmt: skip
    assert "EMPIR: FP + 2×w2a4, max vote: PGD is on mean_logit, the released code's on released." in text
    assert "Measured, but not shown: fgsm at 0.1 on released (released)." in text


def test_a_terminal_gets_the_same_figures_without_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    text = printed(COMPLETE, terminal=True)
    assert "|" not in text
    for figure in ("86.73", "46.00", "Baseline FP"):
        assert figure in text


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.startswith("  empir ")]


def test_nothing_is_asked_for_where_nothing_lacks() -> None:
    own = {"network": "somebody.net:f"}
    released = [measured((W2A4,), name, 1, accounting="released", **own) for name in ("cw", "fgsm", "bim", "pgd")]
    worst = measured((W2A4,), "worst_case", 1, over=("pgd",), **own)
    (table,) = tables([*released, worst, measured((W2A4,), "adaptive", 1, **own)])
    assert to_measure(table, "m.jsonl") == ""


def test_a_trained_ensemble_needs_only_what_it_lacks() -> None:
    (table,) = tables([
        measured((W2A4,), "fgsm", 1, accounting="released", network="a.b:c", defence="distillation", seed=4),
        measured((W2A4,), "adaptive", 1, network="a.b:c", defence="distillation", seed=4),
    ])  # fmt: skip
    text = to_measure(table, "my m.jsonl")
    assert text.startswith("Not measured: w2a4 (Defensive Distill.)\n")
    common = ["--ensemble", "ENSEMBLE.yaml", "--data", "mnist5k", "--defence", "distillation", "--seed", "4"]
    fgsm, *others = (["--set", f"{name}.epsilon=0.3"] for name in ("fgsm", "bim", "pgd"))
    rest = [*others[0], *others[1], "-o", "my m.jsonl"]
    assert commands(text) == [
        ["empir", "attack", *common, "--accounting", "released", "--attack", "cw,bim,pgd", *rest],
        ["empir", "attack", *common, "--attack", "fgsm,bim,pgd", *fgsm, *rest],
    ]


def test_what_was_never_trained_is_trained_first() -> None:
    (table,) = tables(COMPLETE)
    text = to_measure(table, "m.jsonl")
    assert "Defensive Distill. (--defence distillation)" in text
    assert "EMPIR (FGSM Adv. Train) (--defence fgsm_adversarial)" in text
    assert [command[1] for command in commands(text)] == 2 * ["train", "attack", "attack", "verify"]
    assert [("--defence" in command) for command in commands(text)] == 4 * [False] + 4 * [
        True
    ]  # Baseline FP, then others


@pytest.mark.parametrize("lines", [COMPLETE, [measured((FP,), "fgsm", 1, seed=3, defence="input_gradient")]])
def test_every_command_is_one_that_empir_takes(lines) -> None:
    (table,) = tables(lines)
    found = commands(to_measure(table, "m.jsonl"))
    assert found
    for _, name, *arguments in found:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        command.make_context(name, arguments)
