"""Fast gradient sign method."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from empir.attacks.interface import Attack, Positive, loss_gradient


class FGSM(Attack):
    """One step of size epsilon along the sign of the loss's gradient (Goodfellow et al., ICLR 2015)."""

    name: ClassVar = "fgsm"
    norm: ClassVar = "linf"

    epsilon: Positive

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """See `Attack`; nothing is drawn at random."""
        return images + self.epsilon * loss_gradient(model, images, labels).sign()
