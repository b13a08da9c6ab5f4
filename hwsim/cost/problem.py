"""One layer on one chip at one precision, reduced to the numbers that the kernels need: words, bits, cycles, joules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from hwsim.datapaths import Mode
from hwsim.errors import Infeasible
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

    A `resident` operand never sees the outermost memory: weights and inputs lie whole in their home (see `home`) when
    the layer begins, outputs when it ends. The home may not be bypassed, and every level outside it is free of them.
    """

    nest: LoopNest
    hardware: Hardware
    precision: Precision
    mode: Mode
    levels: tuple[Level, ...]
    resident: frozenset[Operand] = frozenset()

    def keepers(self, operand: Operand, bypass: tuple[tuple[Operand, ...], ...] = ()) -> tuple[int, ...]:
        """Indices of the levels that keep an operand, outermost first, leaving out what the mapping bypasses.

        The chain of a resident operand starts at its home.
        """
        first = self.home(operand) if operand in self.resident else 0
        return tuple(
            index
            for index, level in enumerate(self.levels)
            if index >= first and operand in level.keeps and not (bypass and operand in bypass[index])
        )

    def home(self, operand: Operand) -> int:
        """The level that an operand lives in where it stays on the chip: see `hwsim.cost.problem.home`."""
        found = home(self.hardware, operand)
        assert found is not None, f"{operand} have no home on {self.hardware.name}"
        return found

    def obliged(self, level: int) -> frozenset[Operand]:
        """Resident operands whose home a level is: no mapping may let them pass it by."""
        return frozenset(operand for operand in self.resident if self.home(operand) == level)

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


def home(hardware: Hardware, operand: Operand) -> int | None:
    """The level that an operand lives in where it stays on the chip: the outermost on-chip one that keeps it.

    None where the chip has none, or has several of it: the tensor would have to be dealt out to the instances.
    """
    keeping = [index for index, level in enumerate(hardware.levels) if index and operand in level.keeps]
    return keeping[0] if keeping and hardware.instances(keeping[0]) == 1 else None


def problem(
    nest: LoopNest,
    hardware: Hardware,
    weight_bits: int,
    activation_bits: int,
    output_bits: int | None = None,
    *,
    resident: Iterable[Operand] = (),
) -> Problem:
    """State one layer as a problem for the kernels.

    Args:
        output_bits: width of a finished output [bits]; as the inputs unless given.
        resident: operands that lie on the chip before the layer begins, or outputs that stay there when it ends.

    Raises:
        Infeasible: no mode of the datapath runs these widths, or a resident operand has no home.
    """
    stay = frozenset(resident)
    for operand in sorted(stay):
        if home(hardware, operand) is None:
            raise Infeasible(
                f"{hardware.name} has no on-chip level, shared by the whole chip, that keeps {operand}",
                constraint="resident",
            )
    mode = hardware.datapath.mode(weight_bits, activation_bits)
    levels = list(hardware.levels)
    if mode.lanes > 1:
        lanes = Axis(name="lanes", size=mode.lanes, dims=mode.lane_dims, multicast=True, reduction=True)
        levels[-1] = levels[-1].model_copy(update={"fanout": (*levels[-1].fanout, lanes)})
    precision = Precision(weight_bits, activation_bits, activation_bits if output_bits is None else output_bits)
    return Problem(nest, hardware, precision, mode, tuple(levels), stay)
