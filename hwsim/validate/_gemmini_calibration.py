"""The durations that no source gives, from the cycles of the RTL on some of the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product as pairs

import numpy as np
from numpy.typing import NDArray

from hwsim.validate._gemmini_play import Durations
from hwsim.validate._gemmini_program import Program, Tiles

#: What each duration is a multiple of, and its bounds in these [cycles].
STEPS = {"product": 2.0, "convolution": 2.0, "line": 0.05, "latency": 2.0}
BOUNDS = {"product": (25, 150), "convolution": (25, 250), "line": (0, 160), "latency": (0, 50)}

#: Steps around what was found in which the two that trade with each other, line and latency, are looked for together.
NEAR = 5


def calibrate(programs: Sequence[Program], of: Sequence[Tiles], cycles: NDArray[np.float64]) -> Durations:
    """The durations for which the closed form comes closest: least mean of |log(ours / RTL)|.

    They are looked for one after another, then line and latency together, until nothing changes.
    """
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

    def at(found: Durations, **steps: int) -> Durations:
        return replace(found, **{name: many * STEPS[name] for name, many in steps.items()})

    found, before = at(Durations(0, 0, 0, 0), product=50, convolution=50, line=20), None
    while found != before:
        before = found
        for name, (low, high) in BOUNDS.items():
            found = min((found, *(at(found, **{name: many}) for many in range(low, high + 1))), key=loss)
        line, latency = round(found.line / STEPS["line"]), round(found.latency / STEPS["latency"])
        near = pairs(range(max(0, line - NEAR), line + NEAR + 1), range(max(0, latency - NEAR), latency + NEAR + 1))
        found = min((found, *(at(found, line=each, latency=other) for each, other in near)), key=loss)
    return found
