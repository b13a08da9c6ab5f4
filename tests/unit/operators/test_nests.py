"""Loop nests are executed and compared with torch."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch.nn.functional import conv2d

from hwsim.operators import BatchedGemm, Conv2d, Gemm, LoopNest, Operand


def execute(nest: LoopNest, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """O[n,g,k,p,q] += W[g,k,c,r,s] * I[n,g,c,y,x], every index a loop."""
    outputs = np.zeros((nest.N, nest.G, nest.K, nest.P, nest.Q))
    for n, g, k, c, p, q, r, s in product(*map(range, nest.sizes)):
        y = p * nest.stride[0] + r * nest.dilation[0]
        x = q * nest.stride[1] + s * nest.dilation[1]
        outputs[n, g, k, p, q] += weights[g, k, c, r, s] * inputs[n, g, c, y, x]
    return outputs


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw: st.DrawFn) -> Conv2d:
    groups = draw(st.integers(1, 3))
    kernel, dilation = draw(pairs), draw(pairs)
    padding = draw(st.tuples(*[st.integers(0, 2)] * 4))
    reach = [dilation[axis] * (kernel[axis] - 1) + 1 - padding[axis] - padding[axis + 2] for axis in (0, 1)]
    return Conv2d(
        in_channels=groups * draw(st.integers(1, 2)),
        out_channels=groups * draw(st.integers(1, 2)),
        kernel=kernel,
        image=tuple(max(1, size) + draw(st.integers(0, 3)) for size in reach),
        stride=draw(pairs),
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=draw(st.sampled_from(("none", "channel", "position"))),
        batch=draw(st.integers(1, 2)),
    )


@given(convolutions())
def test_conv_computes_what_torch_does(conv):
    nest = conv.nest()
    numbers = np.random.default_rng(0)
    weights = numbers.integers(-8, 8, (conv.out_channels, nest.C, *conv.kernel))
    image = numbers.integers(-8, 8, (conv.batch, conv.in_channels, *conv.image))
    top, left, bottom, right = conv.padding
    padded = np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)))
    expected = conv2d(
        torch.tensor(padded, dtype=torch.float64),
        torch.tensor(weights, dtype=torch.float64),
        stride=conv.stride,
        dilation=conv.dilation,
        groups=conv.groups,
    ).numpy()
    made = execute(
        nest,
        weights.reshape(nest.G, nest.K, nest.C, nest.R, nest.S),
        padded.reshape(nest.N, nest.G, nest.C, *padded.shape[2:]),
    )
    assert np.array_equal(made.reshape(expected.shape), expected)
    assert conv.output == expected.shape[2:]
    assert conv.output_elements == expected.size == nest.elements(Operand.OUTPUTS)
    assert conv.inputs == (image.size,)
    assert conv.parameters.weights == weights.size == nest.elements(Operand.WEIGHTS)
    biases = {"none": 0, "channel": conv.out_channels, "position": expected[0].size}
    assert conv.parameters.biases == biases[conv.bias]


def test_depthwise_has_one_input_channel_a_group():
    conv = Conv2d(6, 12, kernel=(3, 3), image=(5, 5), groups=6)
    assert conv.depthwise
    assert (conv.nest().G, conv.nest().K, conv.nest().C) == (6, 2, 1)
    assert conv.label == "depthwise conv"
    assert not Conv2d(1, 4, kernel=(3, 3), image=(5, 5)).depthwise


def test_gemm_is_a_matrix_product():
    gemm = Gemm(in_features=5, out_features=3, rows=2, bias=True, batch=2)
    numbers = np.random.default_rng(0)
    rows, weights = numbers.integers(-8, 8, (4, 5)), numbers.integers(-8, 8, (3, 5))
    made = execute(gemm.nest(), weights.reshape(1, 3, 5, 1, 1), rows.reshape(4, 1, 5, 1, 1))
    assert np.array_equal(made.reshape(4, 3), rows @ weights.T)
    assert (gemm.inputs, gemm.output_elements) == ((20,), 12)
    assert (gemm.parameters.weights, gemm.parameters.biases) == (15, 3)


def test_batched_gemm_is_a_matrix_product_for_each_head():
    gemm = BatchedGemm(heads=2, rows=3, inner=4, columns=5, batch=2)
    numbers = np.random.default_rng(0)
    a, b = numbers.integers(-8, 8, (4, 3, 4)), numbers.integers(-8, 8, (4, 4, 5))
    made = execute(
        gemm.nest(),
        b.transpose(0, 2, 1).reshape(4, 5, 4, 1, 1),
        a.transpose(1, 0, 2).reshape(3, 4, 4, 1, 1),
    )
    assert np.array_equal(made.reshape(3, 4, 5).transpose(1, 0, 2), a @ b)
    assert (gemm.inputs, gemm.output_elements) == ((a.size, b.size), 60)
    assert gemm.parameters.total == 0


def test_shapes_for_tables():
    assert Conv2d(3, 64, kernel=(7, 7), image=(224, 224), stride=(2, 2)).shape == "64x3x7x7 s2"
    assert Conv2d(8, 8, kernel=(3, 3), image=(9, 9), groups=2).shape == "8x4x3x3 g2"
    assert Gemm(768, 3072, rows=128, batch=2).shape == "256x768x3072"
    assert BatchedGemm(12, 128, 64, 128).shape == "12*128x64x128"


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": 2},
        {"kernel": (9, 3)},
        {"stride": (0, 1)},
        {"padding": (-1, 0, 0, 0)},
        {"batch": 0},
        {"out_channels": 0},
    ],
)
def test_sizes_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match=r"divide|fit|at least"):
        Conv2d(**{"in_channels": 3, "out_channels": 4, "kernel": (3, 3), "image": (5, 5)} | wrong)


@pytest.mark.parametrize(
    "bounds", [{"K": 5.5}, {"C": 2.0}, {"K": "5"}, {"K": 0}, {"stride": (1, 0)}, {"dilation": (1.0, 1)}]
)
def test_only_whole_numbers_from_one_bound_a_nest(bounds):
    with pytest.raises(ValueError, match="must be"):
        LoopNest(**bounds)
