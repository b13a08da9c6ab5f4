"""Networks such as users bring: nothing in them knows of quantisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import weight_norm


class Residual(nn.Module):
    """A residual network: a strided grouped convolution, a depthwise one, a shortcut with a convolution of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block = nn.Sequential(
            nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
            nn.BatchNorm2d(16),
        )
        self.shortcut = nn.Conv2d(8, 16, 1, stride=2)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = relu(self.stem(x))
        return self.fc(relu(self.block(x) + self.shortcut(x)).mean((2, 3)))


class Backwards(nn.Module):
    """Registers its layers in the opposite order of execution."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 5)
        self.middle = nn.Conv2d(4, 4, 2)
        self.first = nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x)).mean((2, 3)))


class Recurrent(nn.Module):
    """Runs one layer twice, on tokens [batch, tokens, features], and hands it its input by name."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(64, 12)
        self.shared = nn.Linear(12, 12)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x.flatten(2))
        for _ in range(2):
            tokens = torch.tanh(self.shared(input=tokens))
        return self.head(tokens.mean(1))


class Parametrized(nn.Module):
    """Has a parametrisation already."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = weight_norm(nn.Conv2d(3, 6, 3))
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(relu(self.conv(x)).amax((2, 3)))


class Attention(nn.Module):
    """Multiplies activations with one another, outside of any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, stride=4)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.conv(x).flatten(2).mT
        return self.head(self.attend(tokens, tokens, tokens, need_weights=False)[0].mean(1))


MODULES = (Residual, Backwards, Recurrent, Parametrized)


def made(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    """A module whose batch norms have seen something."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module = kind()
        with torch.no_grad():
            for _ in range(3):
                module.train()(torch.rand(8, 3, 8, 8))
        return module


def images(count: int = 6, seed: int = 1) -> Tensor:
    """[count, 3, 8, 8] in [0, 1]."""
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
