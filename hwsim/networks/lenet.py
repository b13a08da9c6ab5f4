"""LeNet-5 (LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 86(11), 1998)."""

from __future__ import annotations

from hwsim.spec.builder import Builder
from hwsim.spec.network import Network

__all__ = ["lenet5"]


def lenet5() -> Network:
    """LeNet-5 as it is commonly built: C3 sees every map, pooling learns nothing, softmax at the end."""
    net = Builder("lenet5")
    x = net.input("image", 1, 32, 32)
    x = net.pool("average", net.unary("tanh", net.conv(x, 6, 5, bias=True, name="c1")), 2, name="s2")
    x = net.pool("average", net.unary("tanh", net.conv(x, 16, 5, bias=True, name="c3")), 2, name="s4")
    x = net.unary("tanh", net.conv(x, 120, 5, bias=True, name="c5"))
    x = net.unary("tanh", net.linear(net.flatten(x), 84, name="f6"))
    net.softmax(net.linear(x, 10, name="output"))
    return net.build()
