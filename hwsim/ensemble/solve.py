"""The layers to be mapped: each distinct one is mapped once, however often a network or an ensemble has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from hwsim.cost.layer import LayerCost
from hwsim.cost.problem import Problem, problem
from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.stay import STREAMED, Stay, seen
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Layer, Network


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


@runtime_checkable
class FamilyMapper(Mapper, Protocol):
    """A mapper that can also map many problems of one nest together, faster: see `hwsim.mapper.family.map_family`."""

    def together(
        self, problems: Sequence[Problem], *, objective: Objective = "latency", effort: float = EFFORT
    ) -> list[LayerCost | Infeasible]: ...


#: Called with the number of tasks done and their total.
Progress = Callable[[int, int], None]


def tasks(
    network: Network, hardware: Hardware, bits: Precisions, stays: Mapping[str, Stay] | None = None
) -> dict[str, Task]:
    """The task of every multiply-accumulate layer, by name.

    Args:
        stays: what stays on the chip, by layer; nothing of those not named.
    """
    return {
        layer.name: task(layer, hardware, bits, (stays or {}).get(layer.name, STREAMED)) for layer in network.mac_layers
    }


def task(layer: Layer, hardware: Hardware, bits: Precisions, stay: Stay = STREAMED) -> Task:
    """The task of one multiply-accumulate layer, while so much stays on the chip."""
    nest, widths = layer.nest, bits.layers[layer.name]
    assert nest is not None, f"{layer.name} multiplies nothing"
    on_chip = resident(layer, stay)
    return Task(nest, seen(hardware, stay), widths.weights, widths.activations, widths.output, on_chip)


def resident(layer: Layer, stay: Stay) -> frozenset[Operand]:
    """Operands of a multiply-accumulate layer that stay on the chip. A product of two activations has no stored
    weights: its second operand takes their place."""
    found = {operand for operand, source in operands(layer).items() if source in stay.inputs}
    if stay.parameters and layer.parameters.weights:
        found.add(Operand.WEIGHTS)
    if stay.output:
        found.add(Operand.OUTPUTS)
    return frozenset(found)


def operands(layer: Layer) -> dict[Operand, str]:
    """The tensor that a multiply-accumulate layer reads as each operand, by the name that the layer has for it."""
    return dict(zip((Operand.INPUTS, Operand.WEIGHTS), layer.inputs, strict=False))


def solve(
    wanted: Iterable[Mapping[str, Task]],
    mapper: Mapper,
    objective: Objective,
    effort: float,
    progress: Progress | None = None,
    known: Mapping[Task, LayerCost] | None = None,
    failures: dict[Task, Infeasible] | None = None,
) -> dict[Task, LayerCost]:
    """Map every distinct task.

    Args:
        wanted: tasks by the name of the layer, which a failure is blamed on.
        known: tasks that were solved before.
        failures: where given, tasks without a mapping are noted here, and left out of what is returned.

    Returns:
        Solutions of the tasks wanted and known.

    Raises:
        Infeasible: a layer has no mapping, and `failures` is not given; names it.
    """
    names: dict[Task, str] = {}
    for named in wanted:
        for name, task in named.items():
            names.setdefault(task, name)
    solved = dict(known or {})
    total = len(names.keys() | solved.keys())
    for task, name in names.items():
        if task in solved or (failures is not None and task in failures):
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
            if failures is None:
                raise Infeasible(f"layer {name}: {error.message}", error.level, error.constraint) from None
            failures[task] = error
    if progress:
        progress(len(solved), total)
    return solved
