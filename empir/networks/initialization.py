"""How the networks of the zoo start."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def initialize(network: nn.Module) -> None:
    """Every filter and every neuron's weights are drawn from a normal distribution and scaled to length 1.

    This is what the released code does (cleverhans_tutorials/tutorial_models.py). Biases start at zero.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight)
            layer.weight /= layer.weight.flatten(1).norm(dim=1).view(-1, *(1,) * (layer.weight.ndim - 1))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
