"""Files of measurements: every fault at its line, and appends that lose nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hwsim.errors import SpecError
from hwsim.spec import lines
from hwsim.spec.measurement import MOST_LINES, append_measurements, read_measurements
from tests.unit.spec.measured import LINE, line, measurement


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "measurements.jsonl"


def faults(path: Path) -> list[str]:
    """What is wrong with a file, less its name."""
    with pytest.raises(SpecError) as caught:
        read_measurements(path)
    assert all(fault.file == str(path) for fault in caught.value.faults)
    return [str(fault).removeprefix(f"{path}:") for fault in caught.value.faults]


def test_lines_are_read_in_their_order_and_equal_ones_once(path: Path) -> None:
    path.write_text("\n".join(["\ufeff" + line(seed=2), "", line(seed=1), "  ", line(seed=2), line(seed=0)]))
    assert [found.seed for found in read_measurements(path)] == [2, 1, 0]


def test_an_empty_file_holds_none(path: Path) -> None:
    path.write_text("")
    assert read_measurements(path) == ()


def test_text_of_every_language_survives(path: Path) -> None:
    odd = measurement(dataset="цифры\u2028\u0085 5 000 \U0001f522")
    append_measurements(path, [odd])
    assert read_measurements(path) == (odd,)
    assert "цифры" in path.read_text(encoding="utf-8")


OTHER_SCHEMA = "and this hwsim reads hwsim.measurement/1"


@pytest.mark.parametrize(
    ("content", "at", "message"),
    [
        ('{"schema": 1,}', "}", "is not JSON: "),
        ("[]", None, "must be a JSON object, not a list"),
        ("7", None, "must be a JSON object, not 7"),
        (line().replace("0.75", "NaN"), None, "is not JSON: NaN is no number there"),
        (line().replace("40", "-Infinity"), None, "is not JSON: -Infinity is no number there"),
        ("{}", None, 'schema: is missing: a measurement begins with {"schema": "hwsim.measurement/1", ...'),
        (line(schema="hwsim.measurement/2"), None, f"schema: is hwsim.measurement/2, {OTHER_SCHEMA}: update hwsim"),
        (line(schema="hwsim.measurement/0"), None, f"schema: is hwsim.measurement/0, {OTHER_SCHEMA}: measure again"),
        (line(schema="hwsim/map/1"), None, "schema: must be hwsim.measurement/1, not 'hwsim/map/1'"),
        (line(schema=1), None, "schema: must be hwsim.measurement/1, not 1"),
        (line().replace('"samples": 12', '"samples": 12, "samples": 12'), None, "key 'samples' is here twice"),
        (line().replace('"step": 0.01', '"step": 0.01, "step": 0.02'), None, "key 'step' is here twice"),
        (line(seed=5.0), "5.0, ", "seed: must be a whole number, not 5.0"),
        (line(epsilon="0.35"), '"0.35"', "epsilon: must be a number, not '0.35'"),
        (line(acounting="standard"), '"acounting"', "acounting: unknown key (did you mean accounting?)"),
        (line(interval=[0.3, 0.5]), "[0.3, 0.5]", "interval: must contain the robust accuracy, 0.25, but is 0.3 to "),
        (line().replace('"seed": 8', '"seed": -1'), "-1, ", "members[1].seed: must be at least 0, not -1"),
    ],
)
def test_a_fault_stands_at_its_place(content: str, at: str | None, message: str, path: Path) -> None:
    path.write_text(f"{line()}\n{content}\n")
    (told,) = faults(path)
    place = "2: " if at is None else f"2:{content.index(at) + 1}: "
    assert told.startswith(place + message)


def test_a_missing_field_is_described(path: Path) -> None:
    content = {key: value for key, value in LINE.items() if key != "data"}
    path.write_text(json.dumps(content) + "\n")
    assert faults(path) == ["1:1: data: is missing: fingerprint of the images and labels"]


def test_every_fault_of_every_line_is_told(path: Path) -> None:
    path.write_text("\n".join([line(seed=-1, samples=0), line(), "{", line(split=3)]) + "\n")
    told = faults(path)
    assert [fault.partition(":")[0] for fault in told] == ["1", "1", "1", "3", "4"]
    assert [fault.split(": ")[1] for fault in told[:3]] == ["samples", "confusion", "seed"]


def test_a_file_of_something_else_does_not_drown_its_reader(path: Path) -> None:
    path.write_text("no\n" * (MOST_LINES + 5))
    told = faults(path)
    assert len(told) == MOST_LINES + 1
    assert told[-1].endswith("5 more lines are faulty")


def test_what_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(line().encode() + b"\n" + b'{"a": "\xff"}\n')
    assert faults(path) == ["2:8: is not text in UTF-8"]


def test_two_answers_to_one_question_are_refused(path: Path) -> None:
    path.write_text(f"{line()}\n{line(seed=1)}\n{line(clean_accuracy=0.5)}\n")
    assert faults(path) == ["3: measures the same as line 1 with another result: remove one"]


def test_the_same_answer_of_another_version_is_no_other_answer(path: Path) -> None:
    path.write_text(f"{line()}\n{line(versions={'torch': '3'})}\n")
    assert read_measurements(path) == (measurement(),)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_what_cannot_be_read_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: (no such file|is a) directory" if name == "." else "no such"):
        read_measurements(tmp_path / name)


def test_appending_twice_adds_nothing(path: Path) -> None:
    first, second = measurement(), measurement(seed=1)
    assert append_measurements(path, [first, second, first]) == (first, second)
    before = path.read_bytes()
    assert append_measurements(path, [second, measurement(clean_accuracy=0.5)]) == ()
    assert path.read_bytes() == before
    third = measurement(seed=2)
    assert append_measurements(path, [first, third]) == (third,)
    assert path.read_bytes().startswith(before)
    assert read_measurements(path) == (first, second, third)


def test_appending_nothing_finds_out_whether_the_file_will_do(path: Path, tmp_path: Path) -> None:
    assert append_measurements(path, []) == ()
    assert path.read_bytes() == b""
    for wrong in (tmp_path, tmp_path / "nowhere" / "m.jsonl"):
        with pytest.raises(SpecError, match="cannot be written: "):
            append_measurements(wrong, [])
    path.write_text("name: a chip\n")
    with pytest.raises(SpecError, match="1:1: is not JSON"):
        append_measurements(path, [])
    assert path.read_text() == "name: a chip\n"


@pytest.mark.parametrize("length", [1, 20, 40, 200, len(line()) - 1])
def test_a_line_that_was_cut_off_is_named_and_mended(length: int, path: Path) -> None:
    whole = measurement(seed=1).line()
    path.write_text(line() + "\n" + whole[:length])
    assert faults(path) == [
        "2: is cut off, because its writer was killed: measure again, which mends the file, or remove the line"
    ]
    append_measurements(path, [measurement(seed=1)])
    assert [found.seed for found in read_measurements(path)] == [0, 1]
    assert path.read_text() == f"{measurement().line()}\n{whole}\n"


def test_a_character_that_was_cut_off_is_mended_too(path: Path) -> None:
    whole = measurement(dataset="цифры").line().encode()
    path.write_bytes(whole[: whole.index("ц".encode()) + 1])
    assert len(append_measurements(path, [measurement()])) == 1
    assert read_measurements(path) == (measurement(),)


def test_a_whole_last_line_without_its_end_is_kept(path: Path) -> None:
    path.write_text(line())
    append_measurements(path, [measurement(seed=1)])
    assert [found.seed for found in read_measurements(path)] == [0, 1]
    path.write_text(line())
    append_measurements(path, [])
    assert path.read_text() == line()


def test_what_is_no_measurement_is_never_removed(path: Path) -> None:
    content = line() + '\n{"schema": "hwsim/map/1", "half": '
    path.write_text(content)
    with pytest.raises(SpecError, match="2:35: is not JSON"):
        append_measurements(path, [measurement(seed=1)])
    assert path.read_text() == content


def test_a_full_disk_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_measurements(path, [measurement()])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lines.os, "fsync", full)
    with pytest.raises(SpecError, match="cannot be written: no space left on device"):
        append_measurements(path, [measurement(seed=1)])
    assert path.read_bytes() == before


#: Appends `count` measurements one by one, with seeds from `first` on, and some that all processes append.
WRITER = """
import sys
from hwsim.spec.measurement import append_measurements
from tests.unit.spec.measured import measurement
path, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for seed in range(first, first + count):
    append_measurements(path, [measurement(seed=seed), measurement(seed=10**6 + seed - first)])
"""


def writer(path: Path, first: int, count: int) -> subprocess.Popen[Any]:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", WRITER, str(path), str(first), str(count)]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)


def test_processes_that_append_at_once_lose_nothing(path: Path) -> None:
    writers = [writer(path, first, 25) for first in (0, 1000, 2000)]
    for process in writers:
        _, complaints = process.communicate(timeout=120)
        assert not complaints
    seeds = [found.seed for found in read_measurements(path)]
    own = {first + i for first in (0, 1000, 2000) for i in range(25)}
    assert sorted(seeds) == sorted(own | {10**6 + i for i in range(25)})
    assert path.read_text().count("\n") == len(seeds)


def test_a_reader_waits_for_a_writer(path: Path) -> None:
    """It asks for a lock that it gets only when no writer has its own."""
    append_measurements(path, [measurement()])
    process = writer(path, 0, 40)
    while process.poll() is None:
        read_measurements(path)
    process.communicate()
    assert process.returncode == 0
