"""What a systolic array loses to its skew, counted by hand."""

from __future__ import annotations

from hwsim.cost.layer import price
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Axis, Level, Memory
from tests.strategies import chip


def test_tiles_are_counted_where_they_are_stationary() -> None:
    """Two tiles of four weights, one a column: two steps, and twice 3 cycles along the diagonal and 4 to load."""
    dram = Level(name="DRAM", memories=(Memory(name="D", keeps=tuple(Operand)),))
    memory = Memory(name="R", keeps=(Operand.WEIGHTS,))
    array = Level(name="RF", memories=(memory,), fanout=(Axis(name="X", size=4),))
    loops = LevelMapping("DRAM", (Loop("K", 2),)), LevelMapping("RF", (), (SpatialLoop("K", 4, "X"),))
    cost = price(LoopNest(K=8), chip(dram, array, systolic=True), Mapping(loops), 8, 8)
    assert cost.busy["compute"] == 2 + 2 * (3 + 4)
