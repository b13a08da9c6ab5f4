"""`empir report` from the outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from empir.cli import main
from hwsim.spec.measurement import append_measurements
from tests.unit.empir.report.made import FP, W2A4, confused, measured


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "measurements.jsonl"
    lines = [
        measured((FP,), "pgd", 0, accounting="released", confusion=confused(0)),
        measured((FP,), "worst_case", 0, over=("pgd",)),
        measured((FP, W2A4, W2A4), "worst_case", 120, over=("pgd",)),
    ]
    append_measurements(path, lines)
    return path


def run(*arguments: object):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_the_table_goes_to_stdout_and_what_lacks_to_stderr(file: Path) -> None:
    done = run(file)
    assert done.exit_code == 0
    assert "| EMPIR: FP + 2×w2a4, max vote | ours " in done.stdout
    assert "empir verify" not in done.stdout.replace("`empir verify`", "")
    assert "  empir verify --ensemble ENSEMBLE.yaml" in done.stderr


def test_json_says_the_same_as_shares(file: Path) -> None:
    (table,) = json.loads(run(file, "--json").stdout)["tables"]
    assert (table["network"], table["dataset"], table["samples"], table["epsilon"]) == (
        "mnistconv",
        "mnist5k",
        1000,
        0.3,
    )
    assert table["paper"] == {"network": "MNISTconv", "dataset": "MNIST"}
    empir = next(row for row in table["rows"] if row["approach"] == "EMPIR")
    assert empir["paper"]["attacked"]["cw"] == 0.8673
    ours = empir["ours"][0]["accuracies"]
    assert ours["standard"]["accuracy"] == 0.12
    assert ours["standard"]["measurement"]["parameters"] == {"attacks": [{"attack": "pgd"}]}
    assert "adaptive" not in ours
    assert any(line.startswith("  empir verify") for line in table["to_measure"])


def test_figures_are_written_where_asked(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "figures"
    done = run(file, "-o", folder)
    assert done.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion-mnistconv-mnist5k-test-baseline-fp-released.png",
        "tradeoff-mnistconv-mnist5k-test.png",
    ]
    assert f"wrote {folder / 'tradeoff-mnistconv-mnist5k-test.png'}" in done.stderr


def test_another_bound_can_be_shown(file: Path) -> None:
    append_measurements(file, [measured((FP,), "fgsm", 777, accounting="released", epsilon=0.1)])
    assert "77.70" not in run(file).stdout
    assert "77.70" in run(file, "--epsilon", "0.1").stdout


def test_faults_are_named_and_end_in_2(file: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert "holds no measurements" in run(empty).stderr
    with file.open("a") as more:
        more.write("{}\n")
    done = run(file)
    assert done.exit_code == run(empty).exit_code == run(tmp_path / "absent.jsonl").exit_code == 2
    assert f"{file}:4" in done.stderr


def test_neither_torch_nor_matplotlib_is_needed_for_a_table(file: Path) -> None:
    code = (
        "import sys; from empir.cli import main\n"
        f"try: main(['report', {str(file)!r}])\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
