"""Vector operations are counted by running the textbook algorithm on numbers that count."""

from __future__ import annotations

import math

import pytest
import torch

from hwsim.operators import AdaptivePool, Elementwise, Embedding, Normalization, Pool, Rearrange, Reduction, Softmax
from hwsim.operators.elementwise import BINARY, UNARY


class Counted:
    """A number that counts what is done with it."""

    done = 0

    def __init__(self, value: float) -> None:
        self.value = value

    def _apply(self, function, *others):
        Counted.done += 1
        values = [other.value if isinstance(other, Counted) else other for other in others]
        return Counted(function(self.value, *values))

    def __add__(self, other):
        return self._apply(lambda a, b: a + b, other)

    def __sub__(self, other):
        return self._apply(lambda a, b: a - b, other)

    def __mul__(self, other):
        return self._apply(lambda a, b: a * b, other)

    def __truediv__(self, other):
        return self._apply(lambda a, b: a / b, other)

    __radd__, __rmul__ = __add__, __mul__

    def __rtruediv__(self, other):
        return self._apply(lambda a, b: b / a, other)

    def __neg__(self):
        return self._apply(lambda a: -a)

    def above(self, other):
        return self._apply(max, other)

    def below(self, other):
        return self._apply(min, other)

    def call(self, function):
        return self._apply(function)


def count(algorithm, *sizes: int) -> int:
    Counted.done = 0
    algorithm(*([Counted(1.0 + i) for i in range(size)] for size in sizes))
    return Counted.done


def total(values):
    first, *rest = values
    for value in rest:
        first = first + value
    return first


def largest(values):
    first, *rest = values
    for value in rest:
        first = first.above(value)
    return first


def softmax(x):
    top = largest(x)
    powers = [(value - top).call(math.exp) for value in x]
    whole = total(powers)
    return [power / whole for power in powers]


def sum_from_zero(values):
    whole = Counted(0.0)
    for value in values:
        whole = whole + value
    return whole


def layer_norm(x, scale, shift):
    mean = sum_from_zero(x) / len(x)
    centred = [value - mean for value in x]
    variance = sum_from_zero([value * value for value in centred]) / len(x)
    inverse = (variance + 1e-5).call(lambda v: v**-0.5)
    return [value * inverse * s + t for value, s, t in zip(centred, scale, shift, strict=True)]


def plain_layer_norm(x):
    mean = sum_from_zero(x) / len(x)
    centred = [value - mean for value in x]
    variance = sum_from_zero([value * value for value in centred]) / len(x)
    inverse = (variance + 1e-5).call(lambda v: v**-0.5)
    return [value * inverse for value in centred]


def rms_norm(x, scale):
    inverse = (sum_from_zero([value * value for value in x]) / len(x) + 1e-5).call(lambda v: v**-0.5)
    return [value * inverse * s for value, s in zip(x, scale, strict=True)]


@pytest.mark.parametrize(
    ("operator", "runs", "algorithm", "sizes"),
    [
        (Softmax(rows=3, width=7, batch=2), 6, softmax, (7,)),
        (Normalization("layer", 24, 8, 8, batch=2), 6, layer_norm, (8, 8, 8)),
        (Normalization("layer", 24, 8, 8, affine=False), 3, plain_layer_norm, (8,)),
        (Normalization("rms", 24, 8, 8), 3, rms_norm, (8, 8)),
        (Normalization("batch", 24, 8), 24, lambda x, s, t: x[0] * s[0] + t[0], (1, 1, 1)),
        (Pool("max", 4, (3, 3), (7, 7), (2, 2)), 4 * 9, largest, (9,)),
        (Pool("average", 4, (2, 2), (6, 6), (2, 2)), 4 * 9, lambda x: total(x) * 0.25, (4,)),
        (AdaptivePool("average", 4, (7, 7)), 4, lambda x: total(x) * 0.1, (49,)),
        (AdaptivePool("max", 4, (6, 6), (3, 2), batch=3), 4 * 6 * 3, largest, (6,)),
        (Reduction("sum", 5, 6), 5, total, (6,)),
        (Reduction("average", 5, 6, batch=2), 10, lambda x: total(x) * 0.1, (6,)),
        (Elementwise("add", 10, (10, 10)), 10, lambda x: x[0] + x[1], (2,)),
        (Elementwise("add", 10, (10, 10, 10)), 10, lambda x: x[0] + x[1] + x[2], (3,)),
        (Elementwise("add", 10, (10,), constants=10), 10, lambda x: x[0] + x[1], (2,)),
        (Elementwise("mul", 10), 10, lambda x: x[0] * 0.125, (1,)),
        (Elementwise("relu", 10, batch=2), 20, lambda x: x[0].above(0), (1,)),
        (Elementwise("relu6", 10), 10, lambda x: x[0].above(0).below(6), (1,)),
        (Elementwise("sigmoid", 10), 10, lambda x: 1 / ((-x[0]).call(math.exp) + 1), (1,)),
        (Elementwise("silu", 10), 10, lambda x: x[0] * (1 / ((-x[0]).call(math.exp) + 1)), (1,)),
        (Elementwise("hard swish", 10), 10, lambda x: x[0] * ((x[0] + 3).above(0).below(6) * (1 / 6)), (1,)),
        (Elementwise("gelu", 10), 10, lambda x: x[0] * ((x[0] * 0.7).call(math.erf) * 0.5 + 0.5), (1,)),
        (
            Elementwise("gelu tanh", 10),
            10,
            lambda x: x[0] * ((x[0] * (x[0] * x[0] * 0.0357 + 0.798)).call(math.tanh) * 0.5 + 0.5),
            (1,),
        ),
    ],
)
def test_operations(operator, runs, algorithm, sizes):
    assert operator.operations == runs * count(algorithm, *sizes)


@pytest.mark.parametrize(("image", "output"), [((5, 7), (3, 3)), ((7, 7), (4, 2)), ((3, 3), (5, 5))])
def test_adaptive_windows_are_torchs(image, output):
    # The gradient of an output is not zero exactly in its window.
    x = torch.rand(1, 1, *image, requires_grad=True)
    windows = [
        int((torch.autograd.grad(value, x, retain_graph=True)[0] != 0).sum())
        for value in torch.nn.functional.adaptive_avg_pool2d(x, output).flatten()
    ]
    comparisons = sum(size - 1 for size in windows)
    averages = sum(size if size > 1 else 0 for size in windows)
    assert AdaptivePool("max", 2, image, output).operations == 2 * comparisons
    assert AdaptivePool("average", 2, image, output).operations == 2 * averages


def test_parameters():
    assert Normalization("batch", 100, 4).parameters.norms == 8
    assert Normalization("layer", 24, 8, 8).parameters.norms == 16
    assert Normalization("rms", 24, 8, 8).parameters.norms == 8
    assert Normalization("group", 24, 8, 8, affine=False).parameters.total == 0
    assert Elementwise("add", 10, (10,), constants=10).parameters.biases == 10
    table = Embedding(entries=100, width=8, indices=3, batch=2)
    assert (table.parameters.weights, table.parameters_read, table.output_elements) == (800, 48, 48)


def test_what_is_free():
    assert Rearrange("flatten", 10).view
    assert Rearrange("concat", 10, (4, 6)).view
    assert not Rearrange("transpose", 10).view
    assert Rearrange("transpose", 10).operations == 0


def test_what_fuses():
    assert Elementwise("relu", 10).fuses
    assert Elementwise("mul", 10).fuses  # by one number
    assert not Elementwise("add", 10, (10, 10)).fuses
    assert not Elementwise("add", 10, (10,), constants=10).fuses
    assert not Softmax(1, 10).fuses


def test_unknown_functions_are_refused():
    with pytest.raises(ValueError, match="unknown elementwise function 'rleu'"):
        Elementwise("rleu", 10)
    with pytest.raises(ValueError, match="unknown rearrangement"):
        Rearrange("relu", 10)
    with pytest.raises(ValueError, match="no multiple"):
        Normalization("layer", 25, 8, 8)
    assert not BINARY & set(UNARY)
