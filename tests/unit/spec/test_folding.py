"""What folds into a neighbour, and what must not."""

from __future__ import annotations

import pytest

from hwsim.spec.builder import Builder
from hwsim.spec.network import Network


def names(net: Network) -> dict[str, list[str]]:
    """Layer -> the operators fused into it."""
    return {layer.name: [operator.label for operator in layer.fused] for layer in net.layers}


def test_batch_norm_and_activation_fold_into_the_convolution():
    net = Builder("net")
    x = net.conv(net.input("x", 3, 8, 8), 4, 3, name="conv")
    net.unary("relu", net.batch_norm(x))
    assert names(net.build()) == {"conv": ["batch norm", "relu"]}


def test_batch_norm_after_anything_else_stays():
    net = Builder("net")
    x = net.unary("relu", net.conv(net.input("x", 3, 8, 8), 4, 3, name="conv"))
    x = net.pool("max", net.batch_norm(x, name="norm1"), 2, name="pool")
    net.batch_norm(x, name="norm2")
    assert names(net.build()) == {"conv": ["relu"], "norm1": [], "pool": [], "norm2": []}


def test_batch_norm_of_a_product_of_activations_stays():
    net = Builder("net")
    a, b = net.input("a", 2, 3, 4), net.input("b", 2, 4, 5)
    net.batch_norm(net.matmul(a, b, heads=2, columns=5, name="product"), name="norm")
    assert names(net.build()) == {"product": [], "norm": []}


def test_nothing_fuses_into_a_result_that_others_read():
    net = Builder("net")
    x = net.conv(net.input("x", 3, 8, 8), 4, 3, name="conv")
    net.unary("sigmoid", x, name="gate")
    net.softmax(x, name="softmax")
    assert names(net.build()) == {"conv": [], "gate": [], "softmax": []}


def test_a_function_in_parts_fuses():
    """silu, then gelu as 0.5 * x * (1 + erf(x / c)), then a gate of two functions."""
    net = Builder("net")
    x = net.linear(net.input("x", 8), 8, name="fc1")
    x = net.binary("mul", x, net.unary("sigmoid", x))
    x = net.linear(x, 8, name="fc2")
    x = net.unary("mul", net.binary("mul", x, net.unary("add", net.unary("erf", net.unary("div", x)))))
    x = net.linear(x, 8, name="fc3")
    gate = net.unary("sigmoid", x)
    net.binary("mul", net.unary("tanh", x), gate)
    made = net.build()
    assert names(made) == {
        "fc1": ["sigmoid", "mul"],
        "fc2": ["div", "erf", "add", "mul", "mul"],
        "fc3": ["tanh", "sigmoid", "mul"],
    }
    assert [layer.operations for layer in made.layers] == [8 * 5, 8 * 5, 8 * 6]


def test_parts_that_others_read_or_that_differ_in_size_stay_apart():
    net = Builder("net")
    x = net.conv(net.input("x", 3, 8, 8), 4, 3, name="conv")
    gate = net.unary("sigmoid", x, name="gate")
    y = net.binary("mul", x, gate, name="mul")
    weight = net.adaptive_pool("average", net.pool("max", gate, 2, name="pool"), name="squeeze")
    net.binary("mul", y, net.unary("relu", weight), name="excite")
    made = net.build()
    assert names(made)["mul"] == []
    assert names(made)["squeeze"] == ["relu"]
    assert names(made)["gate"] == []
    assert set(names(made)) == {"conv", "gate", "mul", "pool", "squeeze", "excite"}


def test_a_function_in_parts_of_a_shared_tensor_is_one_layer():
    net = Builder("net")
    x = net.conv(net.input("x", 3, 8, 8), 4, 3, name="conv")
    net.binary("mul", net.unary("sigmoid", x, name="silu"), x, name="mul")
    net.softmax(x, name="softmax")
    made = net.build()
    assert names(made) == {"conv": [], "softmax": [], "silu": ["mul"]}
    assert made.layer("silu").inputs == ("conv",)


def test_nothing_fuses_into_a_result_that_is_wanted():
    net = Builder("net")
    x = net.conv(net.input("x", 3, 8, 8), 4, 3, name="conv")
    net.unary("relu", x, name="relu")
    assert names(net.build(results=["conv"])) == {"conv": [], "relu": []}


def test_nothing_fuses_into_views_and_inputs():
    net = Builder("net")
    x = net.unary("relu", net.input("x", 3, 8, 8), name="first")
    net.unary("relu", net.flatten(x, name="flat"), name="second")
    assert names(net.build()) == {"first": [], "flat": [], "second": []}


@pytest.mark.parametrize("kind", ["pool", "add", "layer_norm"])
def test_an_activation_fuses_into_whatever_writes(kind):
    net = Builder("net")
    x = net.input("x", 3, 8, 8)
    made = {
        "pool": lambda: net.pool("max", x, 2, name="pool"),
        "add": lambda: net.binary("add", x, net.input("y", 3, 8, 8), name="add"),
        "layer_norm": lambda: net.layer_norm(x, name="layer_norm"),
    }[kind]()
    net.unary("tanh", made)
    assert names(net.build()) == {kind: ["tanh"]}


def test_softmax_and_residual_sums_are_layers():
    net = Builder("net")
    x = net.input("x", 10)
    y = net.binary("add", net.linear(x, 10, name="fc"), x, name="add")
    net.softmax(y, name="softmax")
    assert names(net.build()) == {"fc": [], "add": [], "softmax": []}


def kinds(net: Network) -> dict[str, str]:
    return {layer.name: layer.operator.label for layer in net.layers}


def test_a_transpose_that_only_products_read_is_a_view():
    net = Builder("net")
    x = net.rearrange("transpose", (4, 6), net.input("x", 6, 4), name="turn")
    x = net.rearrange("reshape", (24,), x, name="flat")
    net.linear(x, 3, name="fc1")
    net.linear(x, 3, name="fc2")
    assert kinds(net.build())["turn"] == "strided"


def test_a_transpose_of_a_product_that_it_alone_reads_is_a_view():
    net = Builder("net")
    x = net.linear(net.input("x", 6, 4), 4, name="fc")
    x = net.rearrange("reshape", (6, 2, 2), x, name="heads")
    net.softmax(net.rearrange("transpose", (2, 6, 2), x, name="turn"), name="softmax")
    assert kinds(net.build())["turn"] == "strided"


def test_other_transposes_move():
    net = Builder("net")
    x = net.linear(net.input("x", 6, 4), 4, name="fc")
    turned = net.rearrange("transpose", (4, 6), x, name="turn")
    net.softmax(turned, name="softmax")
    net.layer_norm(x, name="norm")  # reads the product in the old order
    net.linear(turned, 3, name="fc2")
    assert kinds(net.build())["turn"] == "transpose"
