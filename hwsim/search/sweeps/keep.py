"""Which designs of a sweep are written down, and how many there are of each kind; block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.pareto import nondominated
from hwsim.search.design.verdict import allowed
from hwsim.search.results.tables import selected

if TYPE_CHECKING:
    from hwsim.search.exhaustive.explore import Designs
    from hwsim.spec.space import Quantity, Sense, Space

#: Rows that wait before they are compared with the front so far.
PATIENCE = 1 << 16

Keep = Literal["front", "feasible", "all"]


class Kept:
    """The designs of one part that are written down; none that cannot run.

    Those of a front are known only at the end; others can be taken away at any time.
    """

    def __init__(self, keep: Keep, objectives: Mapping[Quantity, Sense]) -> None:
        self._keep, self._objectives = keep, objectives
        self._designs: list[Designs] = []
        self._fresh = 0

    def add(self, designs: Designs) -> None:
        """Look at more designs."""
        chosen = self._chosen(designs)
        if chosen.any():
            self._designs.append(designs if chosen.all() else selected(designs, chosen))
            self._fresh += int(chosen.sum())
        if self._keep == "front" and self._fresh > PATIENCE:
            self._reduce()

    def take(self) -> list[Designs]:
        """What is to be written, and no longer kept here; of a front only when everything was looked at."""
        if self._keep == "front":
            self._reduce()
        taken, self._designs = self._designs, []
        return taken

    def _chosen(self, designs: Designs) -> NDArray[np.bool_]:
        if self._keep == "all":
            return np.asarray(np.isfinite(designs.columns["seconds"]))
        if self._keep == "feasible":
            return np.asarray(designs.columns["feasible"], dtype=bool)
        return _front([designs], self._objectives)[0] | measured(designs)

    def _reduce(self) -> None:
        fronts = _front(self._designs, self._objectives)
        both = [(one, mask | measured(one)) for one, mask in zip(self._designs, fronts, strict=True)]
        self._designs = [one if mask.all() else selected(one, mask) for one, mask in both if mask.any()]
        self._fresh = 0


def measured(designs: Designs) -> NDArray[np.bool_]:
    """Designs whose robustness is known."""
    return np.asarray(np.isfinite(designs.columns["robust_accuracy"]))


def _front(several: Sequence[Designs], objectives: Mapping[Quantity, Sense]) -> list[NDArray[np.bool_]]:
    """Which of some designs are within the constraints and beaten by none of these."""
    if not several:
        return []
    inside = np.concatenate([one.columns["feasible"].astype(bool) for one in several])
    values = np.stack([np.concatenate([one.columns[name] for one in several]) for name in objectives], axis=1)
    rows = np.flatnonzero(inside)
    front = np.zeros(len(inside), dtype=bool)
    front[rows[nondominated(values[rows], list(objectives.values()))]] = True
    return np.split(front, np.cumsum([len(one.columns["feasible"]) for one in several])[:-1])


class Counts:
    """How many designs of one part there are of each kind, for every M and N."""

    def __init__(self, space: Space) -> None:
        self._limits = {name: float(limit) for name, limit in space.constraints.items()}
        self._objectives = tuple(space.objectives)
        self._rows: dict[tuple[int, int], dict[str, Any]] = {}

    def add(self, designs: Designs) -> None:
        """Count more designs."""
        size = (designs.block.full_precision, designs.block.members.shape[1])
        row = self._rows.setdefault(size, {"M": size[0], "N": size[1]})
        if designs.why:
            row["infeasible"] = str(designs.why)
        for name, number in self._numbers(designs.columns):
            row[name] = row.get(name, 0) + number
        for name in dict.fromkeys(("time_overhead", *self._limits, *self._objectives)):
            word, best = ("most", np.fmax) if COLUMNS[name].better == "more" else ("least", np.fmin)
            own = float(best.reduce(designs.columns[name], initial=np.nan))
            row[f"{word} {name}"] = float(best(row.get(f"{word} {name}", np.nan), own))

    def rows(self) -> list[dict[str, Any]]:
        """One for each M and N."""
        return list(self._rows.values())

    def _numbers(self, columns: Mapping[str, NDArray[np.float64]]) -> Iterator[tuple[str, int]]:
        yield "designs", len(columns["time_overhead"])
        yield "mapped", int((~np.isnan(columns["time_overhead"])).sum())
        for name, limit in self._limits.items():
            yield f"within {name}", int(allowed(name, columns[name], limit).sum())
        yield "cost_feasible", int(columns["cost_feasible"].astype(bool).sum())
        yield "feasible", int(columns["feasible"].astype(bool).sum())
        yield "measured", int((~np.isnan(columns["robust_accuracy"])).sum())
        sums = [
            allowed(name, columns[predicted], self._limits[name])
            for name, predicted in (("time_overhead", "equation6_time"), ("storage_overhead", "equation6_storage"))
            if name in self._limits
        ]
        yield "within_equation6", int(np.logical_and.reduce(sums).sum()) if sums else len(columns["equation6_time"])
