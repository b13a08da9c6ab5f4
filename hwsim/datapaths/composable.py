"""Composable units: narrow multipliers fuse into wider ones in space (Sharma et al., Bit Fusion, ISCA 2018)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field

from hwsim.datapaths.base import LANE_DIMENSIONS, Integers, LaneDimension, Modes, NativeStyle


class Composable(NativeStyle):
    """floor(P/w) floor(P/a) multiplies side by side, each operand split by its own width.

    Energy per multiply is proportional to w a: medians over 45 fusion arrays synthesised at 28 nm and 200 MHz are 0.49
    at 8x4, 0.25 at 4x4 and 8x2 and 0.06 at 2x2 bits of that at 8x8 (KU Leuven precision-scalable MAC benchmark).
    Overheads: a 4x4 array of 8-bit units fusible down to 2 bits against fixed 8-bit units at 45 nm, 0.459/0.203 pJ and
    1735/511 um^2 a unit (synthesis results released with Bit Fusion).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "style": "composable",
                    "native": 8,
                    "widths": [2, 4, 8],
                    "mac_energy": "0.2 pJ",
                    "mac_area": "511 um2",
                },
                {"style": "composable", "native": 8, "widths": [4, 8, 16], "sum": "apart", "macs_per_cycle": 4},
            ]
        }
    )

    style: Literal["composable"]
    sum: Literal["together", "apart"] = "together"
    lane_dims: tuple[LaneDimension, ...] | None = None
    """What the lanes unroll, by `sum` if left out."""
    energy_overhead: float = Field(default=2.26, gt=0)
    area_overhead: float = Field(default=3.4, gt=0)

    def lane_dimensions(self) -> tuple[LaneDimension, ...]:
        """Dimensions that the lanes may unroll."""
        return self.lane_dims or LANE_DIMENSIONS[self.sum]

    def resolve(self, weight_bits: Integers, activation_bits: Integers) -> Modes:
        """See `DatapathStyle.resolve`."""
        weights, activations = self.running(weight_bits), self.running(activation_bits)
        return Modes(
            weight_bits=weights,
            activation_bits=activations,
            rate=self.macs_per_cycle / (self.passes(weights) * self.passes(activations)),
            lanes=np.maximum(self.native // weights, 1) * np.maximum(self.native // activations, 1),
            energy=self.priced(weights, activations, weights * activations / self.native**2),
        )
