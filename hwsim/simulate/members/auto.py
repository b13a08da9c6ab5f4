"""The best schedule for an aim, and why it is: every schedule is played, and their times are taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from hwsim.errors import Infeasible
from hwsim.simulate.members.arrange import Schedule
from hwsim.simulate.members.simulation import Simulation

#: latency: the answer to the first input as early as can be, then the answers to all; throughput: most inputs in a
#: second, round after round, the mode switch back to the start included.
Aim = Literal["latency", "throughput"]

#: Schedules in the order in which they win where they are equal: the simplest first.
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)


@dataclass(frozen=True)
class Candidate:
    """A schedule that was played.

    Args:
        schedule: its name.
        simulation: what it came to.
        batch: inputs that ask for an answer at once.
    """

    schedule: Schedule
    simulation: Simulation
    batch: int

    @property
    def first_cycles(self) -> float:
        """Until the first answer is there [cycles]."""
        return self.simulation.cycles

    @property
    def all_cycles(self) -> float:
        """Until the answers to a batch are there [cycles]."""
        return self.simulation.cycles * -(-self.batch // self.simulation.inputs)

    @property
    def throughput(self) -> float:
        """In steady state [inputs/s]."""
        return self.simulation.inputs / self.simulation.seconds

    @property
    def causes(self) -> dict[str, float]:
        """What an input's time consists of [cycles/input]: see `Simulation.time_causes`."""
        return {cause: cycles / self.simulation.inputs for cause, cycles in self.simulation.time_causes.items()}


@dataclass(frozen=True)
class Choice:
    """The schedule that serves an aim best.

    Args:
        aim: what it is best for.
        candidates: the schedules that were played, the best first.
        refused: the others, each with the reason why it was not.
    """

    aim: Aim
    candidates: tuple[Candidate, ...]
    refused: Mapping[Schedule, str]

    @property
    def best(self) -> Candidate:
        """The winner."""
        return self.candidates[0]

    def saved(self, other: Candidate) -> dict[str, float]:
        """Where the winner saves time against another schedule, or pays with it (negative) [cycles/input]."""
        causes = dict.fromkeys((*other.causes, *self.best.causes))
        return {cause: other.causes.get(cause, 0.0) - self.best.causes.get(cause, 0.0) for cause in causes}


def choose(aim: Aim, batch: int, members: int, simulated: Callable[[Schedule], Simulation]) -> Choice:
    """Play every schedule that applies, and take the best.

    Args:
        batch: inputs that ask for an answer at once.
        members: of the ensemble.
        simulated: plays a schedule.

    Raises:
        Infeasible: a layer has no mapping, whatever the schedule.
    """
    candidates, refused = list[Candidate](), dict[Schedule, str]()
    for schedule in SCHEDULES:
        if why_not := _same_as_serial(schedule, batch, members):
            refused[schedule] = why_not
            continue
        try:
            candidates.append(Candidate(schedule, simulated(schedule), batch))
        except Infeasible as error:
            if schedule == "serial":
                raise
            refused[schedule] = error.message
    return Choice(aim, tuple(sorted(candidates, key=lambda candidate: _rank(aim, candidate))), refused)


def _rank(aim: Aim, candidate: Candidate) -> tuple[float, float]:
    if aim == "latency":
        return candidate.first_cycles, candidate.all_cycles
    return -candidate.throughput, candidate.first_cycles


def _same_as_serial(schedule: Schedule, batch: int, members: int) -> str:
    if schedule == "batched" and batch == 1:
        return "the same as serial at batch 1"
    if schedule in ("interleaved", "partitioned") and members == 1:
        return "there is one member"
    return ""
