"""Designs by array arithmetic: what is played, what cannot run, what was measured; see tests/oracle for the rest."""

from __future__ import annotations

from math import isnan, nan
from typing import Any

import numpy as np
import pytest

from hwsim.ensemble.ensemble_cost import Overhead
from hwsim.errors import Infeasible, SpecError
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.grid import scenarios
from hwsim.search.exhaustive.explore import explore, member_prices
from hwsim.search.measured.robustness import Robust, Robustness
from hwsim.simulate.members.run import simulate_ensemble
from tests.unit.ensemble.examples import FULL, small_chip
from tests.unit.search.examples import (
    MAPPER,
    NETWORK,
    assert_same,
    buffered,
    chip,
    designs,
    ensemble,
    expected,
    mapped,
    rows,
    space,
)


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_every_objective_is_searched(objective: Any) -> None:
    hardware = buffered(small_chip(bandwidth=1.0, leakage=0.5, launch=3.0), size=400.0)
    wanted = space(objective=objective, ensembles={"weights": 2, "activations": 4, "weights_stay": "auto"})
    for copies, row in rows(designs(wanted, hardware), wanted).items():
        assert_same(row, expected(mapped(wanted, copies, hardware)))


@pytest.mark.parametrize("combiner", ["average", "random_switch"])
@pytest.mark.parametrize(
    ("weights", "size", "buffering"),
    [("streamed", 90.0, "double"), ("auto", 1100.0, "double"), ("auto", 600.0, "streaming")],
)
def test_played_ensembles_take_what_they_take_played_alone(
    combiner: str, weights: str, size: float, buffering: str
) -> None:
    hardware = buffered(
        small_chip(bandwidth=1.0, leakage=0.5, launch=3.0, reconfiguration=5.0, fill_and_drain=True),
        size=size,
        buffering=buffering,
    )
    wanted = space(
        timing="simulated",
        ensembles={
            "weights": (2, 4),
            "activations": 4,
            "full_precision": (0, 1),
            "low_precision": (1, 2),
            "combiner": (combiner,),
            "weights_stay": weights,
            "batch": 2,
        },
    )
    found = rows(designs(wanted, hardware), wanted)
    closed = rows(designs(wanted.model_copy(update={"timing": "closed_form"}), hardware), wanted)
    assert any(found[copies]["seconds"] != closed[copies]["seconds"] for copies in found)
    for copies, row in found.items():
        played = simulate_ensemble(ensemble(wanted, copies), hardware, NETWORK, schedule="batched", mapper=MAPPER)
        assert_same(
            row,
            {
                "time_overhead": played.time_overhead,
                "seconds": played.seconds,
                "baseline_seconds": played.baseline.cycles / hardware.clock,
                "energy_joules": played.energy_joules,
                "energy_overhead": nan if played.energy_overhead is None else played.energy_overhead,
                "storage_bytes": played.arrangement.cost.storage_bytes,
            },
        )


def test_the_same_mapping_waits_longer_beside_a_larger_ensemble() -> None:
    """Two or three members leave room for the same tiles of the convolution, but not for as many of them at once."""
    hardware = buffered(small_chip(bandwidth=1.0), size=2 * 3 * 43.0, buffering="single")
    ensembles = {"weights": 2, "activations": 8, "full_precision": 0, "low_precision": (1, 2, 3)}
    wanted = space(timing="simulated", ensembles=ensembles | {"weights_stay": "auto"})
    found = rows(designs(wanted, hardware), wanted)
    for copies, row in found.items():
        played = simulate_ensemble(ensemble(wanted, copies), hardware, NETWORK, mapper=MAPPER)
        assert row["seconds"] == played.seconds
    two, three = (found[((2, 8),) * number]["seconds"] / number for number in (2, 3))
    assert two < three


def test_one_input_at_a_time_is_the_serial_schedule() -> None:
    hardware = small_chip(bandwidth=1.0, buffer=60.0, fill_and_drain=True)
    wanted = space(timing="simulated", ensembles={"weights": 2, "activations": 2})
    for copies, row in rows(designs(wanted, hardware), wanted).items():
        assert row["seconds"] == simulate_ensemble(ensemble(wanted, copies), hardware, NETWORK, mapper=MAPPER).seconds


def test_three_halves_of_the_time_are_half_over() -> None:
    """By hand: 1152 + 80 multiplies take a cycle each at 8 bits, a quarter of one at 2; two members at 2 bits are half
    over one network, which a limit of 50 % allows and the next smaller does not."""
    hardware = small_chip()
    ensembles = {"weights": 2, "activations": 2, "full_precision": 1, "low_precision": 2}
    for limit, verdict in ((0.5, True), (0.5 - 1e-6, False)):
        wanted = space(ensembles=ensembles, constraints={"time_overhead": limit})
        ((row,),) = (rows(designs(wanted, hardware), wanted).values(),)
        assert row["seconds"] == 1.5 * (1152 + 80)
        assert row["time_overhead"] == 0.5
        assert (row["cost_feasible"], row["feasible"]) == (verdict, verdict)
        assert Overhead(row["time_overhead"], 0.0, None).within(limit) is verdict


def test_a_precision_that_cannot_run_spoils_only_its_own_ensembles() -> None:
    def picky(nest: Any, hardware: Any, weight_bits: int, *rest: Any, **options: Any) -> Any:
        if weight_bits == 2:
            raise Infeasible("two bits are too few")
        return MAPPER(nest, hardware, weight_bits, *rest, **options)

    wanted = space(ensembles={"weights": (2, 4), "activations": 2, "full_precision": (0, 1, 2)})
    (scenario,) = scenarios(wanted)
    (prices,) = member_prices(wanted, scenario, [chip(small_chip())], network=NETWORK, mapper=picky)
    assert not isinstance(prices, Infeasible)
    assert {index: str(why) for index, why in prices.failures.items()} == {0: "layer conv: two bits are too few"}
    for copies, row in rows(designs(wanted, small_chip(), mapper=picky), wanted).items():
        costs = [row[name] for name in ("time_overhead", "storage_overhead", "energy_joules", "seconds")]
        assert [isnan(cost) for cost in costs] == [(2, 2) in copies] * 4
        assert row["feasible"] == ((2, 2) not in copies)


def test_a_chip_without_a_baseline_runs_nothing_and_says_why() -> None:
    tight, fine = small_chip(buffer=1.0), small_chip()
    wanted = space(ensembles={"weights": 2, "activations": 2}, constraints={"time_overhead": 9.0})
    found = designs(wanted, tight, fine)
    assert [one.chip.hardware for one in found] == [tight, fine] * 3
    with pytest.raises(Infeasible) as refused:
        mapped(wanted, ((FULL, FULL),), tight)
    for bad, good in zip(found[::2], found[1::2], strict=True):
        assert str(bad.why) == str(refused.value)
        assert np.isnan(bad.columns["seconds"]).all()
        assert not bad.columns["feasible"].any()
        assert good.why is None
        assert good.columns["feasible"].all()


def test_what_stays_by_plan_is_for_another_engine() -> None:
    sampled = space(ensembles={"weights_stay": "planned"}, engine={"kind": "nsga2", "trials": 5})
    with pytest.raises(SpecError, match="ensemble by ensemble"):
        designs(sampled, small_chip())


def test_robustness_is_written_where_it_was_measured() -> None:
    wanted = space(
        ensembles={"weights": (2, 4), "activations": 2, "low_precision": (0, 1, 2, 3)},
        constraints={"time_overhead": 9.0, "clean_loss": 0.02, "robust_accuracy": 0.4},
    )
    fp = (FULL, FULL)
    measured: dict[Any, Robust] = {
        (((2, 2), fp), "average"): Robust(0.97, 0.5, 0.45, 0.55, 100, 0.02),
        (((2, 2), (2, 2), (4, 2), fp), "average"): Robust(0.9, 0.6, 0.5, 0.7, 50, 0.09),
        (((4, 2), fp), "average"): Robust(0.99, 0.3, 0.2, 0.4, 70, None),
        (((2, 2), (4, 2), fp), "max_vote"): Robust(0.99, 0.9, 0.9, 0.9, 100, 0.0),  # another combiner
        (((3, 2), fp), "average"): Robust(0.99, 0.9, 0.9, 0.9, 100, 0.0),  # of no such ensemble
        (((2, 2), fp, fp), "average"): Robust(0.99, 0.9, 0.9, 0.9, 100, 0.0),  # of no such M
        ((fp,), "average"): Robust(0.99, 0.1, 0.05, 0.15, 100, 0.0),
    }
    known = Robustness("verify", measured, 0.99, "mnist", 0.3)
    found = rows(designs(wanted, small_chip(), known=known, most=2), wanted)
    expected = {tuple(sorted(copies)): own for (copies, combiner), own in measured.items() if combiner == "average"}
    for copies, row in found.items():
        own = expected.get(tuple(sorted(copies)))
        numbers = [nan] * 6
        if own:
            loss = nan if own.clean_loss is None else own.clean_loss
            numbers = [own.clean, loss, own.robust, own.low, own.high, own.samples]
        names = ("clean_accuracy", "clean_loss", "robust_accuracy", "robust_low", "robust_high", "robust_samples")
        assert [row[name] for name in names] == pytest.approx(numbers, nan_ok=True)
        assert row["cost_feasible"] == 1
        assert row["feasible"] == (copies == (fp, (2, 2)))
    assert sum(not isnan(row["robust_accuracy"]) for row in found.values()) == 4


def test_columns_are_those_that_are_described_and_prices_can_be_handed_on() -> None:
    wanted = space(ensembles={"combiner": ("average", "max_vote")})
    several = [chip(small_chip(), 1e-6), chip(small_chip(bandwidth=1.0))]
    average, vote = scenarios(wanted)
    prices = member_prices(wanted, average, several, network=NETWORK, mapper=MAPPER)
    anew = list(explore(wanted, vote, several, network=NETWORK, mapper=MAPPER))
    handed = list(explore(wanted, vote, several, network=NETWORK, prices=prices, mapper=None))
    assert len(anew) == len(handed) > 0
    for one, other in zip(anew, handed, strict=True):
        assert list(one.columns) == list(COLUMNS)
        for name in COLUMNS:
            assert np.array_equal(one.columns[name], other.columns[name], equal_nan=True), name
    assert anew[0].columns["area"].tolist() == [1e-6] * len(anew[0].block.members)
    assert np.isnan(anew[1].columns["area"]).all()
