"""The same network, arranged for a CPU: channels last, and convolutions that oneDNN is slow at in another form.

Two forms are equal to a convolution term by term. A stride that divides the kernel is moved into the channels (space
to depth): a kernel of size k and stride s over c channels is one of size k/s and stride 1 over c s² channels. A kernel
that covers its whole input is a matrix product. Sums are taken in another order: results agree to rounding.
"""

from __future__ import annotations

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: With fewer channels than a vector register has elements, oneDNN's gradient of a strided convolution's input runs four
#: times slower than that of its other form; with more, the other form gains nothing.
_FEW_CHANNELS = 16


class _Conv2d(nn.Conv2d):
    """Picks its form by the input's size."""

    def forward(self, input: Tensor) -> Tensor:
        if self.padding == (0, 0) and input.shape[2:] == self.kernel_size:
            rows, weights = (x.permute(0, 2, 3, 1).flatten(1) for x in (input, self.weight))
            return F.linear(rows, weights, self.bias)[:, :, None, None]
        stride = self.stride[0]
        divides = all(size % stride == 0 for size in self.kernel_size)
        if stride > 1 and self.stride[1] == stride and divides and self.in_channels < _FEW_CHANNELS:
            return self._space_to_depth(input, stride)
        return super().forward(input)

    def _space_to_depth(self, input: Tensor, stride: int) -> Tensor:
        margins: list[int] = []
        for size, kernel, before in zip(input.shape[2:], self.kernel_size, self.padding, strict=True):
            read = (size + 2 * before - kernel) // stride * stride + kernel
            margins = [before, read - size - before, *margins]  # the last axis first, as `pad` has them
        unshuffled = F.pixel_unshuffle(F.pad(input, margins), stride).contiguous(memory_format=torch.channels_last)
        weights = F.pixel_unshuffle(self.weight, stride).contiguous(memory_format=torch.channels_last)
        return F.conv2d(unshuffled, weights, self.bias)


def arrange(module: nn.Module) -> nn.Module:
    """A copy of a module [batch, channels, height, width to anything] that computes the same, to rounding.

    Plain convolutions alone take another form: not grouped, not dilated, with numbers for padding.
    """
    arranged = deepcopy(module).to(memory_format=torch.channels_last)
    for layer in arranged.modules():
        plain = type(layer) is nn.Conv2d and layer.groups == 1 and layer.dilation == (1, 1)
        if plain and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
            layer.__class__ = _Conv2d
    return arranged
