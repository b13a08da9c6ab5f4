"""AlexNet as EMPIR's released code builds it: two groups in three convolutions, batch norms, an untied bias."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from empir.networks.initialization import initialize

__all__ = ["alexnet"]

#: Mean and standard deviation of ImageNet's red, green and blue, of pixels in [0, 1].
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Images [batch, channels, height, width] less the mean, over the standard deviation of each channel."""

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.deviation


class PositionBias(nn.Module):
    """A bias for each output position, not only for each channel: [channels, height, width]."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class AlexNet(nn.Sequential):
    """Images [batch, 3, 224, 224] in [0, 1] to logits [batch, 1000].

    Batch norms come before the pooling and the ReLU, and so before the quantiser of what the next layer reads.
    """

    input_shape = (3, 224, 224)
    classes = 1000

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                normalize=Normalize(MEAN, DEVIATION),
                conv1=nn.Conv2d(3, 96, 12, stride=4, bias=False),
                bias1=PositionBias(96, 54, 54),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2, bias=False),
                norm2=nn.BatchNorm2d(256),
                pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # SAME: the odd padding is at the bottom and right
                relu2=nn.ReLU(),
                conv3=nn.Conv2d(256, 384, 3, padding=1, bias=False),
                norm3=nn.BatchNorm2d(384),
                pool3=nn.MaxPool2d(3, stride=2, padding=1),
                relu3=nn.ReLU(),
                conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2, bias=False),
                norm4=nn.BatchNorm2d(384),
                relu4=nn.ReLU(),
                conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2, bias=False),
                norm5=nn.BatchNorm2d(256),
                pool5=nn.MaxPool2d(3, stride=2),
                relu5=nn.ReLU(),
                flatten=nn.Flatten(),
                fc6=nn.Linear(9216, 4096),
                norm6=nn.BatchNorm1d(4096),
                relu6=nn.ReLU(),
                fc7=nn.Linear(4096, 4096, bias=False),
                norm7=nn.BatchNorm1d(4096),
                relu7=nn.ReLU(),
                fc8=nn.Linear(4096, 1000),
            )
        )
        initialize(self)


def alexnet() -> nn.Module:
    """AlexNet."""
    return AlexNet()
