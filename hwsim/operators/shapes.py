"""Loop nests by the names that people use for their sizes."""

from __future__ import annotations

from hwsim.operators.conv import Conv2d
from hwsim.operators.nest import LoopNest
from hwsim.operators.window import Padding, Pair


def gemm(M: int, N: int, K: int, batch: int = 1) -> LoopNest:
    """Product of an M x K matrix of activations and a K x N matrix of weights, `batch` of them side by side."""
    return LoopNest(G=batch, N=M, K=N, C=K)


def conv(
    in_channels: int,
    out_channels: int,
    kernel: int | Pair,
    image: int | Pair,
    stride: int | Pair = 1,
    padding: int | Padding = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    batch: int = 1,
) -> LoopNest:
    """Convolution of images; a single number stands for both directions, or for all four sides of the padding.

    Args:
        image: height and width before padding [elements].
        padding: zeros on top, left, bottom, right.

    Raises:
        ValueError: sizes that do not fit together.
    """
    return Conv2d(
        in_channels=in_channels,
        out_channels=out_channels,
        kernel=_pair(kernel),
        image=_pair(image),
        stride=_pair(stride),
        padding=(padding,) * 4 if isinstance(padding, int) else padding,
        dilation=_pair(dilation),
        groups=groups,
        batch=batch,
    ).nest()


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value
