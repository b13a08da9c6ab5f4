"""Networks as torch modules, written without hwsim."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def mnistconv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 64, 8, stride=2, padding=3, bias=False),
        nn.ReLU(),
        nn.Conv2d(64, 128, 6, stride=2, bias=False),
        nn.ReLU(),
        nn.Conv2d(128, 128, 5, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 10, bias=False),
        nn.Softmax(-1),
    )


def lenet5() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(16, 120, 5),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, 10),
        nn.Softmax(-1),
    )


class Residual(nn.Module):
    """A block of resnet18."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        return self.relu(y)


def resnet18() -> nn.Module:
    stages = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        *(Residual(*stage) for stage in [*stages, (512, 512, 1)]),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 1000),
    )


#: Name in the zoo -> the module and the shape of a sample.
ZOO: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mnistconv": (mnistconv, (1, 28, 28)),
    "lenet5": (lenet5, (1, 32, 32)),
    "resnet18": (resnet18, (3, 224, 224)),
}


def multiply_accumulates(module: nn.Module, *arguments: torch.Tensor) -> int:
    """What torch's own counter finds, which counts a multiplication and an addition as two.

    It misses the fused attention kernel of the CPU, so attention runs as two products here.
    """
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module.eval()(*arguments)
    return counter.get_total_flops() // 2


def parameters(module: nn.Module) -> int:
    """Elements of all parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
