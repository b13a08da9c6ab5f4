"""What people read says what the numbers are."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from hwsim.ensemble.ensemble_cost import map_ensemble
from hwsim.report.explain import print_layer
from hwsim.report.records import ensemble_record, text
from hwsim.report.table import distinct, print_ensemble, proofs, reasons, verdict
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    cost = map_ensemble(
        small_ensemble((8, 8), (2, 4), (2, 4), quantize="convs"), small_chip(launch=9.0), small_network()
    )
    return ensemble_record(cost)


def printed(record: dict[str, Any], width: int = 200) -> list[str]:
    screen = Console(file=io.StringIO(), width=width)
    print_ensemble(screen, record)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


def test_copies_stand_there_once(record: dict[str, Any]) -> None:
    assert [names for names, _ in distinct(record["members"])] == ["fp1", "w2a4-1, w2a4-2"]
    many = [{"name": f"m{i}", "layers": []} for i in range(5)]
    assert [names for names, _ in distinct(many)] == ["m0 to m4"]


def test_every_layer_has_a_line(record: dict[str, Any]) -> None:
    lines = printed(record)
    assert sum(line.startswith("  conv ") for line in lines) == 2
    # DRAM: 6 x 6 x 2 inputs of 4 bits, 72 weights of 2, 64 outputs of 8; energy 1 and 2 J a bit, 4 a MAC, 3 a relu.
    assert (72 * 4 + 72 * 2 + 64 * 8) / 8 == 118
    assert 72 * 4 + 72 * 2 + 64 * 8 * 2 + 1152 * 4 + 64 * 3 == 6256
    (quantised,) = [line for line in lines if line.startswith("  conv ") and "w4a4" in line]
    assert quantised.split() == [
        "conv", "conv", "4x2x3x3", "2/4", "w4a4", "1.15", "k", "585", "compute", "98.5%", "118", "B", "6.26", "kJ",
    ]  # fmt: skip
    assert sum(line.startswith("  flat ") for line in lines) == 2


def test_equation_6_stands_beside_the_simulation_with_the_reason(record: dict[str, Any]) -> None:
    (line,) = [line for line in printed(record) if line.startswith("time ")]
    (why,) = [line for line in printed(record) if line.startswith("  time ")]
    simulated = 1 + record["overhead"]["time"]
    assert line.split() == ["time", f"{simulated:.4g}", "2", f"{record['equation6']['layerwise']['time']:.4g}"]
    assert why.startswith(f"  time {simulated - 2:+.4g}: layers in full precision +")
    assert ", launch +" in why


def test_a_drawn_member_s_cost_is_called_expected(record: dict[str, Any]) -> None:
    ensemble = small_ensemble((8, 8), (2, 4), (2, 4), combiner="random_switch")
    drawn = ensemble_record(map_ensemble(ensemble, small_chip(launch=9.0, reconfiguration=9.0), small_network()))
    lines = printed(drawn)
    assert any(line.startswith("ensemble, expected ") for line in lines)
    assert any(line.startswith("random_switch: one of 3 members, drawn at random,") for line in lines)
    assert not any(line.startswith("  combiner ") for line in lines)
    assert (drawn["combining"], drawn["combiner"]) == ("random_switch", None)
    assert drawn["ensemble"]["mode_switches"] == pytest.approx(4 / 9)  # fp after w2a4, and the other way round
    assert drawn["equation6"]["time"] == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert not any("expected" in line or "random" in line for line in printed(record))


def test_reasons_name_the_largest_first_and_leave_out_what_is_nothing() -> None:
    assert reasons(0.3, {"a": 0.1, "b": -0.2, "c": 0.4, "d": 1e-9}) == "+0.3: c +0.4, b -0.2, a +0.1"
    assert reasons(1e-9, {"a": 1e-9}) == "none"


def test_the_verdict(record: dict[str, Any]) -> None:
    assert str(verdict(record)).startswith("Over the budget of 25 %: time +")
    within = {"within_budget": True, "budget": 0.25, "overhead": {"time": 0.25, "storage": 0.125}}
    assert str(verdict(within)) == "Within the budget of 25 %: time +25 %, storage +12.5 %."


def test_an_unproven_mapping_is_admitted(record: dict[str, Any]) -> None:
    assert str(proofs(record)) == "Every mapping is the proven optimum of its mapspace."
    certificate = {"proven": False, "gap": 0.125, "space": 10, "priced": 1, "lower_bound": 1.0}
    network = {"layers": [{"certificate": certificate}, {"certificate": None}]}
    assert "1 of 1 mappings are not proven optimal; the optimum is at most 12.5% less." in str(
        proofs({"baseline": network, "members": []})
    )


def test_a_narrow_terminal_loses_nothing(record: dict[str, Any]) -> None:
    wide, narrow = ("".join(printed(record, width)) for width in (200, 60))
    assert sorted(narrow.replace(" ", "")) == sorted(wide.replace(" ", ""))


def test_a_layer_is_explained_by_its_loops_and_traffic(record: dict[str, Any]) -> None:
    screen = Console(file=io.StringIO(), width=120)
    print_layer(screen, record["members"][1]["layers"][0], "a heading")
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()
    assert lines[0] == "a heading"
    assert "multiply-accumulate" in lines[-1] or any(line.strip() == "multiply-accumulate" for line in lines)
    (weights,) = [line.split() for line in lines if line.startswith("DRAM") and "weights" in line]
    assert weights[:5] == ["DRAM", "DRAM", "weights", "72", "0"]
    assert any("the optimum, proven" in line for line in lines)


def test_a_view_is_explained_as_free(record: dict[str, Any]) -> None:
    screen = Console(file=io.StringIO(), width=120)
    print_layer(screen, record["members"][1]["layers"][2], "a heading")
    assert isinstance(screen.file, io.StringIO)
    assert "costs nothing" in screen.file.getvalue()


def test_json_has_no_numbers_that_json_lacks() -> None:
    assert text({"a": float("inf"), "b": [1.5, float("nan")]}).split() == [
        "{", '"a":', "null,", '"b":', "[", "1.5,", "null", "]", "}",
    ]  # fmt: skip
