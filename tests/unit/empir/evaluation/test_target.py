"""What is attacked at once, and what a target's key depends on."""

from __future__ import annotations

import pytest

from empir.evaluation.target import load_target
from empir.training.recipe import Recipe
from hwsim.errors import SpecError
from hwsim.spec.ensemble import Ensemble
from tests.unit.empir.evaluation.examples import Means, quadrants, target


def test_a_few_small_images_fit_at_once() -> None:
    data = quadrants(4)
    assert target([Means()], data).at_once == 250
    assert target([Means()], data, batch_size=7).at_once == 7


def test_members_combiner_and_nothing_else_decide_the_key() -> None:
    data = quadrants(4)
    pair = target([Means(), Means()], data)
    assert pair.key == target([Means(), Means()], data, seed=1, batch_size=3).key
    assert pair.key != target([Means(), Means()], data, "max_vote").key
    assert pair.key != target([Means()], data).key


def test_missing_members_are_an_error_that_says_how_to_train_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = quadrants(4)
    spec = Ensemble.model_validate(
        {"name": "one", "network": "mnistconv", "members": ({"weights": 2, "activations": 4},)}
    )
    with pytest.raises(SpecError, match=r"empir train --ensemble one\.yaml --data quadrants"):
        load_target(spec, data, data, Recipe(), tmp_path_factory.mktemp("runs"), file="one.yaml")
