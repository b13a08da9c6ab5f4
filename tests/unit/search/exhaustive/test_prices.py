"""Prices of members: which layers are mapped, for which chips, and beside what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from hwsim.cost.layer import LayerCost, price_problem
from hwsim.ensemble.precision import precisions
from hwsim.ensemble.residency import all_weights, fits
from hwsim.ensemble.solve import Task, tasks
from hwsim.ensemble.storage import storage
from hwsim.errors import Infeasible
from hwsim.mapper import map_layer
from hwsim.search.design.ensembles import Choices
from hwsim.search.exhaustive.parts import parts
from hwsim.search.exhaustive.prices import Prices, price_members
from hwsim.search.exhaustive.resident import stretches
from hwsim.search.exhaustive.sizes import sizes_with
from hwsim.search.exhaustive.solve import solve_layers
from hwsim.spec.hardware import Hardware, VectorUnit
from hwsim.spec.rules import FullPrecision
from tests.unit.ensemble.examples import FULL, datapath, small_chip
from tests.unit.search.examples import MAPPER, NETWORK, buffered, chips


class Counting:
    """A mapper that writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, *layer: Any, **options: Any) -> LayerCost:
        self.asked.append(layer)
        return MAPPER(*layer, **options)


def layers(hardware: Hardware, bits: int = 4) -> list[Task]:
    return list(tasks(NETWORK, hardware, precisions(NETWORK, bits, bits, "all", FULL)).values())


CHIP = small_chip(bandwidth=1.0, buffer=90.0, leakage=0.25, launch=3.0)

#: Chips on which every mapping costs what it costs on `CHIP`, but for what is the same for all mappings.
ALIKE: dict[str, Callable[[Hardware], Hardware]] = {
    "name": lambda chip: chip.model_copy(update={"name": "another", "description": "d", "technology": "t"}),
    "launch": lambda chip: chip.model_copy(update={"launch": 100.0}),
    "vector unit": lambda chip: chip.model_copy(update={"vector": VectorUnit(operations_per_cycle=2.0)}),
    "reconfiguration": lambda chip: chip.model_copy(update={"datapath": datapath(50.0)}),
    "other modes": lambda chip: chip.model_copy(update={"datapath": faster_at_two_bits()}),
    "area": lambda chip: buffered(chip, area=1e-6),
}

#: Chips on which the best mapping may be another.
UNLIKE: dict[str, Callable[[Hardware], Hardware]] = {
    "clock": lambda chip: chip.model_copy(update={"clock": 2.0}),
    "leakage": lambda chip: chip.model_copy(update={"leakage": 0.5}),
    "fill and drain": lambda chip: chip.model_copy(update={"fill_and_drain": True}),
    "buffer": lambda chip: buffered(chip, size=91.0),
    "accumulator": lambda chip: chip.model_copy(
        update={"datapath": chip.datapath.model_copy(update={"accumulator": 20})}
    ),
}


def faster_at_two_bits() -> Any:
    own = datapath()
    modes = [{**mode, "macs_per_cycle": 64.0} if mode["weights"] == 2 else mode for mode in own.model_dump()["modes"]]
    return own.model_copy(update={"modes": modes})


@pytest.mark.parametrize("name", ALIKE)
def test_what_no_mapping_depends_on_is_not_mapped_for(name: str) -> None:
    mapper, other = Counting(), ALIKE[name](CHIP)
    both = layers(CHIP) + layers(other)
    answers = solve_layers(both, mapper)
    assert len(mapper.asked) == len(layers(CHIP)) == 2
    for task in both:
        answer = answers[task]
        assert isinstance(answer, LayerCost)
        assert answer.mapping is not None
        anew = price_problem(task.problem, answer.mapping)
        assert replace(answer, certificate=None) == anew
        assert answer.problem == task.problem


@pytest.mark.parametrize("name", UNLIKE)
def test_what_mappings_depend_on_is_mapped_for(name: str) -> None:
    mapper = Counting()
    solve_layers(layers(CHIP) + layers(UNLIKE[name](CHIP)), mapper)
    assert len(mapper.asked) == 4


def test_the_product_of_energy_and_delay_depends_on_the_launch() -> None:
    mapper = Counting()
    solve_layers(layers(CHIP) + layers(ALIKE["launch"](CHIP)), mapper, objective="edp")
    assert len(mapper.asked) == 4


def test_a_layer_without_a_mapping_has_its_reason() -> None:
    (conv, fc) = layers(small_chip(buffer=1.0))
    answers = solve_layers([conv, fc, *layers(CHIP)], map_layer)
    with pytest.raises(Infeasible) as refused:
        map_layer(conv.nest, conv.hardware, 4, 4, conv.output_bits)
    assert str(answers[conv]) == str(refused.value)
    assert sum(isinstance(answer, LayerCost) for answer in answers.values()) >= 2


@given(
    st.sets(st.integers(0, 3)).map(sorted).map(tuple),
    st.sets(st.integers(0, 3)).map(sorted).map(tuple),
    st.lists(st.integers(1, 50), max_size=4),
    st.integers(1, 60),
)
def test_sizes_of_all_ensembles_that_have_a_member(
    several: tuple[int, ...], low: tuple[int, ...], stored: list[int], full: int
) -> None:
    choices = Choices(several, low, tuple((1 + i, 2) for i in range(len(stored))), 32)
    found: list[set[int]] = [set() for _ in (*stored, full)]
    found[-1].add(full)
    for m in several:
        for n in low:
            for members in combinations_with_replacement(range(len(stored)), n):
                size = m * full + sum(stored[index] for index in members)
                for index in {*members, *([len(stored)] if m else [])}:
                    found[index].add(size)
    assert sizes_with(choices, [*stored, full]) == [tuple(sorted(own)) for own in found]


@settings(max_examples=40)
@given(chips(), st.integers(1, FULL - 1))
def test_few_maps_answer_for_every_size_of_ensemble(hardware: Hardware, width: int) -> None:
    """Beside ensembles of every size: what follows from few maps is what a map of its own finds."""
    choices = Choices((0, 1), (0, 1, 2, 3, 4), ((width, 4),), FULL)
    bits = [precisions(NETWORK, width, 4, "all", FULL), precisions(NETWORK, FULL, FULL, "all", FULL)]
    occurring = sizes_with(choices, [storage(NETWORK, own).total for own in bits])
    largest = max((size for sizes in occurring for size in sizes if fits(hardware, size)), default=-1)
    wanted = {
        (0, number): (part.upto(largest), hardware)
        for number, part in enumerate(parts(NETWORK, bits, occurring)[0])
        if part.layer.nest
    }
    asked: list[Task] = []

    def solver(some: Any) -> Any:
        more = list(some)
        asked.extend(more)
        return solve_layers(more, MAPPER)

    found = stretches(wanted, solver)
    for name, (part, _) in wanted.items():
        assert tuple(size for stretch in found[name] for size in stretch.sizes) == part.sizes
        for stretch in found[name]:
            for size in stretch.sizes:
                stays = all_weights(NETWORK, part.bits, hardware, size)
                task = tasks(NETWORK, hardware, part.bits, stays)[part.layer.name]
                alone = solve_layers([task], MAPPER)[task]
                if isinstance(alone, Infeasible) or isinstance(stretch.answer, Infeasible):
                    assert isinstance(alone, Infeasible)
                    assert isinstance(stretch.answer, Infeasible)
                else:
                    assert stretch.answer.cycles == alone.cycles
    assert len(asked) == sum(len(one) for one in found.values())


def test_less_room_takes_another_mapping_only_where_it_must() -> None:
    """A buffer that holds three members of 43 B beside as much room for tiles: the convolution needs another mapping
    once there are several, the product does not."""
    bits = precisions(NETWORK, 2, 4, "all", FULL)
    (sizes, _) = sizes_with(Choices((0,), (1, 2, 3), ((2, 4),), FULL), [storage(NETWORK, bits).total, 1256])
    assert sizes == (344, 688, 1032)
    hardware = buffered(small_chip(bandwidth=1.0), size=2 * 3 * 43.0)
    wanted = {
        (0, number): (part, hardware)
        for number, part in enumerate(parts(NETWORK, [bits], [sizes])[0])
        if part.layer.nest
    }
    conv, fc = stretches(wanted, lambda some: solve_layers(some, MAPPER)).values()
    assert len(conv) == 2
    assert [stretch.sizes for stretch in fc] == [sizes]


def priced(choices: Choices, *hardware: Hardware, **options: Any) -> list[Prices | Infeasible]:
    return price_members(NETWORK, choices, "all", hardware, MAPPER, **options)


def test_prices_of_one_chip_by_hand() -> None:
    """1152 + 80 multiplies, 1, 2 or 4 of them a cycle; the mode changes between the layers of no member."""
    choices = Choices((1,), (1,), ((2, 2), (4, 4)), FULL)
    (prices,) = priced(choices, small_chip(reconfiguration=10.0), weights="streamed")
    assert isinstance(prices, Prices)
    assert prices.cycles.tolist() == [[1232 / 4, 1232 / 2, 1232]]
    assert prices.stored.tolist() == [152 * 2 + 5 * 8, 152 * 4 + 5 * 8, 157 * 8]
    assert prices.changes.tolist() == (~np.eye(3, dtype=bool)).tolist()
    assert prices.slowdown.tolist() == [0.25, 0.5, 1]
    assert prices.share.tolist() == [0.25, 0.5, 1]
    assert prices.baseline[0] == 1232
    assert len(prices.sizes) == 0


def test_layers_in_full_precision_change_the_mode_inside_a_member() -> None:
    """Conv at 2 bits, fc at 8: one change on the way, none to a full-precision member after it."""
    choices, rule = Choices((1,), (1,), ((2, 2),), FULL), FullPrecision(full_precision=("fc",))
    (prices,) = price_members(NETWORK, choices, rule, [small_chip(reconfiguration=10.0)], MAPPER, weights="streamed")
    assert isinstance(prices, Prices)
    assert prices.cycles.tolist() == [[1152 / 4 + 80 + 10, 1232]]
    assert prices.changes.tolist() == [[True, False], [True, False]]


def test_a_chip_without_a_baseline_has_its_reason() -> None:
    choices = Choices((0,), (1,), ((2, 2),), FULL)
    tight, fine = small_chip(buffer=1.0), small_chip()
    refused, found = priced(choices, tight, fine)
    assert isinstance(refused, Infeasible)
    assert "conv" in str(refused)
    assert isinstance(found, Prices)


def test_ensembles_that_fit_have_situations_of_their_own() -> None:
    """The buffer holds 2 x 43 B, two members at 2 bits, beside the tiles, and no more."""
    choices = Choices((0, 1), (0, 1, 2, 3), ((2, 2),), FULL)
    chip = buffered(small_chip(bandwidth=1.0), size=2 * 2 * 43.0)
    (prices,) = priced(choices, chip, weights="auto")
    assert isinstance(prices, Prices)
    assert dict(zip(prices.sizes.tolist(), (prices.situations > 0).tolist(), strict=True)) == {
        344: True,
        688: True,
        1032: False,
        1256: False,
        1600: False,
        1944: False,
        2288: False,
    }


def test_what_stays_by_plan_is_no_price_of_a_member() -> None:
    with pytest.raises(ValueError, match="by plan"):
        priced(Choices((1,), (1,), ((2, 2),), FULL), small_chip(), weights="planned")
