"""Which designs are counted, listed and proposed, against loops over all of them; costs are drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hwsim.errors import Infeasible
from hwsim.search.best.candidates import Design, designs_of, pick, spread, survey
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.ensembles import Choices, blocks
from hwsim.search.design.grid import Chip, Scenario, scenarios
from hwsim.search.exhaustive.explore import Designs
from hwsim.search.measured.robustness import key
from hwsim.spec.load import load_hardware
from hwsim.spec.space import Space

FP, PRECISIONS = (32, 32), ((2, 2), (2, 4), (4, 4))
CHOICES = Choices((0, 1), (0, 1, 2), PRECISIONS, 32)


def a_space(*combiners: str, **fields: Any) -> Space:
    return Space.model_validate(
        {
            "name": "small",
            "subjects": [{"network": "mnistconv", "measurements": "m.jsonl"}],
            "ensembles": {"combiner": combiners or ("average", "max_vote"), "batch": (1, 4)},
            "chips": {"base": "simple_s0"},
            "objectives": {"time_overhead": "minimise", "robust_accuracy": "maximise"},
            "constraints": {"time_overhead": 0.5, "clean_loss": 0.02},
        }
        | fields
    )


def stream(space: Space, seed: int = 0, most: int = 4) -> Iterator[Designs]:
    """Two chips, every scenario, and columns of small whole numbers, so that there are ties."""
    generator = np.random.default_rng(seed)
    chips = [Chip({"clock": str(i)}, load_hardware("simple_s0", [f"clock={i + 1} MHz"]), None) for i in range(2)]
    for scenario, chip in product(scenarios(space), chips):
        for block in blocks(CHOICES, most):
            count, low = block.members.shape
            columns: dict[str, NDArray[Any]] = {name: generator.integers(0, 5, (count,)) / 4 for name in COLUMNS}
            columns["members"] = np.full(count, block.full_precision + low, dtype=float)
            measured = generator.random(count) < 0.2
            for name in ("clean_accuracy", "clean_loss", "robust_accuracy"):
                columns[name] = np.where(measured, columns[name] / 10, np.nan)
            columns["cost_feasible"] = columns["time_overhead"] <= 0.5
            columns["feasible"] = columns["cost_feasible"] & (columns["clean_loss"] <= 0.02)
            yield Designs(chip, scenario, block, columns)


def every(space: Space, seed: int = 0) -> list[Design]:
    """One by one; ensembles of one member only once."""
    found = []
    for some in stream(space, seed):
        rows = np.arange(len(some.block.members))
        found += [one for one in designs_of(some, CHOICES, rows) if not _again(one, space)]
    return found


def _again(one: Design, space: Space) -> bool:
    return len(one.copies) == 1 and one.scenario.combiner != space.ensembles.combiner[0]


def name(one: Design) -> tuple[object, ...]:
    return one.chip.knobs["clock"], one.scenario.batch, one.scenario.combiner, one.copies


def test_every_design_is_counted_once() -> None:
    space = a_space()
    found, designs = survey(space, CHOICES, stream(space), most=0), every(space)
    low = [combinations_with_replacement(range(3), size) for size in (1, 2)]
    singles, several = 1 + 3, sum(1 for size in low for _ in size) * 2 - 3  # of M in (0, 1), N in (0, 1, 2)
    assert found.designs == len(designs) == 2 * 2 * (singles + 2 * several)
    assert found.within["time_overhead"] == sum(one.columns["time_overhead"] <= 0.5 for one in designs)
    assert found.within["clean_loss"] == sum(one.columns["clean_loss"] <= 0.02 for one in designs)
    assert found.cost_feasible == sum(bool(one.columns["cost_feasible"]) for one in designs)
    assert found.feasible == sum(bool(one.columns["feasible"]) for one in designs)
    assert found.unmapped == 0


def test_the_measured_are_listed() -> None:
    space = a_space()
    found = survey(space, CHOICES, stream(space), most=0)
    assert list(map(name, found.measured)) == [
        name(one) for one in every(space) if not np.isnan(one.columns["robust_accuracy"])
    ]
    assert found.measured


def test_or_those_asked_for() -> None:
    space = a_space()
    wanted = [key([FP, (2, 4), (2, 2)], "max_vote"), key([(4, 4)], "max_vote"), key([FP], "average")]
    elsewhere = [key([(8, 8)], "average"), key([FP, FP, (2, 4)], "average"), key([(2, 4)] * 3, "average")]
    found = survey(space, CHOICES, stream(space), most=0, only=[*wanted, *elsewhere])
    assert sorted(map(name, found.measured)) == sorted(name(one) for one in every(space) if one.key in wanted)
    assert len(found.measured) == len(wanted) * 2 * 2


@pytest.mark.parametrize("seed", range(5))
def test_candidates_are_affordable_and_unbeaten_where_they_run(seed: int) -> None:
    space = a_space()
    found, designs = survey(space, CHOICES, stream(space, seed), most=1000), every(space, seed)

    def place(one: Design) -> tuple[object, ...]:
        return (*one.setting, one.scenario.combiner)

    def goals(one: Design) -> tuple[float, ...]:
        own = one.columns
        return own["time_overhead"], own["storage_overhead"], -own["members"], -own["member_bits"]

    def beats(one: Design, other: Design) -> bool:
        return all(a <= b for a, b in zip(goals(one), goals(other), strict=True)) and goals(one) != goals(other)

    affordable = [one for one in designs if one.columns["cost_feasible"]]
    expected = {name(one) for one in affordable if not any(beats(o, one) for o in affordable if place(o) == place(one))}
    assert {name(one) for own in found.candidates for one in own} == expected
    assert sum(map(len, found.candidates)) == len(expected)


def test_of_each_setting_first_the_cheapest_then_the_dearest() -> None:
    space = a_space()
    all_of_them = survey(space, CHOICES, stream(space), most=1000).candidates
    few = survey(space, CHOICES, stream(space), most=2).candidates
    for whole, own in zip(all_of_them, few, strict=True):
        times = sorted(one.columns["time_overhead"] for one in whole)
        assert [one.columns["time_overhead"] for one in own] == [times[0], times[-1]][: len(whole)]


def test_spread() -> None:
    assert list(spread(range(9))) == [0, 8, 4, 2, 6, 1, 3, 5, 7]
    assert list(spread("a")) == ["a"]
    assert list(spread("")) == []
    assert sorted(spread(range(100))) == list(range(100))


def test_settings_take_turns_and_each_ensemble_comes_once() -> None:
    space = a_space("average")
    candidates = survey(space, CHOICES, stream(space), most=3).candidates
    picked = pick(candidates, 5)
    assert len(picked) == len({one.key for one in picked}) == 5
    firsts = {own[number % len(own)].key for number, own in enumerate(candidates)}
    assert {one.key for one in picked[: len(firsts)]} == firsts
    assert len(pick(candidates, 1000)) == len({one.key for own in candidates for one in own})


def test_a_chip_that_runs_nothing_says_why_once() -> None:
    space = a_space("average")

    def refused() -> Iterator[Designs]:
        for one in stream(space):
            costs = {
                name: np.full(len(own), np.nan) if COLUMNS[name].costs else own for name, own in one.columns.items()
            }
            verdicts = {name: np.zeros(len(one.block.members), dtype=bool) for name in ("cost_feasible", "feasible")}
            yield Designs(one.chip, one.scenario, one.block, {**costs, **verdicts}, Infeasible("no mode for 32 bits"))

    found = survey(space, CHOICES, refused(), most=9)
    assert [why for _, why in found.refused] == ["no mode for 32 bits"] * 2
    assert found.unmapped == found.designs
    assert not found.candidates


def test_a_design_as_a_user_would_write_it() -> None:
    space = a_space()
    scenario = Scenario(space.subjects[0], 4, "max_vote")
    chip = Chip({}, load_hardware("simple_s0"), None)
    made = Design(chip, scenario, (FP, (2, 4), (2, 4)), {}).ensemble(space)
    assert made.model_dump(mode="json", exclude_defaults=True) == {
        "name": "fp + 2 w2a4",
        "network": {"name": "mnistconv"},
        "members": [{"weights": 32, "activations": 32}, {"weights": 2, "activations": 4, "count": 2}],
        "combiner": "max_vote",
        "batch": 4,
    }
    assert Design(chip, scenario, (FP,), {}).ensemble(space).combiner == "average"
