"""Cycles of a layer from its compute steps and its accesses.

overlapped  max(compute, bits of every memory / its bandwidth)
in series   transfers of single-buffered memories, the first wave of operands down, the last wave of results up
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.cost.access import Access, accesses
from hwsim.cost.problem import Problem
from hwsim.cost.traffic import Array, NestArrays, PricedLoop, flows, footprint
from hwsim.operators.nest import DIMENSIONS, Operand
from hwsim.spec.hardware import Memory


@dataclass(frozen=True)
class Cycles:
    """Time of a layer [cycles], arrays of the loops' broadcast shape.

    Args:
        total: what the layer takes.
        compute: of the datapath alone.
        memories: of each memory's port alone, by name; without the single-buffered ones, which are in `series`.
        series: what overlaps with nothing.
    """

    total: Array
    compute: Array
    memories: dict[str, Array]
    series: Array


def compute_cycles(problem: Problem, nest: NestArrays) -> Array:
    """Cycles of the datapath: lock-step iterations / rate, DoReFa's correction and systolic skew included."""
    steps: Array = nest.steps(len(problem.levels)) / problem.mode.rate
    if problem.corrected:
        steps = steps * (1 + 1 / problem.nest.K)
    if problem.hardware.systolic:
        steps = steps + folds(problem, nest) * skew(problem)
    return steps


def skew(problem: Problem) -> int:
    """Cycles lost per fold of a systolic array: its diagonal, and a pass down the rows to load what stays still."""
    axes = [axis.size for level in problem.hardware.levels for axis in level.fanout]
    loads = not problem.levels[-1].keeps <= {Operand.OUTPUTS}
    return sum(axes) - len(axes) + (axes[0] if loads and axes else 0)


def folds(problem: Problem, nest: NestArrays) -> Array:
    """Times that the innermost level's tile changes, one instance's view."""
    last = len(problem.levels) - 1
    one = nest.seen_by_one(last)
    count: Array = 0
    for flow in flows(problem, one):
        if flow.child == last:
            words = flow.up_reads if flow.operand is Operand.OUTPUTS else flow.down_writes
            count = np.maximum(count, words / footprint(nest.tile(last), flow.operand, problem))
    return count


def cycles(
    problem: Problem,
    loops: tuple[PricedLoop, ...],
    bypass: tuple[tuple[Operand, ...], ...] = (),
    done: tuple[Access, ...] | None = None,
) -> Cycles:
    """Time of a mapped layer.

    Args:
        loops: the mapping, outermost loop first; bounds of any broadcastable shapes.
        bypass: for each level, operands that it does not keep in this mapping.
        done: accesses of the whole chip, where they are known already.
    """
    nest = NestArrays.of(loops, dict(zip(DIMENSIONS, problem.nest.sizes, strict=True)))
    compute = compute_cycles(problem, nest)
    memories: dict[str, Array] = {}
    series: Array = 0
    seen: dict[int, tuple[Access, ...]] = {} if done is None else {0: done}
    for index, level in enumerate(problem.levels):
        for memory in level.memories:
            if memory.bandwidth is None and memory.read_bandwidth is None and memory.write_bandwidth is None:
                continue
            unrolled = sum(problem.levels[k].instances_below > 1 for k in range(index))
            if unrolled not in seen:
                one = nest.seen_by_one(index) if unrolled else nest
                seen[unrolled] = accesses(problem, flows(problem, one, bypass))
            mine = [access for access in seen[unrolled] if access.level == index and access.memory == memory.name]
            busy = port_cycles(problem, index, mine)
            if memory.buffering == "single" and index > 0:
                series = series + busy
            else:
                memories[memory.name] = busy
    if problem.hardware.fill_and_drain:
        series = series + _first_and_last_wave(problem, nest, bypass)
    total = compute
    for busy in memories.values():
        total = np.maximum(total, busy)
    return Cycles(total + series, compute, memories, series)


def port_cycles(problem: Problem, level: int, accesses: Sequence[Access]) -> Array:
    """Cycles that the ports of one memory are busy with these accesses."""
    if not accesses:
        return 0
    read: Array = sum((access.read_bits for access in accesses), start=0)
    written: Array = sum((access.write_bits for access in accesses), start=0)
    return busy_cycles(problem.memory(level, accesses[0].operand), problem.hardware.clock, read, written)


def busy_cycles(memory: Memory, clock: float, read: Array, written: Array) -> Array:
    """Cycles that the ports of a memory take to read and write so many bits."""
    if memory.bandwidth is not None:
        return (read + written) / (8 * memory.bandwidth.bytes_per_cycle(clock))
    busy: Array = 0
    for bits, bandwidth in ((read, memory.read_bandwidth), (written, memory.write_bandwidth)):
        if bandwidth is not None:
            busy = np.maximum(busy, bits / (8 * bandwidth.bytes_per_cycle(clock)))
    return busy


def _first_and_last_wave(problem: Problem, nest: NestArrays, bypass: tuple[tuple[Operand, ...], ...]) -> Array:
    """Cycles before the first multiply and after the last: one innermost tile for every instance, level by level."""
    last = len(problem.levels) - 1
    total: Array = 0
    for operand in Operand:
        chain = problem.keepers(operand, bypass)
        for parent in chain[:-1]:
            tile: dict[str, Array] = dict.fromkeys(DIMENSIONS, 1)
            for loop in nest.loops:
                if loop.level >= last or (loop.axis is not None and loop.level >= parent):
                    tile[loop.dim] = tile[loop.dim] * loop.bound
            tile = {dim: np.minimum(extent, nest.sizes[dim]) for dim, extent in tile.items()}
            memory = problem.memory(parent, operand)
            port = memory.bandwidth or (memory.write_bandwidth if operand is Operand.OUTPUTS else memory.read_bandwidth)
            if port is None:
                continue
            width = problem.precision.output_bits if operand is Operand.OUTPUTS else problem.stored_bits(operand)
            words = footprint(tile, operand, problem)
            total = total + words * width / (8 * port.bytes_per_cycle(problem.hardware.clock))
    return total
