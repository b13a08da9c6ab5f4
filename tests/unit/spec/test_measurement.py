"""A measurement says nothing that contradicts itself."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from hwsim.spec.measurement import RESULTS, Measurement
from tests.unit.spec.measured import ENSEMBLE, LINE, changed, measurement


def members(**fields: Any) -> list[dict[str, Any]]:
    """The members, the last with some fields changed."""
    return [*LINE["members"][:2], {**LINE["members"][2], **fields}]


def test_the_example_is_right_and_comes_back_from_its_line() -> None:
    found = measurement()
    assert json.loads(found.line()) == LINE
    assert json.loads(found.model_dump_json()) == found.model_dump(mode="json") == LINE
    assert "\n" not in found.line()
    assert Measurement.model_validate_json(found.line()) == found
    assert found.ensemble == ENSEMBLE.identity()
    assert found.defence == "none"


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        ({"samples": 0}, ("samples",)),
        ({"robust_accuracy": 1.5}, ("robust_accuracy",)),
        ({"robust_accuracy": math.nan}, ("robust_accuracy",)),
        ({"clean_accuracy": -0.1}, ("clean_accuracy",)),
        ({"clean_accuracy": math.nan}, ("clean_accuracy",)),
        ({"interval": [0.3, 0.5]}, ("interval",)),
        ({"interval": [0.5323, 0.0889]}, ("interval",)),
        ({"interval": [0.1, 1.1]}, ("interval", 1)),
        ({"interval": [0.1, math.nan]}, ("interval", 1)),
        ({"robust_accuracy": 10 / 12, "interval": [0.5, 1], "confusion": None}, ("robust_accuracy",)),
        ({"median_distortion": math.inf}, ("median_distortion",)),
        ({"epsilon": -0.1}, ("epsilon",)),
        ({"norm": None}, ("norm",)),
        ({"norm": "l1"}, ("norm",)),
        ({"accounting": "lenient"}, ("accounting",)),
        ({"ensemble": "0" * 16}, ("ensemble",)),
        ({"combiner": "average"}, ("ensemble",)),
        ({"quantize": "all"}, ("ensemble",)),
        ({"network": {"name": "cifarconv"}}, ("ensemble",)),
        ({"full_precision_bits": 16}, ("members", 0, "weights")),
        ({"members": []}, ("members",)),
        ({"members": members(weights=9)}, ("members", 2, "weights")),
        ({"members": members(weights=4)}, ("ensemble",)),
        ({"members": members(checkpoint="c" * 63)}, ("members", 2, "checkpoint")),
        ({"members": members(checkpoint="b" * 64)}, ("members", 2, "checkpoint")),
        ({"members": members(seed=-1)}, ("members", 2, "seed")),
        ({"training": {}}, ("training",)),
        ({"training": {"defence": "none"}}, ("training",)),
        ({"parameters": {"epsilon": math.nan}}, ("parameters",)),
        ({"data": "xyz"}, ("data",)),
        ({"attack": ""}, ("attack",)),
        ({"attack": "none"}, ("norm",)),
        ({"attack": "none"}, ("epsilon",)),
        ({"attack": "none"}, ("gradient",)),
        ({"attack": "none"}, ("robust_accuracy",)),
        ({"attack": "worst_case", "accounting": "released"}, ("accounting",)),
        ({"attack": "adaptive", "accounting": "released"}, ("accounting",)),
        ({"confusion": [[3, 3], [5]]}, ("confusion",)),
        ({"confusion": [[3, 3, 0], [5, 1, 0]]}, ("confusion",)),
        ({"confusion": [[3, 3], [5, 2]]}, ("confusion",)),
        ({"confusion": [[3, -1], [9, 1]]}, ("confusion", 0, 1)),
        ({"confusion": [[1, 5], [5, 1]]}, ("confusion",)),  # 2 right under attack, though 3 are robust
        ({"accounting": "released"}, ("confusion",)),  # 4 right under attack, which count all
        ({"seed": -1}, ("seed",)),
        ({"versions": {"torch": 2}}, ("versions", "torch")),
        ({"surprise": 1}, ("surprise",)),
        ({"schema": "hwsim.measurement/2"}, ("schema",)),
    ],
)
def test_what_is_wrong_is_refused(fields: dict[str, Any], location: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        measurement(**fields)
    assert location in {error["loc"] for error in caught.value.errors()}


@pytest.mark.parametrize(
    "fields",
    [
        {"robust_accuracy": 0.254},  # a share written with less digits than it has
        {"robust_accuracy": 0.76, "interval": [0.4, 0.9], "confusion": None},  # 9.12 samples of 9
        {"robust_accuracy": 4 / 12, "accounting": "released"},
        {"robust_accuracy": 10 / 12, "accounting": "released", "interval": [0.5, 1], "confusion": None},
        {"robust_accuracy": 0, "interval": [0, 0.2425]},
        {"attack": "cw", "norm": "l2", "epsilon": None},
        {"attack": "worst_case", "gradient": None, "parameters": {"attacks": ["fgsm", "pgd"]}},
        {
            "attack": "none", "norm": None, "epsilon": None, "gradient": None, "median_distortion": None,
            "robust_accuracy": 0.75, "interval": [0.4677, 0.9111], "confusion": [[5, 1], [2, 4]],
        },
        {"confusion": None},
        {"confusion": None, "samples": 10**6},
    ],
)  # fmt: skip
def test_what_is_right_is_taken(fields: dict[str, Any]) -> None:
    assert measurement(**fields).line()


def test_a_drawn_member_s_accuracy_is_an_expectation_without_decisions() -> None:
    """Of three members one or two may be right, so that samples count in parts."""
    spec = ENSEMBLE.model_copy(update={"combiner": "random_switch"})
    asked = {"combiner": "random_switch", "ensemble": spec.identity(), "robust_accuracy": 8 / 36}
    assert measurement(**asked, confusion=None).robust_accuracy == 8 / 36
    with pytest.raises(ValidationError, match="must be null: where members are drawn"):
        measurement(**asked)


def test_the_confusion_of_many_classes_is_left_out() -> None:
    def diagonal(classes: int) -> dict[str, Any]:
        rows = [[int(i == j) for j in range(classes)] for i in range(classes)]
        accuracy = {"clean_accuracy": 1, "robust_accuracy": 1, "interval": [0.9, 1]}
        return changed(samples=classes, confusion=rows, **accuracy)

    assert Measurement.model_validate(diagonal(100)).confusion
    with pytest.raises(ValidationError, match="left out for more than 100 classes, here 101"):
        Measurement.model_validate(diagonal(101))


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        measurement(interval=[0.3, 0.5], ensemble="00", confusion=[[3, 3], [5, 2]], training={})
    places = {error["loc"] for error in caught.value.errors()}
    assert places == {("interval",), ("ensemble",), ("confusion",), ("training",)}


def test_the_question_is_everything_but_the_results() -> None:
    results = {
        "clean_accuracy": 0.8, "robust_accuracy": 0.26, "interval": [0.1, 0.6], "median_distortion": None,
        "confusion": None, "versions": {"torch": "3"},
    }  # fmt: skip
    assert results.keys() == RESULTS
    for field, value in results.items():
        assert measurement(**{field: value}).question == measurement().question
    others = [
        {"members": members(seed=10)}, {"members": members(checkpoint="d" * 64)}, {"dataset": "mnist"}, {"seed": 1},
        {"training": {"defence": {"kind": "pgd_adversarial"}}}, {"split": "train"}, {"data": "00"}, {"norm": "l2"},
        {"samples": 13, "confusion": None}, {"attack": "bim"}, {"parameters": {}}, {"epsilon": 0.1},
        {"accounting": "released", "confusion": None}, {"gradient": "margin"},
    ]  # fmt: skip
    assert len({measurement(**fields).question for fields in ({}, *others)}) == 1 + len(others)


def test_a_copy_keeps_the_schema() -> None:
    copy = Measurement.model_validate_json(measurement().line()).model_copy(update={"seed": 3})
    assert (copy.seed, copy.contract) == (3, "hwsim.measurement/1")
