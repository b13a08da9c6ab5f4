"""One layer on one chip at one precision, reduced to the numbers that the kernels need: words, bits, cycles, joules."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hwsim.datapaths import Mode
from hwsim.operators.nest import LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level, Memory

#: Weights wider than this are not DoReFa codes [bits].
WIDEST_DOREFA = 8

W, I, O = Operand.WEIGHTS, Operand.INPUTS, Operand.OUTPUTS  # noqa: E741


@dataclass(frozen=True)
class Precision:
    """Widths at which one layer is stored, moved and computed [bits]."""

    weight_bits: int
    activation_bits: int
    output_bits: int


@dataclass(frozen=True)
class Problem:
    """A loop nest, the chip, and the mode its datapath runs in.

    `levels` are the hardware's, with the datapath's lanes as a last axis of the innermost fan-out, so that packing
    narrow operands into one multiplier is a spatial loop like any other.
    """

    nest: LoopNest
    hardware: Hardware
    precision: Precision
    mode: Mode
    levels: tuple[Level, ...]
    resident_weights: bool = False

    def keepers(self, operand: Operand, bypass: tuple[tuple[Operand, ...], ...] = ()) -> tuple[int, ...]:
        """Indices of the levels that keep an operand, outermost first, leaving out what the mapping bypasses.

        Resident weights were loaded before the inference began, so the chain starts at the memory they live in.
        """
        chain = tuple(
            index
            for index, level in enumerate(self.levels)
            if operand in level.keeps and not (bypass and operand in bypass[index])
        )
        return chain[1:] if operand is W and self.resident_weights else chain

    @property
    def home(self) -> int:
        """The level that weights which stay on chip live in: the second that keeps them."""
        return [index for index, level in enumerate(self.levels) if W in level.keeps][1]

    @property
    def corrected(self) -> bool:
        """Whether the weights' offset costs one extra activation sum per output pixel (see `DatapathStyle`).

        A mode wider than the weights holds their odd integers 2i - n as they are.
        """
        bits = self.precision.weight_bits
        return self.hardware.datapath.offset_correction and bits <= WIDEST_DOREFA and self.mode.weight_bits <= bits

    def memory(self, level: int, operand: Operand) -> Memory:
        """The memory of a level that keeps an operand."""
        memory = self.levels[level].memory(operand)
        assert memory is not None, f"{self.levels[level].name} does not keep {operand}"
        return memory

    def stored_bits(self, operand: Operand) -> int:
        """Width of one word on chip; outputs wait as partial sums."""
        if operand is W:
            return self.precision.weight_bits
        if operand is I:
            return self.precision.activation_bits
        return max(int(self.hardware.datapath.accumulator), self.precision.output_bits)

    def instances(self, level: int) -> int:
        """Physical copies of a level; `len(levels)` counts datapath lanes."""
        return prod(above.instances_below for above in self.levels[:level])

    @property
    def peak(self) -> float:
        """Multiply-accumulates per cycle with every lane busy."""
        return self.instances(len(self.levels)) * self.mode.rate


def problem(
    nest: LoopNest,
    hardware: Hardware,
    weight_bits: int,
    activation_bits: int,
    output_bits: int | None = None,
    *,
    resident_weights: bool = False,
) -> Problem:
    """State one layer as a problem for the kernels.

    Args:
        output_bits: width of a finished output [bits]; as the inputs unless given.
        resident_weights: weights stay in the outermost on-chip level between inferences.

    Raises:
        Infeasible: no mode of the datapath runs these widths.
    """
    mode = hardware.datapath.mode(weight_bits, activation_bits)
    levels = list(hardware.levels)
    if mode.lanes > 1:
        lanes = Axis(name="lanes", size=mode.lanes, dims=mode.lane_dims, multicast=True, reduction=True)
        levels[-1] = levels[-1].model_copy(update={"fanout": (*levels[-1].fanout, lanes)})
    precision = Precision(weight_bits, activation_bits, activation_bits if output_bits is None else output_bits)
    return Problem(nest, hardware, precision, mode, tuple(levels), resident_weights)
