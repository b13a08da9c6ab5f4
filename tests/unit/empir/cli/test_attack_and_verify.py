"""From training to verdict on the command line, with a small real ensemble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from empir.attacks import ATTACKS
from empir.cli import main
from empir.evaluation import attacked as kept
from hwsim.spec.measurement import append_measurements, read_measurements

ENSEMBLE = """\
name: small
network: tests.unit.empir.cli.small:network
members:
  - {weights: 32, activations: 32}
  - {weights: 2, activations: 4, count: 2}
combiner: max_vote
quantize: convs
"""
RECIPE = ("--set", "recipe.epochs=6", "--set", "recipe.limit=1000", "--set", "recipe.learning_rate=0.003")
QUICK = ("iterations=10", "restarts=2", "sweep_iterations=5", "queries=50", "samples=15")
CPU = ("--device", "cpu")
LIMIT = 60


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[str | Path, ...]:
    """Options that name a trained ensemble."""
    folder = tmp_path_factory.mktemp("trained")
    file, runs = folder / "small.yaml", folder / "runs"
    file.write_text(ENSEMBLE)
    done = run("train", "--ensemble", file, "-o", runs, *RECIPE, *CPU)
    assert done.exit_code == 0, done.output
    return "--ensemble", file, "--checkpoints", runs, *RECIPE, *CPU, "--limit", str(LIMIT)


def attack(trained: tuple[str | Path, ...], *more: str | Path) -> Result:
    quick = ("--set", "cw.iterations=5", "--set", "pgd.iterations=5")
    return run("attack", *trained, "--attack", "fgsm,pgd,cw", *quick, *more)


def verify(trained: tuple[str | Path, ...], *more: str | Path) -> Result:
    return run("verify", *trained, *(part for one in QUICK for part in ("--set", f"adaptive.{one}")), *more)


def test_attack_prints_a_table_and_appends_measurements(trained: tuple[str | Path, ...], tmp_path: Path) -> None:
    file = tmp_path / "measurements.jsonl"
    done = attack(trained, "-o", file)
    assert done.exit_code == 0, done.output
    title, _, header, *rows = done.stdout.splitlines()
    assert title.startswith("small: tests.unit.empir.cli.small:network, on 60 test images of mnist5k, standard")
    assert [*header.split()[:5], header.split()[-1]] == ["attack", "gradient", "epsilon", "clean", "robust", "images/s"]
    assert [row.split()[0] for row in rows] == ["clean", "fgsm", "pgd", "cw", "worst", "worst"]
    lines = read_measurements(file)
    assert [line.attack for line in lines] == ["none", "fgsm", "pgd", "cw", "worst_case", "worst_case"]
    for line, row in zip(lines, rows, strict=True):
        assert f" {100 * line.robust_accuracy:.1f} %" in row
    clean = lines[0]
    assert clean.samples == LIMIT
    assert clean.clean_accuracy > 0.5
    assert clean.training["epochs"] == 6
    assert all(line.robust_accuracy <= clean.clean_accuracy for line in lines)
    assert lines[1].epsilon == 0.3


def test_a_second_run_attacks_nothing_and_adds_nothing(
    trained: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "measurements.jsonl"
    first, content = attack(trained, "-o", file), file.read_bytes()
    monkeypatch.setattr(kept, "run", None)
    assert attack(trained, "-o", file).stdout == first.stdout
    assert file.read_bytes() == content


def test_a_file_with_another_result_is_told_of_and_left_as_it_is(
    trained: tuple[str | Path, ...], tmp_path: Path
) -> None:
    file, other = tmp_path / "measurements.jsonl", tmp_path / "other.jsonl"
    assert attack(trained, "-o", file).stderr == f"{file}: 6 measurements added\n"
    clean, *rest = read_measurements(file)
    shares = {"clean_accuracy": 0.9, "robust_accuracy": 0.9, "interval": (0.8, 0.95), "confusion": None}
    append_measurements(other, [clean.model_copy(update=shares), *rest])
    content = other.read_bytes()
    told = attack(trained, "-o", other).stderr
    assert "0 measurements added" in told
    assert "has another result for none, 90.0%" in told
    assert other.read_bytes() == content


def test_released_accounting_follows_the_published_gradients(trained: tuple[str | Path, ...]) -> None:
    done = attack(trained, "--accounting", "released", "--json")
    assert done.exit_code == 0, done.output
    lines = json.loads(done.stdout)["measurements"]
    assert {line["attack"]: line["gradient"] for line in lines} == {
        "none": None,
        "fgsm": "released",
        "pgd": "released",
        "cw": "full_precision",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--attack", "fgms"), "no attack is named 'fgms' (did you mean fgsm?)"),
        (("--attack", "fgsm", "--gradient", "papr"), "no gradient 'papr' (did you mean paper?)"),
        (("--attack", "fgsm", "--set", "pgd.iterations=2"), "--set pgd: add pgd to --attack"),
        (
            ("--attack", "pgd", "--set", "pgd.iteratons=2"),
            "pgd.iteratons: no such parameter",
        ),
        (("--set", "recpe.epochs=2"), "--set: there is no 'recpe' here (did you mean recipe?)"),
        (("--defence", "distilation"), "did you mean distillation?"),
        (("--seed", "7"), "empir train --ensemble"),
    ],
)
def test_what_cannot_be_attacked_is_a_message(
    trained: tuple[str | Path, ...], options: tuple[str, ...], message: str
) -> None:
    done = run("attack", *trained, *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not done.stdout


def test_every_attack_is_named_in_the_help() -> None:
    said = " ".join(run("attack", "--help").stdout.split())
    assert f"Attacks; there are {', '.join(list(ATTACKS)[:-1])} and {list(ATTACKS)[-1]}." in said


def test_verify_prints_stages_gates_and_a_verdict(trained: tuple[str | Path, ...], tmp_path: Path) -> None:
    file = tmp_path / "measurements.jsonl"
    done = verify(trained, "-o", file)
    assert done.exit_code == 0, done.output
    out = done.stdout
    assert "within 0.3 in L-infinity" in out
    assert "samples, by temperature" in out
    assert sum(line.startswith(("holds  ", "FAILS  ")) for line in out.splitlines()) == 7
    assert out.splitlines()[-1].startswith("The robustness is ")
    (line,) = read_measurements(file)
    assert line.attack == "adaptive"
    assert f"{100 * line.robust_accuracy:.1f} %" in out.splitlines()[-1]


def test_verify_answers_in_json(trained: tuple[str | Path, ...]) -> None:
    record: dict[str, Any] = json.loads(verify(trained, "--json").stdout)
    assert record["verdict"]["judgement"] in ("real", "partly real", "not real")
    assert record["adaptive_accuracy"] <= record["plain_accuracy"] <= record["clean_accuracy"]
    assert record["measurement"]["schema"] == "hwsim.measurement/1"
    assert {one["gradient"] for one in record["sweep"]} == {"mean_probability", "mean_logit", "margin"}


def test_a_plan_that_cannot_be_is_a_message(trained: tuple[str | Path, ...]) -> None:
    done = run("verify", *trained, "--set", "adaptive.restart=2", "--set", "adaptive.epsilon=2")
    assert done.exit_code == 2
    assert "adaptive.restart: no such parameter (did you mean restarts?)" in done.stderr
    assert "adaptive.epsilon: " in done.stderr
