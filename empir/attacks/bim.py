"""Basic iterative method, and the loop that it shares with PGD."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from empir.attacks.interface import IMAGENET_DEVIATION, Attack, Count, Positive, loss_gradient


class BIM(Attack):
    """Small steps along the sign of the loss's gradient from the image itself (Kurakin et al., ICLR 2017)."""

    name: ClassVar = "bim"
    norm: ClassVar = "linf"

    epsilon: Positive
    step: Positive = 0.01
    """Size of one step [pixel range]."""
    iterations: Count = 40

    @classmethod
    def published(cls, dataset: str) -> dict[str, Any]:
        """See `Attack`; the step on ImageNet is in standard deviations too."""
        own = {"step": 0.01 * IMAGENET_DEVIATION} if dataset == "imagenet" else {}
        return super().published(dataset) | own

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """See `Attack`; nothing is drawn at random."""
        return self.climb(model, images, images, labels)

    def climb(self, model: nn.Module, start: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Where the steps lead from `start`, never farther than epsilon from the images."""
        low, high = (images - self.epsilon).clamp_min(0), (images + self.epsilon).clamp_max(1)
        reached = start.clamp(low, high)
        for _ in range(self.iterations):
            gradient = loss_gradient(model, reached, labels)
            reached = gradient.sign_().mul_(self.step).add_(reached).clamp_(low, high)
        return reached
