"""Windows against torch, which counts them by itself."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, strategies as st
from torch.nn.functional import max_pool2d

from hwsim.operators.window import describe, positions, same


@given(
    image=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    part=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    ceil=st.booleans(),
)
def test_positions_as_in_torch(image, kernel, stride, dilation, part, ceil):
    zeros = tuple(int(share * (size // 2)) for share, size in zip(part, kernel, strict=True))
    try:
        made = max_pool2d(torch.zeros(1, 1, *image), kernel, stride, zeros, dilation, ceil_mode=ceil).shape[2:]
    except RuntimeError:
        with pytest.raises(ValueError, match="does not fit"):
            positions(image, kernel, stride, (*zeros, *zeros), dilation, ceil)
    else:
        assert positions(image, kernel, stride, (*zeros, *zeros), dilation, ceil) == tuple(made)


@pytest.mark.parametrize(
    ("image", "kernel", "stride", "padding"),
    [
        (28, 8, 2, (3, 3, 3, 3)),  # 14 outputs reach over 13*2 + 8 = 34: six zeros
        (54, 3, 2, (0, 0, 1, 1)),  # 27 outputs reach over 55: one zero, at the end
        (32, 5, 1, (2, 2, 2, 2)),
        (15, 8, 1, (3, 3, 4, 4)),
        (7, 1, 2, (0, 0, 0, 0)),  # a stride beyond the kernel needs no zeros
    ],
)
def test_same_is_tensorflows(image, kernel, stride, padding):
    assert same((image, image), (kernel, kernel), (stride, stride)) == padding


def test_describe():
    assert describe((7, 7), (2, 2)) == "7x7 s2"
    assert describe((1, 5), (1, 2), (3, 3)) == "1x5 s1x2 d3"
    assert describe((3, 3), (1, 1)) == "3x3"
