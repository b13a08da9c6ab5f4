"""Amounts that depend on where a loop nest stands, as sums of products of small tables.

A tile is a Cartesian product over dimensions, so what moves with it is a product of factors, each of which depends on
the loops over one or two dimensions alone. A table keeps the factors: they stay small however many visits there are,
and the sum over all visits is a product of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Positions of loops in a program, in rising order, and a value for each combination of their digits.
Factor: TypeAlias = tuple[tuple[int, ...], NDArray[np.int64]]

#: A scale and the factors that it multiplies; no position occurs twice.
Term: TypeAlias = tuple[int, tuple[Factor, ...]]

#: Factors are multiplied out as long as the product has no more values than this.
_SMALL = 4096


@dataclass(frozen=True, eq=False)
class Table:
    """A sum of terms over the digits of some loops.

    Args:
        terms: each is zero wherever the loops have no work.
    """

    terms: tuple[Term, ...] = ()

    @staticmethod
    def of(*terms: tuple[int, Iterable[Factor]]) -> Table:
        """Sum of terms: factors without positions are drawn into the scale, terms of the same factors into one."""
        sums: dict[tuple[int, ...], Term] = {}
        for scale, factors in terms:
            kept: list[Factor] = []
            for factor in factors:
                if factor[0]:
                    kept.append(factor)
                else:
                    scale *= int(factor[1])
            same = tuple(id(array) for _, array in kept)
            before = sums[same][0] if same in sums else 0
            sums[same] = (before + scale, tuple(kept))
        return Table(tuple(term for term in sums.values() if term[0]))

    def __add__(self, other: Table) -> Table:
        return Table.of(*self.terms, *other.terms)

    def scaled(self, scale: int) -> Table:
        """Every value times a number."""
        return Table.of(*((scale * own, factors) for own, factors in self.terms))

    def at(self, index: Sequence[int]) -> int:
        """Value where the loops stand at these digits; digits further in than the table reaches are not looked at."""
        total = 0
        for scale, lookups in self._compiled:
            value = scale
            for values, places in lookups:
                offset = 0
                for position, stride in places:
                    offset += index[position] * stride
                value *= values[offset]
            total += value
        return total

    def total(self) -> int:
        """Sum over all combinations of digits."""
        return sum(scale * prod(int(array.sum()) for _, array in factors) for scale, factors in self.terms)

    @cached_property
    def _compiled(self) -> tuple[tuple[int, tuple[tuple[list[int], tuple[tuple[int, int], ...]], ...]], ...]:
        """Terms with flat lists instead of arrays, as few of them as stay small."""
        result = []
        for scale, factors in _united(self.terms):
            lookups = tuple((array.ravel().tolist(), places(positions, array.shape)) for positions, array in factors)
            result.append((scale, lookups))
        return tuple(result)


def places(positions: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Position and distance of neighbours in the flat list, for each axis that has any."""
    return tuple((position, prod(shape[axis + 1 :])) for axis, position in enumerate(positions) if shape[axis] > 1)


def _united(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The same sum with small factors multiplied out, and small terms added up."""
    small: Factor | None = None
    large: list[Term] = []
    for scale, factors in terms:
        done: list[Factor] = []
        for factor in sorted(factors, key=lambda each: each[1].size):
            if done and done[-1][1].size * factor[1].size <= _SMALL:
                done[-1] = _combined(done[-1], factor, np.multiply)
            else:
                done.append(factor)
        if len(done) > 1:
            large.append((scale, tuple(done)))
            continue
        positions, array = done[0] if done else ((), np.ones((), dtype=np.int64))
        whole = (positions, array * scale)
        small = whole if small is None else _combined(small, whole, np.add)
    return (*large, (1, (small,))) if small is not None else tuple(large)


def _combined(
    a: Factor, b: Factor, operation: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]
) -> Factor:
    """An operation on the values of two factors, on the digits of both."""
    positions = tuple(sorted({*a[0], *b[0]}))
    return positions, operation(_spread(a, positions), _spread(b, positions))


def _spread(factor: Factor, positions: tuple[int, ...]) -> NDArray[np.int64]:
    """A factor's array with an axis for each position, 1 long where it does not depend on it."""
    own, array = factor
    bounds = dict(zip(own, array.shape, strict=True))
    return array.reshape([bounds.get(position, 1) for position in positions])
