"""What a search promises: validity, determinism, honest certificates, reasons."""

from __future__ import annotations

from itertools import combinations

import pytest

from hwsim.cost.layer import price
from hwsim.errors import Infeasible
from hwsim.mapper import Objective, map_layer
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level, Memory
from hwsim.spec.load import load_hardware
from hwsim.units import Bandwidth
from tests.strategies import chip, one_mac

LAYER = LoopNest(C=32, K=48, P=14, Q=14, R=3, S=3)


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
@pytest.mark.parametrize("name", ["simple_s1", "bitfusion", "simba", "turing"])
def test_a_result_is_a_mapping_at_its_price(name: str, objective: Objective) -> None:
    hardware = load_hardware(name)
    found = map_layer(LAYER, hardware, 4, 4, objective=objective, effort=1e6)
    assert found.mapping is not None
    again = price(LAYER, hardware, found.mapping, 4, 4)
    assert (found.cycles, found.energy_joules) == (again.cycles, again.energy_joules)


def test_the_same_question_has_the_same_answer() -> None:
    hardware = load_hardware("simple_s1")
    assert map_layer(LAYER, hardware, 8, 8) == map_layer(LAYER, hardware, 8, 8)


def test_each_objective_is_best_at_its_own() -> None:
    hardware = load_hardware("simple_s1")
    latency, energy, edp = (map_layer(LAYER, hardware, 16, 16, objective=o) for o in ("latency", "energy", "edp"))
    assert latency.cycles <= min(energy.cycles, edp.cycles)
    assert energy.energy_joules <= min(latency.energy_joules, edp.energy_joules) * (1 + 1e-9)
    products = [cost.cycles * cost.energy_joules for cost in (edp, latency, energy)]
    assert products[0] <= min(products) * (1 + 1e-9)


def test_without_effort_a_gap_is_admitted_and_holds() -> None:
    """A search cut short brackets the optimum that a full one proves."""
    hardware, nest = load_hardware("simple_s1"), LoopNest(C=512, K=512, P=512)
    short = map_layer(nest, hardware, 16, 16, objective="energy", effort=1)
    full = map_layer(nest, hardware, 16, 16, objective="energy", effort=1e9)
    assert short.certificate is not None
    assert full.certificate is not None
    assert full.certificate.proven
    assert full.certificate.gap == 0
    assert not short.certificate.proven
    assert 0 < short.certificate.gap < 1
    assert short.certificate.lower_bound <= full.energy_joules <= short.energy_joules
    assert short.certificate.priced <= full.certificate.priced


def machine(**inner: object) -> Hardware:
    outer = Level(name="outer", memories=(Memory(name="DRAM", keeps=tuple(Operand)),), loops=("K", "P"))
    return chip(outer, Level(name="inner", memories=(Memory(name="RF", keeps=tuple(Operand), size=64),), **inner))


def test_a_level_too_small_is_named() -> None:
    with pytest.raises(Infeasible) as failure:
        map_layer(LoopNest(P=2, R=100), machine(tile={"R": "full"}), 8, 8)
    assert (failure.value.level, failure.value.constraint) == ("inner", "capacity")
    assert "RF" in str(failure.value)


def test_a_dimension_that_nothing_loops_over_is_named() -> None:
    hardware = machine(loops=("K",), fanout=(Axis(name="X", size=4, dims=("C",)),))
    assert map_layer(LoopNest(C=4, P=3), hardware, 8, 8).macs == 12
    with pytest.raises(Infeasible, match=r"loop over C.*4 of 5") as failure:
        map_layer(LoopNest(C=5, P=3), hardware, 8, 8)
    assert failure.value.constraint == "loops"


def test_the_outermost_level_loops_over_what_it_may() -> None:
    """One byte per cycle for weights makes R at the outer level tempting; it stays inside."""
    found = map_layer(LoopNest(P=6, R=3, K=4), machine(), 8, 8, objective="energy")
    assert found.mapping is not None
    assert {loop.dim for loop in found.mapping.levels[0].temporal} <= {"K", "P"}


def test_resident_weights_are_not_read_from_outside() -> None:
    narrow = Memory(name="DRAM", keeps=tuple(Operand), bandwidth=Bandwidth(1, "cycle"))
    buffer = Memory(name="buffer", keeps=tuple(Operand), size=4096, buffering="streaming")
    hardware = chip(Level(name="outer", memories=(narrow,)), Level(name="inner", memories=(buffer,)))
    nest = LoopNest(K=64, C=32)
    streamed = map_layer(nest, hardware, 8, 8, 8)
    resident = map_layer(nest, hardware, 8, 8, 8, resident={Operand.WEIGHTS})
    weights = nest.elements(Operand.WEIGHTS)
    assert streamed.dram_bytes - resident.dram_bytes == weights
    assert resident.cycles < streamed.cycles


def two_levels(size: float, optional: tuple[Operand, ...] = (), **datapath: int) -> Hardware:
    """DRAM of a byte a cycle, and a buffer of some bytes, above one multiplier."""
    narrow = Memory(name="DRAM", keeps=tuple(Operand), bandwidth=Bandwidth(1, "cycle"))
    buffer = Memory(name="buffer", keeps=tuple(Operand), optional=optional, size=size, buffering="streaming")
    return chip(
        Level(name="outer", memories=(narrow,)),
        Level(name="inner", memories=(buffer,)),
        datapath=one_mac(**datapath),
    )


def test_what_stays_on_the_chip_is_moved_by_nobody_outside() -> None:
    """6 x 4 weights, 4 inputs and 6 outputs of a byte each."""
    nest, hardware = LoopNest(K=6, C=4), two_levels(4096)
    sizes = {Operand.WEIGHTS: 24, Operand.INPUTS: 4, Operand.OUTPUTS: 6}
    for count in range(4):
        for stay in combinations(Operand, count):
            cost = map_layer(nest, hardware, 8, 8, 8, resident=stay)
            assert cost.dram_bytes == sum(size for operand, size in sizes.items() if operand not in stay)
            assert {access.operand for access in cost.traffic if access.level == 0} == set(Operand) - set(stay)


@pytest.mark.parametrize(
    ("stay", "least"),
    [
        (Operand.WEIGHTS, 24 + 1 + 2),  # all weights, an input, and a sum of 2 B
        (Operand.INPUTS, 4 + 1 + 2),
        # Where all of C lies inside, one output is 2 B wide and five of 1 B wait beside it: 4 + 4 + 7. Where C is cut,
        # all are partial sums: 1 + 1 + 12.
        (Operand.OUTPUTS, 14),
    ],
)
def test_what_stays_on_the_chip_takes_room_whole(stay: Operand, least: int) -> None:
    nest = LoopNest(K=6, C=4)
    assert map_layer(nest, two_levels(least, accumulator=16), 8, 8, 8, resident=[stay]).macs == 24
    with pytest.raises(Infeasible):
        map_layer(nest, two_levels(least - 1, accumulator=16), 8, 8, 8, resident=[stay])


def test_nothing_that_stays_on_the_chip_passes_its_home_by() -> None:
    """A buffer of 5 B could hold the sums alone, or weights and inputs that come a byte at a time."""
    hardware = two_levels(5, optional=tuple(Operand), accumulator=16)
    found = map_layer(LoopNest(K=6, C=4), hardware, 8, 8, 8, resident=[Operand.INPUTS])
    assert found.mapping is not None
    assert Operand.INPUTS not in found.mapping.levels[1].bypass
    bypassing = Mapping(
        (LevelMapping("outer", (Loop("K", 6), Loop("C", 4))), LevelMapping("inner", bypass=(Operand.INPUTS,)))
    )
    assert price(LoopNest(K=6, C=4), hardware, bypassing, 8, 8, 8).macs == 24
    with pytest.raises(Infeasible, match="inner has to keep inputs"):
        price(LoopNest(K=6, C=4), hardware, bypassing, 8, 8, 8, resident=[Operand.INPUTS])


def test_nothing_stays_where_nothing_keeps_it() -> None:
    with pytest.raises(Infeasible, match="no on-chip level, shared by the whole chip, that keeps inputs"):
        map_layer(
            LoopNest(),
            chip(Level(name="outer", memories=two_levels(1).levels[0].memories)),
            8,
            8,
            resident=[Operand.INPUTS],
        )


def test_a_layer_larger_than_the_chip_s_memory_is_refused() -> None:
    dram = Memory(name="DRAM", keeps=tuple(Operand), size=100, buffering="streaming")
    hardware = chip(Level(name="outer", memories=(dram,)))
    assert map_layer(LoopNest(K=8, C=8), hardware, 8, 8).macs == 64
    with pytest.raises(Infeasible, match="DRAM") as failure:
        map_layer(LoopNest(K=12, C=12), hardware, 8, 8)
    assert (failure.value.level, failure.value.constraint) == ("outer", "capacity")


def test_a_huge_layer_is_mapped_without_claiming_more_than_was_seen() -> None:
    """Too many cuts to tabulate: bounds that no halving gives are left out, and not spoken for."""
    nest = LoopNest(N=100_000, K=128, C=64, P=5, Q=5, R=6, S=6)
    found = map_layer(nest, load_hardware("turing"), 32, 32, effort=1e5)
    assert found.certificate is not None
    assert found.certificate.lower_bound <= found.cycles
    assert found.utilization > 0.9
    assert found.mapping is not None
    price(nest, load_hardware("turing"), found.mapping, 32, 32)


def test_little_effort_still_fills_the_array() -> None:
    """3 of 128 rows and 64 of 128 columns are what this layer has for the array: one step a pixel and filter tap."""
    found = map_layer(LoopNest(K=64, C=3, P=32, Q=32, R=3, S=3), load_hardware("gemmini"), 8, 8, effort=1e4)
    assert found.busy["compute"] == pytest.approx(32 * 32 * 9 * (1 + 1 / 64))


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="latency, energy, edp"):
        map_layer(LAYER, load_hardware("simple_s0"), 8, 8, objective="speed")  # type: ignore[arg-type]
