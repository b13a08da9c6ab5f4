"""The three networks of EMPIR (Sen, Ravindran, Raghunathan, ICLR 2020): Table 3, and what the released code runs.

Table 3 gives neither strides nor padding; they are the released code's (cleverhans_tutorials/tutorial_models.py), where
SAME and VALID have TensorFlow's meaning.
"""

from __future__ import annotations

from hwsim.spec.builder import Builder, Tensor
from hwsim.spec.network import Network

__all__ = ["alexnet", "cifarconv", "cifarconv_released", "mnistconv"]


def mnistconv() -> Network:
    """MNISTconv: three convolutions and one fully connected layer, without biases."""
    net = Builder("mnistconv")
    x = net.input("image", 1, 28, 28)
    x = net.unary("relu", net.conv(x, 64, 8, stride=2, padding="same", name="conv1"))
    x = net.unary("relu", net.conv(x, 128, 6, stride=2, name="conv2"))
    x = net.unary("relu", net.conv(x, 128, 5, name="conv3"))
    net.softmax(net.linear(net.flatten(x), 10, bias=False, name="fc"))
    return net.build()


def _cifarconv(net: Builder, conv2: tuple[int, int], conv3: tuple[int, int]) -> Network:
    """`conv2` and `conv3` are (channels, kernel)."""
    x = net.input("image", 3, 32, 32)
    x = net.pool("max", net.conv(x, 32, 5, padding="same", name="conv1"), 3, stride=2)
    x = net.unary("relu", x)
    for name, (channels, kernel) in {"conv2": conv2, "conv3": conv3}.items():
        x = net.unary("relu", net.conv(x, channels, kernel, padding="same", name=name))
        x = net.pool("average", x, 3, stride=2)
    x = net.linear(net.flatten(x), 64, bias=False, name="fc1")
    net.softmax(net.linear(x, 10, bias=False, name="fc2"))
    return net.build()


def cifarconv() -> Network:
    """CIFARconv as Table 3 prints it: 8x8 kernels and 64 channels in the second and third convolution."""
    return _cifarconv(Builder("cifarconv"), (64, 8), (64, 8))


def cifarconv_released() -> Network:
    """CIFARconv as the released code builds it: 5x5 kernels, 32 channels in the second convolution."""
    return _cifarconv(Builder("cifarconv_released"), (32, 5), (64, 5))


def alexnet() -> Network:
    """AlexNet as released: two groups in conv2, conv4 and conv5, batch norms, an untied bias in conv1."""
    net = Builder("alexnet")

    def block(x: Tensor, channels: int, kernel: int, groups: int, name: str) -> Tensor:
        return net.batch_norm(net.conv(x, channels, kernel, padding="same", groups=groups, name=name))

    x = net.input("image", 3, 224, 224)
    x = net.unary("relu", net.conv(x, 96, 12, stride=4, bias="position", name="conv1"))
    x = net.unary("relu", net.pool("max", block(x, 256, 5, 2, "conv2"), 3, stride=2, padding="same"))
    x = net.unary("relu", net.pool("max", block(x, 384, 3, 1, "conv3"), 3, stride=2, padding="same"))
    x = net.unary("relu", block(x, 384, 3, 2, "conv4"))
    x = net.unary("relu", net.pool("max", block(x, 256, 3, 2, "conv5"), 3, stride=2))
    x = net.unary("relu", net.batch_norm(net.linear(net.flatten(x), 4096, name="fc6")))
    x = net.unary("relu", net.batch_norm(net.linear(x, 4096, bias=False, name="fc7")))
    net.softmax(net.linear(x, 1000, name="fc8"))
    return net.build()
