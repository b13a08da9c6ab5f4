"""One pass through the shared levels, counted by hand."""

from __future__ import annotations

import pytest

from hwsim.cost.layer import LayerCost, price
from hwsim.cost.problem import home
from hwsim.cost.streamed import Stream, fused, streamed
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import AccessEnergy, Axis, Hardware, Level, Memory, VectorUnit
from hwsim.units import Bandwidth
from tests.strategies import chip

W, I, O = Operand.WEIGHTS, Operand.INPUTS, Operand.OUTPUTS  # noqa: E741


def machine(optional: tuple[Operand, ...] = (), launch: float = 0.0, **vector: float) -> Hardware:
    """DRAM (2 B/cycle; 1 and 2 J a bit), a shared buffer (5 and 7 J a bit), and below a fan-out of 4 a buffer each."""
    dram = Memory(
        name="DRAM", keeps=(W, I, O), bandwidth=Bandwidth(2, "cycle"), energy=AccessEnergy(read=1.0, write=2.0)
    )
    shared = Memory(name="shared", keeps=(W, I, O), optional=optional, energy=AccessEnergy(read=5.0, write=7.0))
    own = Memory(name="own", keeps=(W, I, O), energy=AccessEnergy(read=1e9, write=1e9), leakage=0.5)
    return chip(
        Level(name="DRAM", memories=(dram,)),
        Level(name="shared", memories=(shared,), fanout=(Axis(name="X", size=4),)),
        Level(name="own", memories=(own,)),
        launch=launch,
        vector=VectorUnit(**({"operations_per_cycle": 4.0, "energy": 3.0} | vector)),
    )


def counts(cost: LayerCost) -> dict[tuple[str, str], tuple[float, float]]:
    return {(x.memory, str(x.operand)): (float(x.reads), float(x.writes)) for x in cost.traffic}


def test_every_word_passes_once_through_what_the_chip_shares() -> None:
    cost = streamed(machine(), 48, [Stream(64, 8)], Stream(16, 4))
    assert counts(cost) == {
        ("DRAM", "inputs"): (64, 0),
        ("shared", "inputs"): (64, 64),
        ("DRAM", "outputs"): (0, 16),
        ("shared", "outputs"): (16, 16),
    }
    assert cost.dram_bytes == 64 + 8
    assert (cost.mode, cost.macs, cost.utilization, cost.mapping) == ("vector", 0, 0.0, None)


def test_the_slower_of_memory_and_vector_unit_sets_the_time() -> None:
    memory = streamed(machine(launch=3.0), 48, [Stream(64, 8)], Stream(16, 4))
    assert (memory.cycles, memory.seconds, memory.bound) == (3 + 72 / 2, 39.0, "DRAM bandwidth")
    vector = streamed(machine(launch=3.0, operations_per_cycle=1.0), 48, [Stream(64, 8)], Stream(16, 4))
    assert (vector.cycles, vector.bound) == (3 + 48, "vector")
    launch = streamed(machine(launch=100.0), 48, [Stream(64, 8)], Stream(16, 4))
    assert (launch.cycles, launch.bound) == (136, "launch")


def test_energy_is_accesses_operations_and_leakage() -> None:
    cost = streamed(machine(), 48, [Stream(64, 8)], Stream(16, 4))
    assert cost.energy == {
        "DRAM": 64 * 8 * 1.0 + 16 * 4 * 2.0,
        "shared": 64 * 8 * (5.0 + 7.0) + 16 * 4 * (5.0 + 7.0),
        "vector": 48 * 3.0,
        "leakage": 4 * 0.5 * 36.0,
    }


def test_operands_of_several_widths_add_up() -> None:
    cost = streamed(machine(), 16, [Stream(16, 2), Stream(16, 8)], Stream(16, 8))
    assert cost.dram_bytes == 4 + 16 + 16
    assert cost.activation_bits == 8


def test_a_pass_takes_the_shortest_way() -> None:
    cost = streamed(machine(optional=(I,)), 48, [Stream(64, 8)], Stream(16, 4))
    assert ("shared", "inputs") not in counts(cost)
    assert ("shared", "outputs") in counts(cost)


def test_resident_parameters_come_from_their_home() -> None:
    assert home(machine(), W) == 1
    there = streamed(machine(), 0, [Stream(8, 8)], Stream(8, 8), Stream(100, 8, resident=True))
    assert counts(there)["shared", "weights"] == (100, 0)
    assert there.dram_bytes == 16
    away = streamed(machine(), 0, [Stream(8, 8)], Stream(8, 8), Stream(100, 8))
    assert counts(away)["shared", "weights"] == (100, 100)
    assert away.dram_bytes == 116


def test_activations_that_stay_on_the_chip_never_see_the_outermost_memory() -> None:
    """64 B in, 16 B out: both of them, one of them."""
    both = streamed(machine(optional=(I, O)), 48, [Stream(64, 8, resident=True)], Stream(16, 8, resident=True))
    assert counts(both) == {("shared", "inputs"): (64, 0), ("shared", "outputs"): (0, 16)}
    assert both.dram_bytes == 0
    out = streamed(machine(), 48, [Stream(64, 8, resident=True), Stream(4, 8)], Stream(16, 8))
    assert counts(out) == {
        ("DRAM", "inputs"): (4, 0),
        ("shared", "inputs"): (68, 4),
        ("DRAM", "outputs"): (0, 16),
        ("shared", "outputs"): (16, 16),
    }


@pytest.mark.parametrize("operand", Operand)
def test_nothing_has_a_home_below_a_fan_out(operand: Operand) -> None:
    dram, shared, own = machine().levels
    assert home(chip(dram, shared.model_copy(update={"memories": ()}), own), operand) is None
    assert home(chip(dram), operand) is None


def bare(hardware: Hardware) -> LayerCost:
    """4 x 4 products: 16 MACs one after another, 16 B of weights, 4 B in, 4 B out."""
    levels = (
        LevelMapping("DRAM"),
        LevelMapping("shared", temporal=(Loop("K", 4), Loop("C", 4))),
        LevelMapping("own"),
    )
    return price(LoopNest(K=4, C=4), hardware, Mapping(levels), 8, 8, 8)


def test_fused_operations_overlap_with_their_layer() -> None:
    hardware = machine(launch=2.0)
    alone = bare(hardware)
    assert alone.cycles == 2 + 16
    few = fused(alone, hardware, 4 * 16)
    assert (few.cycles, few.bound) == (2 + 16, alone.bound)
    assert few.energy["vector"] == 64 * 3.0
    many = fused(alone, hardware, 4 * 40)
    assert (many.cycles, many.bound) == (2 + 40, "vector")
    assert many.utilization == pytest.approx(16 / 42 / 4)
    assert many.energy["leakage"] == 4 * 0.5 * 42
    assert {part: many.energy[part] for part in alone.energy if part != "leakage"} == {
        part: joules for part, joules in alone.energy.items() if part != "leakage"
    }


def test_biases_travel_with_the_weights() -> None:
    hardware = machine()
    alone, biased = bare(hardware), fused(bare(hardware), hardware, 0, Stream(10, 32))
    assert biased.dram_bytes == alone.dram_bytes + 40
    assert biased.cycles == (24 + 40) / 2
    assert biased.bound == "DRAM bandwidth"
    assert biased.energy["DRAM"] == alone.energy["DRAM"] + 320 * 1.0
    assert biased.energy["shared"] == alone.energy["shared"] + 320 * 12.0
    assert counts(biased)["DRAM", "weights"] == (26, 0)
    resident = fused(bare(hardware), hardware, 0, Stream(10, 32, resident=True))
    assert resident.dram_bytes == alone.dram_bytes


def test_nothing_fused_changes_nothing() -> None:
    assert fused(bare(machine()), machine(), 0, Stream(0, 32)) == bare(machine())
