"""Recipes: defaults by network and data set, changes, and the options that say them."""

from __future__ import annotations

import shlex

import pytest

from empir.attacks.interface import EPSILON
from empir.cli.options import changes, setting
from empir.training.defences import DEFENCES
from empir.training.loop import learning_rate
from empir.training.recipe import RECIPES, Recipe, default_recipe, options
from hwsim.errors import SpecError


@pytest.mark.parametrize("name", DEFENCES)
@pytest.mark.parametrize(("network", "dataset"), [*RECIPES, ("another", "another")])
def test_every_recipe_survives_its_own_json(network: str, dataset: str, name: str) -> None:
    recipe = default_recipe(dataset, network, name)
    copy = Recipe.model_validate_json(recipe.model_dump_json())
    assert copy == recipe
    assert copy.fingerprint() == recipe.fingerprint()
    assert type(copy.defence) is DEFENCES[name]


def test_defences_differ_in_their_fingerprints() -> None:
    assert len({default_recipe("mnist", "mnistconv", name).fingerprint() for name in DEFENCES}) == len(DEFENCES) == 5


@pytest.mark.parametrize("dataset", EPSILON)
@pytest.mark.parametrize("name", ["fgsm_adversarial", "pgd_adversarial"])
def test_adversarial_training_has_the_epsilon_of_the_attacks(name: str, dataset: str) -> None:
    assert default_recipe(dataset, "mnistconv", name).defence.epsilon == EPSILON[dataset]


def test_figures_of_the_paper_and_its_code() -> None:
    distillation = default_recipe("mnist", "mnistconv", "distillation").defence
    assert (distillation.temperature, distillation.hard, distillation.soft) == (100, 0.5, 0.5)
    assert default_recipe("mnist", "mnistconv", "input_gradient").defence.strength == 100
    descent = default_recipe("mnist", "mnistconv", "pgd_adversarial").defence
    assert (descent.epsilon, descent.step, descent.iterations) == (0.3, 0.01, 40)
    assert default_recipe("cifar10", "cifarconv", "pgd_adversarial").defence.epsilon == 0.1


def test_all_faults_are_named() -> None:
    with pytest.raises(SpecError) as refusal:
        default_recipe("mnist5k", "mnistconv", "none", {"recipe": {"epoch": 3, "batch_size": 0, "schedule": "step"}})
    text = str(refusal.value)
    assert "recipe.epoch: no such parameter (did you mean epochs?)" in text
    assert "recipe.batch_size: input should be greater than or equal to 1" in text
    assert "recipe.schedule" in text
    with pytest.raises(SpecError, match=r"defence.epsilon: no such parameter \(there are: kind, temperature\)"):
        default_recipe("mnist5k", "mnistconv", "none", {"defence": {"epsilon": 1}})
    with pytest.raises(SpecError, match=r"no defence is named 'distilation' \(did you mean distillation\?\)"):
        default_recipe("mnist5k", "mnistconv", "distilation")


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("none", {}),
        ("none", {"recipe": {"epochs": 3, "schedule": "constant", "limit": 7, "mixed_precision": False}}),
        ("pgd_adversarial", {"recipe": {"learning_rate": 0.01}, "defence": {"iterations": 5, "epsilon": 0.25}}),
    ],
)
def test_options_make_the_recipe_again(name: str, asked: dict[str, dict[str, object]]) -> None:
    recipe = default_recipe("mnist5k", "mnistconv", name, asked)
    words = shlex.split(" ".join(options(recipe, "mnist5k", "mnistconv")))
    assert len(words) == 2 * (sum(map(len, asked.values())) + (name != "none"))
    given = list(zip(words[::2], words[1::2], strict=True))
    kind = next((value for option, value in given if option == "--defence"), "none")
    settings = tuple(setting(value) for option, value in given if option == "--set")
    assert default_recipe("mnist5k", "mnistconv", kind, changes(settings)) == recipe


def test_learning_rates() -> None:
    recipe = Recipe(epochs=4, learning_rate=0.5)
    assert [learning_rate(recipe, epoch) for epoch in (0, 1, 2, 3, 4)] == pytest.approx(
        [0.5, 0.25 + 0.25 / 2**0.5, 0.25, 0.25 - 0.25 / 2**0.5, 0]
    )
    assert learning_rate(recipe.model_copy(update={"schedule": "constant"}), 3) == 0.5
