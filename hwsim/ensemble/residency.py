"""All weights on the chip between inferences, or none.

They live in the outermost on-chip level that keeps weights: a cyclic pass over more weights than fit would evict each
before its next use. Half of what tiles could use is set aside for the tiles, so weights stay where all of them together
take at most the other half. What stays where some may and some may not is chosen by `hwsim.ensemble.plan`.
"""

from __future__ import annotations

from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.stay import Stay, house, room
from hwsim.ensemble.storage import layer_bits
from hwsim.errors import Infeasible
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Layer, Network


def fits(hardware: Hardware, bits: int) -> bool:
    """Whether weights of this size may stay on the chip."""
    place = house(hardware, Operand.WEIGHTS)
    return place is not None and bits <= room(hardware, place)


def require(hardware: Hardware, bits: int) -> None:
    """Refuse weights that cannot stay on the chip.

    Raises:
        Infeasible: there is no level for them, or they are too large for it.
    """
    place = house(hardware, Operand.WEIGHTS)
    if place is None:
        raise Infeasible(
            f"{hardware.name} has no on-chip level, shared by the whole chip, that keeps weights between inferences",
            constraint="weights: resident",
        )
    if not fits(hardware, bits):
        level, memory = place
        raise Infeasible(
            f"the weights take {bits / 8:g} B, and {memory} has {room(hardware, place) / 8:g} B for them beside the "
            "tiles",
            hardware.levels[level].name,
            "weights: resident",
        )


def all_weights(network: Network, bits: Precisions, hardware: Hardware, size: int) -> dict[str, Stay]:
    """What stays of every layer where all weights do.

    Args:
        size: of all weights on the chip, those of other members included [bits].
    """
    return {layer.name: all_beside(layer, bits, hardware, size) for layer in network.layers}


def all_beside(layer: Layer, bits: Precisions, hardware: Hardware, size: int) -> Stay:
    """What stays of one layer where all weights of this size do."""
    place = house(hardware, Operand.WEIGHTS)
    assert place is not None, "weights that fit have a home"
    return Stay(parameters=True, beside=((place, size - layer_bits(layer, bits)),))
