"""What stays on the chip by plan, as a plain object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a record that comes from the cache is printed without them
    from hwsim.ensemble.network_cost import NetworkCost
    from hwsim.ensemble.plan import Item, Plan, Turn

Record = dict[str, Any]


def plan_record(plan: Plan, members: Sequence[NetworkCost]) -> Record:
    """A plan with the names of members and layers.

    Args:
        members: whose layers its timeline names.
    """

    def place(turn: Turn) -> Record:
        member = members[turn[0]]
        return {"member": member.name, "layer": member.layers[turn[1]].name}

    def item(given: Item) -> Record:
        first, last = given.steps
        return {
            "kind": given.kind,
            "member": None if given.member is None else members[given.member].name,
            "name": given.name,
            "memory": given.home[1],
            "bytes": given.bits / 8,
            "from": place(plan.timeline[first]),
            "until": place(plan.timeline[last]),
            "dram_bytes_saved": given.saves,
        }

    homes = []
    for home, room in plan.room.items():
        taken = plan.taken(home)
        fullest = max(range(len(taken)), key=lambda position: taken[position])
        homes.append(
            {
                "memory": home[1],
                "room_bytes": room[fullest] / 8,
                "fullest_bytes": taken[fullest] / 8,
                "fullest_at": place(plan.timeline[fullest]),
            }
        )
    return {
        "dram_bytes_saved": plan.saves,
        "gap": plan.gap,
        "memories": homes,
        "kept": [item(kept) for kept in plan.kept],
        "left": [item(left) for left in plan.left],
    }
