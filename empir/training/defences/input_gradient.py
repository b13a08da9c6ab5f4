"""Input-gradient regularisation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from empir.training.defences.interface import Defence, Positive


class InputGradient(Defence):
    """The loss's gradient by the input is kept small by double backpropagation (Ross and Doshi-Velez, AAAI 2018).

    loss = L + strength / 2 · Σ (∂L/∂x)²,   L = mean cross-entropy of the batch, the sum over all its pixels

    This is the normalisation of those authors' code, in whose units the 100 of Sen et al. (2020) is the mildest value
    of a sweep. As L is a mean over N images, an image's own squared gradient counts strength / 2N on average: 0.39 at
    100 and N = 128. The formula printed in their paper has no 1 / 2N; strength = 200 N makes that of it at 100.
    """

    kind: Literal["input_gradient"] = "input_gradient"
    strength: Positive = 100.0
    """λ of the paper."""

    def loss(
        self, model: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator, teacher: nn.Module | None
    ) -> Tensor:
        """See `Defence`."""
        images = images.detach().requires_grad_()
        loss = cross_entropy(model(images).float(), labels)
        (gradient,) = torch.autograd.grad(loss, images, create_graph=True)
        return loss + self.strength / 2 * gradient.square().sum()
