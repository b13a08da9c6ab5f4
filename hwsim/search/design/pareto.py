"""Which designs no other design beats in everything that is wanted, and how much of the space such a front covers.

A design beats another if it is at least as good in every objective and better in one. Designs that are equal in all of
them beat neither each other nor themselves: all of them are on the front. A design of which an objective is not known
(NaN) is never on it and beats nobody. Infinities are values like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.errors import HwsimError
from hwsim.spec.space import Sense

#: Rows that are compared with each other at once, before the survivors of all such groups are.
CHUNK = 1 << 18


def nondominated(values: ArrayLike, senses: Sequence[Sense], *, chunk: int = CHUNK) -> NDArray[np.bool_]:
    """Which rows are on the Pareto front.

    O(n log n) for up to three objectives, O(n log^(m-2) n) for m (Kung, Luccio and Preparata, J. ACM 1975), by moocore.

    Args:
        values: one row a design, one column an objective: shape [rows, columns].
        senses: of every column.
        chunk: rows that are compared at once; bounds the memory for copies of them, not the result.
    """
    rows = _table(values, senses)
    maximise = [sense == "maximise" for sense in senses]
    compare = _moocore().is_nondominated
    kept = np.flatnonzero(~np.isnan(rows).any(axis=1))
    if np.isinf(rows).any():  # which moocore takes for its own marks; only the order of values counts
        rows = np.stack([np.unique(column, return_inverse=True)[1] for column in rows.T], axis=1).astype(np.float64)
    groups = [kept[start : start + chunk] for start in range(0, len(kept), chunk)]
    if len(groups) > 1:  # whatever is beaten in its group is beaten
        kept = np.concatenate([group[compare(rows[group], maximise=maximise, keep_weakly=True)] for group in groups])
    front = np.zeros(len(rows), dtype=bool)
    if len(kept):
        front[kept[compare(rows[kept], maximise=maximise, keep_weakly=True)]] = True
    return front


def hypervolume(values: ArrayLike, senses: Sequence[Sense], reference: Sequence[float]) -> float:
    """Volume of what is no better than some row and better than the reference, in the product of the units.

    Rows that are not better than the reference in every objective add nothing, nor do those with a NaN.

    Args:
        values: one row a design, one column an objective: shape [rows, columns].
        senses: of every column.
        reference: a value of every objective.
    """
    compute = _moocore().hypervolume
    rows, limits = _table(values, senses), np.asarray(reference, dtype=np.float64)
    maximise = np.array([sense == "maximise" for sense in senses])
    rows = rows[np.where(maximise, rows > limits, rows < limits).all(axis=1)]
    if not len(rows):
        return 0.0
    return float(compute(rows, ref=limits, maximise=maximise)) if np.isfinite(rows).all() else float("inf")


def _table(values: ArrayLike, senses: Sequence[Sense]) -> NDArray[np.float64]:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(senses) or not senses:
        raise ValueError(f"values of shape {rows.shape} are not rows of {len(senses)} objectives")
    return rows


def _moocore() -> Any:
    try:
        import moocore
    except ImportError:
        raise HwsimError("moocore is not installed: pip install 'hwsim[search]'") from None
    return moocore
