"""Which schedule is best for what, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from hwsim.errors import Infeasible
from hwsim.simulate.layer.played import Played
from hwsim.simulate.members.arrange import Schedule, arrange
from hwsim.simulate.members.auto import SCHEDULES, Aim, choose
from hwsim.simulate.members.schedule import Round, Stage
from hwsim.simulate.members.simulation import Simulation, simulated
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network
from tests.unit.simulate.members.players import faithful

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
    assert choice.refused == {"batched": "the same as serial at batch 1", "partitioned": "nothing to divide"}
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
    """One multiplier at 1 Hz: 1232 multiplications at 8 bits and a quarter of that at 2; two launches of each member
    for an input, the combiner's, and two mode switches, all of them for two inputs where they are batched."""
    chip = small_chip(reconfiguration=10.0, launch=4.0)
    ensemble, network = small_ensemble((8, 8), (2, 2), batch=2), small_network()

    def simulation(schedule: Schedule) -> Simulation:
        return simulated(arrange(schedule, ensemble, chip, network), faithful)

    choice = choose("throughput", 2, 2, simulation)
    serial = next(candidate for candidate in choice.candidates if candidate.schedule == "serial")
    assert choice.best.schedule == "batched"
    launches = (2 * 4 + 1) * 4  # conv, pool, fc, softmax of two members, combiner
    assert serial.causes == {
        "multiplications": 1232 * 1.25, "array not filled": 0, "launch": launches, "memory": 0, "mode switches": 20,
    }  # fmt: skip
    saved = choice.saved(serial)
    assert {cause: cycles for cause, cycles in saved.items() if cycles} == {
        "launch": launches / 2, "mode switches": 10,
    }  # fmt: skip
    assert sum(saved.values()) == pytest.approx(serial.first_cycles - choice.best.first_cycles / 2)
    assert not any(choice.saved(choice.best).values())
