"""Sums over the members of a block's ensembles, for all of them at once.

A term of every member, or of every two that follow each other, is looked up in a table by their precisions. The indices
are the block's own, made once, whichever chip's table they look into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.search.design.ensembles import Block

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

Numbers = TypeVar("Numbers", bound=NDArray[Any])

#: Sums that are remembered: chips whose tables are alike have them in common.
REMEMBERED = 16


class Rows:
    """The ensembles of a block as indices into tables of precisions, full precision last.

    Args:
        precisions: number of low precisions.
    """

    def __init__(self, block: Block, precisions: int) -> None:
        self.block = block
        self.several = block.full_precision
        self.count: int
        self.low: int
        self.count, self.low = block.members.shape
        self.kinds = precisions + 1
        self._known: dict[tuple[str, bytes], Any] = {}

    @property
    def members(self) -> int:
        """Of each ensemble."""
        return self.several + self.low

    @cached_property
    def _singles(self) -> tuple[Indices, ...]:
        """Precision of every low-precision member."""
        return tuple(np.ascontiguousarray(column, dtype=np.intp) for column in self.block.members.T)

    @cached_property
    def _following(self) -> tuple[Indices, ...]:
        """Precisions of every two members that follow each other, a low-precision one among them; the first follows the
        last."""
        if not self.low:
            return ()
        ends = [np.full(self.count, self.kinds - 1)] if self.several else []
        ring = [*ends, *self._singles]
        return tuple(before * self.kinds + after for before, after in pairwise([*ring, ring[0]]))

    @cached_property
    def _couples(self) -> tuple[Indices, ...]:
        """Precisions of every two low-precision members."""
        return tuple(one * self.kinds + other for one, other in combinations(self._singles, 2))

    def once(self, name: str, table: NDArray[Any], made: Callable[[], Numbers]) -> Numbers:
        """What follows from one table alone, made once for all chips in a row that have the same."""
        key = name, table.tobytes()
        if key not in self._known:
            result = made()
            result.flags.writeable = False
            if len(self._known) == REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = result
        known: Numbers = self._known[key]
        return known

    def total(self, table: Floats, situations: Indices | None = None) -> Floats:
        """Sum of a term of every member.

        Args:
            table: the term by situation and precision.
            situations: of every ensemble; 0 for all if not given.
        """
        constant = self.several * table[:, -1] if self.several else np.zeros(len(table))  # which may be no number
        paired = 2 * (self.low // 2) if table.size * self.kinds < self.count else 0
        terms = [(table, self._singles[paired:])]
        if paired:  # half the look-ups, in a table that is still small beside the block
            couples = (table[:, :, None] + table[:, None, :]).reshape(len(table), -1)
            terms.append((couples, self._following[bool(self.several) : -1 : 2][: paired // 2]))
        return _gathered(terms, constant, self.count, situations)

    def changes(self, table: NDArray[np.bool_], drawn: bool) -> Floats:
        """Mode changes between the members of one inference.

        Args:
            table: whether the mode changes, by the precisions of the member before and the member after.
            drawn: expected from one inference to the next, each by any of the K members; the change is then 1/K^2 for
                every ordered pair of members that makes one.
        """
        several, change = self.several, table.astype(np.float64)
        if not drawn:
            alone = several if not self.low else max(0, several - 1)  # full precision follows full precision
            return _gathered([(change.reshape(1, -1), self._following)], change[-1:, -1] * alone, self.count)
        both = change + change.T
        own = change.diagonal() + several * both[-1]
        constant = np.array([several**2 * change[-1, -1]])
        terms = [(both.reshape(1, -1), self._couples), (own[None, :], self._singles)]
        return _gathered(terms, constant, self.count) / self.members**2


def _gathered(
    terms: Sequence[tuple[Floats, Sequence[Indices]]], constant: Floats, count: int, situations: Indices | None = None
) -> Floats:
    """Sum of entries of tables at some places of every row, and of what all rows of a situation have in common.

    Args:
        terms: tables of shape [situations, places], each with the places to look at.
    """
    if situations is not None and (first := int(situations[0])) == situations.max() == situations.min():
        terms, constant, situations = [(table[first:][:1], places) for table, places in terms], constant[first:], None
    result = np.full(count, constant[0]) if situations is None else constant[situations]
    looked_up = np.empty(count)
    for table, places in terms:
        entries = table.ravel()
        offset = None if situations is None else situations * table.shape[1]
        for place in places:
            # No index is out of range; `clip` is the mode that does not look after that.
            np.take(entries, place if offset is None else place + offset, out=looked_up, mode="clip")
            result += looked_up
    return result
