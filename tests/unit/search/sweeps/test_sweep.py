"""Sweeps in this process, on worker processes that are killed, and by a scheduler's address: always the same result."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import psutil
import pytest
from pandas.testing import assert_frame_equal

import hwsim
from hwsim.errors import HwsimError, SpecError
from hwsim.search.results.dataset import Shard, files, read_counts, read_points
from hwsim.search.sweeps import cluster, sweep as module
from hwsim.search.sweeps.cluster import local, spread
from hwsim.search.sweeps.sweep import Stand, run
from hwsim.search.sweeps.work import Unit, compute, units, work
from hwsim.spec.space import Space
from tests.spaces import tiny

KNOB = {"name": "bandwidth", "path": "levels.DRAM.memories.DRAM.bandwidth"}


def several(*bandwidths: int, **changes: Any) -> Space:
    """The tiny space with as many chips."""
    knob = {**KNOB, "values": [f"{bits} bit/cycle" for bits in bandwidths]}
    return tiny(chips={"base": "bitfusion", "knobs": [knob]}, **changes)


TEN = several(*range(64, 384, 32))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten chips in this process."""
    folder = tmp_path_factory.mktemp("sweeps") / "undisturbed"
    run(TEN, folder, jobs=1)
    return folder


def assert_same(one: Path, other: Path) -> None:
    """Both hold the same designs and counts, in the same order, and nothing twice."""
    for read in (read_points, read_counts):
        assert_frame_equal(read(one), read(other))
    assert not read_points(one).duplicated(["chip", "combiner", "ensemble"]).any()
    assert len(read_points(one)) == read_counts(one)["designs"].sum() == 10 * 2 * 11


def states(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def workers() -> list[psutil.Process]:
    """Processes that this one has spawned for workers, and that live."""
    return [child for child in psutil.Process().children() if "spawn_main" in _command(child)]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a zombie, too
        return ""


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(undisturbed: Path, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(stand: Stand) -> None:
        if stand.units == 1 and not killed:
            victim = workers()[0]
            killed.append(victim.pid)
            victim.kill()

    stands: list[Stand] = []
    swept = run(TEN, tmp_path / "sweep", jobs=2, cache=False, progress=lambda s: (stands.append(s), kill(s))[0])
    assert len(killed) == 1
    assert killed[0] not in [worker.pid for worker in workers()]
    assert (stands[-1].units, stands[-1].designs) == (swept.units, 220)
    assert swept.units > 2
    assert_same(tmp_path / "sweep", undisturbed)
    assert not workers()


def test_a_unit_that_kills_every_worker_is_given_up_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LIVES", 1)
    whole = work(several(64, 128, 192))
    found = units(whole, {part.key for part in whole.parts}, 2)
    bad = found[1].name
    assert len(found) == 3

    def deadly(unit: Unit) -> Shard:  # sent to the workers as it is, since they cannot import it
        if unit.name == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return compute(unit)

    with local(2) as client:
        outcomes = list(spread(client, found, lambda unit: True, deadly))
    assert {outcome.unit.name: outcome.shard is not None for outcome in outcomes} == {
        unit.name: unit.name != bad for unit in found
    }
    assert [outcome.reason for outcome in outcomes if outcome.shard is None] == [cluster.killed()]


def test_what_could_not_be_computed_is_told_and_computed_by_the_next_try(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def faulty(unit: Unit, cache: bool) -> Shard:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ZeroDivisionError("of all things")
        return compute(unit, cache)

    monkeypatch.setattr(module, "compute", faulty)
    with pytest.raises(HwsimError, match=r"(?s)1 of \d+ units could not be computed.*bandwidth.*ZeroDivisionError"):
        run(TEN, tmp_path, jobs=1)
    before, tried = states(tmp_path), calls
    run(TEN, tmp_path, jobs=1)
    assert calls == tried + 1
    assert before.items() - states(tmp_path).items() <= {(tmp_path / "space.json", before[tmp_path / "space.json"])}
    assert_same(tmp_path, undisturbed)


def counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Number of parts computed since."""
    done = 0

    def counted(unit: Unit, cache: bool) -> Shard:
        nonlocal done
        done += len(unit.parts)
        return compute(unit, cache)

    monkeypatch.setattr(module, "compute", counted)
    return lambda: done


def test_a_finished_sweep_does_nothing(undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = counting(monkeypatch)
    before = states(undisturbed)
    stands: list[Stand] = []
    swept = run(TEN, undisturbed, jobs=1, progress=stands.append)
    assert computed() == 0
    assert states(undisturbed) == before
    assert stands == [Stand(0, 0, 220, 220, 220)]
    assert (swept.units, swept.designs, swept.found, swept.chips) == (0, 220, 220, 10)


@pytest.mark.parametrize("kind", ["points", "counts"])
def test_a_file_cut_short_is_computed_again_and_nothing_else(
    kind: str, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(TEN, tmp_path, jobs=1)
    victim = sorted((tmp_path / kind).iterdir())[0]
    (unit,) = (set(own or ()) or None for path, own in files(tmp_path) if path.name == victim.name)
    assert unit is None  # all of the file belonged to the sweep
    os.truncate(victim, victim.stat().st_size // 2)
    lost = 20 - len({part for path, own in files(tmp_path) for part in own or held_by(path)})
    computed = counting(monkeypatch)
    run(TEN, tmp_path, jobs=1)
    assert 0 < computed() == lost < 20
    assert_same(tmp_path, undisturbed)


def held_by(path: Path) -> list[str]:
    return list(pandas.read_parquet(path, columns=["part"])["part"].unique())


def test_an_edited_space_computes_what_is_new_and_leaves_out_what_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(several(64, 96, 128), tmp_path, jobs=1)
    before = states(tmp_path)
    computed = counting(monkeypatch)
    run(several(96, 160), tmp_path, jobs=1)
    assert computed() == 2
    points = read_points(tmp_path)
    assert points["knob: bandwidth"].unique().tolist() == ["96 bit/cycle", "160 bit/cycle"]
    assert len(points) == read_counts(tmp_path)["designs"].sum() == 44
    assert before.keys() <= states(tmp_path).keys()
    run(several(64, 96, 128), tmp_path, jobs=1)
    assert computed() == 2
    assert len(read_points(tmp_path)) == 66


def test_what_another_sweep_has_computed_meanwhile_is_not_computed_again(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = counting(monkeypatch)
    stands: list[Stand] = []

    def first(stand: Stand) -> None:
        stands.append(stand)
        if len(stands) == 2:  # one unit is done: now another sweep does the rest
            run(TEN, tmp_path, jobs=1)

    run(TEN, tmp_path, jobs=1, progress=first)
    assert stands[-1].units == stands[-1].of_units > 2
    assert computed() == 20 + (20 - 2 * len(read_points(tmp_path)) // 22) == 20
    assert_same(tmp_path, undisturbed)


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Address of a scheduler with two worker processes."""
    with local(2) as client:
        yield client.scheduler.address


def test_workers_of_a_scheduler_by_its_address(scheduler: str, tmp_path: Path, undisturbed: Path) -> None:
    run(TEN, tmp_path, scheduler=scheduler)
    assert_same(tmp_path, undisturbed)


def test_a_scheduler_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with pytest.raises(HwsimError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9: "):
        run(TEN, tmp_path, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(HwsimError, match="no scheduler answers at nonsense://x: "):
        run(TEN, tmp_path, scheduler="nonsense://x")


def test_the_public_function_returns_the_points(undisturbed: Path, tmp_path: Path) -> None:
    assert_frame_equal(hwsim.sweep(TEN, undisturbed, jobs=1), read_points(undisturbed))
    alone = hwsim.sweep(several(64, keep="front"), jobs=1)
    assert 0 < len(alone) < 22
    assert set(alone["knob: bandwidth"]) == {"64 bit/cycle"}


def test_a_file_is_read_and_its_faults_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"space\.yaml"):
        hwsim.sweep(tmp_path / "space.yaml")


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(SpecError, match="holds something that is no sweep"):
        run(TEN, tmp_path, jobs=1)
