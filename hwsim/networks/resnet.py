"""Residual networks (He, Zhang, Ren, Sun, CVPR 2016)."""

from __future__ import annotations

from hwsim.spec.builder import Builder, Tensor
from hwsim.spec.network import Network

__all__ = ["resnet18", "resnet50"]


def _conv(net: Builder, x: Tensor, channels: int, kernel: int, stride: int, name: str) -> Tensor:
    return net.batch_norm(net.conv(x, channels, kernel, stride=stride, padding=kernel // 2, name=name))


def _resnet(name: str, depths: tuple[int, ...], bottleneck: bool, image: int, classes: int) -> Network:
    net = Builder(name)
    x = net.input("image", 3, image, image)
    x = net.unary("relu", _conv(net, x, 64, 7, 2, "conv1"))
    x = net.pool("max", x, 3, stride=2, padding=1, name="maxpool")
    for stage, depth in enumerate(depths, start=1):
        width = 64 * 2 ** (stage - 1)
        outputs = 4 * width if bottleneck else width
        for block in range(depth):
            stride = 2 if block == 0 and stage > 1 else 1
            at = f"layer{stage}.{block}"
            if bottleneck:
                y = net.unary("relu", _conv(net, x, width, 1, 1, f"{at}.conv1"))
                y = net.unary("relu", _conv(net, y, width, 3, stride, f"{at}.conv2"))
                y = _conv(net, y, outputs, 1, 1, f"{at}.conv3")
            else:
                y = net.unary("relu", _conv(net, x, width, 3, stride, f"{at}.conv1"))
                y = _conv(net, y, width, 3, 1, f"{at}.conv2")
            if x.shape != y.shape:
                x = _conv(net, x, outputs, 1, stride, f"{at}.downsample")
            x = net.unary("relu", net.binary("add", y, x, name=f"{at}.add"))
    net.linear(net.flatten(net.adaptive_pool("average", x, name="avgpool")), classes, name="fc")
    return net.build()


def resnet18(image: int = 224, classes: int = 1000) -> Network:
    """Two 3x3 convolutions a block.

    Args:
        image: height and width [pixels].
        classes: of the last layer.
    """
    return _resnet("resnet18", (2, 2, 2, 2), bottleneck=False, image=image, classes=classes)


def resnet50(image: int = 224, classes: int = 1000) -> Network:
    """Bottleneck blocks, the stride in their 3x3 convolution (as torchvision has it; the paper strides the first 1x1).

    Args:
        image: height and width [pixels].
        classes: of the last layer.
    """
    return _resnet("resnet50", (3, 4, 6, 3), bottleneck=True, image=image, classes=classes)
