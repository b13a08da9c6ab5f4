"""Bit Fusion's stall-free cycles (Sharma et al., ISCA 2018) beside the compute time on hw_configs/bitfusion.yaml."""

from __future__ import annotations

from hwsim.mapper import map_layer
from hwsim.operators.nest import LoopNest
from hwsim.spec.load import load_hardware
from hwsim.validate._report import Report, Table, percent, published

BATCH = 16

#: No stalls: a memory that is never waited for; and plain integers, as in the published runs, not DoReFa's codes.
UNLIMITED = (
    "levels.DRAM.memories.DRAM.bandwidth=1e12 B/cycle",
    "fill_and_drain=false",
    "datapath.offset_correction=false",
)


def run() -> Report:
    """Compare the cycles of the fastest mapping of every layer."""
    hardware = load_hardware("bitfusion", UNLIMITED)
    lines = []
    for row in published("bitfusion", "compute_cycles.csv"):
        channels, filters, out, taps = (int(row[name]) for name in ("C", "K", "P", "R"))
        nest = LoopNest(N=BATCH, K=filters, C=channels, P=out, Q=out, R=taps, S=taps)
        nest = nest.im2col() if row["flattened"] == "1" else nest
        cost = map_layer(nest, hardware, int(row["w"]), int(row["a"]), effort=1e7)
        cycles, theirs = round(cost.cycles), int(row["cycles"])
        lines.append((row["network"], row["layer"], cost.mode, cycles, theirs, percent(cycles, theirs)))
    columns = ("network", "layer", "mode", "cycles", "theirs", "error")
    table = Table("Stall-free cycles, batch of 16.", columns, tuple(lines))
    equal = sum(row[3] == row[4] for row in table.rows)
    return Report("bitfusion", "Sharma et al., ISCA 2018", (table,), (f"{equal} of {len(lines)} layers are equal.",))
