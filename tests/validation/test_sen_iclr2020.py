"""EMPIR: the multiples that the paper states, and those counted from its released networks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hwsim.validate import Report
from hwsim.validate.sen_iclr2020 import ensemble


def test_the_multiples_of_the_paper_and_of_its_code(reported: Callable[[str], Report]) -> None:
    (table,) = reported("sen_iclr2020").tables
    simulated = [float(value) for value in table.column("simulated")]
    assert simulated[:3] == pytest.approx([1.25, 0.375, 0.25], rel=1e-12)
    assert simulated[3:] == pytest.approx([1.77, 1.363, 1.319], abs=5e-4)
    assert table.column("layer by layer") == pytest.approx(simulated, rel=1e-12)


def test_members_and_rule_may_be_replaced() -> None:
    low = ensemble("mnistconv", "2/4 4/4", "all")
    assert [(member.weights, member.activations) for member in low.members] == [(2, 4), (4, 4)]
    assert low.quantize == "all"
    released = ensemble("mnistconv", "", "")
    assert [(member.weights, member.count) for member in released.members] == [(32, 1), (2, 2)]
    assert released.quantize == "convs"
