"""How a network is trained: everything that decides its weights beside network, precision, data and seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from empir.training.defences import AnyDefence, defence
from empir.training.defences.interface import Count, Positive
from empir.training.defences.plain import Plain
from empir.training.refusal import refused
from hwsim.value import Value


class Recipe(Value):
    """Adam (with decoupled weight decay) on shuffled batches; no augmentation.

    The network of every precision is trained alike.
    """

    epochs: Count = 20
    batch_size: Count = 128
    """Most images in a step; an epoch's are shared out evenly, so that no batch is much smaller."""
    learning_rate: Positive = 1e-3
    """At the start."""
    schedule: Literal["constant", "cosine"] = "cosine"
    """cosine: the learning rate falls to zero at the last step as half a wave of the cosine."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    mixed_precision: bool = True
    """On a GPU, convolutions and products of matrices in bfloat16; a CPU always computes in float32."""
    limit: Count | None = None
    """Only the first so many images, for a quick look."""
    defence: AnyDefence = Plain()


#: Recipes by network and data set. Only those for mnist5k have been tried: with 2-bit weights it is the number of steps
#: that counts, so its 4,000 images are taken in small batches (after 9 epochs MNISTconv at w2a4 has 95.8 % in batches
#: of 32, 94.5 % in batches of 128). The others have the defaults of the released code's flags, but that CIFARconv's
#: epochs are 6 and AlexNet's rate 1e-3 there, and that the rate stays as it is, or is divided by 10 three times for
#: AlexNet in full precision, where a cosine is here; Fashion-MNIST is taken for MNIST. The paper gives none of them.
RECIPES: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType(
    {
        ("mnistconv", "mnist5k"): {"epochs": 20, "batch_size": 32, "learning_rate": 5e-4},
        ("mnistconv", "mnist"): {"epochs": 15, "batch_size": 128, "learning_rate": 1e-3},
        ("mnistconv", "fashion_mnist"): {"epochs": 15, "batch_size": 128, "learning_rate": 1e-3},
        ("cifarconv", "cifar10"): {"epochs": 40, "batch_size": 128, "learning_rate": 1e-3},
        ("cifarconv_released", "cifar10"): {"epochs": 40, "batch_size": 128, "learning_rate": 1e-3},
        ("alexnet", "imagenet"): {"epochs": 90, "batch_size": 100, "learning_rate": 1e-4},
    }
)


def default_recipe(
    dataset: str, network: str, defence_name: str = "none", changes: Mapping[str, Mapping[str, Any]] | None = None
) -> Recipe:
    """The recipe for a network on a data set.

    Args:
        dataset, network: names; for a pair that has no recipe of its own, the defaults of `Recipe`.
        defence_name: as in `empir.training.defences.DEFENCES`.
        changes: values by field, under "recipe" and under "defence", as `--set recipe.epochs=5` gives them.

    Raises:
        SpecError: an unknown defence or field, or a value that it cannot take.
    """
    given = changes or {}
    own = {**RECIPES.get((network, dataset), {}), **given.get("recipe", {})}
    try:
        return Recipe.model_validate({**own, "defence": defence(defence_name, dataset, given.get("defence"))})
    except ValidationError as error:
        raise refused(error, Recipe, "recipe") from None


def options(recipe: Recipe, dataset: str, network: str) -> list[str]:
    """Options of the command line that make a recipe out of the default one."""
    kind = recipe.defence.kind
    usual = default_recipe(dataset, network, kind)
    pairs: list[tuple[str, Value, Value]] = [
        ("recipe", recipe, usual),
        ("defence", recipe.defence, usual.defence),
    ]
    changed = [
        f"--set {name}.{field}={json.dumps(value)}"
        for name, own, other in pairs
        for field, value in own.model_dump(mode="json", exclude={"defence"}).items()
        if value != getattr(other, field)
    ]
    return ([] if kind == "none" else [f"--defence {kind}"]) + changed
