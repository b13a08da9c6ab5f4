"""What measurements say of an ensemble, by every way to count; expectations are worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hwsim.errors import SpecError
from hwsim.search.measured.robustness import Robustness, robustness, robustness_of
from hwsim.spec.ensemble import Combiner, NetworkReference, identity
from hwsim.spec.measurement import Measurement, append_measurements
from hwsim.spec.space import Subject
from tests.unit.spec.measured import measurement

FP, LOW = (32, 32), (2, 4)
ALL_ATTACKS = ("fgsm", "bim", "pgd")
SUBJECT = Subject.model_validate({"network": "mnistconv", "quantize": "convs"})


def line(
    *copies: tuple[int, int],
    combiner: Combiner = "max_vote",
    attack: str = "adaptive",
    clean: float = 0.9,
    robust: float = 0.4,
    interval: tuple[float, float] | None = None,
    seed: int = 0,
    **fields: Any,
) -> Measurement:
    """A measurement of an ensemble; the members' checkpoints tell the seed."""
    network = NetworkReference(name="mnistconv")
    given: dict[str, Any] = {
        "ensemble": identity(network, copies, combiner, fields.get("quantize", "convs"), 32),
        "combiner": combiner,
        "members": [
            {"weights": weights, "activations": activations, "seed": seed, "checkpoint": f"{seed:032x}{i:032x}"}
            for i, (weights, activations) in enumerate(copies)
        ],
        "samples": 100,
        "attack": attack,
        "clean_accuracy": clean,
        "robust_accuracy": robust,
        "interval": interval or (max(0.0, robust - 0.1), min(1.0, robust + 0.1)),
        "seed": seed,
        "gradient": None if attack == "adaptive" else "paper",
        "parameters": {},
        "confusion": None,
    }
    return measurement(**{**given, **fields})


def worst(
    *copies: tuple[int, int], attacks: Sequence[str] = ALL_ATTACKS, gradient: str = "paper", **fields: Any
) -> Measurement:
    parameters = {"attacks": [{"attack": name, "gradient": gradient} for name in attacks]}
    return line(*copies, attack="worst_case", gradient=gradient, parameters=parameters, **fields)


def released(*copies: tuple[int, int], **robust: float) -> Iterator[Measurement]:
    """As the released code counts, one line an attack."""
    for name, share in robust.items():
        gradient = "full_precision" if name in ("bim", "cw") else "released"
        epsilon: dict[str, Any] = {"epsilon": None, "norm": "l2"} if name == "cw" else {}
        yield line(*copies, attack=name, robust=share, gradient=gradient, accounting="released", **epsilon)


def found(*lines: Measurement, accuracy: Any = "verify", subject: Subject = SUBJECT) -> Robustness:
    return robustness_of(lines, accuracy, subject)


def faults(*lines: Measurement, accuracy: Any = "verify", subject: Subject = SUBJECT) -> list[str]:
    with pytest.raises(SpecError) as caught:
        found(*lines, accuracy=accuracy, subject=subject)
    return str(caught.value).splitlines()


def test_each_way_to_count_has_its_own_measurement() -> None:
    both = [line(FP, LOW, robust=0.1), worst(FP, LOW, robust=0.3)]
    lines = [*both, *released(FP, LOW, fgsm=0.5, bim=0.2, pgd=0.3, cw=0.8)]
    counted = {way: found(*lines, accuracy=way).get((FP, LOW), "max_vote") for way in ("verify", "standard")}
    assert {way: one.robust for way, one in counted.items() if one} == {"verify": 0.1, "standard": 0.3}
    mean = found(*lines, accuracy="released").get((FP, LOW), "max_vote")
    assert mean is not None
    assert mean.robust == pytest.approx((0.5 + 0.2 + 0.3 + 0.8) / 4)
    assert (mean.low, mean.high) == pytest.approx((0.35, 0.55))  # means of the shares less and plus 0.1


def test_the_interval_and_the_samples_are_those_of_the_measurement() -> None:
    point = found(line(FP, robust=0.5, interval=(0.41, 0.62), clean=0.8)).get([FP], "average")
    assert point is not None
    assert (point.clean, point.robust, point.low, point.high, point.samples) == (0.8, 0.5, 0.41, 0.62, 100)


def test_released_needs_all_four_attacks_along_the_released_gradients() -> None:
    three = list(released(FP, fgsm=0.5, bim=0.2, pgd=0.3))
    along_another = line(FP, attack="cw", gradient="paper", accounting="released", epsilon=None, norm="l2")
    assert not found(*three, accuracy="released").points
    assert not found(*three, along_another, accuracy="released").points


def test_released_averages_attacks_on_the_same_members_and_images_only() -> None:
    three = list(released(FP, fgsm=0.5, bim=0.2, pgd=0.3))
    cw: dict[str, Any] = {
        "attack": "cw",
        "gradient": "full_precision",
        "accounting": "released",
        "epsilon": None,
        "norm": "l2",
    }
    assert not found(*three, line(FP, seed=1, **cw), accuracy="released").points
    assert not found(*three, line(FP, data="12", **cw), accuracy="released").points
    assert found(*three, line(FP, **cw), accuracy="released").points


@pytest.mark.parametrize("other", [("fgsm",), (*ALL_ATTACKS, "square"), ("fgsm", "bim", "cw")])
def test_standard_is_the_worst_of_exactly_the_bounded_attacks(other: tuple[str, ...]) -> None:
    wrong = worst(FP, attacks=other, robust=0.7)
    assert not found(wrong, accuracy="standard").points
    right = found(wrong, worst(FP, gradient="released", robust=0.6), worst(FP, robust=0.2), accuracy="standard")
    assert right.points[(FP,), "average"].robust == 0.2


def test_only_the_subject_s_own() -> None:
    others = [
        line(FP, LOW, quantize="all"),
        line(FP, LOW, training={"defence": {"kind": "distillation"}}),
        line(FP, LOW, split="train"),
    ]
    assert not found(*others).points
    defended = SUBJECT.model_copy(update={"defence": "distillation"})
    assert found(*others, subject=defended).points.keys() == {((LOW, FP), "max_vote")}


def test_a_rule_decides_nothing_where_nothing_is_quantised() -> None:
    assert found(line(FP, quantize="all")).points.keys() == {((FP,), "average")}


def test_order_does_not_matter_and_a_single_member_has_no_combiner() -> None:
    known = found(line(FP, LOW, robust=0.1), line(LOW, robust=0.2))
    assert known.get((LOW, FP), "max_vote") == known.get((FP, LOW), "max_vote") is not None
    assert known.get((FP, LOW), "average") is None
    assert known.get([LOW], "random_switch") == known.get([LOW], "average") is not None
    single = {((LOW,), combiner) for combiner in ("average", "max_vote", "random_switch")}
    assert known.measured == {((LOW, FP), "max_vote"), *single}


def test_most_samples_count() -> None:
    few, many = line(FP, robust=0.5, samples=100), line(FP, robust=0.3, samples=400)
    for lines in ((few, many), (many, few)):
        assert found(*lines).points[(FP,), "average"].samples == 400


def test_several_of_most_samples_are_refused_with_what_they_differ_in() -> None:
    (text,) = faults(line(FP, LOW), line(FP, LOW, seed=1), line(FP, LOW, samples=50, seed=2))
    assert "2 answers for w2a4 + w32a32, max_vote, on 100 samples: they differ in members, seed;" in text
    attacks = [*released(FP, fgsm=0.5, bim=0.2, pgd=0.3, cw=0.5)]
    other = attacks[2].model_copy(update={"parameters": {"iterations": 3}})
    (text,) = faults(*attacks, other, accuracy="released")
    assert "they differ in parameters;" in text


def test_one_bound_and_one_data_set() -> None:
    both = line(FP), line(FP, LOW, epsilon=0.1)
    assert faults(*both) == ["has measurements with epsilon 0.1, 0.3: choose one with `epsilon`"]
    chosen = SUBJECT.model_copy(update={"epsilon": 0.1 + 0.2})
    assert found(*both, subject=chosen).points.keys() == {((FP,), "average")}
    data = line(FP), line(FP, dataset="mnist")
    assert faults(*data) == ["has measurements with dataset mnist, mnist5k: choose one with `dataset`"]
    assert found(*data, subject=SUBJECT.model_copy(update={"dataset": "mnist"})).dataset == "mnist"


def test_the_loss_is_taken_on_the_same_images_where_they_were_asked() -> None:
    lines = [
        line(FP, clean=0.96, samples=1000, data="aa"),
        line(FP, clean=0.91, samples=100, data="bb"),
        line(FP, LOW, clean=0.90, robust=0.1, samples=100, data="bb"),
        line(LOW, clean=0.94, robust=0.1, samples=400, data="cc"),
    ]
    known = found(*lines)
    assert known.baseline_clean == 0.96
    same, other = known.get((FP, LOW), "max_vote"), known.get([LOW], "average")
    assert same is not None
    assert other is not None
    assert same.clean_loss == pytest.approx(0.01)
    assert other.clean_loss == pytest.approx(0.02)


def test_the_baseline_may_have_met_another_attack_or_none() -> None:
    clean = line(FP, attack="none", epsilon=None, norm=None, gradient=None, clean=0.95, robust=0.95)
    known = found(clean, line(FP, LOW, clean=0.94))
    assert known.baseline_clean == 0.95
    assert known.points.keys() == {((LOW, FP), "max_vote")}
    assert found(line(FP, LOW)).baseline_clean is None
    (alone,) = found(line(FP, LOW)).points.values()
    assert alone.clean_loss is None


def test_no_file_no_robustness(tmp_path: Path) -> None:
    assert robustness("verify", SUBJECT) is None
    file = tmp_path / "measurements.jsonl"
    append_measurements(file, [line(FP)])
    subject = SUBJECT.model_copy(update={"measurements": str(file)})
    known = robustness("verify", subject)
    assert known is not None
    assert (known.dataset, known.epsilon) == ("mnist5k", 0.3)
    with pytest.raises(SpecError, match="missing"):
        robustness("verify", SUBJECT.model_copy(update={"measurements": str(tmp_path / "missing.jsonl")}))


def test_the_paper_s_average_of_the_study(repository: Path) -> None:
    """The column that the study prints beside Table 2 of the paper."""
    file = repository / "studies/sen_iclr2020/mnist5k/measurements.jsonl"
    known = robustness("released", SUBJECT.model_copy(update={"measurements": str(file)}))
    assert known is not None
    shares = {ensemble: round(100 * point.robust, 2) for ensemble, point in known.points.items()}
    assert shares[(LOW, LOW, FP), "max_vote"] == 37.95
    assert shares[(FP,), "average"] == 4.62
    assert shares[(LOW, LOW, FP), "random_switch"] == 34.08
