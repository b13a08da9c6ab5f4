"""AutoAttack."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from empir.attacks.interface import Attack, ClassLogits, Count, Positive, seed_from

#: Most classes that the targeted parts try for an image.
TARGETS = 9


class AutoAttack(Attack):
    """Four attacks one after another, each on what is left (Croce and Hein, ICML 2020), by pyautoattack.

    The standard version: APGD on the cross-entropy, APGD on the targeted ratio of logit differences, targeted FAB,
    Square. That ratio needs four classes; three are attacked with the untargeted one, two with cross-entropy alone.
    """

    name: ClassVar = "autoattack"
    norm: ClassVar = "linf"
    strong: ClassVar = True

    epsilon: Positive
    queries: Count = 5000
    """Most evaluations of the model by Square, for an image."""

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """See `Attack`."""
        from pyautoattack import AutoAttack as Standard

        attacked = ClassLogits(model)
        with _undisturbed():
            attack = Standard(attacked, eps=self.epsilon, seed=seed_from(generator), device=images.device)
            with torch.no_grad():
                classes = attacked(images[:1]).shape[1]
            attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = min(TARGETS, classes - 1)
            if classes < 4:
                attack.attacks_to_run = ["apgd-ce", *(["apgd-dlr"] if classes == 3 else []), "fab-t", "square"]
            attack.square.n_queries = self.queries
            found: Tensor = attack.run_standard_evaluation(images, labels, batch_size=len(images))[0]
        return found


@contextmanager
def _undisturbed() -> Iterator[None]:
    """The library's checks of the defence neither write to stderr nor end the trace of a debugger."""
    logger, trace = logging.getLogger("auto-attack"), sys.gettrace()
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        yield
    finally:
        logger.setLevel(level)
        sys.settrace(trace)
