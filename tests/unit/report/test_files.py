"""Result files: whole, readable, and refused in time."""

from __future__ import annotations

import json
from pathlib import Path

import pandas
import pytest

import hwsim
from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.ensemble.network_cost import map_network
from hwsim.errors import SpecError
from hwsim.report.files import check_target, write_result, write_whole
from hwsim.report.records import ensemble_record
from tests.unit.ensemble.examples import FULL, small_chip, small_ensemble, small_network


@pytest.fixture(scope="module")
def cost() -> EnsembleCost:
    return map_ensemble(small_ensemble((8, 8), (2, 4)), small_chip(), small_network())


def test_json_is_the_record(cost: EnsembleCost, tmp_path: Path) -> None:
    write_result(tmp_path / "out.json", ensemble_record(cost))
    assert json.loads((tmp_path / "out.json").read_text())["ensemble"]["cycles"] == cost.cycles


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_tables_have_a_row_for_every_layer(cost: EnsembleCost, tmp_path: Path, name: str) -> None:
    write_result(tmp_path / name, ensemble_record(cost))
    read = pandas.read_csv if name.endswith("csv") else pandas.read_parquet
    table = read(tmp_path / name)
    assert len(table) == 3 * 5 + 1
    assert table[table.member == "w2a4-1"].cycles.sum() == cost.members[1].cycles
    assert list(table[table.member == "baseline"].layer) == ["conv", "pool", "flat", "fc", "softmax"]
    assert table.macs.dtype == "int64"


def test_costs_turn_into_data_frames(cost: EnsembleCost) -> None:
    frame = hwsim.to_frame(cost)
    assert frame.energy_joules.sum() == pytest.approx(cost.baseline.energy_joules + cost.energy_joules)
    network = map_network(small_network(), small_chip(), FULL, FULL, full_precision_bits=FULL)
    assert hwsim.to_frame(network).dram_bytes.sum() == network.dram_bytes
    one = hwsim.to_frame(network.layers[0])
    assert (len(one), one.mapping[0]) == (1, network.layers[0].mapping.compact() if network.layers[0].mapping else "")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("out.txt", "the suffix must be .json, .csv or .parquet"),
        ("out", "the suffix must be"),
        ("missing/out.json", "there is no folder"),
        ("folder.json", "is a folder"),
    ],
)
def test_impossible_targets_are_refused(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(SpecError, match=why):
        check_target(tmp_path / name)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, OSError("disk full")])
def test_a_failed_write_keeps_the_old_file(tmp_path: Path, failure: type[BaseException] | OSError) -> None:
    def half(part: Path) -> None:
        part.write_text("half")
        raise failure

    target = tmp_path / "out.json"
    target.write_text("old")
    with pytest.raises((KeyboardInterrupt, ValueError, SpecError)):
        write_whole(target, half)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write_whole(tmp_path / "link.json", lambda part: part.write_text("new"))
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"
