"""DoReFa quantisation of tensors: Equation 5 of EMPIR, after Zhou et al. (DoReFa-Net, arXiv:1606.06160).

With n = 2^k − 1 steps, quantize_k(x) = round(n x) / n for x in [0, 1]. Rounding is half to even and passes its gradient
on unchanged (straight through); every other operation has its own gradient. Arithmetic is in single precision at
least, whatever the tensor's type: n x is rounded once, so that the only x in [0, 1] that lies halfway between two
levels, 1/2, is seen as such; and the level i becomes i · fl(1/n), as ONNX's DequantizeLinear computes it, which is i/n
but for the last bit and exactly 0 and 1 at both ends.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: Widths that are not quantised begin here [bits].
UNQUANTIZED = 32


class _Round(torch.autograd.Function):
    """The nearest level i/n of `x` in [0, 1], or 2i/n − 1 if signed; the gradient is that of `x`, or of 2x − 1.

    The signed level is computed as (2i − n) / n, without cancellation.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, n: int, signed: bool) -> Tensor:
        codes = (x * n).round_()
        return (codes.mul_(2).sub_(n) if signed else codes).mul_(1 / n)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, bool], output: Tensor) -> None:
        ctx.signed = inputs[2]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return 2 * gradient if ctx.signed else gradient, None, None


def steps(bits: int) -> int:
    """Steps between the 2^bits levels."""
    return 2**bits - 1


def quantize_unit(x: Tensor, bits: int) -> Tensor:
    """Equation 5: `x` in [0, 1], any shape, to the nearest of 2^bits levels; 32 bits change nothing.

    Levels are exact to the last bit of the type of `x`.
    """
    if bits >= UNQUANTIZED:
        return x
    rounded: Tensor = _Round.apply(_widened(x), steps(bits), False)
    return rounded.to(x.dtype)


def quantize_weights(w: Tensor, bits: int) -> Tensor:
    """2 quantize_k(tanh w / (2 max|tanh w|) + 1/2) − 1: odd multiples of 1/n in [−1, 1]; 32 bits change nothing.

    The maximum is over the whole tensor and has a gradient, shared evenly by weights that attain it. A weight of zero
    lies halfway between two levels: half to even makes it −1 with one bit and +1/n with more. In a tensor of
    zeros all become that, with the gradient that a maximum of 1 would give.
    """
    if bits >= UNQUANTIZED:
        return w
    squashed = torch.tanh(_widened(w))
    largest = squashed.abs().amax()
    largest = torch.where(largest > 0, largest, torch.ones_like(largest))
    rounded: Tensor = _Round.apply(squashed / (2 * largest) + 0.5, steps(bits), True)
    return rounded.to(w.dtype)


def quantize_activations(x: Tensor, bits: int) -> Tensor:
    """`x`, any shape, clipped to [0, 1] and rounded; 32 bits neither clip nor round.

    The gradient of the clipping is 1 inside and at exactly 0 and 1, as black and white pixels are, and 0 outside.
    """
    if bits >= UNQUANTIZED:
        return x
    return quantize_unit(x.clamp(0, 1), bits)


def _widened(x: Tensor) -> Tensor:
    """In single precision at least: 2^k − 1 levels need more than half precision has."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
