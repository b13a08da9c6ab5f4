"""Fronts out of Parquet files against fronts out of the same rows in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from hwsim.errors import SpecError
from hwsim.search.design.pareto import nondominated
from hwsim.search.results.dataset import Index, Shard, encoded, put, unit_name, write_index
from hwsim.search.results.front import CELLS, COUNT, Goal, distinct, fronts, goal_of
from hwsim.search.results.points import conditions, open_points

SPACE = {
    "name": "small",
    "objectives": {"time_overhead": "minimise", "robust_accuracy": "maximise"},
    "constraints": {"time_overhead": 0.25},
    "keep": "all",
}
GOALS = (Goal("time_overhead", "minimise"), Goal("robust_accuracy", "maximise"))
COSTS = (Goal("time_overhead", "minimise"), Goal("batch", "maximise"))


def designs(rows: int, seed: int = 0) -> pandas.DataFrame:
    """Designs of two networks, a third of them not measured, with many ties."""
    draw = np.random.default_rng(seed)
    robust = draw.integers(0, 20, rows) / 20
    time = draw.integers(0, 40, rows) / 100
    robust[draw.random(rows) < 0.3] = np.nan
    return pandas.DataFrame(
        {
            "knob: bandwidth": pandas.Categorical(draw.choice(["308 GB/s", "616 GB/s"], rows)),
            "network": draw.choice(["mnistconv", "alexnet"], rows),
            "quantize": "all",
            "batch": draw.choice([1, 16], rows),
            "configuration": [f"design {i}" for i in range(rows)],
            "time_overhead": time,
            "robust_accuracy": robust,
            "feasible": (time <= 0.25) & ~np.isnan(robust),
        }
    )


def one_file(folder: Path, frame: pandas.DataFrame) -> Path:
    path = folder / "points.parquet"
    parquet.write_table(pyarrow.Table.from_pandas(frame, preserve_index=False), path, row_group_size=70)
    return path


def a_sweep(folder: Path, frame: pandas.DataFrame, space: dict[str, Any] = SPACE, complete: bool = True) -> Path:
    """The rows as three units leave them, and a unit of a part that the space no longer has."""
    (folder / "points").mkdir()
    (folder / "counts").mkdir()
    pieces = [frame[0::3], frame[1::3], frame[2::3], frame]
    for number, piece in enumerate(pieces):
        parts = [f"{number:x}0"]
        name = unit_name(parts)
        tables = (
            pyarrow.Table.from_pandas(piece.assign(part=parts[0]), preserve_index=False),
            pyarrow.table({"part": parts, "designs": [1000]}),
        )
        put(folder, Shard(name, tuple(parts), *(encoded(table, parts) for table in tables)))
    write_index(folder, Index(space, tuple(f"{number:x}0" for number in range(3)), complete))
    return folder


def expected(frame: pandas.DataFrame) -> set[str]:
    best = nondominated(frame[["time_overhead", "robust_accuracy"]].to_numpy(), ["minimise", "maximise"])
    return set(frame["configuration"][best])


@pytest.mark.parametrize("write", [one_file, a_sweep])
def test_every_network_has_the_front_of_its_own_rows(tmp_path: Path, write: Any) -> None:
    frame = designs(400)
    found = fronts(open_points(write(tmp_path, frame)), GOALS, within="feasible")
    assert [front.subject["network"] for front in found.fronts] == ["alexnet", "mnistconv"]
    assert found.written == 400
    for front in found.fronts:
        own = frame[(frame["network"] == front.subject["network"]) & frame["feasible"]]
        assert set(front.designs["configuration"]) == expected(own)
        assert front.compared == len(own)
        assert front.unknown == 0
        assert front.compared == len(front.designs) + front.others[COUNT].sum()
        row = front.designs.iloc[0]
        assert frame.loc[frame["configuration"] == row["configuration"], "batch"].item() == row["batch"]


def test_what_was_not_measured_is_counted_apart(tmp_path: Path) -> None:
    frame = designs(300)
    frame.loc[frame["network"] == "alexnet", "robust_accuracy"] = np.nan
    alexnet, mnistconv = fronts(open_points(one_file(tmp_path, frame)), GOALS).fronts
    assert (alexnet.compared, alexnet.lacking, len(alexnet.designs)) == (0, ("robust_accuracy",), 0)
    own = frame[frame["network"] == "mnistconv"]
    assert mnistconv.unknown == own["robust_accuracy"].isna().sum()
    assert (mnistconv.lacking, mnistconv.incomplete) == ((), ("robust_accuracy",))


def test_conditions_on_one_column_are_alternatives_and_on_several_all_hold(tmp_path: Path) -> None:
    frame = designs(300)
    points = open_points(one_file(tmp_path, frame))
    where = conditions(points, [("batch", "16"), ("bandwidth", "308 GB/s"), ("network", "alexnet"), ("batch", "1.0")])
    (front,) = fronts(points, GOALS, where).fronts
    own = frame[(frame["knob: bandwidth"] == "308 GB/s") & (frame["network"] == "alexnet")]
    assert set(front.designs["configuration"]) == expected(own)
    assert front.compared + front.unknown == len(own)
    where = conditions(points, [("robust_accuracy", "50%"), ("feasible", "true"), ("network", "alexnet")])
    (front,) = fronts(points, GOALS, where).fronts
    chosen = frame[(frame["robust_accuracy"] == 0.5) & frame["feasible"] & (frame["network"] == "alexnet")]
    assert front.compared == len(chosen) > 0


def test_values_and_columns_that_are_not_there_are_told_with_those_that_are(tmp_path: Path) -> None:
    points = open_points(one_file(tmp_path, designs(50)))
    with pytest.raises(SpecError, match=r"no column 'bach' \(did you mean batch\?\)"):
        conditions(points, [("bach", "1")])
    with pytest.raises(SpecError) as error:
        fronts(points, GOALS, conditions(points, [("batch", "2"), ("network", "alexnte")]))
    assert [fault.message for fault in error.value.faults] == [
        "no design has batch=2 (there are: 1, 16)",
        "no design has network=alexnte (did you mean alexnet?)",
    ]


def test_the_reference_is_what_is_given_or_the_limit_or_beyond_the_worst(tmp_path: Path) -> None:
    frame = designs(200).assign(network="one")
    found = fronts(open_points(a_sweep(tmp_path, frame)), (*GOALS, Goal("batch", "minimise")), reference={})
    assert found.fronts[0].reference == (0.25, 0.0, pytest.approx(17.6))
    found = fronts(found.points, GOALS, reference={"robust_accuracy": 0.5})
    assert found.fronts[0].reference == (0.25, 0.5)
    staircase = sorted({(row["time_overhead"], row["robust_accuracy"]) for row, _ in distinct(found.fronts[0], GOALS)})
    area = 0.0
    for (start, height), (end, _) in zip(staircase, [*staircase[1:], (0.25, 0.0)], strict=True):
        area += max(0.0, min(end, 0.25) - start) * max(0.0, height - 0.5)
    assert found.fronts[0].volume == pytest.approx(area)
    assert area > 0


def test_of_many_designs_behind_the_front_one_stands_for_its_cell(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    frame = designs(20_000).assign(
        network="one", time_overhead=draw.random(20_000), robust_accuracy=draw.random(20_000)
    )
    (front,) = fronts(open_points(one_file(tmp_path, frame)), GOALS).fronts
    assert 0 < len(front.others) <= CELLS[0] * CELLS[1]
    assert front.others[COUNT].sum() + len(front.designs) == 20_000
    again = fronts(open_points(tmp_path / "points.parquet"), GOALS).fronts[0]
    assert again.others.equals(front.others)


def test_a_sweep_s_parts_and_stale_units_are_not_seen(tmp_path: Path) -> None:
    points = open_points(a_sweep(tmp_path, designs(90)))
    assert "part" not in points.kinds
    assert points.looked_at == 3000
    assert points.knobs == ("knob: bandwidth",)
    assert fronts(points, GOALS).written == 90


def test_of_a_unit_only_the_parts_that_belong_are_read(tmp_path: Path) -> None:
    folder, frame = a_sweep(tmp_path, designs(90)), designs(40, seed=1).assign(network="lenet5")
    parts = ["a0", "b0"]
    mixed = frame.assign(part=["a0", "b0"] * 20)
    tables = (
        pyarrow.Table.from_pandas(mixed, preserve_index=False),
        pyarrow.table({"part": parts, "designs": [500, 500]}),
    )
    put(folder, Shard(unit_name(parts), tuple(parts), *(encoded(table, parts) for table in tables)))
    write_index(folder, Index(SPACE, ("00", "10", "20", "a0"), True))
    points = open_points(folder)
    assert points.looked_at == 3500
    found = {front.subject["network"]: front for front in fronts(points, GOALS).fronts}
    assert set(found) == {"alexnet", "lenet5", "mnistconv"}
    own = frame[::2]
    assert found["lenet5"].compared + found["lenet5"].unknown == 20
    assert set(found["lenet5"].designs["configuration"]) == expected(own)


@pytest.mark.parametrize(
    ("changes", "goals", "within", "complete", "says"),
    [
        ({"keep": "all"}, GOALS, None, True, None),
        ({"keep": "all"}, GOALS, None, False, "not finished"),
        ({"keep": "front"}, GOALS, "feasible", True, None),
        ({"keep": "front", "objectives": {"area": "minimise"}}, COSTS, "feasible", True, "kept only the fronts over"),
        ({"keep": "front", "objectives": {"area": "minimise"}}, GOALS, "feasible", True, None),  # all measured are kept
        ({"keep": "feasible"}, GOALS, "feasible", True, None),
        ({"keep": "feasible"}, GOALS, None, True, "only designs within the constraints"),
    ],
)
def test_it_is_told_where_designs_may_be_missing(
    tmp_path: Path,
    changes: dict[str, Any],
    goals: Sequence[Goal],
    within: str | None,
    complete: bool,
    says: str | None,
) -> None:
    points = open_points(a_sweep(tmp_path, designs(30), {**SPACE, **changes}, complete))
    missing = fronts(points, goals, within=within).incomplete
    assert (missing is None) if says is None else (missing is not None and says in missing)


def test_senses_come_from_the_columns_or_are_asked_for(tmp_path: Path) -> None:
    points = open_points(one_file(tmp_path, designs(10)))
    assert goal_of(points, "time_overhead") == Goal("time_overhead", "minimise")
    assert goal_of(points, "robust_accuracy") == Goal("robust_accuracy", "maximise")
    assert goal_of(points, "time_overhead:maximise") == Goal("time_overhead", "maximise")
    assert goal_of(points, "batch:maximise") == Goal("batch", "maximise")
    for text, says in (
        ("batch", "write batch:minimise or batch:maximise"),
        ("configuration", "holds text"),
        ("bandwidth:minimise", "holds text"),
        ("robust", "did you mean robust_accuracy"),
    ):
        with pytest.raises(SpecError, match=says):
            goal_of(points, text)


def test_what_is_no_sweep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no")
    for path, says in (
        (tmp_path, "not the folder of a sweep"),
        (tmp_path / "text.parquet", "cannot be read as Parquet"),
        (tmp_path / "none.parquet", "there is no such file"),
    ):
        with pytest.raises(SpecError, match=says):
            open_points(path)
    (tmp_path / "empty").mkdir()
    write_index(tmp_path / "empty", Index(SPACE, ("a0",)))
    with pytest.raises(SpecError, match="no designs yet"):
        open_points(tmp_path / "empty")
