"""Images and networks whose robustness is known: four quadrants, one of them bright."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from empir.data.dataset import InMemory
from empir.ensemble.module import EnsembleModule
from empir.evaluation.target import Target
from hwsim.spec.ensemble import Combiner, Ensemble, Member

SIDE, CLASSES = 4, 4

#: A bright quadrant's mean less that of a dark one, of the faintest image and of the clearest. An image falls where
#: epsilon is half of its own: one quadrant darkens, another brightens.
FAINTEST, CLEAREST = 0.1, 0.7


def quadrants(samples: int) -> InMemory:
    """Images whose class is the bright quadrant, faint ones first; pixels vary, but not a quadrant's mean."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % CLASSES
    contrasts = torch.linspace(FAINTEST, CLEAREST, samples)
    pixels = torch.full((samples, 1, SIDE, SIDE), 30)
    for i, label in enumerate(labels.tolist()):
        row, column = 2 * (label // 2), 2 * (label % 2)
        pixels[i, 0, row : row + 2, column : column + 2] += round(255 * contrasts[i].item())
    noise = torch.randint(0, 15, (samples, 1, SIDE, SIDE // 2), generator=generator)
    pixels += torch.stack([noise, -noise], -1).flatten(-2)  # neighbours in pairs
    names = tuple("abcd")
    return InMemory(name="quadrants", split="test", classes=names, labels=labels, pixels=pixels.to(torch.uint8))


class Means(nn.Module):
    """Logits are the quadrants' means, times a scale; `steps` rounds pixels without a gradient."""

    def __init__(self, scale: float = 10.0, steps: int = 0, favour: int | None = None, bias: float = 0.0) -> None:
        super().__init__()
        self.scale, self.steps = scale, steps
        self.classes = CLASSES
        self.register_buffer("bias", torch.zeros(CLASSES))
        if favour is not None:
            self.bias[favour] = bias

    def forward(self, images: Tensor) -> Tensor:
        if self.steps:
            images = (images * self.steps).round() / self.steps
        means = nn.functional.avg_pool2d(images, SIDE // 2).flatten(1)
        return self.scale * (means + self.bias)


def target(
    members: Sequence[nn.Module],
    dataset: InMemory,
    combiner: Combiner = "average",
    folder: Path | None = None,
    **changes: Any,
) -> Target:
    """An ensemble of any modules, as if it had been trained."""
    spec = Ensemble.model_validate(
        {
            "name": "quadrants",
            "network": "tests:means",
            "members": (Member(weights=32, activations=32, count=len(members)),),
            "combiner": combiner,
        }
    )
    names = [str(member.name) for member in spec.expanded()]
    return Target(
        spec=spec,
        module=EnsembleModule(members, [True] * len(members), combiner, 0, names),
        seeds=tuple(range(len(members))),
        checksums=tuple(f"{i:064x}" for i in range(len(members))),
        training={"defence": {"kind": "none"}},
        dataset=dataset,
        seed=changes.pop("seed", 0),
        device=torch.device("cpu"),
        folder=folder,
        **changes,
    )
