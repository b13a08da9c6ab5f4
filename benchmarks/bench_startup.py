"""How soon the command line answers."""

from __future__ import annotations

from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.judge import Judge
from benchmarks.process import Run, hwsim, judge_runs


def test_help(benchmark: BenchmarkFixture, judge: Judge, tmp_path: Path) -> None:
    runs: list[Run] = []
    benchmark.pedantic(lambda: runs.append(hwsim("--help", cache=tmp_path)), rounds=15, warmup_rounds=1)
    assert all(run.output.startswith("Usage: hwsim") for run in runs)
    judge_runs(judge, "hwsim --help", runs, 0.15)
