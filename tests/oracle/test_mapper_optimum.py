"""The mapper's optimum against every mapping of small mapspaces, each priced."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from math import isclose

import pytest
from hypothesis import assume, given, settings

from hwsim.cost.layer import LayerCost, price
from hwsim.errors import Infeasible
from hwsim.mapper import map_layer
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import LoopNest
from hwsim.spec.hardware import Hardware
from tests.oracle.brute_force import enumerate_mappings
from tests.strategies import tiny_problems

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


@settings(max_examples=60)
@given(problem=tiny_problems())
def test_optimum_equals_brute_force(problem: tuple[LoopNest, Hardware]) -> None:
    nest, hardware = problem
    mappings = list(islice(enumerate_mappings(nest, hardware, 8, 8), MOST + 1))
    assume(len(mappings) <= MOST)
    if not mappings:
        with pytest.raises(Infeasible):
            map_layer(nest, hardware, 8, 8, objective="latency")
        return
    space = {canonical(mapping) for mapping in mappings}
    priced = [price(nest, hardware, mapping, 8, 8) for mapping in mappings]
    for objective, value in OBJECTIVES.items():
        found: LayerCost = map_layer(nest, hardware, 8, 8, objective=objective)
        best = min(priced, key=value)
        assert isclose(value(found), value(best)), f"{objective}: {found.mapping} against {best.mapping}"
        assert found.certificate is not None
        assert found.certificate.proven
        assert found.mapping is not None
        assert canonical(found.mapping) in space
        again = price(nest, hardware, found.mapping, 8, 8)
        assert (again.cycles, again.energy_joules) == pytest.approx((found.cycles, found.energy_joules))
