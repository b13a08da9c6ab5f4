"""Chips of a space: bases and values that do not fit, alone or together, each at its place before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwsim.errors import SpecError
from hwsim.spec import chip_faults
from hwsim.spec.load import load_space
from hwsim.spec.variants import changed

Write = Callable[..., Path]

BEFORE = "name: s\nsubjects: [{network: lenet5}]\nobjectives: {time_overhead: minimise}\nchips:\n"


@pytest.fixture
def write(chip: str, tmp_path: Path) -> Write:
    """Puts a space with some lines about its chips into a file beside the chips of these names."""

    def to_file(*lines: str, other: str = "name: other") -> Path:
        (tmp_path / "chip.yaml").write_text(chip)
        (tmp_path / "other.yaml").write_text(chip.replace("name: small", other))
        path = tmp_path / "space.yaml"
        path.write_text(BEFORE + "".join(f"  {text}\n" for text in lines))
        return path

    return to_file


def faults(path: Path) -> list[str]:
    """Faults of a space, less the name of its file."""
    with pytest.raises(SpecError) as caught:
        load_space(path)
    return [text.removeprefix(f"{path}:") for text in str(caught.value).splitlines()]


def test_bases_that_are_not_there(write: Write) -> None:
    first, second = faults(write("base: [turin, chip.yaml, nowhere/chip.yaml]"))
    assert first == "5:10: chips.base[0]: 'turin': no such file (did you mean turing?)"
    assert second.startswith("5:28: chips.base[2]: ")
    assert "nowhere/chip.yaml: no such file" in second
    assert faults(write("base: turin")) == ["5:9: chips.base: 'turin': no such file (did you mean turing?)"]


def test_a_base_that_is_there_but_empty(write: Write) -> None:
    path = write("base: turin.yaml")
    empty = path.parent / "turin.yaml"
    empty.write_text("")
    assert faults(path) == [f"5:9: chips.base: {empty}: is empty"]


def test_faults_inside_a_base_are_named_with_its_file(write: Write) -> None:
    path = write("base: [chip.yaml, other.yaml]", "knobs: [{path: clock, values: [1]}]", other="nam: other")
    other = path.parent / "other.yaml"
    assert faults(path) == [
        "6:34: chips.knobs[0].values[0]: clock: missing unit: write e.g. 1545 MHz",
        f"{other}:1:1: name: is missing",
        f"{other}:1:1: nam: unknown key (did you mean name?)",
    ]


def test_bases_are_told_apart_by_their_files(write: Write) -> None:
    path = write("base: [chip.yaml, deeper/chip.yaml]")
    (path.parent / "deeper").mkdir()
    (path.parent / "deeper" / "chip.yaml").write_text((path.parent / "chip.yaml").read_text())
    assert faults(path) == ["5:21: chips.base[1]: results would call two bases 'chip': rename a file"]


def marked(text: str) -> tuple[str, list[int]]:
    """A line less its marks, and the column of what each mark stood before."""
    pieces = text.split("«")
    return "".join(pieces), [len("".join(pieces[: i + 1])) + 1 for i in range(len(pieces) - 1)]


@pytest.mark.parametrize(
    ("knob", "expected"),
    [
        ("{path: «clok, values: [1 GHz, 2 GHz]}", ["chips.knobs[0].path: the file has no key 'clok' (did you mean "
                                                  "clock?)"]),
        ("{path: «levels.L2.tile, values: [1]}", ["chips.knobs[0].path: levels has no entry 'L2' (known entries: "
                                                 "DRAM, GLB)"]),
        ("{path: clock, values: [1 GHz, «2, «3 s]}", [
            "chips.knobs[0].values[1]: clock: missing unit: write e.g. 1545 MHz",
            "chips.knobs[0].values[2]: clock: 's' is not a unit of a frequency (write e.g. 1545 MHz)"]),
        ("{path: clock, range: «{from: 1 s, to: 3 s, step: 1 s}}", [
            "chips.knobs[0].range: clock: 's' is not a unit of a frequency (write e.g. 1545 MHz)"]),
        ("{path: levels.GLB.fanout.X.size, range: «{from: 1, to: 2, step: 0.5}}", [
            "chips.knobs[0].range: levels[1].fanout[0].size: must be a whole number, not 1.5"]),
        ("{path: levels.GLB.name, values: [L2, «DRAM]}", [
            "chips.knobs[0].values[1]: levels[1].name: another level is named 'DRAM' already"]),
        ("{path: levels, values: [«[]]}", ["chips.knobs[0].values[0]: levels: must not be empty"]),
        ("{path: vector, values: [«{energi: 1 pJ, operations_per_cycle: 2}]}", [
            "chips.knobs[0].values[0]: vector.energi: unknown key (did you mean energy?)"]),
        ("{path: clock, values: [«!x 1]}", ["chips.knobs[0].values[0]: tags are not read: remove '!x'"]),
        ("{name: n, choices: {a: {clock: «2, lunch: «1 us}, b: {launch: «2}}}", [
            "chips.knobs[0].choices.a.clock: clock: missing unit: write e.g. 1545 MHz",
        "chips.knobs[0].choices.a.lunch: the file has no key 'lunch' (did you mean launch?)",
            "chips.knobs[0].choices.b.launch: launch: missing unit: write e.g. 5 us"]),
        ("{name: n, choices: {a: «{levels.GLB.memories.WB.keeps: [weights, inputs]}}}", [
            "chips.knobs[0].choices.a: levels[1].memories[1].keeps[0]: 'inputs' are already kept by 'WB' of the "
            "same level"]),
    ],
)  # fmt: skip
def test_values_that_fit_no_base(knob: str, expected: list[str], write: Write) -> None:
    plain, columns = marked(f"knobs: [{knob}]")
    assert faults(write("base: chip.yaml", plain)) == [
        f"6:{column + 2}: {fault}" for column, fault in zip(columns, expected, strict=True)
    ]


def test_values_that_fit_some_bases(write: Write) -> None:
    path = write("base: [chip.yaml, other.yaml]", "knobs: [{path: levels.GLB.name, values: [GLB, new, 1]}]")
    other = path.parent / "other.yaml"
    other.write_text(other.read_text().replace("name: DRAM\n", "name: new\n", 1))
    assert faults(path) == [
        "6:49: chips.knobs[0].values[1]: levels[1].name: another level is named 'new' already (on other)",
        "6:54: chips.knobs[0].values[2]: levels[1].name: must be text, not 1",
    ]


@pytest.mark.parametrize("second", ["levels[1].memories[WB].size", "levels.GLB.memories.0"])
def test_a_knob_that_undoes_another(second: str, write: Write) -> None:
    memory = "{name: WB, keeps: [weights], size: 1 KiB}"
    values = {"levels.GLB.memories.0": memory}.get(second, "1 KiB")
    path = write(
        "base: chip.yaml",
        "knobs:",
        "  - {name: a, path: levels.GLB.memories.WB.size, values: [2 KiB]}",
        f"  - {{name: b, path: '{second}', values: [{values}]}}",
    )
    assert faults(path) == ["8:23: chips.knobs[1].path: knob 'b' would undo what knob 'a' sets"]


def test_a_later_knob_may_refine_an_earlier_one(write: Write) -> None:
    path = write(
        "base: chip.yaml",
        "knobs:",
        "  - {name: unit, path: vector, values: [{operations_per_cycle: 1}, {operations_per_cycle: 2}]}",
        "  - {name: energy, path: vector.energy, values: [1 pJ, 2 pJ]}",
    )
    assert len(load_space(path).chips.knobs) == 2


CLASH = (
    "base: [chip.yaml, other.yaml]",
    "knobs:",
    "  - {name: port, choices: {apart: {}, shared: {levels.GLB.memories.GLB.bandwidth: 1 GB/s,",
    "                                              levels.GLB.memories.GLB.read_bandwidth: ~}}}",
    "  - {name: f, path: clock, range: {from: 1 GHz, to: 3 GHz, step: 1 GHz}}",
    "  - {name: in, path: levels.GLB.memories.GLB.write_bandwidth, values: [~, 1 GB/s]}",
)


def test_values_that_only_fail_together(write: Write) -> None:
    """Of 12 chips on each base the 3 with a shared port and a bandwidth for writes fail, whatever the clock."""
    why = "levels[1].memories[1].write_bandwidth: give either bandwidth, shared by reads and writes, or the two apart"
    assert faults(write(*CLASH)) == [
        f"10:77: chips.knobs[2].values[1]: not together, port = shared, in = 1 GB/s on {base} (3 of 12 chips): {why}, "
        "not both"
        for base in ("chip", "other")
    ]


def test_mappings_may_fail_together(write: Write) -> None:
    memory = "{name: %s, keeps: [weights], size: 1 KiB}"
    path = write(
        "base: chip.yaml",
        "knobs:",
        "  - {name: a, path: 'levels[0].memories[0]', values: [",
        "      {name: A, keeps: [weights, inputs, outputs]}, {name: B, keeps: [weights, inputs, outputs]}]}",
        f"  - {{name: b, path: 'levels[1].memories[0]', values: [{memory % 'B'}, {memory % 'C'}]}}",
    )
    (found,) = faults(path)
    start = '9:57: chips.knobs[1].values[0]: not together, a = {"name": "B", '
    assert found.startswith(start)
    assert found.endswith("(1 of 4 chips): levels[1].memories[0].name: another memory is named 'B' already")


def test_of_many_chips_pairs_of_values_are_tried(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chip_faults, "EVERY", 11)
    found = faults(write(*CLASH))
    assert [fault.partition(": levels")[0] for fault in found] == [
        f"10:77: chips.knobs[2].values[1]: not together, port = shared, in = 1 GB/s on {base}"
        for base in ("chip", "other")
    ]


def test_of_very_many_pairs_a_few_are_tried(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand by two thousand values, and one that clashes at the end of a knob."""
    made = 0

    def counted(*given: Any) -> Any:
        nonlocal made
        made += 1
        return changed(*given)

    monkeypatch.setattr(chip_faults, "changed", counted)
    monkeypatch.setattr(chip_faults, "EVERY", 100)
    path = write(
        CLASH[0].replace(", other.yaml", ""),
        *CLASH[1:4],
        "  - {name: f, path: clock, range: {from: 1 Hz, to: 1000 Hz, step: 1 Hz}}",
        "  - {name: d, path: levels.DRAM.memories.DRAM.size, range: {from: 1 GB, to: 1000 GB, step: 1 GB}}",
        CLASH[-1],
    )
    (found,) = faults(path)
    assert "not together, port = shared, in = 1 GB/s: " in found
    assert 2004 < made < 2004 + 110  # each value alone, and of the pairs no more than allowed


def test_of_many_faulty_combinations_the_number_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen ports' widths against sixteen: 256 pairs clash, of which two are explained."""
    monkeypatch.setattr(chip_faults, "MOST", 2)
    shared = ", ".join(
        f"{i}: {{levels.GLB.memories.GLB.bandwidth: {i} GB/s, levels.GLB.memories.GLB.read_bandwidth: ~}}"
        for i in range(16)
    )
    path = write(
        "base: chip.yaml",
        "knobs:",
        f"  - {{name: port, choices: {{{shared}}}}}",
        "  - {name: in, path: levels.GLB.memories.GLB.write_bandwidth, range: {from: 1 B/s, to: 16 B/s, step: 1 B/s}}",
    )
    first, *explained = faults(path)
    assert first == "7:5: chips.knobs: 254 more chips do not hold together"
    assert len(explained) == 2
    assert all("(1 of 256 chips)" in fault for fault in explained)


def test_where_one_value_is_wrong_the_others_are_still_tried_together(write: Write) -> None:
    lines = [text.replace("1 GB/s]", "1 GB/s, 2]") for text in CLASH]
    found = [fault.partition(": levels")[0].partition(" on ")[0] for fault in faults(write(*lines))]
    assert found == [
        "10:77: chips.knobs[2].values[1]: not together, port = shared, in = 1 GB/s",
        "10:77: chips.knobs[2].values[1]: not together, port = shared, in = 1 GB/s",
        "10:85: chips.knobs[2].values[2]",
    ]
