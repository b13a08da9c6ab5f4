"""Table lookup."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.operators.operator import Operator, Parameters


@dataclass(frozen=True)
class Embedding(Operator):
    """One row of a table for every index. No operations: the rows are read and written.

    Args:
        entries: rows of the table.
        width: elements of a row.
        indices: lookups of one sample.
    """

    entries: int
    width: int
    indices: int

    @property
    def label(self) -> str:
        return "embedding"

    @property
    def shape(self) -> str:
        return f"{self.batch * self.indices} of {self.entries}x{self.width}"

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.indices,)

    @property
    def output_elements(self) -> int:
        return self.batch * self.indices * self.width

    @property
    def parameters(self) -> Parameters:
        return Parameters(weights=self.entries * self.width)

    @property
    def parameters_read(self) -> int:
        return self.output_elements
