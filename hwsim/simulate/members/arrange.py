"""Schedules: how the members of an ensemble share a chip in time and in space.

serial       input by input, member by member; a batch is so many inputs, each answered by a round of its own
batched      member by member, each for the whole batch
interleaved  layer by layer, each for all members and the whole batch
partitioned  every member on its part of an axis, side by side, for the whole batch

Layers do not overlap, and the datapath drains before it changes its mode. With the combiner random_switch a member runs
alone, and there is nothing to arrange.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import inf
from typing import Literal

from hwsim.cost.layer import LayerCost
from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.ensemble.network_cost import NetworkCost, Solved, assemble, map_network
from hwsim.ensemble.plan import Kind, Turn
from hwsim.ensemble.planned import planned
from hwsim.ensemble.precision import Precisions, precisions
from hwsim.ensemble.solve import Mapper, Progress
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective, map_layer
from hwsim.simulate.layer.played import Played
from hwsim.simulate.members.interleave import interleaved
from hwsim.simulate.members.partition import divisible, part, shares
from hwsim.simulate.members.schedule import Round, Stage, switched
from hwsim.spec.ensemble import Ensemble, Member
from hwsim.spec.hardware import Axis, Hardware
from hwsim.spec.network import Layer, Network, peak

Schedule = Literal["serial", "batched", "interleaved", "partitioned"]

#: Member that the combiner's stage belongs to.
ENSEMBLE = "ensemble"

#: What a layer takes [cycles], and the layer played, if it was.
Timing = Callable[[LayerCost], tuple[float, Played | None]]


@dataclass(frozen=True)
class Search:
    """How layers are mapped: see `hwsim.ensemble.ensemble_cost.map_ensemble`."""

    objective: Objective = "latency"
    effort: float = EFFORT
    mapper: Mapper = map_layer
    progress: Progress | None = None


@dataclass(frozen=True)
class Arrangement:
    """The mapped members of an ensemble, and when and where each of their layers runs.

    Args:
        schedule: its name.
        cost: the ensemble on the whole chip, member by member, as many inputs at once as a round has.
        members: as this schedule has them, in the ensemble's order.
        shares: part of the chip that each runs on.
        lanes: (member, layer) in order, for every part that runs side by side.
        working_set_bytes: peak of live activations [B]; no more than this where lanes run side by side.
        division: how an axis is divided; empty where it is not.
    """

    schedule: Schedule
    cost: EnsembleCost
    members: tuple[NetworkCost, ...]
    shares: tuple[float, ...]
    lanes: tuple[tuple[Turn, ...], ...]
    working_set_bytes: float
    division: str = ""

    @property
    def drawn(self) -> bool:
        """Whether a round is one member alone, drawn at random."""
        return self.cost.one_in > 1

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """Every layer that is to be played."""
        networks = (self.cost.baseline, *self.members)
        combiner = (self.cost.combiner,) if self.cost.combiner else ()
        return (*(layer for network in networks for layer in network.layers), *combiner)

    def rounds(self, timing: Timing) -> tuple[Round, ...]:
        """The round that repeats or, where a member is drawn, a round for each of them, its first switch left out."""
        time = self.cost.hardware.datapath.reconfiguration

        def stages(turns: Sequence[Turn], before: str | None = None) -> tuple[Stage, ...]:
            return switched((stage(*turn) for turn in turns), time, before)

        def stage(member: int, layer: int) -> Stage:
            network = self.members[member]
            cost = network.layers[layer]
            cycles, played = timing(cost)
            return Stage(network.name, cost.name, cost.mode if cost.macs else "", cycles, 0.0, played)

        if self.drawn:
            alone = (
                stages(turns, next(iter(network.modes), ""))
                for turns, network in zip(self.lanes, self.members, strict=True)
            )
            return tuple(Round(self.schedule, (lane,), (), self.cost.batch, time) for lane in alone)
        tail: tuple[Stage, ...] = ()
        if combiner := self.cost.combiner:
            cycles, played = timing(combiner)
            tail = (Stage(ENSEMBLE, combiner.name, "", cycles, 0.0, played),)
        return (Round(self.schedule, tuple(map(stages, self.lanes)), tail, self.cost.batch, time),)


def closed_form(cost: LayerCost) -> tuple[float, None]:
    """What the closed form says that a layer takes [cycles]."""
    return cost.cycles, None


def arrange(
    schedule: Schedule, ensemble: Ensemble, hardware: Hardware, network: Network, search: Search | None = None
) -> Arrangement:
    """Map the members of an ensemble for a schedule, and say when and where each layer runs.

    Args:
        network: what the members run; its batch does not matter.

    Raises:
        SpecError: the network lacks layers that the ensemble names.
        Infeasible: a layer has no mapping or no mode, or the schedule does not apply; says why.
    """
    search = search or Search()
    if ensemble.combiner == "random_switch" and schedule in ("interleaved", "partitioned"):
        raise Infeasible("random_switch runs one member alone", constraint=f"schedule: {schedule}")
    batch = 1 if schedule == "serial" else ensemble.batch
    ensemble, network = ensemble.model_copy(update={"batch": batch}), network.with_batch(batch)
    match schedule:
        case "interleaved":
            return _interleaved(ensemble, hardware, network, search)
        case "partitioned":
            return _partitioned(ensemble, hardware, network, search)
        case _:
            return _in_turn(_mapped(ensemble, hardware, network, search), schedule)


def _mapped(
    ensemble: Ensemble, hardware: Hardware, network: Network, search: Search, timeline: Sequence[Turn] | None = None
) -> EnsembleCost:
    return map_ensemble(
        ensemble,
        hardware,
        network,
        objective=search.objective,
        effort=search.effort,
        mapper=search.mapper,
        progress=search.progress,
        timeline=timeline,
    )


def _in_turn(cost: EnsembleCost, schedule: Schedule) -> Arrangement:
    """All layers of a member, then the next member."""
    turns = [tuple((index, layer) for layer in range(len(own.layers))) for index, own in enumerate(cost.members)]
    lanes = tuple(turns) if cost.one_in > 1 else (tuple(turn for member in turns for turn in member),)
    whole = (1.0,) * len(cost.members)
    return Arrangement(schedule, cost, cost.members, whole, lanes, cost.working_set_bytes)


def _interleaved(ensemble: Ensemble, hardware: Hardware, network: Network, search: Search) -> Arrangement:
    several = [(network, bits) for bits in _widths(ensemble, network)]
    turns = interleaved([[_mode(layer, bits, hardware) for layer in network.layers] for _, bits in several])
    cost = _mapped(ensemble, hardware, network, search, turns)
    if ensemble.weights != "planned":
        cost = _sharing_input(cost, several, turns, search)
    whole = (1.0,) * len(several)
    return Arrangement("interleaved", cost, cost.members, whole, (turns,), _live(several, turns) / 8)


def _widths(ensemble: Ensemble, network: Network) -> list[Precisions]:
    """Of every member."""
    full = ensemble.full_precision_bits
    return [
        precisions(network, member.weights, member.activations, ensemble.quantize, full)
        for member in ensemble.expanded()
    ]


def _mode(layer: Layer, bits: Precisions, hardware: Hardware) -> str:
    """Of the datapath; none where nothing is multiplied."""
    own = bits.layers[layer.name]
    return hardware.datapath.mode(own.weights, own.activations).name if layer.nest else ""


def _sharing_input(
    cost: EnsembleCost, several: Sequence[tuple[Network, Precisions]], turns: Sequence[Turn], search: Search
) -> EnsembleCost:
    """The members with the network's inputs read from the outermost memory once, if that saves traffic and no time.

    The inputs wait on the chip until the last member has read them, beside the weights that stay in any case.
    """
    kinds: tuple[Kind, ...] = ("weights", "input") if all(own.resident for own in cost.members) else ("input",)
    how = search.mapper, search.objective, search.effort, search.progress
    shared = planned(several, cost.hardware, turns, *how, kinds=kinds)
    solved = Solved(shared.layers, False, shared.plan, shared.solved)
    members = tuple(
        replace(
            assemble(own.name, network, cost.hardware, bits, solved, index), working_set_bytes=own.working_set_bytes
        )
        for index, (own, (network, bits)) in enumerate(zip(cost.members, several, strict=True))
    )
    now, before = (sum(own.dram_bytes for own in each) for each in (members, cost.members))
    later, time = (sum(own.cycles for own in each) for each in (members, cost.members))
    return replace(cost, members=members, plan=shared.plan) if now < before and later <= time else cost


def _live(several: Sequence[tuple[Network, Precisions]], turns: Sequence[Turn]) -> int:
    """Peak of live activations of members that take turns [bits].

    The members share the inputs, each stored at the widest width that any of them needs. Results wait for the combiner.
    """
    network = several[0][0]
    inputs = {source.name for source in network.inputs}
    final = network.layers[-1]
    passing = () if final.operator.view else final.inputs  # operands that nobody needs once the last layer has run
    lifetimes: dict[str, tuple[int, int]] = {}
    sizes: dict[str, int] = {}
    for index, (_, bits) in enumerate(several):
        steps = [step for step, (turned, _) in enumerate(turns) if turned == index]
        for name, (first, last) in network.lifetimes().items():
            ends = steps[last] if last < len(steps) - 1 or name in passing else len(turns) - 1
            key = name if name in inputs else f"{index} {name}"
            lifetimes[key] = (0, max(lifetimes.get(key, (0, 0))[1], ends)) if name in inputs else (steps[first], ends)
            sizes[key] = max(sizes.get(key, 0), network.tensors[name] * bits.tensors[name])
    return peak(lifetimes, sizes)


def _partitioned(ensemble: Ensemble, hardware: Hardware, network: Network, search: Search) -> Arrangement:
    """Every axis that could be divided is, each as well as can be, and the one with the fastest slowest member wins."""
    level, axes = divisible(hardware, len(ensemble.expanded()))  # before anything is mapped
    cost = _mapped(ensemble, hardware, network, search)
    found, failure = list[Arrangement](), None
    for axis in axes:
        try:
            found.append(_divided(cost, network, level, axis, search))
        except Infeasible as error:
            failure = error
    if failure and not found:
        raise failure
    return min(found, key=lambda one: max(own.cycles for own in one.members))


def _divided(cost: EnsembleCost, network: Network, level: int, axis: Axis, search: Search) -> Arrangement:
    ensemble, copies = cost.ensemble, cost.ensemble.expanded()

    @cache
    def mapped(weight_bits: int, activation_bits: int, share: int) -> NetworkCost | None:
        try:
            return map_network(
                network,
                part(cost.hardware, level, axis.name, share),
                weight_bits,
                activation_bits,
                ensemble.quantize,
                full_precision_bits=ensemble.full_precision_bits,
                weights=ensemble.weights,
                objective=search.objective,
                effort=search.effort,
                mapper=search.mapper,
                progress=search.progress,
            )
        except Infeasible:
            return None

    def time(copy: Member, share: int) -> float:
        own = mapped(copy.weights, copy.activations, share)
        return own.cycles if own else inf

    division = shares([partial(time, copy) for copy in copies], axis.size)
    members = []
    for copy, share in zip(copies, division, strict=True):
        own = mapped(copy.weights, copy.activations, share)
        assert own is not None, "a division leaves every member enough to run on"
        members.append(replace(own, name=copy.name or copy.precision))
    return Arrangement(
        schedule="partitioned",
        cost=cost,
        members=tuple(members),
        shares=tuple(share / axis.size for share in division),
        lanes=tuple(tuple((index, layer) for layer in range(len(own.layers))) for index, own in enumerate(members)),
        working_set_bytes=sum(own.working_set_bytes for own in members),
        division=f"{axis.name} {' + '.join(map(str, division))}",
    )
