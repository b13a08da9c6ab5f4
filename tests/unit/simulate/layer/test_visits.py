"""What moves at a visit, by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hwsim.cost.problem import problem
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest, Operand
from hwsim.simulate.layer.tables import Table
from hwsim.simulate.layer.visits import Link, Program, program
from hwsim.spec.hardware import Axis, Hardware, Level, Memory
from tests.strategies import chip, one_mac

W, I, O = Operand.WEIGHTS, Operand.INPUTS, Operand.OUTPUTS  # noqa: E741

#: Bits of a weight, an input, a result and a partial sum.
WEIGHT, INPUT, RESULT, PARTIAL = 2, 3, 5, 7


def level(name: str, *fanout: Axis, keeps: tuple[Operand, ...] = (W, I, O)) -> Level:
    return Level(name=name, memories=(Memory(name=f"{name} memory", keeps=keeps),) if keeps else (), fanout=fanout)


def step(name: str, temporal: str = "", spatial: str = "") -> LevelMapping:
    """Loops written as in `step("GLB", "C4 P2", "X=K2")`."""
    loops = tuple(Loop(text[0], int(text[1:])) for text in temporal.split())
    unrolled = (text.split("=") for text in spatial.split())
    return LevelMapping(name, loops, tuple(SpatialLoop(loop[0], int(loop[1:]), axis) for axis, loop in unrolled))


def played(nest: LoopNest, hardware: Hardware, *mapping: LevelMapping) -> Program:
    hardware = hardware.model_copy(update={"datapath": one_mac(PARTIAL)})
    return program(problem(nest, hardware, WEIGHT, INPUT, RESULT), Mapping(mapping))


def link(of: Program, operand: Operand, parent: int = 0) -> Link:
    (found,) = (link for link in of.links if (link.operand, link.parent) == (operand, parent))
    return found


def along(of: Program, table: Table, depth: int) -> list[int]:
    """Values of a table at all iterations of the first loops, in order."""
    index = [0] * len(of.loops)
    found = [table.at(index)]
    while of.advance(index, depth) >= 0:
        found.append(table.at(index))
    return found


DRAM_RF = chip(level("DRAM"), level("RF"))
DRAM_GLB_RF = chip(level("DRAM"), level("GLB"), level("RF"))


def test_matrix_product() -> None:
    """4x3 times 3x2 with the reduction outermost: a sum is read back twice, and finished the third time."""
    product = played(LoopNest(K=4, C=3, P=2), DRAM_RF, step("DRAM", "C3 K4 P2"), step("RF"))
    assert [(loop.dim, loop.bound, loop.level_name) for loop in product.loops] == [
        ("C", 3, "DRAM"),
        ("K", 4, "DRAM"),
        ("P", 2, "DRAM"),
    ]
    assert product.blocks == 24
    weights, inputs, outputs = (link(product, operand) for operand in Operand)
    assert (weights.depth, weights.visits) == (2, 12)  # P repeats over a weight
    assert (inputs.depth, inputs.visits) == (3, 24)
    assert (outputs.depth, outputs.visits) == (3, 24)
    assert along(product, weights.chip.down_reads, 2) == [WEIGHT] * 12
    assert along(product, inputs.chip.down_writes, 3) == [INPUT] * 24
    assert along(product, outputs.back, 3) == [0] * 8 + [PARTIAL] * 16
    assert along(product, outputs.chip.down_reads, 3) == [0] * 8 + [PARTIAL] * 16
    assert along(product, outputs.chip.up_writes, 3) == [PARTIAL] * 16 + [RESULT] * 8
    assert along(product, outputs.tile, 3) == [PARTIAL] * 24
    assert link(product, W, 1).child is None
    assert along(product, link(product, O, 1).chip.down_reads, 3) == [0] * 8 + [PARTIAL] * 16


def test_kinds_of_digits() -> None:
    """First and last of a reduction differ from those between; tiles of K are alike unless the last is short."""
    for filters, kinds in ((12, [0] * 6), (11, [0, 0, 0, 0, 0, 1])):
        nest = LoopNest(K=filters, C=5)
        product = played(nest, DRAM_RF, step("DRAM", "C5 K6"), step("RF", "K2"))
        assert [each.tolist() for each in product.kinds] == [[0, 1, 1, 1, 2], kinds]


def test_iterations_without_work_are_left_out() -> None:
    """K = 5 as 3 tiles of 2, the last with one."""
    product = played(LoopNest(K=5), DRAM_GLB_RF, step("DRAM", "K3"), step("GLB", "K2"), step("RF"))
    index, seen = [0, 0], [(0, 0)]
    positions = []
    while (position := product.advance(index, 2)) >= 0:
        positions.append(position)
        seen.append((index[0], index[1]))
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert positions == [next(k for k in (0, 1) if a[k] != b[k]) for a, b in pairwise(seen)]
    assert index == [0, 0]
    assert [product.trips_at(1, [k, 0]) for k in range(3)] == [2, 2, 1]
    assert product.blocks == 5
    index = [0, 7]
    assert [product.advance(index, 1) for _ in range(3)] == [0, 0, -1]
    assert index == [0, 7]


@pytest.mark.parametrize(
    ("loops", "inside", "first", "last"),
    [
        ("P3", "R3", [4, 2, 2], [2, 2, 4]),  # rows 0-3, 2-5, 4-7
        ("K2 P3", "R3", [4, 2, 2, 0, 0, 0], [0, 0, 0, 2, 2, 4]),  # all of them once for each filter
        ("R3 P3", "", [2, 2, 2, 0, 0, 1, 0, 0, 1], [1, 0, 0, 1, 0, 0, 2, 2, 2]),  # rows r + 2p and the next
    ],
)
def test_pieces_of_a_window(loops: str, inside: str, first: list[int], last: list[int]) -> None:
    """6 outputs of 3 taps, two outputs at a time, out of a tile of 8 rows."""
    nest = LoopNest(K=2 if "K" in loops else 1, P=6, R=3)
    conv = played(nest, DRAM_GLB_RF, step("DRAM"), step("GLB", loops), step("RF", f"P2 {inside}"))
    pieces = link(conv, I).pieces
    assert pieces is not None
    assert along(conv, pieces.first, pieces.depth) == [words * INPUT for words in first]
    assert along(conv, pieces.last, pieces.depth) == [words * INPUT for words in last]
    assert link(conv, I).tile.at([0] * 3) == 8 * INPUT


def test_instances_whose_tiles_lie_apart_share_the_words_they_have_in_common() -> None:
    """Columns 0 1 2 beside 2 3 4, then 1 2 3 beside 3 4 5: 5 words each time, and 6 filled."""
    chips = chip(level("outer", Axis(name="X", size=2)), Level(name="middle"), level("inner"))
    conv = played(LoopNest(Q=4, S=3), chips, step("outer", "", "X=Q2"), step("middle", "Q2"), step("inner", "S3"))
    assert along(conv, link(conv, I).chip.down_reads, 1) == [5 * INPUT] * 2
    assert along(conv, link(conv, I).chip.down_writes, 1) == [6 * INPUT] * 2


def test_sums_of_every_instance_wait_in_its_own_buffer() -> None:
    """C = 4 over 2 instances, twice. The loop over C does not move what GLB holds, so in its second iteration both
    instances read back what they left there, also the one whose sum will be added to the other's."""
    hardware = chip(level("DRAM", Axis(name="X", size=2)), level("GLB"), level("RF"))
    sums = played(LoopNest(K=2, C=4), hardware, step("DRAM", "C2", "X=C2"), step("GLB", "K2"), step("RF"))
    assert (link(sums, O).depth, link(sums, O, 1).depth) == (0, 2)
    assert along(sums, link(sums, O, 1).chip.down_writes, 2) == [0, 0, 2 * PARTIAL, 2 * PARTIAL]
    assert along(sums, link(sums, O, 1).back, 2) == [0, 0, PARTIAL, PARTIAL]
    assert along(sums, link(sums, O).chip.down_reads, 0) == [0]
    assert along(sums, link(sums, O).chip.up_reads, 0) == [2 * 2 * PARTIAL + 2 * (RESULT - PARTIAL)]
    assert along(sums, link(sums, O).chip.up_writes, 0) == [2 * RESULT]


def test_only_the_first_of_a_group_goes_on_from_an_older_sum() -> None:
    """C = 12 over 3 instances, in two rounds of two: GLB's first instance begins the second round by reading back."""
    hardware = chip(level("DRAM", Axis(name="X", size=3)), level("GLB"), level("RF"))
    nest = LoopNest(K=4, C=12)
    sums = played(nest, hardware, step("DRAM", "C2 K2", "X=C3"), step("GLB", "C2 K2"), step("RF"))
    assert along(sums, link(sums, O).chip.down_writes, 2) == [0, 0, 2 * PARTIAL, 2 * PARTIAL]
    back = [0, 0, 3, 3, 0, 0, 3, 3, 1, 1, 3, 3, 1, 1, 3, 3]  # words, by round, half of K, half of C and K
    assert along(sums, link(sums, O, 1).chip.down_writes, 4) == [words * PARTIAL for words in back]
    assert along(sums, link(sums, O, 1).back, 4) == [(words > 0) * PARTIAL for words in back]


def test_a_sum_is_finished_when_the_last_instance_with_work_sends_it() -> None:
    """C = 5 over 2 instances in tiles of 2: in the second wave there is one tile of 1, and then nobody has work."""
    hardware = chip(level("DRAM", Axis(name="X", size=2)), Level(name="middle"), level("RF"))
    sums = played(LoopNest(K=3, C=5), hardware, step("DRAM", "C2", "X=C2"), step("middle", "K3 C2"), step("RF"))
    arriving = along(sums, link(sums, O).chip.up_writes, link(sums, O).depth)
    assert link(sums, O).depth == 2  # C inside K repeats over one sum
    assert arriving == [PARTIAL] * 3 + [RESULT] * 3
    hardware = chip(level("DRAM", Axis(name="X", size=2)), Level(name="middle"), level("RF"))
    sums = played(LoopNest(K=3, C=5), hardware, step("DRAM", "C2", "X=C2"), step("middle", "C2 K3"), step("RF"))
    arriving = along(sums, link(sums, O).chip.up_writes, link(sums, O).depth)
    assert arriving == [PARTIAL] * 6 + [RESULT] * 3 + [0] * 3
    assert sums.blocks == 12  # in lock step a wave lasts as long as a full tile
