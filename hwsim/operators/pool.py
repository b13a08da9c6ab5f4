"""Pooling: windows that slide, windows that adapt to a wanted output, and reductions over whole axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwsim.operators.operator import Operator
from hwsim.operators.window import NO_PADDING, Padding, Pair, describe, positions


def window_operations(kind: str, elements: int) -> int:
    """Vector operations to reduce a window: n - 1 comparisons or additions, and one multiplication for an average."""
    return elements - 1 + (kind == "average" and elements > 1)


@dataclass(frozen=True)
class Pool(Operator):
    """Maximum or average over a sliding window: k*k - 1 operations an output, k*k for an average.

    Padding counts as elements of the window.

    Args:
        kind: what becomes of a window.
        channels: of the input and the output.
        kernel, stride, dilation: in each direction [elements].
        image: height and width of the input before padding [elements].
        padding: top, left, bottom, right.
        ceil: keep a last window that hangs over the edge.
    """

    kind: Literal["max", "average"]
    channels: int
    kernel: Pair
    image: Pair
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    ceil: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.output

    @property
    def label(self) -> str:
        return f"{self.kind} pool"

    @property
    def shape(self) -> str:
        return f"{self.channels}x{describe(self.kernel, self.stride, self.dilation)}"

    @property
    def output(self) -> Pair:
        """Height and width of the result."""
        return positions(self.image, self.kernel, self.stride, self.padding, self.dilation, self.ceil)

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.channels * self.image[0] * self.image[1],)

    @property
    def output_elements(self) -> int:
        return self.batch * self.channels * self.output[0] * self.output[1]

    @property
    def operations(self) -> int:
        return self.output_elements * window_operations(self.kind, self.kernel[0] * self.kernel[1])


@dataclass(frozen=True)
class AdaptivePool(Operator):
    """Maximum or average over windows that cover the image: output i sees floor(i*H/h) .. ceil((i+1)*H/h).

    An output of (1, 1) is global pooling.

    Args:
        kind: what becomes of a window.
        channels: of the input and the output.
        image: height and width of the input [elements].
        output: height and width of the result [elements].
    """

    kind: Literal["max", "average"]
    channels: int
    image: Pair
    output: Pair = (1, 1)

    @property
    def label(self) -> str:
        return f"global {self.kind} pool" if self.output == (1, 1) else f"adaptive {self.kind} pool"

    @property
    def shape(self) -> str:
        return f"{self.channels}x{self.image[0]}x{self.image[1]} to {self.output[0]}x{self.output[1]}"

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.channels * self.image[0] * self.image[1],)

    @property
    def output_elements(self) -> int:
        return self.batch * self.channels * self.output[0] * self.output[1]

    @property
    def operations(self) -> int:
        rows, columns = (
            [-(-(i + 1) * size // count) - i * size // count for i in range(count)]
            for size, count in zip(self.image, self.output, strict=True)
        )
        windows = (window_operations(self.kind, height * width) for height in rows for width in columns)
        return self.batch * self.channels * sum(windows)


@dataclass(frozen=True)
class Reduction(Operator):
    """One number from `width` elements (a mean over tokens, a maximum over channels): width - 1 operations, one more
    for an average.

    Args:
        kind: what becomes of the elements.
        outputs: results of one sample [elements].
        width: elements that each result is made of.
    """

    kind: Literal["max", "min", "sum", "average"]
    outputs: int
    width: int

    @property
    def label(self) -> str:
        return f"reduce {self.kind}"

    @property
    def shape(self) -> str:
        return f"{self.outputs}x{self.width}"

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.outputs * self.width,)

    @property
    def output_elements(self) -> int:
        return self.batch * self.outputs

    @property
    def operations(self) -> int:
        return self.output_elements * window_operations(self.kind, self.width)
