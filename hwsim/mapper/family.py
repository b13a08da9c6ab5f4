"""Many problems that share a loop nest: the same layer at other widths, on other chips.

Two facts spare most of the searching. A mapping that is best for one problem is a good one, and often the best, for its
neighbours. And a problem that is easier than another in every respect (narrower words, larger memories, faster ports)
costs no more with any mapping, and allows every mapping that the other allows, so that its optimum bounds the other's
from below. Where a neighbour's mapping attains that bound, it is the optimum, proven without a search; elsewhere the
search starts from it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hwsim.cost.energy import leakage_power
from hwsim.cost.layer import Certificate, LayerCost, check, price_problem
from hwsim.cost.problem import Problem
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective, map_layer, optimum
from hwsim.mapper.arrays import Floats
from hwsim.mapper.exact import Found
from hwsim.mapper.mapspace import mapspaces, space_size
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Memory

#: Relative difference within which two values are one.
SAME = 1e-12

#: Neighbours whose mappings are tried, on either side.
TRIED = 2


def map_family(
    problems: Sequence[Problem], *, objective: Objective = "latency", effort: float = EFFORT
) -> list[LayerCost | Infeasible]:
    """The best mapping of every problem, as `hwsim.mapper.map_layer` finds them one by one.

    Among mappings that tie in the objective it may choose another.

    Args:
        effort: see `map_layer`.

    Returns:
        In the order of the problems; where a problem has no mapping, why.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, problem in enumerate(problems):
        groups.setdefault(kind(problem), []).append(number)
    answers: dict[int, LayerCost | Infeasible] = {}
    for numbers in groups.values():
        mine = [problems[number] for number in numbers]
        answers |= dict(zip(numbers, _solved(mine, objective, effort), strict=True))
    return [answers[number] for number in range(len(problems))]


class Families:
    """A mapper of layers, one by one as `map_layer`, that can also map a family together."""

    __call__ = staticmethod(map_layer)
    together = staticmethod(map_family)


@dataclass
class _Known:
    """Optima found so far.

    Args:
        hardness: of each problem solved; values: of the objective at its optimum, a lower bound where none is proven.
        places: of the problems solved in the order of hardness, with their mappings.
    """

    hardness: list[Floats] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    places: dict[int, Mapping] = field(default_factory=dict)

    def bound(self, hardness: Floats) -> float:
        """Lower bound from everything that is no harder."""
        if not self.values:
            return 0.0
        easier = (np.array(self.hardness) <= hardness).all(axis=1)
        return float(np.max(self.values, where=easier, initial=0.0))

    def near(self, place: int) -> list[Mapping]:
        """Mappings of the closest problems on either side, without repetition."""
        below = sorted((known for known in self.places if known < place), reverse=True)[:TRIED]
        above = sorted(known for known in self.places if known > place)[:TRIED]
        return list(dict.fromkeys(self.places[known] for known in (*above, *below)))


def _solved(problems: list[Problem], objective: Objective, effort: float) -> list[LayerCost | Infeasible]:
    """Problems of one kind, easiest and hardest first and then those between."""
    hard = np.array([hardness(problem, objective) for problem in problems])
    ranks = np.stack([np.unique(column, return_inverse=True)[1].ravel() for column in hard.T])
    order = np.argsort(ranks.sum(axis=0), kind="stable")
    known = _Known()
    answers: dict[int, LayerCost | Infeasible] = {}
    for place in _ends_first(len(problems)):
        number = int(order[place])
        bound = known.bound(hard[number])
        answer = _answer(problems[number], bound, known.near(place), objective, effort)
        answers[number] = answer
        if isinstance(answer, LayerCost):
            assert answer.certificate is not None
            assert answer.mapping is not None
            known.places[place] = answer.mapping
            known.hardness.append(hard[number])
            known.values.append(answer.certificate.lower_bound)
        else:  # and so is everything harder
            known.hardness.append(hard[number])
            known.values.append(float("inf"))
    return [answers[number] for number in range(len(problems))]


def _answer(
    problem: Problem, bound: float, tried: list[Mapping], objective: Objective, effort: float
) -> LayerCost | Infeasible:
    """The best of the mappings tried where it attains the bound, else the outcome of a search that starts from it."""
    found = Found(floor=bound)
    best: LayerCost | None = None
    if bound < float("inf"):
        for mapping in tried:
            try:
                check(problem, mapping)
            except Infeasible:
                continue
            cost = price_problem(problem, mapping)
            value, accesses = _value(cost, objective), _access_energy(cost)
            found.priced += 1
            if (value, accesses) < (found.value, found.energy):
                best, found.value, found.energy, found.mapping = cost, value, accesses, mapping
    if best is not None and found.value <= bound * (1 + SAME):
        space = space_size(mapspaces(problem))
        return replace(best, certificate=Certificate(space, found.priced, True, found.value, 0.0))
    found.warm = best is not None
    try:
        return optimum(problem, objective, effort, found)
    except Infeasible as error:
        return error


def _ends_first(count: int) -> Iterator[int]:
    """Places 0 to count - 1: both ends, then the middle of every stretch between two that have been named."""
    stretches = [(0, count - 1)] if count else []
    yield from dict.fromkeys((0, count - 1) if count else ())
    while stretches:
        following = []
        for low, high in stretches:
            if high - low > 1:
                middle = (low + high) // 2
                yield middle
                following += [(low, middle), (middle, high)]
        stretches = following


def _value(cost: LayerCost, objective: Objective) -> float:
    return {
        "latency": cost.cycles,
        "energy": cost.energy_joules,
        "edp": cost.cycles * cost.energy_joules,
    }[objective]


def _access_energy(cost: LayerCost) -> float:
    return sum(joules for part, joules in cost.energy.items() if part not in ("datapath", "leakage"))


# -- what makes a problem harder than another ------------------------------------------------------------------------


def kind(problem: Problem) -> Hashable:
    """What two problems must have in common for one to be harder than the other."""
    hardware = problem.hardware
    return (
        problem.nest,
        problem.resident,
        hardware.systolic,
        hardware.fill_and_drain,
        tuple(
            (
                level.name,
                level.loops,
                level.stationary,
                tuple(sorted(level.tile.items())),
                tuple(
                    # What a systolic array loses grows with its sides, so that a larger one is no easier.
                    (axis.name, axis.dims, axis.multicast, axis.reduction, axis.size if hardware.systolic else 0)
                    for axis in level.fanout
                ),
                tuple((memory.name, memory.keeps, memory.optional, memory.buffering) for memory in level.memories),
            )
            for level in problem.levels
        ),
    )


def hardness(problem: Problem, objective: Objective) -> list[float]:
    """Numbers none of which makes any mapping cheaper, or allows another one, by growing."""
    hardware, widths, mode = problem.hardware, problem.precision, problem.mode
    memories = [memory for level in problem.levels for memory in level.memories]
    numbers: list[Any] = [
        widths.weight_bits,
        widths.activation_bits,
        widths.output_bits,
        problem.stored_bits(Operand.OUTPUTS),
        1 / mode.rate,
        problem.corrected,
        hardware.launch * hardware.clock,
        *(-axis.size for level in problem.levels for axis in level.fanout),
        *(-(float("inf") if memory.size is None else memory.size) for memory in memories),
        *(seconds for memory in memories for seconds in _port(memory, hardware.clock)),
    ]
    if objective != "latency":
        numbers += [mode.energy, leakage_power(problem) / hardware.clock]
        numbers += [joules for memory in memories for joules in (memory.energy.read, memory.energy.write)]
    return [float(number) for number in numbers]


def _port(memory: Memory, clock: float) -> list[float]:
    """Cycles a byte: of reads, of writes, and of both where they share a port."""
    ports = (memory.read_bandwidth, memory.write_bandwidth, memory.bandwidth)
    return [0.0 if port is None else 1 / port.bytes_per_cycle(clock) for port in ports]
