"""Mapping the layers of many networks on many chips, each distinct one once.

Two chips whose memories, arrays and clocks are the same have the same best mappings, whatever they are called and
whatever starting a layer or changing the mode takes: what was found for the one is stated anew for the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from hwsim.cost.energy import leakage_power
from hwsim.cost.layer import LayerCost
from hwsim.cost.problem import Problem
from hwsim.cost.streamed import SERIAL
from hwsim.ensemble.solve import FamilyMapper, Mapper, Task
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Hardware, Level

#: A layer mapped, or why it cannot be.
Answer = LayerCost | Infeasible


def solve_layers(
    tasks: Iterable[Task], mapper: Mapper, *, objective: Objective = "latency", effort: float = EFFORT
) -> dict[Task, Answer]:
    """Map every distinct task; what has no mapping has its reason in place of a cost.

    Args:
        mapper: a `FamilyMapper` maps the layers of one nest together.
    """
    anatomies: dict[Hardware, Hashable] = {}
    asked: dict[Hashable, list[tuple[Task, Problem]]] = {}
    answers: dict[Task, Answer] = {}
    for task in dict.fromkeys(tasks):
        try:
            stated = task.problem
        except Infeasible as error:
            answers[task] = error
            continue
        if task.hardware not in anatomies:
            anatomies[task.hardware] = _anatomy(task.hardware)
        launch = task.hardware.launch if objective == "edp" else 0.0  # elsewhere every mapping pays the same
        asked.setdefault((anatomies[task.hardware], _layer(stated), launch), []).append((task, stated))
    firsts = _all_mapped([alike[0] for alike in asked.values()], mapper, objective, effort)
    for alike, first in zip(asked.values(), firsts, strict=True):
        for task, stated in alike:
            answers[task] = first if isinstance(first, Infeasible) else restated(first, stated)
    return answers


def _all_mapped(asked: list[tuple[Task, Problem]], mapper: Mapper, objective: Objective, effort: float) -> list[Answer]:
    """Layers of one nest together, where the mapper can."""
    if not isinstance(mapper, FamilyMapper):
        return [_mapped(task, mapper, objective, effort) for task, _ in asked]
    nests: dict[LoopNest, list[int]] = {}
    for number, (task, _) in enumerate(asked):
        nests.setdefault(task.nest, []).append(number)
    answers: dict[int, Answer] = {}
    for numbers in nests.values():
        family = [asked[number][1] for number in numbers]
        answers |= dict(zip(numbers, mapper.together(family, objective=objective, effort=effort), strict=True))
    return [answers[number] for number in range(len(asked))]


def _mapped(task: Task, mapper: Mapper, objective: Objective, effort: float) -> Answer:
    widths = task.weight_bits, task.activation_bits, task.output_bits
    try:
        return mapper(task.nest, task.hardware, *widths, objective=objective, effort=effort, resident=task.resident)
    except Infeasible as error:
        return error


def restated(cost: LayerCost, problem: Problem) -> LayerCost:
    """The same mapping on a chip that starts layers faster or slower, or differs in what mappings have no part in."""
    if cost.problem is not None and cost.problem.hardware is problem.hardware:
        return replace(cost, problem=problem)
    hardware = problem.hardware
    busy = {**cost.busy, "launch": hardware.launch * hardware.clock}
    cycles = max(own for part, own in busy.items() if part not in SERIAL) + sum(busy[part] for part in SERIAL)
    seconds = cycles / hardware.clock
    return replace(
        cost,
        cycles=cycles,
        seconds=seconds,
        bound=max(busy, key=lambda part: busy[part]),
        utilization=problem.nest.macs / (cycles * problem.peak),
        energy={**cost.energy, "leakage": leakage_power(problem) * seconds},
        mode=problem.mode.name,
        busy=busy,
        problem=problem,
    )


def _anatomy(hardware: Hardware) -> Hashable:
    """All of a chip that decides which mappings there are and what they cost, apart from the datapath's modes."""
    levels = tuple(map(_without_areas, hardware.levels))
    return levels, hardware.clock, hardware.leakage, hardware.fill_and_drain, hardware.systolic


def _without_areas(level: Level) -> Level:
    if all(memory.area is None for memory in level.memories):
        return level
    memories = tuple(memory.model_copy(update={"area": None}) for memory in level.memories)
    return level.model_copy(update={"memories": memories})


def _layer(problem: Problem) -> Hashable:
    """What is computed, and all of the datapath's mode that matters to it."""
    mode = problem.mode
    return (
        problem.nest,
        problem.precision,
        problem.stored_bits(Operand.OUTPUTS),
        problem.corrected,
        problem.resident,
        (mode.rate, mode.lanes, mode.lane_dims, mode.energy),
    )
