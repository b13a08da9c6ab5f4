"""The mapper's optimum against every mapping of small mapspaces, each priced."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from math import isclose

import pytest
from hypothesis import assume, given, settings, strategies as st

from hwsim.cost.layer import LayerCost, price
from hwsim.errors import Infeasible
from hwsim.mapper import Objective, map_layer
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import AccessEnergy, Axis, Hardware, Level, Memory
from hwsim.units import Bandwidth
from tests.oracle.brute_force import enumerate_mappings
from tests.strategies import chip, one_mac, packing, residents, tiny_problems

#: Most mappings that one example may have.
MOST = 1000

OBJECTIVES = {
    "latency": lambda cost: cost.cycles,
    "energy": lambda cost: cost.energy_joules,
    "edp": lambda cost: cost.cycles * cost.energy_joules,
}


def canonical(mapping: Mapping) -> Mapping:
    """The same mapping with the operands that pass a level by in one order."""
    return Mapping(tuple(replace(level, bypass=tuple(sorted(level.bypass))) for level in mapping.levels))


def check(nest: LoopNest, hardware: Hardware, bits: int, most: int, resident: frozenset[Operand] = frozenset()) -> None:
    """Compare on one problem, provided that it has no more than `most` mappings."""
    assume(compare(nest, hardware, bits, most, resident))


def compare(nest: LoopNest, hardware: Hardware, bits: int, most: int, resident: frozenset[Operand]) -> bool:
    """Compare on one problem; false where it has more than `most` mappings."""
    mappings = list(islice(enumerate_mappings(nest, hardware, bits, bits, resident=resident), most + 1))
    if len(mappings) > most:
        return False
    if not mappings:
        with pytest.raises(Infeasible):
            map_layer(nest, hardware, bits, bits, objective="latency", resident=resident)
        return True
    space = {canonical(mapping) for mapping in mappings}
    priced = [price(nest, hardware, mapping, bits, bits, resident=resident) for mapping in mappings]
    for objective, value in OBJECTIVES.items():
        found: LayerCost = map_layer(nest, hardware, bits, bits, objective=objective, resident=resident)
        best = min(priced, key=value)
        assert isclose(value(found), value(best)), f"{objective}: {found.mapping} against {best.mapping}"
        assert found.certificate is not None
        assert found.certificate.proven
        assert found.mapping is not None
        assert canonical(found.mapping) in space
        again = price(nest, hardware, found.mapping, bits, bits, resident=resident)
        assert (again.cycles, again.energy_joules) == pytest.approx((found.cycles, found.energy_joules))
    return True


@settings(max_examples=80)
@given(problem=tiny_problems())
def test_optimum_equals_brute_force(problem: tuple[LoopNest, Hardware]) -> None:
    check(*problem, bits=8, most=1000)


@settings(max_examples=40)
@given(problem=tiny_problems())
def test_optimum_equals_brute_force_with_lanes(problem: tuple[LoopNest, Hardware]) -> None:
    nest, hardware = problem
    check(nest, hardware.model_copy(update={"datapath": packing(accumulator=16)}), bits=4, most=1000)


@settings(max_examples=80)
@given(data=st.data())
def test_optimum_equals_brute_force_with_operands_that_stay(data: st.DataObject) -> None:
    nest, hardware = data.draw(tiny_problems())
    stay = data.draw(residents(hardware))
    assume(stay)
    check(nest, hardware, bits=8, most=1000, resident=stay)


def test_bounds_below_zero_do_not_multiply_to_a_large_one() -> None:
    """Sums that leave narrower than they were added up are a discount on time and on energy alike."""
    every = tuple(Operand)
    axis = (Axis(name="X", size=2),)
    narrow = Memory(name="narrow", keeps=every, bandwidth=Bandwidth(0.5, "cycle"), buffering="single")
    hardware = chip(
        Level(name="outer", memories=(Memory(name="DRAM", keeps=every, energy=AccessEnergy(write=0.25)),), fanout=axis),
        Level(name="middle", memories=(narrow,), fanout=axis),
        Level(
            name="inner", memories=(Memory(name="RF", keeps=every, optional=every, energy=AccessEnergy(read=0.125)),)
        ),
        datapath=packing(accumulator=16),
    )
    assert compare(LoopNest(K=2), hardware, 4, 1000, frozenset())


@pytest.mark.slow
@settings(max_examples=300)
@given(problem=tiny_problems())
def test_optimum_equals_brute_force_on_larger_spaces(problem: tuple[LoopNest, Hardware]) -> None:
    check(*problem, bits=8, most=20_000)


def test_dataflow_orders_the_loops_that_it_leaves_alone() -> None:
    """No loop here can keep the inputs in place, so P and C may stand in either order, and pixels outside save sums.

    P outside: each of 2 outputs goes to DRAM once, 8 bits. C outside: each goes twice, first 16 bits of partial sum.
    """
    outer = Memory(name="DRAM", keeps=tuple(Operand), energy=AccessEnergy(write=1.0))
    inner = Memory(name="RF", keeps=tuple(Operand), size=4, buffering="streaming")
    hardware = chip(
        Level(name="outer", memories=(outer,), stationary=(Operand.INPUTS,)),
        Level(name="inner", memories=(inner,), loops=()),
        datapath=one_mac(accumulator=16),
    )
    found = map_layer(LoopNest(C=2, P=2), hardware, 8, 8, objective="energy")
    assert found.energy_joules == 4 + 2 * 8


@pytest.mark.parametrize("objective", ["latency", "edp"])
@pytest.mark.parametrize(
    ("nest", "optional", "cycles"),
    [
        # Weight and input of 1 B, a sum of 2 B that leaves with 1 B: 3 B out, 4 B in; without the weight 2 B and 3 B.
        (LoopNest(), Operand.WEIGHTS, 1 + 2 * 3),
        # Two pixels. Kept, sums bring 4 B in and 2 B out; passing by, what is left is 2 + 2 B out and 1 + 2 B in.
        (LoopNest(P=2), Operand.OUTPUTS, 2 + 2 * 4),
    ],
)
def test_bypass_spares_the_ports_of_a_single_buffered_memory(
    nest: LoopNest, optional: Operand, cycles: float, objective: Objective
) -> None:
    """Reads and writes go side by side, each at 2 cycles a byte, before the multiplications."""
    ports = {f"{way}_bandwidth": Bandwidth(0.5, "cycle") for way in ("read", "write")}
    every = tuple(Operand)
    narrow = Memory(name="RF", keeps=every, optional=(optional,), buffering="single", **ports)
    hardware = chip(
        Level(name="outer", memories=(Memory(name="DRAM", keeps=every),)),
        Level(name="inner", memories=(narrow,)),
        datapath=one_mac(accumulator=16),
    )
    found = map_layer(nest, hardware, 8, 8, objective=objective)
    assert found.mapping is not None
    assert (found.cycles, found.mapping.levels[1].bypass) == (cycles, (optional,))


@pytest.mark.parametrize(("size", "cycles"), [(3, 1), (4, 1), (5, 2), (7, 2), (9, 3)])
def test_two_axes_share_one_dimension(size: int, cycles: int) -> None:
    """K over 2 x 2 multipliers, whether or not it fills the last of them."""
    plane = (Axis(name="X", size=2), Axis(name="Y", size=2))
    memory = Memory(name="DRAM", keeps=tuple(Operand))
    hardware = chip(Level(name="only", memories=(memory,), fanout=plane))
    assert map_layer(LoopNest(K=size), hardware, 8, 8, objective="latency").cycles == cycles
