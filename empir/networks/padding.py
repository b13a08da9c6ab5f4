"""What TensorFlow calls SAME padding: ceil(size / stride) windows, an odd zero at the bottom and right."""

from __future__ import annotations

from torch import nn


def same(size: int, kernel: int, stride: int = 1) -> tuple[int, int]:
    """Zeros before and after an axis of `size` elements."""
    windows = -(-size // stride)
    zeros = max(0, (windows - 1) * stride + kernel - size)
    return zeros // 2, zeros - zeros // 2


def same_conv(index: int, size: int, channels: tuple[int, int], kernel: int, stride: int = 1) -> dict[str, nn.Module]:
    """`conv<index>` of a square image without a bias, behind `pad<index>` where the padding is odd.

    Args:
        index: number of the layer.
        size: height and width of the image [elements].
        channels: in and out.
        kernel, stride: in both directions.
    """
    before, after = same(size, kernel, stride)
    odd = (0, after - before) * 2
    pad: dict[str, nn.Module] = {f"pad{index}": nn.ZeroPad2d(odd)} if any(odd) else {}
    return pad | {f"conv{index}": nn.Conv2d(*channels, kernel, stride, padding=before, bias=False)}
