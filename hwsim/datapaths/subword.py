"""Subword parallelism: one multiplier splits into several of the wider operand's width, as in DVAFS."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from hwsim.datapaths.base import LANE_DIMENSIONS, Integers, LaneDimension, Modes, NativeStyle

#: Energy per multiply falls as (width/native)^1.6: medians over 18 subword arrays synthesised at 28 nm and 200 MHz are
#: 0.31 at half and 0.11 at a quarter of the width, above the ideal square (KU Leuven precision-scalable MAC benchmark).
ENERGY_EXPONENT = 1.6


class Subword(NativeStyle):
    """P/max(w, a) multiplies side by side; both operands take the lane of the wider one.

    Overheads against a fixed-width unit: the composable unit's (see `composable`), times the ratio of the medians of
    subword and fusion arrays in the KU Leuven benchmark at 8 bits (484/763 fJ per operation, 0.120/0.198 mm^2).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"style": "subword", "native": 16, "widths": [4, 8, 16], "mac_energy": "1 pJ", "mac_area": "1700 um2"},
            ]
        }
    )

    style: Literal["subword"]
    sum: Literal["together", "apart"] = "apart"
    lane_dims: tuple[LaneDimension, ...] | None = None
    """What the lanes unroll, by `sum` if left out."""
    energy_overhead: float = Field(default=1.4, gt=0)
    area_overhead: float = Field(default=2.1, gt=0)

    @field_validator("widths")
    @classmethod
    def _whole_lanes(cls, widths: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        native = info.data.get("native", 1)
        for width in widths:
            if native % width and width % native:
                raise ValueError(f"{width} bits do not divide the native {native}")
        return widths

    def lane_dimensions(self) -> tuple[LaneDimension, ...]:
        """Dimensions that the lanes may unroll."""
        return self.lane_dims or LANE_DIMENSIONS[self.sum]

    def resolve(self, weight_bits: Integers, activation_bits: Integers) -> Modes:
        """See `DatapathStyle.resolve`: up to the native width both operands run at the wider one's width."""
        weights, activations = self.running(weight_bits), self.running(activation_bits)
        lane = np.minimum(np.maximum(weights, activations), self.native)
        weights, activations = np.maximum(weights, lane), np.maximum(activations, lane)
        passes = self.passes(weights) * self.passes(activations)
        return Modes(
            weight_bits=weights,
            activation_bits=activations,
            rate=self.macs_per_cycle / passes,
            lanes=self.native // lane,
            energy=self.priced(weights, activations, (lane / self.native) ** ENERGY_EXPONENT * passes),
        )
