"""Sums of products of small tables."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, strategies as st

from hwsim.simulate.layer.tables import Factor, Table


@st.composite
def sums(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, list[Factor]]]]:
    """Bounds of up to five loops, and terms whose factors split them in different ways."""
    bounds = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    terms: list[tuple[int, list[Factor]]] = []
    for _ in range(draw(st.integers(0, 3))):
        owner = [draw(st.integers(0, 2)) for _ in bounds]
        factors: list[Factor] = []
        for number in range(3):
            positions = tuple(k for k, mine in enumerate(owner) if mine == number)
            factors.append((positions, random.integers(0, 9, [bounds[k] for k in positions])))
        terms.append((draw(st.integers(-3, 3)), factors))
    return bounds, terms


def value(terms: list[tuple[int, list[Factor]]], index: tuple[int, ...]) -> int:
    """By the definition."""
    result = 0
    for scale, factors in terms:
        for positions, array in factors:
            scale *= int(array[tuple(index[k] for k in positions)])
        result += scale
    return result


@given(sums(), st.integers(-4, 4))
def test_values_and_total(drawn: tuple[list[int], list[tuple[int, list[Factor]]]], scale: int) -> None:
    bounds, terms = drawn
    table, rest = Table.of(*terms[:1]), Table.of(*terms[1:])
    together = (table + rest).scaled(scale)
    indices = list(product(*map(range, bounds)))
    for index in indices:
        assert together.at([*index, 7]) == scale * value(terms, index)
    assert together.total() == scale * sum(value(terms, index) for index in indices)


def test_factors_too_large_to_multiply_out() -> None:
    rows, columns = np.arange(200), np.arange(300) + 1
    table = Table.of((2, [((0,), rows), ((2,), columns)]), (-1, [((0,), rows), ((2,), columns[::-1])]))
    assert table.at([3, 5, 10]) == 2 * 3 * 11 - 3 * 290
    assert table.total() == rows.sum() * columns.sum()


def test_no_word_is_lost_in_large_sums() -> None:
    """2^40 visits of 2^40 bits are more than 64 bits hold."""
    many = np.full(2**10, 2**10)
    table = Table.of((1, [((k,), many) for k in range(4)]))
    assert table.total() == 2**80
    assert table.at([0] * 4) == 2**40


def test_what_cancels_is_gone() -> None:
    factor: Factor = ((1,), np.array([1, 2]))
    assert Table.of((3, [factor]), (-3, [factor])).terms == ()
    assert (Table.of((3, [factor])) + Table.of((-3, [factor]))).terms == ()
    assert Table.of((3, [factor, ((), np.array(0))])).terms == ()
    assert Table().at([]) == Table().total() == 0
