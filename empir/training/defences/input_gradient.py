"""Input-gradient regularisation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from empir.training.defences.interface import Defence, Positive

#: Images in a batch of the released code.
RELEASED_BATCH = 128


class InputGradient(Defence):
    """The loss's gradient by the input is kept small by double backpropagation (Ross and Doshi-Velez, AAAI 2018).

    loss = mean of H(y, p(x)) + strength / (2 · 128) · mean of ‖∂H(y, p(x))/∂x‖²

    H is the cross-entropy of one image and the means are over the batch. In those authors' code the penalty is half
    the squared gradient of the batch's *mean* cross-entropy, summed, by which an image's own squared gradient counts
    1 / 2N in a batch of N. The 100 of Sen et al. (2020) is the mildest value of a sweep in these units, and their code
    trains on batches of 128; here that weight of 0.39 does not change with the recipe's batch. The formula that is
    printed in the first paper has no 1 / 2N: strength = 25,600 is 100 in its units.
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
        own = len(images) * gradient.square().sum()  # the gradient of a mean over N images has 1/N of each one's own
        return loss + self.strength / (2 * RELEASED_BATCH) * own
