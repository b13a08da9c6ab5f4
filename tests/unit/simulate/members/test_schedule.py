"""Rounds of stages: times, mode switches and members, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hwsim.simulate.members.schedule import Round, Stage, switched, switching


def stages(*given: tuple[str, str, str, float]) -> tuple[Stage, ...]:
    return tuple(Stage(member, layer, mode, cycles) for member, layer, mode, cycles in given)


TWO = stages(
    ("a", "conv", "w8a8", 100.0), ("a", "pool", "", 7.0), ("b", "conv", "w2a2", 25.0), ("b", "fc", "w8a8", 5.0)
)


def test_a_mode_lasts_until_something_else_is_multiplied() -> None:
    assert switching(TWO) == (False, False, True, True)
    assert [stage.switch_cycles for stage in switched(TWO, 10.0)] == [0.0, 0.0, 10.0, 10.0]


def test_a_round_repeats_unless_the_mode_before_it_is_known() -> None:
    """b's last layer leaves 8 bits, which a begins with; after 2 bits the datapath has to change first."""
    assert switching(TWO, "w2a2") == (True, False, True, True)
    assert switching(TWO[:3]) == (True, False, True)
    assert switching(TWO[:2]) == (False, False)


def test_nothing_is_switched_for_what_multiplies_nothing() -> None:
    assert switching(stages(("a", "pool", "", 3.0))) == (False,)
    assert switching(()) == ()


def test_lanes_run_side_by_side_and_the_tail_waits_for_the_slowest() -> None:
    tail = stages(("ensemble", "combiner", "", 4.0))
    both = Round("partitioned", (switched(TWO[:2], 10.0), switched(TWO[2:], 10.0)), tail, 3, 10.0)
    assert both.lane_cycles == (107.0, 50.0)  # b alone: 25 + 5 and a change each way
    assert both.cycles == 111.0
    assert both.switches == 2
    assert both.switch_cycles == 20.0
    assert [(placed.stage.layer, placed.lane, placed.start) for placed in both.placed()] == [
        ("conv", 0, 0.0), ("pool", 0, 100.0), ("conv", 1, 0.0), ("fc", 1, 35.0), ("combiner", 0, 107.0),
    ]  # fmt: skip
    assert both.members == ("b", "a")


def test_members_are_known_by_their_last_layer() -> None:
    turns = stages(("a", "1", "m", 1.0), ("b", "1", "m", 1.0), ("b", "2", "m", 1.0), ("a", "2", "m", 1.0))
    assert Round("interleaved", (turns,), (), 1).members == ("b", "a")


MODES = st.lists(st.sampled_from(["", "m", "n", "o"]), max_size=8)


@given(MODES, st.integers(0, 7))
def test_a_cycle_has_as_many_switches_wherever_it_begins(modes: list[str], turn: int) -> None:
    one = [Stage("a", str(index), mode, 1.0) for index, mode in enumerate(modes)]
    turned = one[turn % len(one) :] + one[: turn % len(one)] if one else []
    assert sum(switching(one)) == sum(switching(turned))


@given(MODES)
def test_switches_are_where_neighbours_in_a_repeated_sequence_differ(modes: list[str]) -> None:
    working = [mode for mode in modes if mode]
    differing = sum(working[index - 1] != working[index] for index in range(len(working)))
    lane = tuple(Stage("a", str(index), mode, 1.0) for index, mode in enumerate(modes))
    played = Round("serial", (switched(lane, 3.0),), (), 1, 3.0)
    assert played.switches == differing
    assert played.cycles == pytest.approx(len(modes) + 3.0 * differing)
