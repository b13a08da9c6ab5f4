"""The layers to be mapped: each distinct one is mapped once, however often a network or an ensemble has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from hwsim.cost.layer import LayerCost
from hwsim.cost.problem import Problem, problem
from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.residency import beside
from hwsim.ensemble.storage import layer_bits
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Network


@dataclass(frozen=True)
class Task:
    """What a mapper is asked; equal tasks have equal answers."""

    nest: LoopNest
    hardware: Hardware
    weight_bits: int
    activation_bits: int
    output_bits: int
    resident: frozenset[Operand] = frozenset()

    @property
    def problem(self) -> Problem:
        """The task as the kernels take it."""
        widths = self.weight_bits, self.activation_bits, self.output_bits
        return problem(self.nest, self.hardware, *widths, resident=self.resident)


class Mapper(Protocol):
    """`hwsim.mapper.map_layer`, or what remembers its answers."""

    def __call__(
        self,
        nest: LoopNest,
        hardware: Hardware,
        weight_bits: int,
        activation_bits: int,
        output_bits: int | None = None,
        *,
        objective: Objective = "latency",
        effort: float = EFFORT,
        resident: Iterable[Operand] = (),
    ) -> LayerCost: ...


#: Called with the number of tasks done and their total.
Progress = Callable[[int, int], None]


def tasks(network: Network, hardware: Hardware, bits: Precisions, resident: int | None = None) -> dict[str, Task]:
    """The task of every multiply-accumulate layer, by name.

    Args:
        resident: size of all weights that stay on the chip [bits]; None where every inference reads them anew.
    """
    found: dict[str, Task] = {}
    for layer in network.mac_layers:
        nest, widths = layer.nest, bits.layers[layer.name]
        assert nest is not None
        own, seen = layer_bits(layer, bits), hardware
        keeps = frozenset({Operand.WEIGHTS} if resident is not None and own > 0 else ())
        if resident is not None:
            seen = beside(hardware, resident - own)
        found[layer.name] = Task(nest, seen, widths.weights, widths.activations, widths.output, keeps)
    return found


def solve(
    wanted: Iterable[Mapping[str, Task]],
    mapper: Mapper,
    objective: Objective,
    effort: float,
    progress: Progress | None = None,
    known: Mapping[Task, LayerCost] | None = None,
) -> dict[Task, LayerCost]:
    """Map every distinct task.

    Args:
        wanted: tasks by the name of the layer, which a failure is blamed on.
        known: tasks that were solved before.

    Returns:
        Solutions of the tasks wanted and known.

    Raises:
        Infeasible: a layer has no mapping; names it.
    """
    names: dict[Task, str] = {}
    for named in wanted:
        for name, task in named.items():
            names.setdefault(task, name)
    solved = dict(known or {})
    total = len(names.keys() | solved.keys())
    for task, name in names.items():
        if task in solved:
            continue
        if progress:
            progress(len(solved), total)
        try:
            solved[task] = mapper(
                task.nest,
                task.hardware,
                task.weight_bits,
                task.activation_bits,
                task.output_bits,
                objective=objective,
                effort=effort,
                resident=task.resident,
            )
        except Infeasible as error:
            raise Infeasible(f"layer {name}: {error.message}", error.level, error.constraint) from None
    if progress:
        progress(len(solved), total)
    return solved
