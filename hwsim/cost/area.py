"""Area of a chip [m^2]: its memories and its datapaths, for whole arrays of sizes and widths.

What wires, controllers and pads take is left out, so a chip's own figure is always larger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.spec.hardware import Hardware

Floats = NDArray[np.float64]

#: Feature size [nm] and area of 1 MiB of SRAM [mm^2]: CACTI, 64-bit port (hwcomponents-cacti 1.0.40).
_NODES = (7.0, 16.0, 28.0, 45.0, 65.0)
_MEBIBYTE = (0.2477, 0.5662, 1.302, 3.263, 6.809)

#: An 8-bit multiply and a 32-bit add at 45 nm [um^2] (Horowitz, ISSCC 2014); multipliers grow with both widths.
_MULTIPLY_8, _ADD_32 = 282.0, 137.0


def sram_density(node: ArrayLike) -> Floats:
    """Area of one byte of SRAM [m^2/B], log-log between the nodes of `_NODES` and by the square of the node beyond.

    Args:
        node: feature size [m].
    """
    size = np.asarray(node, dtype=np.float64) * 1e9
    inside = np.clip(size, _NODES[0], _NODES[-1])
    mebibyte = np.exp(np.interp(np.log(inside), np.log(_NODES), np.log(_MEBIBYTE))) * (size / inside) ** 2
    return np.asarray(mebibyte * 1e-6 / 2**20)


def sram_area(size: ArrayLike, node: ArrayLike) -> Floats:
    """Area of an SRAM [m^2]; linear in its size, which CACTI's areas from 1 KiB to 4 MiB keep to within a third.

    Args:
        size: capacity [B].
        node: feature size [m].
    """
    return np.asarray(size) * sram_density(node)


def mac_area(
    weight_bits: ArrayLike, activation_bits: ArrayLike, accumulator_bits: ArrayLike, node: ArrayLike
) -> Floats:
    """Area of a fixed-width multiply-accumulate unit [m^2], without pipeline registers.

    The multiplier grows with the product of its widths (282 um^2 at 8 x 8 bits, 45 nm), the adder with the
    accumulator's (137 um^2 at 32 bits); logic is taken to shrink as SRAM does.

    Args:
        weight_bits, activation_bits, accumulator_bits: widths [bits].
        node: feature size [m].
    """
    multiplier = _MULTIPLY_8 * np.asarray(weight_bits, dtype=np.float64) * np.asarray(activation_bits) / 64
    adder = _ADD_32 * np.asarray(accumulator_bits) / 32
    return np.asarray((multiplier + adder) * 1e-12 * sram_density(node) / sram_density(45e-9))


@dataclass(frozen=True)
class ChipArea:
    """Area of all instances of every part [m^2]; off-chip memory takes none."""

    memories: dict[str, float]
    datapath: float

    @property
    def total(self) -> float:
        """Sum of the parts [m^2]."""
        return self.datapath + sum(self.memories.values())


def chip_area(hardware: Hardware, node: float) -> ChipArea:
    """Area of a chip [m^2]; what the file gives stands, the rest is modelled. The outermost level is off chip.

    Args:
        node: feature size [m].
    """
    memories = {
        memory.name: hardware.instances(index)
        * (float(sram_area(memory.size or 0, node)) if memory.area is None else memory.area)
        for index, level in enumerate(hardware.levels)
        if index > 0
        for memory in level.memories
    }

    def unit(weight_bits: int, activation_bits: int) -> float:
        return float(mac_area(weight_bits, activation_bits, hardware.datapath.accumulator, node))

    return ChipArea(memories, hardware.datapaths * hardware.datapath.unit_area(unit))
