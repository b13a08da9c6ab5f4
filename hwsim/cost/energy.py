"""Energy of a layer: accesses, multiplies and leakage [J]."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.cost.access import Access
from hwsim.cost.problem import Problem
from hwsim.cost.traffic import Array
from hwsim.spec.hardware import Hardware


def access_energy(problem: Problem, accesses: Sequence[Access]) -> dict[str, Array]:
    """Energy of every memory's reads and writes [J], by memory."""
    result: dict[str, Array] = {}
    for access in accesses:
        energy = problem.memory(access.level, access.operand).energy
        spent = access.read_bits * energy.read + access.write_bits * energy.write
        result[access.memory] = result.get(access.memory, 0) + spent
    return result


def mac_energy(problem: Problem) -> float:
    """Energy of the multiply-accumulates in the mode that runs them [J], DoReFa's correction included."""
    correction = problem.nest.macs / problem.nest.K if problem.corrected else 0.0
    return (problem.nest.macs + correction) * problem.mode.energy


def leakage_power(problem: Problem) -> float:
    """Static power of the whole chip [W]."""
    return static_power(problem.hardware)


def static_power(hardware: Hardware) -> float:
    """Leakage of every instance of every memory and of everything outside them [W]."""
    memories = sum(
        memory.leakage * hardware.instances(index)
        for index, level in enumerate(hardware.levels)
        for memory in level.memories
    )
    return hardware.leakage + memories
