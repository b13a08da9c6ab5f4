"""A sweep in a few lines: how many designs there are in every scenario, within what, and how many nobody beats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.search.design.pareto import nondominated
from hwsim.search.results.dataset import points, read_counts, read_index

#: What tells one scenario from another.
SCENARIO = ("network", "quantize", "batch", "combiner")

#: Designs of a scenario that wait before they are compared with its front so far.
PATIENCE = 1 << 18


def summary(folder: Path) -> list[dict[str, Any]]:
    """One record for each scenario of a sweep, in the order of the space.

    Each has the chips, those of them that cannot run the network, the designs and how many of these are of each kind
    (columns of the counts), and the size of the Pareto front over the objectives of the space, all chips together.

    Raises:
        SpecError: the folder holds no sweep.
    """
    counts = read_counts(folder)
    if counts.empty:
        return []
    fronts = front_sizes(folder)
    kinds = [name for name in counts.columns if name == "designs" or name in KINDS or name.startswith("within ")]
    records = []
    for key, own in counts.groupby(list(SCENARIO), sort=False, observed=True):
        chips = own.groupby(
            [name for name in own.columns if name.startswith("knob: ") or name == "chip"], observed=True
        )
        refused = own["infeasible"].notna() if "infeasible" in own else own["designs"] < 0
        records.append(
            {
                **dict(zip(SCENARIO, key, strict=True)),
                "chips": chips.ngroups,
                "infeasible_chips": own[refused].drop_duplicates("chip").shape[0],
                **{name: int(own[name].sum()) for name in kinds},
                "front": fronts.get(tuple(key), 0),
            }
        )
    return records


#: Counts beside the designs within each constraint.
KINDS = ("mapped", "within_equation6", "cost_feasible", "feasible", "measured")


def front_sizes(folder: Path) -> dict[tuple[Any, ...], int]:
    """Designs of each scenario within the constraints that no other one beats, on whichever chip; in bounded memory."""
    objectives = read_index(folder).space["objectives"]
    senses = list(objectives.values())
    fronts: dict[tuple[Any, ...], list[NDArray[np.float64]]] = {}
    for table in points(folder, [*SCENARIO, *objectives, "feasible"]):
        frame = table.to_pandas()
        for key, own in frame[frame["feasible"]].groupby(list(SCENARIO), sort=False, observed=True):
            waiting = fronts.setdefault(tuple(key), [])
            waiting.append(own[list(objectives)].to_numpy(dtype=np.float64))
            if sum(map(len, waiting[1:])) > PATIENCE:
                fronts[tuple(key)] = [_front(waiting, senses)]
    return {key: len(_front(waiting, senses)) for key, waiting in fronts.items()}


def _front(waiting: list[NDArray[np.float64]], senses: list[Any]) -> NDArray[np.float64]:
    values = np.concatenate(waiting)
    return values[nondominated(values, senses)]
