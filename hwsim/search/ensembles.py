"""Which ensembles a space holds, as arrays: every multiset of low-precision members beside M full-precision ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True)
class Block:
    """Ensembles with as many members each.

    Args:
        full_precision: M.
        members: index in `Choices.precisions` of every low-precision member, ascending in each row: shape [rows, N].
    """

    full_precision: int
    members: NDArray[np.uint8]
