"""`hwsim sweep` as a process that is interrupted and killed, and what it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result
from pandas.testing import assert_frame_equal

from hwsim.cli import main
from hwsim.cli.sweep import _side_by_side
from hwsim.search.results.dataset import read_counts, read_points
from hwsim.search.sweeps.sweep import run
from hwsim.spec.load import load_space
from tests.spaces import TINY

#: Runs `hwsim`; a test run in the background inherits that SIGINT is ignored.
HWSIM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from hwsim.cli import main
main(sys.argv[1:], prog_name="hwsim")
"""

KNOB = {"name": "bandwidth", "path": "levels.DRAM.memories.DRAM.bandwidth"}


def written(path: Path, *bandwidths: int, **changes: Any) -> Path:
    """The tiny space with as many chips, as a file."""
    knob = {**KNOB, "values": [f"{bits} bit/cycle" for bits in bandwidths]}
    path.write_text(json.dumps({**TINY, "chips": {"base": "bitfusion", "knobs": [knob]}, **changes}))
    return path


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of sixteen chips."""
    return written(tmp_path_factory.mktemp("spaces") / "space.yaml", *range(32, 544, 32))


@pytest.fixture(scope="module")
def undisturbed(space: Path) -> Path:
    """The sweep of it in one go."""
    folder = space.parent / "undisturbed"
    run(space, folder, jobs=1)
    return folder


def started(space: Path, folder: Path, jobs: int) -> subprocess.Popen[str]:
    """Without the cache, so that a unit takes its time."""
    command = [sys.executable, "-c", HWSIM, "sweep", str(space), "-o", str(folder), "--jobs", str(jobs), "--no-cache"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def first_unit(process: subprocess.Popen[str], folder: Path) -> None:
    """Wait until one is done."""
    for _ in range(6000):
        if list(folder.glob("counts/*.parquet")):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("no unit was done in two minutes")


def hwsim(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "120"}).invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )


def assert_complete(folder: Path, undisturbed: Path) -> None:
    for read in (read_points, read_counts):
        assert_frame_equal(read(folder), read(undisturbed))
    assert len(read_points(folder)) == 16 * 2 * 11
    assert json.loads((folder / "space.json").read_text())["complete"] is True


@pytest.mark.parametrize(
    ("jobs", "number"), [(1, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGKILL)], ids=["1", "2", "2 killed"]
)
def test_an_interrupted_sweep_goes_on_where_it_was(
    jobs: int, number: signal.Signals, space: Path, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    process = started(space, folder, jobs)
    first_unit(process, folder)
    workers = psutil.Process(process.pid).children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: the workers get it, too
    else:
        process.kill()
    output, told = process.communicate(timeout=120)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert output == ""
    assert "Traceback" not in told
    if number == signal.SIGINT:
        assert re.search(rf"of 352 designs, \d of \d+ units; what is done stays in {folder}: the same command", told)
    assert bool(workers) == (jobs > 1)
    assert not psutil.wait_procs(workers, timeout=60)[1]  # nobody is left behind
    assert json.loads((folder / "space.json").read_text())["complete"] is False
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.parquet")}
    done = read_counts(folder)["designs"].sum()
    assert 0 < done < 352
    assert not (set(read_points(folder)["ensemble"]) - set(read_points(undisturbed)["ensemble"]))
    again = hwsim("sweep", space, "-o", folder, "--jobs", 1)
    assert again.exit_code == 0
    assert f"{done} of 352 designs, 0 of " in again.stderr
    assert_complete(folder, undisturbed)
    assert kept.items() <= {path: path.stat().st_mtime_ns for path in folder.glob("*/*.parquet")}.items()


def test_two_sweeps_at_once_in_one_folder_do_no_harm(space: Path, undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    processes = [started(space, folder, 1) for _ in range(2)]
    for process in processes:
        _, told = process.communicate(timeout=240)
        assert process.returncode == 0, told
    assert_complete(folder, undisturbed)
    assert not list(folder.rglob(".*"))


def test_a_finished_sweep_says_so_and_prints_what_it_found(space: Path, undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")}
    done = hwsim("sweep", space, "-o", undisturbed)
    assert done.exit_code == 0
    assert done.stderr == "nothing to do: all 352 designs are there\n"
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")} == before
    lines = done.stdout.splitlines()
    assert lines[-1] == f"352 designs on 16 chips: {undisturbed}"
    head, *rows = (re.split(r"  +", line.strip()) for line in lines[:-2])
    assert head == ["average", "random switch"]
    told = {name: own for name, *own in rows}
    assert (told["chips"], told["designs"]) == (["16", "16"], ["176", "176"])


def test_scenarios_stand_side_by_side_as_far_as_the_screen_reaches() -> None:
    assert _side_by_side([9, 15], 24) == [[0, 1]]
    assert _side_by_side([9, 15, 9], 23) == [[0], [1], [2]]
    assert _side_by_side([9, 9, 15], 18) == [[0, 1], [2]]
    assert _side_by_side([50], 10) == [[0]]


def test_one_json_object(space: Path, undisturbed: Path) -> None:
    done = hwsim("sweep", space, "-o", undisturbed, "--json")
    record = json.loads(done.stdout)
    assert (record["chips"], record["designs"], record["units"], record["found_designs"]) == (16, 352, 0, 352)
    points = read_points(undisturbed)
    for scenario in record["scenarios"]:
        own = points[points["combiner"] == scenario["combiner"]]
        inside = own[own["feasible"]]
        assert scenario["designs"] == len(own) == 176
        assert scenario["chips"] == 16
        assert scenario["feasible"] == len(inside)
        assert scenario["within time_overhead"] == (own["time_overhead"] <= 0.4).sum()
        better = sum(
            1
            for _, row in inside.iterrows()
            if not (
                (inside["time_overhead"] <= row["time_overhead"])
                & (inside["storage_overhead"] <= row["storage_overhead"])
                & (inside["low_precision"] >= row["low_precision"])
                & (
                    (inside["time_overhead"] < row["time_overhead"])
                    | (inside["storage_overhead"] < row["storage_overhead"])
                    | (inside["low_precision"] > row["low_precision"])
                )
            ).any()
        )
        assert scenario["front"] == better > 0


def test_chips_that_cannot_run_the_network_are_told(tmp_path: Path) -> None:
    knob = {"name": "buffer", "path": "levels.buffers.memories.WBUF.size", "values": ["1 B", "64 KiB"]}
    file = written(tmp_path / "space.yaml", chips={"base": "bitfusion", "knobs": [knob]})
    done = hwsim("sweep", file, "-o", tmp_path / "out", "--json", "--jobs", 1)
    assert done.exit_code == 0
    assert [(one["chips"], one["infeasible_chips"]) for one in json.loads(done.stdout)["scenarios"]] == [(2, 1)] * 2
    assert "chips that cannot run it" in hwsim("sweep", file, "-o", tmp_path / "out").stdout


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_folder_is_named_after_the_space(elsewhere: Path) -> None:
    written(elsewhere / "my space.yaml", 64)
    assert hwsim("sweep", "my space.yaml", "--jobs", 1).exit_code == 0
    assert len(read_points("tiny.sweep")) == 22


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.yaml"], "missing.yaml"),
        (["space.yaml", "--jobs", "2", "--scheduler", "tcp://host:1"], "--jobs is for this machine"),
        (["space.yaml", "-o", "space.yaml"], "is a file"),
        (["space.yaml", "-o", "full", "--jobs", "1"], "full: holds something that is no sweep"),
        (["space.yaml", "--storage", "trials.log", "--jobs", "1"], "has no trials"),
        (["faulty.yaml"], "faulty.yaml:"),
    ],
)
def test_what_is_wrong_is_told(elsewhere: Path, arguments: list[str], told: str) -> None:
    written(elsewhere / "space.yaml", 64)
    written(elsewhere / "faulty.yaml", 64, keep="some")
    (elsewhere / "full").mkdir()
    (elsewhere / "full" / "thesis.tex").write_text("")
    done = hwsim("sweep", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stdout == ""


def test_the_space_of_the_tests_is_read_from_a_file_as_from_python(space: Path) -> None:
    assert load_space(space).name == "tiny"
