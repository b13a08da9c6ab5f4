"""A network, images and an ensemble that train in a moment."""

from __future__ import annotations

import torch
from torch import nn

from empir.data.dataset import InMemory
from hwsim.spec.ensemble import Ensemble

CLASSES, SIZE = 3, 8


class Small(nn.Sequential):
    """Images [batch, 1, 8, 8] to logits [batch, 3], with a part that draws random numbers and one that keeps count."""

    input_shape = (1, SIZE, SIZE)
    classes = CLASSES

    def __init__(self, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 3, stride=2, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(32, CLASSES),
        )


def network(dropout: float = 0.2) -> nn.Module:
    """An untrained one."""
    return Small(dropout)


def digits() -> nn.Module:
    """An untrained one for MNIST."""
    module = nn.Sequential(nn.Conv2d(1, 4, 7, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    module.input_shape, module.classes = (1, 28, 28), 10
    return module


def images(samples: int = 48, seed: int = 0) -> InMemory:
    """Noise with a brighter row, whose place is the class."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(samples) % CLASSES
    pixels = torch.randint(0, 120, (samples, 1, SIZE, SIZE), generator=draw)
    pixels[torch.arange(samples), 0, 2 * labels + 1] += 120
    classes = tuple("abc")
    return InMemory(name="rows", split="train", classes=classes, labels=labels, pixels=pixels.to(torch.uint8))


def ensemble(**changes: object) -> Ensemble:
    """One full-precision and two low-precision members."""
    members = [{"weights": 32, "activations": 32}, {"weights": 2, "activations": 4, "count": 2}]
    given = {"name": "small", "network": f"{__name__}:network", "members": members, "quantize": "convs"}
    return Ensemble.model_validate(given | changes)
