"""Ensembles of a small network on a small chip, by hand, and the three of the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwsim.cost.layer import LayerCost
from hwsim.ensemble.ensemble_cost import EnsembleCost, Overhead, map_ensemble
from hwsim.mapper import map_layer
from hwsim.spec.ensemble import Ensemble, Member, NetworkReference
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_ensemble, load_hardware
from tests.unit.ensemble.examples import FULL, small_chip, small_ensemble, small_network

CONV, FC = 1152, 80


def mapped(chip: Hardware, *bits: tuple[int, int], **fields: object) -> EnsembleCost:
    return map_ensemble(small_ensemble(*bits, **fields), chip, small_network())


def test_the_paper_s_mnist_ensemble_meets_its_budget_exactly_where_nothing_else_costs() -> None:
    ensemble = Ensemble(
        name="EMPIR, quantised throughout",
        network=NetworkReference(name="mnistconv"),
        members=(Member(weights=32, activations=32), Member(weights=2, activations=4, count=2)),
    )
    cost = map_ensemble(ensemble, load_hardware("empir_ideal"))
    assert cost.overhead.time == pytest.approx(0.25, rel=1e-12)
    assert cost.equation6.sums.time == 1.25
    assert cost.within_budget
    assert not map_ensemble(ensemble, load_hardware("empir_ideal"), budget=0.2499).within_budget


def test_three_low_precision_members_take_three_eighths() -> None:
    ensemble = Ensemble(
        name="low",
        network=NetworkReference(name="mnistconv"),
        members=tuple(Member(weights=bits, activations=4) for bits in (2, 2, 4)),
    )
    cost = map_ensemble(ensemble, load_hardware("empir_ideal"))
    assert 1 + cost.overhead.time == pytest.approx(0.375, rel=1e-12)
    assert 1 + cost.overhead.storage == pytest.approx(0.25, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "time", "storage"), [("cifarconv", None, 1.77), ("alexnet", 1.363, 1.319), ("mnistconv", None, None)]
)
def test_the_paper_s_ensembles_as_released(
    name: str, time: float | None, storage: float | None, repository: Path
) -> None:
    """Counted layer by layer from the released networks; on this chip the simulation has to give the same."""
    ensemble = load_ensemble(repository / "studies" / "sen_iclr2020" / f"{name}.yaml")
    cost = map_ensemble(ensemble, load_hardware("empir_ideal"))
    assert 1 + cost.overhead.time == pytest.approx(cost.equation6.layerwise.time, rel=1e-12)
    assert 1 + cost.overhead.storage == pytest.approx(cost.equation6.layerwise.storage, rel=1e-12)
    assert time is None or 1 + cost.overhead.time == pytest.approx(time, abs=5e-4)
    assert storage is None or 1 + cost.overhead.storage == pytest.approx(storage, abs=5e-4)
    assert not cost.within_budget


def test_the_whole_is_members_switches_and_combiner() -> None:
    """One pass at 8 bits, one at 2: the mode changes to the second member and back."""
    cost = mapped(small_chip(reconfiguration=10.0, leakage=0.5, operations_per_cycle=1.0), (8, 8), (2, 2))
    combiner = 2 * 5
    vector = 48 + 23
    assert [member.cycles for member in cost.members] == [CONV + FC + vector, (CONV + FC) / 4 + vector]
    assert (cost.switches, cost.switch_cycles) == (2, 20.0)
    assert cost.cycles == 1.25 * (CONV + FC) + 2 * vector + 20 + combiner
    assert cost.baseline.cycles == CONV + FC + vector
    assert cost.overhead.time == cost.cycles / cost.baseline.cycles - 1
    assert cost.energy_joules == pytest.approx(
        sum(member.energy_joules for member in cost.members) + 20 * 0.5 + combiner * (3.0 + 0.5) + (2 * 5 + 2 * 5) * 8
    )
    assert cost.dram_bytes == sum(member.dram_bytes for member in cost.members) + 15


@pytest.mark.parametrize(
    ("bits", "rule", "inside", "between"),
    [
        ([(8, 8), (8, 8)], "all", [0, 0], 0),
        ([(8, 8), (2, 2)], "convs", [0, 1], 1),  # 8 8 | 2 8 |
        ([(2, 2), (2, 2)], "convs", [1, 1], 2),  # 2 8 | 2 8 |
        ([(2, 2), (4, 4)], "all", [0, 0], 2),  # 2 2 | 4 4 |
        ([(2, 2)], "all", [0], 0),
        ([(2, 2)], "convs", [1], 1),  # 2 8 |
        ([(2, 4), (4, 4)], "all", [0, 0], 0),  # other widths, one mode
    ],
)
def test_modes_change_inside_members_between_them_and_back_to_the_first(
    bits: list[tuple[int, int]], rule: str, inside: list[int], between: int
) -> None:
    cost = mapped(small_chip(reconfiguration=10.0), *bits, quantize=rule)
    assert [member.switches for member in cost.members] == inside
    assert cost.switches == between


def test_the_input_is_stored_once_and_results_wait() -> None:
    """First member: 32 inputs held at 8 bits, 64 and 16 of 8 bits. Second: 32 and 64 of 4 bits, and 5 results of 8."""
    cost = mapped(small_chip(), (8, 8), (2, 4))
    first, second = (32 + 64 + 16) * 8, (32 + 64) * 4 + 5 * 8
    assert cost.working_set_bytes == max(first, second) / 8
    low = mapped(small_chip(), (2, 4), (2, 2))
    assert low.members[0].working_set_bytes == (32 + 64 + 16) * 4 / 8
    assert low.members[1].working_set_bytes == (32 + 64) * 2 / 8


def test_the_batch_is_the_ensemble_s() -> None:
    assert mapped(small_chip(), (8, 8), batch=3).baseline.macs == 3 * (CONV + FC)
    assert mapped(small_chip(), (8, 8), batch=3).batch == 3


def test_one_full_precision_member_is_the_baseline() -> None:
    cost = mapped(small_chip(bandwidth=0.5, launch=3.0, reconfiguration=5.0), (8, 8))
    assert cost.overhead == Overhead(0.0, 0.0, 0.0)
    assert cost.combiner is None
    assert not any(cost.time_causes.values())


def test_exactly_the_budget_is_within_it() -> None:
    assert Overhead(0.25, 0.25, None).within(0.25)
    assert Overhead(0.1 + 0.15000000000000002, 0.0, None).within(0.25)
    assert not Overhead(0.2500001, 0.0, None).within(0.25)
    assert not Overhead(0.0, 0.2500001, None).within(0.25)
    assert Overhead(0.0, 0.0, 99.0).within(0.25)
    assert Overhead(-0.6, -0.7, None).within(0.0)


def test_energy_of_a_chip_that_prices_none_is_unknown() -> None:
    chip = small_chip()
    free = chip.model_copy(
        update={
            "levels": tuple(
                level.model_copy(
                    update={"memories": tuple(m.model_copy(update={"energy": {}}) for m in level.memories)}
                )
                for level in chip.levels
            ),
            "vector": chip.vector.model_copy(update={"energy": 0.0}),
            "datapath": chip.datapath.model_copy(
                update={"modes": [{"weights": FULL, "activations": FULL, "macs_per_cycle": 1}]}
            ),
        }
    )
    assert mapped(free, (8, 8), (8, 8)).overhead.energy is None


def test_members_and_baseline_share_what_they_have_in_common() -> None:
    """fc reads and writes full precision in all of them; conv is mapped once for each precision."""
    asked = []

    def counting(*arguments: Any, **options: Any) -> LayerCost:
        asked.append(arguments)
        return map_layer(*arguments, **options)

    ensemble = small_ensemble((8, 8), (8, 8), (2, 4), (2, 2), quantize="convs")
    seen: list[tuple[int, int]] = []
    map_ensemble(
        ensemble, small_chip(), small_network(), mapper=counting, progress=lambda done, of: seen.append((done, of))
    )
    assert len(asked) == 4
    assert seen == [(0, 2), (1, 2), (2, 2), (2, 4), (3, 4), (4, 4)]
