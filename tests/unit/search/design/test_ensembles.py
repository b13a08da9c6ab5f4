"""Ensembles as index arrays, against itertools."""

from __future__ import annotations

from itertools import chain, combinations_with_replacement, islice

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hwsim.search.design.ensembles import Choices, blocks, chosen, count, ensemble_of, members_text, multisets
from hwsim.spec.ensemble import Member, NetworkReference

BITS = tuple((weights, activations) for weights in (1, 2, 4) for activations in (2, 8))


def some(full_precision: tuple[int, ...], low_precision: tuple[int, ...], kinds: int = len(BITS)) -> Choices:
    return Choices(full_precision, low_precision, BITS[:kinds], 32)


@given(
    st.sets(st.integers(0, 3)).map(sorted).map(tuple),
    st.sets(st.integers(0, 4)).map(sorted).map(tuple),
    st.integers(0, 6),
    st.integers(1, 40),
)
def test_every_ensemble_occurs_once(several: tuple[int, ...], low: tuple[int, ...], kinds: int, most: int) -> None:
    choices = some(several, low, kinds)
    found = []
    for block in blocks(choices, most):
        assert 0 < len(block.members) <= most
        found += [(block.full_precision, tuple(row)) for row in block.members.tolist()]
    expected = [
        (m, members)
        for m in several
        for n in low
        if m + n
        for members in combinations_with_replacement(range(kinds), n)
    ]
    assert found == expected
    assert count(choices) == len(expected)


@given(st.integers(1, 7), st.integers(0, 6), st.data())
def test_any_stretch_of_multisets(kinds: int, size: int, data: st.DataObject) -> None:
    total = len(list(combinations_with_replacement(range(kinds), size)))
    first = data.draw(st.integers(0, total))
    last = data.draw(st.integers(first, min(total, first + 20)))
    expected = list(islice(combinations_with_replacement(range(kinds), size), first, last))
    rows = chosen(kinds, size, first, last)
    assert rows.shape == (last - first, size)
    assert [tuple(row) for row in rows.tolist()] == expected


def test_more_ensembles_than_anyone_will_look_at() -> None:
    choices = Choices((0,), (40,), tuple((w, a) for w in range(1, 17) for a in range(1, 17) if w * a < 256), 32)
    kinds = len(choices.precisions)
    assert count(choices) > 2**63
    block = next(blocks(choices, 1000))
    expected = islice(combinations_with_replacement(range(kinds), 40), 1000)
    assert [tuple(row) for row in block.members.tolist()] == list(expected)


def test_a_hundred_million_multisets_end_with_the_last_kind_alone() -> None:
    total = multisets(64, 6)
    rows = chosen(64, 6, total - 2, total)
    assert rows.tolist() == [[62, 63, 63, 63, 63, 63], [63] * 6]
    assert rows.dtype == np.uint8


def test_too_many_precisions_for_an_index() -> None:
    with pytest.raises(ValueError, match="257 precisions"):
        chosen(257, 1, 0, 1)


def test_full_precision_runs_first_then_the_narrowest() -> None:
    choices = some((2,), (3,))
    block = next(blocks(choices))
    row = block.members.tolist().index([0, 3, 3])
    copies = ((32, 32), (32, 32), (1, 2), (2, 8), (2, 8))
    assert block.copies(choices, row) == copies
    assert members_text(copies, 32) == "2 fp + w1a2 + 2 w2a8"


def test_an_ensemble_as_a_user_writes_it() -> None:
    copies = ((32, 32), (2, 4), (2, 4), (4, 4))
    ensemble = ensemble_of(NetworkReference(name="lenet5"), "all", "max_vote", 16, "streamed", 32, copies)
    assert ensemble.name == "fp + 2 w2a4 + w4a4"
    assert ensemble.members == (
        Member(weights=32, activations=32),
        Member(weights=2, activations=4, count=2),
        Member(weights=4, activations=4),
    )
    assert (ensemble.combiner, ensemble.batch, ensemble.weights, ensemble.quantize) == (
        "max_vote",
        16,
        "streamed",
        "all",
    )
    assert [(own.weights, own.activations) for own in ensemble.expanded()] == list(copies)


def test_blocks_cover_a_space_in_one_order_whatever_their_size() -> None:
    choices = some((0, 1), (0, 2, 3))
    rows = [
        list(chain.from_iterable(block.members.tolist() for block in blocks(choices, most))) for most in (1, 7, 1 << 18)
    ]
    assert rows[0] == rows[1] == rows[2]
