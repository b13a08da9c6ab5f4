"""A network as the cost model sees it: layers in topological order, with what is folded into them already decided."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

from hwsim.operators import LoopNest, Operator, Parameters

if TYPE_CHECKING:
    from networkx import DiGraph


@dataclass(frozen=True)
class Input:
    """A tensor that comes from outside.

    Args:
        name: unique in the network, layers' names included.
        shape: of one sample.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Of one sample [elements]."""
        return prod(self.shape)


@dataclass(frozen=True)
class Layer:
    """An operator with what runs on its outputs before they are written.

    Args:
        name: unique in the network.
        operator: what is computed.
        fused: a folded batch norm and activation functions, in order: vector operations and parameters, no traffic.
        inputs: the layers or network inputs that each operand comes from.
    """

    name: str
    operator: Operator
    fused: tuple[Operator, ...] = ()
    inputs: tuple[str, ...] = ()

    @cached_property
    def nest(self) -> LoopNest | None:
        """The loop nest of a multiply-accumulate layer."""
        return self.operator.nest()

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.nest.macs if self.nest else 0

    @property
    def operations(self) -> int:
        """Vector operations, fused ones included."""
        return sum(operator.operations for operator in (self.operator, *self.fused))

    @property
    def parameters(self) -> Parameters:
        """Stored values, those of folded norms included."""
        return sum((operator.parameters for operator in (self.operator, *self.fused)), Parameters())

    @property
    def output_elements(self) -> int:
        """Size of the result [elements]."""
        return self.operator.output_elements


@dataclass(frozen=True)
class Network:
    """Layers in an order in which they can be executed.

    Args:
        name: of the network.
        inputs: tensors from outside.
        layers: every layer after the layers that it reads.

    Raises:
        ValueError: a name used twice, an input that no earlier layer makes, an operand of the wrong size.
    """

    name: str
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError(f"{self.name}: a network needs at least one layer")
        sizes = {source.name: source.elements * self.batch for source in self.inputs}
        if len(sizes) < len(self.inputs):
            raise ValueError(f"{self.name}: two inputs have the same name")
        for layer in self.layers:
            if layer.name in sizes:
                raise ValueError(f"{self.name}: {layer.name} is used twice")
            unknown = [name for name in layer.inputs if name not in sizes]
            if unknown:
                raise ValueError(f"{self.name}: {layer.name} reads {', '.join(unknown)}, which no earlier layer makes")
            made = tuple(sizes[name] for name in layer.inputs)
            if made != layer.operator.inputs:
                raise ValueError(f"{self.name}: {layer.name} reads {layer.operator.inputs} elements, but gets {made}")
            sizes[layer.name] = layer.output_elements

    @property
    def batch(self) -> int:
        """Samples computed at once."""
        return self.layers[0].operator.batch

    @property
    def input_elements(self) -> int:
        """Size of the inputs of the whole batch [elements]."""
        return self.batch * sum(source.elements for source in self.inputs)

    @property
    def output_elements(self) -> int:
        """Size of the results, which no layer reads [elements]."""
        read = {name for layer in self.layers for name in layer.inputs}
        return sum(layer.output_elements for layer in self.layers if layer.name not in read)

    @cached_property
    def mac_layers(self) -> tuple[Layer, ...]:
        """The layers that run on the datapath."""
        return tuple(layer for layer in self.layers if layer.nest is not None)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.macs for layer in self.layers)

    @cached_property
    def parameters(self) -> Parameters:
        """Stored values of all layers."""
        return sum((layer.parameters for layer in self.layers), Parameters())

    @property
    def weights(self) -> int:
        """Stored weights, without biases and norms [elements]."""
        return self.parameters.weights

    def layer(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            KeyError: there is none.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def with_batch(self, batch: int) -> Network:
        """The same network for another number of samples."""
        layers = []
        for layer in self.layers:
            fused = tuple(replace(operator, batch=batch) for operator in layer.fused)
            layers.append(replace(layer, operator=replace(layer.operator, batch=batch), fused=fused))
        return replace(self, layers=tuple(layers))

    @property
    def graph(self) -> DiGraph[str]:
        """Layers by name, each with its `Layer` as the attribute "layer"; edges from producer to consumer."""
        import networkx

        graph: DiGraph[str] = networkx.DiGraph(name=self.name)
        for layer in self.layers:
            graph.add_node(layer.name, layer=layer)
        graph.add_edges_from((name, layer.name) for layer in self.layers for name in layer.inputs if name in graph)
        return graph

    def fingerprint(self) -> str:
        """Short stable name of the content: equal for equal networks, on every machine."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @cached_property
    def tensors(self) -> dict[str, int]:
        """Size of every network input and layer's result, by name [elements]."""
        sizes = {source.name: source.elements * self.batch for source in self.inputs}
        return sizes | {layer.name: layer.output_elements for layer in self.layers}

    def lifetimes(self, order: Sequence[str] | None = None) -> dict[str, tuple[int, int]]:
        """First and last step at which each stored tensor is live.

        A tensor lives from the step that makes it to the last step that reads it; inputs live from the start, results
        to the end. During a step its operands and its result are live. A view owns no storage: it is left out, and
        whoever reads it keeps alive what it shows.

        Args:
            order: names of all layers in the order of execution; that of `layers` if not given.

        Raises:
            ValueError: `order` is not a topological order of the layers.
        """
        layers = {layer.name: layer for layer in self.layers}
        steps = tuple(layers) if order is None else tuple(order)
        if sorted(steps) != sorted(layers):
            raise ValueError(f"{self.name}: the order must name every layer once")
        shows = {source.name: {source.name} for source in self.inputs}  # the stored tensors that each consists of
        born = dict.fromkeys(shows, 0)
        dies = dict.fromkeys(shows, 0)
        for step, name in enumerate(steps):
            layer = layers[name]
            if any(source not in shows for source in layer.inputs):
                raise ValueError(f"{self.name}: {name} runs before a layer that it reads")
            stored = set().union(*(shows[source] for source in layer.inputs))
            if layer.operator.view:
                shows[name] = stored
            else:
                dies.update(dict.fromkeys((*stored, name), step))
                shows[name], born[name] = {name}, step
        read = {source for layer in self.layers for source in layer.inputs}
        for name in layers.keys() - read:
            dies.update(dict.fromkeys(shows[name], len(steps) - 1))
        return {name: (born[name], dies[name]) for name in born}

    def working_set_elements(self, order: Sequence[str] | None = None) -> int:
        """Peak of live activations [elements], by the rules and for the order of `lifetimes`."""
        return peak(self.lifetimes(order), self.tensors)


def peak(lifetimes: Mapping[str, tuple[int, int]], sizes: Mapping[str, int]) -> int:
    """Largest sum of the sizes of what is live in the same step, in the unit of the sizes."""
    change = [0] * (2 + max(last for _, last in lifetimes.values()))
    for name, (first, last) in lifetimes.items():
        change[first] += sizes[name]
        change[last + 1] -= sizes[name]
    return max(accumulate(change))
