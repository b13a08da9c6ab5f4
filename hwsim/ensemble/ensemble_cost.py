"""The cost of an ensemble on one chip, against one full-precision network on the same chip.

The members run one after another, inference after inference; both the baseline and every member have their own best
mappings. The datapath changes its mode wherever the modes of consecutive multiply-accumulate layers differ: inside a
member, from one member to the next, and from the last member back to the first.

Every member reads the shared input anew, as a network alone would, unless it stays on the chip by plan. It is stored
only once, at the widest width that any member needs, until the last member has read it. The results of earlier members
wait beside the working set.

With the combiner random_switch every inference draws one of the K members, independently and each as likely as any
other, and the whole batch runs on it alone. What is given is then expected of one inference: the mean of the members'
cycles, energy and traffic, and

    mode changes = 1/K^2  sum_j sum_i  [the last mode of j is not the first mode of i]

for the change from the member drawn before, j, to the one drawn now, i. Nothing is combined and nothing waits, but all
members are stored, and the memory must hold the largest working set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hwsim.cost.energy import static_power
from hwsim.cost.layer import LayerCost
from hwsim.ensemble import difference as causes
from hwsim.ensemble.combiner import combine
from hwsim.ensemble.equation6 import Equation6, equation6
from hwsim.ensemble.network_cost import NetworkCost, Weights, assemble, solve_all
from hwsim.ensemble.plan import Plan, Turn
from hwsim.ensemble.precision import precisions
from hwsim.ensemble.solve import Mapper, Progress
from hwsim.importers import resolve
from hwsim.mapper import EFFORT, Objective, map_layer
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Network

#: Overhead that the EMPIR paper allows.
BUDGET = 0.25

#: Relative error within which an overhead counts as equal to the budget; sums of floating-point numbers need some.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Overhead:
    """What an ensemble costs more than the baseline: 0.25 is 25 % more; energy is None where the chip prices none."""

    time: float
    storage: float
    energy: float | None

    def within(self, budget: float) -> bool:
        """Whether neither time nor storage exceeds the budget; exactly the budget does not. Energy is not judged."""
        return max(self.time, self.storage) <= budget + TOLERANCE * (1 + budget)


@dataclass(frozen=True)
class EnsembleCost:
    """Cost of one inference of one batch by all members, or expected cost where one of them is drawn.

    Args:
        ensemble: what was mapped.
        hardware: the chip.
        network: name of the network.
        batch: inputs computed at once.
        objective: what every mapping minimises.
        budget: overhead that is allowed.
        baseline: one full-precision network.
        members: in order of execution.
        combiner: None for a single member and where one is drawn.
        switches: mode changes between members, the one back to the first included; expected where one is drawn.
        switch_cycles: time of these [cycles]; switch_joules: leakage in that time [J].
        working_set_bytes: peak of live activations [B].
        equation6: what the paper's equation predicts.
        time_causes, storage_causes: why the simulated multiple is not the paper's sum; they add up to the difference.
        plan: what stays on the chip of all members, where that was chosen piece by piece.
    """

    ensemble: Ensemble
    hardware: Hardware
    network: str
    batch: int
    objective: Objective
    budget: float
    baseline: NetworkCost
    members: tuple[NetworkCost, ...]
    combiner: LayerCost | None
    switches: float
    switch_cycles: float
    switch_joules: float
    working_set_bytes: float
    equation6: Equation6
    time_causes: dict[str, float]
    storage_causes: dict[str, float]
    plan: Plan | None = None

    @property
    def one_in(self) -> int:
        """A member runs in one of so many inferences: in every one, unless it has to be drawn."""
        return _one_in(self.ensemble)

    @property
    def cycles(self) -> float:
        """Of the members, mode switches between them and the combiner [cycles]."""
        combiner = self.combiner.cycles if self.combiner else 0.0
        return sum(member.cycles for member in self.members) / self.one_in + self.switch_cycles + combiner

    @property
    def seconds(self) -> float:
        """[s]."""
        return self.cycles / self.hardware.clock

    @property
    def energy_joules(self) -> float:
        """[J]."""
        combiner = self.combiner.energy_joules if self.combiner else 0.0
        return sum(member.energy_joules for member in self.members) / self.one_in + self.switch_joules + combiner

    @property
    def dram_bytes(self) -> float:
        """Moved across the outermost memory's port, both ways [B]."""
        combiner = self.combiner.dram_bytes if self.combiner else 0.0
        return sum(member.dram_bytes for member in self.members) / self.one_in + combiner

    @property
    def mode_switches(self) -> float:
        """Mode changes inside members and between them."""
        return sum(member.switches for member in self.members) / self.one_in + self.switches

    @property
    def storage_bytes(self) -> float:
        """Stored parameters of all members [B]."""
        return sum(member.storage_bytes for member in self.members)

    @property
    def overhead(self) -> Overhead:
        """Against the baseline."""
        spent = self.baseline.energy_joules
        stored = self.baseline.storage_bytes
        return Overhead(
            time=self.cycles / self.baseline.cycles - 1,
            storage=self.storage_bytes / stored - 1 if stored else float(len(self.members) - 1),
            energy=self.energy_joules / spent - 1 if spent else None,
        )

    @property
    def within_budget(self) -> bool:
        """The verdict: see `Overhead.within`."""
        return self.overhead.within(self.budget)


def map_ensemble(
    ensemble: Ensemble,
    hardware: Hardware,
    network: Network | None = None,
    *,
    objective: Objective = "latency",
    budget: float = BUDGET,
    effort: float = EFFORT,
    mapper: Mapper = map_layer,
    progress: Progress | None = None,
    timeline: Sequence[Turn] | None = None,
) -> EnsembleCost:
    """Map every member and the baseline, and compare them.

    Args:
        network: the ensemble's own if not given; runs at the ensemble's batch either way.
        objective: what every mapping minimises.
        budget: overhead that is allowed.
        effort: see `hwsim.mapper.map_layer`.
        mapper: `hwsim.mapper.map_layer`, or what remembers its answers.
        progress: called with the number of layers mapped and their total.
        timeline: every layer of every member in order of execution, where that is not member by member; what stays on
            the chip by plan depends on it.

    Raises:
        SpecError: the network cannot be found or lacks layers that the ensemble names.
        Infeasible: a layer has no mapping or no mode, or resident weights do not fit.
    """
    if network is None:
        wanted = ensemble.network
        network = resolve(wanted.name, ensemble.batch, wanted.parameters, wanted.input_shape)
    network = network.with_batch(ensemble.batch)
    full = ensemble.full_precision_bits
    copies = ensemble.expanded()
    alone = precisions(network, full, full, "all", full)
    bits = [precisions(network, copy.weights, copy.activations, ensemble.quantize, full) for copy in copies]
    one_in = _one_in(ensemble)
    drawn = ensemble.combiner == "random_switch"
    predicted = equation6(network, hardware.datapath, bits, drawn=drawn)

    # The baseline is not asked to keep its weights where it cannot: narrower members may fit where it does not.
    policy: Weights = "auto" if ensemble.weights == "resident" else ensemble.weights
    search = (mapper, objective, effort, progress)
    one = solve_all([(network, alone)], hardware, policy, *search)
    several = [(network, own) for own in bits]
    all_of_them = solve_all(several, hardware, ensemble.weights, *search, one.tasks, timeline=timeline, drawn=drawn)
    baseline = assemble("baseline", network, hardware, alone, one, 0, plan=one.plan)
    shared = {source.name: max(own.tensors[source.name] for own in bits) for source in network.inputs}
    # The last member may let go of the input as soon as it has read it; so may one that runs alone.
    held = [{} if drawn else shared] * (len(copies) - 1) + [{}]
    members = tuple(
        assemble(copy.name or copy.precision, network, hardware, own, all_of_them, index, shared=later)
        for index, (copy, own, later) in enumerate(zip(copies, bits, held, strict=True))
    )
    combiner = combine(ensemble.combiner, len(members), network, hardware, full)
    following = product(members, repeat=2) if drawn else zip(members, (*members[1:], members[0]), strict=True)
    switches = sum(member.modes[-1:] != after.modes[:1] for member, after in following) / one_in**2
    switch_cycles = switches * hardware.datapath.reconfiguration
    waiting = 0.0 if drawn else network.output_elements * full / 8
    return EnsembleCost(
        ensemble=ensemble,
        hardware=hardware,
        network=network.name,
        batch=network.batch,
        objective=objective,
        budget=budget,
        baseline=baseline,
        members=members,
        combiner=combiner,
        switches=switches,
        switch_cycles=switch_cycles,
        switch_joules=static_power(hardware) * switch_cycles / hardware.clock,
        working_set_bytes=max(member.working_set_bytes + i * waiting for i, member in enumerate(members)),
        equation6=predicted,
        time_causes=_time_causes(hardware, predicted, baseline, members, one_in, switch_cycles, combiner, full),
        storage_causes=causes.difference(
            causes.STORAGE,
            causes.network_storage(baseline, full),
            [causes.network_storage(member, full) for member in members],
            [share.storage for share in predicted.shares],
        ),
        plan=all_of_them.plan,
    )


def _one_in(ensemble: Ensemble) -> int:
    return len(ensemble.expanded()) if ensemble.combiner == "random_switch" else 1


def _time_causes(
    hardware: Hardware,
    predicted: Equation6,
    baseline: NetworkCost,
    members: tuple[NetworkCost, ...],
    one_in: int,
    switch_cycles: float,
    combiner: LayerCost | None,
    full: int,
) -> dict[str, float]:
    rate = hardware.datapaths * float(hardware.datapath.throughput(full, full))
    spent = [
        causes.network_time(member, rate / share.time) for member, share in zip(members, predicted.shares, strict=True)
    ]
    return causes.difference(
        causes.TIME,
        causes.network_time(baseline, rate),
        [{cause: cycles / one_in for cause, cycles in parts.items()} for parts in spent],
        [share.time / one_in for share in predicted.shares],
        {causes.SWITCHES: switch_cycles, causes.COMBINER: combiner.cycles if combiner else 0.0},
    )
