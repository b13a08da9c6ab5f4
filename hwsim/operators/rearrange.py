"""Operators that compute nothing: views, which are free, and data movement."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.operators.operator import Operator, Parameters

#: Renames elements. The parts of a concatenation are written side by side by their producers, and who reads a slice, a
#: broadcast or a strided view (a transpose that a loop nest beside it takes over) computes other addresses: none of
#: them moves a word.
VIEWS = frozenset({"reshape", "flatten", "concat", "slice", "broadcast", "strided"})

#: Reads and writes every element of its result once.
MOVES = frozenset({"transpose", "pad", "gather", "resize", "shuffle"})


@dataclass(frozen=True)
class Rearrange(Operator):
    """Elements in another order, number or place.

    Args:
        kind: one of `VIEWS` or `MOVES`.
        elements: of the result, for one sample.
        operands: size of every activation operand of one sample; one of `elements` if empty.
        constants: learned parts, as the class token concatenated with the patches [elements].
    """

    kind: str
    elements: int
    operands: tuple[int, ...] = ()
    constants: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in VIEWS | MOVES:
            raise ValueError(f"unknown rearrangement {self.kind!r}")

    @property
    def view(self) -> bool:
        """Costs nothing."""
        return self.kind in VIEWS

    @property
    def label(self) -> str:
        return self.kind

    @property
    def shape(self) -> str:
        return f"{self.batch * self.elements}"

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(self.batch * size for size in self.operands or (self.elements,))

    @property
    def output_elements(self) -> int:
        return self.batch * self.elements

    @property
    def parameters(self) -> Parameters:
        return Parameters(biases=self.constants)
