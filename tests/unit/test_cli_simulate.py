"""`hwsim simulate`: what it prints of one round, its options, and what it says of bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import hwsim.mapper
from hwsim.cli import main
from hwsim.cost.layer import LayerCost

#: Two inputs; many chips' parts are mapped, none of them to the last.
QUICK = ("--batch", "2", "--effort", "1e4")


def run(*arguments: str | Path) -> Result:
    """Run a command in this process; any exception but an exit fails the test."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def ensemble(tmp_path: Path) -> Path:
    """One member in full precision and two narrow ones, whose last layers stay in full precision."""
    path = tmp_path / "ensemble.yaml"
    path.write_text(
        "name: three\nnetwork: lenet5\ncombiner: max_vote\nquantize: convs\nweights: streamed\nmembers:\n"
        "  - {weights: 16, activations: 16}\n  - {weights: 4, activations: 4, count: 2}\nfull_precision_bits: 16\n"
    )
    return path


def simulated(ensemble: Path, *options: str | Path) -> dict[str, Any]:
    done = run("simulate", "--ensemble", ensemble, "--hw", "simple_s2", "--json", *options)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


def mapped(ensemble: Path, *options: str | Path) -> dict[str, Any]:
    done = run("map", "--ensemble", ensemble, "--hw", "simple_s2", "--json", *options)
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


def test_json_has_what_is_promised(ensemble: Path) -> None:
    """The closed form beside what was played is what `hwsim map` says."""
    result, closed = simulated(ensemble), mapped(ensemble)
    assert (result["schema"], result["schedule"], result["inputs"]) == ("hwsim/simulate/1", "serial", 1)
    assert [member["name"] for member in result["members"]] == ["fp1", "w4a4-1", "w4a4-2"]
    assert result["ensemble"]["closed_form_cycles"] == pytest.approx(closed["ensemble"]["cycles"])
    assert result["ensemble"]["mode_switches"] == closed["ensemble"]["mode_switches"]
    assert result["time_overhead"]["closed_form"] == pytest.approx(closed["overhead"]["time"])
    assert result["time_overhead"]["equation6"] == pytest.approx(closed["equation6"]["time"] - 1)
    for ours, theirs in zip(
        (result["baseline"], *result["members"]), (closed["baseline"], *closed["members"]), strict=True
    ):
        assert ours["closed_form_cycles"] >= theirs["cycles"]  # the switch to a member is told with the member
        for layer, known in zip(ours["layers"], theirs["layers"], strict=True):
            assert (layer["name"], layer["closed_form_cycles"]) == (known["name"], known["cycles"])


def test_what_was_played_adds_up(ensemble: Path) -> None:
    result = simulated(ensemble)
    whole = result["ensemble"]["cycles"]
    assert sum(member["cycles"] for member in result["members"]) + result["combiner"]["cycles"] == pytest.approx(whole)
    assert sum(result["time"].values()) == pytest.approx(whole)
    for member in (result["baseline"], *result["members"]):
        assert sum(layer["cycles"] for layer in member["layers"]) + member["switch_cycles"] == member["cycles"]
        for layer in member["layers"]:
            spent = layer["busy"].get("compute", 0) + sum(layer["stalls"].values())
            assert spent == pytest.approx(layer["cycles"])
    outermost = sum(
        access["read_bits"] + access["write_bits"]
        for layer in (*(layer for member in result["members"] for layer in member["layers"]), result["combiner"])
        for access in layer["traffic"]
        if access["level"] == "DRAM"
    )
    assert result["ensemble"]["dram_bytes"] == pytest.approx(outermost / 8)
    assert result["ensemble"]["dram_bytes"] == pytest.approx(mapped(ensemble)["ensemble"]["dram_bytes"])
    assert all(0 <= part <= 1 for part in result["utilization"].values())


def test_the_table_names_everything(ensemble: Path) -> None:
    done = run("simulate", "--ensemble", ensemble, "--hw", "simple_s2")
    assert done.exit_code == 0
    for word in (
        *("three: lenet5 on simple_s2, serial, 1 input a round", "w4a4-1, w4a4-2", "combiner", "closed form", "ratio"),
        *("waits for", "Equation 6", "mode switches", "tiles", "compute", "array not filled", "c1", "f6"),
    ):
        assert word in done.stdout
    assert not done.stderr


def test_everything_is_played_if_asked(ensemble: Path) -> None:
    """Skipping changes nothing but the number of tiles that were skipped."""
    plain, exact = simulated(ensemble), simulated(ensemble, "--exact")
    assert plain["ensemble"]["skipped"] > 0
    assert exact["ensemble"]["skipped"] == 0
    for result in (plain, exact):
        for network in (result["baseline"], *result["members"], {"layers": [result["combiner"]]}):
            for layer in network["layers"]:
                del layer["skipped"], layer["events"]
        del result["ensemble"]["skipped"], result["ensemble"]["events"]
    assert plain == exact


def test_options_change_what_is_asked(ensemble: Path) -> None:
    plain = simulated(ensemble)
    assert simulated(ensemble, *QUICK, "--network", "mnistconv")["network"] == "mnistconv"
    assert simulated(ensemble, "--set", "clock=2 GHz")["ensemble"]["seconds"] == plain["ensemble"]["seconds"] / 2
    slower = simulated(ensemble, "--set", "datapath.reconfiguration=1000 cycles")
    assert slower["ensemble"]["cycles"] == plain["ensemble"]["cycles"] + 1000 * plain["ensemble"]["mode_switches"]
    assert slower["time"]["mode switches"] == 1000 * plain["ensemble"]["mode_switches"]
    assert simulated(ensemble, *QUICK, "--objective", "energy")["objective"] == "energy"
    assert simulated(ensemble, "--weights", "planned")["ensemble"]["dram_bytes"] < plain["ensemble"]["dram_bytes"]


def test_batches_are_rounds_in_series_or_one_round(ensemble: Path) -> None:
    serial = simulated(ensemble, "--batch", "4")
    batched = simulated(ensemble, "--batch", "4", "--schedule", "batched")
    assert (serial["inputs"], batched["inputs"]) == (1, 4)
    assert serial["ensemble"] == simulated(ensemble)["ensemble"]
    assert batched["ensemble"]["inputs_per_second"] > serial["ensemble"]["inputs_per_second"]


def test_members_side_by_side(ensemble: Path) -> None:
    result = simulated(ensemble, "--schedule", "partitioned")
    assert result["division"].startswith("X ")  # 16 columns
    parts = [int(part) for part in result["division"].removeprefix("X ").split(" + ")]
    assert sum(parts) == 16
    assert [member["share"] for member in result["members"]] == [part / 16 for part in parts]
    slowest = max(member["cycles"] for member in result["members"])
    assert result["ensemble"]["cycles"] == pytest.approx(slowest + result["combiner"]["cycles"])
    done = run("simulate", "--ensemble", ensemble, "--hw", "simple_s2", "--schedule", "partitioned")
    assert f"partitioned ({result['division']})" in done.stdout
    assert "time of the slowest part" in done.stdout


@pytest.mark.parametrize(("aim", "key"), [("latency", "first_seconds"), ("throughput", "inputs_per_second")])
def test_the_best_schedule_wins_and_says_why(ensemble: Path, aim: str, key: str) -> None:
    options = (*QUICK, "--schedule", "auto", "--for", aim)
    result = simulated(ensemble, *options)
    best, *others = result["choice"]["candidates"]
    assert result["choice"]["aim"] == aim
    assert {candidate["schedule"] for candidate in (best, *others)} == {
        "serial", "batched", "interleaved", "partitioned",
    }  # fmt: skip
    assert best["schedule"] == result["schedule"]
    for other in others:
        assert other[key] >= best[key] if aim == "latency" else other[key] <= best[key]
        played = simulated(ensemble, *QUICK, "--schedule", other["schedule"])
        assert other["inputs_per_second"] == pytest.approx(played["ensemble"]["inputs_per_second"])
        apart = 1 / other["inputs_per_second"] - 1 / best["inputs_per_second"]  # at 1 GHz
        assert sum(other["beaten_by"].values()) == pytest.approx(1e9 * apart)
    done = run("simulate", "--ensemble", ensemble, "--hw", "simple_s2", *options)
    assert f"schedules for {aim}, the best first" in done.stdout
    assert f"Cycles that {best['schedule']} saves (+) or pays (-) for every input" in done.stdout


def test_what_no_schedule_can_do_is_told(ensemble: Path) -> None:
    alone = ensemble.with_name("alone.yaml")
    alone.write_text("name: one\nnetwork: lenet5\nmembers: [{weights: 8, activations: 8}]\nfull_precision_bits: 16\n")
    done = run("simulate", "--ensemble", alone, "--hw", "simple_s2", "--schedule", "auto")
    assert "partitioned: there is one member" in done.stdout
    assert "No schedule but serial applies." in done.stdout
    drawn = ensemble.with_name("drawn.yaml")
    drawn.write_text(ensemble.read_text().replace("max_vote", "random_switch"))
    done = run("simulate", "--ensemble", drawn, "--hw", "simple_s2", "--schedule", "interleaved")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "random_switch runs one member alone" in done.stderr
    done = run("simulate", "--ensemble", drawn, "--hw", "simple_s2")
    assert "ensemble, expected" in done.stdout
    assert "one of 3 members, drawn at random, runs a round" in done.stdout


@pytest.mark.parametrize("suffix", [".json", ".csv", ".parquet"])
def test_results_go_into_files_too(ensemble: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    result = simulated(ensemble, "-o", target)
    assert sorted(tmp_path.iterdir()) == sorted([ensemble, target])
    if suffix == ".json":
        assert json.loads(target.read_text()) == result
    if suffix == ".csv":
        with target.open() as file:
            rows = list(csv.DictReader(file))
        cycles = sum(float(row["cycles"]) for row in rows if row["member"] != "baseline")
        switches = sum(member["switch_cycles"] for member in result["members"])
        assert cycles + switches == pytest.approx(result["ensemble"]["cycles"])
        assert "stalls: first tiles" in rows[0]


def test_layers_come_from_the_cache(ensemble: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> LayerCost:
        raise AssertionError("mapped again")

    first = simulated(ensemble)
    monkeypatch.setattr(hwsim.mapper, "map_layer", forbidden)
    assert simulated(ensemble) == first
    with pytest.raises(AssertionError, match="mapped again"):
        simulated(ensemble, "--no-cache")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--schedule", "random"), "'random' is not one of"),
        (("--for", "latency"), "--for says what --schedule auto looks for"),
        (("--batch", "0"), "0 is not in the range"),
        (("--set", "levels.L9.fanout=2"), "levels has no entry 'L9'"),
        (("-o", "out.txt"), "the suffix must be .json, .csv or .parquet"),
        (("--network", "nothing"), "nothing"),
        (("--set", "levels.REG.memories.REG.size=1 B"), "the smallest tile takes 2 B of 1 B"),
        (("--schedule", "partitioned", "--set", "levels.GLB.fanout=[]"), "3 parts"),
    ],
)
def test_bad_input_is_refused(ensemble: Path, options: tuple[str, ...], said: str) -> None:
    done = run("simulate", "--ensemble", ensemble, "--hw", "simple_s2", *options)
    assert done.exit_code == 2
    assert not done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr
