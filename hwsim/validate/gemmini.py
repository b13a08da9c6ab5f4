"""Gemmini's RTL on random mappings beside the prices of the same mappings on hw_configs/gemmini.yaml.

The figures are those of DOSA (Hong et al., MICRO 2023): mappings of convolutions and matrix products on a 128 x 128
array, with the cycles of a cycle-exact simulation. They are too many to come along; give their file as data.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.cost.layer import LayerCost, price
from hwsim.errors import Fault, SpecError
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest
from hwsim.spec.load import load_hardware
from hwsim.validate._report import Report, Table

BITS = 8

#: Levels of the notation, outermost first, by their names in the hardware file.
LEVELS = ("DRAM", "scratchpad", "accumulator", "PE")

#: Where a level's spatial loops are unrolled.
AXES = {"scratchpad": "columns", "accumulator": "rows"}

#: Bounds of the classes in the table [steps].
CLASSES = (1, 16, 128, 1024, 8192, float("inf"))

#: Mappings that a layer needs to be ranked.
ENOUGH = 10

_LOOP = re.compile(r"([NCKPQRS])(\d+)(X?)")


def run(data: Path) -> Report:
    """CSV with columns mapping, N, C, K, P, Q, R, S, stride_h, stride_w and rtl_cycles.

    Mappings are compared by how many steps the array makes between two visits to DRAM.

    Raises:
        SpecError: what the file lacks, or the line that is wrong.
    """
    hardware = load_hardware("gemmini", ["datapath.offset_correction=false"])
    rows = _read(data)
    nests = [nest(row) for row in rows]
    costs = [
        price(shape, hardware, mapping(row["mapping"]), BITS, BITS) for shape, row in zip(nests, rows, strict=True)
    ]
    ours = np.array([cost.cycles for cost in costs])
    theirs = np.array([float(row["rtl_cycles"]) for row in rows])
    outer = np.array([prod(loop.bound for loop in _mapped(cost).levels[0].temporal) for cost in costs])
    steps = np.array([cost.busy["compute"] for cost in costs]) / outer
    lines = [
        _line(f"{low:,} to {high:,.0f}" if high < CLASSES[-1] else f"{low:,} or more", ours, theirs, outer, chosen)
        for low, high in pairwise(CLASSES)
        if (chosen := (steps >= low) & (steps < high)).any()
    ]
    lines.append(_line("any", ours, theirs, outer, np.ones(len(rows), dtype=bool)))
    columns = (
        "steps a DRAM tile", "mappings", "rank correlation", "median ours / RTL", "median error", "RTL - ours a tile"
    )  # fmt: skip
    table = Table("Random mappings, by compute steps of one iteration of the loops at DRAM; cycles.", columns,
                  tuple(lines))  # fmt: skip
    findings = (FINDING, *_within_layers(nests, ours, theirs))
    return Report("gemmini", "DOSA's RTL simulations (Hong et al., MICRO 2023)", (table,), findings)


def _read(data: Path) -> list[dict[str, str]]:
    line = 1
    try:
        with data.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            line += 1
            nest(row), mapping(row["mapping"]), float(row["rtl_cycles"])
    except KeyError as error:
        raise SpecError([Fault(f"there is no column {error}", str(data))]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Fault(str(error), str(data))]) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise SpecError([Fault(f"is no mapping with its layer and cycles ({error})", str(data), line)]) from None
    if not rows:
        raise SpecError([Fault("holds no mapping", str(data))])
    return rows


def nest(row: dict[str, str]) -> LoopNest:
    """The layer of a row."""
    n, k, c, p, q, r, s = (int(row[dim]) for dim in "NKCPQRS")
    stride = (int(row["stride_h"]), int(row["stride_w"]))
    return LoopNest(N=n, K=k, C=c, P=p, Q=q, R=r, S=s, stride=stride)


def mapping(text: str) -> Mapping:
    """Read a mapping such as `L3[WIO] K8 - L2[WI] K4X - L1[O] Q4 C3X - L0[W] P16`; X marks a spatial loop."""
    levels = []
    for name, part in zip(LEVELS, text.split(" - "), strict=True):
        loops = [(dim, int(bound), bool(spatial)) for dim, bound, spatial in _LOOP.findall(part.partition("]")[2])]
        levels.append(
            LevelMapping(
                name,
                tuple(Loop(dim, bound) for dim, bound, spatial in loops if not spatial),
                tuple(SpatialLoop(dim, bound, AXES[name]) for dim, bound, spatial in loops if spatial),
            )
        )
    return Mapping(tuple(levels))


def rank_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rho; equal values share the mean of their ranks. NaN where all values of one side are equal."""
    ranks = _ranks(first), _ranks(second)
    if any(np.ptp(each) == 0 for each in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: ArrayLike) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _mapped(cost: LayerCost) -> Mapping:
    assert cost.mapping is not None
    return cost.mapping


def _line(
    name: str,
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    outer: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> tuple[str | int | float, ...]:
    ratio = ours[chosen] / theirs[chosen]
    return (
        name,
        int(chosen.sum()),
        rank_correlation(ours[chosen], theirs[chosen]),
        float(np.median(ratio)),
        f"{100 * np.median(np.abs(ratio - 1)):.0f} %",
        float(np.median((theirs[chosen] - ours[chosen]) / outer[chosen])),
    )


def _within_layers(nests: list[LoopNest], ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[str, ...]:
    """Rank correlation where the size of the layer does not help; nothing if no layer has mappings enough."""
    alike: defaultdict[LoopNest, list[int]] = defaultdict(list)
    for index, shape in enumerate(nests):
        alike[shape].append(index)
    correlations = [rank_correlation(ours[rows], theirs[rows]) for rows in alike.values() if len(rows) >= ENOUGH]
    if not correlations:
        return ()
    return (
        f"Among mappings of one layer the rank correlation is {np.median(correlations):.2f} in the median over "
        f"{len(correlations)} layers with at least {ENOUGH} mappings.",
    )


FINDING = (
    "The RTL takes hundreds of cycles for every tile that it fetches, beyond compute and bandwidth, and more for "
    "larger tiles. The figures do not say for what; commands that are issued one by one, the latency of DRAM, rows "
    "narrower than a bus word and transfers that wait for the array are candidates. hwsim prices none of them: random "
    "mappings with tiny tiles come out several times too fast, and those with long work between two visits to DRAM, "
    "which a mapper prefers, come out close."
)
