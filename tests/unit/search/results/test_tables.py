"""Texts and fingerprints of whole blocks against those of one ensemble at a time."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given, strategies as st

from hwsim.search.design.ensembles import Choices, blocks, members_text
from hwsim.search.results.tables import configurations, identities
from hwsim.spec.ensemble import Combiner, NetworkReference, identity
from hwsim.spec.rules import FullPrecision, Rule

WIDTHS = st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True).map(sorted)
NETWORKS = st.sampled_from(
    [
        NetworkReference(name="lenet5"),
        NetworkReference(name='a"members": []b', parameters={"members": "[]", "x": 2, "y": 0.5}),
        NetworkReference(name="net.onnx", input_shape=(1, 28, 28)),
    ]
)
RULES: st.SearchStrategy[Rule] = st.sampled_from(["all", "convs", FullPrecision(full_precision=("b", "a"))])


@given(WIDTHS, WIDTHS, st.sets(st.integers(0, 3), min_size=1), st.sets(st.integers(0, 4), min_size=1), st.data())
def test_every_row_is_named_as_the_ensemble_is(
    weights: list[int], activations: list[int], several: set[int], low: set[int], data: Any
) -> None:
    kinds = tuple((w, a) for w in weights for a in activations)
    choices = Choices(tuple(sorted(several)), tuple(sorted(low)), kinds, 32)
    network, rule = data.draw(NETWORKS), data.draw(RULES)
    combiner = data.draw(st.sampled_from(get_args(Combiner)))
    for block in blocks(choices, most=50):
        copies = [block.copies(choices, row) for row in range(len(block.members))]
        assert configurations(choices, block).tolist() == [members_text(own, 32) for own in copies]
        found = identities(choices, block, network, combiner, rule).tolist()
        assert found == [identity(network, own, combiner, rule, 32) for own in copies]


def test_a_configuration_as_people_write_it() -> None:
    choices = Choices((2,), (3,), ((2, 4), (4, 4)), 32)
    (block,) = blocks(choices)
    assert configurations(choices, block).tolist() == [
        "2 fp + 3 w2a4",
        "2 fp + 2 w2a4 + w4a4",
        "2 fp + w2a4 + 2 w4a4",
        "2 fp + 3 w4a4",
    ]
