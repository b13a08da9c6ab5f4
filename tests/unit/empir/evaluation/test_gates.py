"""Gates on made-up measurements, at their thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from empir.evaluation import gates


def share(right: int, of: int = 100) -> np.ndarray:
    return np.repeat([1.0, 0.0], [right, of - right])


def test_one_sample_that_survives_everything_fails_the_unbounded_gate() -> None:
    assert gates.unbounded(share(0)).passed
    assert not gates.unbounded(share(1)).passed
    assert not gates.unbounded(np.array([0.0, 1 / 3])).passed


def test_accuracy_may_rise_within_its_interval_only() -> None:
    # Wilson's interval of 10 in 100 ends at 17.4 %.
    assert gates.falling("epsilon", {0.1: share(50), 0.2: share(10), 0.3: share(17)}).passed
    failed = gates.falling("epsilon", {0.1: share(50), 0.2: share(10), 0.3: share(18)})
    assert not failed.passed
    assert "10.0 % at 0.2, but 18.0 % at 0.3" in failed.found


def test_a_rise_in_small_steps_is_a_rise() -> None:
    assert not gates.falling("iterations", {1: share(10), 10: share(15), 40: share(20)}).passed


def test_square_may_find_what_chance_explains() -> None:
    # Wilson's interval of 30 in 100 begins at 21.9 %.
    assert gates.black_box(share(30), share(22)).passed
    assert not gates.black_box(share(30), share(21)).passed


def test_one_surrogate_with_gradients_is_enough() -> None:
    assert gates.gradients({"paper": 0.6, "margin": 0.01}).passed
    assert not gates.gradients({"paper": 0.6, "margin": 0.02}).passed


@pytest.mark.parametrize(("closed", "passed"), [(0.0, True), (0.01, True), (0.02, False)])
def test_one_layer_that_lets_nothing_pass_is_too_many(closed: float, passed: bool) -> None:
    layers = [
        gates.Saturation(layer="a conv2", at_zero=0.9, at_one=0.09, closed=0.0),
        gates.Saturation(layer="a conv3", at_zero=0.5, at_one=0.4, closed=closed),
    ]
    assert gates.saturation(layers).passed is passed


def test_without_quantised_activations_nothing_saturates() -> None:
    assert gates.saturation([]).passed


def test_some_surrogate_must_decide_as_the_ensemble_does() -> None:
    assert gates.decisions({"paper": 0.5, "margin": 0.98}).passed
    assert not gates.decisions({"paper": 0.5, "margin": 0.97}).passed
