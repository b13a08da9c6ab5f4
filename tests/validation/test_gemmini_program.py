"""The program that a mapping became: by hand, and against every tile counted out element by element."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest

from hwsim.operators.nest import LoopNest
from hwsim.validate._gemmini_data import mapping
from hwsim.validate._gemmini_program import LOOPS, Program, array_side, beats, program, tiles


@pytest.mark.parametrize(("columns", "rows", "side"), [(1, 1, 4), (4, 3, 4), (5, 1, 8), (8, 16, 16), (2, 33, 64)])
def test_the_array_is_the_smallest_that_holds_both_factors(columns: int, rows: int, side: int) -> None:
    assert array_side(mapping(f"L3[WIO] K2 - L2[WI] K{columns}X - L1[O] C{rows}X - L0[W] P16")) == side


def test_no_array_holds_more_than_64() -> None:
    with pytest.raises(ValueError, match="65 spatial iterations"):
        array_side(mapping("L3[WIO] K2 - L2[WI] K65X - L1[O] C3X - L0[W] P16"))


def test_a_convolution_keeps_its_tile() -> None:
    ran = program(
        LoopNest(C=3, K=64, P=112, Q=112, R=7, S=7, stride=(2, 2)),
        mapping("L3[WIO] P4 Q112 K8 S7 - L2[WI] N1 K4X - L1[O] K2 R7 P7 C3X - L0[W] P4"),
    )
    # (224 - 7 + 2 * 3) // 2 + 1 = 112 rows of outputs
    assert (ran.stride, ran.padding, ran.image, ran.size["P"], ran.size["Q"]) == (2, 3, 224, 112, 112)
    assert ran.order == "PQKS"
    assert {loop: ran.trips(loop) for loop in LOOPS} == {"N": 1, "Q": 112, "P": 4, "K": 8, "S": 7, "R": 1, "C": 1}


def test_even_kernels_leave_one_more_row_and_column_which_loop_outside() -> None:
    ran = program(
        LoopNest(C=8, K=16, P=14, Q=14, R=2, S=2),
        mapping("L3[WIO] C2 K4 - L2[WI] N1 K4X - L1[O] Q14 R2 S2 C4X - L0[W] P14"),
    )
    assert (ran.size["P"], ran.size["Q"], ran.order) == (15, 15, "QPCK")


def test_matrix_products_count_blocks_of_16_and_run_blocks_of_the_array() -> None:
    ran = program(
        LoopNest(C=512, K=96, P=128),
        mapping("L3[WIO] K3 C8 P2 - L2[WI] N1 K8X - L1[O] K4 C8 C8X - L0[W] P64"),
    )
    # tiles of 64 x 64 x 32 are 4 x 4 x 2 blocks of 16, each 8 wide on an 8 x 8 array
    assert (ran.side, ran.step["P"], ran.step["C"], ran.step["K"]) == (8, 32, 32, 16)
    assert (ran.trips("P"), ran.trips("C"), ran.trips("K")) == (4, 16, 6)


@pytest.mark.parametrize(
    ("offset", "width", "expected"),
    [
        (0, 3, 1),
        (0, 64, 4),
        (0, 128, 8),
        (15, 2, 2),  # two requests of 16 B
        (16, 32, 4),  # an aligned 32 brings but 16 of it, an aligned 64 all
        (8, 56, 4),  # all of it in one request of 64
        (40, 20, 2),  # one aligned 32 from 32 on
        (60, 8, 2),  # two requests of 16, in two lines
    ],
)
def test_beats_of_aligned_requests(offset: int, width: int, expected: int) -> None:
    assert beats(offset, width) == expected


class Counted(NamedTuple):
    """Sums over tiles."""

    tiles: int
    array: int
    beats: int
    commands: int
    written: int


def starts(ran: Program, loop: str) -> Iterator[range]:
    for start in range(0, ran.size[loop], ran.step[loop]):
        yield range(start, min(start + ran.step[loop], ran.size[loop]))


def count(ran: Program) -> Counted:
    """Every tile, every row of bytes that it moves, every piece of a row that passes through the array."""
    many = array = moved = commands = written = 0
    for n, q, p, k, s, r, c in product(*(list(starts(ran, loop)) for loop in LOOPS)):
        many += 1
        rows = range(q.start * ran.stride + s.start - ran.padding, (q.stop * ran.stride) + s.stop - ran.padding - 1)
        columns = range(p.start * ran.stride + r.start - ran.padding, (p.stop * ran.stride) + r.stop - ran.padding - 1)
        inside = [(y, x) for y in rows for x in columns if 0 <= y < ran.image and 0 <= x < ran.image]
        moved += len(n) * sum(beats((c.start + ran.size["C"] * (y * ran.image + x)) % 64, len(c)) for y, x in inside)
        moved += len(s) * len(r) * sum(beats((k.start + ran.size["K"] * each) % 64, len(k)) for each in c)
        within = len({x for _, x in inside})
        for _ in product(n, {y for y, _ in inside}, range(0, within, ran.side), range(0, len(c), 64)):
            commands += 1
        for _ in product(s, r, range(0, len(c), ran.side), range(0, len(k), 64)):
            commands += 1
        blocks = [(a, b) for a in range(0, len(k), ran.side) for b in range(0, len(c), ran.side)]
        for _ in product(blocks, s, r):
            fresh = True
            for _, _, piece in product(n, q, range(0, len(p), ran.side)):
                array += ran.side if fresh else max(4, min(ran.side, len(p) - piece))
                fresh = False
        if all(each.stop == ran.size[loop] for loop, each in zip("SRC", (s, r, c), strict=True)):
            written += len(n) * len(q) * len(p) * beats(k.start % 64, len(k))
    return Counted(many, array, moved, commands, written)


@pytest.mark.parametrize("seed", range(40))
def test_classes_add_up_to_every_tile_counted_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = int(rng.choice([1, 2, 3, 5]))
    stride = int(rng.choice([1, 2]))
    outputs = int(rng.integers(4, 9))
    image, padding = outputs * stride, kernel // 2
    side = (image - kernel + 2 * padding) // stride + 1
    size = {"N": int(rng.integers(1, 3)), "Q": side, "P": side, "K": 64 * int(rng.integers(1, 3))}
    size |= {"S": kernel, "R": kernel, "C": 64 * int(rng.integers(1, 3))}
    step = {loop: int(rng.integers(max(1, bound // 3), bound + 1)) for loop, bound in size.items()}
    ran = Program(int(rng.choice([4, 8])), size, step, LOOPS, stride, padding, image)
    found = tiles(ran)
    expected = count(ran)
    assert found.count.sum() == expected.tiles
    assert (found.count * found.array).sum() == expected.array
    assert (found.count * found.written).sum() == pytest.approx(expected.written, rel=1e-9)
    if not found.outside.any():
        assert (found.count * found.beats).sum() == pytest.approx(expected.beats, rel=1e-9)
        assert (found.count * found.commands).sum() == expected.commands


def test_lines_of_whole_rows_and_of_columns() -> None:
    """An image of 8 x 8 pixels of 64 channels, in tiles of 16 channels and of two rows, one filter."""
    size = {"N": 1, "Q": 8, "P": 8, "K": 64, "S": 1, "R": 1, "C": 64}
    of = tiles(Program(16, size, size | {"C": 16, "Q": 2}, "QC", 1, 0, 8))
    # 16 pixels, each in a line of its own; 16 weights of 64 B each; outputs, 16 lines, once
    assert np.unique(of.lines) == pytest.approx([16 + 16])
    assert sorted(np.unique(of.touched)) == [0, 16]


def test_a_tile_of_the_kernel_in_the_padding_alone_is_noticed() -> None:
    """One row of outputs at the edge, one row of a kernel of 7 with stride 2: rows -3 and -2 of the image."""
    size = {"N": 1, "Q": 8, "P": 8, "K": 4, "S": 7, "R": 7, "C": 4}
    assert tiles(Program(4, size, size | {"Q": 1, "S": 1}, "QS", 2, 3, 16)).outside.any()
    assert not tiles(Program(4, size, size | {"Q": 4, "S": 1}, "QS", 2, 3, 16)).outside.any()
