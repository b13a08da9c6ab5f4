"""The choice of what stays, against every choice there is."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings, strategies as st

from hwsim.ensemble.plan import Item, Plan, Span, Turn, Use, choose
from hwsim.ensemble.stay import Home
from hwsim.operators.nest import Operand

NEAR, FAR = (1, "near"), (2, "far")


def item(name: str, saves: float, *spans: tuple[int, int, int], home: Home = NEAR) -> Item:
    use = Use((0, 0), Operand.INPUTS, name, saves)
    return Item("activations", 0, name, home, tuple(Span(*span) for span in spans), (use,))


def line(positions: int) -> tuple[Turn, ...]:
    return tuple((0, number) for number in range(positions))


def names(plan: Plan) -> set[str]:
    return {kept.name for kept in plan.kept}


def test_what_is_never_there_together_shares_room() -> None:
    early, late, always = item("early", 6, (0, 1, 10)), item("late", 6, (2, 3, 10)), item("always", 10, (0, 3, 10))
    assert names(choose(line(4), [early, late, always], {NEAR: [10.0] * 4})) == {"early", "late"}
    assert names(choose(line(4), [early, late, always], {NEAR: [10.0, 9.0, 10.0, 10.0]})) == {"late"}
    assert names(choose(line(4), [early, late, always], {NEAR: [20.0] * 4})) == {"early", "late", "always"}


def test_each_memory_has_room_of_its_own() -> None:
    here, there = item("here", 1, (0, 0, 8)), item("there", 1, (0, 0, 8), home=FAR)
    assert names(choose(line(1), [here, there], {NEAR: [8.0], FAR: [8.0]})) == {"here", "there"}
    assert names(choose(line(1), [here, there], {NEAR: [8.0], FAR: [7.0]})) == {"here"}
    assert names(choose(line(1), [here, there], {NEAR: [float("inf")], FAR: [0.0]})) == {"here"}


def test_the_last_bit_counts() -> None:
    """Where the solver's tolerance would let one bit in 2^40 pass."""
    halves = [item(name, 1, (0, 0, (1 << 39) + 1)) for name in "ab"]
    assert len(choose(line(1), halves, {NEAR: [float(1 << 40)]}).kept) == 1
    assert len(choose(line(1), halves, {NEAR: [float((1 << 40) + 2)]}).kept) == 2


def test_what_saves_nothing_does_not_stay() -> None:
    plan = choose(line(1), [item("idle", 0, (0, 0, 1))], {NEAR: [float("inf")]})
    assert (plan.kept, [left.name for left in plan.left], plan.saves) == ((), ["idle"], 0)


def test_room_taken_is_that_of_all_spans() -> None:
    joined = item("joined", 1, (0, 2, 5), (2, 3, 7))
    plan = choose(line(5), [joined, item("other", 1, (1, 1, 100))], {NEAR: [float("inf")] * 5})
    assert plan.taken(NEAR) == (5, 105, 12, 7, 0)
    assert plan.taken(FAR) == (0,) * 5
    assert (joined.bits, joined.steps) == (12, (0, 3))


@st.composite
def timelines(draw: st.DrawFn) -> tuple[int, list[Item], dict[Home, list[float]]]:
    """Up to 9 items over up to 6 positions, in two memories."""
    positions = draw(st.integers(1, 6))
    items = []
    for number in range(draw(st.integers(1, 9))):
        spans = []
        for _ in range(draw(st.integers(1, 2))):
            first = draw(st.integers(0, positions - 1))
            spans.append((first, draw(st.integers(first, positions - 1)), draw(st.integers(0, 9))))
        saves = float(draw(st.integers(0, 20)))
        items.append(item(f"item{number}", saves, *spans, home=draw(st.sampled_from((NEAR, FAR)))))
    room = {home: [float(draw(st.integers(0, 25))) for _ in range(positions)] for home in (NEAR, FAR)}
    return positions, items, room


def fits(items: tuple[Item, ...], room: dict[Home, list[float]]) -> bool:
    for home, most in room.items():
        for position, bits in enumerate(most):
            spans = [span for chosen in items if chosen.home == home for span in chosen.spans]
            if sum(span.bits for span in spans if span.first <= position <= span.last) > bits:
                return False
    return True


@settings(max_examples=150)
@given(problem=timelines())
def test_no_choice_that_fits_saves_more(problem: tuple[int, list[Item], dict[Home, list[float]]]) -> None:
    positions, items, room = problem
    plan = choose(line(positions), items, room)
    assert fits(plan.kept, room)
    assert sorted(part.name for part in (*plan.kept, *plan.left)) == sorted(part.name for part in items)
    subsets = (chosen for count in range(len(items) + 1) for chosen in combinations(items, count))
    best = max(sum(part.saves for part in chosen) for chosen in subsets if fits(chosen, room))
    assert plan.saves == pytest.approx(best)
