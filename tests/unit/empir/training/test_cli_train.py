"""`empir train`: a table or JSON on stdout, everything else on stderr, nothing done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from empir.cli import main
from empir.cli.train import Rate
from empir.data import load
from empir.training import train as training
from empir.training.checkpoint import read
from empir.training.train import accuracy, member_seeds
from hwsim.spec.load import load_ensemble

SPEC = """
name: small digits
network: tests.unit.empir.training.small:digits
members:
  - {weights: 32, activations: 32}
  - {weights: 2, activations: 4}
quantize: convs
"""
QUICK = ("--limit", "64", "--epochs", "2", "--batch-size", "32", "--device", "cpu")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


def run(spec: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["train", "--ensemble", str(spec), "-o", str(spec.parent / "runs"), *options])


def test_every_member_is_trained_once(spec: Path) -> None:
    first = run(spec, *QUICK, "--json")
    assert first.exit_code == 0, first.stderr
    record = json.loads(first.stdout)
    assert record["recipe"]["limit"] == 64
    assert record["recipe"]["epochs"] == 2
    assert record["dataset"] == "mnist5k"
    assert [(one["member"], one["precision"]) for one in record["members"]] == [("fp1", "w32a32"), ("w2a4-1", "w2a4")]
    ensemble, tests = load_ensemble(spec), load("mnist5k", "test")
    for one, member, seed in zip(record["members"], ensemble.expanded(), member_seeds(ensemble, 0), strict=True):
        assert one["seed"] == seed == read(Path(one["path"])).training.seed
        assert one["test_accuracy"] == accuracy(ensemble, member, Path(one["path"]), tests)
        assert one["images_per_second"] > 0
    again = json.loads(run(spec, *QUICK, "--json").stdout)
    assert [one.pop("images_per_second") for one in again["members"]] == [None, None]
    assert [one | {"images_per_second": None} for one in again["members"]] == [
        one | {"images_per_second": None} for one in record["members"]
    ]


def test_the_table(spec: Path) -> None:
    result = run(spec, *QUICK, "--defence", "fgsm_adversarial", "--set", "defence.epsilon=0.1")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].endswith("trained with fgsm_adversarial on 64 images of mnist5k")
    assert lines[2].split() == ["member", "precision", "seed", "test", "accuracy", "epochs", "images/s", "checkpoint"]
    assert [line.split()[:2] for line in lines[3:]] == [["fp1", "w32a32"], ["w2a4-1", "w2a4"]]
    for line in lines[3:]:
        recipe = read(Path(line.split()[-1])).training.recipe
        assert recipe.defence.epsilon == 0.1


def test_an_interruption_says_what_is_kept(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = training.fit

    def interrupted(network: object, recipe: object, dataset: object, seed: int, **options: object) -> object:
        if len(list((spec.parent / "runs").glob("*.pt"))) == 1:
            raise KeyboardInterrupt
        return whole(network, recipe, dataset, seed, **options)

    monkeypatch.setattr(training, "fit", interrupted)
    result = run(spec, *QUICK)
    assert result.exit_code == 130
    assert result.stdout == ""
    kept, last = result.stderr.splitlines()[-2:]
    assert kept == f"kept in {spec.parent / 'runs'}: finished members, and the last epoch of the one in work"
    assert last == "interrupted"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--defence", "distil"], "no defence is named 'distil'"),
        (["--set", "recipe.epoch=3"], "recipe.epoch: no such parameter (did you mean epochs?)"),
        (["--set", "pgd.iterations=3"], "there is no 'pgd' here (there are: recipe, defence)"),
        (["--epochs", "2", "--set", "recipe.epochs=3"], "recipe.epochs is given twice"),
        (["--data", "mnist6k"], "unknown data set 'mnist6k'"),
    ],
)
def test_wrong_options_are_refused(spec: Path, options: list[str], message: str) -> None:
    result = run(spec, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (spec.parent / "runs").exists()


def test_a_network_for_other_images_is_placed_in_the_file(spec: Path) -> None:
    spec.write_text(SPEC.replace("tests.unit.empir.training.small:digits", "cifarconv"))
    result = run(spec, *QUICK)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{spec}:3:")
    assert "takes images 3x32x32 of 10 classes, but those of mnist5k are 1x28x28 of 10 classes" in result.stderr


def test_the_rate_counts_steps_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs of 20 images, resumed after the first, with a pause between them for the state to be written."""
    times = iter([0.0, 1.0, 3.0, 10.0, 12.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    rate = Rate(lambda done, total: None)
    assert rate.images_per_second is None
    for done in (20, 30, 40, 40, 60):
        rate(done, 60)
    assert rate.images_per_second == 40 / 5
