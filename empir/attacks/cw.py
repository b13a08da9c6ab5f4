"""Carlini and Wagner's attack in L2."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from empir.attacks.interface import Attack, ClassLogits, Count, Judged, Positive, per_image


class CW(Attack):
    """The nearest image with another decision (Carlini and Wagner, IEEE S&P 2017), by foolbox.

    The defaults beside the iterations are those of the released code, which the paper leaves unsaid.
    """

    name: ClassVar = "cw"
    norm: ClassVar = "l2"

    iterations: Count = 50
    """Steps of Adam for each constant."""
    search_steps: Count = 1
    """Constants tried, by binary search."""
    learning_rate: Positive = 0.1
    constant: Positive = 10.0
    """First weight of the margin against the squared distance."""
    confidence: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """By how much another class's logit must be greater."""
    abort_early: bool = True
    """Stop where a tenth of the iterations lowers the batch's loss by less than 0.01 %. Not done where the decision is
    not the model's own: between the two the margin is all but 0, while the distance grows."""

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """See `Attack`; nothing is drawn at random."""
        foolbox = library()
        attack = foolbox.attacks.L2CarliniWagnerAttack(
            binary_search_steps=self.search_steps,
            steps=self.iterations,
            stepsize=self.learning_rate,
            confidence=self.confidence,
            initial_const=self.constant,
            abort_early=self.abort_early and not isinstance(model, Judged),
        )
        attacked = foolbox.models.PyTorchModel(ClassLogits(model).eval(), bounds=(0, 1), device=images.device)
        found: Tensor = attack.run(attacked, images, foolbox.criteria.Misclassification(labels))
        failed = (found == 0).flatten(1).all(1)  # foolbox's sign of it, which a model may well get wrong
        return torch.where(per_image(failed, found), images, found)


def library() -> ModuleType:
    """foolbox."""
    with warnings.catch_warnings():  # it imports from a place that SciPy is about to close
        warnings.filterwarnings("ignore", "Please import `gaussian_filter`", DeprecationWarning)
        import foolbox
    return foolbox
