"""Activation functions and element-by-element arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.operators.operator import Operator, Parameters

#: Vector operations of a function of one element.
UNARY: dict[str, int] = {
    "relu": 1,  # maximum
    "relu6": 2,  # maximum, minimum
    "clip": 2,  # maximum, minimum
    "leaky relu": 2,  # multiply, maximum
    "prelu": 2,  # multiply, maximum
    "elu": 4,  # exp, subtract, multiply, select
    "selu": 5,  # exp, subtract, multiply, select, multiply
    "sigmoid": 4,  # negate, exp, add, divide
    "hard sigmoid": 4,  # multiply, add, maximum, minimum
    "silu": 5,  # sigmoid, multiply
    "hard swish": 5,  # add, maximum, minimum, multiply, multiply
    "gelu": 5,  # multiply, erf, multiply, add, multiply
    "gelu tanh": 8,  # square, multiply, add, multiply, tanh, multiply, add, multiply
    "mish": 4,  # exp, log, tanh, multiply
    "softplus": 3,  # exp, add, log
    "tanh": 1,
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "rsqrt": 1,
    "reciprocal": 1,
    "erf": 1,
    "sin": 1,
    "cos": 1,
    "abs": 1,
    "neg": 1,
    "sign": 1,
    "floor": 1,
    "ceil": 1,
    "round": 1,
    "not": 1,
    "square": 1,
}

#: Functions of two elements, one vector operation each; three operands take two, and so on.
BINARY = frozenset({"add", "sub", "mul", "div", "max", "min", "pow", "mod", "compare", "and", "or"})

#: A choice between two elements by a third: one vector operation.
SELECT = "select"


@dataclass(frozen=True)
class Elementwise(Operator):
    """The same function of each element.

    Args:
        kind: a key of `UNARY`, one of `BINARY`, or "select".
        elements: results of one sample.
        operands: size of every activation operand of one sample, smaller ones are broadcast; empty means one of
            `elements`.
        constants: learned operands, as the position table added to an embedding [elements]. A single number is no
            operand: adding it is still one operation.
    """

    kind: str
    elements: int
    operands: tuple[int, ...] = ()
    constants: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in UNARY and self.kind not in BINARY and self.kind != SELECT:
            raise ValueError(f"unknown elementwise function {self.kind!r}")

    @property
    def fuses(self) -> bool:
        """A function of nothing but one producer's element, or with learned slopes (PReLU)."""
        return len(self.operands) <= 1 and (not self.constants or self.kind in UNARY)

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
    def operations(self) -> int:
        if self.kind in UNARY:
            return self.output_elements * UNARY[self.kind]
        if self.kind == SELECT:
            return self.output_elements
        return self.output_elements * max(1, len(self.inputs) + (self.constants > 0) - 1)

    @property
    def parameters(self) -> Parameters:
        return Parameters(biases=self.constants)
