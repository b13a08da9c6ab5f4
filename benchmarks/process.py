"""`hwsim` as a process of its own, the interpreter's start included.

Its CPU time is what is held against a goal: with one thread that is what it takes by the clock on a core of its own,
also when others use the machine meanwhile.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.judge import Judge

ROOT = Path(__file__).parents[1]

#: Libraries that NumPy may be built with start no threads of their own.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Run:
    """What a process left behind.

    Args:
        cpu: user and system time [s].
        clock: from its start to its end [s].
        peak: resident memory [B].
    """

    output: str
    cpu: float
    clock: float
    peak: int


def hwsim(*arguments: str, cache: Path) -> Run:
    """Run `hwsim` to its end.

    Args:
        cache: folder that it keeps results in.
    """
    before, begin = children(), perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.child", *arguments],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    cpu, clock = children() - before, perf_counter() - begin
    assert done.returncode == 0, done.stderr
    return Run(done.stdout, cpu, clock, int(done.stderr.split()[-1]))


def children() -> float:
    """CPU time of all processes started from here that have ended [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def judge_runs(judge: Judge, what: str, runs: Sequence[Run], goal: float | None) -> None:
    """Write down the usual CPU time, and beside it the time by the clock."""
    note = f"{median(run.clock for run in runs):.3g} s by the clock"
    judge(what, median(run.cpu for run in runs), "s", at_most=goal, note=note)
