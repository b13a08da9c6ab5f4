"""Weights that stay on the chip between inferences."""

from __future__ import annotations

import pytest

from hwsim.ensemble.ensemble_cost import map_ensemble
from hwsim.ensemble.network_cost import NetworkCost, map_network
from hwsim.ensemble.residency import fits
from hwsim.ensemble.stay import Stay, seen
from hwsim.errors import Infeasible
from hwsim.spec.hardware import Hardware
from tests.unit.ensemble.examples import FULL, small_chip, small_ensemble, small_network

#: Stored at 8 bits: 72 + 80 weights and 5 biases [B].
ALL = 157

#: 100 B of something else in the buffer.
BESIDE = Stay(beside=(((1, "buffer"), 800.0),))


def mapped(chip: Hardware, weights: str = "auto") -> NetworkCost:
    return map_network(small_network(), chip, FULL, FULL, full_precision_bits=FULL, weights=weights)  # type: ignore[arg-type]


def test_they_may_take_half_of_what_tiles_could_use() -> None:
    assert fits(small_chip(buffer=2 * ALL), 8 * ALL)
    assert not fits(small_chip(buffer=2 * ALL - 1), 8 * ALL)
    assert fits(small_chip(), 8 * ALL)


def test_a_double_buffer_halves_what_is_usable() -> None:
    dram, buffer = small_chip(buffer=4 * ALL).levels
    double = buffer.model_copy(update={"memories": (buffer.memories[0].model_copy(update={"buffering": "double"}),)})
    chip = small_chip(levels=(dram, double))
    assert fits(chip, 8 * ALL)
    assert not fits(chip, 8 * ALL + 1)
    memory = seen(chip, BESIDE).levels[1].memories[0]
    assert memory.usable_bytes == 2 * ALL - 100


def test_a_layer_sees_the_chip_less_the_weights_of_the_others() -> None:
    assert seen(small_chip(buffer=400), BESIDE).levels[1].memories[0].size == 300


def test_resident_weights_are_not_read_again() -> None:
    stay, stream = mapped(small_chip(buffer=400)), mapped(small_chip(buffer=400), "streamed")
    assert (stay.resident, stream.resident) == (True, False)
    assert stream.dram_bytes - stay.dram_bytes == ALL
    assert stay.storage == stream.storage


def test_weights_that_do_not_fit_are_streamed_or_refused() -> None:
    small = small_chip(buffer=300)
    assert not mapped(small).resident
    with pytest.raises(Infeasible, match="buffer: weights: resident: the weights take 157 B, and buffer has 150 B"):
        mapped(small, "resident")


def test_a_chip_without_a_home_for_weights_says_so() -> None:
    chip = small_chip()
    with pytest.raises(Infeasible, match="no on-chip level"):
        mapped(chip.model_copy(update={"levels": chip.levels[:1]}), "resident")


def test_an_ensemble_keeps_all_members_or_none() -> None:
    """One network needs 314 B of buffer, two need 628 B."""
    two = small_ensemble((8, 8), (8, 8), weights="auto")
    small = map_ensemble(two, small_chip(buffer=400), small_network())
    assert small.baseline.resident
    assert not any(member.resident for member in small.members)
    large = map_ensemble(two, small_chip(buffer=700), small_network())
    assert all(member.resident for member in large.members)
    narrow = map_ensemble(small_ensemble((8, 8), (2, 2), weights="auto"), small_chip(buffer=450), small_network())
    assert all(member.resident for member in narrow.members)


def test_narrow_members_may_have_to_stay_where_the_baseline_cannot() -> None:
    """Two members at 2 bits store 2 * (38 + 5) B, the baseline 157 B; 100 B are free for weights."""
    cost = map_ensemble(small_ensemble((2, 2), (2, 2), weights="resident"), small_chip(buffer=200), small_network())
    assert not cost.baseline.resident
    assert all(member.resident for member in cost.members)
