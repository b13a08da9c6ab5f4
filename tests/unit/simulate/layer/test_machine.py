"""The chip as things that can be busy or full."""

from __future__ import annotations

from typing import Any

import pytest

from hwsim.cost.problem import problem
from hwsim.operators.nest import LoopNest
from hwsim.simulate.layer.machine import Machine, Port, Space
from hwsim.spec.hardware import Hardware
from tests.strategies import chip, one_mac, packing
from tests.unit.simulate.layer.by_hand import I, O, W, dram, level, memory


def machine(hardware: Hardware, **options: Any) -> Machine:
    return Machine(problem(LoopNest(K=4, C=4), hardware, 4, 4), **options)


HARDWARE = chip(
    dram((W,), bandwidth=2.0),
    level("GLB", memory("GLB", (I, O), read_bandwidth=1.0, write_bandwidth=3.0, size=10, buffering="single")),
    level("RF", memory("RF W", (W,), read_bandwidth=4.0, size=2.5, buffering="streaming"), memory("RF O", (O,))),
)


def test_first_come_first_served() -> None:
    port = Port("DRAM", per_bit=1)
    assert port.reserve(earliest=3, ticks=4) == 3
    assert port.reserve(earliest=0, ticks=2) == 7  # not in the gap before: that has passed when it is asked for
    assert port.reserve(earliest=20, ticks=1) == 20
    assert (port.busy, port.free) == (7, 21)


def test_room() -> None:
    space = Space("GLB", 10, streaming=False)
    space.take(6)
    assert space.fits(4)
    assert not space.fits(5)
    space.take(4)
    space.leave(6)
    space.take(1)
    assert (space.held, space.peak) == (5, 10)
    endless = Space("DRAM", None, streaming=False)
    endless.take(10**12)
    assert endless.fits(10**12)


def test_ports_of_a_chip() -> None:
    """One where reads and writes share it, two where they do not, none where it has no limit; times in ticks of a bit.

    2 B/cycle are 16 bits, 1 and 3 B/cycle 8 and 24, 4 B/cycle 32: a tick is a 96th of a cycle.
    """
    played = machine(HARDWARE)
    assert played.ticks.per_cycle == 96
    assert {(port.name, port.per_bit, port.alone) for port in played.ports} == {
        ("DRAM", 6, False),
        ("GLB read", 12, True),
        ("GLB write", 4, True),
        ("RF W read", 3, False),
    }
    assert len(played.ports) == 4
    assert played.reads[0, "DRAM"] is played.writes[0, "DRAM"]
    assert played.reads[1, "GLB"] is not played.writes[1, "GLB"]
    assert (2, "RF W") not in played.writes
    assert (0, "rest") not in played.reads
    assert (2, "RF O") not in played.reads
    assert played.step == 96


def test_rooms_of_a_chip() -> None:
    """Of every memory inside the outermost, in bits, whatever its buffering halves for one tile."""
    spaces = machine(HARDWARE).spaces
    assert {place: (space.capacity, space.streaming) for place, space in spaces.items()} == {
        (1, "GLB"): (80, False),
        (2, "RF W"): (20, True),
        (2, "RF O"): (None, False),
    }
    assert not any(space.held for space in spaces.values())


def test_without_limits() -> None:
    played = machine(HARDWARE, bounded=False)
    assert played.ports == ()
    assert all(space.capacity is None for space in played.spaces.values())


def test_a_single_buffer_outermost_is_no_buffer() -> None:
    (port,) = machine(chip(dram((W,), bandwidth=1.0, buffering="single"))).ports
    assert not port.alone


@pytest.mark.parametrize(
    ("datapath", "cycles"),
    [
        (one_mac(), 1),
        (packing(), 1),
        # Four results share the extra sum of activations of each pixel.
        (packing().model_copy(update={"offset_correction": True}), 1.25),
    ],
)
def test_a_step_of_the_array(datapath: Any, cycles: float) -> None:
    played = machine(HARDWARE.model_copy(update={"datapath": datapath}))
    assert played.ticks.cycles(played.step) == cycles
