"""`hwsim simulate` with requests and traces: what it plays, prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hwsim.cli import main

CHIP = "empir_ideal"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three members of a small network, by every combiner."""
    folder = tmp_path_factory.mktemp("ensembles")
    for combiner in ("max_vote", "average", "random_switch"):
        (folder / f"{combiner}.yaml").write_text(
            "name: three\nnetwork: lenet5\nmembers:\n  - {weights: 32, activations: 32}\n"
            f"  - {{weights: 4, activations: 4, count: 2}}\ncombiner: {combiner}\n"
        )
    return folder


def simulate(folder: Path, *options: str | Path, combiner: str = "max_vote") -> Result:
    return run("simulate", "--ensemble", folder / f"{combiner}.yaml", "--hw", CHIP, *options)


def streamed(folder: Path, *options: str | Path, combiner: str = "max_vote") -> dict[str, Any]:
    done = simulate(folder, "--json", *options, combiner=combiner)
    assert done.exit_code == 0, done.output
    stream = json.loads(done.stdout)["stream"]
    assert isinstance(stream, dict)
    return stream


@pytest.fixture(scope="module")
def seconds(folder: Path) -> float:
    """Time of one inference."""
    result = json.loads(simulate(folder, "--json").stdout)
    assert result["stream"] is None
    return float(result["ensemble"]["seconds"])


def test_requests_below_capacity_take_what_an_inference_takes(folder: Path, seconds: float) -> None:
    stream = streamed(folder, "--arrivals", f"{0.5 / seconds}/s", "--duration", f"{100 * seconds}s")
    assert stream["requests"] == {"arrived": 50, "served": 50, "left": 0, "waiting": 0}
    assert stream["latency_seconds"]["p99"]["value"] == pytest.approx(seconds)
    assert stream["capacity_per_second"] == pytest.approx(1 / seconds)
    assert stream["load"] == pytest.approx(0.5)
    assert stream["queue"]["max"] == 0
    assert stream["members_run"] is None


def test_overload_is_said(folder: Path, seconds: float) -> None:
    done = simulate(folder, "--arrivals", f"poisson:{2 / seconds}/s", "--duration", f"{200 * seconds}s")
    assert done.exit_code == 0
    assert "Overloaded: the queue grows by" in done.stdout
    assert "Stream of" in done.stdout


def test_seeds_make_streams_reproducible(folder: Path, seconds: float) -> None:
    options = ("--arrivals", f"poisson:{0.8 / seconds}/s", "--duration", f"{300 * seconds}s")
    first, again, other = (streamed(folder, *options, "--seed", seed) for seed in ("1", "1", "2"))
    assert first == again
    assert first["latency_seconds"] != other["latency_seconds"]


def test_batches_answer_several_requests_a_round(folder: Path, seconds: float) -> None:
    stream = streamed(
        folder, "--schedule", "batched", "--batch", "4", "--arrivals", f"{20 / seconds}/s", "--duration",
        f"{50 * seconds}s",
    )  # fmt: skip
    assert stream["most_inputs"] == 4
    assert 3.5 < stream["inputs_per_round"] <= 4


def test_requests_come_from_a_file(folder: Path, tmp_path: Path, seconds: float) -> None:
    (tmp_path / "arrivals.csv").write_text(f"user,time\nann,0\nbob,0\nann,{10 * seconds}\n")
    stream = streamed(folder, "--arrivals", tmp_path / "arrivals.csv")
    assert stream["requests"]["served"] == 3
    assert stream["seconds"] == pytest.approx(11 * seconds)
    assert stream["slowest_seconds"] == pytest.approx(2 * seconds)
    (tmp_path / "wrong.csv").write_text("time\n0\nlate\n-1\n")
    done = simulate(folder, "--arrivals", tmp_path / "wrong.csv")
    assert done.exit_code == 2
    assert f"{tmp_path}/wrong.csv:3: 'late' is not a time" in done.stderr
    assert "wrong.csv:4:" in done.stderr


def test_votes_may_end_early(folder: Path, seconds: float) -> None:
    options = ("--arrivals", f"{0.1 / seconds}/s", "--duration", f"{5000 * seconds}s")
    stream = streamed(folder, *options, "--early-exit", "80%")
    assert stream["members_run"] == pytest.approx(2.2, abs=4 * 0.4 / 500**0.5)
    assert streamed(folder, *options, "--early-exit", "100%")["members_run"] == 2
    said = simulate(folder, *options, "--early-exit", "80%").stdout
    assert "of 3 members run for a request" in said
    assert "Under attack" in said


def test_random_switch_serves_by_one_member_at_a_time(folder: Path) -> None:
    stream = streamed(folder, "--arrivals", "1k/s", "--duration", "1s", combiner="random_switch")
    assert stream["requests"]["arrived"] == 1000


@pytest.mark.parametrize("combiner", ["average", "random_switch"])
def test_an_early_exit_needs_a_vote(folder: Path, combiner: str) -> None:
    done = simulate(folder, "--arrivals", "1/s", "--early-exit", "0.9", combiner=combiner)
    assert done.exit_code == 2
    assert "--early-exit needs the combiner max_vote" in done.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--duration", "1s"), "--duration is about a stream of requests: add --arrivals"),
        (("--warm-up", "1s"), "--warm-up is about a stream"),
        (("--early-exit", "90%"), "--early-exit is about a stream"),
        (("--arrivals", "2000"), "missing unit: write 2000/s"),
        (("--arrivals", "many/s"), "'many' is not a number above 0"),
        (("--arrivals", "0/s"), "is not a number above 0"),
        (("--arrivals", "-3/s"), "is not a number above 0"),
        (("--arrivals", "gamma:3/s"), "'gamma' is no kind of arrivals"),
        (("--arrivals", "missing.csv"), "missing.csv: cannot be read: no such file"),
        (("--arrivals", "1/s", "--duration", "5"), "missing unit"),
        (("--arrivals", "1/s", "--duration", "0s"), "must be more than 0 s"),
        (("--arrivals", "1/s", "--duration", "1s", "--warm-up", "1s"), "--warm-up must be shorter"),
        (("--arrivals", "1/s", "--early-exit", "101%"), "is more than 100 %"),
        (("--arrivals", "1/s", "--early-exit", "1%"), "answers at random agree in 1 of 10 inputs"),
        (("--arrivals", "1P/s"), "are more than 5,000,000"),
        (("--trace", "run.csv"), "the suffix of a trace must be .json"),
    ],
)
def test_what_does_not_fit_together_is_refused(folder: Path, options: tuple[str, ...], why: str) -> None:
    done = simulate(folder, *options)
    assert done.exit_code == 2
    assert why in done.stderr
    assert "Traceback" not in done.output


def test_traces_are_written(folder: Path, tmp_path: Path) -> None:
    assert simulate(folder, "--trace", tmp_path / "one.json").exit_code == 0
    events = json.loads((tmp_path / "one.json").read_text())["traceEvents"]
    assert {"members", "layers", "compute"} <= {x["args"]["name"] for x in events if x["name"] == "thread_name"}
    stream = ("--arrivals", "1k/s", "--duration", "20ms")
    assert simulate(folder, *stream, "--trace", tmp_path / "stream.json").exit_code == 0
    events = json.loads((tmp_path / "stream.json").read_text())["traceEvents"]
    assert sum(x.get("cat") == "rounds" for x in events) == 20


def test_fifo_is_serial(folder: Path) -> None:
    options = ("--arrivals", "1k/s", "--duration", "50ms")
    assert streamed(folder, *options, "--schedule", "fifo") == streamed(folder, *options, "--schedule", "serial")
