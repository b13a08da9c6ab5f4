"""Simulations as rows and as text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import hwsim
from hwsim.cli.progress import LayerProgress
from hwsim.report.simulation import simulation_record
from hwsim.report.simulation_table import print_simulation, savings, waiting
from hwsim.simulate.members.simulation import Simulation
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network
from tests.unit.simulate.members.players import slow


@pytest.fixture(scope="module")
def run() -> Simulation:
    return hwsim.simulate_ensemble(
        small_ensemble((8, 8), (2, 2)), small_chip(reconfiguration=10.0), small_network(), player=slow
    )


def test_simulations_turn_into_data_frames(run: Simulation) -> None:
    frame = hwsim.to_frame(run)
    assert len(frame) == 3 * 5 + 1
    assert frame[frame.member != "baseline"].cycles.sum() + 2 * 10 == run.cycles
    assert frame["stalls: waiting"].sum() * 2 == frame.cycles.sum()  # as the player has it


def test_equation_6_stands_beside_what_was_played(run: Simulation) -> None:
    overhead = simulation_record(run)["time_overhead"]
    assert overhead["simulated"] == pytest.approx(1.25 + 20 / (2 * 1232) - 1)
    assert overhead["closed_form"] == pytest.approx(1.25 + 20 / 1232 - 1)
    assert overhead["equation6"] == pytest.approx(0.25)
    file = io.StringIO()
    print_simulation(Console(file=file, width=120), simulation_record(run))
    (line,) = (line for line in file.getvalue().splitlines() if line.startswith("time  ") and "cycles" not in line)
    assert line.split() == ["time", "1.258", "1.266", "1.25", "1.25"]


def test_the_longest_waits_are_named() -> None:
    assert waiting({"a": 1.0, "b": 30.0, "c": 5.0, "d": 20.0, "e": 0.1}, 100.0) == "b 30%, d 20%, c 5%"
    assert waiting({"a": 0.4}, 100.0) == ""
    assert waiting({}, 0.0) == ""


def test_savings_begin_with_their_sum() -> None:
    assert savings({"launch": 77250.0, "DRAM": -1404.4, "compute": 0.2}) == "+75,846: launch +77,250, DRAM -1,404"
    assert savings({"launch": 0.0}) == "none"


def test_one_bar_counts_one_thing_after_another() -> None:
    with LayerProgress() as progress:
        progress(3, 4)
        assert (progress.doing, progress.done, progress.total) == ("mapping layers", 3, 4)
        progress.during("playing layers")(1, 7)
        assert (progress.doing, progress.done, progress.total) == ("playing layers", 1, 7)
        progress(4, 4)
        assert progress.doing == "mapping layers"
