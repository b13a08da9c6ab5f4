"""Members run as one against the same members run one after another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from empir.ensemble.module import EnsembleModule
from empir.ensemble.stacked import Stacked, stackable
from empir.quantization.layers import freeze, quantize
from hwsim.spec.rules import FullPrecision


class Network(nn.Sequential):
    input_shape = (1, 6, 6)

    def __init__(self, seed: int, scale: float = 1.0, features: int = 6) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            super().__init__(
                nn.Conv2d(1, features, 3), nn.BatchNorm2d(features), nn.ReLU(), nn.Conv2d(features, 4, 2, stride=2),
                nn.ReLU(), nn.Flatten(), nn.Linear(16, 3),
            )  # fmt: skip
            self[1].running_mean.uniform_(-0.5, 0.5)
            self[1].running_var.uniform_(0.5, 2)
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        return self.scale * super().forward(images)


def member(seed: int, weights: int = 32, activations: int = 32, **options: float) -> nn.Module:
    network = Network(seed, **options)
    if activations < 32:
        quantize(network, weights, activations, "all", torch.zeros(1, 1, 6, 6))
    return freeze(network).double()


MEMBERS = {
    "one precision": lambda: [member(seed, 2, 4) for seed in range(3)],
    "full precision": lambda: [member(0), member(1)],
    "mixed": lambda: [member(0), member(1, 2, 4), member(2, 4, 1), member(3), member(4, 1, 8)],
    "one": lambda: [member(0, 2, 2)],
}


def gradients(logits: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    images = images.clone().requires_grad_()
    output = logits(images)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(9), dtype=output.dtype)
    (output * weights).sum().backward()
    return output.detach(), images.grad


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS)
def test_the_same_as_one_after_another(make: Callable[[], list[nn.Module]]) -> None:
    """Pixels lie outside [0, 1] too, where only full precision sees, and has a gradient."""
    members = make()
    images = torch.rand(40, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1.4 - 0.2
    assert stackable(members)
    loop = gradients(lambda x: torch.stack([one(x) for one in members]), images)
    for ours, reference in zip(gradients(Stacked(members), images), loop, strict=True):
        assert torch.allclose(ours, reference, rtol=1e-10, atol=1e-12)


def test_the_gradient_at_the_ends_of_the_unit_interval_is_that_of_the_layers() -> None:
    members = [member(seed, 2, 4) for seed in range(2)]
    images = torch.tensor([0.0, 1.0], dtype=torch.float64)[:, None, None, None].expand(2, 1, 6, 6)
    loop = gradients(lambda x: torch.stack([one(x) for one in members]), images)[1]
    assert loop.abs().max() > 0
    assert torch.allclose(gradients(Stacked(members), images)[1], loop, rtol=1e-10, atol=1e-12)


def test_an_ensemble_uses_it_where_asked_and_moves_it_along() -> None:
    members = [member(0), member(1, 2, 4), member(2, 4, 4)]
    images = torch.rand(10, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    stacked = EnsembleModule(members, [True, False, False], "average", stacked=True).float()
    loop = EnsembleModule(members, [True, False, False], "average").float()
    assert stacked.stacked is not None
    assert loop.stacked is None
    assert torch.allclose(stacked(images), loop(images), atol=1e-6)
    assert torch.equal(stacked.logits(images, only=(2, 0, 1)), stacked.logits(images)[[2, 0, 1]])
    assert torch.allclose(stacked.logits(images, only=(2,)), stacked.logits(images)[[2]], atol=1e-6)


class Branching(Network):
    def forward(self, images: Tensor) -> Tensor:
        output = super().forward(images)
        return output if output.sum() > 0 else -output


@pytest.mark.parametrize(
    "make",
    [
        lambda: [member(0), member(1, scale=2.0)],
        lambda: [member(0), member(1, features=5)],
        lambda: [member(0), member(1).float()],
        lambda: [member(0).half(), member(1).half()],
        lambda: [member(0), nn.Sequential(*member(1))],
        lambda: [member(0), freeze(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)))],
        lambda: [freeze(nn.Sequential(nn.Flatten(), nn.Linear(36, 3))) for _ in range(2)],
        lambda: [freeze(Branching(0)), freeze(Branching(1))],
    ],
    ids=["attribute", "shape", "type", "half", "class", "topology", "no input shape", "branch on values"],
)
def test_members_that_differ_run_one_after_another(make: Callable[[], list[nn.Module]]) -> None:
    members = make()
    assert not stackable(members)
    with pytest.raises(ValueError, match="cannot be stacked"):
        EnsembleModule(members, [False] * 2, "average", stacked=True)
    assert EnsembleModule(members, [False] * 2, "average").stacked is None


def test_members_of_which_none_quantises_all_layers_are_not_stacked() -> None:
    rules = [FullPrecision(full_precision=("0",)), FullPrecision(full_precision=("3",))]
    networks = [quantize(Network(0), 2, 2, rule, torch.zeros(1, 1, 6, 6)) for rule in rules]
    assert not stackable([freeze(network) for network in networks])
