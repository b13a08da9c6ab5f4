"""Reads and writes of every memory, in words and in bits, from the words that cross its links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwsim.cost.problem import Problem
from hwsim.cost.traffic import Array, Flow
from hwsim.operators.nest import Operand


@dataclass(frozen=True)
class Access:
    """What one memory does for one operand over a whole layer.

    Args:
        level: index of the level.
        memory: name of the memory.
        reads, writes: [words].
        read_bits, write_bits: [bits]; a finished output moves at its own width, a partial sum at the accumulator's.
    """

    level: int
    memory: str
    operand: Operand
    reads: Array
    writes: Array
    read_bits: Array
    write_bits: Array


def accesses(problem: Problem, flows: Sequence[Flow]) -> tuple[Access, ...]:
    """Sum the links of every memory.

    Args:
        flows: words across each link, as `hwsim.cost.traffic.flows` counts them.

    Returns:
        One record for each level and operand it keeps, outermost level first; arrays of the flows' shape.
    """
    sums: dict[tuple[int, Operand], list[Array]] = {}

    def add(level: int, flow: Flow, reads: Array, writes: Array, finished_reads: Array, finished_writes: Array) -> None:
        bits = problem.stored_bits(flow.operand)
        more = [reads, writes, _plus(reads * bits, finished_reads), _plus(writes * bits, finished_writes)]
        before = sums.setdefault((level, flow.operand), [0, 0, 0, 0])
        sums[level, flow.operand] = [_plus(a, b) for a, b in zip(before, more, strict=True)]

    for flow in flows:
        # Finished outputs move at their own width, partial sums at the accumulator's.
        finished = flow.finished * (problem.precision.output_bits - problem.stored_bits(flow.operand))
        add(flow.parent, flow, flow.down_reads, flow.up_writes, 0, finished)
        if flow.child is not None:
            add(flow.child, flow, flow.up_reads, flow.down_writes, finished, 0)
    return tuple(
        Access(level, problem.memory(level, operand).name, operand, *amounts)
        for (level, operand), amounts in sorted(sums.items(), key=lambda item: item[0][0])
    )


def _plus(a: Array, b: Array) -> Array:
    """Sum that leaves a large array alone where nothing is added to it."""
    if isinstance(a, int) and a == 0:
        return b
    return a if isinstance(b, int) and b == 0 else a + b
