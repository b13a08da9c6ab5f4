"""The one loop nest that every multiply-accumulate layer becomes.

    for n, g, k, p, q:            # output element
        for c, r, s:              # reduction
            O[n,g,k,p,q] += W[g,k,c,r,s] * I[n,g,c, p*stride + r*dilation, q*stride + s*dilation]

G counts groups, so K and C are per group; a batched GEMM is the nest with P = Q = R = S = 1 of a convolution and one
group per matrix. Padding zeros count as part of the input.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import prod
from numbers import Integral


class Operand(StrEnum):
    """What a level may keep and a loop may move."""

    WEIGHTS = "weights"
    INPUTS = "inputs"
    OUTPUTS = "outputs"


#: Dimensions in the order used for every array axis in hwsim.
DIMENSIONS = ("N", "G", "K", "C", "P", "Q", "R", "S")

#: Dimensions that index each operand (the projection's support).
RELEVANT: dict[Operand, frozenset[str]] = {
    Operand.WEIGHTS: frozenset("GKCRS"),
    Operand.INPUTS: frozenset("NGCPQRS"),
    Operand.OUTPUTS: frozenset("NGKPQ"),
}

#: Dimensions summed over.
REDUCTION = frozenset("CRS")


@dataclass(frozen=True)
class LoopNest:
    """Sizes and affine projection of one layer.

    Args:
        N, G, K, C, P, Q, R, S: loop bounds [iterations], K and C per group.
        stride: (vertical, horizontal) distance between outputs [input elements].
        dilation: (vertical, horizontal) distance between filter taps [input elements].

    Raises:
        ValueError: a bound, stride or dilation that is below 1 or not whole.
    """

    N: int = 1
    G: int = 1
    K: int = 1
    C: int = 1
    P: int = 1
    Q: int = 1
    R: int = 1
    S: int = 1
    stride: tuple[int, int] = field(default=(1, 1), kw_only=True)
    dilation: tuple[int, int] = field(default=(1, 1), kw_only=True)

    def __post_init__(self) -> None:
        for name in (*DIMENSIONS, "stride", "dilation"):
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if not isinstance(number, Integral):
                    raise ValueError(f"{name} must be a whole number, not {number!r}")
                if number < 1:
                    raise ValueError(f"{name} must be at least 1, not {number}")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Loop bounds in the order of `DIMENSIONS`."""
        return tuple(getattr(self, d) for d in DIMENSIONS)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole nest."""
        return prod(self.sizes)

    def elements(self, operand: Operand) -> int:
        """Distinct elements of an operand that the nest touches."""
        if operand is Operand.WEIGHTS:
            return self.G * self.K * self.C * self.R * self.S
        if operand is Operand.OUTPUTS:
            return self.N * self.G * self.K * self.P * self.Q
        height = touched(self.P, self.R, self.stride[0], self.dilation[0])
        width = touched(self.Q, self.S, self.stride[1], self.dilation[1])
        return self.N * self.G * self.C * height * width

    def im2col(self) -> LoopNest:
        """The same work lowered to a matrix product: the window becomes one reduction, the pixels one row index."""
        return LoopNest(G=self.G, K=self.K, C=self.C * self.R * self.S, P=self.N * self.P * self.Q)


def touched(outputs: int, taps: int, stride: int, dilation: int) -> int:
    """Distinct positions p*stride + r*dilation for p < outputs, r < taps.

    Two pairs meet exactly when p differs by dilation/gcd and r by stride/gcd, so every position but the first of such a
    chain is counted out once.
    """
    from math import gcd

    common = gcd(stride, dilation)
    return outputs * taps - max(0, outputs - dilation // common) * max(0, taps - stride // common)
