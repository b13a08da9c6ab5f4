"""Verification of robustnesses that are known to be real, masked, or out of every gradient's sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from empir.evaluation import attacked as kept
from empir.evaluation.adaptive import Plan, plain
from empir.evaluation.measure import measure
from empir.evaluation.target import Target
from empir.evaluation.verify import Verification, verify
from hwsim.errors import HwsimError
from hwsim.spec.measurement import append_measurements, read_measurements
from tests.unit.empir.evaluation.examples import CLEAREST, FAINTEST, Means, quadrants, target

SAMPLES = 24

#: Half of the faintest image's contrast is more, half of the clearest image's less.
HARMLESS, MIDDLING, DEADLY = 0.04, 0.2, 0.45


def plan(epsilon: float) -> Plan:
    return Plan(iterations=20, restarts=2, sweep_iterations=10, queries=100, samples=24, epsilon=epsilon)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Target, Verification]:
    """Members that decide alike: faint images fall, clear ones stand."""
    folder = tmp_path_factory.mktemp("usual")
    on = target([Means(), Means(scale=5.0)], quadrants(SAMPLES), folder=folder)
    return on, verify(on, plan(MIDDLING))


def failing(found: Verification) -> set[str]:
    return {gate.name for gate in found.gates if not gate.passed}


def test_images_out_of_reach_are_really_robust() -> None:
    assert HARMLESS < FAINTEST / 2
    found = verify(target([Means(), Means(scale=5.0)], quadrants(SAMPLES)), plan(HARMLESS))
    assert found.verdict.judgement == "real"
    assert found.plain_accuracy == found.adaptive_accuracy == 1.0
    assert not failing(found)
    assert {stage.attack for stage in found.stages} >= {"fgsm", "bim-40", "pgd-40", "pgd-20", "square", "autoattack"}


def test_what_stands_is_what_no_change_within_epsilon_could_fool(usual: tuple[Target, Verification]) -> None:
    """Darkening one quadrant and brightening another by epsilon is the best there is, and changes the contrast by 2."""
    on, found = usual
    images = on.dataset.images(slice(None))
    means = images.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)).flatten(1)
    margins = means.sort(-1).values.diff(dim=-1)[:, -1]
    robust = (margins > 2 * MIDDLING).double().mean().item()
    assert 0 < robust < 1
    assert found.adaptive_accuracy == pytest.approx(robust)


@pytest.mark.parametrize("combiner", ["average", "max_vote"])
def test_a_saturated_softmax_is_no_robustness(combiner: str) -> None:
    """Logits of thousands: nothing but a temperature, or a margin, brings their gradient back."""
    on = target([Means(scale=4e4), Means(scale=3e4), Means(scale=2e4)], quadrants(SAMPLES), combiner)  # type: ignore[arg-type]
    found = verify(on, plan(DEADLY))
    assert DEADLY > CLEAREST / 2
    assert found.plain_accuracy > 0.7
    assert found.adaptive_accuracy == 0
    assert found.verdict.judgement == "not real"
    left = {(one.gradient, one.temperature): one.accuracy for one in found.sweep}
    assert left["mean_probability", 1.0] > 0.7
    assert min(left.values()) == 0
    assert found.stages[-1].left == 0


def test_no_gradient_is_no_robustness_and_never_real() -> None:
    """Rounded pixels: gradients are zero, so every gate that looks for one fails, and only Square sees a way."""
    found = verify(target([Means(steps=20)], quadrants(SAMPLES)), plan(DEADLY))
    assert found.plain_accuracy > 0.5
    assert found.verdict.judgement == "not real"
    assert failing(found) >= {"gradients do not vanish", "Square never beats white-box"}
    broke = {stage.attack: stage.broke for stage in found.stages}
    assert broke["square"] > 0


def test_every_stage_attacks_what_stands_and_only_lowers_it(usual: tuple[Target, Verification]) -> None:
    _, found = usual
    assert 0 < found.adaptive_accuracy < found.clean_accuracy
    left = round(found.clean_accuracy * SAMPLES)
    assert [stage.attacked for stage in found.stages[:3]] == [left] * 3  # the plain ones have all of them
    assert [stage.attack for stage in found.stages[:3]] == ["fgsm", "bim-40", "pgd-40"]
    pairs = len(found.sweep)
    for before, stage in zip(found.stages[2 + pairs :], found.stages[3 + pairs :], strict=False):
        assert stage.attacked == round(before.left * SAMPLES)
        assert stage.left * SAMPLES == pytest.approx(stage.attacked - stage.broke)
    assert all(stage.interval[0] <= stage.left <= stage.interval[1] for stage in found.stages)


def test_a_drawn_member_is_judged_by_expectation() -> None:
    """One member falls, the other does not, and which of them answers is drawn: half of every image stands."""
    weak, stout = Means(favour=0, bias=-1e3), Means(scale=20.0)
    data = quadrants(SAMPLES)
    found = verify(target([weak, stout], data, "random_switch"), plan(HARMLESS))
    assert found.clean_accuracy == pytest.approx(1 - 0.25 / 2)  # the weak one never answers with class 0
    assert found.adaptive_accuracy == pytest.approx(found.clean_accuracy)
    assert "expected over the member drawn" in found.verdict.sentence


def test_plain_attacks_are_those_that_measure_makes(usual: tuple[Target, Verification]) -> None:
    on, found = usual
    lines = [one.measurement for one in measure(on, plain("quadrants", MIDDLING))][1:4]
    for stage, line in zip(found.stages, lines, strict=False):
        assert found.clean_accuracy - stage.fooled / SAMPLES == pytest.approx(line.robust_accuracy)
    assert all(0 < stage.fooled < stage.attacked for stage in found.stages[:3])


def test_the_measurement_has_the_result_and_all_stages(usual: tuple[Target, Verification], tmp_path: Path) -> None:
    _, found = usual
    line = found.measurement
    assert (line.attack, line.accounting, line.norm, line.epsilon) == ("adaptive", "standard", "linf", MIDDLING)
    assert line.robust_accuracy == found.adaptive_accuracy
    assert line.interval == found.adaptive_interval
    assert len(line.parameters["stages"]) == len(found.stages)
    append_measurements(tmp_path / "m.jsonl", [line])
    assert read_measurements(tmp_path / "m.jsonl") == (line,)


def test_a_second_verification_attacks_nothing(
    usual: tuple[Target, Verification], monkeypatch: pytest.MonkeyPatch
) -> None:
    on, first = usual
    monkeypatch.setattr(kept, "run", None)
    assert verify(on, plan(MIDDLING)) == first


def test_an_ensemble_that_is_always_wrong_is_refused() -> None:
    data = quadrants(4)
    wrong = target([Means(favour=3, bias=10.0)], data.limited(3))
    with pytest.raises(HwsimError, match="no image is answered right even when clean"):
        verify(wrong, plan(HARMLESS))
