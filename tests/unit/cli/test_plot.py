"""`hwsim plot` as a user runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hwsim.cli.plot import plot
from hwsim.console import SETTINGS, Commands

main = Commands(name="hwsim", commands={"plot": plot}, context_settings=SETTINGS)

ENSEMBLE = "studies/sen_iclr2020/mnistconv.yaml"
MEASUREMENTS = "studies/sen_iclr2020/mnist5k/measurements.jsonl"


@pytest.fixture
def measurements(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(repository / MEASUREMENTS, tmp_path / "measurements.jsonl"))


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["plot", *map(str, arguments)])


@pytest.mark.parametrize("kind", ["roofline", "layers"])
def test_an_ensemble_on_a_chip_is_drawn(repository: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "picture.svg"
    result = run(kind, "--ensemble", repository / ENSEMBLE, "--hw", "empir_ideal", "--batch", "4", "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    drawn = out.read_text()
    for text in ("EMPIR MNISTconv: mnistconv, batch 4, on empir_ideal", "w2a4 (2 copies)", "conv2"):
        assert f">{text}<" in drawn


def test_figure_4_says_what_was_not_measured_and_how_it_would_be(measurements: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.svg"
    few = ("--most-full", "1", "--most-low", "2", "--low", "w2a4")
    result = run("grid", measurements, "--hw", "empir_ideal", *few, "-o", out)
    assert result.exit_code == 0, result.output
    assert "Not measured: 2 w2a4. For each of them" in result.stderr
    assert "empir verify --ensemble ENSEMBLE.yaml --data mnist5k" in result.stderr
    drawn = out.read_text()
    assert ">96.4<" in drawn
    # 1 + 2/8 where four bits run eight times as fast; the fully connected layer, which does not, is next to nothing.
    assert ">1.25×<" in drawn


def test_the_attack_of_the_paper_s_figure(measurements: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.svg"
    attack = ("--attack", "fgsm", "--accounting", "released", "--gradient", "released", "--combiner", "max_vote")
    few = ("--most-full", "1", "--most-low", "2", "--low", "w2a4")
    result = run("grid", measurements, "--hw", "empir_ideal", *few, *attack, "-o", out)
    assert result.exit_code == 0, result.output
    drawn = out.read_text()
    assert all(f">{share}<" in drawn for share in ("9.1", "64.8", "51.0"))
    assert "fgsm, epsilon 0.3, gradient released, counted as released" in drawn
    assert "--attack fgsm --set fgsm.epsilon=0.3 --gradient released --accounting released" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--low: choose one of what was measured: w2a2, w2a4, w4a4"),
        (("--low", "w2"), "'w2' is not a precision such as w2a4"),
        (("--low", "w2a4,w0a4"), "not from 1 to 64 bits"),
        (("--low", "w2a4", "--network", "alexnet"), "'alexnet' was not measured (there are: mnistconv)"),
        (("--low", "w2a4", "--attack", "fgsm", "--accounting", "released"), "--gradient: choose one"),
        (("--low", "w2a4", "--gradient", "paper"), "--gradient is of an --attack"),
        (("--low", "w2a4", "--most-full", "0", "--most-low", "0"), "leave no ensemble"),
        (("--low", "w2a4", "--hw", "turin"), "turin"),
    ],
)
def test_mistakes_end_in_a_message(measurements: Path, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    result = run("grid", measurements, "--hw", "empir_ideal", "-o", tmp_path / "grid.png", *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (tmp_path / "grid.png").exists()


def test_a_picture_that_could_not_be_written_is_refused_before_the_work(repository: Path, tmp_path: Path) -> None:
    for out, says in ((tmp_path / "a.gif", ".png, .svg or .pdf"), (tmp_path / "none" / "a.png", "there is no folder")):
        result = run("layers", "--ensemble", repository / ENSEMBLE, "--hw", "no such chip", "-o", out)
        assert result.exit_code == 2
        assert says in result.stderr
