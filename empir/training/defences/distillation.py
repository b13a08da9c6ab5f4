"""Defensive distillation."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from empir.training.defences.interface import Defence, Positive, Share
from empir.training.defences.plain import Plain


class Distillation(Defence):
    """A student learns what a teacher of the same network answers at a high temperature T (Papernot et al., 2016).

    loss = hard · H(labels, softmax z) + soft · H(softmax(t / T), softmax(z / T))

    H is the cross-entropy, z are the student's logits, t the teacher's. Both are divided by T in training alone. As in
    the released code of Sen et al. (2020) the labels count at T = 1, the soft part is not multiplied by T², and the
    teacher is trained on the labels at T. The teacher is always in full precision.
    """

    kind: Literal["distillation"] = "distillation"
    temperature: Positive = 100.0
    hard: Share = 0.5
    soft: Share = 0.5

    @classmethod
    def published(cls, dataset: str) -> dict[str, Any]:
        """See `Defence`; the paper distils on MNIST only, the released code on CIFAR-10 too, as given here."""
        return {"temperature": 10.0, "hard": 0.3, "soft": 0.7} if dataset == "cifar10" else {}

    def teacher(self) -> Defence:
        """See `Defence`."""
        return Plain(temperature=self.temperature)

    def loss(
        self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator, teacher: nn.Module | None
    ) -> Tensor:
        """See `Defence`."""
        if teacher is None:
            raise TypeError("distillation needs a teacher")
        with torch.no_grad():
            target = (teacher(images).float() / self.temperature).softmax(1)
        logits = model(images).float()
        from_labels, from_teacher = cross_entropy(logits, labels), cross_entropy(logits / self.temperature, target)
        return self.hard * from_labels + self.soft * from_teacher
