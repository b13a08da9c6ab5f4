"""CIFARconv of EMPIR: as Table 3 prints it, and as the released code builds it."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from empir.networks.initialization import initialize
from empir.networks.padding import same_conv

__all__ = ["cifarconv", "cifarconv_released"]


class CIFARconv(nn.Sequential):
    """Images [batch, 3, 32, 32] in [0, 1] to logits [batch, 10]; strides and padding are the released code's.

    Args:
        conv2, conv3: channels and kernel.
    """

    input_shape = (3, 32, 32)
    classes = 10

    def __init__(self, conv2: tuple[int, int], conv3: tuple[int, int]) -> None:
        super().__init__(
            OrderedDict(
                **same_conv(1, 32, (3, 32), 5),
                pool1=nn.MaxPool2d(3, stride=2),
                relu1=nn.ReLU(),
                **same_conv(2, 15, (32, conv2[0]), conv2[1]),
                relu2=nn.ReLU(),
                pool2=nn.AvgPool2d(3, stride=2),
                **same_conv(3, 7, (conv2[0], conv3[0]), conv3[1]),
                relu3=nn.ReLU(),
                pool3=nn.AvgPool2d(3, stride=2),
                flatten=nn.Flatten(),
                fc1=nn.Linear(9 * conv3[0], 64, bias=False),
                fc2=nn.Linear(64, 10, bias=False),
            )
        )
        initialize(self)


def cifarconv() -> nn.Module:
    """CIFARconv as Table 3 prints it: 8x8 kernels and 64 channels in the second and third convolution."""
    return CIFARconv((64, 8), (64, 8))


def cifarconv_released() -> nn.Module:
    """CIFARconv as released: 5x5 kernels, 32 channels in the second convolution."""
    return CIFARconv((32, 5), (64, 5))
