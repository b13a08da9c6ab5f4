"""How the networks of the zoo start."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def initialize(network: nn.Module) -> None:
    """Every filter and every neuron's weights are drawn from a normal distribution and scaled to length 1.

    This is what the released code does (cleverhans_tutorials/tutorial_models.py). Biases start at zero.

    A quantised layer divides by its largest weight, so that the length does not change what it computes, only how far
    a step of training goes; the shape of the distribution does: few weights lie near the largest, nearly all at 2 bits
    start as ±1/3. Nothing scales the sums of a layer down, as nothing does in the released networks. Those of the
    second convolution of MNISTconv at w2a4 have a standard deviation of 10 at the start, half of its activations are
    clipped at 1, and 1 in 25 lies inside [0, 1], where the gradient passes. Such networks train, but want small steps.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight)
            layer.weight /= layer.weight.flatten(1).norm(dim=1).view(-1, *(1,) * (layer.weight.ndim - 1))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
