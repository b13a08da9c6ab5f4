"""What one design costs, mapped or played as a whole: for what cannot be added up of members priced alone."""

from __future__ import annotations

from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING, Literal

from hwsim.ensemble.ensemble_cost import map_ensemble
from hwsim.ensemble.solve import Mapper
from hwsim.mapper import Objective
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.hardware import Hardware

if TYPE_CHECKING:
    from hwsim.simulate.members.simulation import Player


def priced(
    ensemble: Ensemble,
    hardware: Hardware,
    timing: Literal["closed_form", "simulated"],
    objective: Objective,
    mapper: Mapper,
) -> dict[str, float]:
    """The columns of `hwsim.search.design.columns` that one ensemble on one chip tells.

    Args:
        timing: by the closed form, or played member by member, each for the whole batch.
        objective: what every mapping minimises.

    Raises:
        Infeasible: a layer has no mapping or no mode, or resident weights do not fit.
    """
    if timing == "closed_form":
        cost = map_ensemble(ensemble, hardware, objective=objective, mapper=mapper)
        over, baseline = cost.overhead, cost.baseline.cycles
        seconds, joules, time, energy = cost.seconds, cost.energy_joules, over.time, over.energy
    else:
        from hwsim.simulate.members.run import simulate_ensemble  # not above: it imports SimPy

        played = simulate_ensemble(
            ensemble, hardware, schedule="batched", objective=objective, mapper=mapper, player=_player()
        )
        cost, baseline = played.arrangement.cost, played.baseline.cycles
        seconds, joules = played.seconds, played.energy_joules
        time, energy = played.time_overhead, played.energy_overhead
    return {
        "time_overhead": time,
        "storage_overhead": cost.overhead.storage,
        "energy_overhead": nan if energy is None else energy,
        "seconds": seconds,
        "energy_joules": joules,
        "storage_bytes": cost.storage_bytes,
        "baseline_seconds": baseline / hardware.clock,
        "equation6_time": cost.equation6.sums.time - 1,
        "equation6_storage": cost.equation6.sums.storage - 1,
    }


@lru_cache(maxsize=1)
def _player() -> Player:
    """Plays equal layers once in this process, whichever designs they belong to."""
    from hwsim.simulate.layer.play import play
    from hwsim.simulate.members.simulation import Once

    return Once(play)
