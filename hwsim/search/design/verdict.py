"""Whether a design keeps to a constraint: exactly the limit does, wherever it is asked.

Sums of floating-point numbers need some room: a share is judged like `hwsim.ensemble.ensemble_cost.Overhead.within`,
with `TOLERANCE` of 1 + limit, and a quantity that has a unit with as much of the limit itself. What is not known keeps
to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.ensemble.ensemble_cost import TOLERANCE
from hwsim.search.design.columns import COLUMNS


def allowed(quantity: str, values: ArrayLike, limit: float) -> NDArray[np.bool_]:
    """Which values keep to a limit: the largest allowed or, of what is better the larger, the least.

    Args:
        quantity: name of a column.
        values: in its unit; NaN where not known.
    """
    column = COLUMNS[quantity]
    room = TOLERANCE * ((0 if column.unit else 1) + abs(limit))
    if column.better == "more":
        return np.asarray(np.greater_equal(values, limit - room))
    return np.asarray(np.less_equal(values, limit + room))


def feasible(
    columns: Mapping[str, NDArray[np.float64]], constraints: Mapping[str, float], only: Iterable[str] | None = None
) -> NDArray[np.bool_]:
    """Which designs can run and keep to all constraints.

    Args:
        columns: of the designs.
        constraints: limits by quantity.
        only: quantities whose constraints count; all if not given.
    """
    wanted = set(constraints if only is None else only)
    result = ~np.isnan(columns["seconds"])
    for quantity, limit in constraints.items():
        if quantity in wanted:
            result &= allowed(quantity, columns[quantity], limit)
    return result
