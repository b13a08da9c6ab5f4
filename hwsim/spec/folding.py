"""What disappears into a neighbouring layer: batch norms, activation functions, transposes beside a loop nest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from hwsim.operators import Elementwise, Normalization, Operator, Rearrange
from hwsim.spec.network import Layer


def fold(layers: Sequence[Layer], results: Iterable[str] = ()) -> tuple[Layer, ...]:
    """Move batch norms and activation functions into the layer before them.

    A batch norm folds into a layer with weights that it directly follows. A function of one element fuses with
    whatever writes that element, unless the producer is a view or something else reads its result too. Functions may be
    written in several layers, as x * sigmoid(x).

    Args:
        layers: in topological order.
        results: layers whose outputs are wanted even if other layers read them.
    """
    results = set(results)
    layers = join_functions(absorb_transposes(layers), results)
    readers = _readers(layers)
    shared = {name for name, consumers in readers.items() if len(consumers) > 1} | results
    folded: dict[str, Layer] = {}
    stands_for: dict[str, str] = {}
    for layer in layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        host = folded.get(inputs[0]) if len(inputs) == 1 else None
        if host is not None and layer.inputs[0] not in shared and _accepts(host, layer.operator):
            folded[host.name] = replace(host, fused=(*host.fused, layer.operator, *layer.fused))
            stands_for[layer.name] = host.name
        else:
            folded[layer.name] = replace(layer, inputs=inputs)
    return tuple(folded.values())


def _accepts(host: Layer, operator: Operator) -> bool:
    if isinstance(operator, Normalization) and operator.folds:
        return not host.fused and host.nest is not None and host.operator.parameters.weights > 0
    return operator.fuses and not host.operator.view


def join_functions(layers: Sequence[Layer], results: Collection[str] = ()) -> tuple[Layer, ...]:
    """Put the parts of a function of one element in a row, so that they fuse.

    Two operands that both come from the same tensor, each by a chain of functions of one element that nothing else
    reads, need no memory between them: x * sigmoid(x) is as sigmoid followed by a multiplication.
    """
    count = Counter(name for layer in layers for name in layer.inputs)
    made: dict[str, Layer] = {}

    def chain(name: str) -> tuple[str, list[Layer]]:
        """The tensor that the functions before `name` begin with, and these functions."""
        layer = made.get(name)
        if layer is None or not layer.operator.fuses or count[name] > 1 or name in results:
            return name, []
        root, before = chain(layer.inputs[0])
        return root, [*before, layer]

    for layer in layers:
        operator = layer.operator
        made[layer.name] = layer
        if not isinstance(operator, Elementwise) or len(layer.inputs) != 2 or operator.constants:
            continue
        (root, first), (other, second) = map(chain, layer.inputs)
        if root != other or set(operator.inputs) != {operator.output_elements}:
            continue
        end = root
        for part in (*first, *second, replace(layer, operator=replace(operator, operands=()))):
            made.pop(part.name)
            made[part.name] = replace(part, inputs=(end,))
            end = part.name
        count[root] -= 1
    return tuple(made.values())


def absorb_transposes(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Turn a transpose into a view where the layer beside it can address its operand in the other order.

    A loop nest visits its operands in whatever order it likes. So a transpose moves nothing if only loop nests read it,
    or if a loop nest makes what it alone reads; views between them change nothing.
    """
    readers = _readers(layers)
    made_by = {layer.name: layer for layer in layers}

    def consumers(layer: Layer) -> Iterator[Layer]:
        for reader in readers[layer.name]:
            if reader.operator.view:
                yield from consumers(reader)
            else:
                yield reader

    def written_by_nest(layer: Layer) -> bool:
        producer = made_by.get(layer.inputs[0])
        if producer is None or len(readers[producer.name]) > 1:
            return False
        if producer.operator.view and len(producer.inputs) == 1:
            return written_by_nest(producer)
        return producer.nest is not None

    def viewed(layer: Layer) -> Layer:
        operator = layer.operator
        if not isinstance(operator, Rearrange) or operator.kind != "transpose":
            return layer
        read_by = list(consumers(layer))
        read_by_nests = bool(read_by) and all(reader.nest is not None for reader in read_by)
        free = read_by_nests or written_by_nest(layer)
        return replace(layer, operator=replace(operator, kind="strided")) if free else layer

    return tuple(viewed(layer) for layer in layers)


def _readers(layers: Sequence[Layer]) -> dict[str, list[Layer]]:
    found: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        for name in layer.inputs:
            found[name].append(layer)
    return found
