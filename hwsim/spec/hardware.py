"""Hardware as an architect writes it: a chain of memory levels, outermost first, above a reconfigurable datapath."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hwsim.datapaths import Datapath
from hwsim.operators.nest import DIMENSIONS, Operand
from hwsim.units import Area, Bandwidth, Bytes, Cycles, EnergyPerBit, Frequency, Power, Energy, Time
from hwsim.value import Value

Dimension = Literal["N", "G", "K", "C", "P", "Q", "R", "S"]


class AccessEnergy(Value):
    """Energy of moving one bit into or out of a memory [J/bit]."""

    read: EnergyPerBit = 0.0
    write: EnergyPerBit = 0.0


class Memory(Value):
    """One physical memory. Per instance of its level: a level below a fan-out of 64 has 64 of each of its memories."""

    name: str
    keeps: tuple[Operand, ...]
    size: Bytes | None = None                  # None: unbounded
    read_bandwidth: Bandwidth | None = None    # None: never the bottleneck
    write_bandwidth: Bandwidth | None = None
    bandwidth: Bandwidth | None = None         # one port for reads and writes together
    energy: AccessEnergy = AccessEnergy()
    leakage: Power = 0.0
    area: Area | None = None
    buffering: Literal["single", "double", "streaming"] = "double"


class Axis(Value):
    """One direction of a fan-out: `size` instances, over which the named dimensions may be unrolled."""

    name: str
    size: Annotated[int, Field(ge=1)]
    dims: tuple[Dimension, ...] = DIMENSIONS  # type: ignore[assignment]
    multicast: bool = True
    reduction: bool = True


class Level(Value):
    """A step of the hierarchy: memories side by side, and the fan-out below them."""

    name: str
    memories: tuple[Memory, ...] = ()
    fanout: tuple[Axis, ...] = ()
    loops: tuple[Dimension, ...] = DIMENSIONS  # type: ignore[assignment]
    stationary: tuple[Operand, ...] = tuple(Operand)
    tile: dict[Dimension, int | Literal["full"]] = {}


class VectorUnit(Value):
    """Where pooling, normalisation, softmax and the combiner run; chip-wide."""

    operations_per_cycle: float
    energy: Energy = 0.0


class Hardware(Value):
    """One chip. See hw_configs/ for complete examples."""

    name: str
    clock: Frequency
    levels: tuple[Level, ...]
    datapath: Datapath
    vector: VectorUnit
    launch: Time = 0.0
    leakage: Power = 0.0
    fill_and_drain: bool = True
    systolic: bool = False
