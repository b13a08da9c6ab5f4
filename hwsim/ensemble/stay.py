"""What of one layer stays on the chip, and the chip as that layer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hwsim.cost.problem import home
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware, Memory

#: Part of the usable size of a home that stays free for tiles.
RESERVE = 0.5

#: A memory that operands stay in: the index of its level, and its name.
Home = tuple[int, str]


@dataclass(frozen=True)
class Stay:
    """What of one layer stays on the chip, and what lies there beside it.

    Args:
        parameters: its stored parameters.
        inputs: tensors that it reads, by the names it has for them.
        output: its result.
        brought: operands that it reads from the outermost memory, but leaves whole in their home.
        beside: what others have in the homes [bits].
    """

    parameters: bool = False
    inputs: frozenset[str] = frozenset()
    output: bool = False
    brought: frozenset[Operand] = frozenset()
    beside: tuple[tuple[Home, float], ...] = ()


#: A layer that moves everything to and from the outermost memory, alone on the chip.
STREAMED = Stay()


def house(hardware: Hardware, operand: Operand) -> Home | None:
    """The memory that an operand stays in, if there is one."""
    level = home(hardware, operand)
    if level is None:
        return None
    memory = hardware.levels[level].memory(operand)
    assert memory is not None
    return level, memory.name


def room(hardware: Hardware, place: Home) -> float:
    """What may stay in a memory beside the tiles [bits]; infinite where it is unbounded."""
    return 8 * _memory(hardware, place).usable_bytes * (1 - RESERVE)


@lru_cache(1024)
def seen(hardware: Hardware, stay: Stay) -> Hardware:
    """The chip as a layer sees it: less what lies beside it, and obliged to keep what it brings in."""
    for place, bits in stay.beside:
        memory = _memory(hardware, place)
        if memory.size is not None and bits:
            hardware = _changed(hardware, place[0], memory, size=left(memory, bits))
    for operand in stay.brought:
        if (brings := house(hardware, operand)) and operand in (memory := _memory(hardware, brings)).optional:
            rest = tuple(other for other in memory.optional if other is not operand)
            hardware = _changed(hardware, brings[0], memory, optional=rest)
    return hardware


def left(memory: Memory, bits: float) -> float:
    """Size of a memory less what lies in it beside the tiles [B]; infinite where it is unbounded."""
    if memory.size is None:
        return float("inf")
    per_byte = memory.size / memory.usable_bytes  # 2 where a double buffer halves what a tile may use
    return memory.size - per_byte * bits / 8


def _memory(hardware: Hardware, place: Home) -> Memory:
    level, name = place
    return next(memory for memory in hardware.levels[level].memories if memory.name == name)


def _changed(hardware: Hardware, level: int, memory: Memory, **fields: object) -> Hardware:
    changed = memory.model_copy(update=fields)
    memories = tuple(changed if x is memory else x for x in hardware.levels[level].memories)
    levels = list(hardware.levels)
    levels[level] = levels[level].model_copy(update={"memories": memories})
    return hardware.model_copy(update={"levels": tuple(levels)})
