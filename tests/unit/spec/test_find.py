"""The measurement that answers a question, or how to make it."""

from __future__ import annotations

from typing import Any

import pytest

from hwsim.errors import SpecError
from hwsim.spec.find import find
from hwsim.spec.measurement import Measurement
from tests.unit.spec.measured import ENSEMBLE, measurement

PGD = {"dataset": "mnist5k", "attack": "pgd", "epsilon": 0.3}


def lines(error: SpecError) -> list[str]:
    return str(error).splitlines()


def missing(measurements: list[Measurement], **question: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        find(measurements, ENSEMBLE, **question)
    return lines(caught.value)


def test_it_is_found_among_others() -> None:
    right = measurement()
    others = [
        measurement(epsilon=0.1),
        measurement(attack="bim"),
        measurement(dataset="fashion_mnist"),
        measurement(split="train"),
        measurement(accounting="released", confusion=None),
        measurement(training={"defence": {"kind": "distillation"}}),
        measurement(
            combiner="average",
            ensemble=ENSEMBLE.model_copy(update={"combiner": "average"}).identity(),
        ),
    ]
    assert find([*others, right], ENSEMBLE, **PGD) == right
    assert find([right, *others], ENSEMBLE, dataset="mnist5k", attack="pgd", epsilon=0.1) == others[0]
    assert find([right, *others], ENSEMBLE, **PGD, accounting="released") == others[4]
    assert find([right, *others], ENSEMBLE, **PGD, defence="distillation") == others[5]


def test_the_ensemble_is_known_by_what_decides_its_answers() -> None:
    members = [{"weights": 2, "activations": 4}, {"weights": 2, "activations": 4}, {"weights": 32, "activations": 32}]
    same = ENSEMBLE.model_copy(update={"name": "other", "members": members, "batch": 16, "weights": "streamed"})
    assert find([measurement()], same, **PGD) == measurement()


def test_an_epsilon_is_never_interpolated() -> None:
    near = [measurement(epsilon=epsilon) for epsilon in (0.25, 0.35)]
    assert missing(near, **PGD)[0].endswith("(there are: pgd 0.25, pgd 0.35); these commands make it:")
    assert find([measurement(epsilon=0.1 + 0.2)], ENSEMBLE, **PGD).epsilon == 0.1 + 0.2  # not 0.3 exactly


def test_of_most_samples() -> None:
    few, many = measurement(samples=6, confusion=None), measurement(samples=1000, confusion=None)
    assert find([few, many, measurement()], ENSEMBLE, **PGD) == many
    assert find([few, many, measurement()], ENSEMBLE, **PGD, samples=6) == few


def test_without_an_epsilon_the_measurement_that_has_none() -> None:
    """empir takes the worst case over all attacks, and again over those that share a bound."""
    attacks = {"attack": "worst_case", "gradient": None}
    everything = measurement(**attacks, norm=None, epsilon=None, parameters={"attacks": ["pgd", "cw"]})
    bounded = measurement(**attacks, parameters={"attacks": ["pgd"]})
    assert find([bounded, everything], ENSEMBLE, dataset="mnist5k") == everything
    assert find([bounded, everything], ENSEMBLE, dataset="mnist5k", epsilon=0.3) == bounded
    assert find([bounded], ENSEMBLE, dataset="mnist5k") == bounded


def test_several_answers_are_none() -> None:
    both = [measurement(), measurement(seed=1, gradient="margin")]
    (said,) = missing(both, **PGD)
    assert said.startswith("2 measurements of attack pgd, epsilon 0.3 for three (")
    assert said.endswith("they differ in gradient, seed")
    assert find(both, ENSEMBLE, **PGD, seed=1) == both[1]
    assert find(both, ENSEMBLE, **PGD, gradient="paper") == both[0]
    assert find([both[0], both[0]], ENSEMBLE, **PGD) == both[0]


@pytest.mark.parametrize(
    ("question", "commands"),
    [
        (
            {**PGD, "file": "my ensemble.yaml"},
            [
                "empir train --ensemble 'my ensemble.yaml' --data mnist5k -o runs",
                "empir attack --ensemble 'my ensemble.yaml' --data mnist5k --checkpoints runs --attack pgd "
                "--set pgd.epsilon=0.3 -o measurements.jsonl",
            ],
        ),
        (
            {
                "dataset": "mnist", "attack": "cw", "accounting": "released", "defence": "distillation", "samples": 100,
                "gradient": "full_precision", "seed": 3, "file": "e.yaml", "checkpoints": "c", "output": "m.jsonl",
            },
            [
                "empir train --ensemble e.yaml --data mnist --defence distillation --seed 3 -o c",
                "empir attack --ensemble e.yaml --data mnist --defence distillation --seed 3 --checkpoints c "
                "--attack cw --gradient full_precision --accounting released --limit 100 -o m.jsonl",
            ],
        ),
        (
            {"dataset": "mnist5k", "file": "e.yaml"},
            [
                "empir train --ensemble e.yaml --data mnist5k -o runs",
                "empir attack --ensemble e.yaml --data mnist5k --checkpoints runs -o measurements.jsonl",
            ],
        ),
        (
            {"dataset": "mnist5k", "attack": "worst_case", "epsilon": 0.1, "file": "e.yaml"},
            [
                "empir train --ensemble e.yaml --data mnist5k -o runs",
                "empir attack --ensemble e.yaml --data mnist5k --checkpoints runs --attack fgsm,bim,pgd "
                "--set fgsm.epsilon=0.1 --set bim.epsilon=0.1 --set pgd.epsilon=0.1 -o measurements.jsonl",
            ],
        ),
        (
            {"dataset": "mnist5k", "attack": "adaptive", "epsilon": 0.25, "samples": 50, "file": "e.yaml"},
            [
                "empir train --ensemble e.yaml --data mnist5k -o runs",
                "empir verify --ensemble e.yaml --data mnist5k --checkpoints runs --set adaptive.epsilon=0.25 "
                "--limit 50 -o measurements.jsonl",
            ],
        ),
        (
            {"dataset": "mnist5k", "attack": "adaptive", "file": "e.yaml"},
            [
                "empir train --ensemble e.yaml --data mnist5k -o runs",
                "empir verify --ensemble e.yaml --data mnist5k --checkpoints runs -o measurements.jsonl",
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_missing_comes_with_the_commands_that_measure_it(question: dict[str, Any], commands: list[str]) -> None:
    said = missing([], **question)
    assert said[0].startswith("no measurement of attack ")
    assert ENSEMBLE.identity() in said[0]
    assert said[1:] == commands
