"""Quantities as people write them, "616 GB/s" or "6 pJ/16bit", to and from SI numbers.

Each annotated type takes text with a unit, or from Python a plain number in the base unit given below. Files must write
the unit: validated with `UNITS_REQUIRED` as context, a bare number is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema
from pydantic_core import core_schema

from hwsim.errors import did_you_mean, shown

#: Validation context under which a quantity needs its unit.
UNITS_REQUIRED: Mapping[str, bool] = {"units_required": True}

_PREFIXES = {
    "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(.*?)\s*")
_AMBIGUOUS = {"K": "write Ki (1024) or k (1000)", "b": "write bit, or B for bytes"}


def _scaled(symbol: str) -> dict[str, Decimal]:
    return {prefix + symbol: Decimal(1).scaleb(exponent) for prefix, exponent in _PREFIXES.items()}


def _data(symbol: str, bits: int) -> dict[str, Decimal]:
    """Only multiples: nobody means a thousandth of a byte."""
    binary = {f"{prefix}i{symbol}": Decimal(1024) ** (i + 1) for i, prefix in enumerate("KMGTPE")}
    return {unit: scale * bits for unit, scale in (_scaled(symbol) | binary).items() if scale >= 1}


_BITS = _data("bit", 1) | _data("B", 8)
_JOULES = _scaled("J")
_SQUARE_METRES = {
    "nm2": Decimal("1e-18"), "um2": Decimal("1e-12"), "mm2": Decimal("1e-6"), "cm2": Decimal("1e-4"), "m2": Decimal(1),
}  # fmt: skip


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity.

    Args:
        name: what it is, with its article, for messages.
        example: a quantity as one writes it.
        base: the unit of a plain number.
        units: size of each unit in terms of the base.
        per: sizes of what may stand after a slash; none for a quantity that is not a rate.
        optional: whether a file may leave the unit out.
    """

    name: str
    example: str
    base: str
    units: Mapping[str, Decimal]
    per: Mapping[str, Decimal] | None = None
    optional: bool = False

    @property
    def pattern(self) -> str:
        """Regular expression of what `parse` takes, for a JSON Schema."""
        units = "|".join(map(_spellings, sorted(self.units)))
        per = rf"\s*/\s*\d*\s*({'|'.join(map(_spellings, sorted(self.per)))})" if self.per else ""
        return rf"^\s*\+?{_NUMBER.removeprefix('[+-]?')}\s*({units}){per}\s*$"


_BYTE = Decimal(8)
DATA = Dimension("a size", "64 KiB", "B", {unit: scale / _BYTE for unit, scale in _BITS.items()})
WIDTH = Dimension("a width", "32 bit", "bit", _BITS)
FREQUENCY = Dimension("a frequency", "1545 MHz", "Hz", _scaled("Hz"))
TIME = Dimension("a time", "5 us", "s", _scaled("s"))
ENERGY = Dimension("an energy", "0.2 pJ", "J", _JOULES)
ENERGY_PER_BIT = Dimension("an energy per bit", "6 pJ/16bit", "J/bit", _JOULES, per=_BITS)
POWER = Dimension("a power", "250 W", "W", _scaled("W"))
LENGTH = Dimension("a length", "12 nm", "m", _scaled("m"))
AREA = Dimension("an area", "36 mm2", "m2", _SQUARE_METRES)
_CYCLES = dict.fromkeys(("cycle", "cycles"), Decimal(1))
CYCLES = Dimension("a number of cycles", "100 cycles", "cycles", _CYCLES, optional=True)
BANDWIDTH = Dimension("a bandwidth", "616 GB/s", "B/s", DATA.units, per={"s": Decimal(1), "cycle": Decimal(1)})


def parse(text: str, dimension: Dimension) -> float:
    """The SI value of a quantity such as "5.5 MiB" [the dimension's base unit].

    Raises:
        ValueError: no number, no unit, a unit of another dimension, or a negative or unrepresentable amount.
    """
    return _split(text, dimension)[0]


def _split(text: str, dimension: Dimension) -> tuple[float, str]:
    """Value in base units, and the unit that stands after the slash."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not {dimension.name}: write e.g. {dimension.example}")
    number, unit = match[1], match[2]
    if not unit and not dimension.optional:
        raise ValueError(f"missing unit: write e.g. {dimension.example}")
    scale, per = _scale(unit, dimension) if unit else (Decimal(1), "")
    try:
        amount = float(Decimal(number) * scale)
    except ArithmeticError:
        amount = math.inf
    return _checked(amount, shown(text)), per


def _scale(text: str, dimension: Dimension) -> tuple[Decimal, str]:
    """Size of a unit in terms of the base, and the unit after the slash."""
    unit, slash, per = (part.strip() for part in text.partition("/"))
    scale = _lookup(unit, dimension.units, text, dimension)
    if dimension.per is None:
        if slash:
            raise ValueError(f"{shown(text)} is not a unit of {dimension.name}: write e.g. {dimension.example}")
        return scale, ""
    if not slash:
        raise ValueError(f"{shown(text)} lacks what it is per: write e.g. {dimension.example}")
    of = per.lstrip("0123456789")
    size = Decimal(per[: len(per) - len(of)] or 1) * _lookup(of.strip(), dimension.per, text, dimension)
    if not size:
        raise ValueError(f"{shown(text)} divides by zero")
    return scale / size, of.strip()


def _lookup(unit: str, units: Mapping[str, Decimal], text: str, dimension: Dimension) -> Decimal:
    if _normalised(unit) in units:
        return units[_normalised(unit)]
    for letter, advice in _AMBIGUOUS.items():
        if unit.replace(letter, {"K": "k", "b": "bit"}[letter]) in units:
            raise ValueError(f"{shown(unit)} is ambiguous: {advice}")
    known = [f"{unit}/{per}" for unit in dimension.units for per in dimension.per] if dimension.per else units
    hint = did_you_mean(text, known) or f" (write e.g. {dimension.example})"
    raise ValueError(f"{shown(text)} is not a unit of {dimension.name}{hint}")


@lru_cache  # a sweep reads the same few units for thousands of chips
def _normalised(unit: str) -> str:
    """A unit as the tables spell it, from the other ways people write it."""
    for written, meant in (("^[µμ]", "u"), ("(m)(\\^2|²)$", r"\g<1>2"), ("bits$", "bit"), ("^bytes?$", "B")):
        unit = re.sub(written, meant, unit)
    return unit


def _spellings(unit: str) -> str:
    """Regular expression of everything that `_normalised` turns into a unit."""
    for spelt, spellings in (("^u", "[uµμ]"), ("m2$", "m(\\\\^?2|²)"), ("bit$", "bits?"), ("^B$", "(B|bytes?)")):
        unit = re.sub(spelt, spellings, unit)
    return unit


def _checked(amount: float, written: str) -> float:
    if amount < 0:
        raise ValueError(f"{written} is negative")
    if not math.isfinite(amount):
        raise ValueError(f"{written} is not a finite number")
    return amount


def _accept(given: Any, dimension: Dimension, info: ValidationInfo) -> float:
    if isinstance(given, str):
        return parse(given, dimension)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"{shown(given)} is not {dimension.name}: write e.g. {dimension.example}")
    if not dimension.optional and (info.context or {}).get("units_required"):
        raise ValueError(f"missing unit: write e.g. {dimension.example}")
    try:
        return _checked(float(given), str(given))
    except OverflowError:
        raise ValueError("the number is too large") from None


def _schema(dimension: Dimension) -> dict[str, Any]:
    text = {"type": "string", "pattern": dimension.pattern, "examples": [dimension.example]}
    return {"anyOf": [text, {"type": "number", "minimum": 0}]} if dimension.optional else text


def _reader(dimension: Dimension) -> BeforeValidator:
    def read(given: Any, info: ValidationInfo) -> float:
        return _accept(given, dimension, info)

    return BeforeValidator(read)


Bytes = Annotated[float, _reader(DATA), WithJsonSchema(_schema(DATA))]
Bits = Annotated[float, _reader(WIDTH), WithJsonSchema(_schema(WIDTH))]
Frequency = Annotated[float, _reader(FREQUENCY), WithJsonSchema(_schema(FREQUENCY))]
Time = Annotated[float, _reader(TIME), WithJsonSchema(_schema(TIME))]
Energy = Annotated[float, _reader(ENERGY), WithJsonSchema(_schema(ENERGY))]
EnergyPerBit = Annotated[float, _reader(ENERGY_PER_BIT), WithJsonSchema(_schema(ENERGY_PER_BIT))]
Power = Annotated[float, _reader(POWER), WithJsonSchema(_schema(POWER))]
Length = Annotated[float, _reader(LENGTH), WithJsonSchema(_schema(LENGTH))]
Area = Annotated[float, _reader(AREA), WithJsonSchema(_schema(AREA))]
Cycles = Annotated[float, _reader(CYCLES), WithJsonSchema(_schema(CYCLES))]


@dataclass(frozen=True)
class Bandwidth:
    """Bytes per second, or per cycle of whatever clock the hardware runs at.

    Args:
        amount: [B/s] or [B/cycle].
        per: which of the two.
    """

    amount: float
    per: Literal["second", "cycle"]

    def __post_init__(self) -> None:
        _checked(self.amount, str(self.amount))

    @classmethod
    def parse(cls, text: str) -> Bandwidth:
        """Read "616 GB/s", "64 B/cycle" or "192 bit/cycle".

        Raises:
            ValueError: as `parse`.
        """
        amount, per = _split(text, BANDWIDTH)
        return cls(amount, "second" if per == "s" else "cycle")

    def bytes_per_cycle(self, clock: float) -> float:
        """[B/cycle] at a clock [Hz]."""
        return self.amount if self.per == "cycle" else self.amount / clock

    def __str__(self) -> str:
        return format_si(self.amount, "B/s" if self.per == "second" else "B/cycle", digits=None)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def read(given: Any) -> Bandwidth:
            if isinstance(given, Bandwidth):
                return given
            if isinstance(given, str):
                return cls.parse(given)
            if isinstance(given, int | float) and not isinstance(given, bool):
                raise ValueError("missing unit: write e.g. 616 GB/s or 64 B/cycle")
            raise ValueError(f"{shown(given)} is not a bandwidth: write e.g. 616 GB/s or 64 B/cycle")

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": BANDWIDTH.pattern, "examples": ["616 GB/s", "64 B/cycle"]}


def format_si(value: float, unit: str, digits: int | None = 3) -> str:
    """A number for people: `format_si(6.16e11, "B/s")` is "616 GB/s". Areas in "m2" take mm2 and um2.

    Args:
        value: in the base unit.
        unit: the base unit.
        digits: significant digits; None for as many as tell the number from every other.
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g} {unit}"
    number = Decimal(repr(float(value)) if digits is None else f"{value:.{digits - 1}e}")
    if unit == "m2":
        exponents = {2 * _PREFIXES[prefix]: prefix for prefix in ("n", "u", "m", "")}
    else:
        whole = unit.startswith(("B", "bit"))
        exponents = {exponent: prefix for prefix, exponent in _PREFIXES.items() if exponent >= 0 or not whole}
    exponent = max((known for known in exponents if known <= number.adjusted()), default=min(exponents))
    number = number.scaleb(-exponent).normalize()
    text = f"{number:f}" if -7 < number.adjusted() < 16 else f"{number:e}"
    return f"{text} {exponents[exponent]}{unit}"


def format_bytes(value: float, digits: int = 3) -> str:
    """A size for people in binary units: `format_bytes(5767168)` is "5.5 MiB". [B]"""
    for prefix, scale in (("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if abs(value) >= scale:
            return f"{value / scale:.{max(digits, len(str(int(abs(value) / scale))))}g} {prefix}B"
    return f"{value:.{max(digits, 4)}g} B"
