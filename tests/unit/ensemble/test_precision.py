"""Widths of layers and tensors."""

from __future__ import annotations

from hwsim.ensemble.precision import LayerBits, precisions
from hwsim.networks import network
from hwsim.spec.builder import Builder
from hwsim.spec.network import Network
from hwsim.spec.rules import FullPrecision
from tests.unit.ensemble.examples import small_network


def residual() -> Network:
    """image -> a -> b, a + b -> c."""
    net = Builder("residual")
    a = net.conv(net.input("image", 2, 4, 4), 2, 3, padding=1, name="a")
    b = net.conv(a, 2, 3, padding=1, name="b")
    net.conv(net.binary("add", a, b, name="sum"), 2, 3, padding=1, name="c")
    return net.build()


def test_every_tensor_is_stored_as_its_widest_reader_needs_it() -> None:
    bits = precisions(residual(), 2, 4, FullPrecision(full_precision=("c",)), 32)
    assert bits.tensors == {"image": 4, "a": 32, "b": 32, "sum": 32, "c": 32}
    assert bits.layers["a"] == LayerBits(2, 4, 32)
    assert bits.layers["b"] == LayerBits(2, 4, 32)
    assert bits.layers["c"] == LayerBits(32, 32, 32)
    other = precisions(residual(), 2, 4, FullPrecision(full_precision=("a",)), 32)
    assert other.tensors == {"image": 32, "a": 4, "b": 4, "sum": 4, "c": 32}


def test_layers_without_multiplications_pass_the_width_on() -> None:
    bits = precisions(small_network(), 2, 4, "all", 8)
    assert bits.tensors == {"image": 4, "conv": 4, "pool": 4, "flat": 4, "fc": 8, "softmax": 8}
    assert precisions(small_network(), 2, 4, "convs", 8).tensors["conv"] == 8


def test_a_full_precision_member_follows_no_rule() -> None:
    bits = precisions(small_network(), 8, 8, "convs", 8)
    assert bits.quantized == {"conv", "fc"}
    assert set(bits.tensors.values()) == {8}


def test_products_of_activations_have_activation_bits_on_both_sides() -> None:
    bits = precisions(network("vit_b16"), 2, 4, "all", 32)
    assert bits.layers["layer0.scores"] == LayerBits(4, 4, 4)
    assert bits.layers["layer0.query"] == LayerBits(2, 4, 4)


def test_indices_keep_their_width() -> None:
    bits = precisions(network("bert_base"), 2, 2, "all", 32)
    assert bits.tensors["token_ids"] == 32
    assert bits.tensors["token_embedding"] == 2
