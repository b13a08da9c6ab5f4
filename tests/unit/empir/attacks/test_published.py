"""Parameters as published, changed, and refused."""

from __future__ import annotations

from typing import Any

import pytest

from empir.attacks import ATTACKS, attack
from hwsim.errors import SpecError

STEPS = {"step": 0.01, "iterations": 40}

#: Table 1 of Sen et al. (2020) and, where it is silent, their released code.
TABLE_1: dict[tuple[str, str], dict[str, Any]] = {
    ("mnist5k", "fgsm"): {"epsilon": 0.3},
    ("mnist5k", "bim"): {"epsilon": 0.3, **STEPS},
    ("mnist5k", "pgd"): {"epsilon": 0.3, **STEPS, "restarts": 1},
    ("fashion_mnist", "pgd"): {"epsilon": 0.3, **STEPS, "restarts": 1},
    ("cifar10", "fgsm"): {"epsilon": 0.1},
    ("cifar10", "bim"): {"epsilon": 0.1, **STEPS},
    ("cifar10", "pgd"): {"epsilon": 0.1, **STEPS, "restarts": 1},
    ("imagenet", "fgsm"): {"epsilon": 5.712 / 255},
    ("imagenet", "bim"): {"epsilon": 5.712 / 255, "step": 0.5712 / 255, "iterations": 40},
    ("imagenet", "pgd"): {"epsilon": 5.712 / 255, "step": 0.5712 / 255, "iterations": 5, "restarts": 1},
}

CW = {
    "epsilon": None,
    "iterations": 50,
    "search_steps": 1,
    "learning_rate": 0.1,
    "constant": 10.0,
    "confidence": 0.0,
    "abort_early": True,
}


@pytest.mark.parametrize(("dataset", "name"), TABLE_1)
def test_table_1(dataset: str, name: str) -> None:
    assert attack(name, dataset).model_dump() == pytest.approx(TABLE_1[dataset, name])


@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "imagenet", "anything"])
def test_carlini_wagner_is_the_same_everywhere(dataset: str) -> None:
    assert attack("cw", dataset).model_dump() == CW


def test_the_folder_is_the_list() -> None:
    assert list(ATTACKS) == ["autoattack", "bim", "cw", "fgsm", "jsma", "pgd", "square"]
    assert {name for name, kind in ATTACKS.items() if kind.strong} == {"autoattack", "pgd"}


def test_changes_count() -> None:
    made = attack("pgd", "unheard_of", epsilon="0.05", iterations="100", restarts=3)  # as from a command line
    assert made.model_dump() == {"epsilon": 0.05, "step": 0.01, "iterations": 100, "restarts": 3}


@pytest.mark.parametrize(
    ("name", "dataset", "changes", "complaint"),
    [
        ("pdg", "mnist5k", {}, "no attack is named 'pdg' (did you mean pgd?)"),
        ("xyz", "mnist5k", {}, "(there are: autoattack, bim, cw, fgsm, jsma, pgd, square)"),
        ("pgd", "unheard_of", {}, "pgd.epsilon: must be given: none was published for the data set 'unheard_of'"),
        ("pgd", "mnist5k", {"itertions": 3}, "pgd.itertions: no such parameter (did you mean iterations?)"),
        ("fgsm", "mnist5k", {"restarts": 3}, "fgsm.restarts: no such parameter (there are: epsilon)"),
        ("pgd", "mnist5k", {"iterations": 0}, "pgd.iterations: input should be greater than or equal to 1"),
        ("pgd", "mnist5k", {"epsilon": float("inf")}, "pgd.epsilon: input should be a finite number"),
        ("jsma", "mnist5k", {"epsilon": 0.1}, "jsma.epsilon: input should be None"),
    ],
)
def test_refusals(name: str, dataset: str, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        attack(name, dataset, **changes)
    assert complaint in str(caught.value)


def test_every_fault_is_told() -> None:
    with pytest.raises(SpecError) as caught:
        attack("pgd", "unheard_of", step=-1, iterations="many")
    assert len(caught.value.faults) == 3
