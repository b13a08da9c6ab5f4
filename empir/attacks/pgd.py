"""Projected gradient descent."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from empir.attacks.bim import BIM
from empir.attacks.interface import Count, decisions


class PGD(BIM):
    """The basic iterative method from random starts in the ball (Madry et al., ICLR 2018).

    Of several starts the first that changes the decision counts, for each image apart.
    """

    name: ClassVar = "pgd"
    strong: ClassVar = True

    restarts: Count = 1
    """Random starts tried."""

    @classmethod
    def published(cls, dataset: str) -> dict[str, Any]:
        """See `Attack`; five iterations on ImageNet, where the released code's default is 40."""
        return super().published(dataset) | ({"iterations": 5} if dataset == "imagenet" else {})

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """See `Attack`."""
        found = self._from_random(model, images, labels, generator)
        for _ in range(self.restarts - 1):
            left = (decisions(model, found) == labels).nonzero()[:, 0]
            if not len(left):
                break
            found[left] = self._from_random(model, images[left], labels[left], generator)
        return found

    def _from_random(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(images.shape, generator=generator).to(images.device)
        return self.climb(model, images + self.epsilon * (2 * uniform - 1), images, labels)
