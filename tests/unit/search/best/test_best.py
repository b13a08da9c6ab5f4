"""A search over two chips, with rounds of measurements through a command that stands for empir."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwsim.cache.layers import remembered
from hwsim.errors import SpecError
from hwsim.mapper import EFFORT, map_layer
from hwsim.search.best.best import Found, Rounds, best_of
from hwsim.search.design.grid import chips
from hwsim.spec.space import Space
from tests.unit.search.measured.test_evaluate import Bench
from tests.unit.search.measured.test_robustness import line

FP, LOW = (32, 32), (2, 4)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, size=50)


def a_space(bench: Bench, **fields: Any) -> Space:
    """fp + w2a4 takes an eighth more time on the first chip; on the second a second set of launches is far too much."""
    subject = bench.empir.subject.model_dump(mode="json") | {"quantize": "all"}
    given = {
        "name": "two chips",
        "subjects": [subject],
        "ensembles": {"full_precision": [0, 1], "low_precision": [0, 1], "weights": 2, "activations": 4},
        "chips": {"base": ["empir_ideal", "turing"]},
        "objectives": {"time_overhead": "minimise", "storage_overhead": "minimise", "robust_accuracy": "maximise"},
        "constraints": {"time_overhead": 0.25, "storage_overhead": 0.25, "clean_loss": 0.02},
    }
    return Space.model_validate(given | fields)


def told(bench: Bench, *copies: tuple[int, int], clean: float, robust: float) -> None:
    bench.entrant(*copies, clean=clean, robust=robust, line=json.loads(_throughout(*copies)))


def _throughout(*copies: tuple[int, int]) -> str:
    return line(*copies, combiner="average", quantize="all").line()


def search(bench: Bench, space: Space, **options: Any) -> Found:
    mapper, rounds = remembered(map_layer), Rounds(bench.empir.command)
    own: dict[str, Any] = {"checkpoints": bench.empir.checkpoints, "rounds": rounds}
    return best_of(space, chips(space), space.subjects[0], mapper=mapper, effort=EFFORT, **(own | options))


def named(designs: Any) -> list[tuple[str, int]]:
    return [(one.chip.knobs["base"], len(one.copies)) for one in designs]


def test_what_fits_one_chip_is_measured_and_fails_on_the_other(bench: Bench) -> None:
    told(bench, FP, clean=0.96, robust=0.0)
    told(bench, LOW, clean=0.95, robust=0.3)
    told(bench, FP, LOW, clean=0.96, robust=0.6)
    space = a_space(bench)
    anywhere = space.subjects[0].model_copy(update={"epsilon": None})
    found = search(bench, space.model_copy(update={"subjects": (anywhere,)}))
    assert found.subject.epsilon == 0.3  # as the command measured it
    assert found.evaluation is not None
    assert [one.samples for one in found.evaluation.rounds] == [50]
    assert named(found.answers.best)[0] == ("empir_ideal", 2)
    (miss,) = found.answers.misses
    assert named([miss.design]) == [("turing", 2)]
    assert next(iter(miss.excesses[0].causes)) == "launch"
    assert not found.unmeasured
    assert found.survey.designs == 2 * 3
    assert found.known is not None
    assert found.known.baseline_clean == 0.96


def test_what_fits_no_chip_is_never_attacked(bench: Bench) -> None:
    told(bench, FP, clean=0.96, robust=0.0)
    told(bench, LOW, clean=0.95, robust=0.3)
    found = search(bench, a_space(bench, constraints={"time_overhead": 0.1, "clean_loss": 0.02}))
    assert {name for name, _ in bench.attacks()} == {"fp", "w2a4"}
    assert found.evaluation is not None
    assert found.evaluation.failures == []


def test_without_rounds_nothing_is_run(bench: Bench) -> None:
    space = a_space(bench)
    bench.measurements.write_text(_throughout(FP) + "\n")
    found = search(bench, space, rounds=None)
    assert bench.asked == []
    assert {one.copies for one in found.unmeasured} == {(LOW,), (FP, LOW)}
    times = [one.columns["time_overhead"] for one in found.candidates]
    assert times == sorted(times)


def test_few_candidates(bench: Bench) -> None:
    found = search(bench, a_space(bench), rounds=None, most=1)
    assert len(found.candidates) == 1


def test_a_data_set_is_needed_to_measure(bench: Bench) -> None:
    space = a_space(bench)
    nowhere = space.subjects[0].model_copy(update={"dataset": None})
    space = space.model_copy(update={"subjects": (nowhere,)})
    with pytest.raises(SpecError, match="which data set is to be measured on"):
        search(bench, space)
    assert not bench.measurements.exists()
