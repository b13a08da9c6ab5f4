"""The width of every weight and of every tensor of one member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwsim.operators import BatchedGemm, Embedding
from hwsim.spec.network import Layer, Network
from hwsim.spec.rules import Rule, quantized


@dataclass(frozen=True)
class LayerBits:
    """Widths of one layer [bits].

    Args:
        weights: of the stationary operand; of the parameters where nothing is multiplied.
        activations: of what the layer reads.
        output: at which the result is stored, by the widest reader's need.
    """

    weights: int
    activations: int
    output: int


@dataclass(frozen=True)
class Precisions:
    """Widths of a whole member.

    Args:
        weight_bits, activation_bits: of the quantised layers [bits].
        full: of everything else [bits].
        quantized: names of the multiply-accumulate layers that run at the member's widths.
        layers: by name.
        tensors: width at which each network input and each layer's result is stored [bits].
    """

    weight_bits: int
    activation_bits: int
    full: int
    quantized: frozenset[str]
    layers: Mapping[str, LayerBits]
    tensors: Mapping[str, int]


def precisions(network: Network, weight_bits: int, activation_bits: int, rule: Rule, full: int) -> Precisions:
    """Assign widths.

    A multiply-accumulate layer runs at the member's widths or, where the rule says so, at full precision both ways. A
    product of two activations has activation bits on both sides. A tensor is stored at the widest width at which any
    layer reads it; layers without multiplications pass the width of their result on to what they read, but the indices
    of a table and the network's results have full precision.

    Raises:
        SpecError: the rule names layers that the network does not have.
    """
    macs = network.mac_layers
    chosen = quantized(rule, [(layer.name, layer.operator.label) for layer in macs])
    names = frozenset(layer.name for layer, yes in zip(macs, chosen, strict=True) if yes)
    if weight_bits == activation_bits == full:
        names = frozenset(layer.name for layer in macs)
    read = {source for layer in network.layers for source in layer.inputs}
    tensors = {name: 0 if name in read else full for name in network.tensors}
    layers: dict[str, LayerBits] = {}
    for layer in reversed(network.layers):
        output = tensors[layer.name]
        weights, activations = _widths(layer, layer.name in names, weight_bits, activation_bits, output, full)
        for source in layer.inputs:
            tensors[source] = max(tensors[source], activations)
        layers[layer.name] = LayerBits(weights, activations, output)
    return Precisions(weight_bits, activation_bits, full, names, layers, tensors)


def _widths(layer: Layer, yes: bool, weight_bits: int, activation_bits: int, output: int, full: int) -> tuple[int, int]:
    if layer.nest is None:
        return full, full if isinstance(layer.operator, Embedding) else output
    if not yes:
        return full, full
    return activation_bits if isinstance(layer.operator, BatchedGemm) else weight_bits, activation_bits
