"""Normalisations: batch norm is a fixed scale and shift at inference, the others measure their input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwsim.operators.operator import Operator, Parameters


@dataclass(frozen=True)
class Normalization(Operator):
    """Subtract a mean, divide by a deviation, scale and shift.

    Vector operations for each element and, with `width` elements that share a mean, for each mean:

    * batch: 2 (multiply, add). Mean, deviation, scale and shift are constants and merge into two numbers a channel,
      which stay at full precision. Directly after a convolution or matrix product it folds into that layer.
    * layer, group, instance: 5 (add to the mean; subtract; square, add to the variance; multiply), 2 more if affine
      and 4 a mean (two divisions, add epsilon, inverse root).
    * rms: 3 (square, add, multiply), 1 more if affine and 3 a mean.

    Args:
        kind: what is averaged.
        elements: of one sample.
        channels: length of the scale (and shift).
        width: elements that share a mean.
        affine: has a learned scale and shift; of no concern to batch norm, whose statistics are a scale and a shift.
    """

    kind: Literal["batch", "layer", "group", "instance", "rms"]
    elements: int
    channels: int
    width: int = 1
    affine: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.elements % self.width:
            raise ValueError(f"{self.kind} norm: {self.elements} elements are no multiple of the width {self.width}")

    @property
    def folds(self) -> bool:
        """A scale and shift known before the run."""
        return self.kind == "batch"

    @property
    def label(self) -> str:
        return f"{self.kind} norm"

    @property
    def shape(self) -> str:
        return f"{self.channels}" if self.folds else f"{self.batch * self.elements // self.width}x{self.width}"

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.elements,)

    @property
    def output_elements(self) -> int:
        return self.batch * self.elements

    @property
    def operations(self) -> int:
        elements, means = self.output_elements, self.output_elements // self.width
        match self.kind:
            case "batch":
                return 2 * elements
            case "rms":
                return (3 + self.affine) * elements + 3 * means
            case _:
                return (5 + 2 * self.affine) * elements + 4 * means

    @property
    def parameters(self) -> Parameters:
        if self.folds:
            return Parameters(norms=2 * self.channels)
        vectors = 1 if self.kind == "rms" else 2
        return Parameters(norms=vectors * self.channels if self.affine else 0)
