"""Files of a sweep: whole, found again, and refused where they are somebody else's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from hwsim.errors import SpecError
from hwsim.search.results import dataset
from hwsim.search.results.dataset import Index, Shard


def shard(*parts: str, value: int = 0) -> Shard:
    """A unit with two designs a part."""
    twice = [part for part in parts for _ in range(2)]
    points = pyarrow.table({"part": twice, "x": [value + i for i in range(len(twice))]})
    counts = pyarrow.table({"part": list(parts), "designs": [2] * len(parts)})
    encoded = (dataset.encoded(table, parts) for table in (points, counts))
    return Shard(dataset.unit_name(parts), parts, *encoded)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep of four parts in two units."""
    place = tmp_path / "sweep"
    dataset.prepare(place, Index({"name": "tiny"}, ("a", "b", "c", "d")))
    dataset.put(place, shard("c", "d", value=20))
    dataset.put(place, shard("a", "b", value=10))
    return place


def xs(place: Path) -> list[int]:
    return [int(x) for x in dataset.read_points(place)["x"]]


def test_points_come_in_the_order_of_the_index_however_they_were_computed_together(folder: Path) -> None:
    frame = dataset.read_points(folder)
    assert list(frame.columns) == ["x"]  # the part is nobody's business
    assert xs(folder) == [10, 11, 12, 13, 20, 21, 22, 23]
    assert dataset.read_counts(folder)["designs"].tolist() == [2, 2, 2, 2]
    assert not list(folder.rglob(".*"))


def test_what_the_space_no_longer_has_is_left_out_and_stays_on_disk(folder: Path) -> None:
    before = sorted(folder.rglob("*.parquet"))
    dataset.write_index(folder, Index({}, ("d", "b", "e")))
    assert xs(folder) == [22, 23, 12, 13]
    assert dataset.read_counts(folder)["designs"].tolist() == [2, 2]
    assert sorted(folder.rglob("*.parquet")) == before
    assert {part for own in dataset.held(folder, ("d", "b", "e")).values() for part in own} == {"b", "d"}


def test_a_part_that_two_units_hold_is_read_once(folder: Path) -> None:
    dataset.put(folder, shard("b", "c", value=90))
    frame = dataset.read_points(folder)
    assert len(frame) == 8
    assert dataset.read_counts(folder)["designs"].sum() == 8
    files = {path.stem: parts for path, parts in dataset.files(folder)}
    units = dataset.held(folder, "abcd")
    assert sorted(part for parts in units.values() for part in parts) == ["a", "b", "c", "d"]
    assert files.keys() == units.keys()


@pytest.mark.parametrize("kind", ["points", "counts"])
@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "foreign", "text", "of another unit"])
def test_a_unit_with_a_damaged_file_is_not_done(folder: Path, kind: str, damage: str) -> None:
    unit = dataset.unit_name("ab")
    assert dataset.done(folder, unit) == {"a", "b"}
    path = folder / kind / f"{unit}.parquet"
    match damage:
        case "cut":
            os.truncate(path, path.stat().st_size - 1)
        case "empty":
            os.truncate(path, 0)
        case "gone":
            path.unlink()
        case "foreign":
            parquet.write_table(pyarrow.table({"part": ["a", "b"], "x": [1, 2]}), path)
        case "text":
            path.write_text("no Parquet at all")
        case _:
            path.write_bytes((folder / kind / f"{dataset.unit_name('cd')}.parquet").read_bytes())
    assert not dataset.done(folder, unit)
    assert xs(folder) == [20, 21, 22, 23]
    dataset.put(folder, shard("a", "b", value=10))
    assert xs(folder) == [10, 11, 12, 13, 20, 21, 22, 23]


def test_points_without_counts_are_not_done(folder: Path) -> None:
    """What is left of a process that was killed between the two."""
    other = shard("e", "f")
    (folder / "points" / f"{other.unit}.parquet").write_bytes(other.points)
    (folder / "points" / ".half.123.abcd.part").write_bytes(other.points[:50])
    assert not dataset.done(folder, other.unit)
    assert not dataset.held(folder, ("e", "f"))


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SpecError, match="holds something that is no sweep"):
        dataset.prepare(tmp_path, Index({}, ()))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"schema": "hwsim.sweep/2"}', '{"name": "my space"}'])
def test_an_index_of_something_else_is_refused(folder: Path, content: str) -> None:
    (folder / "space.json").write_text(content)
    for use in (dataset.read_index, dataset.read_points, lambda place: dataset.prepare(place, Index({}, ()))):
        with pytest.raises(SpecError, match="is not the index of a sweep"):
            use(folder)
    assert (folder / "space.json").read_text() == content


def test_a_folder_without_a_sweep_has_no_points(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is not the folder of a sweep"):
        dataset.read_points(tmp_path)


def test_an_unknown_column_is_told(folder: Path) -> None:
    with pytest.raises(SpecError, match="has no column 'y'"):
        dataset.read_points(folder, ["x", "y"])
    assert list(dataset.read_points(folder, ["x"]).columns) == ["x"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="cannot be written: "):
        dataset.prepare(tmp_path / "file" / "sweep", Index({}, ()))


def test_the_index_is_not_written_again_when_it_says_the_same(folder: Path) -> None:
    path = folder / "space.json"
    os.utime(path, (1, 1))
    dataset.prepare(folder, Index({"name": "tiny"}, ("a", "b", "c", "d")))
    assert path.stat().st_mtime == 1
    dataset.prepare(folder, Index({"name": "tiny"}, ("a", "b", "c")))
    assert path.stat().st_mtime > 1
    assert json.loads(path.read_text())["parts"] == ["a", "b", "c"]


def test_nothing_computed_is_an_empty_frame(tmp_path: Path) -> None:
    dataset.prepare(tmp_path / "new", Index({}, ("a",)))
    assert dataset.read_points(tmp_path / "new").empty
