"""Types and small steps that every array program of the mapper shares."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[Any]
Bools: TypeAlias = NDArray[Any]


def columns(array: NDArray[Any]) -> list[NDArray[Any]]:
    """Columns of a table, one array a dimension."""
    return [array[:, i] for i in range(array.shape[1])]


def ceil_div(numerator: Any, denominator: Any) -> Any:
    """Quotient rounded up, exact for integers."""
    return -(-numerator // denominator)


def volume(table: NDArray[Any]) -> Floats:
    """Product along the last axis, in floating point since it may pass 64 bits."""
    return np.asarray(np.asarray(table, dtype=np.float64).prod(axis=-1))
