"""MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov, Chen, CVPR 2018)."""

from __future__ import annotations

from hwsim.spec.builder import Builder, Tensor
from hwsim.spec.network import Network

__all__ = ["mobilenet_v2"]

#: Table 2 of the paper: expansion, output channels, repetitions, stride of the first.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenet_v2(image: int = 224, classes: int = 1000) -> Network:
    """Inverted residuals with linear bottlenecks, width 1.0.

    Args:
        image: height and width [pixels].
        classes: of the last layer.
    """
    net = Builder("mobilenet_v2")

    def conv(x: Tensor, channels: int, kernel: int, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        padding = kernel // 2
        return net.batch_norm(net.conv(x, channels, kernel, stride, padding, groups=groups, name=name))

    x = net.unary("relu6", conv(net.input("image", 3, image, image), 32, 3, "conv1", stride=2))
    block = 0
    for expansion, channels, repetitions, first in _STAGES:
        for step in range(repetitions):
            block += 1
            y, hidden = x, expansion * x.shape[0]
            if expansion > 1:
                y = net.unary("relu6", conv(y, hidden, 1, f"block{block}.expand"))
            stride = first if step == 0 else 1
            y = net.unary("relu6", conv(y, hidden, 3, f"block{block}.depthwise", stride=stride, groups=hidden))
            y = conv(y, channels, 1, f"block{block}.project")
            x = net.binary("add", x, y, name=f"block{block}.add") if x.shape == y.shape else y
    x = net.unary("relu6", conv(x, 1280, 1, "conv_last"))
    net.linear(net.flatten(net.adaptive_pool("average", x, name="avgpool")), classes, name="fc")
    return net.build()
