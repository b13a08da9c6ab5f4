"""The verdict at its thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from empir.evaluation.gates import Gate
from empir.evaluation.verdict import verdict

#: Ten classes, a tenth each.
LABELS = np.arange(1000) % 10


def share(right: int) -> np.ndarray:
    return np.repeat([1.0, 0.0], [right, 1000 - right])


def gate(passed: bool) -> Gate:
    return Gate(name="a gate", passed=passed, found="something", meaning="something else", values={})


@pytest.mark.parametrize(
    ("plain", "adaptive", "passed", "judgement"),
    [
        (800, 720, True, "real"),
        (800, 719, True, "partly real"),
        (800, 800, False, "partly real"),
        (800, 400, True, "partly real"),
        (800, 399, True, "not real"),
        (800, 0, True, "not real"),
        (130, 130, True, "real"),  # the interval begins at 11.1 %
        (115, 115, True, "not real"),  # and at 9.7 %: no better than the commonest class
        (0, 0, True, "not real"),
    ],
)
def test_judgement(plain: int, adaptive: int, passed: bool, judgement: str) -> None:
    found = verdict(LABELS, share(plain), share(adaptive), [gate(True), gate(passed)])
    assert found.judgement == judgement
    assert found.sentence.startswith(f"The robustness is {judgement}: ")


def test_the_sentence_has_numbers_and_intervals() -> None:
    sentence = verdict(LABELS, share(500), share(10), [gate(False)]).sentence
    assert "50.0 % (95 % interval 46.9 to 53.1 %)" in sentence
    assert "1.0 % (95 % interval 0.5 to 1.8 %)" in sentence
    assert "1 of 1 gates fail" in sentence


def test_a_commonest_class_is_no_robustness() -> None:
    labels = np.repeat([0, 1], [900, 100])
    found = verdict(labels, share(900), share(900), [])
    assert found.judgement == "not real"
    assert found.ignorant == 0.9
