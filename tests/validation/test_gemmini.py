"""Gemmini: the notation of the RTL's mappings, and ranks."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwsim.cost.layer import price
from hwsim.errors import SpecError
from hwsim.operators.nest import LoopNest
from hwsim.spec.load import load_hardware
from hwsim.validate import validate
from hwsim.validate._gemmini_data import mapping
from hwsim.validate._gemmini_play import Durations, closed_form
from hwsim.validate._gemmini_program import program, tiles
from hwsim.validate.gemmini import rank_correlation

HEADER = "mapping,N,C,K,P,Q,R,S,stride_h,stride_w,rtl_cycles"
#: A convolution of 9,834,496 steps that the RTL simulates in 9,853,947 cycles (DOSA, Hong et al., MICRO 2023).
STEM = "L3[WIO] K8 Q28 - L2[WI] N1 K4X - L1[O] K2 S7 R7 Q4 P7 C3X - L0[W] P16,1,3,64,112,112,7,7,2,2,9853947.0"


def test_notation() -> None:
    read = mapping(STEM.partition(",")[0])
    assert read.compact() == (
        "DRAM: K8 Q28 | scratchpad: N1 / columns=K4 | accumulator: K2 S7 R7 Q4 P7 / rows=C3 | PE: P16"
    )


def test_long_passes_come_close_to_the_rtl(tmp_path: Path) -> None:
    data = tmp_path / "rtl.csv"
    data.write_text(f"{HEADER}\n" + f"{STEM}\n" * 10)
    report = validate("gemmini", data)
    (line,) = report.tables[-1].rows
    assert line[:2] == ("8,192 or more", 10)
    assert float(line[3]) == pytest.approx(1, abs=0.02)


def test_the_price_is_the_mappings_own_whatever_array_is_around_it() -> None:
    """Spatial loops of 4 and 3 take as many steps on 4 x 4 as on 128 x 128."""
    sides = "levels.scratchpad.fanout.columns.size", "levels.accumulator.fanout.rows.size"
    nest, mapped = LoopNest(C=3, K=64, P=112, Q=112, R=7, S=7, stride=(2, 2)), mapping(STEM.partition(",")[0])
    small = load_hardware("gemmini", [f"{side}=4" for side in sides])
    assert price(nest, small, mapped, 8, 8).cycles == price(nest, load_hardware("gemmini"), mapped, 8, 8).cycles


def written(path: Path, durations: Durations) -> Path:
    """Five mappings for each of twelve sizes, with the cycles that the closed form has for these durations."""
    lines = [HEADER]
    for layer in range(12):
        for text, shape in (
            (f"L3[WIO] K8 C{layer + 1} Q2 - L2[WI] K4X - L1[O] Q14 C4X - L0[W] P28", (28, 28, 1)),
            (f"L3[WIO] K8 C{layer + 1} Q9 P9 - L2[WI] K4X - L1[O] C4X Q3 - L0[W] P3", (27, 27, 1)),
            (f"L3[WIO] K2 C{layer + 1} - L2[WI] K4X - L1[O] K4 C4X - L0[W] P16", (16, 1, 1)),
            (f"L3[WIO] Q4 K2 C{layer + 1} - L2[WI] K16X - L1[O] Q7 R3 S3 C4X - L0[W] P28", (28, 28, 3)),
            (f"L3[WIO] Q7 K1 C{layer + 1} - L2[WI] K32X - L1[O] Q4 C4X - L0[W] P28", (28, 28, 1)),
        ):
            p, q, kernel = shape
            nest = LoopNest(C=4 * layer + 4, K=32, P=p, Q=q, R=kernel, S=kernel)
            ran = program(nest, mapping(text))
            cycles = closed_form(ran, tiles(ran), durations)
            lines.append(f"{text},1,{nest.C},32,{p},{q},{kernel},{kernel},1,1,{cycles}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_durations_are_found_again(tmp_path: Path) -> None:
    """On one half of the layers, and then the other half comes out as well."""
    report = validate(
        "gemmini", written(tmp_path / "rtl.csv", Durations(convolution=310, product=90, line=3.5, latency=44))
    )
    assert "310 cycles for the commands of a convolution's tile and 90 for" in report.findings[0]
    assert "64 bytes adds 3.50 cycles" in report.findings[0]
    assert "done with 44 cycles after" in report.findings[0]
    held_out = dict(zip(report.tables[0].column("cycles of"), report.tables[0].column("held-out half"), strict=True))
    assert held_out["program: slowest of core, DMA, array"] == "0.0 %"
    assert held_out["hwsim's price of the mapping"] != "0.0 %"


def test_tiles_in_the_padding_are_named(tmp_path: Path) -> None:
    data = tmp_path / "rtl.csv"
    outside = "L3[WIO] P4 Q112 K8 S7 - L2[WI] N1 K4X - L1[O] K2 R7 P7 C3X - L0[W] P4"
    data.write_text(f"{HEADER}\n{STEM}\n{outside},1,3,64,112,112,7,7,2,2,474142992\n")
    report = validate("gemmini", data)
    (table,) = (each for each in report.tables if "padding" in each.title)
    assert table.column("mapping") == (outside,)
    assert table.column("layer") == ("C3 K64 P112 Q112 R7 S7 /2",)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "holds no mapping"),
        ("mapping,N\nL3 - L2 - L1 - L0,1\n", "there is no column 'K'"),
        (f"{HEADER}\n{STEM}\nL3[WIO] K8,1,3,64,1,1,1,1,1,1,5\n", ":3: is no mapping"),
        (f"{HEADER}\n{STEM[:60]}\n", ":2: is no mapping"),
        (f"{HEADER}\n{STEM.replace('K4X', 'K65X')}\n", "65 spatial iterations"),
    ],
)
def test_faulty_files_are_named_with_their_line(tmp_path: Path, content: str, fault: str) -> None:
    data = tmp_path / "rtl.csv"
    data.write_text(content)
    with pytest.raises(SpecError, match=fault):
        validate("gemmini", data)


def test_rank_correlation_shares_ranks() -> None:
    assert rank_correlation([1, 2, 3], [10, 100, 1000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5 / sqrt(4.5 * 5)
    assert rank_correlation([5, 6, 6, 9], [1, 2, 3, 4]) == pytest.approx((4.5 / 5) ** 0.5)
