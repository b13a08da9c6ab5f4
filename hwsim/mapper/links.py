"""Prices of the words that cross each link of the memory hierarchy: energy, and time at the ports they pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from hwsim.cost.problem import Problem
from hwsim.mapper.arrays import Floats
from hwsim.mapper.mapspace import Mapspace
from hwsim.operators.nest import REDUCTION, RELEVANT, Operand


@dataclass(frozen=True)
class Port:
    """A memory's port, all instances together.

    Args:
        ways: "read", "write" or both.
        serial: whether its time adds to the layer's instead of overlapping with it: a single-buffered memory.
    """

    level: int
    memory: str
    ways: tuple[str, ...]
    cycles_per_bit: float
    serial: bool


@dataclass(frozen=True)
class Price:
    """What one word costs: energy [J] and busy time at each port [cycles]."""

    energy: float
    ports: tuple[float, ...]

    def times(self, factor: float) -> Price:
        """The price of so many."""
        return Price(self.energy * factor, tuple(cycles * factor for cycles in self.ports))

    def plus(self, other: Price) -> Price:
        """The price of both."""
        return Price(self.energy + other.energy, tuple(a + b for a, b in zip(self.ports, other.ports, strict=True)))


@dataclass(frozen=True)
class Link:
    """One operand between two neighbouring keepers, priced by word.

    Args:
        child: level index of the keeper below; None for the datapath.
        above: a word on the parent's side; below: on the child's side, every instance.
        start: outputs whose first visit reads nothing back; infinite where that depends on the mapping.
        share: instances that one word on the parent's side can serve at most.
        group: instances between the two that can use one word, or add to one sum, at most.
    """

    operand: Operand
    parent: int
    child: int | None
    above: Price
    below: Price
    start: float
    share: int
    group: int


def ports(problem: Problem) -> tuple[Port, ...]:
    """Ports that take time."""
    found: list[Port] = []
    for index, level in enumerate(problem.levels):
        for memory in level.memories:
            serial = memory.buffering == "single" and index > 0
            for ways, bandwidth in (
                (("read", "write"), memory.bandwidth),
                (("read",), memory.read_bandwidth),
                (("write",), memory.write_bandwidth),
            ):
                if bandwidth is not None:
                    rate = 8 * bandwidth.bytes_per_cycle(problem.hardware.clock) * problem.instances(index)
                    found.append(Port(index, memory.name, ways, 1 / rate, serial))
    return tuple(found)


def links(space: Mapspace, limits: tuple[Port, ...]) -> tuple[list[Link], Price]:
    """Links of every operand's chain of keepers, and what all mappings pay alike.

    Args:
        limits: ports whose time is counted.
    """
    problem = space.problem
    result: list[Link] = []
    fixed = Price(0.0, (0.0,) * len(limits))
    for operand in Operand:
        chain = problem.keepers(operand, space.bypass)
        bits = problem.stored_bits(operand)
        for parent, child in zip(chain, (*chain[1:], None), strict=True):
            reads, writes = (_bit(problem, limits, parent, operand, way) for way in ("read", "write"))
            down, up = (_bit(problem, limits, child, operand, way) for way in ("write", "read"))
            start = 0.0
            if operand is not Operand.OUTPUTS:
                above, below = reads.times(bits), down.times(bits)
            else:
                # A parent takes every sum in and gives all but the first back; a child's own reads and writes come to
                # one of each per sum that is read back (see `hwsim.cost.traffic.flows`).
                above, below = reads.plus(writes).times(bits), down.plus(up).times(bits)
                words = problem.nest.elements(operand)
                start = float("inf") if _sums_split_above(space, parent) else float(words)
                if parent == chain[0]:
                    fixed = fixed.plus(reads.times(-bits * words))
                if child is not None:
                    narrower = (problem.precision.output_bits - bits) * words
                    fixed = fixed.plus(writes.times(narrower)).plus(up.times(narrower))
                    # An instance that holds part of every sum hands up as many words as one that holds it all.
                    more = up.times(narrower * (_widest_split(space, child) - 1))
                    fixed = fixed.plus(Price(0.0, more.ports))
            share, group = (_widest_share(space, operand, parent, child, able) for able in (True, False))
            result.append(Link(operand, parent, child, above, below, start, share, group))
    return result, fixed


def series_time(limits: Sequence[Port], cycles: Sequence[Floats]) -> Floats:
    """Least time that single-buffered memories add [cycles]. Reads and writes of one memory go side by side: its time
    is at least their mean, which unlike their maximum may be bounded in parts.

    Args:
        cycles: of every port, arrays of broadcastable shapes.
    """
    total: Floats = np.zeros(1)
    for port, busy in zip(limits, cycles, strict=True):
        if port.serial:
            total = total + busy * (len(port.ways) / 2)
    return total


def wave_prices(problem: Problem, operand: Operand, parents: Sequence[int]) -> float:
    """Time for one word of an operand to pass the ports of some levels, down or (outputs) up [cycles]."""
    up = operand is Operand.OUTPUTS
    total = 0.0
    for level in parents:
        memory = problem.memory(level, operand)
        port = memory.bandwidth or (memory.write_bandwidth if up else memory.read_bandwidth)
        if port is not None:
            bits = problem.precision.output_bits if up else problem.stored_bits(operand)
            total += bits / (8 * port.bytes_per_cycle(problem.hardware.clock))
    return total


def _bit(problem: Problem, limits: tuple[Port, ...], level: int | None, operand: Operand, way: str) -> Price:
    """One bit into or out of a level's memory."""
    if level is None:
        return Price(0.0, (0.0,) * len(limits))
    memory = problem.memory(level, operand)
    return Price(
        memory.energy.read if way == "read" else memory.energy.write,
        tuple(
            port.cycles_per_bit if (port.level, port.memory) == (level, memory.name) and way in port.ways else 0.0
            for port in limits
        ),
    )


def _sums_split_above(space: Mapspace, level: int) -> bool:
    """Whether instances of a level may hold different parts of one sum."""
    return _widest_split(space, level) > 1


def _widest_split(space: Mapspace, level: int) -> int:
    """Instances of a level that may hold parts of one sum, at most."""
    return prod(
        axis.size
        for above in space.problem.levels[:level]
        for axis in above.fanout
        if set(axis.dims) & REDUCTION & set(space.dims)
    )


def _widest_share(space: Mapspace, operand: Operand, parent: int, child: int | None, able: bool) -> int:
    """Instances between two levels that need one word.

    Args:
        able: count only axes that multicast it (outputs: add it up).
    """
    missing = {dim for dim in space.dims if dim not in RELEVANT[operand]}
    between = space.problem.levels[parent : len(space.problem.levels) if child is None else child]
    return prod(
        axis.size
        for level in between
        for axis in level.fanout
        if missing & set(axis.dims) and (not able or (axis.reduction if operand is Operand.OUTPUTS else axis.multicast))
    )
