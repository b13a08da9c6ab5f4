"""The cost of every layer of a network, those included that are not mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import Stream, fused, streamed
from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.solve import Task
from hwsim.ensemble.stay import STREAMED, Stay, seen
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Layer, Network

#: Mode of layers that only rename elements.
VIEW = "view"


def layer_costs(
    network: Network,
    hardware: Hardware,
    bits: Precisions,
    named: Mapping[str, Task],
    solved: Mapping[Task, LayerCost],
    stays: Mapping[str, Stay] | None = None,
) -> tuple[LayerCost, ...]:
    """Cost of every layer, in order of execution; what costs nothing is there too.

    Args:
        named: tasks of the multiply-accumulate layers; solved: their solutions.
        stays: what stays on the chip, by layer; nothing of those not named.
    """
    costs = []
    for layer in network.layers:
        stay, task = (stays or {}).get(layer.name, STREAMED), named.get(layer.name)
        multiplied = replace(solved[task], problem=task.problem) if task else None
        costs.append(layer_cost(layer, hardware, bits, multiplied, stay))
    return tuple(costs)


def layer_cost(
    layer: Layer, hardware: Hardware, bits: Precisions, multiplied: LayerCost | None, stay: Stay = STREAMED
) -> LayerCost:
    """Cost of one layer.

    Args:
        multiplied: its bare loop nest, mapped; None where nothing is multiplied.
        stay: what of it stays on the chip.
    """
    if multiplied is not None:
        return _multiplied(layer, hardware, bits, multiplied, stay)
    if layer.operator.view:
        return _view(layer, bits.layers[layer.name].activations)
    return _streamed(layer, seen(hardware, stay), bits, stay)


def operand_streams(layer: Layer, bits: Precisions, stay: Stay = STREAMED) -> list[tuple[str, Stream]]:
    """What a layer that multiplies nothing reads, with the names that it has for it, as it is stored."""
    read = zip(layer.inputs, layer.operator.inputs, strict=True)
    return [(source, Stream(words, bits.tensors[source], source in stay.inputs)) for source, words in read]


def parameter_stream(layer: Layer, bits: Precisions, stay: Stay = STREAMED) -> Stream:
    """Stored parameters that one pass of a layer reads; of one that multiplies, without its weights."""
    if layer.nest is not None:
        own = layer.parameters
        return Stream(own.biases + own.norms, bits.full, stay.parameters)
    words = sum(part.parameters_read for part in (layer.operator, *layer.fused))
    return Stream(words, bits.full, stay.parameters)


def _multiplied(layer: Layer, hardware: Hardware, bits: Precisions, cost: LayerCost, stay: Stay) -> LayerCost:
    operations = layer.operations - layer.operator.operations
    whole = fused(cost, hardware, operations, parameter_stream(layer, bits, stay))
    return whole.named(layer.name, layer.operator.label, layer.operator.shape)


def _streamed(layer: Layer, hardware: Hardware, bits: Precisions, stay: Stay) -> LayerCost:
    parameters = parameter_stream(layer, bits, stay)
    return streamed(
        hardware,
        layer.operations,
        [stream for _, stream in operand_streams(layer, bits, stay)],
        Stream(layer.output_elements, bits.layers[layer.name].output, stay.output),
        parameters if parameters.words else None,
    ).named(layer.name, layer.operator.label, layer.operator.shape)


def _view(layer: Layer, activation_bits: int) -> LayerCost:
    """A layer that only renames elements."""
    return LayerCost(
        name=layer.name,
        operator=layer.operator.label,
        shape=layer.operator.shape,
        weight_bits=0,
        activation_bits=activation_bits,
        mode=VIEW,
        macs=0,
        cycles=0.0,
        seconds=0.0,
        bound="nothing",
        utilization=0.0,
        dram_bytes=0.0,
        energy={},
    )
