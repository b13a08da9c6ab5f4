"""Members whose weights and activations stay on the chip by plan: chosen, mapped again, and taken back where it hurts.

What is spared is known from mappings of layers alone on the chip. What stays takes room from the tiles of the others,
so every layer is mapped again beside it; one that then moves more than was promised, takes longer or does not fit at
all gets room back: less may stay there than did, and the choice is made anew. Of all rounds the one counts that moves
fewest bytes to and from the outermost memory, provided that neither these nor the objective are worse than if nothing
stayed. Keeping nothing is always among them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from hwsim.cost.layer import LayerCost
from hwsim.ensemble.candidates import Member, candidates
from hwsim.ensemble.layers import layer_costs
from hwsim.ensemble.plan import Kind, Plan, Turn, Use, choose
from hwsim.ensemble.precision import Precisions
from hwsim.ensemble.solve import Mapper, Progress, Task, resident, solve, tasks
from hwsim.ensemble.stay import Home, Stay, house, room as home_room
from hwsim.errors import Infeasible
from hwsim.mapper import Objective
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Layer, Network

#: Choices that are tried before the best of them is taken.
ROUNDS = 16

#: Choices in a row that do not better the best before no more are tried.
PATIENCE = 3

#: Part of what stays at a position that gives way.
STEP = 0.25

#: Part of what was promised that may stay unfulfilled.
BROKEN = 0.01

#: Relative error of sums of floating-point numbers.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Planned:
    """Layers of every member, mapped as planned.

    Args:
        layers: cost of every layer, by member.
        plan: what stays.
        solved: everything that was mapped.
        stuck: layers that did not fit, in which case there are no costs.
    """

    layers: tuple[tuple[LayerCost, ...], ...]
    plan: Plan
    solved: dict[Task, LayerCost]
    stuck: tuple[Turn, ...] = ()


def planned(
    members: Sequence[tuple[Network, Precisions]],
    hardware: Hardware,
    timeline: Sequence[Turn],
    mapper: Mapper,
    objective: Objective,
    effort: float,
    progress: Progress | None = None,
    known: Mapping[Task, LayerCost] | None = None,
    *,
    drawn: bool = False,
    kinds: Collection[Kind] = get_args(Kind),
) -> Planned:
    """Choose what stays on the chip, and map every layer beside it.

    Args:
        members: networks that share the chip and their inputs.
        timeline: every layer of every member, in order of execution.
        known: layers that were mapped before.
        drawn: every inference runs one member, each as often as any other.
        kinds: of what may stay.

    Raises:
        Infeasible: a layer has no mapping even while nothing stays.
    """
    search = (mapper, objective, effort, progress)
    runs = len(members) if drawn else 1
    alone = _mapped(members, hardware, [{} for _ in members], *search, dict(known or {}))
    streamed = [Member(*member, own) for member, own in zip(members, alone.layers, strict=True)]
    items = [item for item in candidates(streamed, hardware, timeline, drawn=drawn) if item.kind in kinds]
    room = {home: [home_room(hardware, home)] * len(timeline) for home in dict.fromkeys(item.home for item in items)}
    nothing = replace(alone, plan=choose(timeline, (), room, items))
    best, idle, limits = nothing, 0, {home: list(bits) for home, bits in room.items()}
    solved, failures = alone.solved, dict[Task, Infeasible]()

    def tried(plan: Plan) -> Planned:
        stays = residence(plan, hardware, members)
        return replace(_mapped(members, hardware, stays, *search, solved, failures), plan=plan)

    for _ in range(ROUNDS):
        plan = choose(timeline, items, limits)
        if not plan.kept:
            break
        here = tried(plan)
        solved = here.solved
        crowded: Sequence[Turn] = here.stuck
        if not crowded:
            best, idle = (here, 0) if _better(here, best, nothing, objective) else (best, idle + 1)
            crowded = _most_crowded(here, nothing, objective, runs)
        if idle == PATIENCE or not any([_give_back(limits, plan, timeline.index(turn)) for turn in crowded]):
            break
    weights = choose(timeline, [item for item in items if item.kind == "weights"], room)
    if not weights.left and _bytes(best) > _bytes(nothing) - weights.saves * runs:
        here = tried(weights)
        solved = here.solved
        if not here.stuck and _better(here, best, nothing, objective):
            best = here
    kept = {id(item) for item in best.plan.kept}
    left = tuple(item for item in items if id(item) not in kept)
    return replace(best, plan=replace(best.plan, room=nothing.plan.room, left=left), solved=solved)


def _mapped(
    members: Sequence[tuple[Network, Precisions]],
    hardware: Hardware,
    stays: Sequence[Mapping[str, Stay]],
    mapper: Mapper,
    objective: Objective,
    effort: float,
    progress: Progress | None,
    known: Mapping[Task, LayerCost],
    failures: dict[Task, Infeasible] | None = None,
) -> Planned:
    """Every layer of every member, while so much stays; none where some do not fit.

    Args:
        failures: see `hwsim.ensemble.solve.solve`.
    """
    wanted = [tasks(network, hardware, bits, own) for (network, bits), own in zip(members, stays, strict=True)]
    solved = solve(wanted, mapper, objective, effort, progress, known, failures)
    stuck = [
        (index, number)
        for index, ((network, _), named) in enumerate(zip(members, wanted, strict=True))
        for number, layer in enumerate(network.layers)
        if layer.name in named and named[layer.name] not in solved
    ]
    if stuck:
        return Planned((), Plan((), {}), solved, tuple(stuck))
    layers = (
        layer_costs(network, hardware, bits, named, solved, own)
        for (network, bits), named, own in zip(members, wanted, stays, strict=True)
    )
    return Planned(tuple(layers), Plan((), {}), solved)


def residence(plan: Plan, hardware: Hardware, members: Sequence[tuple[Network, Precisions]]) -> list[dict[str, Stay]]:
    """What stays of every layer of every member, and what lies beside it."""
    taken = {home: plan.taken(home) for home in plan.room}
    uses: dict[Turn, list[Use]] = {}
    for item in plan.kept:
        for use in item.uses:
            uses.setdefault(use.turn, []).append(use)
    found: list[dict[str, Stay]] = [{} for _ in members]
    for position, turn in enumerate(plan.timeline):
        network, bits = members[turn[0]]
        layer = network.layers[turn[1]]
        stay = _own(uses.get(turn, ()))
        counted = _counted(layer, bits, stay, hardware)
        others = ((home, max(0.0, own[position] - counted.get(home, 0))) for home, own in taken.items())
        found[turn[0]][layer.name] = replace(stay, beside=tuple(others))
    return found


def _own(uses: Iterable[Use]) -> Stay:
    """What of one layer stays."""
    stored = [use for use in uses if not use.brings]
    return Stay(
        parameters=any(use.operand is not Operand.OUTPUTS and not use.source for use in stored),
        inputs=frozenset(use.source for use in stored if use.source),
        output=any(use.operand is Operand.OUTPUTS for use in stored),
        brought=frozenset(use.operand for use in uses if use.brings),
    )


def _counted(layer: Layer, bits: Precisions, stay: Stay, hardware: Hardware) -> dict[Home, int]:
    """Room in each home that the kernels count for a layer's own resident operands [bits]."""
    counted: dict[Home, int] = {}
    if layer.nest is None:
        return counted
    widths = bits.layers[layer.name]
    width = {
        Operand.WEIGHTS: widths.weights,
        Operand.INPUTS: widths.activations,
        Operand.OUTPUTS: widths.output,
    }
    for operand in resident(layer, stay):
        if place := house(hardware, operand):
            counted[place] = counted.get(place, 0) + layer.nest.elements(operand) * width[operand]
    return counted


def _bytes(given: Planned) -> float:
    return sum(layer.dram_bytes for layers in given.layers for layer in layers)


def _value(layers: Iterable[LayerCost], objective: Objective) -> float:
    """Of the objective, for these layers together."""
    own = list(layers)
    time, energy = sum(layer.cycles for layer in own), sum(layer.energy_joules for layer in own)
    return {"latency": time, "energy": energy, "edp": time * energy}[objective]


def _acceptable(here: Planned, nothing: Planned, objective: Objective) -> bool:
    """Whether neither bytes nor the objective are worse than if nothing stayed."""
    ours, theirs = ([layer for layers in given.layers for layer in layers] for given in (here, nothing))
    most = _value(theirs, objective) * (1 + TOLERANCE)
    return _bytes(here) <= _bytes(nothing) and _value(ours, objective) <= most


def _better(here: Planned, best: Planned, nothing: Planned, objective: Objective) -> bool:
    return _bytes(here) < _bytes(best) and _acceptable(here, nothing, objective)


def _most_crowded(here: Planned, nothing: Planned, objective: Objective, runs: int) -> list[Turn]:
    """The layer that moves most more than promised; if bytes are as promised, the one that loses most time or energy.
    None where the plan came true.

    Args:
        runs: inferences in which each member runs once.
    """
    saved: dict[Turn, float] = {}
    for item in here.plan.kept:
        for use in item.uses:
            saved[use.turn] = saved.get(use.turn, 0.0) + use.saves * runs
    broken, lost = {}, {}
    for turn in here.plan.timeline:
        now, before = (given.layers[turn[0]][turn[1]] for given in (here, nothing))
        broken[turn] = now.dram_bytes - (before.dram_bytes - saved.get(turn, 0.0))
        lost[turn] = _value([now], objective) - _value([before], objective)
    if sum(broken.values()) > BROKEN * here.plan.saves * runs:
        return [max(broken, key=lambda turn: broken[turn])]
    return [] if _acceptable(here, nothing, objective) else [max(lost, key=lambda turn: lost[turn])]


def _give_back(limits: Mapping[Home, list[float]], plan: Plan, position: int) -> bool:
    """Let less stay at a position than does.

    Returns:
        whether anything did.
    """
    taken = {home: bits for home in limits if (bits := plan.taken(home)[position])}
    for home, bits in taken.items():
        limits[home][position] = (1 - STEP) * bits
    return bool(taken)
