"""One layer mapped for many widths and chips at once, against each of them mapped by itself."""

from __future__ import annotations

from math import inf, isclose
from typing import Any

import numpy as np
from hypothesis import assume, given, settings, strategies as st

from hwsim.cost.layer import LayerCost, check, price_problem
from hwsim.cost.problem import Problem, problem
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective, optimum
from hwsim.mapper.exact import Found
from hwsim.mapper.family import hardness, kind, map_family
from hwsim.operators.nest import LoopNest
from hwsim.spec.hardware import Axis, Hardware, Memory
from hwsim.units import Bandwidth
from tests.strategies import mappings, one_mac, packing, residents, tiny_problems


def value(cost: LayerCost, objective: Objective) -> float:
    """Of the objective."""
    return {"latency": cost.cycles, "energy": cost.energy_joules, "edp": cost.cycles * cost.energy_joules}[objective]


def alone(problem: Problem, objective: Objective) -> float:
    """The optimum; infinite where nothing fits."""
    try:
        return value(optimum(problem, objective, EFFORT, Found()), objective)
    except Infeasible:
        return inf


@st.composite
def relatives(draw: st.DrawFn, hardware: Hardware) -> Hardware:
    """The chip with one thing changed, so that it is easier or harder than the chip in that alone."""
    overheads = {"launch": 3.0, "leakage": 0.5, "fill_and_drain": not hardware.fill_and_drain, "systolic": True}
    what = draw(st.sampled_from(("size", "bandwidth", "energy", "fanout", "fanout of a systolic array", *overheads)))
    if what in overheads:
        return hardware.model_copy(update={what: overheads[what]})
    factor = draw(st.sampled_from((0.25, 0.5, 2, 4)))

    def scaled(given: Bandwidth | None) -> Bandwidth | None:
        return given and Bandwidth(given.amount * factor, given.per)

    def varied(memory: Memory) -> Memory:
        ports = ("bandwidth", "read_bandwidth", "write_bandwidth")
        changes: dict[str, Any] = {
            "size": {"size": memory.size and memory.size * factor},
            "bandwidth": {name: scaled(getattr(memory, name)) for name in ports},
            "energy": {"energy": {"read": memory.energy.read * factor, "write": memory.energy.write}},
        }
        return memory.model_copy(update=changes.get(what, {}))

    def wider(axis: Axis) -> Axis:
        return axis.model_copy(update={"size": axis.size + 1}) if what.startswith("fanout") else axis

    levels = [
        level.model_copy(
            update={
                "memories": tuple(varied(memory) for memory in level.memories),
                "fanout": tuple(wider(axis) for axis in level.fanout),
            }
        )
        for level in hardware.levels
    ]
    return hardware.model_copy(update={"levels": tuple(levels)})


@settings(max_examples=40)
@given(data=st.data(), drawn=tiny_problems(), objective=st.sampled_from(("latency", "energy", "edp")))
def test_a_family_has_the_optima_of_its_members(
    data: st.DataObject, drawn: tuple[LoopNest, Hardware], objective: Objective
) -> None:
    """Whatever differs between them, and in whatever order they come."""
    nest, hardware = drawn
    if data.draw(st.booleans(), "packed lanes"):
        hardware = hardware.model_copy(update={"datapath": packing(accumulator=16)})
    chips = [hardware, *data.draw(st.lists(relatives(hardware), min_size=1, max_size=2), "chips")]
    stay = data.draw(residents(hardware), "resident")
    first = data.draw(st.tuples(*[st.sampled_from((1, 2, 4, 8))] * 3), "widths")
    place = data.draw(st.integers(0, 2), "width that varies")
    second = tuple(bits * (1 + (i == place)) for i, bits in enumerate(first))
    widths = [first, second][: data.draw(st.integers(1, 2), "how many")]
    family = [problem(nest, chip, *bits, resident=stay) for chip in chips for bits in widths]
    family = data.draw(st.permutations(family))
    for one, found in zip(family, map_family(family, objective=objective), strict=True):
        best = alone(one, objective)
        if isinstance(found, Infeasible):
            assert best == inf
            continue
        assert isclose(value(found, objective), best)
        assert found.certificate is not None
        assert found.certificate.proven
        assert found.mapping is not None
        assert found.problem == one
        check(one, found.mapping)


@settings(max_examples=250)
@given(data=st.data(), drawn=tiny_problems(), objective=st.sampled_from(("latency", "energy", "edp")))
def test_what_is_no_harder_allows_more_and_costs_no_more(
    data: st.DataObject, drawn: tuple[LoopNest, Hardware], objective: Objective
) -> None:
    """Every mapping of the harder of two problems is one of the easier, and no dearer there."""
    nest, hardware = drawn
    corrected = packing(accumulator=16).model_copy(update={"offset_correction": True})
    datapath = data.draw(st.sampled_from((one_mac(accumulator=16), packing(accumulator=16), corrected)), "datapath")
    hardware = hardware.model_copy(update={"datapath": datapath})
    bits = data.draw(st.tuples(*[st.integers(1, 7)] * 3), "widths")
    further = data.draw(st.sampled_from([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]), "further bits")
    if data.draw(st.booleans(), "systolic"):
        hardware = hardware.model_copy(update={"systolic": True})
    relative = data.draw(st.just(hardware) | relatives(hardware), "other chip")
    wider = tuple(a + b for a, b in zip(bits, further, strict=True))
    pair = [problem(nest, hardware, *bits), problem(nest, relative, *wider)]
    assume(kind(pair[0]) == kind(pair[1]))
    first, second = (np.array(hardness(one, objective)) for one in pair)
    assume((first <= second).all() or (second <= first).all())
    easy, hard = pair if (first <= second).all() else reversed(pair)
    lanes = next((axis for axis in hard.levels[-1].fanout if axis.name == "lanes"), None)
    mapping = data.draw(mappings(nest, hard.hardware, lanes), "mapping")
    try:
        check(hard, mapping)
    except Infeasible:
        assume(False)
    check(easy, mapping)
    assert value(price_problem(easy, mapping), objective) <= value(price_problem(hard, mapping), objective) * (
        1 + 1e-12
    )


def test_a_family_of_none() -> None:
    """Nothing is asked, nothing is answered."""
    assert map_family([]) == []
