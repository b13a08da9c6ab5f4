"""An ensemble played on a chip by one schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwsim.cost.energy import static_power
from hwsim.cost.layer import LayerCost
from hwsim.ensemble.network_cost import NetworkCost
from hwsim.ensemble.plan import Turn
from hwsim.simulate.layer.played import Played
from hwsim.simulate.members.arrange import Arrangement, closed_form
from hwsim.simulate.members.schedule import Round, switching

if TYPE_CHECKING:
    from hwsim.simulate.members.auto import Choice

#: Plays one layer.
Player = Callable[[LayerCost], Played]

#: Called with the number of layers played and their total.
Progress = Callable[[int, int], None]

#: The datapath's name in `Played.busy`.
COMPUTE = "compute"

#: What time passes with beside waiting: see `Simulation.time_causes`.
FILLED, UNFILLED, SWITCHES = "multiplications", "array not filled", "mode switches"


@dataclass(frozen=True)
class PlayedNetwork:
    """The layers of one member, or of the baseline.

    Args:
        cost: by the closed form.
        layers: played, in the same order.
        share: part of the chip that they ran on.
        switches: mode changes on the way to its layers; where members are drawn, those inside it.
        switch_cycles: time of these [cycles].
    """

    cost: NetworkCost
    layers: tuple[Played, ...]
    share: float = 1.0
    switches: int = 0
    switch_cycles: float = 0.0

    @property
    def cycles(self) -> float:
        """Of all layers and mode switches [cycles]."""
        return sum(layer.cycles for layer in self.layers) + self.switch_cycles

    @property
    def dynamic_joules(self) -> float:
        """Of accesses and operations, which playing moves in time but does not change [J]."""
        return sum(_dynamic(layer) for layer in self.cost.layers)

    @property
    def energy_joules(self) -> float:
        """With what leaks in the time that was played, from the part of the chip that it ran on [J]."""
        hardware = self.cost.hardware
        return self.dynamic_joules + static_power(hardware) * self.cycles / hardware.clock


@dataclass(frozen=True)
class Simulation:
    """An ensemble, played.

    Args:
        arrangement: what was played.
        baseline: one full-precision network on the whole chip, with as many inputs at once.
        members: in the ensemble's order.
        combiner: None for a single member and where one is drawn.
        rounds: the round that repeats; where a member is drawn, one for each, without the switch that begins it.
        closed_rounds: the same, with the times of the closed form.
        smaller: rounds for fewer inputs, if asked for.
        choice: where the schedule was chosen as the best: among which, and why.
    """

    arrangement: Arrangement
    baseline: PlayedNetwork
    members: tuple[PlayedNetwork, ...]
    combiner: Played | None
    rounds: tuple[Round, ...]
    closed_rounds: tuple[Round, ...]
    smaller: tuple[Round, ...] = ()
    choice: Choice | None = None

    @property
    def inputs(self) -> int:
        """Answered by one round."""
        return self.rounds[0].inputs

    @property
    def cycles(self) -> float:
        """Of one round, expected where a member is drawn [cycles]."""
        return self._mean(self.rounds)

    @property
    def closed_cycles(self) -> float:
        """Of one round, by the closed form [cycles]."""
        return self._mean(self.closed_rounds)

    @property
    def seconds(self) -> float:
        """[s]."""
        return self.cycles / self.arrangement.cost.hardware.clock

    @property
    def energy_joules(self) -> float:
        """Of one round, leakage of the whole chip included; expected where a member is drawn [J]."""
        return self._energy(self.cycles)

    @property
    def energy_overhead(self) -> float | None:
        """Against the baseline, both played; None where the chip prices no energy."""
        spent = self.baseline.energy_joules
        return self.energy_joules / spent - 1 if spent else None

    @property
    def closed_energy_overhead(self) -> float | None:
        """Against the baseline, both by the closed form; None where the chip prices no energy."""
        spent = self.baseline.cost.energy_joules
        return self._energy(self.closed_cycles) / spent - 1 if spent else None

    def _energy(self, cycles: float) -> float:
        cost = self.arrangement.cost
        members = sum(member.dynamic_joules for member in self.members) / len(self.rounds)
        combiner = _dynamic(cost.combiner) if cost.combiner else 0.0
        return members + combiner + static_power(cost.hardware) * cycles / cost.hardware.clock

    @property
    def switches(self) -> float:
        """Mode changes in a round, the one back to its start included; expected where a member is drawn."""
        if self.arrangement.drawn:
            return self.arrangement.cost.mode_switches
        return self.rounds[0].switches

    @property
    def time_overhead(self) -> float:
        """Against the baseline, both played."""
        return self.cycles / self.baseline.cycles - 1

    @property
    def closed_time_overhead(self) -> float:
        """Against the baseline, both by the closed form."""
        return self.closed_cycles / self.baseline.cost.cycles - 1

    @property
    def dram_bytes(self) -> float:
        """Moved across the outermost memory's port in a round, both ways [B]; expected where a member is drawn."""
        outermost = {memory.name for memory in self.arrangement.cost.hardware.levels[0].memories}
        bits = 0.0
        for weight, _, played in self._weighted():
            moved = (sum(both) for (_, memory, _), both in played.moved.items() if memory in outermost)
            bits += weight * sum(moved)
        return bits / 8

    @property
    def utilization(self) -> dict[str, float]:
        """Part of a round in which each resource of the whole chip was at work, by its name.

        A resource of a part of the chip counts by the part's share.
        """
        busy: dict[str, float] = {}
        for weight, share, played in self._weighted():
            for resource, cycles in played.busy.items():
                busy[resource] = busy.get(resource, 0.0) + weight * share * cycles
        return {resource: cycles / self.cycles for resource, cycles in busy.items()}

    @property
    def array_filled(self) -> float:
        """Multiplications of a round / those that the whole array could do in that time, each in its layer's mode."""
        weight = 1 / len(self.rounds)
        filled = (
            weight * member.share * layer.utilization * layer.cycles
            for member in self.members
            for layer in member.cost.layers
        )
        return sum(filled) / self.cycles

    @property
    def time_causes(self) -> dict[str, float]:
        """What a round's time consists of, along the lane that ends last: multiplications with the whole array, places
        of it that are not filled, whatever the array waits for, mode switches. They add up to the round [cycles]."""
        lanes = [_causes(self._layer(turn) for turn in turns) for turns in self.arrangement.lanes]
        if self.arrangement.drawn:
            spent = total(lanes, 1 / len(lanes))
            return spent | {SWITCHES: self.cycles - sum(spent.values())}
        (only,) = self.rounds
        slowest = max(range(len(lanes)), key=lambda lane: only.lane_cycles[lane])
        cost = self.arrangement.cost.combiner
        combiner = [(cost, self.combiner)] if cost and self.combiner else []
        switches = sum(stage.switch_cycles for stage in only.lanes[slowest])
        return total([lanes[slowest], _causes(combiner), {SWITCHES: switches}])

    def _layer(self, turn: Turn) -> tuple[LayerCost, Played]:
        member, layer = turn
        return self.members[member].cost.layers[layer], self.members[member].layers[layer]

    def _mean(self, rounds: tuple[Round, ...]) -> float:
        between = self.arrangement.cost.switch_cycles if self.arrangement.drawn else 0.0
        return sum(one.cycles for one in rounds) / len(rounds) + between

    def _weighted(self) -> Iterable[tuple[float, float, Played]]:
        """Every layer of a round with the probability that it runs and the share of the chip that it runs on."""
        for member in self.members:
            yield from ((1 / len(self.rounds), member.share, layer) for layer in member.layers)
        if self.combiner:
            yield 1.0, 1.0, self.combiner


def total(parts: Iterable[Mapping[str, float]], weight: float = 1.0) -> dict[str, float]:
    """Weighted sum by cause."""
    sums: dict[str, float] = {}
    for part in parts:
        for cause, amount in part.items():
            sums[cause] = sums.get(cause, 0.0) + weight * amount
    return sums


def _dynamic(cost: LayerCost) -> float:
    return cost.energy_joules - cost.energy.get("leakage", 0.0)


def _causes(layers: Iterable[tuple[LayerCost, Played]]) -> dict[str, float]:
    parts: list[Mapping[str, float]] = []
    for cost, played in layers:
        works = played.busy.get(COMPUTE, 0.0)
        filled = min(works, cost.utilization * cost.cycles)
        parts += [{FILLED: filled, UNFILLED: works - filled}, played.stalls]
    return total(parts)


def simulated(arrangement: Arrangement, player: Player) -> Simulation:
    """Play every layer of a schedule.

    Args:
        player: plays one layer.
    """
    cost = arrangement.cost
    combiner = player(cost.combiner) if cost.combiner else None
    rounds = arrangement.rounds(lambda layer: _timed(player(layer)))
    members = tuple(
        PlayedNetwork(own, tuple(map(player, own.layers)), share, *_switching(arrangement, rounds, own))
        for own, share in zip(arrangement.members, arrangement.shares, strict=True)
    )
    one = cost.baseline
    baseline = PlayedNetwork(one, tuple(map(player, one.layers)), 1.0, one.switches, one.switch_cycles)
    return Simulation(arrangement, baseline, members, combiner, rounds, arrangement.rounds(closed_form))


class Once:
    """A player that plays equal layers once.

    Args:
        player: plays one layer.
        progress: called with the number of layers played and their total, as far as it is known.
    """

    def __init__(self, player: Player, progress: Progress | None = None) -> None:
        self._player, self._progress = player, progress
        self._known: dict[object, Played] = {}
        self._total = 0

    def expect(self, layers: Iterable[LayerCost]) -> None:
        """Count layers that will be played."""
        self._total = len({*self._known, *map(_identity, layers)})

    def __call__(self, cost: LayerCost) -> Played:
        """See `Player`."""
        key = _identity(cost)
        if key not in self._known:
            if self._progress:
                self._progress(len(self._known), max(self._total, len(self._known) + 1))
            self._known[key] = self._player(cost)
        return self._known[key]


def _identity(cost: LayerCost) -> object:
    """What a layer's time and traffic follow from: not its name."""
    traffic = tuple((x.level, x.memory, x.operand, float(x.read_bits), float(x.write_bits)) for x in cost.traffic)
    return cost.problem, cost.mapping, cost.mode, cost.cycles, traffic, tuple(cost.busy.items())


def _timed(played: Played) -> tuple[float, Played]:
    return played.cycles, played


def _switching(arrangement: Arrangement, rounds: Iterable[Round], member: NetworkCost) -> tuple[int, float]:
    """Mode switches on the way to a member's layers, and their time [cycles]; of one that is drawn, those inside it."""
    before = next(iter(member.modes), "") if arrangement.drawn else None
    lanes = [lane for one in rounds for lane in one.lanes]
    mine = sum(
        switches and stage.member == member.name
        for lane in lanes
        for stage, switches in zip(lane, switching(lane, before), strict=True)
    )
    return mine, mine * arrangement.cost.hardware.datapath.reconfiguration
