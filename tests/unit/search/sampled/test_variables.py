"""Values of variables against designs counted and made by hand."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

from hwsim.search.design.grid import grid
from hwsim.search.sampled.variables import (
    Axes,
    Design,
    axes,
    design_named,
    design_of,
    every,
    fresh,
    values_of,
    variables,
)
from tests.spaces import tiny


def own(**changes: object) -> Axes:
    space = tiny(**changes)
    return axes(space, grid(space))


def by_hand() -> set[tuple[int, str, int, tuple[int, ...]]]:
    """Chip, combiner, M and members of every design of the tiny space: two low precisions, numbered 0 and 1."""
    return {
        (chip, combiner, several, members)
        for chip, combiner, several, low in product((0, 1), ("average", "random_switch"), (0, 1), (0, 1, 2))
        for members in combinations_with_replacement((0, 1), low)
        if several + low
    }


def test_every_design_is_there_once() -> None:
    space = own()
    found = list(every(space))
    assert len(found) == space.size == 44
    assert {(*one.chip, one.combiner, one.full_precision, one.members) for one in found} == by_hand()
    assert {one.batch for one in found} == {1}


def test_all_values_together_make_every_design_and_no_other() -> None:
    space = own()
    choices = variables(space)
    assert {one.name: one.size for one in choices} == {
        "knob: bandwidth": 2,
        "combiner": 2,
        "M": 2,
        "N": 3,
        "member 1 weights": 2,
        "member 2 weights": 2,
    }
    made = set()
    for values in product(*(range(one.size) for one in choices)):
        made.add(design_of(space, dict(zip((one.name for one in choices), values, strict=True))).key)
    assert made == {one.key for one in every(space)}


def test_bases_and_choices_have_no_order_and_ranges_have() -> None:
    steps = {"from": "64 bit/cycle", "to": "192 bit/cycle", "step": "64 bit/cycle"}
    knobs = [
        {"name": "size", "choices": {"a": {"clock": "1 GHz"}, "b": {"clock": "2 GHz"}}},
        {"path": "levels.0.memories.0.bandwidth", "range": steps},
    ]
    space = own(chips__base=["bitfusion", "eyeriss_v1"], chips__knobs=knobs, ensembles__batch=[1, 4])
    ordered = {one.name: one.ordered for one in variables(space)}
    assert ordered["knob: base"] is ordered["knob: size"] is ordered["combiner"] is False
    assert ordered["knob: levels.0.memories.0.bandwidth"] is ordered["batch"] is ordered["N"] is True
    assert ordered["member 2 weights"] is True


def test_a_key_names_its_design() -> None:
    designs = [
        Design((), 16, "max_vote", 2, ()),
        Design((3, 11), 1, "average", 0, (0, 12)),
        Design((0,), 1, "random_switch", 1, (7,)),
    ]
    assert [design_named(one.key) for one in designs] == designs
    assert len({one.key for one in designs}) == 3


def test_the_order_of_members_and_the_places_beyond_n_decide_nothing() -> None:
    space = own()
    wide = {"N": 2, "member 1 weights": 1, "member 2 weights": 0}
    assert design_of(space, wide) == design_of(space, wide | {"member 1 weights": 0, "member 2 weights": 1})
    assert space.copies(design_of(space, wide | {"M": 1})) == ((8, 8), (2, 4), (4, 4))
    one = {"M": 0, "N": 1, "member 1 weights": 1}
    assert design_of(space, one | {"member 2 weights": 0}) == design_of(space, one | {"member 2 weights": 1})


def test_no_member_at_all_is_the_smallest_ensemble() -> None:
    assert design_of(own(), {"M": 0, "N": 0}).key == "0|1|average|0|0"
    assert design_of(own(ensembles__low_precision=[0, 2]), {"M": 0, "N": 0}).key == "0|1|average|1|"


def test_values_of_a_design_make_it() -> None:
    space = own(ensembles__activations=[1, 2], ensembles__batch=[1, 8])
    for design in every(space):
        assert design_of(space, values_of(space, design)) == design


def first(space: Axes) -> dict[str, int]:
    return {one.name: 0 for one in variables(space)}


def test_fresh_values_make_what_was_not_seen_until_all_was() -> None:
    space, seen = own(), set[str]()
    while values := fresh(space, first(space), (0, len(seen)), seen):
        key = design_of(space, values).key
        assert key not in seen
        seen.add(key)
    assert seen == {one.key for one in every(space)}


def test_fresh_values_follow_from_the_seed() -> None:
    space = own()
    several = [fresh(space, first(space), (seed, 0), set()) for seed in range(20)]
    assert several == [fresh(space, first(space), (seed, 0), set()) for seed in range(20)]


def test_fresh_values_differ_as_little_as_they_can() -> None:
    space = own()
    near = first(space) | {"M": 1}
    for seed in range(20):
        values = fresh(space, near, (seed,), {design_of(space, near).key})
        assert values
        assert sum(values[name] != near[name] for name in near) == 1


def test_without_low_precision_members_there_is_nothing_to_choose_of_them() -> None:
    space = own(ensembles__low_precision=0, ensembles__full_precision=[1, 2])
    assert not any(one.name.startswith("member") for one in variables(space))
    assert space.size == 8


def test_many_designs_are_not_gone_through() -> None:
    some = {"from": 1, "to": 7}
    space = own(ensembles__weights=some, ensembles__activations=some, ensembles__low_precision=6)
    assert space.size > 10**7
    values = fresh(space, first(space), (0,), set())
    assert values
    assert len(design_of(space, values).members) == 6
