"""Explicit rates, one a mode: GPUs and fixed-function chips whose rates follow no formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field

from hwsim.datapaths.base import LANE_DIMENSIONS, DatapathStyle, Integers, LaneDimension, Modes, Width
from hwsim.errors import Infeasible
from hwsim.units import Area, Energy
from hwsim.value import Value


class TableMode(Value):
    """One line of the table: everything up to these widths may run at this rate."""

    weights: Width
    activations: Width
    macs_per_cycle: float = Field(gt=0)
    """Multiply-accumulates per cycle of one instance."""
    lanes: int = Field(default=1, ge=1)
    """How many of them are packed side by side and must unroll `lane_dims`."""
    energy: Energy = Field(default=0.0, ge=0)
    """One multiply-accumulate."""


class Table(DatapathStyle):
    """The fastest mode that holds both operands; between equally fast ones, the one with fewest bits.

    Operands wider than every mode run in passes of the mode that is widest in both, ceil(w/P_w) ceil(a/P_a) of them.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "style": "table",
                    "modes": [
                        {"weights": 32, "activations": 32, "macs_per_cycle": 64, "energy": "0.6 pJ"},
                        {"weights": 16, "activations": 16, "macs_per_cycle": 512, "energy": "0.2 pJ"},
                        {"weights": 8, "activations": 8, "macs_per_cycle": 1024, "energy": "0.04 pJ"},
                    ],
                },
                {
                    "style": "table",
                    "modes": [
                        {"weights": 16, "activations": 16, "macs_per_cycle": 8},
                        {"weights": 4, "activations": 4, "macs_per_cycle": 64, "lanes": 8},
                    ],
                },
            ]
        }
    )

    style: Literal["table"]
    modes: tuple[TableMode, ...] = Field(min_length=1)
    lane_dims: tuple[LaneDimension, ...] = LANE_DIMENSIONS["together"]
    """What the lanes unroll."""
    area: Area | None = Field(default=None, ge=0)
    """One datapath instance; modelled when left out."""

    def unit_area(self, mac_area: Callable[[int, int], float]) -> float:
        """Area of one instance [m^2]: as given, else of the multipliers that the most demanding mode needs."""
        if self.area is not None:
            return self.area
        return max(mode.macs_per_cycle * mac_area(mode.weights, mode.activations) for mode in self.modes)

    def lane_dimensions(self) -> tuple[LaneDimension, ...]:
        """Dimensions that the lanes may unroll."""
        return self.lane_dims

    def resolve(self, weight_bits: Integers, activation_bits: Integers) -> Modes:
        """See `DatapathStyle.resolve`. Raises Infeasible where no mode fits and none is widest in both operands."""
        preferred = sorted(self.modes, key=lambda m: (-m.macs_per_cycle, m.weights + m.activations, m.weights))
        widths = np.array([(m.weights, m.activations) for m in preferred])
        passes = -(-weight_bits[..., None] // widths[:, 0]) * -(-activation_bits[..., None] // widths[:, 1])
        fits = passes == 1
        unfit = ~fits.any(axis=-1)
        if unfit.any():
            widest = np.flatnonzero((widths == widths.max(axis=0)).all(axis=1))
            if not len(widest):
                weights, activations = weight_bits[unfit].flat[0], activation_bits[unfit].flat[0]
                raise Infeasible(
                    f"no mode holds {weights}-bit weights and {activations}-bit activations", constraint="mode"
                )
            fits[unfit, widest[0]] = True
        chosen = fits.argmax(axis=-1)
        count = np.take_along_axis(passes, chosen[..., None], axis=-1)[..., 0]
        return Modes(
            weight_bits=-(-weight_bits // widths[chosen, 0]) * widths[chosen, 0],
            activation_bits=-(-activation_bits // widths[chosen, 1]) * widths[chosen, 1],
            rate=np.array([m.macs_per_cycle / m.lanes for m in preferred])[chosen] / count,
            lanes=np.array([m.lanes for m in preferred])[chosen],
            energy=np.array([m.energy for m in preferred])[chosen] * count,
        )
