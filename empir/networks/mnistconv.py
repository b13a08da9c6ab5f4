"""MNISTconv of EMPIR's Table 3: three convolutions and one fully connected layer, without biases."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from empir.networks.initialization import initialize
from empir.networks.padding import same_conv

__all__ = ["mnistconv"]


class MNISTconv(nn.Sequential):
    """Images [batch, 1, 28, 28] in [0, 1] to logits [batch, 10]; strides and padding are the released code's."""

    input_shape = (1, 28, 28)
    classes = 10

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                **same_conv(1, 28, (1, 64), 8, stride=2),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(64, 128, 6, stride=2, bias=False),
                relu2=nn.ReLU(),
                conv3=nn.Conv2d(128, 128, 5, bias=False),
                relu3=nn.ReLU(),
                flatten=nn.Flatten(),
                fc=nn.Linear(128, 10, bias=False),
            )
        )
        initialize(self)


def mnistconv() -> nn.Module:
    """MNISTconv."""
    return MNISTconv()
