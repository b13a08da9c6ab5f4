"""Which ensembles a space holds, as arrays: every multiset of low-precision members beside M full-precision ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwsim.spec.ensemble import Combiner, Ensemble, Member, NetworkReference
from hwsim.spec.rules import Rule

#: Weight and activation bits of every member.
Copies = tuple[tuple[int, int], ...]

#: Multisets that can be numbered; nobody lives to see more of them.
_MOST = 1 << 61


@dataclass(frozen=True)
class Choices:
    """What the members of an ensemble are chosen from.

    Args:
        full_precision: values of M; low_precision: values of N.
        precisions: weight and activation bits that a low-precision member may have, ascending. One full-precision
            network has the index `len(precisions)` wherever precisions are numbered.
        full: width of full precision [bits].
    """

    full_precision: tuple[int, ...]
    low_precision: tuple[int, ...]
    precisions: tuple[tuple[int, int], ...]
    full: int

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Every (M, N) that has a member at all and can be filled."""
        return tuple(
            (several, low)
            for several in self.full_precision
            for low in self.low_precision
            if several + low and (self.precisions or not low)
        )


@dataclass(frozen=True)
class Block:
    """Ensembles with as many members each.

    Args:
        full_precision: M.
        members: index in `Choices.precisions` of every low-precision member, ascending in each row: shape [rows, N].
            The rows ascend, too.
    """

    full_precision: int
    members: NDArray[np.uint8]

    def copies(self, choices: Choices, row: int) -> Copies:
        """Weight and activation bits of every member of one ensemble, full precision first [bits]."""
        low = (choices.precisions[index] for index in self.members[row])
        return ((choices.full, choices.full),) * self.full_precision + tuple(low)


def count(choices: Choices) -> int:
    """How many ensembles there are."""
    return sum(multisets(len(choices.precisions), low) for _, low in choices.sizes)


def multisets(kinds: int, size: int) -> int:
    """How many ways there are to take so many of so many kinds, in no order."""
    return comb(kinds + size - 1, size) if size else 1


def blocks(choices: Choices, most: int = 1 << 18) -> Iterator[Block]:
    """Every ensemble once, always in the same order: by M, by N, then by members.

    Args:
        most: rows of a block.
    """
    kinds = len(choices.precisions)
    for several, low in choices.sizes:
        total = multisets(kinds, low)
        for first in range(0, total, most):
            yield Block(several, chosen(kinds, low, first, min(first + most, total)))


def chosen(kinds: int, size: int, first: int, last: int) -> NDArray[np.uint8]:
    """Multisets number `first` to `last` - 1 in lexicographic order, each ascending: shape [rows, size].

    All beginnings that some of them have are continued by one element at a time. Of the multisets of n elements that
    are u or more, H(kinds - u, n) - H(kinds - v, n) begin with one below v; H(k, n) are all of k kinds.
    """
    if kinds > np.iinfo(np.uint8).max + 1:
        raise ValueError(f"{kinds} precisions do not fit 8 bits")
    columns: list[NDArray[np.uint8]] = []
    least = np.zeros(1, dtype=np.intp)  # last element of every beginning
    number = np.zeros(1, dtype=np.int64)  # of the first multiset that has it
    for left in range(size, 0, -1):
        ways = [min(multisets(kinds - value, left - 1), _MOST) for value in range(kinds)]
        before = [multisets(kinds, left) - multisets(kinds - value, left) for value in range(kinds)]
        begins = np.array([min(earlier, _MOST) for earlier in before], dtype=np.int64)
        following = kinds - least
        parent = np.repeat(np.arange(len(least)), following)
        value = np.arange(len(parent)) - np.repeat(following.cumsum() - kinds, following)
        start = (number - begins[least])[parent] + begins[value]
        kept = (start < last) & (start + np.array(ways)[value] > first)
        parent, least, number = parent[kept], value[kept], start[kept]
        columns = [*(column[parent] for column in columns), least.astype(np.uint8)]
    return np.stack(columns, axis=1) if columns else np.empty((last - first, 0), dtype=np.uint8)


def members_text(copies: Sequence[tuple[int, int]], full: int) -> str:
    """Members in words, equal ones together: `2 fp + 2 w2a4 + w4a4`."""
    parts = []
    for (weights, activations), number in Counter(copies).items():
        name = "fp" if weights == activations == full else f"w{weights}a{activations}"
        parts.append(name if number == 1 else f"{number} {name}")
    return " + ".join(parts)


def ensemble_of(
    network: NetworkReference,
    quantize: Rule,
    combiner: Combiner,
    batch: int,
    weights: Literal["streamed", "resident", "auto", "planned"],
    full: int,
    copies: Sequence[tuple[int, int]],
    name: str | None = None,
) -> Ensemble:
    """One design's ensemble, as a user would write it.

    Args:
        weights: where they stay between inferences.
        full: width of full precision [bits].
        copies: weight and activation bits of every member, in the order in which they run [bits].
        name: its members in words if not given.
    """
    members = (Member(weights=w, activations=a, count=number) for (w, a), number in Counter(copies).items())
    return Ensemble(
        name=name or members_text(copies, full),
        network=network,
        members=tuple(members),
        combiner=combiner,
        quantize=quantize,
        full_precision_bits=full,
        batch=batch,
        weights=weights,
    )
