"""Which measurement becomes which cell."""

from __future__ import annotations

import pytest

from empir.report.table import cells, tables
from tests.unit.empir.report.made import FP, W2A4, measured


def test_released_attacks_and_their_average() -> None:
    rights = {"cw": 40, "fgsm": 130, "bim": 10, "pgd": 0}
    lines = [measured((FP,), name, right, accounting="released") for name, right in rights.items()]
    found = cells(lines, 0.3)
    assert {name: found[name].accuracy for name in rights} == {name: n / 1000 for name, n in rights.items()}
    average = found["average"]
    assert average.accuracy == pytest.approx(0.045)
    assert average.interval[0] == pytest.approx(sum(line.interval[0] for line in lines) / 4)
    assert average.interval[1] == pytest.approx(sum(line.interval[1] for line in lines) / 4)
    assert "average" not in cells(lines[1:], 0.3)


def test_standard_attacks_are_not_taken_for_released_ones() -> None:
    assert set(cells([measured((FP,), "fgsm", 130)], 0.3)) == {"clean"}


def test_worst_cases_with_and_without_a_bound_stay_apart() -> None:
    bounded = measured((FP,), "worst_case", 20, over=("bim", "pgd"))
    every = measured((FP,), "worst_case", 0, over=("bim", "cw", "pgd"), norm=None, epsilon=None)
    found = cells([every, bounded], 0.3)
    assert (found["standard"].source, found["standard_all"].source) == (bounded, every)


def test_the_larger_set_of_attacks_counts() -> None:
    small = measured((FP,), "worst_case", 10, over=("pgd",))
    large = measured((FP,), "worst_case", 20, over=("bim", "pgd"))
    assert cells([small, large], 0.3)["standard"].source == large


def test_more_samples_count_before_a_lower_accuracy() -> None:
    few = measured((FP,), "adaptive", 0, samples=100, clean=90)
    many = measured((FP,), "adaptive", 30)
    assert cells([few, many], 0.3)["adaptive"].source == many
    harder = measured((FP,), "adaptive", 10, seed=2)
    assert cells([few, many, harder], 0.3)["adaptive"].source == harder


def test_the_released_code_s_gradient_counts_before_a_lower_accuracy() -> None:
    asked = {"accounting": "released"}
    released = measured((FP, W2A4), "pgd", 300, **asked)
    other = measured((FP, W2A4), "pgd", 10, gradient="mean_logit", **asked)
    assert cells([other, released], 0.3)["pgd"].source == released
    assert cells([other], 0.3)["pgd"].source == other


def test_the_clean_accuracy_is_known_from_any_attack() -> None:
    found = cells([measured((FP,), "adaptive", 0, clean=970)], 0.3)["clean"]
    told = cells([measured((FP,), "none", 970, clean=970)], None)["clean"]
    assert found.accuracy == told.accuracy == 0.97
    assert found.interval == pytest.approx(told.interval)
    assert found.interval == pytest.approx((0.957497, 0.978906), abs=1e-6)  # Wilson's formula, by hand


def test_the_bound_at_which_most_was_measured_is_shown() -> None:
    lines = [
        measured((FP,), "fgsm", 500, epsilon=0.1, accounting="released"),
        measured((FP,), "fgsm", 100, accounting="released"),
        measured((FP,), "pgd", 50, accounting="released"),
    ]
    (table,) = tables(lines)
    assert table.epsilon == 0.3
    assert table.rows[0].ours[0][1]["fgsm"].accuracy == 0.1
    assert table.not_shown == (lines[0],)
    (other,) = tables(lines, epsilon=0.1)
    assert other.rows[0].ours[0][1]["fgsm"].accuracy == 0.5
    assert "pgd" not in other.rows[0].ours[0][1]


def test_an_attack_of_a_worst_case_that_is_shown_is_shown_too() -> None:
    lines = [
        measured((FP,), "none", 980),
        measured((FP,), "pgd", 20),
        measured((FP,), "pgd", 60, epsilon=0.1),
        measured((FP,), "square", 30),
        measured((FP,), "worst_case", 20, over=("pgd",)),
    ]
    (table,) = tables(lines, 0.3)
    assert table.not_shown == (lines[2], lines[3])


def test_the_paper_s_rows_come_first_with_ours_beside_them() -> None:
    lines = [measured((W2A4,), "fgsm", 1), measured((FP, W2A4, W2A4), "fgsm", 1), measured((FP,), "fgsm", 1)]
    (table,) = tables(lines)
    assert [(row.approach, row.paper is not None, len(row.ours)) for row in table.rows] == [
        ("Baseline FP", True, 1),
        ("EMPIR", True, 1),
        ("Defensive Distill.", True, 0),
        ("Inp. Grad. Reg.", True, 0),
        ("FGSM Adv. Train", True, 0),
        ("EMPIR (FGSM Adv. Train)", True, 0),
        ("w2a4", False, 1),
    ]


def test_networks_and_data_sets_have_tables_of_their_own() -> None:
    lines = [
        measured((FP,), "fgsm", 1),
        measured((FP,), "fgsm", 1, dataset="mnist", samples=2000),
        measured((FP,), "fgsm", 1, network="somebody.net:f"),
    ]
    found = tables(lines)
    assert [(one.network, one.dataset, one.samples) for one in found] == [
        ("mnistconv", "mnist5k", 1000),
        ("mnistconv", "mnist", 2000),
        ("somebody.net:f", "mnist5k", 1000),
    ]
    assert [len(one.rows) for one in found] == [6, 6, 1]
