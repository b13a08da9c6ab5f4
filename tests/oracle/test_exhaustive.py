"""Array arithmetic over ensembles, against ensembles mapped one by one."""

from __future__ import annotations

from math import isnan
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hwsim.errors import Infeasible
from hwsim.importers import resolve
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_hardware
from tests.unit.ensemble.examples import FULL
from tests.unit.search.examples import assert_same, chips, designs, expected, mapped, rows, rules, space


@settings(max_examples=60)
@given(
    chips(),
    rules,
    st.sampled_from(("streamed", "resident", "auto")),
    st.sampled_from(("average", "max_vote", "random_switch")),
    st.sampled_from((1, 3)),
    st.sets(st.integers(1, FULL - 1), min_size=1, max_size=2).map(sorted).map(tuple),
    st.sets(st.integers(0, 2), min_size=1).map(sorted).map(tuple),
    st.data(),
)
def test_every_ensemble_costs_what_it_costs_mapped_alone(
    hardware: Hardware,
    rule: Any,
    weights: str,
    combiner: str,
    batch: int,
    widths: tuple[int, ...],
    several: tuple[int, ...],
    data: st.DataObject,
) -> None:
    wanted = space(
        quantize=rule,
        ensembles={
            "weights": widths,
            "activations": (2, 4),
            "full_precision": several,
            "low_precision": (0, 1, 3),
            "combiner": (combiner,),
            "batch": batch,
            "weights_stay": weights,
        },
    )
    found = rows(designs(wanted, hardware), wanted)
    for copies in data.draw(st.lists(st.sampled_from(sorted(found)), min_size=1, max_size=6, unique=True)):
        try:
            cost = mapped(wanted, copies, hardware)
        except Infeasible:
            assert isnan(found[copies]["seconds"])
            assert isnan(found[copies]["time_overhead"])
            assert not found[copies]["feasible"]
            continue
        assert_same(found[copies], expected(cost))
        assert found[copies]["feasible"] == 1


@pytest.mark.parametrize("name", ["empir_ideal", "bitfusion", "turing"])
@pytest.mark.parametrize("combiner", ["average", "random_switch"])
def test_mnistconv_on_chips_as_they_are(name: str, combiner: str) -> None:
    hardware, network = load_hardware(name), resolve("mnistconv", 4)
    wanted = space(
        quantize={"full_precision": ["fc"]},
        ensembles={
            "full_precision_bits": 32,
            "weights": (2, 8),
            "activations": 4,
            "low_precision": (0, 1, 2, 3, 4),
            "full_precision": (0, 1, 2),
            "combiner": (combiner,),
            "batch": 4,
            "weights_stay": "auto",
        },
    )
    found = rows(designs(wanted, hardware, network=network), wanted)
    assert len(found) == 3 * 15 - 1
    for copies in Random(0).sample(sorted(found), 12):
        assert_same(found[copies], expected(mapped(wanted, copies, hardware, network)))
