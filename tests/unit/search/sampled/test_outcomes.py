"""What a search is guided by, worked out by hand."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest

from hwsim.errors import HwsimError
from hwsim.search.measured.robustness import Robust, Robustness, key
from hwsim.search.sampled.outcomes import HOPELESS, Outcome, evaluate, judged, objectives, outcome_of, violations
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.load import load_hardware
from tests.spaces import tiny

COSTS = {
    "time_overhead": 0.4,
    "storage_overhead": 0.9,
    "energy_overhead": nan,
    "seconds": 1e-3,
    "energy_joules": 0.0,
    "storage_bytes": 100.0,
    "baseline_seconds": 1e-3,
    "equation6_time": 0.5,
    "equation6_storage": 0.5,
}

COPIES = ((8, 8), (2, 4), (4, 4))


def test_constraints_are_missed_relative_to_their_limits() -> None:
    """Exactly 0.4 is allowed; 0.9 is half as much again as 0.6."""
    columns = judged(tiny(), Outcome(COSTS), None, COPIES, "average", None)
    missed = violations(tiny(), columns)
    assert missed == {"runs": 0.0, "time_overhead": 0.0, "storage_overhead": pytest.approx(0.5)}
    assert columns["cost_feasible"] == columns["feasible"] == 0


def test_a_limit_of_nothing_is_missed_by_the_value_itself() -> None:
    space = tiny(constraints={"time_overhead": 0.0, "members": 3})
    missed = violations(space, judged(space, Outcome(COSTS), None, COPIES, "average", None))
    assert missed == {"runs": 0.0, "time_overhead": pytest.approx(0.4), "members": 0.0}


def test_what_is_better_the_larger_must_reach_its_limit() -> None:
    known = Robustness("verify", {key(COPIES, "average"): Robust(0.95, 0.3, 0.2, 0.4, 500, 0.01)}, 0.96, "mnist5k", 0.3)
    subject = {"network": "lenet5", "measurements": "measurements.jsonl"}
    space = tiny(subjects=[subject], constraints={"robust_accuracy": 0.4, "clean_accuracy": 0.95, "clean_loss": 0.01})
    columns = judged(space, Outcome(COSTS), known, COPIES, "average", None)
    assert violations(space, columns) == {
        "runs": 0.0,
        "robust_accuracy": pytest.approx(0.25),
        "clean_accuracy": 0.0,
        "clean_loss": 0.0,
    }
    assert (columns["cost_feasible"], columns["feasible"]) == (True, False)
    assert (columns["robust_low"], columns["robust_high"], columns["robust_samples"]) == (0.2, 0.4, 500)
    other = judged(space, Outcome(COSTS), known, COPIES, "max_vote", None)
    assert isnan(other["robust_accuracy"])
    assert violations(space, other)["robust_accuracy"] == 1.0


def test_what_follows_from_the_members_and_the_chip() -> None:
    columns = judged(tiny(), Outcome(COSTS), None, COPIES, "average", 3e-4)
    assert (columns["members"], columns["low_precision"], columns["member_bits"]) == (3, 2, 8 + 8 + 2 + 4 + 4 + 4)
    assert columns["area"] == 3e-4


def test_what_cannot_run_misses_more_than_anything_else() -> None:
    outcome = Outcome({}, "does not fit")
    columns = judged(tiny(), outcome, None, COPIES, "average", None)
    assert objectives(tiny(), columns) == (inf, inf, 2)
    assert violations(tiny(), columns) == {"runs": HOPELESS, "time_overhead": 1.0, "storage_overhead": 1.0}
    assert columns["cost_feasible"] == columns["feasible"] == 0


def test_an_objective_that_a_chip_does_not_tell_is_the_worst_there_is() -> None:
    space = tiny(objectives={"energy_overhead": "minimise", "time_overhead": "maximise"})
    columns = judged(space, Outcome(COSTS), None, COPIES, "average", None)
    assert objectives(space, columns) == (inf, 0.4)
    assert violations(space, columns)["runs"] == HOPELESS


def test_an_outcome_is_plain_data_and_back() -> None:
    content = Outcome(COSTS).content()
    assert content["costs"]["energy_overhead"] is None
    again = outcome_of(content)
    assert isnan(again.costs["energy_overhead"])
    assert {**again.costs, "energy_overhead": 0.0} == {**COSTS, "energy_overhead": 0.0}
    assert outcome_of(Outcome({}, "why").content()) == Outcome({}, "why")


def test_another_version_on_a_worker_is_told() -> None:
    ensemble = Ensemble.model_validate(
        {"name": "fp", "network": "lenet5", "members": [{"weights": 8, "activations": 8}]}
    )
    with pytest.raises(HwsimError, match="where the sweep was started"):
        evaluate(ensemble, load_hardware("bitfusion"), "closed_form", "latency", False, "another")
