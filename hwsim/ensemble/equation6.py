"""Equation 6 of EMPIR (Sen, Ravindran, Raghunathan, ICLR 2020): what an ensemble costs by two sums.

    time    = M + sum over the low-precision members of ops/s(FP) / ops/s(k_i)
    storage = M + sum over the low-precision members of k_i / FP

M counts the full-precision members and k_i is the width of member i's weights. Both are multiples of one full-precision
network. The paper applies them to the network as a whole; counted layer by layer, the layers that a member keeps in
full precision enter at full price, and so do biases and normalisation parameters.

The paper's members all run. Where one of them is drawn to run alone (random_switch), the time expected by the same
terms is their mean, and the storage stays their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.datapaths import DatapathStyle
from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.storage import storage
from hwsim.spec.network import Network


@dataclass(frozen=True)
class Multiples:
    """Time and storage as multiples of one full-precision network."""

    time: float
    storage: float


@dataclass(frozen=True)
class Equation6:
    """Both ways to count.

    Args:
        sums: the paper's form.
        layerwise: each layer at the widths it has.
        shares: for every member its terms in the paper's two sums.
    """

    sums: Multiples
    layerwise: Multiples
    shares: tuple[Multiples, ...]


def time(datapath: DatapathStyle, weight_bits: ArrayLike, activation_bits: ArrayLike, full: int) -> NDArray[Any]:
    """The paper's first sum.

    Args:
        weight_bits, activation_bits: of all members, which lie along the last axis [bits].
        full: width of full precision [bits].

    Returns:
        An array of the other axes.
    """
    return np.asarray(slowdown(datapath, weight_bits, activation_bits, full).sum(axis=-1))


def slowdown(datapath: DatapathStyle, weight_bits: ArrayLike, activation_bits: ArrayLike, full: int) -> NDArray[Any]:
    """ops/s(FP) / ops/s(k), an array of the widths' broadcast shape."""
    return datapath.throughput(full, full) / datapath.throughput(weight_bits, activation_bits)


def stored(weight_bits: ArrayLike, full: int) -> NDArray[Any]:
    """The paper's second sum; members lie along the last axis."""
    return np.asarray((np.asarray(weight_bits) / full).sum(axis=-1))


def equation6(
    network: Network, datapath: DatapathStyle, members: Sequence[Precisions], *, drawn: bool = False
) -> Equation6:
    """Apply the equation to the members of an ensemble of one network.

    Args:
        drawn: one member runs, each as likely as any other, instead of all of them.

    Raises:
        Infeasible: the datapath has no mode for some layer.
    """
    full = members[0].full
    shares = tuple(
        Multiples(float(slowdown(datapath, bits.weight_bits, bits.activation_bits, full)), bits.weight_bits / full)
        for bits in members
    )
    one_in = len(members) if drawn else 1
    one = network.parameters.total * full
    macs = np.array([layer.macs for layer in network.mac_layers])
    widths = np.array(
        [
            [(bits.layers[layer.name].weights, bits.layers[layer.name].activations) for layer in network.mac_layers]
            for bits in members
        ]
    )
    slow = slowdown(datapath, widths[..., 0], widths[..., 1], full)
    weight_bits, activation_bits = zip(*((bits.weight_bits, bits.activation_bits) for bits in members), strict=True)
    return Equation6(
        sums=Multiples(
            float(time(datapath, weight_bits, activation_bits, full)) / one_in, float(stored(weight_bits, full))
        ),
        layerwise=Multiples(
            float((slow * macs).sum() / macs.sum()) / one_in,
            sum(storage(network, bits).total for bits in members) / one if one else float(len(members)),
        ),
        shares=shares,
    )
