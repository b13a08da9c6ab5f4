"""What `hwsim search` found as text, from records made by hand."""

from __future__ import annotations

import io
from typing import Any

import pytest

from hwsim.report.search import search_rows
from hwsim.report.search_table import print_search
from hwsim.screen import console
from hwsim.search.design.columns import COLUMNS


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are as wide as they need to be, whoever runs the tests."""
    monkeypatch.delenv("COLUMNS", raising=False)


def a_design(number: int, **fields: Any) -> dict[str, Any]:
    columns = dict.fromkeys(COLUMNS, 0.5) | {"robust_samples": 1000.0, **fields.pop("columns", {})}
    return {
        "configuration": f"fp + {number} w2a4",
        "combiner": "max_vote",
        "batch": 1,
        "hardware": "turing",
        "knobs": {},
        "ensemble": f"{number:x}",
        "measured": True,
        "on_front": "no",
        "columns": columns,
        "excesses": [],
        "commands": [],
        **fields,
    }


def a_record(*designs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    network = {
        "network": "mnistconv",
        "quantize": "convs",
        "dataset": "mnist5k",
        "epsilon": 0.3,
        "counts": {
            "designs": 7_000_000,
            "unmapped": 12,
            "within": {"time_overhead": 1000, "clean_loss": 3},
            "cost_feasible": 1000,
            "feasible": 2,
            "measured": 4,
        },
        "measurements": "m.jsonl",
        "measured_otherwise": {},
        "infeasible_chips": [],
        "front": {"over": ["time_overhead", "area"], "unknown": [], "within_limits": True, "not_told_apart": 0},
        "designs": list(designs),
        "evaluation": None,
        **fields,
    }
    return {
        "chips": [{"hardware": "turing", "knobs": {}, "area": None}],
        "accuracy": "released",
        "timing": "closed_form",
        "constraints": {"time_overhead": 0.25, "clean_loss": 0.02},
        "networks": [network],
    }


def text(record: dict[str, Any]) -> str:
    file = io.StringIO()
    print_search(console(file), record)
    return file.getvalue()


def words(record: dict[str, Any]) -> str:
    return " ".join(text(record).split())


def test_counts() -> None:
    said = words(a_record())
    assert "robust by the mean of FGSM, BIM, PGD and CW, counted as released on mnist5k, epsilon 0.3" in said
    assert "7,000,000, 12 of which cannot run" in said
    assert "time overhead at most 25 % 1,000" in said
    assert "clean loss at most 2 % 3 of 4 measured" in said
    assert "within all limits 2" in said


def test_long_lists_say_what_they_leave_out() -> None:
    said = text(a_record(*(a_design(number) for number in range(1, 14))))
    assert "most robust first (10 of 13)" in said
    assert "fp + 10 w2a4" in said
    assert "fp + 11 w2a4" not in said


def test_the_front_says_what_is_uncertain() -> None:
    designs = [a_design(1, on_front="yes"), a_design(2, on_front="yes"), a_design(3, on_front="maybe")]
    front = {"over": ["time_overhead"], "unknown": ["energy_overhead"], "within_limits": False, "not_told_apart": 2}
    said = words(a_record(*designs, front=front))
    assert "The front over time, of all measured, since none is within the limits" in said
    assert "All have an interval that overlaps another's: their robustness is not told apart." in said
    assert "As far as their intervals go, these may be on it too: fp + 3 w2a4, max vote." in said
    assert "Not known of any design: energy." in said


@pytest.mark.parametrize(
    ("excess", "said"),
    [
        (
            {"quantity": "time_overhead", "value": 1.589, "limit": 0.25, "causes": {"launch": 1.354, "combiner": 1e-6}},
            "time +158.9 % (at most 25 %): launch +1.354 ",
        ),
        ({"quantity": "clean_loss", "value": 0.031, "limit": 0.02, "causes": {}}, "clean loss 3.1 % (at most 2 %)"),
        ({"quantity": "clean_loss", "value": None, "limit": 0.02, "causes": {}}, "clean loss is not known"),
        ({"quantity": "robust_accuracy", "value": 0.1, "limit": 0.5, "causes": {}}, "robust 10 % (at least 50 %)"),
        ({"quantity": "area", "value": 9e-4, "limit": 8e-4, "causes": {}}, "area 900 mm2 (at most 800 mm2)"),
        (
            {"quantity": "storage_bytes", "value": 2048.0, "limit": 1024.0, "causes": {}},
            "storage 2 KiB (at most 1 KiB)",
        ),
        ({"quantity": "members", "value": 4.0, "limit": 3.0, "causes": {}}, "members 4 (at most 3)"),
    ],
)
def test_why_one_fails(excess: dict[str, Any], said: str) -> None:
    assert said in f"{words(a_record(a_design(1, excesses=[excess])))} "


def test_commands_stay_on_their_lines() -> None:
    command = "empir verify " + " ".join(f"--set adaptive.samples={number}" for number in range(40))
    said = text(a_record(a_design(1, measured=False, commands=[command, "empir train"])))
    assert f"  {command}\n  empir train\n" in said


def test_nothing_that_counts() -> None:
    counts = a_record()["networks"][0]["counts"] | {"measured": 0}
    assert "Nothing in m.jsonl counts as released." in words(a_record(counts=counts))
    said = words(a_record(counts=counts, measured_otherwise={"standard": 9, "verify": 8}))
    assert "counts as released (--accuracy standard 9, --accuracy verify 8 ensembles have)." in said


def test_rounds_and_failures() -> None:
    evaluation = {
        "rounds": [{"samples": 100, "measured": 5, "out": ["w2a2", "2 w2a2, average"]}],
        "failures": [
            {"ensemble": "fp + w2a4", "command": "empir train x", "reason": "out of memory"},
            {"ensemble": "2 w2a2", "command": "empir train y", "reason": "out of memory"},
        ],
    }
    said = words(a_record(a_design(1), evaluation=evaluation))
    assert "Round 1, 100 samples: 5 measured, 2 out: w2a2; 2 w2a2, average" in said
    assert "Not measured: fp + w2a4; 2 w2a2: out of memory empir train x" in said


def test_a_chip_that_runs_nothing_is_named() -> None:
    refused = [{"knobs": {"clock": "1 GHz"}, "why": "no mode for 32 bits"}]
    assert "clock 1 GHz runs nothing: no mode for 32 bits" in words(a_record(infeasible_chips=refused))


def test_rows_are_flat() -> None:
    excess = {"quantity": "time_overhead", "value": 1.0, "limit": 0.25, "causes": {"launch": 0.5}}
    (row,) = search_rows(a_record(a_design(1, knobs={"clock": "1 GHz"}, excesses=[excess])))
    assert row["knob: clock"] == "1 GHz"
    assert row["fails"] == "time_overhead"
    assert row["network"] == "mnistconv"
    assert not any(isinstance(value, dict | list) for value in row.values())
