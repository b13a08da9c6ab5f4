"""Bit-serial units: an operand enters bit by bit, so its width is time (Stripes, UNPU, Loom)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from hwsim.datapaths.base import Integers, Modes, NativeStyle, Width


class BitSerial(NativeStyle):
    """One operand or both enter a bit a cycle; an operand that is not serial always runs at the native width.

    Rates: P/a for serial activations (Judd et al., Stripes, MICRO 2016), P/w for serial weights (Lee et al., UNPU, JSSC
    2019), P^2/(w a) for both (Sharify et al., Loom, DAC 2018), those of an array with P or P^2 serial units in place of
    each native multiplier.
    Energy per multiply is proportional to w a: medians over 9 bit-serial arrays at 28 nm and 200 MHz are 0.54 at 8x4,
    0.26 at 4x4 and 0.07 at 2x2 bits of that at 8x8 (KU Leuven precision-scalable MAC benchmark). Overheads: the
    composable unit's, times the ratio of the medians of bit-serial and fusion arrays there (556/763 fJ per operation,
    0.177/0.198 mm^2).
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
    widths: tuple[Width, ...] = Field(default=(), validate_default=True)
    """Operand widths that the hardware runs; every one up to the native width when left out."""
    energy_overhead: float = Field(default=1.65, gt=0)
    area_overhead: float = Field(default=3.0, gt=0)

    @field_validator("widths")
    @classmethod
    def _or_every_width(cls, widths: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        return widths or tuple(range(1, info.data.get("native", 0) + 1))

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
