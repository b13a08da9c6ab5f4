"""Two-dimensional convolution: plain, grouped, depthwise, strided, dilated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwsim.operators.nest import LoopNest
from hwsim.operators.operator import Operator, Parameters
from hwsim.operators.window import NO_PADDING, Padding, Pair, describe, positions


@dataclass(frozen=True)
class Conv2d(Operator):
    """Convolution of an image; the padding's zeros are multiplied like any other input.

    Args:
        in_channels, out_channels: over all groups.
        kernel: height and width.
        image: height and width of the input before padding [elements].
        stride: distance between outputs [input elements].
        padding: zeros on top, left, bottom, right.
        dilation: distance between taps [input elements].
        groups: channels are split into this many convolutions; groups == in_channels is a depthwise one.
        bias: none, one for each channel, or one for each output position (an untied bias).
    """

    in_channels: int
    out_channels: int
    kernel: Pair
    image: Pair
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: Literal["none", "channel", "position"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"{self.groups} groups do not divide {self.in_channels} and {self.out_channels} channels")
        self.nest()

    @property
    def depthwise(self) -> bool:
        """Every group has one input channel."""
        return 1 < self.groups == self.in_channels

    @property
    def label(self) -> str:
        return "depthwise conv" if self.depthwise else "conv"

    @property
    def shape(self) -> str:
        text = f"{self.out_channels}x{self.in_channels // self.groups}x"
        text += describe(self.kernel, self.stride, self.dilation)
        return text if self.groups == 1 or self.depthwise else f"{text} g{self.groups}"

    @property
    def output(self) -> Pair:
        """Height and width of the result."""
        return positions(self.image, self.kernel, self.stride, self.padding, self.dilation)

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.batch * self.in_channels * self.image[0] * self.image[1],)

    @property
    def output_elements(self) -> int:
        return self.batch * self.out_channels * self.output[0] * self.output[1]

    @property
    def parameters(self) -> Parameters:
        weights = self.out_channels * self.in_channels // self.groups * self.kernel[0] * self.kernel[1]
        biases = {"none": 0, "channel": self.out_channels, "position": self.output_elements // self.batch}
        return Parameters(weights, biases[self.bias])

    def nest(self) -> LoopNest:
        height, width = self.output
        return LoopNest(
            N=self.batch,
            G=self.groups,
            K=self.out_channels // self.groups,
            C=self.in_channels // self.groups,
            P=height,
            Q=width,
            R=self.kernel[0],
            S=self.kernel[1],
            stride=self.stride,
            dilation=self.dilation,
        )
