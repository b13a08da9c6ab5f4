"""What every datapath style shares: the modes it offers and the arrays that price them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, ValidationInfo, field_validator

from hwsim.errors import Infeasible
from hwsim.units import Area, Bits, Cycles, Energy
from hwsim.value import Value

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Width = Annotated[int, Field(ge=1, le=64)]
LaneDimension = Literal["N", "G", "K", "C", "P", "Q", "R", "S"]

#: Where the products of one multiplier's lanes go: into one sum, or into outputs of their own.
LANE_DIMENSIONS: dict[str, tuple[LaneDimension, ...]] = {"together": ("C", "R", "S"), "apart": ("K",)}


@dataclass(frozen=True)
class Mode:
    """The configuration in which a datapath runs one pair of operand widths.

    Args:
        name: `w4a4`: the widths the hardware runs at, which are what a mode switch compares.
        weight_bits, activation_bits: those widths [bits], never below the widths asked for.
        rate: multiply-accumulates per cycle of one datapath instance, lanes excluded.
        lanes: multiplies packed side by side in one native multiplier; 1 unless the style packs operands.
        lane_dims: dimensions that the lanes may unroll.
        energy: energy of one multiply-accumulate [J].
    """

    name: str
    weight_bits: int
    activation_bits: int
    rate: float
    lanes: int
    lane_dims: tuple[LaneDimension, ...]
    energy: float


class Modes(NamedTuple):
    """`Mode` for whole arrays of operand widths, one array a field, all of the operands' broadcast shape."""

    weight_bits: Integers
    activation_bits: Integers
    rate: Floats
    lanes: Integers
    energy: Floats


class DatapathStyle(Value):
    """A reconfigurable multiply-accumulate unit. A style adds its fields and says how two widths `resolve`.

    `offset_correction` concerns DoReFa weights, which are odd integers 2i - n. Where it is set the array multiplies the
    unsigned code i, and sum(a (2i - n)) = 2 sum(a i) - n sum(a) asks for one extra sum of activations per output pixel,
    shared by its K outputs: 1/K more accumulations. Otherwise the multiplier takes odd signed integers as they are.
    """

    style: str
    accumulator: Bits = Field(default=32, gt=0)
    """Width of a partial sum."""
    reconfiguration: Cycles = Field(default=0.0, ge=0)
    """Cycles lost when the mode changes."""
    offset_correction: bool = False
    """DoReFa weights run unsigned plus one activation sum."""

    @abstractmethod
    def resolve(self, weight_bits: Integers, activation_bits: Integers) -> Modes:
        """The mode of each pair of widths; both arrays have one shape and hold at least 1.

        Raises:
            Infeasible: no mode can run one of the pairs.
        """

    @abstractmethod
    def unit_area(self, mac_area: Callable[[int, int], float]) -> float:
        """Area of one datapath instance [m^2].

        Args:
            mac_area: area of a fixed-width multiply-accumulate unit of these weight and activation bits [m^2], for
                what the file leaves out.
        """

    def lane_dimensions(self) -> tuple[LaneDimension, ...]:
        """Dimensions that packed lanes may unroll; none for a style that packs nothing."""
        return ()

    def mode(self, weight_bits: int, activation_bits: int) -> Mode:
        """The mode that multiplies `weight_bits` by `activation_bits`.

        Raises:
            Infeasible: no mode can run them.
        """
        modes = self._checked(weight_bits, activation_bits)
        weights, activations = int(modes.weight_bits), int(modes.activation_bits)
        lanes = int(modes.lanes)
        return Mode(
            name=f"w{weights}a{activations}",
            weight_bits=weights,
            activation_bits=activations,
            rate=float(modes.rate),
            lanes=lanes,
            lane_dims=self.lane_dimensions() if lanes > 1 else (),
            energy=float(modes.energy),
        )

    def throughput(self, weight_bits: ArrayLike, activation_bits: ArrayLike) -> Floats:
        """Multiply-accumulates per cycle of one instance with every lane busy; shape: the operands' broadcast."""
        modes = self._checked(weight_bits, activation_bits)
        return modes.rate * modes.lanes

    def energy(self, weight_bits: ArrayLike, activation_bits: ArrayLike) -> Floats:
        """Energy of one multiply-accumulate [J]; shape: the operands' broadcast."""
        return self._checked(weight_bits, activation_bits).energy

    def _checked(self, weight_bits: ArrayLike, activation_bits: ArrayLike) -> Modes:
        weights, activations = np.broadcast_arrays(
            np.asarray(weight_bits, dtype=np.int64), np.asarray(activation_bits, dtype=np.int64)
        )
        if (np.minimum(weights, activations) < 1).any():
            raise Infeasible("operands need at least 1 bit", constraint="mode")
        return self.resolve(weights, activations)


class NativeStyle(DatapathStyle):
    """A style built around one multiplier of `native` x `native` bits that narrower operands share.

    Operands run at the next width of `widths`; beyond the widest, at the next multiple of `native`, in passes.
    """

    native: Width
    """Width P of the multiplier."""
    widths: tuple[Width, ...] = Field(min_length=1)
    """Operand widths that the hardware runs."""
    macs_per_cycle: float = Field(default=1.0, gt=0)
    """Native multiply-accumulates per cycle of an instance."""
    mac_energy: Energy = Field(default=0.0, ge=0)
    """One native multiply-accumulate in a fixed-width unit."""
    energy_overhead: float = Field(gt=0)
    """Energy of the reconfigurable unit / a fixed-width one, native mode."""
    energies: dict[str, Energy] = Field(default_factory=dict)
    """Energy of a mode where it is known: {w4a4: 0.1 pJ}."""
    mac_area: Area | None = Field(default=None, ge=0)
    """One fixed-width native multiply-accumulate unit; modelled when left out."""
    area_overhead: float = Field(gt=0)
    """Area of the reconfigurable unit / a fixed-width one."""

    @field_validator("widths")
    @classmethod
    def _ascending(cls, widths: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(widths)))

    @field_validator("energies")
    @classmethod
    def _of_modes(cls, energies: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        widths = sorted({*info.data.get("widths", ()), *filter(None, [info.data.get("native")])})
        unknown = set(energies) - {f"w{w}a{a}" for w in widths for a in widths}
        if widths and unknown:
            raise ValueError(f"no mode is named {sorted(unknown)[0]!r}: write e.g. w{widths[0]}a{widths[-1]}")
        return energies

    def unit_area(self, mac_area: Callable[[int, int], float]) -> float:
        """Area of one instance: its native multipliers with what makes them reconfigurable [m^2]."""
        native = mac_area(self.native, self.native) if self.mac_area is None else self.mac_area
        return native * self.area_overhead * self.macs_per_cycle

    def running(self, bits: Integers) -> Integers:
        """The width at which operands of `bits` run [bits]."""
        widths = np.array(self.widths)
        index = np.minimum(np.searchsorted(widths, bits), len(widths) - 1)
        return np.where(bits <= widths[-1], widths[index], -(-bits // self.native) * self.native)

    def passes(self, bits: Integers) -> Floats:
        """Passes of the native multiplier that one operand costs; 1 up to the native width."""
        return np.maximum(bits / self.native, 1.0)

    def priced(self, weights: Integers, activations: Integers, fraction: ArrayLike) -> Floats:
        """Energy of modes [J]: what `energies` says, else the native energy times `fraction`."""
        energy = self.mac_energy * self.energy_overhead * np.asarray(fraction, dtype=np.float64)
        for name, known in self.energies.items():
            weight, activation = map(int, name[1:].split("a"))
            energy = np.where((weights == weight) & (activations == activation), known, energy)
        return energy
