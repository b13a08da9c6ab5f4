"""What comes out of designs that were evaluated one by one: what a search is guided by, and rows of a data set."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any, Literal

import numpy as np

from hwsim import __version__
from hwsim.cache.layers import remembered
from hwsim.errors import HwsimError, Infeasible
from hwsim.mapper import Objective, map_layer
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.ensembles import Block, Choices, Copies
from hwsim.search.design.grid import Chip, Scenario
from hwsim.search.design.verdict import allowed
from hwsim.search.exhaustive.explore import Designs
from hwsim.search.measured.robustness import Robustness
from hwsim.search.results.dataset import Shard, encoded, unit_name
from hwsim.search.results.tables import Names, Sheet, counts_table, empty_points, points_table, same_for_all
from hwsim.search.sampled.variables import Design
from hwsim.search.sampled.whole import priced
from hwsim.search.sweeps.keep import Counts, Kept
from hwsim.spec.ensemble import Combiner, Ensemble
from hwsim.spec.hardware import Hardware
from hwsim.spec.space import Space

#: What a design that cannot be mapped misses its constraints by; more than any that can.
HOPELESS = 1e9


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found.

    Args:
        costs: by column; empty where the design cannot run.
        why: it cannot.
    """

    costs: Mapping[str, float]
    why: str = ""

    def content(self) -> dict[str, Any]:
        """As plain data, in which what is not known is null."""
        costs = {name: None if isnan(value) else value for name, value in self.costs.items()}
        return {"costs": costs, "why": self.why}


def outcome_of(content: Mapping[str, Any]) -> Outcome:
    """The outcome whose content this is."""
    costs = {name: nan if value is None else float(value) for name, value in content["costs"].items()}
    return Outcome(costs, content["why"])


def evaluate(
    ensemble: Ensemble,
    hardware: Hardware,
    timing: Literal["closed_form", "simulated"],
    objective: Objective,
    cache: bool,
    version: str,
) -> Outcome:
    """Map one ensemble on one chip, or play it; can run anywhere.

    Args:
        timing, objective: see `hwsim.search.sampled.whole.priced`.
        cache: whether mapped layers are read from and left in the cache on disk.
        version: of hwsim that asks.

    Raises:
        HwsimError: hwsim here is another.
    """
    if version != __version__:
        raise HwsimError(f"hwsim is {__version__} on a worker and {version} where the sweep was started")
    mapper = remembered(map_layer) if cache else map_layer
    try:
        return Outcome(priced(ensemble, hardware, timing, objective, mapper))
    except Infeasible as error:
        return Outcome({}, str(error))


def judged(
    space: Space, outcome: Outcome, known: Robustness | None, copies: Copies, combiner: Combiner, area: float | None
) -> dict[str, float]:
    """Every column of one design.

    Args:
        known: what measurements say; copies: the ensemble's members.
        area: of the chip [m2].
    """
    columns = dict.fromkeys(COLUMNS, nan) | {
        "members": len(copies),
        "low_precision": sum(own != (space.ensembles.full_precision_bits,) * 2 for own in copies),
        "member_bits": sum(map(sum, copies)),
        "area": nan if area is None else area,
        **outcome.costs,
    }
    robust = known.get(copies, combiner) if known else None
    if robust:
        columns |= {
            "clean_accuracy": robust.clean,
            "clean_loss": nan if robust.clean_loss is None else robust.clean_loss,
            "robust_accuracy": robust.robust,
            "robust_low": robust.low,
            "robust_high": robust.high,
            "robust_samples": robust.samples,
        }
    holds = {name: _holds(name, columns[name], limit) for name, limit in space.constraints.items()}
    runs = not outcome.why
    columns["cost_feasible"] = runs and all(held for name, held in holds.items() if COLUMNS[name].costs)
    columns["feasible"] = runs and all(holds.values())
    return columns


def objectives(space: Space, columns: Mapping[str, float]) -> tuple[float, ...]:
    """What every objective came to; the worst there is where it is not known."""
    return tuple(
        columns[name] if not isnan(columns[name]) else -inf if sense == "maximise" else inf
        for name, sense in space.objectives.items()
    )


def violations(space: Space, columns: Mapping[str, float]) -> dict[str, float]:
    """By how much every constraint is missed, relative to its limit; 0 where it holds.

    That a design runs at all, with every objective known, is a constraint, too.
    """
    known = not any(isnan(columns[name]) for name in (*space.objectives, "time_overhead"))
    return {
        "runs": 0.0 if known else HOPELESS,
        **{name: _violation(name, columns[name], limit) for name, limit in space.constraints.items()},
    }


def _violation(name: str, value: float, limit: float) -> float:
    if _holds(name, value, limit):
        return 0.0
    if isnan(value):
        return 1.0
    return abs(value - limit) / (abs(limit) or 1.0)


def _holds(name: str, value: float, limit: float) -> bool:
    return bool(allowed(name, np.array([value]), limit)[0])


@dataclass(frozen=True)
class Row:
    """One design with all its columns."""

    chip: Chip
    scenario: Scenario
    design: Design
    columns: Mapping[str, float]


def shard(part: str, space: Space, choices: Choices, rows: Iterable[Row]) -> Shard:
    """The designs of one subject that are to be kept, and how many were looked at, as two Parquet files.

    Args:
        part: what the index of the data set calls them.
    """
    names = Names(choices)
    counted: list[dict[str, Any]] = []
    sheet: Sheet | None = None
    for own in _together(rows, lambda row: (row.design.chip, row.design.batch, row.design.combiner)):
        common = same_for_all(part, own[0].chip, own[0].scenario, space.timing)
        sheet = sheet or Sheet(empty_points(common), [part])
        kept, counts = Kept(space.keep, space.objectives), Counts(space)
        for alike in _together(own, lambda row: (row.design.full_precision, len(row.design.members))):
            designs = _designs(alike)
            kept.add(designs)
            counts.add(designs)
        for designs in kept.take():
            sheet.add(points_table(common, designs, names))
        counted += ({**common, **row} for row in counts.rows())
    if sheet is None:
        raise ValueError("a data set needs a design")
    return Shard(unit_name([part]), (part,), sheet.finish(), encoded(counts_table(counted), [part]))


def _designs(rows: Sequence[Row]) -> Designs:
    """Designs of one chip and scenario with as many members each."""
    rows = sorted(rows, key=lambda row: row.design.members)
    columns = {name: np.array([row.columns[name] for row in rows], dtype=np.float64) for name in COLUMNS}
    members = np.array([row.design.members for row in rows], dtype=np.uint8)
    block = Block(rows[0].design.full_precision, members.reshape(len(rows), -1))
    return Designs(rows[0].chip, rows[0].scenario, block, columns)


def _together(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[list[Row]]:
    """Rows with equal keys, in the order in which keys come first."""
    found: dict[Hashable, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return list(found.values())
