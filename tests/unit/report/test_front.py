"""What a front's table, picture and page show, read back from them."""

from __future__ import annotations

from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from matplotlib.figure import Figure

from hwsim.report.front import fronts_record, print_fronts, value
from hwsim.report.front_page import page
from hwsim.report.front_plot import BEST, FRONT, OTHERS, draw, outline, write_picture
from hwsim.report.records import text
from hwsim.screen import console
from hwsim.search.results.front import Fronts, Goal, fronts
from hwsim.search.results.points import open_points

TIME, ROBUST = Goal("time_overhead", "minimise"), Goal("robust_accuracy", "maximise")
STORAGE = Goal("storage_overhead", "minimise")

#: On the front: a, and c with its equal d; b is behind a. e was not measured.
ROWS: list[dict[str, Any]] = [
    {"configuration": "a & <b>bold</b>", "time_overhead": 0.0, "storage_overhead": 0.5, "robust_accuracy": 0.1},
    {"configuration": "b", "time_overhead": 0.05, "storage_overhead": 0.2, "robust_accuracy": 0.05},
    {"configuration": "c", "time_overhead": 0.25, "storage_overhead": 0.1, "robust_accuracy": 0.4},
    {"configuration": "d", "time_overhead": 0.25, "storage_overhead": 0.3, "robust_accuracy": 0.4},
    {"configuration": "e", "time_overhead": 0.01, "storage_overhead": 0.0, "robust_accuracy": np.nan},
]


def found(folder: Path, goals: tuple[Goal, ...] = (TIME, ROBUST), rows: list[dict[str, Any]] = ROWS) -> Fronts:
    frame = pandas.DataFrame(rows).assign(network="mnistconv", quantize="convs", batch=1, robust_low=0.0)
    frame["robust_high"], frame["knob: cores"] = 0.5, [f"{i % 2} cores" for i in range(len(rows))]
    frame.to_parquet(folder / "points.parquet")
    opened = open_points(folder / "points.parquet")
    space = {"name": "the <space>", "constraints": {"time_overhead": 0.25}}
    return fronts(type(opened)(opened.path, opened.kinds, 1000, space), goals)


def printed(of: Fronts) -> list[str]:
    out = StringIO()
    print_fronts(console(out), of)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_the_table_has_every_design_of_the_front_once(tmp_path: Path) -> None:
    lines = printed(found(tmp_path))
    assert lines[0] == "mnistconv (convs): low time overhead and high robust accuracy"
    assert lines[2] == "members cores time overhead robust accuracy equal"
    assert lines[3] == "a & <b>bold</b> 0 cores +0.00 % 10.00 % [0.0, 50.0] 1"
    assert lines[4] == "c 0 cores +25.00 % 40.00 % [0.0, 50.0] 2"  # less storage than d, which is equal in both
    assert lines[6] == "The same for all: batch 1."
    assert lines[7] == (
        "3 of 4 designs in all are on the front; of 1 more robust accuracy is not known (1,000 priced, 5 written down)."
    )
    # a: from 0 to 25 %, 10 points high; c is at the limit and adds nothing.
    assert lines[8].startswith("Hypervolume 0.025 against time overhead +25.00 %, robust accuracy 0.00 %")


def test_a_quantity_that_nothing_is_known_of_comes_with_the_commands_that_measure_it(tmp_path: Path) -> None:
    rows = [row | {"robust_accuracy": np.nan, "area": np.nan} for row in ROWS]
    text = "\n".join(printed(found(tmp_path, (TIME, ROBUST), rows)))
    assert "Robust accuracy was measured of no design in all; these commands measure one:" in text
    assert "empir verify --ensemble ENSEMBLE.yaml" in text
    text = "\n".join(printed(found(tmp_path, (TIME, Goal("area", "minimise")), rows)))
    assert "Area is known of no design: the space gives its chips no `node`." in text


def test_the_record_is_json_with_every_design(tmp_path: Path) -> None:
    record = fronts_record(found(tmp_path))
    (front,) = record["fronts"]
    assert [row["configuration"] for row in front["designs"]] == ["a & <b>bold</b>", "c", "d"]
    assert (front["compared"], front["unknown"], front["network"]) == (4, 1, "mnistconv")
    assert front["reference"] == {"time_overhead": 0.25, "robust_accuracy": 0.0}
    assert '"configuration": "c"' in text(record)


def test_the_picture_has_the_points_the_line_and_the_limit(tmp_path: Path) -> None:
    of = found(tmp_path)
    axes = draw(Figure(), of, of.fronts[0])
    groups = {group.get_gid(): group.get_offsets().tolist() for group in axes.collections}
    assert groups == {FRONT: [[0.0, 0.1], [0.25, 0.4]], OTHERS: [[0.05, 0.05]]}
    line, limit = axes.get_lines()
    low, high = axes.get_ylim()[0], axes.get_xlim()[1]
    assert line.get_color() == BEST
    steps = [(0, low), (0, 0.1), (0.25, 0.1), (0.25, 0.4), (high, 0.4)]
    assert np.allclose(np.transpose(line.get_data()), steps)
    assert limit.get_xdata() == [0.25, 0.25]
    assert axes.get_xlim()[0] < 0 < 0.25 < high
    assert axes.get_xlabel() == "time overhead (less is better)"


@pytest.mark.parametrize(
    ("x", "y", "points", "steps"),
    [
        # Where more of x is better, what is left of a point and no better in y is beaten.
        ("maximise", "maximise", [(1, 5), (3, 2)], [(0, 5), (1, 5), (1, 2), (3, 2), (3, 0)]),
        ("maximise", "minimise", [(1, 2), (3, 5)], [(0, 2), (1, 2), (1, 5), (3, 5), (3, 9)]),
        ("minimise", "minimise", [(1, 5), (3, 2)], [(1, 9), (1, 5), (3, 5), (3, 2), (9, 2)]),
    ],
)
def test_the_line_runs_along_the_edge_of_what_is_beaten(
    x: Any, y: Any, points: list[tuple[float, float]], steps: list[tuple[float, float]]
) -> None:
    axes = Figure().subplots()
    axes.set(xlim=(0, 9), ylim=(0, 9))
    table = {"x": np.array([px for px, _ in points], float), "y": np.array([py for _, py in points], float)}
    assert np.transpose(outline(axes, Goal("x", x), Goal("y", y), table)).tolist() == [
        list(map(float, s)) for s in steps
    ]


def test_a_third_quantity_is_drawn_as_colour(tmp_path: Path) -> None:
    of = found(tmp_path, (TIME, ROBUST, STORAGE))
    axes = draw(Figure(), of, of.fronts[0])
    (front,) = [group for group in axes.collections if group.get_gid() == FRONT]
    shown = {tuple(at): storage for at, storage in zip(front.get_offsets().tolist(), front.get_array(), strict=True)}
    assert shown == {(0.0, 0.1): 0.5, (0.05, 0.05): 0.2, (0.25, 0.4): 0.1}
    assert len(axes.get_lines()) == 1  # the limit: a front in three quantities has no line


def test_infinite_values_are_on_the_front_but_not_in_the_picture(tmp_path: Path) -> None:
    rows = [*ROWS, {"configuration": "f", "time_overhead": 0.3, "storage_overhead": 0.1, "robust_accuracy": np.inf}]
    of = found(tmp_path, rows=rows)
    assert "f" in list(of.fronts[0].designs["configuration"])
    axes = draw(Figure(), of, of.fronts[0])
    assert np.isfinite(np.concatenate([group.get_offsets() for group in axes.collections])).all()


class Read(HTMLParser):
    """Points by group, cells of tables, and whatever would be fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        own = dict(attributes)
        self.tags.append(tag)
        if own.get("class") == "point":
            self.points.append(own)
        links = [own.get(name) or "" for name in ("src", "href", "xlink:href")]
        self.fetched += [link for link in links if link and not link.startswith(("#", "data:"))]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_needs_nothing_else_and_names_every_point(tmp_path: Path) -> None:
    written = page(found(tmp_path))
    read = Read()
    read.feed(written)
    assert not read.fetched
    assert not {"link", "img", "iframe"} & set(read.tags)
    assert "@import" not in written
    assert "url(http" not in written
    names = {str(point["aria-label"]) for point in read.points}
    assert {name.splitlines()[0] for name in names} == {"a & <b>bold</b>", "b", "c"}
    assert any(name.endswith("and 1 more here") for name in names)
    assert "cores 0 cores" in "".join(names)
    assert [point["tabindex"] for point in read.points].count("0") == 1
    assert {str(point["role"]) for point in read.points} == {"img"}
    assert sorted(str(point["data-rank"]) for point in read.points) == ["0", "1", "2"]


def test_texts_of_the_page_are_escaped(tmp_path: Path) -> None:
    written = page(found(tmp_path))
    read = Read()
    read.feed(written)
    assert "b" not in read.tags
    assert "space" not in read.tags
    assert "a & <b>bold</b>" in read.words
    assert "the <space>" in read.words


def test_the_same_front_makes_the_same_page(tmp_path: Path) -> None:
    assert page(found(tmp_path)) == page(found(tmp_path))


def test_a_picture_without_any_design_says_so(tmp_path: Path) -> None:
    of = found(tmp_path, rows=[row | {"robust_accuracy": np.nan} for row in ROWS])
    write_picture(tmp_path / "front.png", of)
    assert (tmp_path / "front.png").read_bytes()[:4] == b"\x89PNG"
    assert "<svg" not in page(of)


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("time_overhead", 0.25, "+25.00 %"),
        ("clean_accuracy", 0.966, "96.60 %"),
        ("seconds", 1.5e-3, "1.5 ms"),
        ("storage_bytes", 5767168.0, "5.5 MiB"),
        ("area", 8e-4, "800 mm2"),
        ("batch", 16, "16"),
        ("robust_accuracy", float("nan"), "–"),
        ("knob: cores", "4", "4"),
    ],
)
def test_cells_have_the_unit_of_their_column(name: str, given: Any, shown: str) -> None:
    assert value(name, given) == shown
