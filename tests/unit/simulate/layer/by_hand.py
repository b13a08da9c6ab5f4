"""Chips and layers small enough to be played by hand: a word is a byte, a port of 1 B/cycle moves a word a cycle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import hwsim
from hwsim.cost.layer import LayerCost
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level, Memory
from hwsim.units import Bandwidth
from tests.strategies import chip, one_mac

W, I, O = Operand.WEIGHTS, Operand.INPUTS, Operand.OUTPUTS  # noqa: E741

#: When something begins and ends [cycles].
Span = tuple[float, float]


def memory(name: str, keeps: tuple[Operand, ...], **fields: Any) -> Memory:
    """Ports in words a cycle; without a limit where they are not given."""
    ports = {port: Bandwidth(rate, "cycle") for port, rate in fields.items() if port.endswith("bandwidth")}
    return Memory(name=name, keeps=keeps, **fields | ports)


def level(name: str, *memories: Memory, fanout: Iterable[Axis] = ()) -> Level:
    return Level(name=name, memories=memories, fanout=tuple(fanout))


def dram(keeps: tuple[Operand, ...], **fields: Any) -> Level:
    """The outermost level: a memory of some operands called DRAM, and another without limits for the others."""
    rest = tuple(operand for operand in Operand if operand not in keeps)
    return level("DRAM", memory("DRAM", keeps, **fields), *([memory("rest", rest)] if rest else []))


def step(name: str, temporal: str = "", spatial: str = "") -> LevelMapping:
    """Loops written as in `step("GLB", "C4 P2", "X=K2")`."""
    loops = tuple(Loop(text[0], int(text[1:])) for text in temporal.split())
    unrolled = (text.split("=") for text in spatial.split())
    return LevelMapping(name, loops, tuple(SpatialLoop(loop[0], int(loop[1:]), axis) for axis, loop in unrolled))


def layer(hardware: Hardware, nest: LoopNest, *mapping: LevelMapping, resident: tuple[Operand, ...] = ()) -> LayerCost:
    hardware = hardware.model_copy(update={"datapath": one_mac(8)})
    return hwsim.price(nest, hardware, Mapping(mapping), 8, 8, resident=resident)


def spans(*moments: float) -> list[Span]:
    """Beginnings and ends in turn."""
    return list(zip(moments[::2], moments[1::2], strict=True))


def weights(buffering: str, size: float | None, rate: float = 1.0, **fields: Any) -> Hardware:
    """Weights from a DRAM to registers; inputs and results pass by without limits."""
    registers = memory("RF", (W,), buffering=buffering, size=size, **fields)
    return chip(dram((W,), read_bandwidth=rate), level("RF", registers))


#: Eight weights in two tiles of four, each used once: a tile computes for 4 cycles.
TWO_TILES = LoopNest(K=8), step("DRAM", "K2"), step("RF", "K4")
