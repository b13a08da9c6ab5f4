"""AccelForge: ours is equal or better where the semantics agree, and where not the difference is accounted for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hwsim.cost.layer import price
from hwsim.mapper import map_layer
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.load import load_hardware
from hwsim.validate import Report
from hwsim.validate._report import published
from hwsim.validate.accelforge import mapping, nest, split
from tests.oracle.executed import execute

ROWS = {(row["arch"], row["layer"], row["objective"]): row for row in published("accelforge", "optima.csv")}

#: Rows in which it gives operands of one level tiles of their own.
UNEVEN = {
    ("S1", "gemm64", "energy"),
    ("S1", "128x128x128", "energy"),
    ("S1", "256x64x64", "energy"),
    ("S1", "64x256x64", "energy"),
    ("S2", "rn18_l4", "energy"),
    ("S2", "rn18_l4", "latency"),
    ("S2", "rn18_l1", "energy"),
}


@pytest.fixture(scope="module")
def report(reported: Callable[[str], Report]) -> Report:
    return reported("accelforge")


@pytest.mark.slow
def test_no_other_row_is_worse(report: Report) -> None:
    optima = report.tables[0]
    keys = list(zip(*(optima.column(name) for name in ("machine", "layer", "objective")), strict=True))
    assert keys == list(ROWS)
    worse = {row[:3] for row in optima.rows if str(row[7]).startswith("+")}
    assert worse == UNEVEN


@pytest.mark.slow
def test_split_levels_reach_theirs(report: Report) -> None:
    uneven = report.tables[1]
    assert {row[:3] for row in uneven.rows} == UNEVEN
    assert all(not str(cell).startswith("+") for cell in uneven.column("split, halo read once"))
    halo = [row[1] for row in uneven.rows if str(row[5]).startswith("+")]
    assert halo == ["rn18_l1"]


@pytest.mark.slow
def test_bounding_boxes_explain_the_strided_layers(report: Report) -> None:
    strided = report.tables[2]
    assert strided.column("boxes [words]") == strided.column("theirs [words]")
    recounted = zip(strided.column("theirs, touched [uJ]"), strided.column("ours [uJ]"), strict=True)
    assert all(float(ours) <= float(theirs) * (1 + 1e-9) for theirs, ours in recounted)


def test_their_mapping_of_rn18_l1_costs_what_they_say_less_the_halo() -> None:
    """Fourteen strips of four rows read 6 of 58 rows each; they count 58 rows once."""
    row = ROWS["S2", "rn18_l1", "energy"]
    hardware = split(load_hardware("simple_s2"), "GLB", {"W": 36864, "I": 22272, "O": 6400})
    strips = mapping("DRAM: | GLB.W: P14 | GLB.I: K4 | GLB.O: C4 R3 S3 / X=K16 Y=C16 | REG: P4 Q56")
    cost = price(nest(row), hardware, strips, 16, 16)
    halo = (14 * 6 - 58) * 58 * 64
    assert cost.energy_joules * 1e12 - halo * (200 + 6) == pytest.approx(float(row["energy_pj"]), rel=1e-12)


def test_their_mapping_of_rn18_l4_costs_what_they_say() -> None:
    row = ROWS["S2", "rn18_l4", "energy"]
    hardware = split(load_hardware("simple_s2"), "GLB", {"I": 41472, "WO": 24064})
    cost = price(
        nest(row), hardware, mapping("DRAM: | GLB.I: K2 C16 R3 S3 | GLB.WO: K16 C2 / X=K16 Y=C16 | REG: P7 Q7"), 16, 16
    )
    assert cost.energy_joules * 1e12 == pytest.approx(float(row["energy_pj"]), rel=1e-12)


@pytest.mark.parametrize("key", sorted(set(ROWS) - UNEVEN), ids="-".join)
def test_ours_is_valid_by_the_executed_nest(key: tuple[str, str, str]) -> None:
    """On the machine shrunk to 4 x 4 elements and the layer shrunk with it, small enough to execute."""
    row = ROWS[key]
    rf = ["levels.RF.memories.RF.size=32 B"] if key[0] == "S1" else []
    hardware = load_hardware(
        f"simple_{key[0].lower()}",
        ["levels.GLB.fanout.X.size=4", "levels.GLB.fanout.Y.size=4", "levels.GLB.memories.GLB.size=512 B", *rf],
    )
    shrunk = {dim: max(1, min(int(row[dim]), 12 if dim in "KC" else 5) - (dim in "CQ")) for dim in "KCPQ"}
    layer = replace(nest(row), **{dim: size if int(row[dim]) > 1 else 1 for dim, size in shrunk.items()})
    found = map_layer(layer, hardware, 16, 16, objective=row["objective"], effort=1e6)
    assert found.mapping is not None
    run = execute(layer, hardware, found.mapping)
    counted = {(hardware.levels[x.level].name, x.operand): (x.reads, x.writes) for x in found.traffic}
    assert counted == {place: (run.reads[place], run.writes[place]) for place in run.reads}
    assert run.macs == layer.macs
    for level in hardware.levels[1:]:
        for memory in level.memories:
            assert run.peak[level.name, memory.name] * 2 <= memory.usable_bytes


@pytest.mark.slow
def test_a_better_mapping_at_full_size() -> None:
    """gemm64 on S1 for latency: as fast as theirs with an eighth less energy."""
    row, hardware = ROWS["S1", "gemm64", "latency"], load_hardware("simple_s1")
    layer = nest(row)
    found = map_layer(layer, hardware, 16, 16, objective="latency")
    assert found.mapping is not None
    run = execute(layer, hardware, found.mapping)
    words = {
        name: sum(count for (level, _), count in [*run.reads.items(), *run.writes.items()] if level == name)
        for name in ("DRAM", "GLB", "RF")
    }
    # Energies, ports and elements as the machine's definition says: 200, 6 and 1 pJ a word; 8 and 32 words a cycle.
    energy = layer.macs + 200 * words["DRAM"] + 6 * words["GLB"] + words["RF"]
    assert energy < 0.9 * float(row["energy_pj"])
    assert max(run.steps, words["DRAM"] / 8, words["GLB"] / 32) == int(row["cycles"])


def test_a_split_level_keeps_its_capacity_and_its_fan_out() -> None:
    hardware = load_hardware("simple_s1")
    parts = split(hardware, "GLB", {"W": 16384, "IO": 49152})
    assert [level.name for level in parts.levels] == ["DRAM", "GLB.W", "GLB.IO", "RF"]
    assert parts.datapaths == hardware.datapaths == 256
    sizes = [memory.size for level in parts.levels[1:3] for memory in level.memories]
    assert sum(size for size in sizes if size is not None) == hardware.level("GLB").memories[0].size
    assert parts.levels[1].keeps == {Operand.WEIGHTS}


def test_compact_text_reads_back() -> None:
    found = map_layer(LoopNest(K=8, C=8, P=4), load_hardware("simple_s2"), 16, 16)
    assert found.mapping is not None
    assert mapping(found.mapping.compact()) == found.mapping
