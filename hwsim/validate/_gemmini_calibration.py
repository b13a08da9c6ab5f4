"""The durations that no source gives, from the cycles of the RTL on some of the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwsim.validate._gemmini_play import Durations
from hwsim.validate._gemmini_program import Program, Tiles

#: Where each duration is looked for [cycles].
GRIDS = {"product": np.arange(50, 301, 2.0), "convolution": np.arange(50, 501, 2.0), "line": np.arange(0, 8.01, 0.05)}

#: Times that every duration is looked for again, given the others.
ROUNDS = 4


def calibrate(programs: Sequence[Program], of: Sequence[Tiles], cycles: NDArray[np.float64]) -> Durations:
    """The durations for which the closed form comes closest: least mean of |log(ours / RTL)|, by coordinate descent."""
    sizes = [tiles.count.size for tiles in of]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    count, array = (np.concatenate([getattr(each, name).ravel() for each in of]) for name in ("count", "array"))
    beats = np.concatenate([(each.beats + each.written).ravel() for each in of])
    lines = np.concatenate([(each.lines + each.touched).ravel() for each in of])
    product = np.repeat([ran.is_product for ran in programs], sizes)

    def loss(durations: Durations) -> float:
        issue = np.where(product, durations.product, durations.convolution)
        slowest = np.maximum(np.maximum(array, issue), beats + durations.line * lines)
        return float(np.abs(np.log(np.add.reduceat(count * slowest, starts) / cycles)).mean())

    found = Durations(100, 100, 1)
    for _ in range(ROUNDS):
        for name, grid in GRIDS.items():
            found = min((replace(found, **{name: float(value)}) for value in grid), key=loss)
    return found
