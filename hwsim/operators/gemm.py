"""Matrix products: with stored weights (fully connected layers) and between activations (attention)."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.operators.nest import LoopNest
from hwsim.operators.operator import Operator, Parameters


@dataclass(frozen=True)
class Gemm(Operator):
    """A fully connected layer, the same for every row (pixel, token) of every sample.

    Args:
        in_features, out_features: the weights are out_features x in_features.
        rows: of one sample.
        bias: one for each output feature.
    """

    in_features: int
    out_features: int
    rows: int = 1
    bias: bool = False

    @property
    def label(self) -> str:
        return "gemm"

    @property
    def shape(self) -> str:
        return f"{self.batch * self.rows}x{self.in_features}x{self.out_features}"

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.rows * self.in_features,)

    @property
    def output_elements(self) -> int:
        return self.batch * self.rows * self.out_features

    @property
    def parameters(self) -> Parameters:
        return Parameters(self.in_features * self.out_features, self.out_features if self.bias else 0)

    def nest(self) -> LoopNest:
        return LoopNest(N=self.batch * self.rows, K=self.out_features, C=self.in_features)


@dataclass(frozen=True)
class BatchedGemm(Operator):
    """One product of two activations for every head: scores = queries x keys, context = scores x values.

    The second operand takes the place of the weights in the nest, but is computed anew for each sample: it stores no
    parameters and has the bits of an activation.

    Args:
        heads: independent products of one sample.
        rows, inner, columns: each multiplies rows x inner by inner x columns.
    """

    heads: int
    rows: int
    inner: int
    columns: int

    @property
    def label(self) -> str:
        return "batched gemm"

    @property
    def shape(self) -> str:
        return f"{self.batch * self.heads}*{self.rows}x{self.inner}x{self.columns}"

    @property
    def inputs(self) -> tuple[int, ...]:
        products = self.batch * self.heads
        return products * self.rows * self.inner, products * self.inner * self.columns

    @property
    def output_elements(self) -> int:
        return self.batch * self.heads * self.rows * self.columns

    def nest(self) -> LoopNest:
        return LoopNest(N=self.rows, G=self.batch * self.heads, K=self.columns, C=self.inner)
