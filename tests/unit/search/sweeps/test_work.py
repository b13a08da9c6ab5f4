"""Units of a sweep against ensembles mapped one by one, fronts against a comparison of all pairs."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import Any

import pandas
import pytest

from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.errors import HwsimError
from hwsim.mapper import map_layer
from hwsim.search.measured.robustness import Robust, Robustness
from hwsim.search.results import tables
from hwsim.search.results.dataset import Shard
from hwsim.search.sweeps import keep, work as parts
from hwsim.search.sweeps.work import Unit, compute, units, work
from hwsim.spec.ensemble import Ensemble, Member
from hwsim.spec.load import load_hardware
from hwsim.spec.space import Space
from tests.spaces import tiny

BANDWIDTHS = ("64 bit/cycle", "192 bit/cycle")

#: M and the low-precision members of all eleven ensembles.
ENSEMBLES = [
    (several, low)
    for several in (0, 1)
    for n in (0, 1, 2)
    for low in combinations_with_replacement([(2, 4), (4, 4)], n)
    if several + n
]


def frames(shards: Iterable[Shard]) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Points and counts."""
    several = list(shards)
    read = [[pandas.read_parquet(io.BytesIO(own)) for own in (one.points, one.counts)] for one in several]
    points, counts = (pandas.concat([pair[i] for pair in read], ignore_index=True) for i in (0, 1))
    return points, counts


def everything(space: Space, jobs: int = 1) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    whole = work(space)
    return frames(compute(unit) for unit in units(whole, {part.key for part in whole.parts}, jobs))


@lru_cache(None)
def mapped(bandwidth: str, several: int, low: tuple[tuple[int, int], ...], combiner: Any) -> EnsembleCost:
    members = (Member(weights=8, activations=8, count=several),) if several else ()
    members += tuple(Member(weights=w, activations=a, name=f"{i}") for i, (w, a) in enumerate(low))
    ensemble = Ensemble.model_validate(
        {
            "name": "one",
            "network": "lenet5",
            "members": members,
            "combiner": combiner,
            "weights": "streamed",
            "full_precision_bits": 8,
        }
    )
    chip = load_hardware("bitfusion", [f"levels.DRAM.memories.DRAM.bandwidth={bandwidth}"])
    return map_ensemble(ensemble, chip, mapper=map_layer)


@pytest.fixture(scope="module")
def all_of_it() -> tuple[pandas.DataFrame, pandas.DataFrame]:
    return everything(tiny())


def text(several: int, low: tuple[tuple[int, int], ...]) -> str:
    names = ["fp"] * several + [f"w{w}a{a}" for w, a in low]
    return " + ".join(f"{names.count(n)} {n}" if names.count(n) > 1 else n for n in dict.fromkeys(names))


def test_every_design_has_one_row_that_says_what_it_is_and_costs(
    all_of_it: tuple[pandas.DataFrame, pandas.DataFrame],
) -> None:
    points, _ = all_of_it
    rows = points.set_index(["knob: bandwidth", "combiner", "M", "configuration"])
    assert len(rows) == len(ENSEMBLES) * 4 == 44
    assert rows.index.is_unique
    for bandwidth, combiner, (several, low) in product(BANDWIDTHS, ("average", "random_switch"), ENSEMBLES):
        row, cost = (
            rows.loc[(bandwidth, combiner, several, text(several, low))],
            mapped(bandwidth, several, low, combiner),
        )
        assert row["time_overhead"] == pytest.approx(cost.overhead.time)
        assert row["storage_overhead"] == pytest.approx(cost.overhead.storage)
        assert row["seconds"] == pytest.approx(cost.seconds)
        assert (row["N"], row["members"]) == (len(low), several + len(low))
        assert row["ensemble"] == cost.ensemble.identity()
        assert row["chip"] == cost.hardware.fingerprint()
        assert row["feasible"] == (cost.overhead.time <= 0.4 and cost.overhead.storage <= 0.6)
    assert rows[["network", "quantize", "batch", "timing"]].drop_duplicates().to_numpy().tolist() == [
        ["lenet5", "all", 1, "closed_form"]
    ]


def test_counts_say_how_many_are_within_what(all_of_it: tuple[pandas.DataFrame, pandas.DataFrame]) -> None:
    _, counts = all_of_it
    rows = counts.set_index(["knob: bandwidth", "combiner", "M", "N"])
    assert len(rows) == 2 * 2 * 5
    for bandwidth, combiner, several, n in rows.index:
        low = [own for m, own in ENSEMBLES if (m, len(own)) == (several, n)]
        costs = [mapped(bandwidth, several, own, combiner) for own in low]
        row = rows.loc[(bandwidth, combiner, several, n)]
        times = [cost.overhead.time for cost in costs]
        assert row["designs"] == row["mapped"] == len(low)
        assert row["within time_overhead"] == sum(time <= 0.4 for time in times)
        assert row["within storage_overhead"] == sum(cost.overhead.storage <= 0.6 for cost in costs)
        assert (
            row["feasible"]
            == row["cost_feasible"]
            == sum(cost.overhead.time <= 0.4 and cost.overhead.storage <= 0.6 for cost in costs)
        )
        assert row["within_equation6"] == sum(
            cost.equation6.sums.time <= 1.4 and cost.equation6.sums.storage <= 1.6 for cost in costs
        )
        assert row["least time_overhead"] == pytest.approx(min(times))
        assert row["measured"] == 0
    assert rows["feasible"].sum() not in (0, len(rows))


def beaten(row: pandas.Series, others: pandas.DataFrame) -> bool:
    """Whether another design is nowhere worse and somewhere better."""
    signs = {"time_overhead": 1, "storage_overhead": 1, "low_precision": -1}
    gaps = pandas.DataFrame({name: sign * (others[name] - row[name]) for name, sign in signs.items()})
    return bool(((gaps <= 0).all(axis=1) & (gaps < 0).any(axis=1)).any())


@pytest.mark.parametrize("rows", [2, 1 << 17])
def test_the_front_is_that_of_comparing_all_pairs_whatever_the_blocks(
    all_of_it: tuple[pandas.DataFrame, pandas.DataFrame], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK", rows)
    monkeypatch.setattr(keep, "PATIENCE", rows)
    monkeypatch.setattr(tables, "ROWS", rows)
    points, counts = everything(tiny(keep="front"))
    expected = set()
    for _, own in all_of_it[0].groupby(["chip", "combiner"], observed=True):
        inside = own[own["feasible"]]
        expected |= {(r["chip"], r["combiner"], r["ensemble"]) for _, r in inside.iterrows() if not beaten(r, inside)}
    found = list(points[["chip", "combiner", "ensemble"]].itertuples(index=False, name=None))
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert len(expected) < all_of_it[0]["feasible"].sum()
    assert counts["designs"].sum() == 44


def test_keeping_what_is_feasible(all_of_it: tuple[pandas.DataFrame, pandas.DataFrame]) -> None:
    points, _ = everything(tiny(keep="feasible"))
    everyone = all_of_it[0]
    wanted = everyone[everyone["feasible"]].reset_index(drop=True)
    assert points["ensemble"].tolist() == wanted["ensemble"].tolist()
    assert points["feasible"].all()


def test_what_was_measured_is_kept_although_others_beat_it() -> None:
    space = tiny(keep="front", ensembles__combiner=["average"])
    whole = work(space)
    copies = ((4, 4), (4, 4), (8, 8))  # over the budget of storage
    known = Robustness("verify", {(copies, "average"): Robust(0.9, 0.5, 0.4, 0.6, 100, 0.01)}, 0.91, "data", 0.3)
    (unit,) = units(replace(whole, known=dict.fromkeys(whole.known, known)), {p.key for p in whole.parts}, 1)[:1]
    points, counts = frames([compute(unit)])
    measured = points[points["robust_accuracy"].notna()]
    assert measured["configuration"].tolist() == ["fp + 2 w4a4"]
    assert not measured["feasible"].any()
    assert measured[
        ["clean_accuracy", "clean_loss", "robust_accuracy", "robust_low", "robust_high"]
    ].to_numpy().tolist() == [[0.9, 0.01, 0.5, 0.4, 0.6]]
    assert len(points) > 1
    assert counts["measured"].sum() == 1


def keys(space: Space) -> set[str]:
    return {part.key for part in work(space).parts}


def test_an_edited_space_shares_the_parts_that_did_not_change() -> None:
    before = keys(tiny())
    assert len(before) == 4
    assert keys(tiny(name="other", engine={"kind": "exhaustive"})) == before
    knob = tiny().chips.knobs[0].model_dump(exclude_none=True)
    more = tiny(chips={"base": "bitfusion", "knobs": [{**knob, "values": [*knob["values"], "256 bit/cycle"]}]})
    assert keys(more) > before
    assert len(keys(more)) == 6
    assert keys(tiny(ensembles__combiner=["average", "max_vote", "random_switch"])) > before
    assert keys(tiny(ensembles__batch=[1, 2])) > before
    assert keys(tiny(subjects=[{"network": "mnistconv"}, {"network": "lenet5"}])) > before


@pytest.mark.parametrize(
    "change",
    [
        {"keep": "front"},
        {"constraints": {"time_overhead": 0.41, "storage_overhead": 0.6}},
        {"objectives": {"time_overhead": "minimise"}},
        {"objective": "energy"},
        {"timing": "simulated"},
        {"ensembles__weights": [2]},
        {"ensembles__low_precision": [0, 1, 2, 3]},
        {"ensembles__weights_stay": "auto"},
        {"ensembles__batch": 2},
        {"subjects": [{"network": "lenet5", "quantize": "convs"}]},
        {"chips__node": 45e-9},
        {"chips__base": "gemmini", "chips__knobs": []},
    ],
    ids=str,
)
def test_what_designs_depend_on_is_part_of_their_name(change: dict[str, Any]) -> None:
    assert not keys(tiny(**change)) & keys(tiny())


def test_measurements_are_part_of_the_name_of_what_they_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(**points: Robust) -> set[str]:
        own = {(((4, 4), (4, 4)), combiner): point for combiner, point in points.items()}
        found = Robustness("verify", own, 0.9, "data", 0.3)  # type: ignore[arg-type]
        monkeypatch.setattr(parts, "robustness", lambda *_: found)
        return keys(tiny())

    one, other = Robust(0.9, 0.5, 0.4, 0.6, 100), Robust(0.9, 0.51, 0.4, 0.6, 100)
    first = known(average=one)
    assert known(average=one) == first
    assert len(known(average=other) & first) == 2  # random_switch was not measured, and stays
    assert len(known(average=one, max_vote=other) & first) == 4  # of a combiner that the space does not have


def test_units_hold_every_missing_part_once_and_chips_that_are_mapped_alike_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    knobs = [
        {"name": "clock of no mapping", "path": "launch", "values": [f"{i} us" for i in range(9)]},
        {"name": "size", "path": "levels.buffers.memories.WBUF.size", "values": ["32 KiB", "64 KiB"]},
    ]
    whole = work(tiny(chips={"base": "bitfusion", "knobs": knobs}, ensembles__batch=[1, 2]))
    assert len(whole.parts) == 18 * 2 * 2
    for jobs, least in ((1, 36), (9, 36), (100, 36)):
        found = units(whole, {part.key for part in whole.parts}, jobs)
        assert sorted(part.key for unit in found for part in unit.parts) == sorted(part.key for part in whole.parts)
        assert len(found) >= least
        for unit in found:
            assert len({part.scenario.batch for part in unit.parts}) == 1
    by_batch: dict[int, list[str]] = {1: [], 2: []}
    monkeypatch.setattr(parts, "UNITS", 8)
    assert len(units(whole, {part.key for part in whole.parts}, 1)) == 10  # of four chips, and the rest of each batch
    assert len(units(whole, {part.key for part in whole.parts}, 9)) == 18
    for unit in units(whole, {part.key for part in whole.parts}, 2):
        by_batch[unit.parts[0].scenario.batch] += [part.chip.knobs["size"] for part in unit.parts]
    assert by_batch == dict.fromkeys((1, 2), ["32 KiB"] * 18 + ["64 KiB"] * 18)
    some = {part.key for part in whole.parts[::7]}
    assert {part.key for unit in units(whole, some, 2) for part in unit.parts} == some
    whole_units = [{part.key for part in unit.parts} for unit in units(whole, {p.key for p in whole.parts}, 1)]
    assert all(any({p.key for p in u.parts} <= own for own in whole_units) for u in units(whole, some, 1))
    assert units(whole, set(), 2) == []


def test_no_unit_has_more_than_32_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "UNITS", 1)
    knob = {"name": "launch", "path": "launch", "values": [f"{i} us" for i in range(300)]}
    whole = work(tiny(chips={"base": "bitfusion", "knobs": [knob]}))
    found = units(whole, {part.key for part in whole.parts}, 1)
    assert [len({id(part.chip) for part in unit.parts}) for unit in found] == [32] * 9 + [12]


def test_designs_that_do_not_fit_together_are_shared_out(
    all_of_it: tuple[pandas.DataFrame, pandas.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_ROWS", 4)
    monkeypatch.setattr(parts, "BLOCK", 2)
    whole = work(tiny())
    assert len(whole.parts) == 4 * 3
    found = units(whole, {part.key for part in whole.parts}, 1)
    assert len(found) == 12
    points, counts = frames(compute(unit) for unit in found)
    names = ["chip", "combiner", "ensemble", "time_overhead"]
    rows, expected = (set(own[names].itertuples(index=False, name=None)) for own in (points, all_of_it[0]))
    assert rows == expected
    assert len(points) == 44
    sums = counts.groupby(["M", "N", "combiner"], observed=True)["designs"].sum()
    assert sums.to_dict() == all_of_it[1].groupby(["M", "N", "combiner"], observed=True)["designs"].sum().to_dict()


def test_a_chip_that_cannot_run_the_network_is_counted_with_its_reason() -> None:
    knob = {"name": "buffer", "path": "levels.buffers.memories.WBUF.size", "values": ["1 B", "64 KiB"]}
    points, counts = everything(tiny(chips={"base": "bitfusion", "knobs": [knob]}))
    bad = counts[counts["knob: buffer"] == "1 B"]
    assert bad["designs"].sum() == 22
    assert (bad["mapped"] == 0).all()
    assert bad["infeasible"].str.contains("WBUF|buffers").all()
    assert counts[counts["knob: buffer"] == "64 KiB"]["infeasible"].isna().all()
    assert set(points["knob: buffer"]) == {"64 KiB"}
    assert len(points) == 22


def test_another_version_on_a_worker_is_refused() -> None:
    whole = work(tiny())
    (unit,) = units(whole, {whole.parts[0].key}, 1)
    with pytest.raises(HwsimError, match=r"hwsim is .* on a worker and 0\.0\.0 where"):
        compute(replace(unit, version="0.0.0"))


def test_a_unit_names_itself_for_people() -> None:
    whole = work(tiny())
    assert (
        str(Unit(whole.space, whole.parts, next(iter(whole.networks.values())), None))
        == "lenet5, batch 1, bandwidth 64 bit/cycle and 1 more"
    )
