"""Adversarial training with one step of the gradient's sign."""

from __future__ import annotations

from typing import Literal

from empir.attacks import Attack
from empir.attacks.fgsm import FGSM
from empir.training.defences.adversarial import Adversarial


class FGSMAdversarial(Adversarial):
    """Adversarial training with FGSM (Goodfellow et al., ICLR 2015)."""

    kind: Literal["fgsm_adversarial"] = "fgsm_adversarial"

    def attack(self) -> Attack:
        """See `Adversarial`."""
        return FGSM(epsilon=self.epsilon)
