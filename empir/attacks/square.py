"""Square attack."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from empir.attacks.interface import Attack, ClassLogits, Count, Positive, seed_from


class Square(Attack):
    """Random search with squares at the corners of the ball, from logits alone (Andriushchenko et al., ECCV 2020).

    By pyautoattack, with the settings that AutoAttack has for it. What it does with an image depends on which others
    are in its batch.
    """

    name: ClassVar = "square"
    norm: ClassVar = "linf"

    epsilon: Positive
    queries: Count = 5000
    """Most evaluations of the model for an image and restart."""
    restarts: Count = 1
    first_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of the image that the first squares cover."""

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """See `Attack`."""
        from pyautoattack.square import SquareAttack

        attack = SquareAttack(
            ClassLogits(model),
            norm="Linf",
            eps=self.epsilon,
            n_queries=self.queries,
            n_restarts=self.restarts,
            p_init=self.first_share,
            resc_schedule=False,
            seed=seed_from(generator),
            device=images.device,
        )
        found: Tensor = attack.perturb(images, labels)
        return found
