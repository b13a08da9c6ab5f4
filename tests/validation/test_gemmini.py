"""Gemmini: the notation of the RTL's mappings, and ranks."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwsim.errors import SpecError
from hwsim.validate import validate
from hwsim.validate.gemmini import mapping, rank_correlation

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


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "holds no mapping"),
        ("mapping,N\nL3 - L2 - L1 - L0,1\n", "there is no column 'K'"),
        (f"{HEADER}\n{STEM}\nL3[WIO] K8,1,3,64,1,1,1,1,1,1,5\n", ":3: is no mapping"),
        (f"{HEADER}\n{STEM[:60]}\n", ":2: is no mapping"),
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
