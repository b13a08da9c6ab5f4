"""Quantities in steps, exactly: from 64 KiB to 1024 KiB by a factor of 2, from 0.1 V to 0.3 V by 0.1 V."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext

from hwsim.errors import shown

#: Most values of one range; more is a slip of the finger.
MOST = 10_000

#: Digits that are calculated with, digits that a value may have, and digits of one that has more.
_EXACT, _LONG, _SHORT = 60, 18, 15

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*(.*?)\s*", re.DOTALL)

#: What a file may write: with its unit, or a plain number.
Amount = str | int | float


class StepsError(ValueError):
    """Why a range has no values.

    Args:
        key: the part of the range that is to blame: from, to, step or factor.
    """

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


def expand(first: Amount, last: Amount, step: Amount | None = None, factor: float | None = None) -> tuple[Amount, ...]:
    """Every value from the first to the last, which is among them if a step falls on it.

    Sums and products are those of decimal numbers, so that 0.1, 0.2, 0.3 come out as people write them. With units
    the values are text, otherwise whole numbers where they are whole and the first is written as one.

    Args:
        first, last: with one unit or both without.
        step: what is added, in the same unit; factor: what is multiplied by, above 1. Exactly one of the two.

    Raises:
        StepsError: there is no such range.
    """
    start, unit = _split("from", first)
    end = _same_unit("to", last, unit)
    if (step is None) == (factor is None):
        raise StepsError("from" if step is None else "factor", "needs a step or a factor, and not both")
    if end < start:
        raise StepsError("to", f"{shown(last)} is less than the first, {shown(first)}")
    with localcontext(prec=_EXACT):
        if step is not None:
            growth = _same_unit("step", step, unit)
            if growth <= 0:
                raise StepsError("step", f"must be more than nothing, not {shown(step)}")
            number = int(min((end - start) / growth, Decimal(MOST))) + 1
        else:
            growth = Decimal(repr(factor))
            if start <= 0:
                raise StepsError("from", f"must be more than nothing where a factor multiplies it, not {shown(first)}")
            number = _powers(start, end, growth)
        if number > MOST:
            raise StepsError("to", f"gives more than {MOST} values")
        values = [start + index * growth if step is not None else start * growth**index for index in range(number)]
    return tuple(_written(value, unit, first) for value in values)


def _powers(start: Decimal, end: Decimal, factor: Decimal) -> int:
    """How many of start, start * factor, start * factor^2, ... do not exceed the end; one too many at most counts."""
    number = 0
    while number <= MOST and start * factor**number <= end:
        number += 1
    return number


def _split(key: str, amount: Amount) -> tuple[Decimal, str]:
    if isinstance(amount, str):
        match = _NUMBER.fullmatch(amount)
        if match is None:
            raise StepsError(key, f"{shown(amount)} does not begin with a number")
        return Decimal(match[1]), " ".join(match[2].split())
    number = Decimal(repr(amount))
    if not number.is_finite():
        raise StepsError(key, f"{shown(amount)} is not a finite number")
    return number, ""


def _same_unit(key: str, amount: Amount, unit: str) -> Decimal:
    number, own = _split(key, amount)
    if own != unit:
        raise StepsError(key, f"must be in {unit or 'plain numbers'} as the first is, not {shown(amount)}")
    return number


def _written(value: Decimal, unit: str, like: Amount) -> Amount:
    if len(value.normalize().as_tuple().digits) > _LONG:
        with localcontext(prec=_SHORT):
            value = +value
    value = value.normalize()
    if isinstance(like, str):
        return f"{value:f} {unit}".rstrip() if -7 < value.adjusted() < 21 else f"{value:e} {unit}".rstrip()
    return int(value) if isinstance(like, int) and value == value.to_integral_value() else float(value)
