"""Rearranged convolutions against torch's own, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from empir.ensemble.arranged import arrange
from empir.quantization.layers import freeze, quantize

CONVOLUTIONS = {
    "mnistconv's first": (dict(in_channels=1, kernel_size=8, stride=2, padding=3), (14, 14)),
    "alexnet's first": (dict(in_channels=3, kernel_size=12, stride=4), (31, 28)),
    "odd size, rectangular": (dict(in_channels=2, kernel_size=(6, 4), stride=2, padding=(1, 0)), (11, 10)),
    "pixels that no window reads": (dict(in_channels=1, kernel_size=3, stride=3), (8, 11)),
    "stride that does not divide": (dict(in_channels=1, kernel_size=5, stride=2), (9, 9)),
    "two strides": (dict(in_channels=1, kernel_size=4, stride=(2, 1)), (8, 8)),
    "many channels": (dict(in_channels=16, kernel_size=4, stride=2), (8, 8)),
    "covers its input": (dict(in_channels=3, kernel_size=(4, 5)), (4, 5)),
    "covers its input, in steps": (dict(in_channels=3, kernel_size=4, stride=2), (4, 4)),
    "covers its input, padded": (dict(in_channels=3, kernel_size=4, padding=1), (4, 4)),
    "groups": (dict(in_channels=2, kernel_size=4, stride=2, groups=2), (4, 4)),
    "dilated": (dict(in_channels=2, kernel_size=2, stride=2, dilation=3), (8, 8)),
    "padded alike": (dict(in_channels=2, kernel_size=3, padding="same"), (5, 5)),
    "reflected": (dict(in_channels=1, kernel_size=4, stride=2, padding=2, padding_mode="reflect"), (6, 6)),
}


def gradients(module: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    images = images.clone().requires_grad_()
    output = module(images)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(9), dtype=output.dtype)
    (output * weights).sum().backward()
    return output.detach(), images.grad


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("options", "size"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_convolution_is_the_same(options: dict[str, Any], size: tuple[int, int], bias: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Conv2d(out_channels=4, bias=bias, **options).double()
        images = torch.rand(3, options["in_channels"], *size, dtype=torch.float64)
    for ours, reference in zip(gradients(arrange(layer), images), gradients(layer, images), strict=True):
        assert ours.shape == reference.shape
        assert torch.allclose(ours, reference, rtol=1e-12, atol=1e-12)


def test_the_forms_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strided convolution of few channels runs as one of stride 1, one that covers its input as a product."""
    calls: list[str] = []

    def spied(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *args: calls.append(name) or function(*args)

    for name in ("pixel_unshuffle", "conv2d", "linear"):
        monkeypatch.setattr(F, name, spied(name, getattr(F, name)))
    arrange(nn.Sequential(nn.Conv2d(1, 4, 4, stride=2), nn.Conv2d(4, 4, 3)))(torch.rand(1, 1, 8, 8))
    assert calls == ["pixel_unshuffle", "pixel_unshuffle", "conv2d", "linear"]


def test_quantised_layers_stay_quantised() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 8, 4, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 3)
        )
        frozen = freeze(quantize(network, 2, 3, "all", torch.zeros(1, 1, 8, 8))).double()
        images = torch.rand(20, 1, 8, 8, dtype=torch.float64)
    assert torch.allclose(arrange(frozen)(images), frozen(images), rtol=1e-12)


def test_the_network_itself_and_kinds_of_convolution_of_its_own_are_left_alone() -> None:
    class Doubled(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * F.conv2d(input, self.weight)

    network = nn.Sequential(Doubled(1, 2, 2, stride=2, bias=False), nn.Conv2d(2, 2, 2))
    arranged = arrange(network)
    assert [type(layer) for layer in network] == [Doubled, nn.Conv2d]
    images = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(arranged[0](images), network[0](images))
    with torch.no_grad():
        arranged[1].weight.zero_()
    assert network[1].weight.abs().min() > 0
