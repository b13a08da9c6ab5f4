"""Jacobian-based saliency map attack."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from empir.attacks.interface import Attack, ClassLogits, Count, decisions
from hwsim.errors import Fault, SpecError


class JSMA(Attack):
    """Two values at a time are raised where they help another class most (Papernot et al., EuroS&P 2016).

    By the Adversarial Robustness Toolbox, which is installed with the extra `jsma`. The attack is a targeted one: the
    likeliest other classes are tried one after another, until an image is decided wrongly.
    """

    name: ClassVar = "jsma"
    norm: ClassVar = "l0"

    theta: Annotated[float, Field(gt=0, le=1)] = 1.0
    """By how much a value is raised [pixel range]."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Largest share of an image's values, channels counted apart, that may change."""
    targets: Count = 9
    """Classes tried."""
    epsilon: None = None

    def radius(self, images: Tensor) -> float:
        """See `Attack`; a number of values."""
        return int(self.gamma * prod(images.shape[1:]) + 1e-9)

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """See `Attack`; nothing is drawn at random."""
        try:
            from art.attacks.evasion.saliency_map import SaliencyMapMethod
            from art.estimators.classification.pytorch import PyTorchClassifier
        except ImportError:
            raise SpecError([Fault("jsma needs one more package: pip install 'hwsim[jsma]'")]) from None

        attacked, features, most = ClassLogits(model), prod(images.shape[1:]), self.radius(images)
        if most < 2:  # the attack changes values by twos
            return images
        with torch.no_grad():
            logits = attacked(images)
        classes = logits.shape[1]
        classifier = PyTorchClassifier(
            attacked,
            loss=nn.CrossEntropyLoss(),
            input_shape=tuple(images.shape[1:]),
            nb_classes=classes,
            clip_values=(0.0, 1.0),
            device_type=images.device.type.replace("cuda", "gpu"),
        )
        # The library tests the share before it changes two more values.
        share = (most - 1.5) / features
        attack = SaliencyMapMethod(classifier, self.theta, share, batch_size=len(images), verbose=False)
        others = logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
        found = images.clone()
        for target in others[:, : min(self.targets, classes - 1)].T:
            left = (decisions(model, found) == labels).nonzero()[:, 0]
            if not len(left):
                break
            changed = attack.generate(images[left].cpu().numpy(), target[left].cpu().numpy())
            found[left] = torch.from_numpy(changed).to(found)
        return found
