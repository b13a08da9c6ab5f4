"""Whether the tiles of a mapping fit the memories that keep them."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary, Sequence
from dataclasses import dataclass

from hwsim.cost.problem import Problem
from hwsim.cost.traffic import Array, footprint
from hwsim.operators.nest import Operand


@dataclass(frozen=True)
class Occupancy:
    """Bits that one step's tiles take in one memory, and what it may hold [bits]."""

    level: int
    memory: str
    bits: Array
    usable: float


def occupancy(
    problem: Problem,
    level: int,
    tile: Dictionary[str, Array],
    bypass: Sequence[Operand] = (),
    outermost: bool = False,
) -> tuple[Occupancy, ...]:
    """Bits taken by a tile at one level, for every bounded memory of it.

    A resident operand takes no room outside its home, and there its whole tensor's (see `at_home`).

    Args:
        tile: extent of every dimension at this level; arrays of any broadcastable shapes.
        bypass: operands that the mapping lets pass by.
        outermost: outputs lie here finished, at their own width.
    """
    result = []
    for memory in problem.levels[level].memories:
        if memory.size is None:
            continue
        bits: Array = 0
        for operand in memory.keeps:
            if operand in bypass:
                continue
            if operand in problem.resident and level <= problem.home(operand):
                bits = bits + (at_home(problem, operand) if level == problem.home(operand) else 0)
                continue
            width = problem.precision.output_bits if outermost and operand is Operand.OUTPUTS else None
            width = problem.stored_bits(operand) if width is None else width
            bits = bits + footprint(dict(tile), operand, problem) * width
        result.append(Occupancy(level, memory.name, bits, memory.usable_bytes * 8))
    return tuple(result)


def at_home(problem: Problem, operand: Operand) -> int:
    """Bits of a resident operand in its home, outputs as the partial sums that they are until the layer ends."""
    return problem.nest.elements(operand) * problem.stored_bits(operand)
