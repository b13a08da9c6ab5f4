"""Tile counts, unrollings and sizes of mapspaces, against plain enumeration."""

from __future__ import annotations

from itertools import product
from math import ceil, prod

from hypothesis import given, strategies as st

from hwsim.cost.problem import problem
from hwsim.mapper.mapspace import mapspaces, space_size, tile_counts
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level, Memory
from tests.strategies import chip


def array(*axes: Axis) -> Hardware:
    dram = Level(name="outer", memories=(Memory(name="DRAM", keeps=tuple(Operand)),), fanout=axes)
    return chip(dram, Level(name="inner", memories=(Memory(name="RF", keeps=tuple(Operand)),)))


@given(st.integers(1, 500))
def test_tile_counts_are_those_of_all_tiles(size: int) -> None:
    assert tile_counts(size).tolist() == sorted({ceil(size / tile) for tile in range(1, size + 1)})


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_unrollings_are_all_that_fit_the_axes(first: int, second: int, size: int) -> None:
    """Two equal axes: only how many instances a dimension gets in all can matter."""
    axes = (Axis(name="X", size=first, dims=("K", "C")), Axis(name="Y", size=second, dims=("K",)))
    space = mapspaces(problem(LoopNest(K=size + 1, C=3), array(*axes), 8, 8))[0]
    ways = space.unrollings(0)
    found = {tuple(int(x) for x in factor) for factor in ways.factor}
    expected = {
        (along * across, c)
        for along, across, c in product(range(1, size + 2), range(1, size + 2), range(1, 4))
        if along * c <= first and across <= second
    }
    assert found == expected
    assert len(ways) == len(found)
    assert all(prod(bounds) <= axis.size for way in ways.bounds for bounds, axis in zip(way, axes, strict=True))


def test_size_of_a_mapspace_by_hand() -> None:
    """Four rows over two levels: the inner bound may be 1, 2 or 4 (3 leaves two tiles, as 2 does). The outer level has
    an order for each operand that a dimension spares, P weights and K inputs; the inner one's order is free."""
    assert space_size(mapspaces(problem(LoopNest(P=4), array(), 8, 8))) == 3 * 1
    assert space_size(mapspaces(problem(LoopNest(P=4, K=2), array(), 8, 8))) == 3 * 2 * 2


def test_mirrored_only_where_rows_and_columns_may_change_places() -> None:
    def mirrored(nest: LoopNest, *axes: Axis) -> bool:
        return mapspaces(problem(nest, array(*axes), 8, 8))[0].mirrored

    both = Axis(name="X", size=4, dims=("P", "Q"))
    assert mirrored(LoopNest(P=4, Q=4, R=3, S=3), both)
    assert not mirrored(LoopNest(P=4, Q=5, R=3, S=3), both)
    assert not mirrored(LoopNest(P=4, Q=4, R=3, S=3, stride=(1, 2)), both)
    assert not mirrored(LoopNest(P=4, Q=4), Axis(name="X", size=4, dims=("P",)))
