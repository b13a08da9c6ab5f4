"""Players in place of the simulator, and what they say that a layer takes."""

from __future__ import annotations

from hwsim.cost.layer import LayerCost
from hwsim.simulate.layer.played import Played


def slow(cost: LayerCost) -> Played:
    """Twice the closed form, half of it computing and the rest waiting; traffic as the closed form has it."""
    moved = {
        (f"level {access.level}", access.memory, str(access.operand)): (access.read_bits, access.write_bits)
        for access in cost.traffic
    }
    return Played(2 * cost.cycles, {"compute": cost.cycles}, {"waiting": cost.cycles}, moved, {}, 1, 3, 0)


def faithful(cost: LayerCost) -> Played:
    """The closed form: what is not computing is launch and waiting for memory."""
    compute, launch = cost.busy.get("compute", 0.0), cost.busy.get("launch", 0.0)
    stalls = {"launch": launch, "memory": cost.cycles - compute - launch}
    return Played(cost.cycles, {"compute": compute}, stalls, {}, {}, 1, 1, 0)
