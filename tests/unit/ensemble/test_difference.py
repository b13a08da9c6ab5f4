"""The causes of a difference add up to it, and each is what its name says."""

from __future__ import annotations

import pytest

from hwsim.datapaths import STYLES
from hwsim.ensemble import difference as causes
from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.spec.hardware import Axis, Hardware
from hwsim.spec.load import load_hardware
from tests.unit.ensemble.examples import small_chip, small_ensemble, small_network

MEMBERS = [(8, 8), (2, 4), (2, 2)]


def mapped(chip: Hardware, rule: str = "convs") -> EnsembleCost:
    return map_ensemble(small_ensemble(*MEMBERS, quantize=rule), chip, small_network())


def wide(instances: int, **fields: object) -> Hardware:
    """Below the buffer a row of multipliers, over which only output channels may be unrolled."""
    chip = small_chip(**fields)  # type: ignore[arg-type]
    row = chip.levels[1].model_copy(update={"fanout": (Axis(name="row", size=instances, dims=("K",)),)})
    return chip.model_copy(update={"levels": (chip.levels[0], row)})


CHIPS = {
    "ideal": small_chip(),
    "launch": small_chip(launch=9.0),
    "bandwidth": small_chip(bandwidth=0.05),
    "vector": small_chip(operations_per_cycle=0.02),
    "switches": small_chip(reconfiguration=50.0),
    "array": wide(3),
    "fill": small_chip(bandwidth=1.0, fill_and_drain=True),
    "all": wide(3, bandwidth=0.1, launch=9.0, operations_per_cycle=0.1, reconfiguration=50.0, fill_and_drain=True),
}


@pytest.mark.parametrize("rule", ["all", "convs"])
@pytest.mark.parametrize("name", CHIPS)
def test_they_add_up(name: str, rule: str) -> None:
    cost = mapped(CHIPS[name], rule)
    time, storage = 1 + cost.overhead.time, 1 + cost.overhead.storage
    assert sum(cost.time_causes.values()) == pytest.approx(time - cost.equation6.sums.time, rel=1e-9, abs=1e-12)
    assert sum(cost.storage_causes.values()) == pytest.approx(
        storage - cost.equation6.sums.storage, rel=1e-9, abs=1e-12
    )


def test_they_add_up_on_a_chip_that_exists() -> None:
    cost = map_ensemble(small_ensemble((32, 32), (4, 4), full_precision_bits=32), load_hardware("eyeriss_v1"),
                        small_network())  # fmt: skip
    assert sum(cost.time_causes.values()) == pytest.approx(1 + cost.overhead.time - cost.equation6.sums.time, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "rule", "expected"),
    [
        ("ideal", "all", set()),
        ("ideal", "convs", {causes.UNQUANTIZED}),
        ("launch", "all", {causes.LAUNCH, causes.COMBINER}),
        ("bandwidth", "all", {causes.MEMORY, causes.VECTOR_UNIT, causes.COMBINER}),
        ("vector", "all", {causes.VECTOR_UNIT, causes.COMBINER}),
        ("switches", "all", {causes.SWITCHES}),
        ("array", "all", set()),
    ],
)
def test_only_what_costs_is_blamed(name: str, rule: str, expected: set[str]) -> None:
    blamed = mapped(CHIPS[name], rule).time_causes
    assert {cause for cause, amount in blamed.items() if abs(amount) > 1e-12} <= expected
    assert all(abs(blamed[cause]) > 1e-3 for cause in expected)


def test_launches_by_hand() -> None:
    """Four launches of 9 cycles a network do not shrink to a half and a quarter as 1232 multiplications do."""
    cost = mapped(CHIPS["launch"], "all")
    baseline = 1232 + 4 * 9
    assert cost.time_causes[causes.LAUNCH] == pytest.approx((3 - 1 - 1 / 2 - 1 / 4) * 4 * 9 / baseline)
    assert cost.time_causes[causes.COMBINER] == pytest.approx(9 / baseline)


def test_layers_in_full_precision_by_hand() -> None:
    """80 of 1232 multiplications and of 1256 bits at 8, beside 5 biases, stay at full price in two members."""
    cost = mapped(CHIPS["ideal"], "convs")
    assert cost.time_causes[causes.UNQUANTIZED] == pytest.approx(80 * (1 / 2 + 3 / 4) / 1232)
    assert cost.storage_causes[causes.UNQUANTIZED] == pytest.approx(80 * 2 * 3 / 4 / 157)
    assert cost.storage_causes[causes.VECTORS] == pytest.approx(5 * 2 * 3 / 4 / 157)


def test_switches_by_hand() -> None:
    """8, 4 and 2 bits in turn: three changes of 50 cycles."""
    assert mapped(CHIPS["switches"], "all").time_causes[causes.SWITCHES] == pytest.approx(3 * 50 / 1232)


def test_an_array_filled_alike_explains_nothing() -> None:
    """4 output channels on 3 columns take 2 passes at any width, 5 classes take 2: the equation holds for this part."""
    assert mapped(CHIPS["array"], "all").time_causes[causes.ARRAY] == pytest.approx(0, abs=1e-12)


def test_lanes_that_stay_empty_are_blamed_on_the_array() -> None:
    """2 bits pack four samples into one multiplier, but there is one: no faster than 8 bits instead of four times."""
    modes = [
        {"weights": 8, "activations": 8, "macs_per_cycle": 1},
        {"weights": 2, "activations": 2, "macs_per_cycle": 4, "lanes": 4},
    ]
    packed = STYLES["table"].model_validate({"style": "table", "modes": modes, "lane_dims": ["N"]})
    cost = map_ensemble(small_ensemble((2, 2)), small_chip(datapath=packed), small_network())
    assert cost.equation6.sums.time == 0.25
    assert cost.overhead.time == 0
    assert cost.time_causes[causes.ARRAY] == pytest.approx(0.75)
