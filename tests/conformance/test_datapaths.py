"""What every datapath style keeps to, checked on the examples that each gives of itself."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from pydantic import TypeAdapter

from hwsim.datapaths import STYLES, Datapath, DatapathStyle, Mode

BITS = np.arange(1, 40)

EXAMPLES = [
    pytest.param(style.model_validate(example), id=f"{name}-{i}")
    for name, style in STYLES.items()
    for i, example in enumerate(style.model_json_schema()["examples"])
]

pytestmark = pytest.mark.parametrize("datapath", EXAMPLES)


def modes(datapath: DatapathStyle) -> dict[tuple[int, int], Mode]:
    return {(int(w), int(a)): datapath.mode(int(w), int(a)) for w in BITS for a in BITS}


def test_arrays_equal_scalars(datapath: DatapathStyle) -> None:
    throughput, energy = datapath.throughput(BITS[:, None], BITS), datapath.energy(BITS[:, None], BITS)
    assert throughput.shape == energy.shape == (len(BITS), len(BITS))
    for (w, a), mode in modes(datapath).items():
        assert throughput[w - 1, a - 1] == mode.rate * mode.lanes
        assert energy[w - 1, a - 1] == mode.energy


def test_more_bits_never_run_faster(datapath: DatapathStyle) -> None:
    throughput = datapath.throughput(BITS[:, None], BITS)
    assert (np.diff(throughput, axis=0) <= 0).all()
    assert (np.diff(throughput, axis=1) <= 0).all()
    assert (throughput > 0).all()


def test_a_mode_holds_its_operands(datapath: DatapathStyle) -> None:
    for (w, a), mode in modes(datapath).items():
        assert mode.weight_bits >= w
        assert mode.activation_bits >= a
        assert mode.name == f"w{mode.weight_bits}a{mode.activation_bits}"


def test_a_mode_runs_in_itself(datapath: DatapathStyle) -> None:
    """Operands of exactly the widths that a mode runs at cost what that mode costs."""
    for mode in set(modes(datapath).values()):
        assert datapath.mode(mode.weight_bits, mode.activation_bits) == mode


def test_one_name_is_one_mode(datapath: DatapathStyle) -> None:
    every = set(modes(datapath).values())
    assert len({mode.name for mode in every}) == len(every)


def test_lanes_say_what_they_unroll(datapath: DatapathStyle) -> None:
    for mode in modes(datapath).values():
        assert mode.lanes >= 1
        assert bool(mode.lane_dims) == (mode.lanes > 1)
        assert set(mode.lane_dims) <= set("NGKCPQRS")


def test_energy_is_given_for_every_mode_or_none(datapath: DatapathStyle) -> None:
    energy = datapath.energy(BITS[:, None], BITS)
    assert (energy > 0).all() or (energy == 0).all()


def test_more_bits_never_take_less_energy(datapath: DatapathStyle) -> None:
    energy = datapath.energy(BITS[:, None], BITS)
    assert (np.diff(energy, axis=0) >= 0).all()
    assert (np.diff(energy, axis=1) >= 0).all()


def test_wider_than_every_mode_costs_the_passes(datapath: DatapathStyle) -> None:
    """64 bits are a multiple of every example's width: twice the width of both operands is four times the work."""
    assert datapath.throughput(64, 64) * 4 == datapath.throughput(32, 32)
    assert datapath.energy(64, 64) == pytest.approx(4 * datapath.energy(32, 32))


def test_survives_its_own_json(datapath: DatapathStyle) -> None:
    copy = TypeAdapter(Datapath).validate_json(datapath.model_dump_json())
    assert copy == datapath
    assert pickle.loads(pickle.dumps(datapath)) == datapath
    assert copy.fingerprint() == datapath.fingerprint()
