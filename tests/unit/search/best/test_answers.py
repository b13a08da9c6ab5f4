"""The best, the front and the misses of designs whose figures are given."""

from __future__ import annotations

from typing import Any

import pytest

from hwsim.mapper import EFFORT, map_layer
from hwsim.search.best.answers import answers, explained
from hwsim.search.best.candidates import Design
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.grid import Chip, Scenario
from hwsim.spec.load import load_hardware
from hwsim.spec.space import Space

FP, LOW = (32, 32), (2, 4)
NAN = float("nan")


def a_space(**fields: Any) -> Space:
    given: dict[str, Any] = {
        "name": "small",
        "subjects": [{"network": "mnistconv", "measurements": "m.jsonl"}],
        "chips": {"base": "empir_ideal"},
        "objectives": {"time_overhead": "minimise", "energy_overhead": "minimise", "robust_accuracy": "maximise"},
        "constraints": {"time_overhead": 0.25, "clean_loss": 0.02},
    }
    return Space.model_validate(given | fields)


SPACE = a_space()


def design(*copies: tuple[int, int], time: float, robust: float, room: float = 0.01, **columns: float) -> Design:
    """A measured design; feasible where it keeps to the limits of the space."""
    own = dict.fromkeys(COLUMNS, NAN)
    given = {
        "time_overhead": time,
        "storage_overhead": 0.0,
        "energy_overhead": 0.0,
        "clean_accuracy": 0.9,
        "clean_loss": 0.0,
        "robust_accuracy": robust,
        "robust_low": robust - room,
        "robust_high": robust + room,
    }
    own |= given | columns
    own["feasible"] = float(own["time_overhead"] <= 0.25 and own["clean_loss"] <= 0.02)
    scenario = Scenario(SPACE.subjects[0], 1, "max_vote")
    return Design(Chip({}, load_hardware("empir_ideal"), None), scenario, copies, own)


def test_the_most_robust_first_then_the_most_right_then_the_cheapest() -> None:
    dear = design(FP, LOW, time=0.2, robust=0.3)
    cheap = design(LOW, time=0.1, robust=0.3)
    right = design(LOW, LOW, time=0.2, robust=0.3, clean_accuracy=0.95)
    robust = design(FP, time=0.25, robust=0.4)
    over = design(FP, FP, time=0.26, robust=0.9)
    assert answers(SPACE, [dear, over, cheap, robust, right]).best == (robust, right, cheap, dear)


def test_the_front_is_of_those_within_the_limits() -> None:
    over = design(FP, FP, time=0.3, robust=0.9)
    first = design(LOW, time=0.1, robust=0.3)
    beaten = design(FP, time=0.2, robust=0.2)
    found = answers(SPACE, [over, beaten, first])
    assert found.front == (first,)
    assert [miss.design for miss in found.misses] == [over]
    none = answers(SPACE, [over, design(FP, FP, LOW, time=0.4, robust=0.8)])
    assert none.best == ()
    assert none.front == (over,)


def test_an_objective_that_nobody_knows_is_left_out() -> None:
    designs = [
        design(LOW, time=0.1, robust=0.3, energy_overhead=NAN),
        design(FP, time=0.0, robust=0.1, energy_overhead=NAN),
    ]
    found = answers(SPACE, designs)
    assert found.objectives == ("time_overhead", "robust_accuracy")
    assert found.unknown == ("energy_overhead",)
    assert len(found.front) == 2


def test_intervals_say_what_is_not_told_apart() -> None:
    apart = [design(LOW, time=0.1, robust=0.3), design(FP, time=0.2, robust=0.4)]
    assert answers(SPACE, apart).alike == 0
    near = [design(LOW, time=0.1, robust=0.3, room=0.06), design(FP, time=0.2, robust=0.4, room=0.06)]
    assert answers(SPACE, [*near, design(FP, LOW, time=0.0, robust=0.0)]).alike == 2


@pytest.mark.parametrize(("room", "unsure"), [(0.05, False), (0.06, True)])
def test_one_behind_the_front_may_be_on_it(room: float, unsure: bool) -> None:
    """0.2 + room against 0.3 - room."""
    front, behind = design(LOW, time=0.1, robust=0.3, room=room), design(FP, time=0.2, robust=0.2, room=room)
    found = answers(SPACE, [front, behind])
    assert found.front == (front,)
    assert found.unsure == ((behind,) if unsure else ())


def test_misses_say_what_they_break_the_nearest_first() -> None:
    far = design(FP, FP, time=1.5, robust=0.9)
    both = design(FP, LOW, time=0.3, robust=0.5, clean_loss=0.05)
    near = design(LOW, time=0.1, robust=0.3, clean_loss=0.03)
    unknown = design(LOW, LOW, time=0.1, robust=0.3, clean_loss=NAN)
    found = answers(SPACE, [far, both, near, unknown])
    assert [miss.design for miss in found.misses] == [unknown, near, both, far]
    broken = {miss.design.copies: [(one.quantity, one.limit) for one in miss.excesses] for miss in found.misses}
    assert broken[FP, LOW] == [("time_overhead", 0.25), ("clean_loss", 0.02)]
    assert broken[(LOW,)] == [("clean_loss", 0.02)]
    assert broken[FP, FP] == [("time_overhead", 0.25)]


def test_the_first_misses_are_explained() -> None:
    """Where a chip does what the equation says, only the layers left in full precision are what it does not see."""
    space = a_space(subjects=[{"network": "mnistconv", "quantize": "convs", "measurements": "m.jsonl"}])
    two = [design(FP, LOW, LOW, time=0.2503, robust=0.3), design(FP, FP, time=1.0, robust=0.5)]
    misses = answers(space, two).misses
    own = explained(space, misses, 1, map_layer, EFFORT)
    assert [miss.design for miss in own] == [miss.design for miss in misses]
    (excess,) = own[0].excesses
    assert (excess.quantity, excess.value, excess.limit) == ("time_overhead", 0.2503, 0.25)
    assert next(iter(excess.causes)) == "layers in full precision"
    assert sorted(map(abs, excess.causes.values()), reverse=True) == list(map(abs, excess.causes.values()))
    assert not own[1].excesses[0].causes


def test_nothing_measured() -> None:
    found = answers(SPACE, [])
    assert (found.best, found.front, found.misses) == ((), (), ())
