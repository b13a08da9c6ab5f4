"""Turns of interleaved members: every layer once, in order, with the fewest mode switches of all orders."""

from __future__ import annotations

from itertools import permutations, product

from hypothesis import given, strategies as st

from hwsim.simulate.members.interleave import interleaved


def switches(modes: list[list[str]], turns: list[tuple[int, int]]) -> int:
    worked = [modes[member][layer] for member, layer in turns if modes[member][layer]]
    return sum(worked[index - 1] != worked[index] for index in range(len(worked)))


@st.composite
def networks(draw: st.DrawFn) -> list[list[str]]:
    """Modes of up to three members of up to four layers, of which some multiply nothing in any member."""
    members, layers = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    working = draw(st.lists(st.booleans(), min_size=layers, max_size=layers))
    mode = st.sampled_from(["m", "n", "o"])
    return [[draw(mode) if works else "" for works in working] for _ in range(members)]


@given(networks())
def test_no_order_has_fewer_switches(modes: list[list[str]]) -> None:
    members, layers = range(len(modes)), range(len(modes[0]))
    turns = list(interleaved(modes))
    orders = product(*(permutations(members) for _ in layers))
    fewest = min(
        switches(modes, [(member, layer) for layer, order in enumerate(choice) for member in order])
        for choice in orders
    )
    assert switches(modes, turns) == fewest
    assert [layer for _, layer in turns] == [layer for layer in layers for _ in members]
    assert sorted(turns) == sorted(product(members, layers))


def test_members_of_one_mode_stand_side_by_side() -> None:
    """Inside each layer one change, and none between layers: the order turns round at every layer."""
    turns = interleaved([["full", "full"], ["low", "low"], ["full", "full"], ["low", "low"]])
    assert switches([["full"] * 2, ["low"] * 2] * 2, list(turns)) == 2
    assert [member for member, _ in turns] == [0, 2, 1, 3, 1, 3, 0, 2]


def test_of_equally_good_orders_the_first_member_begins() -> None:
    for modes in ([["w8a8"] * 2, ["w2a2"] * 2], [["w2a2"] * 2, ["w8a8"] * 2]):
        assert interleaved(modes) == ((0, 0), (1, 0), (1, 1), (0, 1))


def test_one_member_runs_its_layers_in_order() -> None:
    assert interleaved([["m", "", "n"]]) == ((0, 0), (0, 1), (0, 2))
