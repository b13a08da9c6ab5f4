"""CPU time of finding optima, AccelForge 1.0.467's over hwsim's, on the machines of hw_configs/simple_s*.yaml.

Theirs is quoted from studies/accelforge/optima.csv, where importing the tool is not counted; nor is it here. Ours is of
the machine that this runs on.
"""

from __future__ import annotations

import csv
from statistics import median
from time import process_time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import hwsim
from benchmarks.judge import Judge
from benchmarks.process import ROOT

Row = dict[str, str]


def rows(machine: str, convolutions: bool) -> list[Row]:
    """Convolutions or matrix products of one machine."""
    with (ROOT / "studies/accelforge/optima.csv").open(newline="") as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        return [row for row in table if row["arch"] == machine and (row["Q"] != "1") == convolutions]


def nest(row: Row) -> hwsim.LoopNest:
    """The layer of a row."""
    stride = int(row["stride"])
    return hwsim.LoopNest(**{dim: int(row[dim]) for dim in "KCPQRS"}, stride=(stride, stride))


@pytest.mark.benchmark(timer=process_time)
@pytest.mark.parametrize("machine", ["S0", "S1", "S2"])
@pytest.mark.parametrize(
    ("kind", "goal"),
    [pytest.param("convolutions", 500, id="convolutions"), pytest.param("matrix products", None, id="products")],
)
def test_accelforge(benchmark: BenchmarkFixture, judge: Judge, machine: str, kind: str, goal: float | None) -> None:
    wanted = rows(machine, kind == "convolutions")
    hardware = hwsim.load_hardware(f"simple_{machine.lower()}")
    ours: list[list[float]] = [[] for _ in wanted]

    def search() -> None:
        for row, seconds in zip(wanted, ours, strict=True):
            begin = process_time()
            cost = hwsim.map_layer(nest(row), hardware, 16, 16, objective=row["objective"])
            seconds.append(process_time() - begin)
            assert cost.certificate.proven

    benchmark.pedantic(search, rounds=3)
    theirs = [float(row["cpu_seconds"]) for row in wanted]
    usual = [median(seconds) for seconds in ours]
    ratios = [their / our for their, our in zip(theirs, usual, strict=True)]
    names = [f"{row['layer']} {row['objective']}" for row in wanted]
    benchmark.extra_info |= dict(zip(names, ratios, strict=True))
    what = f"AccelForge's CPU time / ours, {kind} on {machine}"
    judge(
        what,
        sum(theirs) / sum(usual),
        "x",
        at_least=goal,
        note=f"{len(wanted)} of {min(ratios):.0f}x to {max(ratios):.0f}x",
    )
