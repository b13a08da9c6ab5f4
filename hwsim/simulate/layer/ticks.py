"""Time in whole numbers, so that equal states of a chip are recognised as equal, however late they come.

A tick is a fraction of a cycle such that every transfer of whole bits over every port, and every compute step, takes a
whole number of ticks. Sums are then exact, whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from hwsim.units import Bandwidth

#: Finest fraction that a rate of a file is taken to mean; 1/3 written in floating point is one third.
FINEST = 10**9


def exact(number: float) -> Fraction:
    """The fraction that a floating-point number stands for; one below all of these is taken at its word."""
    return Fraction(number).limit_denominator(FINEST) or Fraction(number)


def bits_per_cycle(bandwidth: Bandwidth, clock: float) -> Fraction:
    """What a port moves [bits/cycle].

    Args:
        clock: [Hz].
    """
    amount = 8 * exact(bandwidth.amount)
    return amount / exact(clock) if bandwidth.per == "second" else amount


@dataclass(frozen=True)
class Ticks:
    """A unit of time.

    Args:
        per_cycle: ticks of one cycle.
    """

    per_cycle: int

    @staticmethod
    def dividing(durations: Iterable[Fraction]) -> Ticks:
        """The coarsest tick that divides all these durations [cycles]."""
        return Ticks(lcm(1, *(duration.denominator for duration in durations)))

    def of(self, cycles: Fraction) -> int:
        """Ticks of a duration [cycles], rounded down where the tick does not divide it."""
        return int(cycles * self.per_cycle)

    def cycles(self, ticks: int) -> float:
        """A duration in cycles."""
        return float(Fraction(ticks, self.per_cycle))
