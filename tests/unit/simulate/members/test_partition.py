"""A chip in parts: what a part has, and the best division against all divisions."""

from __future__ import annotations

from functools import partial
from itertools import product
from math import inf
from operator import truediv

import pytest
from hypothesis import given, strategies as st

from hwsim.errors import Infeasible
from hwsim.simulate.members.partition import divisible, part, shares
from hwsim.spec.load import load_hardware
from tests.unit.ensemble.examples import small_chip


def test_a_part_has_its_share_of_everything_above_the_axis_and_all_below() -> None:
    chip = load_hardware("turing", ("leakage=34 W",))
    level, (axis,) = divisible(chip, 3)
    assert (chip.levels[level].name, axis.name, axis.size) == ("L2", "SM", 68)
    half = part(chip, level, "SM", 34)
    (dram,), (cache,) = half.levels[0].memories, half.levels[1].memories
    assert dram.bandwidth is not None
    assert (dram.bandwidth.amount, dram.bandwidth.per) == (308e9, "second")
    assert dram.size == chip.levels[0].memories[0].size  # one memory, which holds what it held
    assert cache.size == 5.5 * 2**20 / 2
    assert cache.read_bandwidth is not None
    assert cache.read_bandwidth.amount == 555e9
    assert cache.write_bandwidth is None
    assert [axis.size for axis in half.levels[1].fanout] == [34]
    assert half.levels[2] == chip.levels[2]
    assert half.datapaths == chip.datapaths / 2
    assert half.vector.operations_per_cycle == 2176
    assert half.leakage == 17
    assert (half.launch, half.clock, half.datapath) == (chip.launch, chip.clock, chip.datapath)
    assert part(chip, level, "SM", 68) == chip


def test_parts_of_one_of_two_axes() -> None:
    chip = load_hardware("bitfusion")
    level, axes = divisible(chip, 3)
    assert (level, [axis.name for axis in axes]) == (1, ["rows", "columns"])  # 16 of them, and 32
    quarter = part(chip, level, "columns", 8)
    assert [(own.name, own.size) for own in quarter.levels[1].fanout] == [("rows", 16), ("columns", 8)]
    assert [memory.size for memory in quarter.levels[1].memories] == [16 * 1024, 8 * 1024, 4 * 1024]
    assert quarter.levels[0].memories[0].bandwidth is not None
    assert quarter.levels[0].memories[0].bandwidth.amount == 6  # 192 bits a cycle, by four


def test_the_outermost_fan_out_that_is_long_enough_is_divided() -> None:
    chip = load_hardware("rapid")  # four cores, each two corelets, 8 rows and 64 columns
    names = [[axis.name for axis in divisible(chip, parts)[1]] for parts in (2, 4, 5, 8, 9)]
    assert names == [["cores"], ["cores"], ["rows", "columns"], ["rows", "columns"], ["columns"]]
    with pytest.raises(Infeasible, match="65 parts"):
        divisible(chip, 65)
    with pytest.raises(Infeasible, match="fan-out"):
        divisible(small_chip(), 2)


WORK = st.lists(st.integers(1, 40), min_size=1, max_size=3)


@given(WORK, st.integers(0, 12), st.data())
def test_no_division_has_a_faster_slowest_member(work: list[int], spare: int, data: st.DataObject) -> None:
    """Against all divisions, for times that fall with the instances somehow and may need some to begin with."""
    whole = len(work) + spare
    tables = []
    for amount in work:
        drops = data.draw(st.lists(st.integers(0, amount), min_size=whole, max_size=whole))
        needed = data.draw(st.integers(0, 2))
        falling = [float(2 * amount + sum(drops[share:])) for share in range(whole + 1)]
        tables.append([inf] * (needed + 1) + falling[needed + 1 :])
    best = min(
        max(table[share] for table, share in zip(tables, division, strict=True))
        for division in product(range(1, whole + 1), repeat=len(work))
        if sum(division) == whole
    )
    times = [table.__getitem__ for table in tables]
    if best == inf:
        with pytest.raises(Infeasible, match="no division"):
            shares(times, whole)
        return
    found = shares(times, whole)
    assert sum(found) == whole
    assert min(found) >= 1
    assert max(table[share] for table, share in zip(tables, found, strict=True)) == best


def test_times_that_fall_with_the_instances_are_equalised() -> None:
    """64 : 2 : 2 is the only division of 68 in which work of 64, 2 and 2 takes 1."""
    assert shares([partial(truediv, work) for work in (64.0, 2.0, 2.0)], 68) == (64, 2, 2)


def test_few_divisions_are_tried() -> None:
    """Every one asks for a network to be mapped."""
    tried = set()

    def time(work: float, share: int) -> float:
        tried.add((work, share))
        return 50.0 + work / min(share, 200)

    assert sum(shares([partial(time, work) for work in (9000.0, 700.0, 90.0)], 256)) == 256
    assert len(tried) < 60
