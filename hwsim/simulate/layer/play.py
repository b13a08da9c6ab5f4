"""One mapped layer on the chip, event by event.

Tiles are moved in the order of the mapping's loops, as early as there is room for them: a memory takes them in the
order in which the datapath will need them, so that a tile of a later block never keeps out one of an earlier. A
transfer queues for the port that it is read through, then for the one that it is written through; its last word is
written no earlier than it was read. The datapath begins a block when the tiles of all operands are there, and reads and
writes through the ports of the memories next to it while it computes. Partial sums are read back once those of all
tiles but the one before have been written.

How a memory is buffered decides when a tile may be used and when its room is free again:

  double     a tile is used when all of it has come, and leaves as a whole; the memory holds as many as fit
  streaming  an iteration of the level's own loops waits for no more than what it uses, and what it used last makes room
             at once; next to the datapath tiles take each other's place word by word, and a block ends no earlier than
             the last word has come, or gone
  single     as double, and the array rests while the memory is filled or read
"""

from __future__ import annotations

from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import VECTOR
from hwsim.simulate.layer.blame import LAUNCH
from hwsim.simulate.layer.played import Played, Slice
from hwsim.simulate.layer.player import Player


def play(cost: LayerCost, *, exact: bool = False, record: bool = False, bounded: bool = True) -> Played:
    """Play a mapped layer.

    A layer that multiplies nothing streams through the vector unit and takes its closed form.

    Args:
        cost: with its problem, as `hwsim.price` and `map_ensemble` give it.
        exact: play every tile, although the state of the chip repeats itself.
        record: keep what every resource did when.
        bounded: whether ports and memories have limits; without them the time is the closed form's compute.

    Raises:
        ValueError: something is multiplied, but by which mapping of which problem is not said.
    """
    if not cost.macs:
        return _streamed(cost, record)
    if cost.problem is None or cost.mapping is None:
        raise ValueError(f"layer {cost.name} lacks its problem or its mapping")
    return Player(cost, exact, record, bounded).run()


def _streamed(cost: LayerCost, record: bool) -> Played:
    """A layer of the vector unit: one pass that overlaps with itself, as long as the slowest of its parts."""
    launch = cost.busy.get(LAUNCH, 0.0)
    parts = {part.removesuffix(" bandwidth"): cycles for part, cycles in cost.busy.items() if part != LAUNCH and cycles}
    slowest = max(parts, key=lambda part: parts[part], default=VECTOR)
    stalls = {LAUNCH: launch, slowest: cost.cycles - launch}
    return Played(
        cycles=cost.cycles,
        busy={"compute": 0.0, **parts},
        stalls={cause: cycles for cause, cycles in stalls.items() if cycles},
        moved={
            (str(x.level), x.memory, str(x.operand)): (float(x.read_bits), float(x.write_bits)) for x in cost.traffic
        },
        peak={},
        tiles=0,
        events=0,
        skipped=0,
        slices=tuple(Slice(part, cost.name, launch, cycles) for part, cycles in parts.items()) if record else (),
    )
