"""Windows that slide over an image: how many there are, and how far to pad."""

from __future__ import annotations

Pair = tuple[int, int]

#: Rows and columns of zeros around an image: top, left, bottom, right (the order of ONNX).
Padding = tuple[int, int, int, int]

NO_PADDING: Padding = (0, 0, 0, 0)


def positions(image: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, ceil: bool = False) -> Pair:
    """Windows in each direction.

    Args:
        image: height and width before padding [elements].
        kernel: taps in each direction.
        stride: distance between windows [elements].
        padding: zeros around the image.
        dilation: distance between taps [elements].
        ceil: also count a last window that hangs over the edge, unless it would begin in the padding after the image.

    Raises:
        ValueError: the window is larger than the padded image.
    """
    counts = []
    for axis in (0, 1):
        padded = image[axis] + padding[axis] + padding[axis + 2]
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        slack = padded - reach
        count = 1 + (-(-slack // stride[axis]) if ceil else slack // stride[axis])
        if ceil and (count - 1) * stride[axis] >= image[axis] + padding[axis]:
            count -= 1
        if count < 1:
            raise ValueError(f"a window of {reach} does not fit into {padded} elements")
        counts.append(count)
    return counts[0], counts[1]


def same(image: Pair, kernel: Pair, stride: Pair = (1, 1), dilation: Pair = (1, 1)) -> Padding:
    """The padding that TensorFlow calls SAME: ceil(image / stride) windows, an odd zero at the bottom and right."""
    before, after = [], []
    for axis in (0, 1):
        windows = -(-image[axis] // stride[axis])
        zeros = max(0, (windows - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 - image[axis])
        before.append(zeros // 2)
        after.append(zeros - zeros // 2)
    return before[0], before[1], after[0], after[1]


def describe(kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> str:
    """Window, stride and dilation for tables: "7x7 s2", "3x3 d2", "1x5 s1x2"."""

    def short(pair: Pair) -> str:
        return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"

    text = f"{kernel[0]}x{kernel[1]}"
    if stride != (1, 1):
        text += f" s{short(stride)}"
    if dilation != (1, 1):
        text += f" d{short(dilation)}"
    return text
