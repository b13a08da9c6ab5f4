"""No defence."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from empir.training.defences.interface import Defence, Positive


class Plain(Defence):
    """Cross-entropy with the labels."""

    kind: Literal["none"] = "none"
    temperature: Positive = 1.0
    """Divides the logits."""

    def loss(
        self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator, teacher: nn.Module | None
    ) -> Tensor:
        """See `Defence`."""
        return cross_entropy(model(images).float() / self.temperature, labels)
