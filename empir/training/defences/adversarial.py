"""What the kinds of adversarial training have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from empir.attacks import Attack, decisions, run
from empir.attacks.interface import EPSILON, seed_from
from empir.quantization.layers import freeze
from empir.training.defences.interface import Defence, Positive


class Adversarial(Defence):
    """Half of what a step learns from are attacked images: the mean of the clean and the attacked batch's losses.

    The attack leads away from what the model answers, not from the label, which it would give away (Kurakin et al.,
    ICLR 2017); so does the released code of Sen et al. (2020). Its FGSM draws an epsilon for each image, the absolute
    value of a normal number with a deviation of 38 in units of the whole pixel range, which turns nearly every pixel
    black or white; here epsilon is the one that their paper states.
    """

    epsilon: Positive = 0.3
    """Most change of a pixel [pixel range]."""

    @classmethod
    def published(cls, dataset: str) -> dict[str, Any]:
        """See `Defence`; the epsilon of the data set's attacks."""
        return {"epsilon": EPSILON[dataset]} if dataset in EPSILON else {}

    @abstractmethod
    def attack(self) -> Attack:
        """What attacks the images."""

    def attacked(self, model: nn.Module, images: Tensor, generator: torch.Generator) -> Tensor:
        """The other half, like images."""
        victim = freeze(model)  # which quantises its weights once, and not in every iteration
        return run(
            self.attack(),
            victim,
            images,
            decisions(victim, images),
            seed=seed_from(generator),
            batch_size=len(images),
        )

    def loss(
        self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator, teacher: nn.Module | None
    ) -> Tensor:
        """See `Defence`."""
        both = torch.cat([images, self.attacked(model, images, generator)])
        return cross_entropy(model(both).float(), torch.cat([labels, labels]))
