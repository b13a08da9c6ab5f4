"""What was measured beside its goal, at the end of `make bench`. Nothing here fails for being slow."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.judge import Judge, Line

LINES = pytest.StashKey[list[Line]]()
LOAD = pytest.StashKey[tuple[float, float, float]]()


@pytest.fixture
def judge(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> Judge:
    """Where this benchmark's figures go."""
    return Judge(benchmark, pytestconfig.stash[LINES])


@pytest.fixture(autouse=True, scope="session")
def one_core() -> Iterator[None]:
    """Everything runs on one core, where the system has a way to ask for it; processes inherit that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    yield
    os.sched_setaffinity(0, cores)


def pytest_configure(config: pytest.Config) -> None:
    """Start an empty list, and see what else the machine is doing."""
    config.stash[LINES] = []
    config.stash[LOAD] = os.getloadavg()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures: medians, goals and how many times the goal was measured."""
    if not config.stash[LINES]:
        return
    before, after = (f"{load[0]:.1f}" for load in (config.stash[LOAD], os.getloadavg()))
    terminalreporter.section(f"measured / goal; load {before} before, {after} after, {os.cpu_count()} cores")
    rows = [("", "measured", "goal", "ratio", ""), *(line.cells for line in config.stash[LINES])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for what, *figures, note in rows:
        aligned = [cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=False)]
        terminalreporter.write_line("  ".join([what.ljust(widths[0]), *aligned, note]).rstrip())
