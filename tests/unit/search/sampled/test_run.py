"""A sampled search of the tiny space against all of its designs, priced by array arithmetic and mapped one by one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from hwsim.ensemble.ensemble_cost import map_ensemble
from hwsim.errors import HwsimError, SpecError
from hwsim.mapper import map_layer
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.ensembles import ensemble_of, members_text
from hwsim.search.design.grid import chips, choices, scenarios
from hwsim.search.exhaustive.explore import explore
from hwsim.search.measured.robustness import Robust, Robustness, key
from hwsim.search.results.dataset import read_counts, read_index, read_points
from hwsim.search.sampled.run import sampled
from hwsim.search.sweeps.sweep import Stand
from hwsim.spec.load import load_hardware
from hwsim.spec.space import Space
from tests.spaces import tiny

KEYS = ["knob: bandwidth", "combiner", "batch", "configuration"]
COSTS = [name for name, column in COLUMNS.items() if column.costs]


def engine(trials: int, kind: str = "nsga2", seed: int = 0) -> dict[str, Any]:
    return {"kind": kind, "trials": trials, "seed": seed}


def run(space: Space, folder: Path, **how: Any) -> pandas.DataFrame:
    sampled(space, folder, **{"jobs": 1, **how})
    return read_points(folder)


def priced(space: Space) -> pandas.DataFrame:
    """Every design of a space with its costs, by what names it."""
    own, rows = choices(space.ensembles), []
    for scenario in scenarios(space):
        # Layer by layer, as samples are mapped: a family may settle a tie in latency otherwise, at another energy.
        for designs in explore(space, scenario, chips(space), mapper=map_layer):
            for row in range(len(designs.block.members)):
                rows.append(
                    {
                        "knob: bandwidth": designs.chip.knobs["bandwidth"],
                        "combiner": scenario.combiner,
                        "batch": scenario.batch,
                        "configuration": members_text(designs.block.copies(own, row), own.full),
                        **{name: float(designs.columns[name][row]) for name in COSTS},
                    }
                )
    return pandas.DataFrame(rows).set_index(KEYS).sort_index()


@cache
def everything() -> pandas.DataFrame:
    """Every design of the tiny space."""
    return priced(tiny())


def assert_among(points: pandas.DataFrame, all_of_them: pandas.DataFrame) -> None:
    """Every design is one of all, with its costs."""
    found = points.set_index(KEYS).sort_index()
    assert not found.index.duplicated().any()
    expected = all_of_them.loc[found.index]
    for name in COSTS:
        np.testing.assert_allclose(
            found[name].astype(float), expected[name].astype(float), rtol=1e-9, atol=1e-12, err_msg=name
        )


def beaten_by_none(points: pandas.DataFrame, space: Space) -> set[Any]:
    """Designs of a front of one chip and combiner, all pairs compared."""
    front = set()
    signs = [1 if sense == "minimise" else -1 for sense in space.objectives.values()]
    allowed = points[points["feasible"].astype(bool)]
    for _, alike in allowed.groupby(["knob: bandwidth", "combiner"]):
        values = alike[list(space.objectives)].to_numpy() * signs
        for own, index in zip(values, alike.index, strict=True):
            if not any((other <= own).all() and (other < own).any() for other in values):
                front.add(index)
    return front


@pytest.fixture(scope="module")
def exhausted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many trials as designs."""
    folder = tmp_path_factory.mktemp("exhausted")
    sampled(tiny(engine=engine(100)), folder, jobs=1)
    return folder


def test_as_many_trials_as_designs_find_all_of_them(exhausted: Path) -> None:
    points = read_points(exhausted)
    assert len(points) == len(everything()) == 44
    assert_among(points, everything())
    counts = read_counts(exhausted)
    assert counts["designs"].sum() == 44
    assert counts["feasible"].sum() == everything()["feasible"].sum()


def test_the_front_is_that_of_all_designs(tmp_path: Path, exhausted: Path) -> None:
    space = tiny(engine=engine(44), keep="front")
    swept = sampled(space, tmp_path, jobs=1, storage=exhausted / "trials.db")  # what is kept is no matter of trials
    assert (swept.found, swept.units) == (44, 0)
    expected = everything().reset_index()
    wanted = {tuple(expected.loc[index, KEYS]) for index in beaten_by_none(expected, space)}
    assert {tuple(row) for row in read_points(tmp_path)[KEYS].to_numpy()} == wanted
    assert 0 < len(wanted) < 44


def test_some_trials_find_some_of_them(tmp_path: Path) -> None:
    points = run(tiny(engine=engine(12, "tpe")), tmp_path)
    assert len(points) == 12
    assert_among(points, everything())


def test_played_designs_are_those_of_the_exhaustive_engine(tmp_path: Path) -> None:
    bandwidth = {"name": "bandwidth", "path": "levels.DRAM.memories.DRAM.bandwidth", "values": ["64 bit/cycle"]}
    space = tiny(
        engine=engine(10),
        timing="simulated",
        ensembles__batch=2,
        ensembles__weights=2,
        ensembles__combiner=["average", "random_switch"],
        chips__knobs=[bandwidth],
    )
    points = run(space, tmp_path)
    assert len(points) == 10  # all of them
    assert_among(points, priced(space))
    assert set(points["timing"]) == {"simulated"}


def test_a_plan_of_what_stays_is_each_ensembles_own(tmp_path: Path) -> None:
    space = tiny(engine=engine(6), ensembles__weights_stay="planned", ensembles__combiner=["average"])
    points = run(space, tmp_path)
    assert len(points) == 6
    low = [(), ((2, 4),), ((4, 4),), ((2, 4), (2, 4)), ((2, 4), (4, 4)), ((4, 4), (4, 4))]
    copies = {
        members_text(((8, 8),) * several + own, 8): ((8, 8),) * several + own for several in (0, 1) for own in low
    }
    for _, row in points.iterrows():
        hardware = load_hardware("bitfusion", [f"levels.DRAM.memories.DRAM.bandwidth={row['knob: bandwidth']}"])
        ensemble = ensemble_of(
            space.subjects[0].network, "all", "average", 1, "planned", 8, copies[row["configuration"]]
        )
        cost = map_ensemble(ensemble, hardware)
        assert row["time_overhead"] == pytest.approx(cost.overhead.time, rel=1e-9, abs=1e-12)
        assert row["energy_joules"] == pytest.approx(cost.energy_joules, rel=1e-9)
        assert row["storage_bytes"] == cost.storage_bytes


def interrupt_after(designs: int) -> Callable[[Stand], None]:
    def look(stand: Stand) -> None:
        if stand.units == designs:
            raise KeyboardInterrupt

    return look


def test_a_search_goes_on_and_a_finished_one_does_nothing(tmp_path: Path) -> None:
    space = tiny(engine=engine(20))
    with pytest.raises(KeyboardInterrupt):
        sampled(space, tmp_path, jobs=1, progress=interrupt_after(7))
    assert len(read_points(tmp_path)) == 7
    assert not read_index(tmp_path).complete
    stands: list[Stand] = []
    again = sampled(space, tmp_path, jobs=1, progress=stands.append)
    assert (again.designs, again.found, again.units) == (20, 7, 13)
    assert [stand.designs for stand in stands] == list(range(7, 21))
    points = read_points(tmp_path)
    assert len(points) == 20
    assert_among(points, everything())
    assert read_index(tmp_path).complete
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.suffix in (".json", ".parquet")}
    assert len(before) == 3
    stands.clear()
    assert sampled(space, tmp_path, jobs=1, progress=stands.append).units == 0
    assert [stand.designs for stand in stands] == [20]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_more_trials_go_on_with_those_that_are_there(tmp_path: Path) -> None:
    first = run(tiny(engine=engine(5)), tmp_path).set_index(KEYS)
    more = run(tiny(engine=engine(11)), tmp_path).set_index(KEYS)
    assert len(first) == 5
    assert len(more) == 11
    assert set(first.index) <= set(more.index)


def test_one_job_repeats_itself(tmp_path: Path) -> None:

    def found(name: str, seed: int) -> pandas.DataFrame:
        space = tiny(engine=engine(12, "tpe", seed))
        return run(space, tmp_path / name, storage=tmp_path / f"{name}.log")

    one, other, third = found("one", 0), found("other", 0), found("third", 1)
    pandas.testing.assert_frame_equal(one, other)
    assert set(map(tuple, third[KEYS].to_numpy())) != set(map(tuple, one[KEYS].to_numpy()))


PROCESS = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from hwsim.search.sampled.run import sampled
from tests.spaces import tiny
kill = int(sys.argv[4])
def look(stand):
    if kill and stand.units == kill:
        os.kill(os.getpid(), signal.SIGKILL)
space = tiny(engine={"kind": "nsga2", "trials": 30})
done = sampled(space, Path(sys.argv[1]), storage=sys.argv[2], jobs=1, progress=look)
print(done.units)
"""


def start(folder: Path, storage: Path, repository: Path, kill: int = 0) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", PROCESS, str(folder), str(storage), str(repository), str(kill)]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("name", ["shared.db", "shared.log"])
def test_processes_that_share_a_storage_share_the_work_and_one_may_be_killed(
    tmp_path: Path, repository: Path, name: str
) -> None:
    storage = tmp_path / name
    doomed, other = (start(tmp_path / "data", storage, repository, kill) for kill in (5, 0))
    assert doomed.wait(timeout=300) == -signal.SIGKILL
    said, complained = other.communicate(timeout=300)
    assert other.returncode == 0, complained
    doomed.communicate()
    last = sampled(tiny(engine=engine(30)), tmp_path / "data", storage=storage, jobs=1)
    assert 5 + int(said) + last.units == 30  # nothing lost, nothing twice
    points = read_points(tmp_path / "data")
    assert len(points) == 30
    assert_among(points, everything())


def test_several_jobs_find_the_same_and_each_design_once(tmp_path: Path) -> None:
    stands: list[Stand] = []
    points = run(tiny(engine=engine(20)), tmp_path, jobs=2, progress=stands.append)
    assert stands[-1].units == len(points) == 20
    assert_among(points, everything())


def test_what_cannot_run_is_a_trial_but_no_design(tmp_path: Path) -> None:
    """One byte of two does not hold an output of 32 bits, and a size of nothing is no chip."""
    knob = {"name": "outputs", "path": "levels.buffers.memories.OBUF.size", "values": ["16 KiB", "2 B", "0 B"]}
    space = tiny(engine=engine(66), chips__knobs=[knob])
    swept = sampled(space, tmp_path / "data", jobs=1, storage=tmp_path / "trials.log")
    assert swept.designs == 66
    points, counts = read_points(tmp_path / "data"), read_counts(tmp_path / "data")
    assert len(points) == 22
    assert set(points["knob: outputs"]) == {"16 KiB"}
    assert counts.groupby("knob: outputs")[["designs", "mapped"]].sum().to_numpy().tolist() == [[22, 22], [22, 0]]


def measured(**changes: Any) -> Space:
    subject = {"network": "lenet5", "measurements": "measurements.jsonl", "dataset": "mnist5k"}
    return tiny(subjects=[subject], objectives={"time_overhead": "minimise", "robust_accuracy": "maximise"}, **changes)


def known(*members: tuple[tuple[int, int], ...]) -> Robustness:
    """Ensembles of which each is a tenth more robust than the one before."""
    points = {
        key(copies, "average"): Robust(clean=0.9, robust=0.1 * number, low=0.0, high=1.0, samples=100, clean_loss=0.01)
        for number, copies in enumerate(members, start=1)
    }
    return Robustness("verify", points, 0.91, "mnist5k", 0.3)


def test_a_robustness_that_was_not_measured_cannot_guide_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwsim.search.sampled.survey.robustness", lambda *asked: known(((8, 8),), ((4, 4),)))
    with pytest.raises(SpecError, match="not measured") as raised:
        sampled(measured(engine=engine(5), constraints={"clean_loss": 0.02}), tmp_path, jobs=1)
    assert [fault.field for fault in raised.value.faults] == ["objectives.robust_accuracy", "constraints.clean_loss"]
    assert not any(tmp_path.iterdir())


def test_a_robustness_of_which_all_is_measured_guides_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_of_them = known(((8, 8),), ((4, 4),), ((4, 4), (8, 8)))
    monkeypatch.setattr("hwsim.search.sampled.survey.robustness", lambda *asked: all_of_them)
    space = measured(
        engine=engine(20),
        ensembles__low_precision=[0, 1],
        ensembles__weights=4,
        ensembles__combiner=["average"],
        constraints={"clean_loss": 0.02, "robust_accuracy": 0.2},
    )
    found = run(space, tmp_path).set_index("configuration")["robust_accuracy"]
    assert found.groupby(level=0).first().to_dict() == pytest.approx({"fp": 0.1, "w4a4": 0.2, "fp + w4a4": 0.3})
    assert set(read_points(tmp_path).query("feasible")["configuration"]) == {"w4a4", "fp + w4a4"}


def test_every_network_is_searched_for_itself(tmp_path: Path) -> None:
    subjects = [{"network": "lenet5"}, {"network": "lenet5", "quantize": "convs"}]
    points = run(tiny(engine=engine(6), subjects=subjects), tmp_path)
    assert points.groupby("quantize").size().to_dict() == {"all": 6, "convs": 6}


@pytest.mark.parametrize("where", ["nowhere/trials.db", "nowhere/trials.log", "unknown://host/name"])
def test_a_storage_that_cannot_be_opened_is_told(tmp_path: Path, where: str) -> None:
    storage = where if "://" in where else str(tmp_path / where)
    with pytest.raises(HwsimError, match="cannot hold trials"):
        sampled(tiny(engine=engine(5)), tmp_path / "data", storage=storage, jobs=1)


def test_a_message_keeps_the_password_of_a_storage_to_itself(tmp_path: Path) -> None:
    with pytest.raises(HwsimError, match=r"unknown://me:\*\*\*@host/name") as raised:
        sampled(tiny(engine=engine(5)), tmp_path, storage="unknown://me:secret@host/name", jobs=1)
    assert "secret" not in str(raised.value)


def test_a_file_of_something_else_is_no_storage(tmp_path: Path) -> None:
    for name in ("trials.db", "trials.log"):
        (tmp_path / name).write_text("neither a database nor a journal\n" * 100)
        with pytest.raises(HwsimError, match="cannot hold trials"):
            sampled(tiny(engine=engine(5)), tmp_path / "data", storage=tmp_path / name, jobs=1)


def test_without_optuna_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(HwsimError, match="pip install 'hwsim"):
        sampled(tiny(engine=engine(5)), tmp_path, jobs=1)
