"""Ensembles: their members' names, and the three of the paper."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hwsim.spec.ensemble import Ensemble, Member, NetworkReference
from hwsim.spec.load import load_ensemble

FULL = {"weights": 32, "activations": 32}


def ensemble(*members: dict[str, Any], **changes: Any) -> Ensemble:
    return Ensemble.model_validate({"name": "e", "network": "alexnet", "members": members, **changes})


def test_copies_are_named_by_their_precision_and_numbered_through() -> None:
    low, other = {"weights": 2, "activations": 4}, {"weights": 4, "activations": 4, "name": "quick"}
    made = ensemble({**FULL, "count": 2}, low, other, {**low, "count": 2}, {**other, "name": "x", "count": 2})
    assert [(member.name, member.weights, member.activations, member.count) for member in made.expanded()] == [
        ("fp1", 32, 32, 1),
        ("fp2", 32, 32, 1),
        ("w2a4-1", 2, 4, 1),
        ("quick", 4, 4, 1),
        ("w2a4-2", 2, 4, 1),
        ("w2a4-3", 2, 4, 1),
        ("x-1", 4, 4, 1),
        ("x-2", 4, 4, 1),
    ]


def test_an_expanded_ensemble_expands_to_itself() -> None:
    once = ensemble({**FULL, "count": 2}, {"weights": 2, "activations": 4, "count": 3})
    again = once.model_copy(update={"members": once.expanded()})
    assert again.expanded() == once.expanded()


def test_full_precision_is_what_the_ensemble_says() -> None:
    half = ensemble({"weights": 16, "activations": 16}, {"weights": 16, "activations": 8}, full_precision_bits=16)
    assert [half.is_full_precision(member) for member in half.members] == [True, False]
    assert not ensemble(FULL).is_full_precision(Member(weights=16, activations=16))


@pytest.mark.parametrize(
    ("members", "changes", "location"),
    [
        ([{**FULL, "weights": 12}], {}, ("members", 0, "weights")),
        ([{**FULL, "activations": 0}], {}, ("members", 0, "activations")),
        ([{**FULL, "activations": 33}], {}, ("members", 0, "activations")),
        ([{**FULL, "count": 0}], {}, ("members", 0, "count")),
        ([{**FULL, "count": 10**9}], {}, ("members", 0, "count")),
        ([], {}, ("members",)),
        ([FULL], {"full_precision_bits": 16}, ("members", 0, "weights")),
        ([FULL], {"batch": 0}, ("batch",)),
        ([FULL], {"combiner": "mean"}, ("combiner",)),
        ([{**FULL, "name": "a"}, {**FULL, "name": "a"}], {}, ("members", 1)),
        ([{**FULL, "name": "a", "count": 2}, {**FULL, "name": "a-2"}], {}, ("members", 1)),
        ([FULL, {**FULL, "name": "fp1"}], {}, ("members", 1)),
    ],
)
def test_what_is_wrong_is_refused(
    members: list[dict[str, Any]], changes: dict[str, Any], location: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        ensemble(*members, **changes)
    assert location in {error["loc"] for error in caught.value.errors()}


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 6, 7, 8, 16, 32])
def test_widths_that_hardware_has(bits: int) -> None:
    assert Member(weights=bits, activations=bits).precision == f"w{bits}a{bits}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("alexnet", NetworkReference(name="alexnet")),
        (
            {"name": "bert_base", "sequence_length": 128},
            NetworkReference(name="bert_base", parameters={"sequence_length": 128}),
        ),
        (
            {"name": "m.onnx", "input_shape": [3, 8, 8], "parameters": {"a": 1}, "b": "x"},
            NetworkReference(name="m.onnx", input_shape=(3, 8, 8), parameters={"a": 1, "b": "x"}),
        ),
    ],
)
def test_a_network_is_a_name_or_a_name_with_parameters(given: Any, expected: NetworkReference) -> None:
    read = ensemble(FULL, network=given)
    assert read.network == expected
    assert Ensemble.model_validate(read.model_dump(mode="json")) == read


def test_the_fingerprint_tells_ensembles_apart() -> None:
    same = ensemble(FULL, combiner="average")
    assert same.fingerprint() == ensemble(FULL).fingerprint()
    others = [ensemble(FULL, FULL), ensemble(FULL, combiner="max_vote"), ensemble(FULL, quantize="convs")]
    assert len({other.fingerprint() for other in (same, *others)}) == 4


LOW, OTHER = {"weights": 2, "activations": 4}, {"weights": 4, "activations": 2}


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (ensemble(FULL, LOW), ensemble(LOW, FULL)),
        (ensemble(FULL, {**LOW, "count": 2}), ensemble(LOW, FULL, {**LOW, "name": "second"})),
        (ensemble(FULL, LOW), ensemble(FULL, LOW, name="other", batch=256, weights="resident")),
        (ensemble(FULL, LOW), ensemble(FULL, LOW, network={"name": "alexnet"}, combiner="average")),
        (
            ensemble(LOW, quantize={"full_precision": ["fc8", "conv1"]}),
            ensemble(LOW, quantize={"full_precision": ["conv1", "fc8", "conv1"]}),
        ),
        (ensemble(LOW, combiner="average"), ensemble(LOW, combiner="random_switch")),
        (ensemble(FULL, FULL, quantize="all"), ensemble(FULL, FULL, quantize="convs")),
        (ensemble(LOW, network={"name": "n", "a": 1}), ensemble(LOW, network={"name": "n", "a": 1.0})),
    ],
)
def test_what_answers_alike_has_one_identity(one: Ensemble, another: Ensemble) -> None:
    assert one.identity() == another.identity()


def test_what_decides_an_answer_decides_the_identity() -> None:
    others = [
        ensemble(FULL, LOW),
        ensemble(FULL, LOW, combiner="max_vote"),
        ensemble(FULL, LOW, combiner="random_switch"),
        ensemble(FULL, LOW, LOW),
        ensemble(FULL, OTHER),
        ensemble(FULL),
        ensemble(LOW),
        ensemble(FULL, LOW, quantize="convs"),
        ensemble(FULL, LOW, quantize={"full_precision": []}),
        ensemble(FULL, LOW, quantize={"full_precision": ["conv1"]}),
        ensemble(FULL, LOW, network="mnistconv"),
        ensemble(FULL, LOW, network={"name": "alexnet", "input_shape": [3, 8, 8]}),
        ensemble(FULL, LOW, network={"name": "alexnet", "classes": 10}),
        ensemble({"weights": 16, "activations": 16}, LOW, full_precision_bits=16),
    ]
    assert len({other.identity() for other in others}) == len(others)


def test_an_identity_outlives_the_program() -> None:
    """Files of measurements name ensembles by it: the SHA-256 of this text, by sha256sum."""
    content = (
        '_Decider {"combiner": "max_vote", "full_precision_bits": 32.0, "members": [[2.0, 4.0], [2.0, 4.0], '
        '[32.0, 32.0]], "network": {"input_shape": null, "name": "mnistconv", "parameters": {}}, "quantize": "convs"}'
    )
    made = ensemble(FULL, {**LOW, "count": 2}, network="mnistconv", combiner="max_vote", quantize="convs")
    assert made.identity() == sha256(content.encode()).hexdigest()[:16]
    assert made.identity() == "12897e7c60abd20c"


@pytest.mark.parametrize(
    ("name", "members", "quantize"),
    [  # released code of Sen et al., ICLR 2020; every ensemble has more than two members, which vote
        ("mnistconv", [("fp1", 32, 32), ("w2a4-1", 2, 4), ("w2a4-2", 2, 4)], "convs"),
        ("cifarconv", [("fp1", 32, 32), ("w4a2-1", 4, 2), ("w2a2-1", 2, 2)], "convs"),
        ("alexnet", [("fp1", 32, 32), ("w2a2-1", 2, 2), ("w4a4-1", 4, 4)], "except_first_and_last"),
    ],
)
def test_the_ensembles_of_the_paper(
    name: str, members: list[tuple[str, int, int]], quantize: str, repository: Path
) -> None:
    read = load_ensemble(repository / "studies" / "sen_iclr2020" / f"{name}.yaml")
    assert [(member.name, member.weights, member.activations) for member in read.expanded()] == members
    assert (read.quantize, read.combiner, read.batch) == (quantize, "max_vote", 1)
