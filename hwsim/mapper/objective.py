"""What a search minimises, and what a whole layer adds to its accesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.cost.energy import leakage_power, mac_energy
from hwsim.cost.problem import Problem
from hwsim.mapper.arrays import Floats

Objective = Literal["latency", "energy", "edp"]

_VALUES: dict[Objective, Callable[[Floats, Floats], Floats]] = {
    "latency": lambda energy, time: np.broadcast_arrays(energy, time)[1],
    "energy": lambda energy, time: np.broadcast_arrays(energy, time)[0],
    # Bounds may fall below zero, and the product of two that do would be no bound.
    "edp": lambda energy, time: np.maximum(energy, 0.0) * time,
}


@dataclass(frozen=True)
class Goal:
    """Latency [cycles], energy [J] or their product, of a layer with launch, leakage and multiplies counted in.

    Args:
        launch: cycles that every mapping pays.
        multiplies: joules that every mapping pays.
        leakage: static energy of a cycle [J].
    """

    objective: Objective
    launch: float
    multiplies: float
    leakage: float

    @staticmethod
    def of(problem: Problem, objective: Objective) -> Goal:
        clock = problem.hardware.clock
        return Goal(objective, problem.hardware.launch * clock, mac_energy(problem), leakage_power(problem) / clock)

    @property
    def sees_energy(self) -> bool:
        """Whether accesses matter to it."""
        return self.objective != "latency"

    @property
    def sees_time(self) -> bool:
        """Whether cycles matter to it."""
        return self.objective != "energy" or self.leakage > 0

    def joules(self, accesses: Floats, time: Floats) -> Floats:
        """Energy of the layer [J] from that of its accesses [J] and its time without launch [cycles]."""
        leaked = self.leakage * (time + self.launch) if self.leakage else 0.0  # not 0 * inf
        return np.asarray(accesses + self.multiplies + leaked)

    def __call__(self, accesses: Floats, time: Floats) -> Floats:
        """Value of the objective; the arguments are those of `joules`."""
        return _VALUES[self.objective](self.joules(accesses, time), np.asarray(time + self.launch))
