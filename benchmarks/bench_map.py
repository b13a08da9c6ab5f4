"""`hwsim map` of whole networks in FP32 on turing, from nothing and from what an earlier run left on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.judge import Judge
from benchmarks.process import ROOT, Run, hwsim, judge_runs

#: Bytes in what a goal calls a megabyte.
MB = 1e6


def command(network: str) -> list[str]:
    """Map a network as it is."""
    file = ROOT / "benchmarks/full_precision.yaml"
    return ["map", "--ensemble", str(file), "--network", network, "--hw", "turing", "--json"]


def certificates(output: str) -> list[dict[str, Any]]:
    """Of every multiply-accumulate layer of the one member."""
    (member,) = json.loads(output)["members"]
    return [layer["certificate"] for layer in member["layers"] if layer["macs"]]


@pytest.mark.parametrize(
    ("network", "layers", "goal"),
    [pytest.param("alexnet", 8, 2.0, id="alexnet"), pytest.param("resnet50", 54, 5.0, id="resnet50")],
)
def test_map(benchmark: BenchmarkFixture, judge: Judge, tmp_path: Path, network: str, layers: int, goal: float) -> None:
    runs: list[Run] = []
    benchmark.pedantic(lambda: runs.append(hwsim(*command(network), "--no-cache", cache=tmp_path)), rounds=3)
    for run in runs:
        proofs = certificates(run.output)
        assert len(proofs) == layers
        assert all(proof["proven"] for proof in proofs)
    judge_runs(judge, f"{network} to the proven optimum", runs, goal)
    judge(f"{network}, peak memory", max(run.peak for run in runs) / MB, "MB", at_most=500)


@pytest.mark.parametrize(
    ("question", "extra", "goal"),
    [
        pytest.param("the same question", [], 0.5, id="result"),
        pytest.param("another question", ["--budget", "30%"], None, id="layers"),
    ],
)
def test_map_again(
    benchmark: BenchmarkFixture, judge: Judge, tmp_path: Path, question: str, extra: list[str], goal: float | None
) -> None:
    """From the result that an earlier run kept, or from the layers that it mapped."""
    first = hwsim(*command("resnet50"), cache=tmp_path)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert kept
    runs: list[Run] = []

    def forget() -> None:
        for path in set(tmp_path.rglob("*.json")) - set(kept):
            path.unlink()

    def again() -> None:
        runs.append(hwsim(*command("resnet50"), *extra, cache=tmp_path))

    benchmark.pedantic(again, setup=forget, rounds=10)
    assert all(certificates(run.output) == certificates(first.output) for run in runs)
    judge_runs(judge, f"resnet50 from the cache, {question}", runs, goal)
