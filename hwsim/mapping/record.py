"""Mappings as plain data, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import Operand


def to_record(mapping: Mapping) -> list[dict[str, Any]]:
    """Temporal and spatial loops and bypassed operands of every level, outermost level and loop first."""
    return [{**asdict(level), "bypass": [str(operand) for operand in level.bypass]} for level in mapping.levels]


def from_record(levels: Sequence[dict[str, Any]]) -> Mapping:
    """The mapping that a record was made of.

    Raises:
        KeyError, TypeError, ValueError: the data is not such a record.
    """
    return Mapping(
        tuple(
            LevelMapping(
                level["level"],
                tuple(Loop(**loop) for loop in level["temporal"]),
                tuple(SpatialLoop(**loop) for loop in level["spatial"]),
                tuple(Operand(operand) for operand in level["bypass"]),
            )
            for level in levels
        )
    )
