"""Adversarial training with projected gradient descent."""

from __future__ import annotations

from typing import Literal

from empir.attacks import Attack
from empir.attacks.pgd import PGD
from empir.training.defences.adversarial import Adversarial
from empir.training.defences.interface import Count, Positive


class PGDAdversarial(Adversarial):
    """Adversarial training with PGD from one random start (Madry et al., ICLR 2018), who leave the clean half out.

    The defaults are the attack of Sen et al. (2020), some forty times the work of training without a defence; fewer
    and longer steps are for those without a GPU.
    """

    kind: Literal["pgd_adversarial"] = "pgd_adversarial"
    step: Positive = 0.01
    """Size of one step [pixel range]."""
    iterations: Count = 40

    def attack(self) -> Attack:
        """See `Adversarial`."""
        return PGD(epsilon=self.epsilon, step=self.step, iterations=self.iterations)
