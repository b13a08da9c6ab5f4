"""Ranges: the values that one would write by hand, and what is said of those that have none."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from hwsim.spec.steps import MOST, Amount, StepsError, expand


@pytest.mark.parametrize(
    ("first", "last", "step", "factor", "expected"),
    [
        ("64 KiB", "512 KiB", None, 2, ["64 KiB", "128 KiB", "256 KiB", "512 KiB"]),
        ("308 GB/s", "616 GB/s", "154 GB/s", None, ["308 GB/s", "462 GB/s", "616 GB/s"]),
        ("0.1 us", "0.5 us", "0.1 us", None, ["0.1 us", "0.2 us", "0.3 us", "0.4 us", "0.5 us"]),
        ("0 us", "1us", "0.50  us", None, ["0 us", "0.5 us", "1 us"]),
        ("1 V", "2 V", None, 1.1, ["1 V", "1.1 V", "1.21 V", "1.331 V", "1.4641 V", "1.61051 V", "1.771561 V",
                                   "1.9487171 V"]),
        ("10 GB/s", "24 GB/s", "5 GB/s", None, ["10 GB/s", "15 GB/s", "20 GB/s"]),
        ("6 pJ/16bit", "6 pJ/16bit", "1 pJ/16bit", None, ["6 pJ/16bit"]),
        ("1e3 B", "3e3 B", "1e3 B", None, ["1000 B", "2000 B", "3000 B"]),
        (4, 64, None, 4, [4, 16, 64]),
        (1, 2, 0.25, None, [1, 1.25, 1.5, 1.75, 2]),
        (0.1, 0.35, 0.1, None, [0.1, 0.2, 0.3]),
        (1.0, 2.0, 1, None, [1.0, 2.0]),
        (-1, 1, 1, None, [-1, 0, 1]),
        ("4", "16", None, 2, ["4", "8", "16"]),
        (123456789012345678, 123456789012345679, 1, None, [123456789012345678, 123456789012345679]),
    ],
)  # fmt: skip
def test_values(first: Amount, last: Amount, step: Amount | None, factor: float | None, expected: list[Amount]) -> None:
    found = expand(first, last, step, factor)
    assert list(found) == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_long_products_are_cut_where_nobody_reads_on() -> None:
    _, seventh, square = expand("1 s", "1.4 s", None, 1.142857142857)
    assert seventh == "1.142857142857 s"
    assert square == "1.30612244897927 s"  # 1.306122448979265306122449


@pytest.mark.parametrize(
    ("first", "last", "step", "factor", "key", "message"),
    [
        ("1 GB/s", "2", None, 2, "to", "must be in GB/s as the first is, not '2'"),
        ("1", "2 s", None, 2, "to", "must be in plain numbers as the first is, not '2 s'"),
        ("1 GB/s", "2 GB", None, 2, "to", "must be in GB/s as the first is, not '2 GB'"),
        ("1 GB/s", "2 GB/s", 1, None, "step", "must be in GB/s as the first is, not 1"),
        ("2 s", "1 s", None, 2, "to", "'1 s' is less than the first, '2 s'"),
        ("x", "1 s", None, 2, "from", "'x' does not begin with a number"),
        (float("nan"), 1, 1, None, "from", "nan is not a finite number"),
        (0, float("inf"), 1, None, "to", "inf is not a finite number"),
        (0, 1, 0, None, "step", "must be more than nothing, not 0"),
        ("0 s", "1 s", "-1 s", None, "step", "must be more than nothing, not '-1 s'"),
        (0, 1, None, 2, "from", "must be more than nothing where a factor multiplies it, not 0"),
        (0, 10**6, 1, None, "to", f"gives more than {MOST} values"),
        ("1 s", "1e300 s", "1e-300 s", None, "to", f"gives more than {MOST} values"),
        (1, 10**6, None, 1.0000001, "to", f"gives more than {MOST} values"),
        (1, 2, None, None, "from", "needs a step or a factor, and not both"),
        (1, 2, 1, 2, "factor", "needs a step or a factor, and not both"),
    ],
)
def test_no_range(
    first: Amount, last: Amount, step: Amount | None, factor: float | None, key: str, message: str
) -> None:
    with pytest.raises(StepsError) as caught:
        expand(first, last, step, factor)
    assert (caught.value.key, str(caught.value)) == (key, message)


DECIMALS = st.decimals(min_value=0, max_value=10**6, places=3)


@given(DECIMALS, DECIMALS, st.decimals(min_value="0.001", max_value=10**6, places=3))
def test_steps_are_those_of_fractions(first: object, more: object, step: object) -> None:
    start, end = Fraction(str(first)), Fraction(str(first)) + Fraction(str(more))
    by = Fraction(str(step))
    number = (end - start) // by + 1
    if number > MOST:
        with pytest.raises(StepsError):
            expand(f"{first} s", f"{float(end):.3f} s", f"{step} s")
        return
    found = expand(f"{first} s", f"{end.numerator * 1000 // end.denominator}e-3 s", f"{step} s")
    assert [Fraction(str(value).removesuffix(" s")) for value in found] == [start + i * by for i in range(number)]


@given(st.integers(1, 1000), st.integers(0, 12), st.integers(2, 9), st.integers(0, 5))
def test_factors_are_those_of_whole_numbers(first: int, number: int, factor: int, beyond: int) -> None:
    last = first * factor**number + min(beyond, first * factor**number * (factor - 1) - 1)
    assert expand(first, last, None, factor) == tuple(first * factor**i for i in range(number + 1))
