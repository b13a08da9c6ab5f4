"""The durations that no source gives, from the cycles of the RTL on some of the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwsim.validate._gemmini_play import Durations
from hwsim.validate._gemmini_program import Program, Tiles

#: Where each duration is looked for [cycles].
GRIDS = {
    "product": np.arange(50, 301, 2.0),
    "convolution": np.arange(50, 501, 2.0),
    "line": np.arange(0, 8.01, 0.05),
    "latency": np.arange(0, 101, 2.0),
}


def calibrate(programs: Sequence[Program], of: Sequence[Tiles], cycles: NDArray[np.float64]) -> Durations:
    """The durations for which the closed form comes closest: least mean of |log(ours / RTL)|, one after another until none changes."""
    sizes = [tiles.count.size for tiles in of]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def joined(name: str) -> NDArray[np.float64]:
        return np.concatenate([getattr(tiles, name).ravel() for tiles in of])

    count, array, commands = joined("count"), joined("array"), joined("commands")
    beats, lines, written, touched = joined("beats"), joined("lines"), joined("written"), joined("touched")
    product = np.repeat([ran.is_product for ran in programs], sizes)
    in_flight = np.repeat([ran.commands_in_flight for ran in programs], sizes)

    def loss(durations: Durations) -> float:
        issue = np.where(product, durations.product, durations.convolution)
        moved = beats + durations.line * lines
        read = np.maximum(moved, (moved + durations.latency * commands) / in_flight)
        slowest = np.maximum(np.maximum(array, issue), read + written + durations.line * touched)
        return float(np.abs(np.log(np.add.reduceat(count * slowest, starts) / cycles)).mean())

    found = Durations(convolution=100, product=100, line=1, latency=0)
    before = None
    while found != before:
        before = found
        for name, grid in GRIDS.items():
            found = min((found, *(replace(found, **{name: float(value)}) for value in grid)), key=loss)
    return found
