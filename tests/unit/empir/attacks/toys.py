"""Small models to attack, and images that they know."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

SIZE, CLASSES = 10, 5


def task(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Grey noise with a brighter patch whose place is the class: images [count, 1, 10, 10] and labels [count]."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    images = 0.6 * torch.rand(count, 1, SIZE, SIZE, generator=draw)
    for image, label in zip(images, labels.tolist(), strict=True):
        row, column = divmod(label, 3)
        image[:, 4 * row : 4 * row + 4, 3 * column : 3 * column + 4] += 0.3
    return images, labels


def network(seed: int, width: int = 8) -> nn.Sequential:
    """An untrained convolutional network in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = (nn.Conv2d(1, width, 3), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU(), nn.Flatten())
        return nn.Sequential(*layers, nn.Linear(36 * width, CLASSES)).eval()


@cache
def trained(seed: int = 0) -> nn.Sequential:
    """A network that has learnt the task."""
    model = network(seed).train()
    images, labels = task(300, seed + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model.eval().requires_grad_(False)


class Line(nn.Module):
    """Two classes either side of a hyperplane: logits (0, w·x + b)."""

    def __init__(self, weights: Tensor, bias: float) -> None:
        super().__init__()
        self.weights, self.bias = weights, bias

    def height(self, images: Tensor) -> Tensor:
        """w·x + b [batch]."""
        return images.flatten(1) @ self.weights.flatten() + self.bias

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, 2]."""
        height = self.height(images)
        return torch.stack([torch.zeros_like(height), height], 1)


def line(seed: int, values: int = 16) -> tuple[Line, Tensor, Tensor]:
    """A hyperplane, and 50 images [50, 1, 4, 4] around it with the classes that it gives them."""
    draw = torch.Generator().manual_seed(seed)
    model = Line(torch.randn(values, generator=draw), 0.0)
    images = torch.rand(50, 1, 4, 4, generator=draw)
    model.bias = -float(model.height(images).median())
    return model, images, model(images).argmax(1)


class Rolled(nn.Module):
    """A model whose classes are numbered one on."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]."""
        return self.model(images).roll(1, dims=1)


class Bare(nn.Module):
    """The classes of a surrogate, without slack."""

    def __init__(self, surrogate: Pair) -> None:
        super().__init__()
        self.surrogate = surrogate

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]."""
        return self.surrogate.class_logits(images)


class Pair(nn.Module):
    """The mean of two models' log-probabilities, and slack so that its cross-entropy is the mean of theirs."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def class_logits(self, images: Tensor) -> Tensor:
        """[batch, classes]."""
        return (self.first(images).log_softmax(1) + self.second(images).log_softmax(1)) / 2

    def forward(self, images: Tensor) -> Tensor:
        """[batch, 2 classes]."""
        mean = self.class_logits(images)
        gap = (1 - mean.exp().sum(1, keepdim=True)).clamp_min(1e-6)
        return torch.cat([mean, (gap / mean.shape[1]).log().expand_as(mean)], 1)
