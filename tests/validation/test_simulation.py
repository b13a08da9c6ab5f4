"""Closed form and simulation side by side: what is said of their difference is true of layers counted by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import hwsim
from hwsim.cost.layer import price
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping
from hwsim.operators.nest import LoopNest
from hwsim.simulate.layer.play import play
from hwsim.validate.simulation import (
    CHANGES,
    Case,
    Pair,
    case,
    changed,
    faster,
    largest,
    networks,
    parts,
    retiled,
    slower,
    summary,
)

#: DRAM that gives a byte a cycle, one buffer, and one multiplier; results cost no time.
CHIP = """
name: small
clock: 1 GHz
fill_and_drain: false
levels:
  - name: DRAM
    memories:
      - {{name: DRAM, keeps: [weights, inputs, outputs], read_bandwidth: 1 B/cycle, buffering: streaming}}
  - name: buffer
    memories:
      - {{name: buffer, keeps: [weights, inputs, outputs], size: {size} B, buffering: {buffering}{port}}}
datapath:
  style: table
  accumulator: 8 bit
  modes:
    - {{weights: 8, activations: 8, macs_per_cycle: {rate}}}
vector: {{operations_per_cycle: .inf}}
"""

#: Four filters of eight channels at one pixel: 32 B of weights, 8 B of inputs.
NEST = LoopNest(K=4, C=8)


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., Pair]:
    """A layer whose first `outer` of four filters are looped over at DRAM, priced and played."""

    def made(outer: int, buffering: str, *, size: int = 128, port: str = "", rate: int = 1) -> Pair:
        path = tmp_path / "small.yaml"
        path.write_text(CHIP.format(size=size, buffering=buffering, port=port, rate=rate))
        levels = (
            LevelMapping("DRAM", (Loop("K", outer),)),
            LevelMapping("buffer", (Loop("K", 4 // outer), Loop("C", 8))),
        )
        cost = price(NEST, hwsim.load_hardware(path), Mapping(levels), 8, 8)
        return Pair(cost, play(cost))

    return made


def test_a_whole_first_tile_comes_before_anything_is_computed(pair: Callable[..., Pair]) -> None:
    """40 B come in 40 cycles, and 32 are computed after that; the closed form has them overlap."""
    one = pair(1, "double")
    assert one.cost.cycles == 40
    assert one.played.cycles == 72
    assert parts(one) == pytest.approx({"first tiles": 40, "DRAM": -8})
    assert largest(parts(one)) == ("first tiles", 40)


def test_smaller_tiles_overlap(pair: Callable[..., Pair]) -> None:
    """The first takes its 8 B of weights and all inputs; the last is computed from cycle 40 to 48."""
    one = pair(4, "double")
    assert one.cost.cycles == 40
    assert one.played.cycles == 48
    assert parts(one) == pytest.approx({"first tiles": 16, "DRAM": -8})


def test_words_that_are_used_as_they_come_wait_for_the_other_operand_only(pair: Callable[..., Pair]) -> None:
    """The multiplier begins with the first input, which comes behind 32 B of weights; no size makes up for that."""
    assert changed(pair(1, "double"), CHANGES["word by word"]) == 32 + 32
    assert changed(pair(1, "double"), CHANGES["twice the size"]) == 72


def test_a_mapping_that_the_closed_form_takes_for_as_fast_may_play_faster(pair: Callable[..., Pair]) -> None:
    """Channel by channel 5 B come and 4 products are computed, all but the last while more comes: 44 cycles for 40."""
    assert retiled(pair(1, "double")) == "+10.0 %"


def test_hidden_transfers_are_time_that_the_closed_form_adds(pair: Callable[..., Pair]) -> None:
    """A single-buffered memory takes 40 B of operands and 32 results at 4 B a cycle, most of them while DRAM reads."""
    one = pair(4, "single", port=", write_bandwidth: 4 B/cycle", rate=8)
    assert one.cost.cycles == 40 + 72 / 4
    assert 40 < one.played.cycles < 58
    by_cause = parts(one)
    assert sum(by_cause.values()) == pytest.approx(one.played.cycles - 58)
    assert largest(by_cause)[1] < 0


def test_layers_are_told_apart_by_their_gap(pair: Callable[..., Pair]) -> None:
    hidden, whole, tiled = (
        pair(4, "single", port=", write_bandwidth: 4 B/cycle", rate=8), pair(1, "double"), pair(4, "double")
    )  # fmt: skip
    both = [Case("net", "small", 8, (hidden, whole, tiled, whole))]
    assert slower(both).column("played")[:2] == (72, 48)
    assert len(slower(both).rows) == 3  # equal layers count once
    assert faster(both).column("closed form")[0] == 58
    assert faster(both).column("slowest port or compute")[0] == 40
    assert faster(both).column("+ in series")[0] == 18
    (row,) = networks(both).rows
    assert row[3] == 58 + 40 + 40 + 40
    assert row[4] == round(hidden.played.cycles + 72 + 48 + 72)
    assert row[6] == "first tiles"


def test_the_summary_counts_what_is_near(pair: Callable[..., Pair]) -> None:
    """72 for 40 is +80 %, 48 for 40 is +20 %, 120 for 80 is +50 %."""
    cases = [Case("net", "small", 8, pairs) for pairs in ((pair(1, "double"),), (pair(4, "double"),))]
    cases.append(Case("net", "small", 8, (pair(1, "double"), pair(4, "double"))))
    said = summary(cases)
    assert "Of 3 networks on chips 0 play within 5 %" in said
    assert said.endswith("the median is +50.0 %, the least +20.0 % and the most +80.0 %.")


@pytest.mark.parametrize("chip", ["empir_ideal", "simba", "simple_s2", "tpu_v1"])
def test_causes_add_up_to_the_difference(chip: str) -> None:
    for one in case("mnistconv", chip).pairs:
        expected = one.played.cycles - one.cost.cycles
        assert sum(parts(one).values()) == pytest.approx(expected, abs=1e-6 * one.cost.cycles)


def test_a_chip_without_limits_plays_its_closed_form() -> None:
    ideal = case("lenet5", "empir_ideal")
    assert ideal.simulated == pytest.approx(ideal.closed, rel=1e-12)


def test_the_folder_shows_what_is_computed(repository: Path) -> None:
    """The whole table takes minutes; these rows take a second."""
    text = (repository / "studies/simulation/README.md").read_text(encoding="utf-8")
    shown = {tuple(re.split(r" *\| *", line)[1:4]): line for line in text.splitlines() if line.startswith("| mnist")}
    for chip in ("empir_ideal", "simba", "turing"):
        (row,) = networks([case("mnistconv", chip)]).rows
        cells = re.split(r" *\| *", shown["mnistconv", chip, str(row[2])].strip("| "))
        assert cells[3:5] == [f"{row[3]:,}", f"{row[4]:,}"]
