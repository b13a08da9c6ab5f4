"""Which schedule is best for what, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from hwsim.errors import Infeasible
from hwsim.simulate.arrange import Schedule, arrange
from hwsim.simulate.auto import SCHEDULES, Aim, choose
from hwsim.simulate.played import Played
from hwsim.simulate.schedule import Round, Stage
from hwsim.simulate.simulation import Simulation, simulated
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network
from tests.unit.simulate.players import faithful

SHAPE = simulated(arrange("serial", small_ensemble((8, 8), (2, 2)), small_chip(), small_network()), faithful)


def taking(cycles: float, inputs: int, **causes: float) -> Simulation:
    """A simulation of one round in one stage."""
    played = Played(cycles, {"compute": cycles - sum(causes.values())}, causes, {}, {}, 1, 1, 0)
    return replace(SHAPE, rounds=(Round("any", ((Stage("a", "b", "m", cycles, 0.0, played),),), (), inputs),))


TIMES = st.fixed_dictionaries({schedule: st.integers(1, 50) for schedule in SCHEDULES})


@given(TIMES, st.integers(2, 5))
def test_the_best_of_all_wins(times: dict[Schedule, int], batch: int) -> None:
    def simulation(schedule: Schedule) -> Simulation:
        return taking(times[schedule], 1 if schedule == "serial" else batch)

    first = dict(times)
    last = {schedule: time * (batch if schedule == "serial" else 1) for schedule, time in times.items()}
    fastest = choose("latency", batch, 3, simulation).best
    assert (fastest.first_cycles, fastest.all_cycles) == min((first[one], last[one]) for one in SCHEDULES)
    assert fastest.schedule == next(
        s for s in SCHEDULES if (first[s], last[s]) == (fastest.first_cycles, fastest.all_cycles)
    )
    busiest = choose("throughput", batch, 3, simulation).best
    assert busiest.throughput == pytest.approx(max(batch / last[one] for one in SCHEDULES))  # at 1 Hz


def test_what_cannot_be_played_says_why() -> None:
    def simulation(schedule: Schedule) -> Simulation:
        if schedule == "partitioned":
            raise Infeasible("nothing to divide", constraint="fanout")
        return taking(5, 1)

    choice = choose("latency", 1, 2, simulation)
    assert choice.refused == {"batched": "serial at batch 1", "partitioned": "nothing to divide"}
    assert [candidate.schedule for candidate in choice.candidates] == ["serial", "interleaved"]
    assert choice.best.schedule == "serial"  # the simplest of equals
    assert set(choose("latency", 2, 1, simulation).refused) == {"interleaved", "partitioned"}


@pytest.mark.parametrize("aim", ["latency", "throughput"])
def test_a_network_that_cannot_be_mapped_has_no_schedule(aim: Aim) -> None:
    def simulation(_: Schedule) -> Simulation:
        raise Infeasible("a tile is too large", "PE", "capacity")

    with pytest.raises(Infeasible, match="PE: capacity: a tile is too large"):
        choose(aim, 2, 2, simulation)


def test_savings_add_up_to_the_difference_of_an_input_s_time() -> None:
    def simulation(schedule: Schedule) -> Simulation:
        return taking(40, 1, launch=10) if schedule == "serial" else taking(60, 2, launch=12, DRAM=8)

    choice = choose("throughput", 2, 1, simulation)
    assert choice.best.schedule == "batched"
    serial = choice.candidates[0]
    assert choice.saved(serial) == {"compute": 30 - 20, "launch": 10 - 6, "DRAM": -4, "mode switches": 0}
    assert sum(choice.saved(serial).values()) == 40 - 60 / 2
    assert not any(choice.saved(choice.best).values())
