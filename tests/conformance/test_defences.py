"""What every defence keeps to, whoever adds it, with full-precision and quantised networks alike."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from empir.data import DATASETS
from empir.quantization.layers import freeze, quantize
from empir.training.defences import DEFENCES, Defence, defence
from tests.unit.empir.training.small import CLASSES, SIZE, images, network

every = pytest.mark.parametrize("name", DEFENCES)
precisions = pytest.mark.parametrize("bits", [(32, 32), (2, 4), (4, 2), (2, 2)])

STRENGTHS = {"iterations": 3}


def quick(name: str) -> Defence:
    own = {field: value for field, value in STRENGTHS.items() if field in DEFENCES[name].model_fields}
    return defence(name, "mnist5k", own)


def built(bits: tuple[int, int], seed: int = 0, dropout: float = 0.0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = network(dropout)
    return made if bits == (32, 32) else quantize(made, *bits, "convs", torch.zeros(1, 1, SIZE, SIZE))


def teacher(made: Defence) -> nn.Module | None:
    return freeze(built((32, 32), seed=1)) if made.teacher() else None


def batch(samples: int = 24) -> tuple[Tensor, Tensor]:
    data = images(samples)
    return data.images(slice(None)), data.labels


def loss(made: Defence, model: nn.Module, seed: int = 0) -> Tensor:
    return made.loss(model, *batch(), torch.Generator().manual_seed(seed), teacher(made))


@every
def test_has_its_name_and_survives_its_own_json(name: str) -> None:
    made = quick(name)
    assert made.kind == name
    copy = type(made).model_validate_json(made.model_dump_json())
    assert copy == made
    assert copy.fingerprint() == made.fingerprint()


@every
@pytest.mark.parametrize("dataset", DATASETS)
def test_has_parameters_for_every_data_set(name: str, dataset: str) -> None:
    assert defence(name, dataset).kind == name


@every
def test_a_teacher_needs_no_teacher(name: str) -> None:
    own = quick(name).teacher()
    assert own is None or own.teacher() is None


@every
@precisions
def test_every_parameter_learns(name: str, bits: tuple[int, int]) -> None:
    model = built(bits).train()
    value = loss(quick(name), model)
    assert value.shape == ()
    assert value.dtype == torch.float32
    value.backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().sum() > 0


@every
@precisions
def test_equal_generators_make_equal_losses(name: str, bits: tuple[int, int]) -> None:
    losses = [loss(quick(name), built(bits).train(), seed).item() for seed in (0, 0, 1)]
    assert losses[0] == losses[1]
    assert (losses[2] != losses[0]) == (name == "pgd_adversarial")


@every
def test_leaves_everything_else_alone(name: str) -> None:
    made, model, (pixels, labels) = quick(name), built((2, 4)).train(), batch()
    guide = teacher(made)
    kept = pixels.clone(), labels.clone(), torch.get_rng_state()
    made.loss(model, pixels, labels, torch.Generator().manual_seed(0), guide)
    assert torch.equal(pixels, kept[0])
    assert torch.equal(labels, kept[1])
    assert torch.equal(torch.get_rng_state(), kept[2])
    assert not pixels.requires_grad
    assert model.training
    assert all(part.training for part in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert guide is None or all(parameter.grad is None for parameter in guide.parameters())


@every
@precisions
def test_steps_lower_the_loss(name: str, bits: tuple[int, int]) -> None:
    made, model = quick(name), built(bits).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        value = loss(made, model)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert model(batch()[0]).shape == (24, CLASSES)


@every
def test_half_precision_changes_the_loss_little(name: str) -> None:
    """What a GPU does, on the CPU."""
    with torch.autocast("cpu", torch.bfloat16):
        half = loss(quick(name), built((2, 4)).train())
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(loss(quick(name), built((2, 4)).train()).item(), rel=0.05)
