"""The cost of one network on one chip, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from hwsim.cost.energy import static_power
from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import Stream, fused, streamed
from hwsim.ensemble.precision import Precisions, precisions
from hwsim.ensemble.residency import fits, require
from hwsim.ensemble.solve import Mapper, Progress, Task, solve, tasks
from hwsim.ensemble.storage import Storage, storage, working_set
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective, map_layer
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Layer, Network
from hwsim.spec.rules import Rule

#: Where weights are at the start of an inference: see `hwsim.spec.ensemble.Ensemble.weights`.
Weights = Literal["streamed", "resident", "auto"]

#: Mode of layers that only rename elements.
VIEW = "view"


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one inference of one batch.

    Args:
        name: of the member, or of the network where it stands alone.
        hardware: the chip.
        weight_bits, activation_bits: of the quantised layers [bits].
        layers: in order of execution; what costs nothing is there too.
        storage: stored parameters by kind [bits].
        working_set_bytes: peak of live activations [B].
        resident: whether the weights stay on the chip between inferences.
        switches: times that the datapath changes its mode between layers.
        switch_cycles: time of all of them [cycles].
        switch_joules: leakage in that time [J].
    """

    name: str
    hardware: Hardware
    weight_bits: int
    activation_bits: int
    layers: tuple[LayerCost, ...]
    storage: Storage
    working_set_bytes: float
    resident: bool
    switches: int
    switch_cycles: float
    switch_joules: float

    @property
    def cycles(self) -> float:
        """Of all layers and mode switches [cycles]."""
        return sum(layer.cycles for layer in self.layers) + self.switch_cycles

    @property
    def seconds(self) -> float:
        """[s]."""
        return self.cycles / self.hardware.clock

    @property
    def energy_joules(self) -> float:
        """[J]."""
        return sum(layer.energy_joules for layer in self.layers) + self.switch_joules

    @property
    def dram_bytes(self) -> float:
        """Moved across the outermost memory's port, both ways [B]."""
        return sum(layer.dram_bytes for layer in self.layers)

    @property
    def storage_bytes(self) -> float:
        """Stored parameters [B]."""
        return self.storage.total / 8

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.macs for layer in self.layers)

    @property
    def modes(self) -> tuple[str, ...]:
        """Datapath mode of every multiply-accumulate layer in order."""
        return tuple(layer.mode for layer in self.layers if layer.macs)


def map_network(
    network: Network,
    hardware: Hardware,
    weight_bits: int = 32,
    activation_bits: int = 32,
    quantize: Rule = "all",
    *,
    full_precision_bits: int = 32,
    weights: Weights = "streamed",
    objective: Objective = "latency",
    effort: float = EFFORT,
    mapper: Mapper = map_layer,
    progress: Progress | None = None,
) -> NetworkCost:
    """Map every layer of a network and add them up; the batch is the network's own (`Network.with_batch`).

    Args:
        weight_bits, activation_bits: of the quantised layers [bits].
        quantize: which layers those are.
        full_precision_bits: of everything else [bits].
        weights: streamed from the outermost memory, resident on the chip, or resident where they fit.

    Raises:
        Infeasible: a layer has no mapping, no mode runs a layer's widths, or resident weights do not fit.
        SpecError: the rule names layers that the network does not have.
    """
    bits = precisions(network, weight_bits, activation_bits, quantize, full_precision_bits)
    found, solved, resident = solve_all([(network, bits)], hardware, weights, mapper, objective, effort, progress)
    return assemble(network.name, network, hardware, bits, found[0], solved, resident)


def solve_all(
    members: list[tuple[Network, Precisions]],
    hardware: Hardware,
    weights: Weights,
    mapper: Mapper,
    objective: Objective,
    effort: float,
    progress: Progress | None = None,
    known: Mapping[Task, LayerCost] | None = None,
) -> tuple[list[dict[str, Task]], dict[Task, LayerCost], bool]:
    """Decide whether the weights of networks that share a chip stay on it, and map every layer.

    Args:
        known: layers that were mapped before.

    Returns:
        The tasks of each network, their solutions, and whether weights stay.

    Raises:
        Infeasible: as `map_network`.
    """
    size = sum(storage(network, bits).total for network, bits in members)
    if weights == "resident":
        require(hardware, size)
    if weights != "streamed" and fits(hardware, size):
        found = [tasks(network, hardware, bits, size) for network, bits in members]
        try:
            return found, solve(found, mapper, objective, effort, progress, known), True
        except Infeasible:
            if weights == "resident":
                raise
    found = [tasks(network, hardware, bits) for network, bits in members]
    return found, solve(found, mapper, objective, effort, progress, known), False


def assemble(
    name: str,
    network: Network,
    hardware: Hardware,
    bits: Precisions,
    named: Mapping[str, Task],
    solved: Mapping[Task, LayerCost],
    resident: bool,
    shared: Mapping[str, int] | None = None,
) -> NetworkCost:
    """Put the mapped layers of a network together with all that is not mapped.

    Args:
        shared: see `hwsim.ensemble.storage.working_set`.
    """
    layers = []
    for layer in network.layers:
        task = named.get(layer.name)
        if task is not None:
            layers.append(_multiplied(layer, hardware, bits, replace(solved[task], problem=task.problem), resident))
        else:
            layers.append(_streamed(layer, hardware, bits, resident))
    modes = [layer.mode for layer in layers if layer.macs]
    switches = sum(before != after for before, after in pairwise(modes))
    time = switches * hardware.datapath.reconfiguration
    return NetworkCost(
        name=name,
        hardware=hardware,
        weight_bits=bits.weight_bits,
        activation_bits=bits.activation_bits,
        layers=tuple(layers),
        storage=storage(network, bits),
        working_set_bytes=working_set(network, bits, shared) / 8,
        resident=resident,
        switches=switches,
        switch_cycles=time,
        switch_joules=static_power(hardware) * time / hardware.clock,
    )


def _multiplied(layer: Layer, hardware: Hardware, bits: Precisions, cost: LayerCost, resident: bool) -> LayerCost:
    own = layer.parameters
    operations = layer.operations - layer.operator.operations
    parameters = Stream(own.biases + own.norms, bits.full, resident)
    whole = fused(cost, hardware, operations, parameters)
    return whole.named(layer.name, layer.operator.label, layer.operator.shape)


def _streamed(layer: Layer, hardware: Hardware, bits: Precisions, resident: bool) -> LayerCost:
    operator, widths = layer.operator, bits.layers[layer.name]
    if operator.view:
        return _view(layer, widths.activations)
    parameters = sum(part.parameters_read for part in (operator, *layer.fused))
    return streamed(
        hardware,
        layer.operations,
        [Stream(words, bits.tensors[source]) for source, words in zip(layer.inputs, operator.inputs, strict=True)],
        Stream(layer.output_elements, widths.output),
        Stream(parameters, bits.full, resident) if parameters else None,
    ).named(layer.name, operator.label, operator.shape)


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
