"""Hardware as an architect writes it: a chain of memory levels, outermost first, above a reconfigurable datapath."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from hwsim.datapaths import Datapath
from hwsim.operators.nest import Operand
from hwsim.spec.consistency import Consistent, Finding, hardware_inconsistencies
from hwsim.units import Area, Bandwidth, Bytes, Energy, EnergyPerBit, Frequency, Power, Time
from hwsim.value import Value

Dimension = Literal["N", "G", "K", "C", "P", "Q", "R", "S"]
_EVERY: tuple[Dimension, ...] = get_args(Dimension)

Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class AccessEnergy(Value):
    """Energy of moving one bit into or out of a memory [J/bit]."""

    read: EnergyPerBit = 0.0
    write: EnergyPerBit = 0.0


class Memory(Value):
    """One physical memory. Per instance of its level: a level below a fan-out of 64 has 64 of each of its memories."""

    name: Name
    keeps: Annotated[tuple[Operand, ...], Field(min_length=1)]
    """Operands that live here on their way to the datapath; the others pass by."""
    optional: tuple[Operand, ...] = ()
    """Operands among `keeps` that a mapping may let pass by all the same."""
    size: Annotated[Bytes | None, Field(gt=0)] = None
    """Capacity [B]; unbounded when left out."""
    read_bandwidth: Bandwidth | None = None
    """What leaves it towards the datapath and, for outputs, towards the level above; never the bottleneck when left
    out."""
    write_bandwidth: Bandwidth | None = None
    """What enters it; never the bottleneck when left out."""
    bandwidth: Bandwidth | None = None
    """One port that reads and writes share, instead of the two above."""
    energy: AccessEnergy = AccessEnergy()
    """Per bit read and written [J/bit]."""
    leakage: Power = 0.0
    """Of one instance [W]."""
    area: Area | None = None
    """Of one instance [m2]; unknown when left out."""
    buffering: Literal["single", "double", "streaming"] = "double"
    """single: a tile may fill the memory and transfers add to the time; double: a tile may fill half and transfers
    overlap; streaming: a tile may fill it all and transfers overlap, space being freed word by word."""

    @property
    def usable_bytes(self) -> float:
        """What the tiles of one step may fill together [B]; infinite when unbounded."""
        if self.size is None:
            return float("inf")
        return self.size / 2 if self.buffering == "double" else self.size


class Axis(Value):
    """One direction of a fan-out."""

    name: Name
    size: Count
    """Instances along this axis."""
    dims: tuple[Dimension, ...] = _EVERY
    """Dimensions that may be unrolled over it."""
    multicast: bool = True
    """Whether one read serves every instance that needs the same word."""
    reduction: bool = True
    """Whether partial sums of neighbours are added on their way up."""


class Level(Value):
    """A step of the hierarchy: memories side by side, and the fan-out below them."""

    name: Name
    memories: tuple[Memory, ...] = ()
    fanout: tuple[Axis, ...] = ()
    """How many of the next level (or of the datapath) sit below one instance of this one, axis by axis."""
    loops: tuple[Dimension, ...] = _EVERY
    """Dimensions that may have a temporal loop here."""
    stationary: tuple[Operand, ...] = tuple(Operand)
    """Operands that the loop order here may hold still; all of them leaves the order free."""
    tile: dict[Dimension, Count | Literal["full"]] = Field(default_factory=dict)
    """Sizes that the dataflow fixes: how much of a dimension one tile at this level holds, `full` for all of it."""

    @property
    def keeps(self) -> frozenset[Operand]:
        """Operands that one of the memories keeps."""
        return frozenset(operand for memory in self.memories for operand in memory.keeps)

    @property
    def optional(self) -> frozenset[Operand]:
        """Kept operands that a mapping may let pass by."""
        return frozenset(operand for memory in self.memories for operand in memory.optional)

    @property
    def instances_below(self) -> int:
        """Size of the whole fan-out."""
        return prod(axis.size for axis in self.fanout)

    def memory(self, operand: Operand) -> Memory | None:
        """The memory that keeps an operand, if one does."""
        return next((memory for memory in self.memories if operand in memory.keeps), None)


class VectorUnit(Value):
    """Where pooling, normalisation, softmax and the combiner run; chip-wide."""

    operations_per_cycle: Annotated[float, Field(gt=0)]
    """Of the whole chip; `.inf` where this work is taken to be free."""
    energy: Energy = 0.0
    """Of one operation [J]."""


class Hardware(Consistent):
    """One chip."""

    name: Name
    description: str = ""
    """What it is and where the figures come from, in a sentence."""
    technology: str = ""
    """Process and supply that the energies and areas hold for."""
    clock: Annotated[Frequency, Field(gt=0)]
    """Of the datapath and of everything given per cycle [Hz]."""
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    """Outermost first; the last one feeds the datapath."""
    datapath: Datapath
    """How one multiply at given bits is done."""
    vector: VectorUnit
    launch: Time = 0.0
    """Fixed cost of starting a layer [s]."""
    leakage: Power = 0.0
    """Of everything outside the memories [W]."""
    fill_and_drain: bool = True
    """Whether filling the first tiles and draining the last ones costs time of its own."""
    systolic: bool = False
    """Whether operands and results enter and leave the array skewed. Every fold (each new stationary tile) then costs
    sum(axis size - 1) extra cycles, and loading a stationary tile of weights or inputs one pass down the rows."""

    @classmethod
    def inconsistencies(cls, data: Any) -> Iterator[Finding]:
        yield from hardware_inconsistencies(data)

    def instances(self, level: int) -> int:
        """How many of a level the chip has; `len(levels)` counts datapaths."""
        return prod(above.instances_below for above in self.levels[:level])

    @property
    def datapaths(self) -> int:
        """How many datapath instances the chip has."""
        return self.instances(len(self.levels))

    def level(self, name: str) -> Level:
        """The level of a name.

        Raises:
            KeyError: there is none.
        """
        for level in self.levels:
            if level.name == name:
                return level
        raise KeyError(name)
