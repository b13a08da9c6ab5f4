"""The oracle itself: it computes the layer, and its counts are those of hand calculations and published optima."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level, Memory
from tests.oracle.executed import Executed, alone, convolve, execute
from tests.strategies import chip, hardwares, loop_nests, mappings

W, I, O = Operand.WEIGHTS, Operand.INPUTS, Operand.OUTPUTS  # noqa: E741


def level(name: str, keeps: tuple[Operand, ...] = (W, I, O), *fanout: Axis) -> Level:
    return Level(name=name, memories=(Memory(name=f"{name} memory", keeps=keeps),) if keeps else (), fanout=fanout)


def step(name: str, temporal: str = "", spatial: str = "") -> LevelMapping:
    """Loops written as in `step("GLB", "C4 P2", "X=K2")`."""
    loops = tuple(Loop(text[0], int(text[1:])) for text in temporal.split())
    unrolled = (text.split("=") for text in spatial.split())
    return LevelMapping(name, loops, tuple(SpatialLoop(loop[0], int(loop[1:]), axis) for axis, loop in unrolled))


def counts(run: Executed, name: str, operand: Operand) -> tuple[int, int]:
    return run.reads[name, operand], run.writes[name, operand]


@settings(max_examples=200)
@given(st.data())
def test_it_computes_the_layer(data: st.DataObject) -> None:
    nest, hardware = data.draw(loop_nests()), data.draw(hardwares())
    run = execute(nest, hardware, data.draw(mappings(nest, hardware)))
    assert run.macs == nest.macs
    np.testing.assert_array_equal(run.output, convolve(nest, run.weights, run.inputs))


@settings(max_examples=100)
@given(st.data())
def test_what_no_mapping_can_change(data: st.DataObject) -> None:
    """Every word comes at least once and every result goes once; the multiplications bound the time from both sides."""
    nest, hardware = data.draw(loop_nests()), data.draw(hardwares())
    mapping = data.draw(mappings(nest, hardware))
    run = execute(nest, hardware, mapping)
    assert run.reads["level0", W] >= nest.elements(W)
    assert run.reads["level0", I] >= nest.elements(I)
    assert run.writes["level0", O] - run.reads["level0", O] == nest.elements(O)
    assert run.writes["level0", W] == run.writes["level0", I] == 0
    unrolled = prod(loop.bound for each in mapping.levels for loop in each.spatial)
    assert nest.macs / unrolled <= run.steps
    assert run.steps <= prod(loop.bound for each in mapping.levels for loop in each.temporal)
    for name in {name for name, _ in run.busiest}:
        one, its_loops = alone(nest, hardware, mapping, name)
        full = execute(one, hardware, its_loops)
        for operand in Operand:
            if (name, operand) not in run.reads:
                continue
            most = run.busiest.get((name, operand), (0, 0))
            both = run.reads[name, operand] + run.writes[name, operand]
            assert sum(most) <= both <= sum(most) * unrolled
            assert most[0] <= full.reads[name, operand]
            assert most[1] <= full.writes[name, operand]


def test_convolve_by_hand() -> None:
    nest = LoopNest(K=1, P=2, R=2, stride=(3, 1), dilation=(2, 1))
    weights = np.array([5, 7]).reshape(1, 1, 1, 2, 1)
    inputs = np.array([1, 2, 3, 4, 5, 6]).reshape(1, 1, 1, 6, 1)
    assert convolve(nest, weights, inputs).ravel().tolist() == [5 * 1 + 7 * 3, 5 * 4 + 7 * 6]


def test_output_stationary_matrix_product() -> None:
    """4x3 times 3x2, both in a buffer; the innermost loop is the reduction, so an output is visited once."""
    run = execute(
        LoopNest(K=4, C=3, P=2),
        chip(level("DRAM"), level("RF")),
        Mapping((step("DRAM", "K4 P2 C3"), step("RF"))),
    )
    assert counts(run, "DRAM", O) == (0, 8)
    assert counts(run, "RF", O) == (24, 24)  # 24 updates, of which 8 read nothing, and 8 drains
    assert counts(run, "RF", W) == (24, 24)  # C moves the weight every step, over P again and again
    assert counts(run, "DRAM", I) == (24, 0)
    assert run.steps == 24
    assert run.peak["RF", "RF memory"] == 3


def test_loops_that_do_not_index_an_operand_keep_its_tile_only_directly_outside() -> None:
    run = execute(
        LoopNest(K=4, C=3, P=2),
        chip(level("DRAM"), level("RF")),
        Mapping((step("DRAM", "C3 K4 P2"), step("RF"))),
    )
    assert counts(run, "DRAM", W) == (12, 0)  # P repeats over one weight
    assert counts(run, "DRAM", I) == (24, 0)  # P is inside K, so K brings each input again
    assert counts(run, "DRAM", O) == (24 - 8, 24)  # each of 3 visits writes, the later two read back
    assert counts(run, "RF", O) == (24 + 16, 24 + 16)


def test_a_run_of_reuse_goes_on_across_levels() -> None:
    """Weights pass GLB by, whose innermost loops and the loop right outside it, all over pixels, hold them still."""
    run = execute(
        LoopNest(K=2, P=4, Q=3),
        chip(level("DRAM"), level("GLB", (I, O)), level("RF")),
        Mapping((step("DRAM", "K2 P2"), step("GLB", "P2 Q3"), step("RF"))),
    )
    assert counts(run, "DRAM", W) == (2, 0)
    assert (W in dict(run.reads), ("GLB", W) in run.reads) == (False, False)
    assert counts(run, "RF", W) == (24, 2)


def test_a_loop_with_one_iteration_of_work_still_brings_its_tile() -> None:
    """K = 3 in tiles of 2: the second tile's inner loop runs once, and copies its weight in both iterations of P."""
    run = execute(
        LoopNest(K=3, P=2),
        chip(level("DRAM"), level("RF")),
        Mapping((step("DRAM", "K2 P2 K2"), step("RF"))),
    )
    assert counts(run, "DRAM", W) == (6, 0)
    assert run.steps == 6


@pytest.mark.parametrize(
    ("stride", "dilation", "tile", "whole"),
    [
        (1, 1, 2 + 3 - 1, 4 + 3 - 1),
        (2, 1, 5, 9),  # rows 0..4 and 4..8
        (3, 1, 6, 12),  # rows 0..2 and 3..5: no halo
        (1, 2, 6, 8),  # rows 0 2 4 and 1 3 5
        (2, 2, 4, 6),  # rows 0 2 4 and 2 4 6, the odd ones never
    ],
)
def test_halo(stride: int, dilation: int, tile: int, whole: int) -> None:
    """4 outputs of 3 taps in 2 tiles: in time, the halo comes twice; side by side, it is read once and filled twice."""
    nest = LoopNest(P=4, R=3, stride=(stride, 1), dilation=(dilation, 1))
    in_time = execute(nest, chip(level("DRAM"), level("RF")), Mapping((step("DRAM", "P2"), step("RF", "P2 R3"))))
    assert counts(in_time, "DRAM", I) == (2 * tile, 0)
    assert in_time.writes["RF", I] == 2 * tile
    for multicast, read in ((True, whole), (False, 2 * tile)):
        hardware = chip(level("DRAM", (W, I, O), Axis(name="X", size=2, multicast=multicast)), level("RF"))
        side_by_side = execute(nest, hardware, Mapping((step("DRAM", "", "X=P2"), step("RF", "P2 R3"))))
        assert counts(side_by_side, "DRAM", I) == (read, 0)
        assert side_by_side.writes["RF", I] == 2 * tile


def array(multicast: bool = True, reduction: bool = True, registers: tuple[Operand, ...] = (W, I, O)) -> Hardware:
    axis = Axis(name="X", size=3, multicast=multicast, reduction=reduction)
    return chip(level("DRAM"), level("GLB", (W, I, O), axis), level("RF", registers))


@pytest.mark.parametrize("reduction", [True, False])
def test_reduction_in_space_and_time(reduction: bool) -> None:
    """C = 12 as 2 visits x 3 instances x 2 steps, 5 outputs, in a chip where the visits reach the outermost level."""
    nest = LoopNest(K=5, C=12)
    mapping = Mapping((step("DRAM", "C2 K5"), step("GLB", "", "X=C3"), step("RF", "C2")))
    run = execute(nest, array(reduction=reduction), mapping)
    sent = 10 * (1 if reduction else 3)  # updates of GLB: one per visit and output, or one an instance
    assert counts(run, "DRAM", O) == (5, 10)
    assert counts(run, "GLB", O) == (sent + 5, sent + 5)
    assert counts(run, "RF", O) == (60 + 5, 60 + 5)  # only the first instance reads back, and only the second time
    assert run.steps == 20
    np.testing.assert_array_equal(run.output, convolve(nest, run.weights, run.inputs))


def test_only_the_first_of_a_group_reads_back() -> None:
    """Reduction above a level that accumulates: its other instances start from zero in every round, so what is below
    them reads nothing back in the first visit of a round."""
    nest = LoopNest(K=4, C=12)
    hardware = chip(level("DRAM", (W, I, O), Axis(name="X", size=3)), level("GLB"), level("RF"))
    run = execute(nest, hardware, Mapping((step("DRAM", "C2 K2", "X=C3"), step("GLB", "C2 K2"), step("RF"))))
    assert counts(run, "DRAM", O) == (4, 8)
    visits, from_zero, back = 48, 2 * 4 * 3 - 4, 4  # of RF, of words in GLB (2 rounds, 4 words, 3 instances), to GLB
    assert counts(run, "GLB", O) == (visits + back, visits + back)
    assert counts(run, "RF", O) == (48 + visits - from_zero, 48 + visits - from_zero)
    np.testing.assert_array_equal(run.output, convolve(nest, run.weights, run.inputs))


@pytest.mark.parametrize(("multicast", "reads"), [(True, 4), (False, 12)])
def test_multicast_of_inputs_over_filters(multicast: bool, reads: int) -> None:
    run = execute(LoopNest(K=3, P=4), array(multicast), Mapping((step("DRAM"), step("GLB", "P4", "X=K3"), step("RF"))))
    assert counts(run, "GLB", I) == (reads, 4)
    assert counts(run, "RF", I) == (12, 12)
    assert counts(run, "GLB", W) == (3, 3)


def test_the_datapath_holds_nothing() -> None:
    """Weights stay in RF; inputs and outputs pass between GLB and datapaths at every step, 3 sums added on the way."""
    nest = LoopNest(K=2, C=3, P=4)
    run = execute(nest, array(registers=(W,)), Mapping((step("DRAM"), step("GLB", "K2 P4", "X=C3"), step("RF"))))
    assert counts(run, "RF", W) == (24, 6)
    assert counts(run, "GLB", W) == (6, 6)
    assert counts(run, "GLB", I) == (24, 12)  # each input once for each filter
    assert counts(run, "GLB", O) == (8, 8)  # 8 updates, none of which meets an older sum, and 8 drains


def test_inputs_on_a_diagonal_are_one_word() -> None:
    """Row-stationary's diagonal: P x R = 2 x 3 datapaths need 4 rows."""
    plane = (Axis(name="X", size=2), Axis(name="Y", size=3))
    run = execute(
        LoopNest(P=2, R=3),
        chip(level("DRAM", (W, I, O), *plane)),
        Mapping((step("DRAM", "", "X=P2 Y=R3"),)),
    )
    assert counts(run, "DRAM", I) == (4, 0)
    assert counts(run, "DRAM", W) == (3, 0)
    assert counts(run, "DRAM", O) == (0, 2)
    assert run.steps == 1


def test_a_short_last_wave_fills_only_who_works() -> None:
    """K = 9 in tiles of 4 over 2 instances: 4 + 4, then 1 + 0; a wave lasts 4 steps all the same."""
    nest = LoopNest(K=9, C=2)
    hardware = chip(level("DRAM", (W, I, O), Axis(name="X", size=2)), level("RF"))
    mapping = Mapping((step("DRAM", "C2 K2", "X=K2"), step("RF", "K4")))
    run = execute(nest, hardware, mapping)
    assert run.steps == 2 * 2 * 4
    assert counts(run, "DRAM", W) == (18, 0)
    assert run.writes["RF", W] == 18
    assert run.writes["RF", I] == 2 * 2  # both instances once a C: K only moves on outside
    assert run.busiest["RF", W] == (2 * 5, 2 * 5)
    one, its_loops = alone(nest, hardware, mapping, "RF")
    assert one == LoopNest(K=8, C=2)
    assert counts(execute(one, hardware, its_loops), "RF", W) == (2 * 8, 2 * 8)
    assert run.peak["RF", "RF memory"] == 4 + 1 + 4


def test_one_instance_of_two_axes_over_one_dimension() -> None:
    """K = 9 over 3 x 2 instances in tiles of 1, twice: 6, then 3, a wave of which is one tile each."""
    axes = (Axis(name="X", size=3), Axis(name="Y", size=2))
    mapping = Mapping((step("DRAM", "K2", "X=K3 Y=K2"), step("RF")))
    one, its_loops = alone(LoopNest(K=9, C=1), chip(level("DRAM", (W, I, O), *axes), level("RF")), mapping, "RF")
    assert one == LoopNest(K=2)
    assert its_loops == Mapping((step("DRAM", "K2"), step("RF")))


def test_fan_outs_multiply_through_a_level_that_keeps_nothing() -> None:
    """DRAM serves 2 x 3 register files: 6 fills a weight, one read; without multicast inside, one read per place."""
    for multicast, reads in ((True, 4), (False, 12)):
        hardware = chip(
            level("DRAM", (W, I, O), Axis(name="X", size=2)),
            level("NOC", (), Axis(name="X", size=3, multicast=multicast)),
            level("RF"),
        )
        run = execute(
            LoopNest(K=4, P=6), hardware, Mapping((step("DRAM", "K4", "X=P2"), step("NOC", "", "X=P3"), step("RF")))
        )
        assert counts(run, "DRAM", W) == (reads, 0)
        assert run.writes["RF", W] == 24
        assert counts(run, "DRAM", O) == (0, 24)


def test_lanes_are_one_more_axis_below_the_innermost_level() -> None:
    lanes = Axis(name="lanes", size=4, dims=("C", "R", "S"))
    run = execute(LoopNest(K=2, C=6), chip(level("DRAM")), Mapping((step("DRAM", "K2 C2", "lanes=C4"),)), lanes)
    assert run.steps == 4
    assert counts(run, "DRAM", O) == (2, 4)
    assert counts(run, "DRAM", W) == (12, 0)


# AccelForge 1.0.467's optima for a 64x64x64 product on 16x16 elements (RF of 64 words, GLB of 128 KiB, DRAM), energy
# as objective: words read and written by level and operand. The mappings follow from the words: on S0 the unions over
# the array give K8 C8 P4 of 256 elements; on S1, 128 busy elements (2048 cycles) get each input once, each weight twice
# and add all of C in space; on S2 the array holds 16x16 weights at a time.
PUBLISHED = {
    "S0": (
        {("GLB", W): (65536, 4096), ("GLB", I): (32768, 4096), ("GLB", O): (32768, 32768)},
        (step("GLB", "K8 P16 C8", "X=K8 X=P2 Y=C8 Y=P2"),),
    ),
    "S1": (
        {
            ("GLB", W): (4096, 4096),
            ("GLB", I): (4096, 4096),
            ("GLB", O): (4096, 4096),
            ("RF", W): (262144, 8192),
            ("RF", I): (262144, 4096),
            ("RF", O): (262144, 262144),
        },
        (step("GLB", "K64", "X=C16 Y=C4 Y=P2"), step("RF", "P32")),
    ),
    "S2": (
        {
            ("GLB", W): (4096, 4096),
            ("GLB", I): (16384, 4096),
            ("GLB", O): (16384, 16384),
            ("RF", W): (262144, 4096),
        },
        (step("GLB", "K4 C4 P64", "X=K16 Y=C16"), step("RF")),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_optimum(name: str) -> None:
    words, loops = PUBLISHED[name]
    plane = (Axis(name="X", size=16), Axis(name="Y", size=16))
    below = {"S0": (), "S1": (level("RF"),), "S2": (level("RF", (W,)),)}[name]
    hardware = chip(level("DRAM"), level("GLB", (W, I, O), *plane), *below)
    run = execute(LoopNest(K=64, C=64, P=64), hardware, Mapping((step("DRAM"), *loops)))
    assert {key: counts(run, *key) for key in words} == words
    assert [counts(run, "DRAM", operand) for operand in (W, I, O)] == [(4096, 0), (4096, 0), (0, 4096)]
    np.testing.assert_array_equal(run.output, convolve(LoopNest(K=64, C=64, P=64), run.weights, run.inputs))
