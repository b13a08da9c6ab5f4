"""`hwsim pareto` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas
import pytest
from click.testing import CliRunner, Result

from hwsim.cli.pareto import pareto
from hwsim.console import SETTINGS, Commands

main = Commands(name="hwsim", commands={"pareto": pareto}, context_settings=SETTINGS)

#: a and c are on the front over both, b is only cheap enough where nothing has to be measured.
DESIGNS = pandas.DataFrame(
    {
        "network": "mnistconv",
        "configuration": ["a", "b", "c", "d"],
        "batch": [1, 1, 16, 16],
        "time_overhead": [0.1, 0.05, 0.2, 0.5],
        "storage_overhead": [0.1, 0.2, 0.3, 0.0],
        "robust_accuracy": [0.3, float("nan"), 0.4, 0.9],
        "cost_feasible": [True, True, True, False],
        "feasible": [True, False, True, False],
    }
)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    DESIGNS.to_parquet(tmp_path / "points.parquet")
    return tmp_path / "points.parquet"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["pareto", *map(str, arguments)])


def names(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [row["configuration"] for front in json.loads(result.stdout)["fronts"] for row in front["designs"]]


def test_the_front_of_the_feasible_designs(sweep: Path) -> None:
    goals = ("--x", "time_overhead", "--y", "robust_accuracy", "--json")
    assert names(run(sweep, *goals)) == ["a", "c"]
    assert names(run(sweep, *goals, "--feasible-only")) == ["a", "c"]
    assert names(run(sweep, *goals, "--all")) == ["a", "c", "d"]
    assert names(run(sweep, *goals, "--all", "--where", "batch=16")) == ["c", "d"]
    assert names(run(sweep, "--x", "time_overhead", "--y", "storage_overhead", "--cost-feasible", "--json")) == [
        "b",
        "a",
    ]
    worse = ("--x", "time_overhead:maximise", "--y", "robust_accuracy:minimise", "--json")
    assert names(run(sweep, *worse)) == ["a", "c"]
    assert names(run(sweep, *worse, "--z", "batch:minimise", "--all")) == ["a", "c", "d"]


def test_files_are_written_whole_with_what_they_should_hold(sweep: Path) -> None:
    folder = sweep.parent
    goals = ("--x", "time_overhead", "--y", "robust_accuracy")
    result = run(sweep, *goals, "--html", folder / "f.html", "--png", folder / "f.png", "-o", folder / "f.csv")
    assert result.exit_code == 0, result.output
    assert "low time overhead and high robust accuracy" in result.stdout
    assert (folder / "f.html").read_text().startswith("<!DOCTYPE html>")
    assert (folder / "f.png").read_bytes()[:4] == b"\x89PNG"
    assert list(pandas.read_csv(folder / "f.csv")["configuration"]) == ["a", "c"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--x", "time_overhed", "--y", "batch"), ["did you mean time_overhead?", "--y: which values of 'batch'"]),
        (("--x", "time_overhead", "--y", "time_overhead"), ["time_overhead is there twice"]),
        (("--x", "time_overhead", "--y", "configuration"), ["--y: the column 'configuration' holds text"]),
        (("--x", "time_overhead", "--y", "storage_overhead", "--where", "batch=2"), ["(there are: 1, 16)"]),
        (("--x", "time_overhead", "--y", "storage_overhead", "--where", "batch"), ["is not COLUMN=VALUE"]),
        (
            ("--x", "time_overhead", "--y", "storage_overhead", "--reference", "time_overhed=1"),
            ["none of the goals (did you mean time_overhead?)"],
        ),
        (
            ("--x", "time_overhead", "--y", "storage_overhead", "--reference", "time_overhead=much"),
            ["time_overhead: must be a number such as 0.25 or 25 %"],
        ),
        (("--x", "time_overhead", "--y", "storage_overhead", "--html", "f.pdf"), [".html or .htm"]),
        (("--x", "time_overhead", "--y", "storage_overhead", "--png", "f.jpg"), ["the suffix must be .png"]),
    ],
)
def test_mistakes_end_in_a_message(sweep: Path, arguments: tuple[str, ...], says: list[str]) -> None:
    result = run(sweep, *arguments)
    assert result.exit_code == 2
    assert all(part in result.stderr for part in says), result.stderr


def test_the_reference_point_is_stated_and_can_be_chosen(sweep: Path) -> None:
    goals = ("--x", "time_overhead", "--y", "robust_accuracy")
    result = run(sweep, *goals, "--reference", "time_overhead=20%", "--reference", "robust_accuracy=0.2")
    # Only a counts: 10 points of time below 20 %, 10 points of accuracy above 20 %.
    assert "Hypervolume 0.01 against time overhead +20.00 %, robust accuracy 20.00 %" in result.stdout


def test_nothing_left_is_told_with_what_to_do(sweep: Path) -> None:
    DESIGNS.assign(feasible=False).to_parquet(sweep)
    result = run(sweep, "--x", "time_overhead", "--y", "robust_accuracy")
    assert result.exit_code == 0
    assert "No design of mnistconv is within every constraint; 4 are written down." in result.stdout
    assert "--cost-feasible" in result.stdout


def test_times_of_different_batches_are_not_compared_unnoticed(sweep: Path) -> None:
    DESIGNS.assign(seconds=[1.0, 2.0, 3.0, 0.1]).to_parquet(sweep)
    goals = ("--x", "seconds", "--y", "robust_accuracy")
    assert "choose one with --where batch=NUMBER" in run(sweep, *goals).stdout
    assert "choose one" not in run(sweep, *goals, "--where", "batch=16", "--all").stdout
    assert "choose one" not in run(sweep, "--x", "time_overhead", "--y", "robust_accuracy").stdout


def test_a_network_without_any_design_left_is_named(sweep: Path) -> None:
    pandas.concat([DESIGNS, DESIGNS.assign(network="alexnet", feasible=False)]).to_parquet(sweep)
    goals = ("--x", "time_overhead", "--y", "robust_accuracy")
    assert "No design of alexnet is within every constraint" in run(sweep, *goals).stdout
    assert json.loads(run(sweep, *goals, "--json").stdout)["without"] == ["alexnet"]
    assert "alexnet" not in run(sweep, *goals, "--where", "network=mnistconv").stdout


def test_of_what_is_no_sweep(tmp_path: Path) -> None:
    result = run(tmp_path / "none", "--x", "time_overhead", "--y", "robust_accuracy")
    assert result.exit_code == 2
    assert "there is no such file or folder" in result.stderr
