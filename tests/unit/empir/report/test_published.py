"""The paper's figures, and that what is said about its ensembles is what the studies and the attacks say."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from empir.evaluation.gradients import FOLLOWED
from empir.report.published import ATTACKS, BENCHMARKS, DEFENCES, rows
from empir.training.defences import DEFENCES as TRAINED
from hwsim.spec.load import load_ensemble


def test_every_row_of_the_paper_is_there() -> None:
    assert [len(rows(name)) for name in ("MNISTconv", "CIFARconv", "AlexNet")] == [6, 5, 2]
    empir = next(row for row in rows("MNISTconv") if row.approach == "EMPIR")
    assert (empir.clean, empir.attacked["cw"], empir.attacked["pgd"]) == (0.9889, 0.8673, 0.1751)


@pytest.mark.parametrize("network", ["MNISTconv", "CIFARconv", "AlexNet"])
def test_printed_averages_are_those_of_the_four_attacks(network: str) -> None:
    for row in rows(network):
        assert tuple(row.attacked) == ATTACKS
        assert fmean(row.attacked.values()) == pytest.approx(row.average, abs=6e-5)


@pytest.mark.parametrize("file", ["mnistconv", "cifarconv", "alexnet"])
def test_empir_has_the_members_of_the_studies(file: str, repository: Path) -> None:
    ensemble = load_ensemble(str(repository / "studies" / "sen_iclr2020" / f"{file}.yaml"))
    low = [(m.weights, m.activations) for m in ensemble.expanded() if not ensemble.is_full_precision(m)]
    assert sorted(low) == sorted(BENCHMARKS[ensemble.network.name].low)
    assert ensemble.combiner == "max_vote"


def test_the_gradient_of_every_attack_of_the_table_is_known() -> None:
    assert set(ATTACKS) <= set(FOLLOWED["released"])


def test_every_defence_of_the_table_can_be_trained() -> None:
    assert set(DEFENCES) | {"none"} == set(TRAINED)
