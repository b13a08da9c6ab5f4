"""What an inference is expected to cost when one member is drawn for it, by hand and by drawing."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.ensemble import difference as causes
from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.spec.hardware import Hardware
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network

CONV, FC = 1152, 80
BITS = [(8, 8), (2, 4), (2, 2)]
BUSY = {"bandwidth": 0.1, "launch": 9.0, "operations_per_cycle": 0.1, "reconfiguration": 50.0, "leakage": 0.5}


def mapped(chip: Hardware, *bits: tuple[int, int], combiner: str = "random_switch", rule: str = "all") -> EnsembleCost:
    return map_ensemble(small_ensemble(*bits, combiner=combiner, quantize=rule), chip, small_network())


def test_the_mean_of_the_members_by_hand() -> None:
    """8 and 2 bits in turn: half of all pairs of draws change the mode. Nothing is combined."""
    cost = mapped(small_chip(reconfiguration=10.0, leakage=0.5, operations_per_cycle=1.0), (8, 8), (2, 2))
    vector = 48 + 23
    assert [member.cycles for member in cost.members] == [CONV + FC + vector, (CONV + FC) / 4 + vector]
    assert (cost.switches, cost.switch_cycles) == (0.5, 5.0)
    assert cost.cycles == (1 + 1 / 4) / 2 * (CONV + FC) + vector + 5
    assert cost.combiner is None
    assert cost.energy_joules == pytest.approx(sum(member.energy_joules for member in cost.members) / 2 + 5 * 0.5)
    assert cost.dram_bytes == sum(member.dram_bytes for member in cost.members) / 2
    assert cost.storage_bytes == sum(member.storage_bytes for member in cost.members)
    assert cost.overhead.time == cost.cycles / cost.baseline.cycles - 1
    assert cost.overhead.storage == (1 + 1 / 4) * (152 * 8) / (152 * 8 + 40) + 2 * 40 / (152 * 8 + 40) - 1


@pytest.mark.parametrize(
    ("bits", "rule", "changes"),
    [
        ([(8, 8), (8, 8)], "all", 0),
        ([(2, 4), (4, 4)], "all", 0),  # other widths, one mode
        ([(8, 8), (4, 4), (2, 2)], "all", 6 / 9),  # all pairs but the three equal ones
        ([(8, 8), (2, 2), (2, 2)], "all", 4 / 9),
        ([(8, 8), (2, 2)], "convs", 2 / 4),  # 8 8 | 2 8 |: whenever the second is drawn, whatever ran before
        ([(2, 2)], "convs", 1),  # 2 8 | 2 8 |
    ],
)
def test_mode_changes_between_draws(bits: list[tuple[int, int]], rule: str, changes: float) -> None:
    cost = mapped(small_chip(reconfiguration=10.0), *bits, rule=rule)
    assert cost.switches == pytest.approx(changes, rel=1e-12)
    inside = sum(member.switches for member in cost.members) / len(bits)
    assert cost.mode_switches == pytest.approx(inside + changes, rel=1e-12)


@pytest.mark.parametrize("rule", ["all", "convs"])
def test_drawing_costs_as_much_on_average(rule: str) -> None:
    """20,000 inferences, each drawn and its mode changes counted layer by layer."""
    chip = small_chip(**BUSY)
    cost = mapped(chip, *BITS, rule=rule)
    draws = np.random.default_rng(0).integers(len(BITS), size=20_000)
    cycles, mode = 0.0, cost.members[draws[-1]].modes[-1]
    for draw in draws:
        for layer in cost.members[draw].layers:
            cycles += layer.cycles
            if layer.macs:
                cycles += 50.0 * (layer.mode != mode)
                mode = layer.mode
    assert cost.cycles == pytest.approx(cycles / draws.size, rel=0.01)


def test_the_largest_working_set_counts_and_nothing_waits() -> None:
    """32 inputs and 64 outputs, then 64 and 16, of 8 bits; the other members' never wait beside them."""
    cost = mapped(small_chip(), *BITS)
    assert cost.working_set_bytes == 32 + 64
    assert [member.working_set_bytes for member in cost.members] == [96, 96 * 4 / 8, 96 * 2 / 8]


def test_equation_6_is_a_mean_in_time_and_a_sum_in_storage() -> None:
    cost = mapped(small_chip(), *BITS, rule="convs")
    assert cost.equation6.sums.time == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert cost.equation6.sums.storage == 1 + 2 / 8 + 2 / 8
    assert cost.equation6.layerwise.time == pytest.approx(
        (3 * FC + CONV * (1 + 1 / 2 + 1 / 4)) / 3 / (CONV + FC), rel=1e-12
    )
    voted = mapped(small_chip(), *BITS, combiner="max_vote", rule="convs")
    assert cost.equation6.layerwise.storage == voted.equation6.layerwise.storage


@pytest.mark.parametrize("rule", ["all", "convs"])
def test_the_difference_is_explained(rule: str) -> None:
    cost = mapped(small_chip(**BUSY, fill_and_drain=True), *BITS, rule=rule)
    apart = 1 + cost.overhead.time - cost.equation6.sums.time
    assert abs(apart) > 0.01
    assert sum(cost.time_causes.values()) == pytest.approx(apart, rel=1e-9)
    assert cost.time_causes[causes.COMBINER] == 0
    assert cost.time_causes[causes.SWITCHES] == pytest.approx(50 * cost.mode_switches / cost.baseline.cycles)
    stored = 1 + cost.overhead.storage - cost.equation6.sums.storage
    assert sum(cost.storage_causes.values()) == pytest.approx(stored, rel=1e-9)


def test_launches_by_hand() -> None:
    """Four launches of 9 cycles a network do not shrink to (1 + 1/2 + 1/4) / 3 as 1232 multiplications do."""
    cost = mapped(small_chip(launch=9.0), *BITS)
    baseline = CONV + FC + 4 * 9
    assert cost.time_causes[causes.LAUNCH] == pytest.approx((1 - (1 + 1 / 2 + 1 / 4) / 3) * 4 * 9 / baseline)


def test_one_member_is_drawn_always() -> None:
    drawn = mapped(small_chip(**BUSY), (2, 2))
    alone = mapped(small_chip(**BUSY), (2, 2), combiner="average")
    assert (drawn.cycles, drawn.energy_joules, drawn.overhead) == (alone.cycles, alone.energy_joules, alone.overhead)
    assert drawn.equation6 == alone.equation6
