"""What a mapping moves while some of its operands stay on the chip, against the same mapping while none does."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from hwsim.cost.layer import LayerCost, price
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware
from tests.oracle.loops import home
from tests.strategies import hardwares, loop_nests, mappings, residents

Words = dict[tuple[int, Operand], tuple[float, float]]


def words(cost: LayerCost) -> Words:
    """Reads and writes, where there are any."""
    found = {(x.level, x.operand): (float(x.reads), float(x.writes)) for x in cost.traffic}
    return {key: both for key, both in found.items() if any(both)}


@settings(max_examples=150)
@given(data=st.data())
def test_the_same_mapping_only_leaves_out_what_is_above_home(data: st.DataObject) -> None:
    """The outermost level is spared all that it moved of a resident operand, and the home what came from there: the
    fills, and for outputs the partial sums that went up and came back. Nothing else changes, time excepted."""
    nest, hardware = data.draw(loop_nests()), data.draw(hardwares())
    stay = data.draw(residents(hardware))
    mapping = data.draw(mappings(nest, hardware, resident=stay))
    before = price(nest, hardware, mapping, 8, 8)
    after = price(nest, hardware, mapping, 8, 8, resident=stay)
    expected = dict(words(before))
    for operand in stay:
        expected.pop((0, operand), None)
        alone = words(before)[_home(hardware, operand), operand]
        here = words(after).get((_home(hardware, operand), operand), (0.0, 0.0))
        assert here[0] <= alone[0]
        assert here[1] <= alone[1]
        if operand is not Operand.OUTPUTS:
            assert here == (alone[0], 0)
        expected[_home(hardware, operand), operand] = here
    assert words(after) == {key: both for key, both in expected.items() if any(both)}
    moved = sum(float(x.read_bits + x.write_bits) for x in before.traffic if x.level == 0 and x.operand in stay)
    assert before.dram_bytes - after.dram_bytes == moved / 8


def _home(hardware: Hardware, operand: Operand) -> int:
    level = home(hardware, operand)
    assert level is not None
    return level
