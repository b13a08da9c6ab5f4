"""Weights that stay on the chip between inferences.

They live in the outermost on-chip level that keeps weights, all of them or none: a cyclic pass over more weights than
fit would evict each before its next use. Half of what tiles could use is set aside for the tiles, so weights stay where
all of them together take at most the other half.
"""

from __future__ import annotations

from hwsim.cost.problem import home
from hwsim.errors import Infeasible
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware, Memory

#: Part of the usable size of the weights' home that stays free for tiles.
RESERVE = 0.5


def fits(hardware: Hardware, bits: int) -> bool:
    """Whether weights of this size may stay on the chip."""
    level = home(hardware, Operand.WEIGHTS)
    return level is not None and bits <= 8 * _memory(hardware, level).usable_bytes * (1 - RESERVE)


def require(hardware: Hardware, bits: int) -> None:
    """Refuse weights that cannot stay on the chip.

    Raises:
        Infeasible: there is no level for them, or they are too large for it.
    """
    level = home(hardware, Operand.WEIGHTS)
    if level is None:
        raise Infeasible(
            f"{hardware.name} has no on-chip level, shared by the whole chip, that keeps weights between inferences",
            constraint="weights: resident",
        )
    if not fits(hardware, bits):
        memory = _memory(hardware, level)
        room = memory.usable_bytes * (1 - RESERVE)
        raise Infeasible(
            f"the weights take {bits / 8:g} B, and {memory.name} has {room:g} B for them beside the tiles",
            hardware.levels[level].name,
            "weights: resident",
        )


def beside(hardware: Hardware, bits: float) -> Hardware:
    """The chip as a layer sees it while other layers' weights lie in their home.

    Args:
        bits: of the other layers' weights [bits].
    """
    level = home(hardware, Operand.WEIGHTS)
    return hardware if level is None else less(hardware, level, _memory(hardware, level), bits)


def less(hardware: Hardware, level: int, memory: Memory, bits: float) -> Hardware:
    """The chip with a memory that has so much less room for tiles.

    Args:
        memory: of the level.
        bits: [bits].
    """
    if memory.size is None or not bits:
        return hardware
    per_byte = memory.size / memory.usable_bytes  # 2 where a double buffer halves what a tile may use
    smaller = memory.model_copy(update={"size": memory.size - per_byte * bits / 8})
    memories = tuple(smaller if x is memory else x for x in hardware.levels[level].memories)
    levels = list(hardware.levels)
    levels[level] = levels[level].model_copy(update={"memories": memories})
    return hardware.model_copy(update={"levels": tuple(levels)})


def _memory(hardware: Hardware, level: int) -> Memory:
    memory = hardware.levels[level].memory(Operand.WEIGHTS)
    assert memory is not None
    return memory
