"""The quantities that designs are judged by, and the limits that a constraint sets them: 25 %, 800 mm2, 5 ms."""

from __future__ import annotations

import math
import re
import sys
from decimal import Decimal
from typing import Any, Literal, get_args

from pydantic import ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from hwsim import units
from hwsim.errors import shown

#: What a design can be judged by; see `hwsim.search.design.columns`.
Quantity = Literal[
    "time_overhead",
    "storage_overhead",
    "energy_overhead",
    "seconds",
    "energy_joules",
    "storage_bytes",
    "baseline_seconds",
    "area",
    "members",
    "low_precision",
    "member_bits",
    "clean_accuracy",
    "clean_loss",
    "robust_accuracy",
]

#: Quantities that only measurements tell.
MEASURED = frozenset({"clean_accuracy", "clean_loss", "robust_accuracy"})

#: Shares, and between what they lie.
_SHARES = {
    "time_overhead": (-1.0, math.inf),
    "storage_overhead": (-1.0, math.inf),
    "energy_overhead": (-1.0, math.inf),
    "clean_accuracy": (0.0, 1.0),
    "clean_loss": (-1.0, 1.0),
    "robust_accuracy": (0.0, 1.0),
}

#: Quantities with a unit.
_DIMENSIONS = {
    "seconds": units.TIME,
    "energy_joules": units.ENERGY,
    "storage_bytes": units.DATA,
    "baseline_seconds": units.TIME,
    "area": units.AREA,
}

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_PERCENT = rf"^\s*{_NUMBER}\s*%\s*$"


def limit(quantity: str, given: Any, unit_required: bool = False) -> float:
    """A limit in base units: a share of 1, [s], [J], [B], [m2] or a plain number.

    Args:
        quantity: one of `Quantity`.
        given: a number in base units, or text with a unit or a percent sign.
        unit_required: refuse a bare number where there is a unit.

    Raises:
        ValueError: it is no such limit; says what would be one.
    """
    dimension = _DIMENSIONS.get(quantity)
    example = "0.25 or 25 %" if quantity in _SHARES else dimension.example if dimension else "4"
    if isinstance(given, str) and dimension:
        return units.parse(given, dimension)
    if isinstance(given, str) and quantity in _SHARES and re.match(_PERCENT, given):
        given = float(Decimal(given.replace("%", "").strip()) / 100)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"must be {'a quantity' if dimension else 'a number'} such as {example}, not {shown(given)}")
    if dimension and unit_required:
        raise ValueError(f"missing unit: write e.g. {example}")
    least, most = _SHARES.get(quantity, (0.0, math.inf))
    if not least <= given <= most or given > sys.float_info.max:
        bounds = f"between {least:g} and {most:g}" if math.isfinite(most) else f"a finite number of at least {least:g}"
        raise ValueError(f"must be {bounds}, not {shown(given)}")
    return float(given)


def read_limits(given: Any, info: ValidationInfo) -> Any:
    """The limits of a mapping in base units; for pydantic, which sees to what is no mapping.

    Raises:
        ValidationError: with the place of every limit that is none, and of every unknown quantity.
    """
    if not isinstance(given, dict):
        return given
    known = get_args(Quantity)
    required = bool((info.context or {}).get("units_required"))
    read: dict[str, float] = {}
    wrong: list[InitErrorDetails] = []
    for name, value in given.items():
        if name not in known:
            expected = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}"
            context = {"expected": expected}
            wrong.append(InitErrorDetails(type="literal_error", loc=(name, "[key]"), input=name, ctx=context))
            continue
        try:
            read[name] = limit(name, value, required)
        except ValueError as error:
            kind = PydanticCustomError("limit", "{why}", {"why": str(error)})
            wrong.append(InitErrorDetails(type=kind, loc=(name,), input=value))
    if wrong:
        raise ValidationError.from_exception_data("constraints", wrong)
    return read


def limits_schema() -> dict[str, Any]:
    """JSON Schema of a mapping of limits."""

    def schema(quantity: str) -> dict[str, Any]:
        if quantity in _DIMENSIONS:
            dimension = _DIMENSIONS[quantity]
            return {"type": "string", "pattern": dimension.pattern, "examples": [dimension.example]}
        if quantity in _SHARES:
            percent = {"type": "string", "pattern": _PERCENT, "examples": ["25 %"]}
            return {"anyOf": [{"type": "number"}, percent]}
        return {"type": "number", "minimum": 0}

    properties = {quantity: schema(quantity) for quantity in get_args(Quantity)}
    return {"type": "object", "properties": properties, "additionalProperties": False}
