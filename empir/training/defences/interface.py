"""What every defence is: a loss to train with, and perhaps a teacher that is trained first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from hwsim.value import Value

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Defence(Value, ABC):
    """How a member is trained to resist attacks; its fields are its parameters, `kind` is its name.

    Any network can be trained with any defence, quantised or not, and so every member of an ensemble.
    """

    kind: str

    @classmethod
    def published(cls, dataset: str) -> dict[str, Any]:
        """Parameters that Sen et al. (2020) used on a data set, less those that are defaults anyhow."""
        return {}

    def teacher(self) -> Defence | None:
        """How the network is trained that this defence learns from; None where it needs none."""
        return None

    @abstractmethod
    def loss(
        self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator, teacher: nn.Module | None
    ) -> Tensor:
        """What a step of training lowers.

        Args:
            model: in training mode; returns logits [batch, classes].
            images: float32 [batch, channels, height, width] in [0, 1].
            labels: int64 [batch].
            generator: on the CPU, the only source of random numbers.
            teacher: trained as `teacher` says, frozen.

        Returns:
            A number that can be differentiated by the model's parameters.
        """
