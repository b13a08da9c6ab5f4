"""`hwsim search`: what it prints, writes and refuses, and its exit codes.

On empir_ideal, with every layer quantised, costs are Equation 6's: each member at 4 bits or fewer takes an eighth of
the time of one in full precision, so that one of these beside two of those is exactly 25 % over.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hwsim.cli import main
from hwsim.spec.measurement import Measurement
from tests.unit.search.measured.test_evaluate import FAKE, Bench
from tests.unit.search.measured.test_robustness import line, worst

FP, LOW, FOUR = (32, 32), (2, 4), (4, 4)

#: M and N up to 2, of w2a4 and w4a4.
SMALL = ("--full-precision", "0..2", "--low-precision", "0,1..2", "--weights", "2,4", "--activations", "4")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are as wide as they need to be, whoever runs the tests."""
    monkeypatch.delenv("COLUMNS", raising=False)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["search", *map(str, arguments)], catch_exceptions=False)


def ideal(*options: str | Path) -> Result:
    return run("--network", "mnistconv", "--hw", "empir_ideal", *SMALL, *options)


def found(*options: str | Path) -> dict[str, Any]:
    done = ideal("--json", *options)
    assert done.exit_code in (0, 1), done.output
    record = json.loads(done.stdout)
    assert isinstance(record, dict)
    return record


def measured(tmp_path: Path, *lines: Measurement) -> Path:
    file = tmp_path / "measurements.jsonl"
    file.write_text("".join(one.line() + "\n" for one in lines))
    return file


def quantised_throughout(*copies: tuple[int, int], **fields: Any) -> Measurement:
    return line(*copies, quantize="all", **fields)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The best costs exactly the limit; another is too dear, a third loses too much."""
    return measured(
        tmp_path,
        quantised_throughout(FP, clean=0.96, robust=0.0, interval=(0, 0.05)),
        quantised_throughout(FP, LOW, LOW, clean=0.95, robust=0.5, interval=(0.45, 0.55)),
        quantised_throughout(FP, FP, clean=0.96, robust=0.9),
        quantised_throughout(LOW, clean=0.90, robust=0.7),
        quantised_throughout(FP, FOUR, combiner="average", clean=0.95, robust=0.44, interval=(0.4, 0.48)),
    )


def test_exactly_the_limit_is_within_it(file: Path) -> None:
    record = found("--measurements", file)
    (network,) = record["networks"]
    best = network["designs"][0]
    assert (best["configuration"], best["combiner"]) == ("fp + 2 w2a4", "max_vote")
    assert best["columns"]["time_overhead"] == pytest.approx(0.25)
    assert best["columns"]["equation6_time"] == pytest.approx(0.25)
    assert record["satisfied"]


def test_what_is_counted(file: Path) -> None:
    """M in 0..2 and N in 0..2 of two kinds: 3 * (1 + 2 + 3) - 1 ensembles, of which 3 have one member."""
    network = found("--measurements", file)["networks"][0]
    assert network["counts"]["designs"] == 3 + 3 * 14
    # Stored at most 25 % more: without full precision all of them, with one up to two times 2 bits (2/32 each) or one
    # of 4 and one of 2 bits (6/32), and two times 4 bits, exactly 25 %, but for biases, which are stored once a member.
    assert network["counts"]["measured"] == 5
    assert network["counts"]["feasible"] == 3
    assert network["counts"]["within"]["clean_loss"] == 4


def test_why_the_others_fail(file: Path) -> None:
    designs = found("--measurements", file)["networks"][0]["designs"]
    broken = {
        one["configuration"]: [excess["quantity"] for excess in one["excesses"]] for one in designs if one["excesses"]
    }
    assert broken == {"w2a4": ["clean_loss"], "2 fp": ["time_overhead", "storage_overhead"]}
    assert found("--measurements", file, "--clean-loss", "6%")["networks"][0]["designs"][0]["configuration"] == "w2a4"


def test_the_front(file: Path) -> None:
    designs = found("--measurements", file)["networks"][0]["designs"]
    assert {one["configuration"]: one["on_front"] for one in designs if one["measured"]} == {
        "fp": "yes",
        "fp + 2 w2a4": "yes",
        "fp + w4a4": "yes",
        "w2a4": "no",
        "2 fp": "no",
    }


def test_text_says_the_same(file: Path) -> None:
    done = ideal("--measurements", file)
    assert done.exit_code == 0
    said = done.stdout
    assert said.startswith(
        "mnistconv (all) on empir_ideal: robust by every attack of empir verify on mnist5k, epsilon 0.3"
    )
    assert "fp + 2 w2a4 max vote +25 %" in " ".join(said.split())
    assert "Measured, but not within the limits" in said
    assert "2 of 3 have an interval that overlaps another's: their robustness is not told apart." in said
    assert "storage +100 % (at most 25 %)" in said
    assert "clean loss 6 % (at most 2 %)" in said
    assert "pricing" not in said
    assert "pricing" in done.stderr


def test_nothing_within_the_limits(tmp_path: Path) -> None:
    file = measured(tmp_path, quantised_throughout(FP, FP, robust=0.5), quantised_throughout(FP))
    done = ideal("--measurements", file, "--clean-loss", "0")
    assert done.exit_code == 0  # the full-precision network alone
    file = measured(tmp_path, quantised_throughout(FP, FP, robust=0.5))
    done = ideal("--measurements", file)
    assert done.exit_code == 1
    assert "Nothing that was measured is within all limits." in done.stdout
    assert "clean loss is not known" in done.stdout


def test_what_is_not_measured_is_proposed_with_commands_that_work(file: Path, tmp_path: Path) -> None:
    from click import Context

    from empir.cli import main as empir
    from hwsim.spec.load import load_ensemble

    record = found("--measurements", file, "--checkpoints", tmp_path / "runs", "--candidates", "6")
    unmeasured = [one for one in record["networks"][0]["designs"] if not one["measured"]]
    assert unmeasured
    for one in unmeasured:
        assert one["columns"]["time_overhead"] <= 0.25 + 1e-9
        write, *commands = one["commands"]
        _shell(write)
        for command in commands:
            name, verb, *arguments = _words(command)
            assert name == "empir"
            parser = empir.get_command(Context(empir), verb)
            assert parser is not None
            parsed = parser.make_context(verb, arguments).params
            assert load_ensemble(parsed["file"]).identity() == one["ensemble"]


def _words(command: str) -> list[str]:
    import shlex

    return shlex.split(command)


def _shell(command: str) -> None:
    import subprocess

    subprocess.run(command, shell=True, check=True)


def test_without_measurements_costs_alone_decide() -> None:
    done = ideal("--time-overhead", "0", "--storage-overhead", "0")
    assert done.exit_code == 0
    assert "nothing measured" in done.stdout
    assert "--data DATASET" in done.stdout
    assert ideal("--full-precision", "2", "--low-precision", "0").exit_code == 1


def test_the_rule_of_the_measurements(tmp_path: Path) -> None:
    own = measured(tmp_path, line(FP, LOW), line(FP))
    assert found("--measurements", own)["networks"][0]["quantize"] == "convs"
    assert found("--measurements", own, "--quantize", "all")["networks"][0]["counts"]["measured"] == 1
    both = measured(tmp_path, line(FP, LOW), quantised_throughout(FP, LOW))
    done = ideal("--measurements", both, "--json")
    assert json.loads(done.stdout)["networks"][0]["quantize"] == "all"
    assert "2 rules: --quantize chooses" in done.stderr
    but = found("--measurements", both, "--quantize", "all but fc")["networks"][0]["quantize"]
    assert json.loads(but) == {"full_precision": ["fc"]}


def test_another_accuracy(tmp_path: Path) -> None:
    both = worst(FP, quantize="all", robust=0.3), quantised_throughout(FP, robust=0.1)
    file = measured(tmp_path, *both)
    shares = {
        way: found("--measurements", file, "--accuracy", way)["networks"][0]["designs"][0]["columns"]["robust_accuracy"]
        for way in ("verify", "standard")
    }
    assert shares == {"verify": 0.1, "standard": 0.3}


def test_measurements_that_count_otherwise(tmp_path: Path) -> None:
    done = ideal("--measurements", measured(tmp_path, worst(FP, quantize="all")))
    assert done.exit_code == 1
    assert "counts as verify (--accuracy standard 1 ensembles have)" in done.stdout


def test_rounds_need_a_data_set_and_a_file_that_can_be_written(tmp_path: Path) -> None:
    done = ideal("--measurements", tmp_path / "m.jsonl", "--evaluate")
    assert done.exit_code == 2
    assert "dataset: which data set is to be measured on?" in done.stderr
    done = ideal("--measurements", tmp_path / "nowhere" / "m.jsonl", "--evaluate", "--dataset", "mnist5k")
    assert done.exit_code == 2
    assert "nowhere" in done.stderr


def test_files(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "found.csv"
    done = ideal("--measurements", file, "-o", target, "--json")
    with target.open() as opened:
        rows = list(csv.DictReader(opened))
    designs = json.loads(done.stdout)["networks"][0]["designs"]
    assert [row["configuration"] for row in rows] == [one["configuration"] for one in designs]
    assert float(rows[0]["robust_accuracy"]) == 0.5
    assert {row["fails"] for row in rows} == {"", "clean_loss", "time_overhead; storage_overhead"}
    assert ideal("-o", tmp_path / "found.txt").exit_code == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hw", "turing"), "--network missing"),
        (("--network", "mnistconv"), "--hw missing"),
        (("--space", "x.yaml", "--hw", "turing", "--batch", "2"), "--space says what --hw, --batch would"),
        (("--network", "mnistconv", "--hw", "turing", "--evaluate"), "--evaluate needs --measurements FILE"),
        (("--network", "mnistconv", "--hw", "turing", "--clean-loss", "1%"), "nothing tells without --measurements"),
        (("--network", "mnistconv", "--hw", "turing", "--bits", "4..2"), "is not a list of whole numbers"),
        (("--network", "mnistconv", "--hw", "turing", "--bits", "9"), "--weights: "),
        (("--network", "mnistconv", "--hw", "turing", "--combiner", "median"), "--combiner: "),
        (("--network", "mnistconv", "--hw", "turing", "--full-precision", "0", "--low-precision", "0"), "no ensemble"),
        (("--network", "mnistconv", "--hw", "turing", "--quantize", "none"), "--quantize: "),
        (("--network", "mnistconf", "--hw", "turing"), "mnistconf"),
        (("--network", "mnistconv", "--hw", "turin"), "did you mean turing?"),
        (
            ("--network", "mnistconv", "--hw", "turing", "--measurements", "missing.jsonl"),
            "missing.jsonl: no such file",
        ),
        (("--network", "mnistconv", "--hw", "turing", "--empir-set", "epochs=3"), "is not NAME.FIELD=VALUE"),
        (
            ("--network", "mnistconv", "--hw", "turing", "--quantize", "all but fd"),
            "no multiply-accumulate layer is named 'fd'",
        ),
    ],
)
def test_bad_options(options: tuple[str, ...], said: str) -> None:
    done = run(*options)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_space_in_place_of_options(file: Path, tmp_path: Path) -> None:
    """Two chips: on one of them the limit on area fails."""
    space = tmp_path / "space.yaml"
    space.write_text(
        f"""
name: two clocks
subjects: [{{network: mnistconv, measurements: {file.name}}}]
ensembles:
  {{full_precision: 1, low_precision: [0, 1, 2], weights: [2, 4], activations: 4, combiner: [max_vote, average]}}
chips: {{base: empir_ideal, knobs: [{{name: clock, path: clock, values: [1 GHz, 2 GHz]}}]}}
objectives: {{seconds: minimise, robust_accuracy: maximise}}
constraints: {{time_overhead: 25 %, clean_loss: 2 %}}
"""
    )
    done = run("--space", space, "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert [chip["knobs"] for chip in record["chips"]] == [{"clock": "1 GHz"}, {"clock": "2 GHz"}]
    best = [
        (one["configuration"], one["knobs"]["clock"])
        for one in record["networks"][0]["designs"]
        if one["on_front"] == "yes"
    ]
    assert best == [("fp + 2 w2a4", "2 GHz"), ("fp + w4a4", "2 GHz"), ("fp", "2 GHz")]
    assert "clock" in run("--space", space).stdout


def test_what_is_lacking_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The front afterwards is that of what the fake says, though nobody told it before."""
    bench = Bench(tmp_path, size=300)
    kinds = {FP: (0.96, 0.0), LOW: (0.6, 0.0), FOUR: (0.95, 0.2)}
    for kind, (clean, robust) in kinds.items():
        bench.entrant(kind, clean=clean, robust=robust, **_throughout(kind))
    bench.entrant(FP, LOW, clean=0.96, robust=0.6, **_throughout(FP, LOW))
    bench.entrant(FP, FOUR, clean=0.96, robust=0.4, **_throughout(FP, FOUR))
    monkeypatch.setattr(sys.modules["hwsim.cli.search"], "EMPIR", (sys.executable, "-S", str(FAKE), str(bench.table)))
    options = (
        *("--network", "mnistconv", "--hw", "empir_ideal", "--full-precision", "0,1", "--low-precision", "0,1"),
        *("--weights", "2,4", "--activations", "4", "--combiner", "average", "--measurements", bench.measurements),
        *("--dataset", "mnist5k", "--epsilon", "0.3", "--checkpoints", tmp_path / "runs", "--json"),
    )
    done = run(*options, "--evaluate")
    assert done.exit_code == 0, done.output
    network = json.loads(done.stdout)["networks"][0]
    assert network["designs"][0]["configuration"] == "fp + w2a4"
    assert [one["samples"] for one in network["evaluation"]["rounds"]] == [100, 300]
    assert network["evaluation"]["rounds"][0]["out"] == ["w2a4"]
    assert network["evaluation"]["failures"] == []
    assert {verb for verb, *_ in bench.asked} == {"train", "verify"}
    assert "round 1, 100 samples, 1 of 5" in done.stderr
    before = len(bench.asked)
    again = run(*options, "--evaluate")
    assert json.loads(again.stdout)["networks"][0]["designs"] == network["designs"]
    assert [verb for verb, *_ in bench.asked[before:]] == ["train", "verify"]  # there might be more than 300 by now
    text = run(*(option for option in options if option != "--json"), "--evaluate").stdout
    assert "Round 1, 100 samples: 0 measured" in text


def _throughout(*copies: tuple[int, int]) -> dict[str, Any]:
    content = json.loads(quantised_throughout(*copies, combiner="average").line())
    return {"line": content}
