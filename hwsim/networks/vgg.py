"""VGG (Simonyan, Zisserman, ICLR 2015)."""

from __future__ import annotations

from hwsim.spec.builder import Builder
from hwsim.spec.network import Network

__all__ = ["vgg16"]


def vgg16(image: int = 224, classes: int = 1000) -> Network:
    """Configuration D, without batch norm.

    Args:
        image: height and width [pixels].
        classes: of the last layer.
    """
    net = Builder("vgg16")
    x = net.input("image", 3, image, image)
    for stage, (channels, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
        for step in range(1, depth + 1):
            x = net.unary("relu", net.conv(x, channels, 3, padding=1, bias=True, name=f"conv{stage}_{step}"))
        x = net.pool("max", x, 2, name=f"pool{stage}")
    x = net.flatten(net.adaptive_pool("average", x, 7))
    x = net.unary("relu", net.linear(x, 4096, name="fc6"))
    x = net.unary("relu", net.linear(x, 4096, name="fc7"))
    net.linear(x, classes, name="fc8")
    return net.build()
