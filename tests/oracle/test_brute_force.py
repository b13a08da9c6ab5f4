"""The enumeration finds what a count by hand finds, and nothing that the chip cannot hold."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import assume, given, settings, strategies as st

from hwsim.cost.layer import price
from hwsim.errors import Infeasible
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level
from tests.oracle.brute_force import enumerate_mappings
from tests.oracle.executed import convolve, execute
from tests.strategies import chip, tiny_problems

EVERY = tuple(Operand)


def level(name: str, *fanout: Axis, size: float | None = None, buffering: str = "double", **fields: object) -> Level:
    optional = fields.pop("optional", ())
    memory = {"name": f"{name} memory", "keeps": EVERY, "size": size, "buffering": buffering, "optional": optional}
    return Level.model_validate({"name": name, "memories": [memory], "fanout": fanout, **fields})


def test_tilings_and_orders() -> None:
    """K = 4 by 4, 2+2, 3+1 or 1+1+1+1 inside, C = 3 by 3, 2+1 or 1+1+1.

    With o loops at the outer level and i at the inner, o! i! orders: 5 where K is all outside (C outside: 2, split: 2,
    inside: 1), 8 for each of its two splits (2, 4 and 2), 5 where it is all inside.
    """
    found = list(enumerate_mappings(LoopNest(K=4, C=3), chip(level("DRAM"), level("RF"))))
    assert len(found) == len(set(found)) == 5 + 8 + 8 + 5


def test_unrolling() -> None:
    """K = 3 and C = 2 on an axis of 4, no loops inside: K alone 1, 2 or 3, with C 1 or (K = 1, 2) 2."""
    axis = Axis(name="X", size=4)
    found = {m.levels[0].spatial for m in enumerate_mappings(LoopNest(K=3, C=2), chip(level("DRAM", axis)))}
    assert {tuple((loop.dim, loop.bound) for loop in loops) for loops in found} == {
        (), (("K", 2),), (("K", 3),), (("C", 2),), (("K", 2), ("C", 2)),
    }  # fmt: skip
    only_c = chip(level("DRAM", Axis(name="X", size=4, dims=("C",))))
    assert len({m.levels[0].spatial for m in enumerate_mappings(LoopNest(K=3, C=2), only_c)}) == 2


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 26),
        ({"loops": ("K",)}, 1 * 2 + 2 * 2 + 1 * 1),  # C stays outside: orders 2, 2 and 2, 1
        ({"loops": ()}, 2),
        ({"tile": {"K": "full"}}, 5),
        ({"tile": {"K": 2}}, 5 + 8),
        ({"optional": (Operand.WEIGHTS, Operand.INPUTS)}, 26 * 4),
        ({"stationary": (Operand.OUTPUTS,)}, 26 - 2 * 3 - 2),  # half the orders of 2 x 2 and 2 pairs with both inside
    ],
)
def test_constraints(fields: dict[str, object], count: int) -> None:
    hardware = chip(level("DRAM"), level("RF", **fields))
    assert sum(1 for _ in enumerate_mappings(LoopNest(K=4, C=3), hardware)) == count


@pytest.mark.parametrize(("buffering", "tiles"), [("single", {1, 2}), ("streaming", {1, 2}), ("double", {1})])
def test_capacity(buffering: str, tiles: set[int]) -> None:
    """A tile of K filters is K weights of 1 B, one input of 2 B and K sums of 4 B: 7 B, 12 B, 17 B."""
    hardware = chip(level("DRAM"), level("RF", size=14, buffering=buffering))
    found = enumerate_mappings(LoopNest(K=3), hardware, 8, 16)
    assert {next((loop.bound for loop in m.levels[1].temporal), 1) for m in found} == tiles


@settings(max_examples=30)
@given(data=st.data())
def test_every_mapping_runs_and_fits(data: st.DataObject) -> None:
    nest, hardware = data.draw(tiny_problems())
    found = list(enumerate_mappings(nest, hardware, 8, 8))
    assert len(found) == len(set(found))
    for mapping in found[:: max(1, len(found) // 4)]:
        run = execute(nest, hardware, mapping)
        assert (run.output == convolve(nest, run.weights, run.inputs)).all()
        for (name, memory), words in run.peak.items():
            capacity = next(m for m in hardware.level(name).memories if m.name == memory).usable_bytes
            assert words <= capacity  # every word is at least one byte


@settings(max_examples=60)
@given(problem=tiny_problems())
def test_pricing_refuses_the_tiles_that_the_enumeration_finds_too_large(problem: tuple[LoopNest, Hardware]) -> None:
    nest, hardware = problem
    levels = tuple(
        each.model_copy(update={"memories": tuple(m.model_copy(update={"size": None}) for m in each.memories)})
        for each in hardware.levels
    )
    unbounded = hardware.model_copy(update={"levels": levels})
    everything = list(islice(enumerate_mappings(nest, unbounded, 8, 8), 501))
    assume(len(everything) <= 500)
    fitting = set(enumerate_mappings(nest, hardware, 8, 8))
    assert fitting <= set(everything)
    for mapping in everything:
        if mapping in fitting:
            assert price(nest, hardware, mapping, 8, 8).macs == nest.macs
        else:
            with pytest.raises(Infeasible):
                price(nest, hardware, mapping, 8, 8)
