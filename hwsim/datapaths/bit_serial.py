"""Bit-serial units: an operand enters bit by bit, so its width is time (Stripes, UNPU, Loom)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from hwsim.datapaths.base import Integers, Modes, NativeStyle


class BitSerial(NativeStyle):
    """P/a for serial activations (Judd et al., Stripes, MICRO 2016), P/w for serial weights (Lee et al., UNPU, JSSC 2019),
    P^2/(w a) for both (Sharify et al., Loom, DAC 2018). The operand that is not serial always runs at the native width.

    Rates are those of an array with P (or P^2) serial units in place of each native multiplier, as the papers build it.
    Energy per multiply is proportional to w a: medians over 18 bit-serial arrays at 28 nm and 200 MHz are 0.54 at 8x4,
    0.26 at 4x4 and 0.07 at 2x2 bits of that at 8x8 (KU Leuven precision-scalable MAC benchmark). Overheads: the
    composable unit's, times the ratio of the medians of bit-serial and fusion arrays there (556/763 fJ, 0.177/0.198 mm^2).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"style": "bit_serial", "native": 16, "serial": "both", "mac_energy": "1 pJ", "mac_area": "1700 um2"},
                {"style": "bit_serial", "native": 16, "serial": "activations"},
                {"style": "bit_serial", "native": 16, "serial": "weights", "widths": [1, 2, 4, 8, 16]},
            ]
        }
    )

    style: Literal["bit_serial"]
    serial: Literal["weights", "activations", "both"]
    energy_overhead: float = Field(default=1.65, gt=0)
    area_overhead: float = Field(default=3.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _every_width(cls, data: Any) -> Any:
        """A serial operand runs at any width unless the file says otherwise."""
        if isinstance(data, dict) and "widths" not in data and isinstance(data.get("native"), int):
            return {**data, "widths": tuple(range(1, data["native"] + 1))}
        return data

    def resolve(self, weight_bits: Integers, activation_bits: Integers) -> Modes:
        """See `DatapathStyle.resolve`."""
        weights, activations = self.running(weight_bits), self.running(activation_bits)
        if self.serial == "weights":
            activations = np.maximum(activations, self.native)
        elif self.serial == "activations":
            weights = np.maximum(weights, self.native)
        share = weights * activations / self.native**2
        return Modes(
            weight_bits=weights,
            activation_bits=activations,
            rate=self.macs_per_cycle / share,
            lanes=np.ones_like(weights),
            energy=self.priced(weights, activations, share),
        )
