"""The command line: what it prints, its exit codes, and what it says of bad input."""

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
from hwsim.mapper import map_layer
from hwsim.networks import zoo
from hwsim.spec.files import presets
from tests.unit.spec.measured import line

TOTALS = {"cycles", "seconds", "energy_joules", "dram_bytes", "storage_bytes"}
LAYER = {
    "name", "operator", "weight_bits", "activation_bits", "mode", "macs", "cycles", "bound", "utilization",
    "dram_bytes", "energy_joules", "mapping",
}  # fmt: skip


def run(*arguments: str | Path) -> Result:
    """Run a command in this process; any exception but an exit fails the test."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def ensemble(tmp_path: Path) -> Path:
    """One member in full precision and two at w2a4, quantised throughout: 1.25 by Equation 6."""
    path = tmp_path / "ensemble.yaml"
    path.write_text(
        "name: empir\nnetwork: mnistconv\nmembers:\n"
        "  - {weights: 32, activations: 32}\n  - {weights: 2, activations: 4, count: 2}\n"
    )
    return path


def mapped(ensemble: Path, *options: str | Path) -> dict[str, Any]:
    done = run("map", "--ensemble", ensemble, "--hw", "empir_ideal", "--json", *options)
    assert done.exit_code in (0, 1), done.output
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


def test_json_has_what_is_promised(ensemble: Path) -> None:
    result = mapped(ensemble)
    assert result.keys() >= {"schema", "hardware", "network", "batch", "budget", "within_budget", "members"}
    assert (result["hardware"], result["network"], result["batch"]) == ("empir_ideal", "mnistconv", 1)
    assert result["baseline"].keys() >= TOTALS
    assert result["ensemble"].keys() >= TOTALS
    assert result["overhead"].keys() == {"time", "storage", "energy"}
    assert result["equation6"]["time"] == 1.25
    assert result["equation6"]["storage"] == 1.125
    assert [member["name"] for member in result["members"]] == ["fp1", "w2a4-1", "w2a4-2"]
    for member in result["members"]:
        assert member.keys() >= {"name", "weight_bits", "activation_bits", *TOTALS}
        assert [layer["name"] for layer in member["layers"]] == [
            "conv1", "conv2", "conv3", "flatten1", "fc", "softmax1",
        ]  # fmt: skip
        assert all(layer.keys() >= LAYER for layer in member["layers"])


def test_the_budget_decides_the_exit_code(ensemble: Path) -> None:
    for budget, code in (("0.25", 0), ("25%", 0), ("24.9%", 1), ("0.2499999", 1), ("3", 0)):
        done = run("map", "--ensemble", ensemble, "--hw", "empir_ideal", "--budget", budget, "--json")
        assert done.exit_code == code
        assert json.loads(done.stdout)["within_budget"] is (code == 0)


def test_narration_stays_off_stdout(ensemble: Path) -> None:
    done = run("map", "--ensemble", ensemble, "--hw", "empir_ideal", "--json", "--no-cache")
    assert done.stdout.startswith("{")
    assert done.stdout.endswith("}\n")
    assert not done.stderr


def test_the_table_names_everything(ensemble: Path) -> None:
    done = run("map", "--ensemble", ensemble, "--hw", "empir_ideal")
    assert done.exit_code == 0
    for word in ("conv1", "flatten1", "softmax1", "combiner", "w2a4-1, w2a4-2", "baseline", "Equation 6"):
        assert word in done.stdout
    assert "Within the budget of 25 %: time +25 %, storage +12.5 %." in done.stdout
    assert not done.stderr


def test_a_remembered_result_is_the_same(ensemble: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> LayerCost:
        raise AssertionError("mapped again")

    fresh = mapped(ensemble, "--no-cache")
    first = mapped(ensemble)
    monkeypatch.setattr(hwsim.mapper, "map_layer", forbidden)
    assert mapped(ensemble) == first == fresh
    ensemble.write_text(ensemble.read_text().replace("empir", "renamed", 1))
    renamed = mapped(ensemble)  # the layers are remembered too
    assert renamed["name"] == "renamed"
    assert renamed["members"] == first["members"]


def test_options_change_what_is_asked(ensemble: Path) -> None:
    plain = mapped(ensemble)
    assert mapped(ensemble, "--batch", "4")["batch"] == 4
    assert mapped(ensemble, "--network", "lenet5")["network"] == "lenet5"
    assert mapped(ensemble, "--set", "clock=2 GHz")["ensemble"]["seconds"] == plain["ensemble"]["seconds"] / 2
    assert plain["ensemble"]["weights_resident"]
    assert not mapped(ensemble, "--weights", "streamed")["ensemble"]["weights_resident"]
    assert mapped(ensemble, "--objective", "energy")["objective"] == "energy"
    assert plain["ensemble"]["plan"] is None
    planned = mapped(ensemble, "--weights", "planned")
    assert planned["ensemble"]["plan"]["kept"]
    assert planned["baseline"]["plan"]["kept"]
    assert planned["ensemble"]["dram_bytes"] < plain["ensemble"]["dram_bytes"]
    smaller = mapped(ensemble, "--network", "resnet18", "--parameter", "image=32")
    assert smaller["baseline"]["cycles"] < mapped(ensemble, "--network", "resnet18")["baseline"]["cycles"]


@pytest.mark.parametrize("suffix", [".json", ".csv", ".parquet"])
def test_results_go_into_files_too(ensemble: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    result = mapped(ensemble, "-o", target)
    assert sorted(tmp_path.iterdir()) == sorted([ensemble, target])
    if suffix == ".json":
        assert json.loads(target.read_text()) == result
    if suffix == ".csv":
        with target.open() as file:
            rows = list(csv.DictReader(file))
        cycles = sum(float(row["cycles"]) for row in rows if row["member"] != "baseline")
        assert cycles == pytest.approx(result["ensemble"]["cycles"])


def test_a_layer_is_explained(ensemble: Path) -> None:
    done = run("map", "--ensemble", ensemble, "--hw", "empir_ideal", "--explain", "conv1")
    assert done.exit_code == 0
    assert "conv1 (conv 64x1x8x8 s2, 32/32 bits) of baseline, fp1" in done.stdout
    assert "conv1 (conv 64x1x8x8 s2, 2/4 bits) of w2a4-1, w2a4-2" in done.stdout
    assert done.stdout.count("for k in 0..63") == 2
    assert "conv2" not in done.stdout


def test_the_combiner_is_explained(ensemble: Path) -> None:
    done = run("map", "--ensemble", ensemble, "--hw", "turing", "--explain", "combiner")
    assert done.exit_code == 1
    assert done.stdout.startswith("combiner (average 3*1x10, -/32 bits) of the ensemble\n")
    assert "conv" not in done.stdout


def test_an_interrupt_keeps_what_is_done(ensemble: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def interrupted(*arguments: Any, **options: Any) -> LayerCost:
        asked.append(arguments)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return map_layer(*arguments, **options)

    fresh = ("map", "--ensemble", ensemble, "--hw", "empir_ideal", "--json", "--set", "clock=1.234 GHz")
    monkeypatch.setattr(hwsim.mapper, "map_layer", interrupted)
    done = run(*fresh)
    assert done.exit_code == 130
    assert not done.stdout
    assert "interrupted" in done.stderr
    again = run(*fresh)
    assert again.exit_code == 0
    assert asked[2] == asked[3]  # the third layer is asked for anew, those before it are not
    assert len(asked) == len({*asked}) + 1


def test_one_layer_without_any_file() -> None:
    nest = "N=1,K=384,C=256,P=13,Q=13,R=3,S=3"
    done = run("layer", "--hw", "simple_s2", "--nest", nest, "--bits", "16,16", "--objective", "energy", "--json")
    assert done.exit_code == 0
    result = json.loads(done.stdout)
    assert result.keys() >= {"cycles", "energy_joules", "bound", "utilization", "mapping", "traffic", "certificate"}
    assert result["macs"] == 384 * 256 * 13 * 13 * 9
    assert result["certificate"].keys() >= {"space", "priced", "proven"}
    assert {(access["level"], access["operand"]) for access in result["traffic"]} >= {("DRAM", "outputs")}
    (weights,) = [x for x in result["traffic"] if x["level"] == "DRAM" and x["operand"] == "weights"]
    assert weights["reads"] >= 384 * 256 * 9
    covered = dict.fromkeys("NGKCPQRS", 1)
    for level in result["mapping"]:
        for loop in level["temporal"] + level["spatial"]:
            covered[loop["dim"]] *= loop["bound"]
    assert all(covered[dim] >= size for dim, size in {"K": 384, "C": 256, "P": 13, "Q": 13, "R": 3, "S": 3}.items())


def test_a_layer_has_stride_dilation_and_groups() -> None:
    options = ["--stride", "2,1", "--dilation", "3", "--groups", "4", "--json"]
    done = run("layer", "--hw", "empir_ideal", "--nest", "K=2,C=2,P=5,Q=5,R=3,S=3", *options)
    result = json.loads(done.stdout)
    assert (result["nest"]["G"], result["nest"]["stride"], result["nest"]["dilation"]) == (4, [2, 1], [3, 3])
    assert result["macs"] == 4 * 2 * 2 * 25 * 9


def test_a_layer_as_text() -> None:
    done = run("layer", "--hw", "simple_s0", "--nest", "N=8,K=16,C=16", "--bits", "8,8")
    assert done.exit_code == 0
    assert "multiply-accumulate" in done.stdout
    assert "2,048 multiply-accumulates" in done.stdout


BAD = {
    "no such ensemble": ["map", "--ensemble", "nowhere.yaml", "--hw", "empir_ideal"],
    "no such chip": ["map", "--ensemble", "{ensemble}", "--hw", "empir_idea"],
    "no such network": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--network", "lenet6"],
    "no such layer": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--explain", "conv9"],
    "no such field": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--set", "clok=1 GHz"],
    "no unit": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--set", "clock=1"],
    "a budget of 2500 %": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--budget", "25"],
    "a negative budget": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--budget", "-1%"],
    "a budget in words": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--budget", "much"],
    "no batch": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--batch", "0"],
    "a file of unknown kind": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "-o", "out.xls"],
    "text and JSON": ["map", "--ensemble", "{ensemble}", "--hw", "empir_ideal", "--json", "--explain", "conv1"],
    "weights that do not fit": ["map", "--ensemble", "{ensemble}", "--hw", "simple_s0", "--weights", "resident"],
    "an unknown dimension": ["layer", "--hw", "empir_ideal", "--nest", "X=1"],
    "a bound twice": ["layer", "--hw", "empir_ideal", "--nest", "K=1,K=2"],
    "a bound of nothing": ["layer", "--hw", "empir_ideal", "--nest", "K=0"],
    "a bound too large": ["layer", "--hw", "empir_ideal", "--nest", "K=99999999999"],
    "too much work": ["layer", "--hw", "empir_ideal", "--nest", "K=999999999,C=999999999"],
    "two groupings": ["layer", "--hw", "empir_ideal", "--nest", "G=2", "--groups", "3"],
    "one width": ["layer", "--hw", "empir_ideal", "--nest", "K=2", "--bits", "8"],
    "no bits": ["layer", "--hw", "empir_ideal", "--nest", "K=2", "--bits", "0,8"],
    "no stride": ["layer", "--hw", "empir_ideal", "--nest", "K=2", "--stride", "0"],
    "effort that is no number": ["layer", "--hw", "empir_ideal", "--nest", "K=2", "--effort", "nan"],
    "no effort": ["layer", "--hw", "empir_ideal", "--nest", "K=2", "--effort", "0"],
    "nothing to check": ["check"],
    "no such file to check": ["check", "nowhere.yaml"],
    "no such schema": ["schema", "network"],
    "no such chip to show": ["hw", "show", "turin"],
    "no such network to show": ["network", "show", "resnet"],
    "a parameter without value": ["network", "show", "bert_base", "--parameter", "sequence_length"],
    "an unknown parameter": ["network", "show", "bert_base", "--parameter", "length=3"],
    "no such command": ["mapp"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_exits_with_2_and_says_why(name: str, ensemble: Path) -> None:
    done = run(*(argument.format(ensemble=ensemble) for argument in BAD[name]))
    assert done.exit_code == 2, done.output
    assert not done.stdout
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_faults_have_a_place(tmp_path: Path) -> None:
    path = tmp_path / "faulty.yaml"
    path.write_text("name: x\nnetwrk: mnistconv\nmembers:\n  - {weights: 99, activations: 4}\n")
    done = run("check", path)
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert any(line.startswith(f"{path}:2:1: netwrk: unknown key (did you mean network?)") for line in lines)
    assert any(line.startswith(f"{path}:4:") and "weights" in line for line in lines)


def test_what_the_network_lacks_has_a_place(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.yaml"
    members = "members: [{weights: 4, activations: 4}]\n"
    path.write_text(f"name: x\nnetwork: lenet5\n{members}quantize:\n  full_precision: [c1, c9, c8]\n")
    commands = ("check", path), ("map", "--ensemble", path, "--hw", "empir_ideal")
    for command in commands:
        lines = run(*command).stderr.splitlines()
        assert [line.split(": no ")[0] for line in lines] == [
            f"{path}:5:24: quantize.full_precision[1]", f"{path}:5:28: quantize.full_precision[2]"
        ]  # fmt: skip
    path.write_text(f"name: x\nnetwork: lenet6\n{members}")
    for command in commands:
        assert run(*command).stderr.startswith(f"{path}:2:10: network: unknown network 'lenet6'")
    other = run(*commands[1], "--network", "lenet7")
    assert other.stderr.startswith("unknown network 'lenet7'")


def test_good_and_bad_files_are_checked_together(ensemble: Path, tmp_path: Path, repository: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(ensemble.read_text() + "quantize: {full_precision: [conv9]}\n")
    done = run("check", ensemble, bad, repository / "hw_configs" / "turing.yaml")
    assert done.exit_code == 2
    assert f"{ensemble}: ensemble empir: no fault" in done.stdout
    assert "hardware turing: no fault" in done.stdout
    assert "conv9" in done.stderr
    assert run("check", ensemble).exit_code == 0


def test_measurements_are_checked_like_other_files(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text(f"{line()}\n{line(seed=1)}\n")
    bad.write_text(f"{line()}\n{line(samples=0, confusion=None)}\n")
    done = run("check", good, bad)
    assert done.exit_code == 2
    assert done.stdout == f"{good}: measurements: 2, ensembles: 1: no fault\n"
    assert done.stderr.startswith(f"{bad}:2:")
    assert "samples: must be at least 1, not 0" in done.stderr
    assert run("check", good).exit_code == 0


def test_a_space_is_checked_and_counted(tmp_path: Path) -> None:
    """Two precisions: 1 + 2 + 3 multisets of up to two low-precision members, each beside one full-precision member."""
    path = tmp_path / "space.yaml"
    lines = (
        "name: two",
        "subjects: [{network: lenet5}, {network: mnistconv, quantize: convs}]",
        "ensembles: {low_precision: [0, 1, 2], weights: [2, 4], activations: 4, batch: [1, 16, 256]}",
        "chips: {base: [turing, t4], knobs: [{path: launch, values: [0 s, 1 us, 5 us]}]}",
        "objectives: {time_overhead: minimise}",
    )
    path.write_text("\n".join(lines))
    done = run("check", path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        f"{path}: space two: networks: 2, ensembles: 6, batches and combiners: 3, chips: 6, designs: 216: no fault\n"
    )
    path.write_text("\n".join(lines).replace("lenet5", "lenet6").replace("launch", "lunch"))
    done = run("check", path)
    assert done.exit_code == 2
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == [f"{path}:2:22:", f"{path}:4:44:"]


@pytest.mark.parametrize(
    ("kind", "key"), [("hardware", "clock"), ("ensemble", "members"), ("space", "subjects"), ("measurement", "schema")]
)
def test_schemas_are_json_schemas(kind: str, key: str) -> None:
    schema = json.loads(run("schema", kind).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert key in schema["properties"]
    assert key in schema["required"]


def test_one_member_may_be_drawn(ensemble: Path) -> None:
    plain = mapped(ensemble)
    ensemble.write_text(ensemble.read_text() + "combiner: random_switch\n")
    drawn = mapped(ensemble)
    mean = sum(member["cycles"] for member in drawn["members"]) / 3
    assert drawn["ensemble"]["cycles"] == pytest.approx(mean, rel=1e-12)
    assert drawn["ensemble"]["storage_bytes"] == plain["ensemble"]["storage_bytes"]
    assert drawn["equation6"]["time"] == pytest.approx(1.25 / 3)
    refused = run("map", "--ensemble", ensemble, "--hw", "empir_ideal", "--explain", "combiner")
    assert refused.exit_code == 2
    assert "there is no layer 'combiner'" in refused.stderr


def test_every_chip_is_listed_and_can_be_shown() -> None:
    listed = run("hw", "list")
    assert listed.exit_code == 0
    assert "faulty" not in listed.stdout
    for name, path in presets().items():
        assert f"\n{name} " in listed.stdout
        shown = run("hw", "show", name)
        assert shown.exit_code == 0
        assert shown.stdout.startswith(path.read_text().rstrip())


def test_what_is_shown_of_a_chip_is_a_file_for_it(tmp_path: Path) -> None:
    shown = run("hw", "show", "empir_ideal").stdout
    (tmp_path / "copy.yaml").write_text(shown)
    assert run("check", tmp_path / "copy.yaml").exit_code == 0
    derived = {line.split()[1]: line.split()[2] for line in shown.splitlines() if line.startswith("#   w")}
    assert derived == {"w4a4": "8192", "w8a8": "4096", "w16a16": "2048", "w32a32": "1024"}


def test_every_network_is_listed_and_can_be_shown() -> None:
    listed = run("network", "list").stdout
    assert all(f"\n{name} " in listed for name in zoo())
    assert "sequence_length=128" in listed
    shown = run("network", "show", "bert_base", "--parameter", "sequence_length=16", "--batch", "2")
    assert shown.exit_code == 0
    assert "layer11.output" in shown.stdout
    assert "2*12" not in shown.stdout.splitlines()[0]
    assert "24*16x64x16" in shown.stdout


def test_help_says_the_exit_codes() -> None:
    for arguments in (["--help"], ["-h"]):
        done = run(*arguments)
        assert done.exit_code == 0
        assert "130" in done.stdout


@pytest.mark.parametrize("command", [["map"], ["layer"], ["check"], ["schema"], ["hw", "show"], ["network", "show"]])
def test_every_command_has_help(command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: ")
