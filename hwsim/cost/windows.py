"""Distinct positions of a sliding window: what tiles of outputs and taps touch of the input.

Two pairs (p, r) touch one position p*stride + r*dilation exactly when p differs by d and r by s, the dilation and
stride divided by their common divisor. In a tile of P outputs and R taps every position but the first of such a chain
is counted out once, which leaves P*R - (P - d)+ (R - s)+.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import product
from math import gcd

import numpy as np
from numpy.typing import NDArray

from hwsim.operators.nest import LoopNest

#: Dimensions that share a window: outputs and taps, vertical and horizontal.
WINDOWS = (("P", "R"), ("Q", "S"))


def reaches(nest: LoopNest, axis: int) -> tuple[int, int]:
    """Distances (d, s) at which outputs and taps of a window meet: vertical for axis 0, horizontal for 1."""
    common = gcd(nest.stride[axis], nest.dilation[axis])
    return nest.dilation[axis] // common, nest.stride[axis] // common


@lru_cache(maxsize=4096)
def union_words(
    sizes: tuple[int, int],
    loops: tuple[tuple[tuple[int, int, bool], ...], tuple[tuple[int, int, bool], ...]],
    reach: tuple[int, int],
) -> int:
    """Positions read over a run when instances that run together read each position once, wherever their tiles lie.

    Needed only where a loop in time separates the tiles of neighbouring instances; the closed form above assumes that
    they adjoin.

    Args:
        sizes: outputs and taps.
        loops: for outputs and for taps, loops outermost first: (bound, tile inside, whether instances read together).
        reach: as `reaches` gives it.
    """
    outputs, taps = (_shapes(size, own) for size, own in zip(sizes, loops, strict=True))
    dilation, stride = reach
    return sum(
        times * often * len({p * stride + r * dilation for p in tile for r in window})
        for (tile, times), (window, often) in product(outputs.items(), taps.items())
    )


def _shapes(size: int, loops: tuple[tuple[int, int, bool], ...]) -> Counter[tuple[int, ...]]:
    """Tiles that are read together, moved to start at zero, and how often each occurs."""
    apart: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
    together: NDArray[np.int64] = np.arange(loops[-1][1] if loops else size)
    for bound, inside, merged in loops:
        steps = np.arange(bound) * inside
        if merged:
            together = (together[:, None] + steps).ravel()
        else:
            apart = (apart[:, None] + steps).ravel()
    found: Counter[tuple[int, ...]] = Counter()
    for start in apart:
        tile = np.unique(together[start + together < size])
        if len(tile):
            found[tuple(int(x) for x in tile - tile[0])] += 1
    return found
