"""Fronts against a comparison of all pairs, hypervolumes against counted unit cells."""

from __future__ import annotations

import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from numpy.typing import NDArray

from hwsim.errors import HwsimError
from hwsim.search.design.pareto import hypervolume, nondominated
from hwsim.spec.space import Sense

SENSES: st.SearchStrategy[Sense] = st.sampled_from(["minimise", "maximise"])
FEW = st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.0 + 1e-12, float("inf"), float("-inf"), float("nan")])


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[float]) -> tuple[NDArray[np.float64], list[Sense]]:
    """Rows with many ties, and a sense for each column."""
    width = draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=25))
    return np.array(rows, dtype=float).reshape(len(rows), width), draw(st.lists(SENSES, min_size=width, max_size=width))


def beats(one: NDArray[np.float64], other: NDArray[np.float64], senses: list[Sense]) -> bool:
    """The definition: nowhere worse and somewhere better."""
    pairs = [(a, b) if sense == "minimise" else (b, a) for a, b, sense in zip(one, other, senses, strict=True)]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def brute_force(rows: NDArray[np.float64], senses: list[Sense]) -> list[bool]:
    known = [row for row in rows if not np.isnan(row).any()]
    return [not np.isnan(row).any() and not any(beats(other, row, senses) for other in known) for row in rows]


@given(tables(FEW | st.floats()), st.integers(1, 7))
@example((np.array([[1.0, 0.0], [1.0, 0.0], [0.0, float("nan")]]), ["minimise", "maximise"]), 2)
def test_the_front_is_brute_force_s(table: tuple[NDArray[np.float64], list[Sense]], chunk: int) -> None:
    rows, senses = table
    expected = brute_force(rows, senses)
    assert nondominated(rows, senses).tolist() == expected
    assert nondominated(rows, senses, chunk=chunk).tolist() == expected


def test_equal_designs_are_all_on_the_front() -> None:
    assert nondominated([[1, 5], [2, 4], [1, 5], [3, 4]], ["minimise", "maximise"]).tolist() == [
        True,
        False,
        True,
        False,
    ]


def test_what_is_not_known_is_on_no_front_and_beats_nobody() -> None:
    nan = float("nan")
    assert nondominated([[0, nan], [nan, 9], [1, 1]], ["minimise", "maximise"]).tolist() == [False, False, True]
    assert not nondominated([[nan, nan]], ["minimise", "maximise"]).any()


def test_many_rows_in_groups_are_the_same_as_at_once() -> None:
    rows = np.random.default_rng(5).integers(0, 60, (20_000, 3)).astype(float)
    senses: list[Sense] = ["minimise", "maximise", "minimise"]
    front = nondominated(rows, senses, chunk=997)
    assert (front == nondominated(rows, senses)).all()
    # Of integers below 60 each, so many that a corner is taken: one value of the front, as often as it was drawn.
    best = (rows == [0, 59, 0]).all(axis=1)
    assert best.any() == (front == best).all()


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.tuples(
            st.lists(st.tuples(*[st.integers(0, 4)] * width), max_size=6),
            st.tuples(*[SENSES] * width),
            st.tuples(*[st.integers(0, 4)] * width),
        )
    )
)
def test_the_hypervolume_is_the_number_of_unit_cells_covered(
    case: tuple[list[tuple[int, ...]], tuple[Sense, ...], tuple[int, ...]],
) -> None:
    rows, senses, reference = case
    # In the direction of getting worse: the cell from p to p + 1 is covered if a row is at or before p, and p + 1 is at
    # or before the reference.
    signs = [1 if sense == "minimise" else -1 for sense in senses]
    turned = [tuple(s * v for s, v in zip(signs, row, strict=True)) for row in rows]
    edge = [s * v for s, v in zip(signs, reference, strict=True)]
    covered = sum(
        any(all(r <= c for r, c in zip(row, cell, strict=True)) for row in turned)
        for cell in product(*(range(-4, limit) for limit in edge))
    )
    table = np.array(rows, dtype=float).reshape(len(rows), len(senses))
    assert hypervolume(table, senses, reference) == covered


def test_rows_with_unknown_values_add_no_volume() -> None:
    nan = float("nan")
    assert hypervolume([[1, 3], [nan, 9], [0, nan]], ["minimise", "maximise"], (2, 1)) == 2  # 1 wide, 2 high
    assert hypervolume([[nan, 1]], ["minimise", "minimise"], (2, 2)) == 0


def test_an_infinite_value_covers_an_infinite_volume_if_the_rest_is_better() -> None:
    inf = float("inf")
    assert hypervolume([[-inf, 1], [1, 1]], ["minimise", "minimise"], (2, 2)) == inf
    assert hypervolume([[-inf, 2], [1, 1]], ["minimise", "minimise"], (2, 2)) == 1
    assert hypervolume([[1, inf]], ["minimise", "maximise"], (2, 0)) == inf


def test_as_many_senses_as_columns() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 2\) are not rows of 1 objectives"):
        nondominated([[1, 2]], ["minimise"])


def test_without_moocore_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moocore", None)
    with pytest.raises(HwsimError, match=r"pip install 'hwsim\[search\]'"):
        nondominated([[1.0]], ["minimise"])
