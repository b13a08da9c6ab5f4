"""What could stay on the chip: stored parameters, tensors between layers, and network inputs that are read again.

* Parameters of a layer spare their reading in every inference, and take room all the time.
* A tensor between layers of one member spares its writing and all its readings, and takes room from the layer that
  makes it to the last that reads it. Tensors that a view joins stay together or not at all.
* A network input has to be read once. Whoever first reads it at the widest width that any needs leaves it on the chip,
  and spares all that come after their reading, of the same member or another, until the last has read it.

Something can stay where one memory is home to it for all who use it: a tensor that is written into one memory and read
from another would have to be moved in between. What is spared is what the mapped layers move where nothing stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hwsim.cost.layer import LayerCost
from hwsim.ensemble.layers import operand_streams, parameter_stream
from hwsim.ensemble.plan import Item, Span, Turn, Use
from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.solve import operands
from hwsim.ensemble.stay import Home, house
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Layer, Network


@dataclass(frozen=True)
class Member:
    """A network at its widths, with the cost of every layer while nothing stays on the chip."""

    network: Network
    bits: Precisions
    layers: tuple[LayerCost, ...]


def candidates(
    members: Sequence[Member], hardware: Hardware, timeline: Sequence[Turn], *, drawn: bool = False
) -> list[Item]:
    """Everything that could stay on the chip.

    Args:
        members: they share the chip and the network's inputs.
        timeline: every layer of every member, in order of execution.
        drawn: every inference runs one member, each as often as any other, so that they share no reading.
    """
    position = {turn: step for step, turn in enumerate(timeline)}
    if len(position) < len(timeline) or position.keys() != _turns(members):
        raise ValueError("a timeline has every layer of every member once")
    found: list[Item] = []
    inputs: dict[str, list[_Tensors]] = {}
    for index, member in enumerate(members):
        found += _parameters(index, member, hardware, len(timeline))
        for tensors in _groups(index, member):
            if tensors.outside:
                inputs.setdefault(" + ".join(sorted(tensors.stored)), []).append(tensors)
            elif item := _activations(index, tensors, hardware, position):
                found.append(item)
    for name, groups in inputs.items():
        for shared in [[own] for own in groups] if drawn else [groups]:
            if item := _input(name, shared, hardware, position):
                found.append(item)
    share = 1 / len(members) if drawn else 1.0
    return [_scaled(item, share) for item in found if item.saves > 0]


def serial(members: Sequence[Network]) -> tuple[Turn, ...]:
    """The timeline of members that run one after another."""
    return tuple((index, layer) for index, member in enumerate(members) for layer in range(len(member.layers)))


def _turns(members: Sequence[Member]) -> set[Turn]:
    return set(serial([member.network for member in members]))


def _scaled(item: Item, share: float) -> Item:
    return replace(item, uses=tuple(replace(use, saves=use.saves * share) for use in item.uses))


def moved(cost: LayerCost, operand: Operand) -> float:
    """What a layer moves of an operand to and from the outermost memory [B]."""
    own = [access for access in cost.traffic if access.level == 0 and access.operand is operand]
    return sum(float(access.read_bits + access.write_bits) for access in own) / 8


def _parameters(index: int, member: Member, hardware: Hardware, positions: int) -> Iterator[Item]:
    place = house(hardware, Operand.WEIGHTS)
    if place is None:
        return
    for number, (layer, cost) in enumerate(zip(member.network.layers, member.layers, strict=True)):
        own, widths = layer.parameters, member.bits.layers[layer.name]
        size = own.weights * widths.weights + (own.biases + own.norms) * member.bits.full
        stream = parameter_stream(layer, member.bits)
        # Of a product of two activations, which has no weights of its own, the operand in their place is not meant.
        spared = moved(cost, Operand.WEIGHTS) if own.weights else stream.words * stream.bits / 8
        if size and not layer.operator.view:
            use = Use((index, number), Operand.WEIGHTS, saves=spared)
            yield Item("weights", index, layer.name, place, (Span(0, positions - 1, size),), (use,))


@dataclass(frozen=True)
class _Tensors:
    """Stored tensors that some layer reads together, and everyone who makes or reads one of them.

    Args:
        stored: size of each [bits].
        makers: turn of whoever makes a tensor, by its name.
        uses: what all of them move.
        reads: stored tensors that each reader needs, by its turn.
        sized: room that a use takes as the kernels count it, padding included [bits].
    """

    stored: dict[str, int]
    makers: dict[str, Turn]
    uses: list[Use]
    reads: dict[Turn, set[str]]
    sized: int

    @property
    def outside(self) -> bool:
        """Whether they are network inputs."""
        return not self.makers


def _groups(index: int, member: Member) -> Iterator[_Tensors]:
    """Tensors of one member, by who reads them together; none that is a result, nor those joined with what is learned,
    nor inputs joined with others."""
    network, bits = member.network, member.bits
    shows: dict[str, frozenset[str]] = {source.name: frozenset({source.name}) for source in network.inputs}
    leader = {source.name: source.name for source in network.inputs}

    def leading(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    read: set[str] = set()
    for layer in network.layers:
        if layer.operator.view:
            shows[layer.name] = frozenset().union(*(shows[source] for source in layer.inputs))
            for other in shows[layer.name]:
                leader[leading(other)] = leading(min(shows[layer.name]))
        else:
            shows[layer.name] = frozenset({layer.name})
            leader[layer.name] = layer.name
        read |= set(layer.inputs)
    bound = [layer for layer in network.layers if layer.name not in read or _joins_parameters(layer)]
    outside = {name for layer in bound for name in shows[layer.name]}
    turns = {layer.name: (index, number) for number, layer in enumerate(network.layers)}
    for first in sorted(name for name in leader if leading(name) == name):
        names = [name for name in leader if leading(name) == first]
        makers = {name: turns[name] for name in names if name in turns}
        if outside.intersection(names) or (makers and len(makers) < len(names)):
            continue
        uses: list[Use] = []
        reads: dict[Turn, set[str]] = {}
        sized = 0
        for layer, cost in zip(network.layers, member.layers, strict=True):
            if layer.operator.view:
                continue
            turn = turns[layer.name]
            if layer.name in names:
                uses.append(Use(turn, Operand.OUTPUTS, saves=moved(cost, Operand.OUTPUTS)))
            for use, counted in _readings(layer, cost, bits, turn):
                if shows[use.source].intersection(names):
                    uses.append(use)
                    reads.setdefault(turn, set()).update(shows[use.source])
                    sized = max(sized, counted)
        if reads:
            stored = {name: network.tensors[name] * bits.tensors[name] for name in names}
            yield _Tensors(stored, makers, uses, reads, sized)


def _joins_parameters(layer: Layer) -> bool:
    own = layer.parameters
    return layer.operator.view and own.weights + own.biases + own.norms > 0


def _readings(layer: Layer, cost: LayerCost, bits: Precisions, turn: Turn) -> Iterator[tuple[Use, int]]:
    """What a layer reads, with its size as the kernels count it [bits]."""
    if layer.nest is None:
        for source, stream in operand_streams(layer, bits):
            yield Use(turn, Operand.INPUTS, source, stream.words * stream.bits / 8), 0
        return
    widths = bits.layers[layer.name]
    for operand, source in operands(layer).items():
        spared = moved(cost, operand)
        if operand is Operand.WEIGHTS:
            parameters = parameter_stream(layer, bits)
            spared -= parameters.words * parameters.bits / 8
        width = widths.weights if operand is Operand.WEIGHTS else widths.activations
        yield Use(turn, operand, source, spared), layer.nest.elements(operand) * width


def _place(uses: Sequence[Use], hardware: Hardware) -> Home | None:
    """The memory that is home to what all of them use."""
    places = {house(hardware, use.operand) for use in uses}
    return places.pop() if len(places) == 1 else None


def _activations(index: int, own: _Tensors, hardware: Hardware, position: dict[Turn, int]) -> Item | None:
    place = _place(own.uses, hardware)
    if place is None:
        return None
    spans = []
    for name, made in own.makers.items():
        last = max((position[turn] for turn, names in own.reads.items() if name in names), default=position[made])
        size = max(own.stored[name], own.sized) if len(own.makers) == 1 else own.stored[name]
        spans.append(Span(position[made], last, size))
    return Item("activations", index, " + ".join(own.makers), place, tuple(spans), tuple(own.uses))


def _input(name: str, groups: Sequence[_Tensors], hardware: Hardware, position: dict[Turn, int]) -> Item | None:
    """One input, read by one member or by several."""
    sizes = [max(sum(own.stored.values()), own.sized) for own in groups]
    size = max(sizes)
    # Members that need it narrower bring less than others need: it stays from the first on that reads it at full width.
    whole = [use for own, own_size in zip(groups, sizes, strict=True) for use in own.uses if own_size == size]
    first = min(position[use.turn] for use in whole)
    uses = sorted((use for own in groups for use in own.uses), key=lambda use: position[use.turn])
    uses = [use for use in uses if position[use.turn] >= first]
    place = _place(uses, hardware)
    if place is None:
        return None
    last = position[uses[-1].turn]
    brought = [replace(use, saves=0.0, brings=True) if position[use.turn] == first else use for use in uses]
    member = uses[0].turn[0] if len({use.turn[0] for use in uses}) == 1 else None
    return Item("input", member, name, place, (Span(first, last, size),), tuple(brought))
