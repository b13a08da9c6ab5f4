"""What stays on the chip: the choice that saves most traffic with the outermost memory, among all that fit.

Whatever could stay is an item: it takes room in one memory, its home, from one step of the chip's work to another, and
spares the outermost memory some bytes. Choosing among items under the room there is at every step is a 0/1 programme,

    maximise sum_i saves_i x_i   with   sum_(i live at t) bits_i x_i <= room_t   for every home and step t,

which HiGHS solves by branch and bound (a temporal knapsack). Where `NODES` of its tree do not suffice for a proof, the
best choice found is taken, and the plan says how far it may be from the best there is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Literal

import numpy as np

from hwsim.ensemble.stay import Home
from hwsim.operators.nest import Operand

#: One layer of one member: their indices. A timeline is all of them in order of execution, views included.
Turn = tuple[int, int]

#: Nodes of its search tree that the solver visits, at most.
NODES = 2_000

Kind = Literal["weights", "activations", "input"]


@dataclass(frozen=True)
class Use:
    """What one layer would move to or from the outermost memory, and does not where the item stays.

    Args:
        turn: the layer.
        operand: as which it takes part.
        source: the tensor, as the layer names what it reads; empty for stored parameters and for what the layer makes.
        saves: per inference [B].
        brings: this layer reads it from the outermost memory all the same, and leaves it on the chip.
    """

    turn: Turn
    operand: Operand
    source: str = ""
    saves: float = 0.0
    brings: bool = False


@dataclass(frozen=True)
class Span:
    """Room taken from one position of the timeline to another, both included.

    Args:
        bits: [bits].
    """

    first: int
    last: int
    bits: int


@dataclass(frozen=True)
class Item:
    """Something that could stay on the chip.

    Args:
        kind: the stored parameters of a layer, tensors between layers of one member, or network inputs.
        member: whose; None for what all members share.
        name: of the layer or of the tensors; together with kind and member it is unique.
        home: where it would stay.
        spans: when, and how much room it takes; tensors that a view joins have one each.
        uses: who moves less.
    """

    kind: Kind
    member: int | None
    name: str
    home: Home
    spans: tuple[Span, ...]
    uses: tuple[Use, ...]

    @cached_property
    def saves(self) -> float:
        """Bytes per inference that the outermost memory is spared [B]."""
        return sum(use.saves for use in self.uses)

    @cached_property
    def bits(self) -> int:
        """Room taken when it is largest [bits]."""
        return max(self.at(span.first) for span in self.spans)

    @property
    def steps(self) -> tuple[int, int]:
        """First and last position at which it is on the chip."""
        return min(span.first for span in self.spans), max(span.last for span in self.spans)

    def at(self, position: int) -> int:
        """Room taken at a position of the timeline [bits]."""
        return sum(span.bits for span in self.spans if span.first <= position <= span.last)


@dataclass(frozen=True)
class Plan:
    """What stays on the chip, and when.

    Args:
        timeline: every layer of every member, in order of execution.
        room: what may stay at every position of the timeline, by home [bits].
        kept: items that stay; left: items that do not.
        gap: part by which any other choice may save more; 0 where it is proven that none does.
    """

    timeline: tuple[Turn, ...]
    room: Mapping[Home, tuple[float, ...]] = field(hash=False)
    kept: tuple[Item, ...] = ()
    left: tuple[Item, ...] = ()
    gap: float = 0.0

    @property
    def saves(self) -> float:
        """Bytes per inference that the outermost memory is spared while every mapping stays as it is [B]."""
        return sum(item.saves for item in self.kept)

    def weight_bits(self, member: int) -> int:
        """Stored parameters of a member that stay [bits]."""
        return sum(item.bits for item in self.kept if item.kind == "weights" and item.member == member)

    def taken(self, home: Home) -> tuple[int, ...]:
        """Room taken at every position of the timeline [bits]."""
        change = [0] * (len(self.timeline) + 1)
        for span in (span for item in self.kept if item.home == home for span in item.spans):
            change[span.first] += span.bits
            change[span.last + 1] -= span.bits
        return tuple(accumulate(change[:-1]))


def choose(
    timeline: Sequence[Turn],
    items: Iterable[Item],
    room: Mapping[Home, Sequence[float]],
    refused: Iterable[Item] = (),
) -> Plan:
    """The items that save most, all together, in the room there is.

    Args:
        timeline: every layer of every member, in order of execution.
        items: what could stay; its spans are positions of the timeline.
        room: what may stay at every position, by home [bits].
        refused: items that stay under no circumstances.
    """
    every = tuple(items)
    worth = [item for item in every if item.saves > 0]
    limits = _limits(worth, room, len(timeline))
    chosen, gap = set[int](), 0.0
    cuts: list[set[int]] = []
    while worth:
        chosen, gap = _solved(worth, limits, cuts)
        # The solver works to a tolerance; room is a matter of whole bits.
        over = [row for row, most in limits if sum(row[i] for i in chosen & row.keys()) > most]
        if not over:
            break
        cuts += [chosen & row.keys() for row in over]
    kept = tuple(item for i, item in enumerate(worth) if i in chosen)
    names = {id(item) for item in kept}
    left = (*(item for item in every if id(item) not in names), *refused)
    return Plan(tuple(timeline), {home: tuple(bits) for home, bits in room.items()}, kept, left, gap)


#: Bits of each item that is live at a position, by its index.
Row = dict[int, int]


def _limits(items: Sequence[Item], room: Mapping[Home, Sequence[float]], positions: int) -> list[tuple[Row, float]]:
    """Distinct constraints: what is live together in one home, and the least room that it ever has."""
    least: dict[bytes, float] = {}
    for home, most in room.items():
        table = np.zeros((positions, len(items)), dtype=np.int64)
        for i, item in enumerate(items):
            for span in item.spans if item.home == home else ():
                table[span.first : span.last + 1, i] += span.bits
        for row, bits in zip(table, most, strict=True):
            key = row.tobytes()
            if row.sum() > bits:
                least[key] = min(least.get(key, bits), bits)
    rows = ((np.frombuffer(key, dtype=np.int64), bits) for key, bits in least.items())
    return [({int(i): int(row[i]) for i in np.flatnonzero(row)}, bits) for row, bits in rows]


def _solved(
    items: Sequence[Item], limits: Sequence[tuple[Row, float]], cuts: Sequence[set[int]]
) -> tuple[set[int], float]:
    """Indices of the items that save most, and by which part others may save more.

    Args:
        cuts: sets of items that may not all stay.
    """
    if not limits:
        return set(range(len(items))), 0.0
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import lil_array

    table = lil_array((len(limits) + len(cuts), len(items)))
    most = np.ones(table.shape[0])
    for number, (row, room) in enumerate(limits):
        for i, bits in row.items():
            table[number, i] = bits / room if room else 2.0
    for number, cut in enumerate(cuts, start=len(limits)):
        for i in cut:
            table[number, i] = 1.0
        most[number] = len(cut) - 1
    with _nothing_printed():
        found = milp(
            [-item.saves for item in items],
            integrality=np.ones(len(items)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(table.tocsr(), ub=most),
            options={"mip_rel_gap": 0.0, "node_limit": NODES},
        )
    assert found.x is not None, found.message  # nothing at all is always a choice
    return {i for i, value in enumerate(found.x) if value > 0.5}, float(found.mip_gap)


@contextmanager
def _nothing_printed() -> Iterator[None]:
    """HiGHS now and then prints where the data goes, from below Python."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is no standard output
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
