"""What every attack keeps to, whoever adds it, on models that learnt a small task within a second."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from empir.attacks import ATTACKS, Attack, attack, decisions, run
from empir.attacks.interface import EPSILON
from tests.unit.empir.attacks.toys import Pair, Rolled, line, network, task, trained

every = pytest.mark.parametrize("name", ATTACKS)

#: Bounds so wide that an attack should find something, and settings that bound the time it takes.
QUICK = {"epsilon": 0.15, "gamma": 0.25, "queries": 40, "targets": 4}


def quick(name: str) -> Attack:
    own = {field: value for field, value in QUICK.items() if field in ATTACKS[name].model_fields}
    if ATTACKS[name].norm != "linf":
        del own["epsilon"]
    return attack(name, "mnist5k", **own)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((decisions(model, images) == labels).double().mean())


def within(kind: Attack, found: Tensor, images: Tensor) -> bool:
    change = np.abs(found.numpy().astype(float) - images.numpy().astype(float)).reshape(len(images), -1)
    if kind.norm == "l0":
        return bool(((change > 0).sum(1) <= kind.radius(images)).all())
    distance = change.max(1) if kind.norm == "linf" else np.sqrt((change**2).sum(1))
    return kind.epsilon is None or bool((distance <= kind.epsilon + 1e-6).all())


@every
def test_names_itself_and_survives_its_own_json(name: str) -> None:
    made = quick(name)
    assert type(made).name == name
    copy = type(made).model_validate_json(made.model_dump_json())
    assert copy == made
    assert copy.fingerprint() == made.fingerprint()


@every
@pytest.mark.parametrize("dataset", EPSILON)
def test_has_parameters_for_every_data_set(name: str, dataset: str) -> None:
    made = attack(name, dataset)
    assert made.epsilon == (EPSILON[dataset] if made.norm == "linf" else None)


@every
def test_stays_in_its_ball_and_in_the_image(name: str) -> None:
    model, (images, labels) = trained(), task(6, 1)
    images[::4] = images[::4].round()  # where there is no room on one side
    found = run(quick(name), model, images, labels, seed=0)
    assert found.shape == images.shape
    assert found.dtype == torch.float32
    assert bool(((found >= 0) & (found <= 1)).all())
    assert within(quick(name), found, images)


@every
def test_finds_something(name: str) -> None:
    model, (images, labels) = trained(), task(20, 2)
    assert accuracy(model, images, labels) == 1
    assert accuracy(model, run(quick(name), model, images, labels, seed=0), labels) <= 0.5


@every
def test_never_raises_accuracy_beyond_its_interval(name: str) -> None:
    """On a model that is wrong half of the time, where an attack could also repair decisions."""
    model, (images, labels) = trained(), task(60, 3)
    images = 0.5 * images + 0.5 * task(60, 4)[0].flip(0)
    right = int((decisions(model, images) == labels).sum())
    assert 20 <= right <= 50
    high = binomtest(right, len(labels)).proportion_ci(0.95, "wilson").high
    assert accuracy(model, run(quick(name), model, images, labels, seed=0), labels) <= high


@every
def test_equal_seed_equal_result(name: str) -> None:
    model, (images, labels) = trained(), task(8, 5)
    one, two, other = (run(quick(name), model, images, labels, seed=seed, batch_size=5) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert torch.equal(one, other) == (name in ("bim", "cw", "fgsm", "jsma"))


@every
def test_leaves_no_trace(name: str) -> None:
    """Neither on the images, nor on the model, nor on anybody's random numbers."""
    model, (images, labels) = network(0).train(), task(6, 6)
    before = images.clone(), labels.clone(), {key: value.clone() for key, value in model.state_dict().items()}
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    run(quick(name), model, images, labels, seed=0)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    assert all(torch.equal(value, before[2][key]) for key, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), drawn[0])
    assert random.getstate() == drawn[1]
    np.testing.assert_array_equal(np.random.get_state()[1], drawn[2])


@every
@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_images(name: str, count: int) -> None:
    model, (images, labels) = trained(), task(10, 7)
    found = run(quick(name), model, images[:count], labels[:count], seed=0)
    assert found.shape == images[:count].shape


@every
def test_two_classes_are_enough(name: str) -> None:
    model, images, labels = line(0)
    found = run(quick(name), model, images[:8], labels[:8], seed=0)
    assert accuracy(model, found, labels[:8]) < 1


@every
def test_images_that_are_wrong_already(name: str) -> None:
    model, (images, labels) = trained(), task(5, 8)
    found = run(quick(name), model, images, (labels + 1) % 5, seed=0)
    assert within(quick(name), found, images)
    assert accuracy(model, found, (labels + 1) % 5) == 0


@every
def test_slack_is_no_class(name: str) -> None:
    """A surrogate with more logits than classes is attacked by its classes' decision, even if slack is the greatest."""
    model, images = Pair(trained(), Rolled(trained())), task(20, 9)[0]
    labels = decisions(model, images)
    assert bool((model(images).argmax(1) >= 5).all())
    assert bool((labels < 5).all())
    found = run(quick(name), model, images, labels, seed=0)
    assert accuracy(model, found, labels) <= 0.6


@every
def test_success_is_what_the_decision_says(name: str) -> None:
    """An attack that is told of another model's decision fools that model no less often than one that is not."""
    surrogate, other, (images, labels) = trained(0), trained(1), task(20, 10)
    told, untold = (
        run(quick(name), surrogate, images, labels, seed=0, decide=decide)
        for decide in (lambda images: decisions(other, images), None)
    )
    assert accuracy(other, told, labels) <= accuracy(other, untold, labels)
