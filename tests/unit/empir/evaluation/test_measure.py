"""Measurements against a loop over single samples that attacks and asks by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from empir.attacks import attack, run
from empir.ensemble.surrogates import surrogate
from empir.evaluation import attacked as kept
from empir.evaluation.measure import measure
from hwsim.errors import SpecError
from hwsim.spec.measurement import Measurement, append_measurements, read_measurements
from tests.unit.empir.evaluation.examples import Means, quadrants, target

SAMPLES = 24

#: Two of them are wrong on faint images.
MEMBERS = (Means(), Means(favour=2, bias=0.2), Means(scale=30.0, favour=2, bias=0.15))
ATTACKS = (
    attack("fgsm", "", epsilon=0.1),
    attack("bim", "", epsilon=0.2, step=0.05, iterations=5),
    attack("cw", "", iterations=4, learning_rate=0.1, constant=100.0, abort_early=False),
)


def lines(combiner: str = "average", folder: Path | None = None, **options: object) -> dict[str, Measurement]:
    on = target(MEMBERS, quadrants(SAMPLES), combiner, folder)  # type: ignore[arg-type]
    found = [one.measurement for one in measure(on, ATTACKS, **options)]  # type: ignore[arg-type]
    assert len({line.question for line in found}) == len(found)
    return {line.attack: line for line in found}


@pytest.mark.parametrize("combiner", ["average", "max_vote"])
def test_standard_counts_what_a_loop_counts(combiner: str) -> None:
    found = lines(combiner)
    on = target(MEMBERS, quadrants(SAMPLES), combiner)  # type: ignore[arg-type]
    images, labels = on.dataset.images(slice(None)), on.dataset.labels
    survived = {name: 0 for name in ("none", "fgsm", "bim", "cw", "worst_case")}
    model = surrogate("paper", on.module)
    for i in range(SAMPLES):
        one, label = images[i : i + 1], labels[i : i + 1]
        right = bool(on.module.decide(one) == label)
        everything = right
        survived["none"] += right
        for each in ATTACKS:
            after = run(each, model, one, label, seed=0, decide=on.module.decide)
            stands = right and bool(on.module.decide(after) == label)
            survived[each.name] += stands
            everything &= stands
        survived["worst_case"] += everything
    assert {name: found[name].robust_accuracy for name in survived} == pytest.approx(
        {name: count / SAMPLES for name, count in survived.items()}
    )
    assert 0 < survived["worst_case"] < survived["fgsm"] < survived["none"] < SAMPLES
    assert all(line.clean_accuracy == survived["none"] / SAMPLES for line in found.values())


def test_released_counts_true_labels_but_flees_from_its_own_answers() -> None:
    found = lines("average", accounting="released")
    on = target(MEMBERS, quadrants(SAMPLES))
    images, labels = on.dataset.images(slice(None)), on.dataset.labels
    own = on.module.decide(images)
    for each, gradient in zip(ATTACKS, ("released", "full_precision", "full_precision"), strict=True):
        after = run(each, surrogate(gradient, on.module), images, own, seed=0)
        right = (on.module.decide(after) == labels).float().mean().item()
        assert found[each.name].robust_accuracy == pytest.approx(right)
        assert found[each.name].gradient == gradient
    assert "worst_case" not in found


def test_released_attacks_end_at_what_fools_the_surrogate() -> None:
    """CW on the full-precision member alone ends at its boundary; the ensemble is still right about some images."""
    on = target(MEMBERS, quadrants(SAMPLES))
    images, labels = on.dataset.images(slice(None)), on.dataset.labels
    own, decide = on.module.decide(images), on.module.decide
    cw = attack("cw", "", iterations=200, learning_rate=0.01, constant=1000.0, abort_early=False)
    member = surrogate("full_precision", on.module)
    blind, seeing = run(cw, member, images, own, seed=0), run(cw, member, images, own, seed=0, decide=decide)
    left, less = ((decide(found) == labels).float().mean().item() for found in (blind, seeing))
    _, found = measure(on, (cw,), accounting="released")
    assert found.measurement.robust_accuracy == pytest.approx(left)
    assert less < left


def test_every_line_says_what_was_asked() -> None:
    found = lines()
    assert list(found) == ["none", "fgsm", "bim", "cw", "worst_case"]
    clean, fgsm, cw = found["none"], found["fgsm"], found["cw"]
    assert (clean.norm, clean.epsilon, clean.gradient, clean.parameters) == (None, None, None, {})
    assert (fgsm.norm, fgsm.epsilon, fgsm.gradient) == ("linf", 0.1, "paper")
    assert (cw.norm, cw.epsilon, cw.parameters["iterations"]) == ("l2", None, 4)
    assert fgsm.median_distortion == pytest.approx(0.1)
    assert fgsm.interval[0] < fgsm.robust_accuracy < fgsm.interval[1]
    assert [one["attack"] for one in found["worst_case"].parameters["attacks"]] == ["fgsm", "bim", "cw"]
    assert found["worst_case"].norm is None


def test_the_confusion_of_standard_has_its_accuracy_on_the_diagonal() -> None:
    for line in lines().values():
        assert line.confusion is not None
        counts = torch.tensor(line.confusion)
        assert counts.sum(1).tolist() == [SAMPLES / 4] * 4
        assert counts.trace().item() == pytest.approx(line.robust_accuracy * SAMPLES)


def test_attacks_with_one_bound_have_a_worst_case_of_their_own() -> None:
    on = target(MEMBERS, quadrants(SAMPLES))
    same = [attack("fgsm", "", epsilon=0.2), attack("cw", ""), attack("bim", "", epsilon=0.2, step=0.05)]
    worst = [one.measurement for one in measure(on, same) if one.measurement.attack == "worst_case"]
    assert [(line.norm, line.epsilon) for line in worst] == [(None, None), ("linf", 0.2)]
    assert worst[0].robust_accuracy <= worst[1].robust_accuracy


def test_random_switch_counts_the_expectation_over_its_draws() -> None:
    found = lines("random_switch")
    on = target(MEMBERS, quadrants(SAMPLES), "random_switch")
    images, labels = on.dataset.images(slice(None)), on.dataset.labels
    clean = sum((member(images).argmax(-1) == labels).sum().item() for member in MEMBERS) / 3
    assert found["none"].robust_accuracy == pytest.approx(clean / SAMPLES)
    assert found["none"].confusion is None
    after = run(ATTACKS[0], surrogate("paper", on.module), images, labels, seed=0)
    chances = [
        min(
            sum(bool(member(shown[i : i + 1]).argmax(-1) == labels[i]) for member in MEMBERS) / 3
            for shown in (images, after)
        )
        for i in range(SAMPLES)
    ]
    assert found["fgsm"].robust_accuracy == pytest.approx(sum(chances) / SAMPLES)


def test_a_gradient_can_be_asked_for() -> None:
    found = lines(gradient="member:fp2")
    assert {found[name].gradient for name in ("fgsm", "bim", "cw", "worst_case")} == {"member:fp2"}


def test_an_unknown_gradient_is_refused_before_anything_is_attacked() -> None:
    on = target(MEMBERS, quadrants(SAMPLES))
    with pytest.raises(SpecError, match=r"margn.*did you mean margin"):
        next(measure(on, ATTACKS, gradient="margn"))


def test_measured_twice_is_attacked_once_and_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "measurements.jsonl"
    first = lines(folder=tmp_path)
    append_measurements(file, first.values())
    monkeypatch.setattr(kept, "run", None)
    again = lines(folder=tmp_path)
    assert again == first
    assert append_measurements(file, again.values()) == ()
    assert read_measurements(file) == tuple(first.values())
