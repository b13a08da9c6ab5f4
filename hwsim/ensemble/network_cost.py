"""The cost of one network on one chip, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from hwsim.cost.energy import static_power
from hwsim.cost.layer import LayerCost
from hwsim.ensemble.candidates import serial
from hwsim.ensemble.layers import layer_costs
from hwsim.ensemble.plan import Plan, Turn
from hwsim.ensemble.planned import planned
from hwsim.ensemble.precision import Precisions, precisions
from hwsim.ensemble.residency import all_weights, fits, require
from hwsim.ensemble.solve import Mapper, Progress, Task, solve, tasks
from hwsim.ensemble.stay import Stay
from hwsim.ensemble.storage import Storage, storage, working_set
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective, map_layer
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Network
from hwsim.spec.rules import Rule

#: Where weights are at the start of an inference: see `hwsim.spec.ensemble.Ensemble.weights`.
Weights = Literal["streamed", "resident", "auto", "planned"]


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
        resident: whether all weights stay on the chip between inferences.
        kept_bits: those of them that do [bits].
        switches: times that the datapath changes its mode between layers.
        switch_cycles: time of all of them [cycles].
        switch_joules: leakage in that time [J].
        plan: what stays on the chip, where this network is alone there and that was chosen piece by piece.
    """

    name: str
    hardware: Hardware
    weight_bits: int
    activation_bits: int
    layers: tuple[LayerCost, ...]
    storage: Storage
    working_set_bytes: float
    resident: bool
    kept_bits: int
    switches: int
    switch_cycles: float
    switch_joules: float
    plan: Plan | None = None

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
        weights: streamed from the outermost memory, resident on the chip, resident where they fit (auto), or planned:
            those weights and activations stay that save most traffic, see `hwsim.ensemble.plan`.

    Raises:
        Infeasible: a layer has no mapping, no mode runs a layer's widths, or resident weights do not fit.
        SpecError: the rule names layers that the network does not have.
    """
    bits = precisions(network, weight_bits, activation_bits, quantize, full_precision_bits)
    solved = solve_all([(network, bits)], hardware, weights, mapper, objective, effort, progress)
    return assemble(network.name, network, hardware, bits, solved, 0, plan=solved.plan)


@dataclass(frozen=True)
class Solved:
    """Networks that share a chip, with every layer mapped.

    Args:
        layers: cost of every layer, by network.
        resident: whether all weights stay on the chip between inferences; see `plan` where that was not the choice.
        plan: what stays, where that was chosen piece by piece.
        tasks: everything that was mapped.
    """

    layers: tuple[tuple[LayerCost, ...], ...]
    resident: bool
    plan: Plan | None
    tasks: dict[Task, LayerCost]


def solve_all(
    members: Sequence[tuple[Network, Precisions]],
    hardware: Hardware,
    weights: Weights,
    mapper: Mapper,
    objective: Objective,
    effort: float,
    progress: Progress | None = None,
    known: Mapping[Task, LayerCost] | None = None,
    *,
    timeline: Sequence[Turn] | None = None,
    drawn: bool = False,
) -> Solved:
    """Decide what of networks that share a chip stays on it, and map every layer.

    Args:
        known: layers that were mapped before.
        timeline: every layer of every network, in order of execution; one network after another if not given.
        drawn: every inference runs one of the networks, each as often as any other.

    Raises:
        Infeasible: as `map_network`.
    """
    search = (mapper, objective, effort, progress)
    if weights == "planned":
        order = serial([network for network, _ in members]) if timeline is None else timeline
        chosen = planned(members, hardware, order, *search, known, drawn=drawn)
        return Solved(chosen.layers, False, chosen.plan, chosen.solved)
    size = sum(storage(network, bits).total for network, bits in members)
    if weights == "resident":
        require(hardware, size)
    if weights != "streamed" and fits(hardware, size):
        stays = [all_weights(network, bits, hardware, size) for network, bits in members]
        try:
            return _mapped(members, hardware, stays, True, *search, known)
        except Infeasible:
            if weights == "resident":
                raise
    return _mapped(members, hardware, [{} for _ in members], False, *search, known)


def _mapped(
    members: Sequence[tuple[Network, Precisions]],
    hardware: Hardware,
    stays: Sequence[Mapping[str, Stay]],
    resident: bool,
    mapper: Mapper,
    objective: Objective,
    effort: float,
    progress: Progress | None,
    known: Mapping[Task, LayerCost] | None,
) -> Solved:
    wanted = [tasks(network, hardware, bits, own) for (network, bits), own in zip(members, stays, strict=True)]
    solved = solve(wanted, mapper, objective, effort, progress, known)
    layers = tuple(
        layer_costs(network, hardware, bits, named, solved, own)
        for (network, bits), named, own in zip(members, wanted, stays, strict=True)
    )
    return Solved(layers, resident, None, solved)


def assemble(
    name: str,
    network: Network,
    hardware: Hardware,
    bits: Precisions,
    solved: Solved,
    index: int,
    *,
    plan: Plan | None = None,
    shared: Mapping[str, int] | None = None,
) -> NetworkCost:
    """Put the layers of a network together.

    Args:
        solved: all networks that share the chip; index: which of them this one is.
        plan: what stays of this network, where it is alone and that was chosen piece by piece.
        shared: see `hwsim.ensemble.storage.working_set`.
    """
    layers = solved.layers[index]
    modes = [layer.mode for layer in layers if layer.macs]
    switches = sum(before != after for before, after in pairwise(modes))
    time = switches * hardware.datapath.reconfiguration
    stored = storage(network, bits)
    kept = solved.plan.weight_bits(index) if solved.plan else stored.total if solved.resident else 0
    return NetworkCost(
        name=name,
        hardware=hardware,
        weight_bits=bits.weight_bits,
        activation_bits=bits.activation_bits,
        layers=layers,
        storage=stored,
        working_set_bytes=working_set(network, bits, shared) / 8,
        resident=solved.resident or (solved.plan is not None and kept == stored.total),
        kept_bits=kept,
        switches=switches,
        switch_cycles=time,
        switch_joules=static_power(hardware) * time / hardware.clock,
        plan=plan,
    )
