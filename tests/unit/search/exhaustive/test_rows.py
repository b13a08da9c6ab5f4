"""Sums over the members of many ensembles, against loops over one after another."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from hwsim.search.design.ensembles import Block, chosen, multisets
from hwsim.search.exhaustive.rows import REMEMBERED, Rows

#: Low precisions and low-precision members; with the last two, blocks are large enough to look up pairs.
SHAPES = ((1, 0), (1, 1), (3, 2), (2, 5), (5, 4), (9, 3))


def members(block: Block, kinds: int) -> list[list[int]]:
    """Precisions in order of execution."""
    return [[kinds] * block.full_precision + row for row in block.members.tolist()]


@st.composite
def blocks(draw: st.DrawFn) -> tuple[Block, int]:
    """All ensembles of as many members, and how many low precisions there are."""
    kinds, low = draw(st.sampled_from(SHAPES))
    several = draw(st.integers(0 if low else 1, 3))
    return Block(several, chosen(kinds, low, 0, multisets(kinds, low))), kinds


@settings(max_examples=60)
@given(blocks(), st.integers(1, 3), st.integers(0, 2**32 - 1), st.booleans())
def test_the_sum_of_a_term_of_every_member(drawn: tuple[Block, int], situations: int, seed: int, uniform: bool) -> None:
    block, kinds = drawn
    noise = np.random.default_rng(seed)
    table = noise.integers(0, 1000, (situations, kinds + 1)).astype(np.float64)
    own = noise.integers(0, situations, len(block.members))
    own = np.full_like(own, own[0]) if uniform else own
    rows = Rows(block, kinds)
    expected = [
        sum(table[where, one] for one in copies) for where, copies in zip(own, members(block, kinds), strict=True)
    ]
    assert rows.total(table, own.astype(np.intp)).tolist() == expected
    assert rows.total(table[:1]).tolist() == [sum(table[0, one] for one in copies) for copies in members(block, kinds)]


@settings(max_examples=60)
@given(blocks(), st.integers(0, 2**32 - 1))
def test_mode_changes_around_the_members_and_between_any_two(drawn: tuple[Block, int], seed: int) -> None:
    block, kinds = drawn
    change = np.random.default_rng(seed).random((kinds + 1, kinds + 1)) < 0.5
    rows = Rows(block, kinds)
    around, between = rows.changes(change, False), rows.changes(change, True)
    for row, copies in enumerate(members(block, kinds)):
        following = [*copies[1:], copies[0]]
        assert around[row] == sum(change[pair] for pair in zip(copies, following, strict=True))
        pairs = sum(change[pair] for pair in product(copies, repeat=2))
        assert abs(between[row] - pairs / len(copies) ** 2) < 1e-12


def test_a_precision_that_cannot_run_is_missed_only_by_those_that_have_it() -> None:
    block = Block(0, chosen(2, 2, 0, 3))
    assert np.isnan(Rows(block, 2).total(np.array([[1.0, 2.0, np.nan]]))).tolist() == [False] * 3
    assert np.isnan(Rows(block, 2).total(np.array([[1.0, np.nan, 5.0]]))).tolist() == [False, True, True]


def test_sums_are_made_once_and_forgotten_in_the_end() -> None:
    rows = Rows(Block(0, chosen(2, 1, 0, 2)), 2)
    made: list[int] = []

    def once(number: int) -> float:
        def make() -> NDArray[np.float64]:
            made.append(number)
            return np.array([float(number)])

        return float(rows.once("sum", np.array([number]), make)[0])

    assert [once(0), once(1), once(0)] == [0, 1, 0]
    assert made == [0, 1]
    for number in range(2, REMEMBERED + 1):
        once(number)
    assert once(0) == 0
    assert made == [*range(REMEMBERED + 1), 0]
