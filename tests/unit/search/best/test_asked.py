"""What a question is about, against the lines of the measurements that are in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwsim.errors import SpecError
from hwsim.search.best.asked import Attack, by_accuracy, by_attack, measured_subject, measuring, the_only
from hwsim.spec.measurement import Measurement, read_measurements

FULL, LOW = (32, 32), (2, 4)


@pytest.fixture(scope="module")
def known(repository: Path) -> tuple[Measurement, ...]:
    return read_measurements(repository / "studies/sen_iclr2020/mnist5k/measurements.jsonl")


def test_what_measurements_are_of(known: tuple[Measurement, ...]) -> None:
    of = measured_subject(known, "file")
    assert (of.subject.network.name, of.subject.quantize, of.full) == ("mnistconv", "convs", 32)
    assert of.low == ((2, 2), (2, 4), (4, 4))
    with pytest.raises(SpecError, match="'mnistcon' was not measured \\(did you mean mnistconv\\?\\)"):
        measured_subject(known, "file", "mnistcon")


def test_what_is_left_open_is_asked_for() -> None:
    assert the_only("--x", None, {"a": 1}, "file") == 1
    assert the_only("--x", "b", {"a": 1, "b": 2}, "file") == 2
    with pytest.raises(SpecError, match="file: --x: choose one of what was measured: a, b"):
        the_only("--x", None, {"a": 1, "b": 2}, "file")
    with pytest.raises(SpecError, match="choose one of what was measured: nothing"):
        the_only("--x", None, {}, "file")


def line(known: tuple[Measurement, ...], **wanted: object) -> Measurement:
    """The one measurement of the averaged pair with these fields."""
    (one,) = (
        one
        for one in known
        if [(x.weights, x.activations) for x in one.members] == [FULL, LOW]
        and one.combiner == "average"
        and all(getattr(one, name) == value for name, value in wanted.items())
    )
    return one


def test_an_attack_is_looked_up_by_the_members(known: tuple[Measurement, ...]) -> None:
    of = measured_subject(known, "file")
    answers = by_attack(known, of, Attack("fgsm", "released", "released"), "average")
    found, expected = answers.of((FULL, LOW)), line(known, attack="fgsm", accounting="released", gradient="released")
    assert found is not None
    assert (found.clean, found.robust) == (expected.clean_accuracy, expected.robust_accuracy) == (0.964, 0.558)
    assert (found.low, found.high) == expected.interval
    assert answers.of((FULL, LOW, LOW, LOW)) is None
    assert answers.of((FULL, (4, 4))) is None
    assert (answers.subject.dataset, answers.subject.epsilon) == ("mnist5k", 0.3)
    assert answers.attacked == "fgsm, epsilon 0.3, gradient released, counted as released"


def test_an_attack_along_several_gradients_has_no_answer_of_its_own(known: tuple[Measurement, ...]) -> None:
    of = measured_subject(known, "file")
    with pytest.raises(SpecError, match="--gradient: choose one of what was measured: released, paper"):
        by_attack(known, of, Attack("fgsm", "released"), "average")
    other = by_attack(known, of, Attack("fgsm", "standard"), "average").of((FULL, LOW))
    assert other is not None
    assert other.robust == line(known, attack="fgsm", accounting="standard").robust_accuracy == 0.537
    assert by_attack(known, of, Attack("fab"), "average").of((FULL, LOW)) is None


def test_a_way_to_count_is_looked_up_by_the_members(known: tuple[Measurement, ...]) -> None:
    of = measured_subject(known, "file")
    verified = by_accuracy(known, of, "verify", "average")
    standard = by_accuracy(known, of, "standard", "average")
    found, bounded = verified.of((FULL, LOW)), standard.of((FULL, LOW))
    assert found is not None
    assert bounded is not None
    assert (found.robust, bounded.robust) == (0.0, 0.382)
    assert verified.of((FULL, FULL)) is None
    assert verified.subject.epsilon == 0.3


def test_the_commands_measure_what_was_asked(known: tuple[Measurement, ...]) -> None:
    of = measured_subject(known, "my file.jsonl")
    subject = by_accuracy(known, of, "verify", "average").subject
    train, attack = measuring(subject, {"attack": "fgsm", "accounting": "released", "gradient": None})
    assert train == "empir train --ensemble ENSEMBLE.yaml --data mnist5k -o runs"
    assert "--attack fgsm --set fgsm.epsilon=0.3 --accounting released -o 'my file.jsonl'" in attack
