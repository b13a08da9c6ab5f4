"""What TensorFlow calls SAME padding: ceil(size / stride) windows, an odd zero at the bottom and right."""

from __future__ import annotations


def same(size: int, kernel: int, stride: int = 1) -> tuple[int, int]:
    """Zeros before and after an axis of `size` elements."""
    windows = -(-size // stride)
    zeros = max(0, (windows - 1) * stride + kernel - size)
    return zeros // 2, zeros - zeros // 2
