"""Softmax over rows."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.operators.operator import Operator


@dataclass(frozen=True)
class Softmax(Operator):
    """exp(x - max) / sum: for a row of n, n - 1 comparisons, n subtractions, n exp, n - 1 additions, n divisions.

    Args:
        rows: of one sample.
        width: elements of a row.
    """

    rows: int
    width: int

    @property
    def label(self) -> str:
        return "softmax"

    @property
    def shape(self) -> str:
        return f"{self.batch * self.rows}x{self.width}"

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.rows * self.width,)

    @property
    def output_elements(self) -> int:
        return self.batch * self.rows * self.width

    @property
    def operations(self) -> int:
        return self.batch * self.rows * (5 * self.width - 2)
