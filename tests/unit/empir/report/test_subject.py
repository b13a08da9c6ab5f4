"""Which measurements belong together, and what they are called."""

from __future__ import annotations

import pytest

from empir.report.subject import subjects
from tests.unit.empir.report.made import FP, W2A2, W2A4, measured


@pytest.mark.parametrize(
    ("widths", "more", "label"),
    [
        ((FP,), {}, "Baseline FP"),
        ((FP,), {"defence": "distillation"}, "Defensive Distill."),
        ((FP,), {"defence": "pgd_adversarial"}, "PGD Adv. Train"),
        ((W2A4,), {}, "w2a4"),
        ((W2A4,), {"defence": "input_gradient"}, "w2a4 (Inp. Grad. Reg.)"),
        ((FP, W2A4, W2A4), {}, "EMPIR: FP + 2×w2a4, max vote"),
        ((W2A4, FP, W2A4), {}, "EMPIR: FP + 2×w2a4, max vote"),
        ((FP, W2A4, W2A4), {"defence": "fgsm_adversarial"}, "EMPIR (FGSM Adv. Train): FP + 2×w2a4, max vote"),
        ((FP, W2A4, W2A4), {"combiner": "average"}, "FP + 2×w2a4, average"),
        ((FP, W2A4, W2A4), {"network": "cifarconv"}, "FP + 2×w2a4, max vote"),
        ((FP, W2A2, (4, 2)), {"network": "cifarconv_released"}, "EMPIR: FP + w2a2 + w4a2, max vote"),
        ((FP, FP, W2A2), {"combiner": "random_switch"}, "2×FP + w2a2, random switch"),
        ((W2A4, W2A2), {}, "w2a4 + w2a2, max vote"),
        ((FP,), {"defence": "somebody_s"}, "somebody_s"),
    ],
)
def test_names(widths, more, label) -> None:
    (subject,) = subjects([measured(widths, "fgsm", 10, **more)])
    assert subject.label == label


def test_attacks_on_one_trained_ensemble_belong_together() -> None:
    first, other = measured((FP,), "fgsm", 10), measured((W2A4,), "fgsm", 10)
    second = measured((FP,), "pgd", 5, accounting="released", epsilon=0.1, seed=3)
    assert [one.measurements for one in subjects([first, other, second])] == [(first, second), (other,)]


def test_fewer_samples_of_the_same_data_belong_to_it_too() -> None:
    assert len(subjects([measured((FP,), "fgsm", 10), measured((FP,), "fgsm", 1, samples=100, clean=90)])) == 1


@pytest.mark.parametrize("change", [{"dataset": "mnist"}, {"split": "train"}])
def test_other_data_are_another_subject(change) -> None:
    assert len(subjects([measured((FP,), "fgsm", 10), measured((FP,), "fgsm", 10, **change)])) == 2


def labels(*measurements) -> list[str]:
    return [subject.label for subject in subjects(measurements)]


def test_what_differs_tells_equals_apart() -> None:
    assert labels(measured((FP,), "fgsm", 10), measured((FP,), "fgsm", 9, trained=5, seed=1)) == [
        "Baseline FP, seed 0",
        "Baseline FP, seed 1",
    ]
    longer = {"epochs": 50, "defence": {"kind": "none"}}
    assert labels(measured((FP,), "fgsm", 10), measured((FP,), "fgsm", 9, trained=5, training=longer)) == [
        "Baseline FP, epochs 20",
        "Baseline FP, epochs 50",
    ]


def test_checkpoints_tell_apart_what_nothing_else_does() -> None:
    found = labels(*(measured((FP,), "fgsm", 10, members=[member(mark)]) for mark in "ab"))
    assert found == ["Baseline FP, checkpoint aaaaaaaa", "Baseline FP, checkpoint bbbbbbbb"]


def member(mark: str) -> dict[str, object]:
    return {"weights": 32, "activations": 32, "seed": 0, "checkpoint": mark * 64}
