"""Gemmini's RTL on random mappings beside the prices of the mappings, and beside the programs that ran, played.

The figures are those of DOSA (Hong et al., MICRO 2023): mappings of convolutions and matrix products made for a
128 x 128 array, with the cycles of a cycle-exact simulation. They are too many to come along; give their file as data.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.cost.layer import LayerCost, price
from hwsim.errors import Fault, SpecError
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest
from hwsim.simulate.play import play as play_mapping
from hwsim.spec.load import load_hardware
from hwsim.validate._gemmini_calibration import calibrate
from hwsim.validate._gemmini_play import Durations, Run, closed_form, is_product, play
from hwsim.validate._gemmini_program import ARRAYS, Program, Tiles, program, tiles
from hwsim.validate._report import Cell, Report, Table

BITS = 8

#: Levels of the notation, outermost first, by their names in the hardware file.
LEVELS = ("DRAM", "scratchpad", "accumulator", "PE")

#: Where a level's spatial loops are unrolled.
AXES = {"scratchpad": "columns", "accumulator": "rows"}

#: Bounds of the classes by steps [steps].
CLASSES = (1, 16, 128, 1024, 8192, float("inf"))

#: Mappings that a layer needs to be ranked.
ENOUGH = 10

#: Layers that it takes to calibrate on half of them; with fewer, what was found on DOSA's is taken.
LAYERS = 10
FOUND = Durations(convolution=272, product=128, line=2.2)

#: Of the random half of the layers that durations are calibrated on.
SEED = 0

#: Iterations of its temporal loops up to which hwsim's player of mappings plays one here; others take minutes.
BLOCKS = 3000

_LOOP = re.compile(r"([NCKPQRS])(\d+)(X?)")

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """A mapping of a layer, and the program that ran it.

    Args:
        text: the mapping as the file has it.
        rtl: [cycles].
    """

    text: str
    nest: LoopNest
    mapping: Mapping
    rtl: float
    program: Program
    tiles: Tiles

    @property
    def outside(self) -> bool:
        """Whether a tile lies in the padding alone, which the program does not allow for."""
        return bool(self.tiles.outside.any())


def run(data: Path) -> Report:
    """CSV with columns mapping, N, C, K, P, Q, R, S, stride_h, stride_w and rtl_cycles.

    Raises:
        SpecError: what the file lacks, or the line that is wrong.
    """
    rows = _read(data)
    rtl = np.array([row.rtl for row in rows])
    calibrated = _half(rows)
    durations = FOUND
    if len({row.nest for row in rows}) >= LAYERS:
        chosen = [row for row, known in zip(rows, calibrated, strict=True) if known and not row.outside]
        durations = calibrate(
            [row.program for row in chosen], [row.tiles for row in chosen], np.array([row.rtl for row in chosen])
        )
    costs = _prices(rows)
    runs = [play(row.program, row.tiles, durations) for row in rows]
    played = np.array([each.cycles for each in runs])
    slowest = np.array([closed_form(row.program, row.tiles, durations) for row in rows])
    priced = np.array([cost.cycles for cost in costs])
    tables = [
        _compared(
            rows,
            rtl,
            calibrated,
            {
                "hwsim's price of the mapping": priced,
                "program: slowest of core, DMA, array": slowest,
                "program: played": played,
            },
        ),
        _by_class(rows, runs, rtl, played, calibrated),
        *_short(rows, costs, rtl, played),
        *_outside(rows, rtl, played),
        _by_steps(costs, priced, rtl),
    ]
    return Report(
        "gemmini", "DOSA's RTL simulations (Hong et al., MICRO 2023)", tuple(tables),
        (_calibration(rows, runs, durations), *FINDINGS),
    )  # fmt: skip


def _half(rows: Sequence[Row]) -> NDArray[np.bool_]:
    """Rows of a random half of the layers."""
    layers = list(dict.fromkeys(row.nest for row in rows))
    chosen = np.random.default_rng(SEED).permutation(len(layers))[: len(layers) // 2]
    known = {layers[index] for index in chosen}
    return np.array([row.nest in known for row in rows])


def _prices(rows: Sequence[Row]) -> list[LayerCost]:
    """Every mapping on the array that it ran on."""
    sides = "levels.scratchpad.fanout.columns.size", "levels.accumulator.fanout.rows.size"
    arrays = {
        side: load_hardware("gemmini", ["datapath.offset_correction=false", *(f"{name}={side}" for name in sides)])
        for side in ARRAYS
    }
    return [price(row.nest, arrays[row.program.side], row.mapping, BITS, BITS) for row in rows]


def _compared(rows: Sequence[Row], rtl: _Array, calibrated: NDArray[np.bool_], ours: dict[str, _Array]) -> Table:
    columns = (
        "cycles of", "rank correlation", "within layers", "median ours / RTL", "median error", "calibrated half",
        "held-out half",
    )  # fmt: skip
    lines = []
    for name, cycles in ours.items():
        error = np.abs(cycles / rtl - 1)
        lines.append(
            (
                name,
                rank_correlation(cycles, rtl),
                _within_layers(rows, cycles, rtl),
                float(np.median(cycles / rtl)),
                _median(error),
                _median(error[calibrated]),
                _median(error[~calibrated]),
            )
        )
    return Table(f"All {len(rows):,} mappings.", columns, tuple(lines))


def _by_class(
    rows: Sequence[Row], runs: Sequence[Run], rtl: _Array, played: _Array, calibrated: NDArray[np.bool_]
) -> Table:
    columns = (
        "program", "mappings", "rank correlation", "median ours / RTL", "median error", "nine tenths within",
        "held-out half",
    )  # fmt: skip
    product = np.array([is_product(row.program) for row in rows])
    side = np.array([row.program.side for row in rows])
    busiest = np.array([max(each.busy, key=lambda name: each.busy[name]) for each in runs])
    outside = np.array([row.outside for row in rows])
    classes = {"convolution": ~product, "matrix product": product}
    classes |= {f"array of {each} x {each}": side == each for each in ARRAYS}
    classes |= {f"{name} busiest": busiest == name for name in ("core", "DMA", "array")}
    classes |= {"no tile outside the image": ~outside, "a tile outside the image": outside}
    error = np.abs(played / rtl - 1)
    lines = tuple(
        (
            name,
            int(chosen.sum()),
            rank_correlation(played[chosen], rtl[chosen]),
            float(np.median((played / rtl)[chosen])),
            _median(error[chosen]),
            f"{100 * np.quantile(error[chosen], 0.9):.0f} %",
            _median(error[chosen & ~calibrated]),
        )
        for name, chosen in classes.items()
        if chosen.any()
    )
    return Table("The programs, played, by class.", columns, lines)


def _short(rows: Sequence[Row], costs: Sequence[LayerCost], rtl: _Array, played: _Array) -> tuple[Table, ...]:
    """The same mappings played as hwsim plays any: what bandwidth and buffers alone explain."""
    blocks = np.array([prod(loop.bound for level in row.mapping.levels for loop in level.temporal) for row in rows])
    chosen = np.flatnonzero(blocks <= BLOCKS).tolist()
    if not chosen:
        return ()
    ours = {
        "hwsim's price of the mapping": np.array([costs[index].cycles for index in chosen]),
        "mapping, played": np.array([play_mapping(costs[index]).cycles for index in chosen]),
        "program: played": played[chosen],
    }
    columns = ("cycles of", "rank correlation", "median ours / RTL", "median error")
    lines = tuple(
        (
            name,
            rank_correlation(cycles, rtl[chosen]),
            float(np.median(cycles / rtl[chosen])),
            _median(np.abs(cycles / rtl[chosen] - 1)),
        )
        for name, cycles in ours.items()
    )
    return (Table(f"The {len(chosen):,} mappings of at most {BLOCKS:,} iterations.", columns, lines),)


def _outside(rows: Sequence[Row], rtl: _Array, played: _Array) -> tuple[Table, ...]:
    chosen = [index for index, row in enumerate(rows) if row.outside]
    if not chosen:
        return ()
    lines = tuple(
        (_shape(rows[index].nest), rows[index].text, int(rtl[index]), float(rtl[index] / played[index]))
        for index in sorted(chosen, key=lambda index: rtl[index] / played[index])
    )
    return (Table("Mappings with a tile that lies in the padding alone.", ("layer", "mapping", "RTL", "RTL / ours"),
                  lines),)  # fmt: skip


def _shape(nest: LoopNest) -> str:
    bounds = " ".join(f"{dim}{getattr(nest, dim)}" for dim in "CKPQRS")
    return f"{bounds} /{nest.stride[0]}" if nest.stride != (1, 1) else bounds


def _by_steps(costs: Sequence[LayerCost], ours: _Array, rtl: _Array) -> Table:
    outer = np.array([prod(loop.bound for loop in _mapped(cost).levels[0].temporal) for cost in costs])
    steps = np.array([cost.busy["compute"] for cost in costs]) / outer
    columns = (
        "steps a DRAM tile", "mappings", "rank correlation", "median ours / RTL", "median error", "RTL - ours a tile"
    )  # fmt: skip
    lines = tuple(
        _line(f"{low:,} to {high:,.0f}" if high < CLASSES[-1] else f"{low:,} or more", ours, rtl, outer, chosen)
        for low, high in pairwise(CLASSES)
        if (chosen := (steps >= low) & (steps < high)).any()
    )
    title = "hwsim's price, by compute steps of one iteration of the loops at DRAM."
    return Table(title, columns, lines)


def _calibration(rows: Sequence[Row], runs: Sequence[Run], durations: Durations) -> str:
    count, one_by_one = sum(each.tiles for each in runs), sum(each.played for each in runs)
    layers = len({row.nest for row in rows})
    how = f"on a random half of {layers} layers" if layers >= LAYERS else "on DOSA's layers, of which these are too few"
    return (
        f"The durations that no source gives are calibrated {how}: the core takes {durations.convolution:.0f} cycles "
        f"for the commands of a convolution's tile and {durations.product:.0f} for a matrix product's, and a line of "
        f"64 bytes adds {durations.line:.2f} cycles to the beats it is moved in. Of {count:,} tiles {one_by_one:,} are "
        "played one by one; the others repeat what was played."
    )


def _read(data: Path) -> list[Row]:
    line, rows = 1, []
    try:
        with data.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                line += 1
                layer, mapped = nest(row), mapping(row["mapping"])
                ran = program(layer, mapped)
                rows.append(Row(row["mapping"], layer, mapped, float(row["rtl_cycles"]), ran, tiles(ran)))
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


def _median(errors: _Array) -> str:
    return f"{100 * np.median(errors):.1f} %" if errors.size else ""


def _within_layers(rows: Sequence[Row], ours: _Array, theirs: _Array) -> Cell:
    """Rank correlation where the size of the layer does not help: the median over layers with mappings enough."""
    alike: defaultdict[LoopNest, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        alike[row.nest].append(index)
    found = [rank_correlation(ours[each], theirs[each]) for each in alike.values() if len(each) >= ENOUGH]
    return float(np.median(found)) if found else ""


FINDINGS = (
    "No 128 x 128 array ran these mappings. A generator compiled each for the smallest array of 4 x 4 to 64 x 64 that "
    "holds its spatial loops, and the program hands over the tiles of the loops at DRAM one by one. A mapping's price "
    "is the same on either array, for its own loops decide how many steps it takes.",
    "The RTL's time is not in the steps: every tile costs the core its commands, reads its inputs and weights anew in "
    "rows of a few channels that fill neither a bus word nor a cache line, and shifts in a block of weights before it "
    "computes. hwsim's price knows none of it, and playing the mapping with finite ports and buffers does not help. A "
    "mapper prefers mappings with long work between two visits to DRAM, and there the price comes close.",
)
