"""Times in whole numbers."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, strategies as st

from hwsim.simulate.layer.ticks import Ticks, bits_per_cycle, exact
from hwsim.units import Bandwidth

durations = st.fractions(min_value=0, max_value=1000, max_denominator=1000)


def test_rates_of_files() -> None:
    assert exact(1 / 3) == Fraction(1, 3)
    assert exact(0.1) == Fraction(1, 10)
    assert exact(1.545e9) == 1_545_000_000
    assert float(exact(1e-12)) == 1e-12


def test_bits_per_cycle() -> None:
    """616 GB/s at 1545 MHz: 8 * 616 / 1.545 bits, which no floating-point number is."""
    assert bits_per_cycle(Bandwidth.parse("616 GB/s"), 1.545e9) == Fraction(4_928_000, 1545)
    assert bits_per_cycle(Bandwidth.parse("192 bit/cycle"), 1.545e9) == 192
    assert bits_per_cycle(Bandwidth(1 / 3, "cycle"), 1.0) == Fraction(8, 3)


def test_coarsest() -> None:
    """Sixths and quarters of a cycle are whole numbers of twelfths, and of nothing coarser."""
    ticks = Ticks.dividing([Fraction(5, 6), Fraction(1, 4), Fraction(3)])
    assert ticks.per_cycle == 12
    assert [ticks.of(cycles) for cycles in (Fraction(5, 6), Fraction(1, 4), Fraction(3))] == [10, 3, 36]
    assert Ticks.dividing([]).per_cycle == 1


@given(st.lists(durations, min_size=1, max_size=6))
def test_there_and_back(cycles: list[Fraction]) -> None:
    ticks = Ticks.dividing(cycles)
    assert [Fraction(ticks.of(one), ticks.per_cycle) for one in cycles] == cycles
    assert [ticks.cycles(ticks.of(one)) for one in cycles] == [float(one) for one in cycles]
    assert ticks.cycles(sum(ticks.of(one) for one in cycles)) == float(sum(cycles))


def test_a_port_of_a_real_chip() -> None:
    """A year of it is no less exact than a second."""
    bit = 1 / bits_per_cycle(Bandwidth.parse("616 GB/s"), 1.545e9)
    ticks = Ticks.dividing([bit, Fraction(1)])
    assert ticks.cycles(ticks.of(bit) * 8 * 616 * 10**9 * 31_536_000) == 1.545e9 * 31_536_000
