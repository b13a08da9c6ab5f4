"""Partial mappings, built from the datapath outwards: a table with one mapping a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.mapper.arrays import Bools, Floats, Ints

_COLUMNS = ("tile", "inner", "steps", "wave", "energy", "ports", "spread", "series", "value")


@dataclass(frozen=True)
class Partial:
    """Partial mappings. Costs are lower bounds.

    Args:
        tile: extent of each dimension inside the boundary reached, shape [rows, dims].
        inner: product of the temporal bounds so far, shape [rows, dims].
        steps: iterations in lock step over each whole dimension if nothing more is unrolled, shape [rows, dims].
        wave: the innermost level's tile times what is unrolled outside it, shape [rows, dims].
        energy: of everything inside [J]; ports: of every port's time [cycles], shape [rows, ports].
        spread: how much more than its even share the busiest instance does below the fan-out last unrolled.
        series: first and last waves of the levels passed [cycles].
        value: of the objective, for any completion.
        tiles: tiles chosen, from the innermost level outwards; shape [rows, dims] each.
        ways: unrollings chosen, as indices, from the innermost level outwards.
    """

    tile: Ints
    inner: Ints
    steps: Ints
    wave: Ints
    energy: Floats
    ports: Floats
    spread: Floats
    series: Floats
    value: Floats
    tiles: tuple[Ints, ...] = ()
    ways: tuple[Ints, ...] = ()

    def __len__(self) -> int:
        return len(self.tile)

    def rows(self, pick: Ints | Bools | slice) -> Partial:
        """Some of the mappings."""
        taken = {name: getattr(self, name)[pick] for name in _COLUMNS}
        return Partial(**taken, tiles=tuple(t[pick] for t in self.tiles), ways=tuple(w[pick] for w in self.ways))


def nothing_yet(sizes: Ints, energy: float, ports: tuple[float, ...], value: float) -> Partial:
    """The one mapping that has no loops yet, what all mappings pay alike, and the bound of them all."""
    ones, none = np.ones((1, len(sizes)), dtype=np.int64), np.zeros(1)
    return Partial(
        tile=ones, inner=ones, steps=sizes[None, :], wave=ones, energy=none + energy, ports=np.array([ports]),
        spread=none + 1, series=none, value=none + value,
    )  # fmt: skip


def joined(parts: Sequence[Partial]) -> Partial:
    """All rows of several tables."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    tiles = zip(*(part.tiles for part in parts), strict=True)
    ways = zip(*(part.ways for part in parts), strict=True)
    return Partial(**columns, tiles=tuple(map(np.concatenate, tiles)), ways=tuple(map(np.concatenate, ways)))
