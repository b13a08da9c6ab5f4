"""SCALE-Sim's stall-free cycles beside a systolic array in hwsim's terms, one file a dataflow in studies/scalesim."""

from __future__ import annotations

from math import ceil

from hwsim.cost.layer import price
from hwsim.mapper import map_layer
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest
from hwsim.spec.hardware import Hardware
from hwsim.spec.load import load_hardware
from hwsim.validate._report import Report, Table, folder, published

BITS = 8


def run() -> Report:
    """Compare the cycles of every layer, array and dataflow."""
    lines = []
    for row in published("scalesim", "stallfree.csv"):
        nest, hardware = lowered(row), array(row)
        natural = round(price(nest, hardware, stationary(nest, hardware), BITS, BITS).cycles)
        found = round(map_layer(nest, hardware, BITS, BITS, effort=1e7).cycles)
        theirs = int(row["cycles"])
        size = f"{row['rows']}x{row['columns']}"
        lines.append((row["network"], row["layer"], size, row["dataflow"], natural, found, theirs, natural - theirs))
    columns = ("network", "layer", "array", "dataflow", "cycles", "mapper's", "theirs", "difference")
    table = Table("Stall-free cycles: the dataflow's own mapping, and the best that the mapper finds.", columns,
                  tuple(lines))  # fmt: skip
    return Report("scalesim", "SCALE-Sim 3.0.0, bw_mode CALC", (table,), (_finding(table),))


def lowered(row: dict[str, str]) -> LoopNest:
    """A layer of the table as a matrix product."""
    height, width, taps_r, taps_s, stride = (int(row[name]) for name in ("height", "width", "R", "S", "stride"))
    return LoopNest(
        K=int(row["K"]), C=int(row["C"]), R=taps_r, S=taps_s,
        P=ceil((height - taps_r + stride) / stride), Q=ceil((width - taps_s + stride) / stride),
    ).im2col()  # fmt: skip


def array(row: dict[str, str]) -> Hardware:
    """The array that a row ran on."""
    sizes = [f"levels.memory.fanout.{axis}.size={row[axis]}" for axis in ("rows", "columns")]
    return load_hardware(folder("scalesim") / f"{row['dataflow']}.yaml", sizes)


def stationary(nest: LoopNest, hardware: Hardware) -> Mapping:
    """Fill the array with one tile after the other; what is left streams through each."""
    memory, element = hardware.levels
    spatial = tuple(
        SpatialLoop(dim, min(getattr(nest, dim), axis.size), axis.name) for axis in memory.fanout for dim in axis.dims
    )
    folds = tuple(Loop(loop.dim, ceil(getattr(nest, loop.dim) / loop.bound)) for loop in spatial)
    stream = tuple(Loop(dim, getattr(nest, dim)) for dim in element.loops)
    return Mapping((LevelMapping(memory.name, folds, spatial), LevelMapping(element.name, stream)))


def _finding(table: Table) -> str:
    off = sorted({int(cell) for cell in table.column("difference")})
    better = sum(
        int(found) < int(natural)
        for found, natural in zip(table.column("mapper's"), table.column("cycles"), strict=True)
    )
    return (
        f"On {len(table.rows)} runs the difference is {' or '.join(f'{cycles:+d}' for cycles in off)}: SCALE-Sim gives "
        "the number of the last cycle, counted from 0, and hwsim how many cycles there are. The mapper finds something "
        f"faster than the dataflow's own mapping on {better} runs."
    )
