"""Bits that a member keeps for good (storage) and for a while (working set)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwsim.ensemble.precision import Precisions
from hwsim.spec.network import Layer, Network, peak


@dataclass(frozen=True)
class Storage:
    """Stored parameters of one member, by kind [bits].

    Args:
        weights: of the quantised layers, at the member's width.
        unquantized: weights of the multiply-accumulate layers that stay in full precision.
        tables: lookup tables of embeddings, in full precision.
        vectors: biases and normalisation parameters, in full precision.
    """

    weights: int
    unquantized: int
    tables: int
    vectors: int

    @property
    def total(self) -> int:
        """All of them [bits]."""
        return self.weights + self.unquantized + self.tables + self.vectors


def storage(network: Network, bits: Precisions) -> Storage:
    """Count the parameters of a network at their widths; a product of two activations stores none."""
    weights = unquantized = tables = vectors = 0
    for layer in network.layers:
        own = layer.parameters
        if layer.name in bits.quantized:
            weights += own.weights * bits.weight_bits
        elif layer.nest is not None:
            unquantized += own.weights * bits.full
        else:
            tables += own.weights * bits.full
        vectors += (own.biases + own.norms) * bits.full
    return Storage(weights, unquantized, tables, vectors)


def layer_bits(layer: Layer, bits: Precisions) -> int:
    """Stored weights of one multiply-accumulate layer, without biases and norms [bits]."""
    return layer.parameters.weights * bits.layers[layer.name].weights


def working_set(network: Network, bits: Precisions, shared: Mapping[str, int] | None = None) -> int:
    """Peak of live activations [bits].

    Args:
        shared: widths of network inputs that another member will read again, so that they stay to the end [bits].
    """
    shared = shared or {}
    lifetimes = network.lifetimes()
    end = len(network.layers) - 1
    lifetimes |= {name: (0, end) for name in shared}
    widths = {**bits.tensors, **shared}
    return peak(lifetimes, {name: elements * widths[name] for name, elements in network.tensors.items()})
