"""Equation 5 against NumPy, finite differences and hand calculation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from empir.quantization.dorefa import quantize_activations, quantize_unit, quantize_weights

BITS = (*range(1, 9), 16)


def normal(*shape: int, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=scale, size=shape)


def unrounded(w: np.ndarray) -> np.ndarray:
    """What DoReFa makes of weights before it rounds, in [0, 1]."""
    return np.tanh(w) / (2 * np.abs(np.tanh(w)).max()) + 0.5


def slope(function, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Gradient of a number by central differences, one element at a time."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        shift = np.zeros_like(x)
        shift[index] = step
        gradient[index] = (function(x + shift) - function(x - shift)) / (2 * step)
    return gradient


def gradient(function, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Gradient of the weighted sum of what a function returns."""
    tensor = torch.from_numpy(x).requires_grad_()
    (function(tensor) * torch.from_numpy(weights)).sum().backward()
    return tensor.grad.numpy()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_nearest_level(bits, kind):
    n = 2**bits - 1
    x = np.random.default_rng(bits).random(5000).astype(kind)
    made = quantize_unit(torch.from_numpy(x), bits).numpy()
    assert made.dtype == kind
    exact = np.array([float(round(Fraction(float(value)) * n)) for value in x])
    levels = np.round(made.astype(np.float64) * n)
    np.testing.assert_array_max_ulp(made, (levels / n).astype(kind), maxulp=1)
    # n x is rounded to the type: where that decides, either neighbour is the nearest
    near = np.abs(x.astype(np.float64) * n % 1 - 0.5) < n * np.finfo(kind).eps
    assert near.sum() < 100
    np.testing.assert_array_equal(levels[~near], exact[~near])
    assert np.all(np.abs(levels - exact) <= near)


@pytest.mark.parametrize("bits", BITS)
def test_levels_stay_and_the_ends_are_exact(bits):
    n = 2**bits - 1
    levels = torch.arange(n + 1) * np.float32(1 / n)
    assert torch.equal(quantize_unit(levels, bits), levels)
    assert quantize_unit(torch.tensor([0.0, 1.0]), bits).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("bits", "level"), [(1, 0), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 64), (8, 128), (16, 32768)]
)
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_only_tie_goes_to_the_even_level(bits, level, kind):
    # n/2 = 0.5, 1.5, 3.5, ... lies between n//2 and n//2 + 1, of which one is even
    half = quantize_unit(torch.tensor(0.5, dtype=kind), bits)
    assert half.dtype == kind
    assert abs(half.item() - level / (2**bits - 1)) <= torch.finfo(kind).eps / 2


def test_32_bits_are_the_identity():
    x = torch.tensor([-3.0, 0.4, 7.0])
    assert quantize_unit(x, 32) is quantize_weights(x, 32) is quantize_activations(x, 32) is x


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("scale", [1e-30, 0.02, 1, 30])
def test_weights(bits, scale):
    n = 2**bits - 1
    w = normal(8, 4, 3, 3, scale=scale, seed=bits)
    made = quantize_weights(torch.from_numpy(w), bits).numpy()
    np.testing.assert_allclose(made, 2 * np.round(n * unrounded(w)) / n - 1, rtol=0, atol=1e-14)
    odd = np.round(made * n)
    assert np.all(odd % 2 == 1)
    np.testing.assert_array_max_ulp(made, odd / n, maxulp=1)
    assert np.abs(made).max() == 1


def test_one_bit_weights_are_signs():
    w = torch.tensor([-4.0, -0.1, 0.1, 2.0])
    assert quantize_weights(w, 1).tolist() == [-1, -1, 1, 1]


@pytest.mark.parametrize(("bits", "value"), [(1, -1), (2, 1 / 3), (3, 1 / 7), (4, 1 / 15), (8, 1 / 255)])
def test_a_weight_of_zero_goes_to_the_even_level(bits, value):
    assert quantize_weights(torch.tensor([0.0, 1.0], dtype=torch.float64), bits).tolist() == [value, 1]
    zeros = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    made = quantize_weights(zeros, bits)
    assert torch.equal(made, torch.full((2, 3), value, dtype=torch.float64))
    made.sum().backward()
    assert torch.equal(zeros.grad, torch.ones(2, 3, dtype=torch.float64))  # d tanh(w) / 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_gradient_of_weights_passes_tanh_and_maximum(bits):
    w, weights = normal(3, 2, 2), normal(3, 2, 2, seed=1)
    expected = slope(lambda w: np.sum(weights * (2 * unrounded(w) - 1)), w)
    largest = np.unravel_index(np.abs(w).argmax(), w.shape)
    without_maximum = weights * (1 - np.tanh(w) ** 2) / np.abs(np.tanh(w)).max()
    assert abs(expected[largest] - without_maximum[largest]) > 0.1  # a maximum taken as constant would be seen
    np.testing.assert_allclose(gradient(lambda w: quantize_weights(w, bits), w, weights), expected, atol=1e-8)


def test_two_largest_weights_share_the_gradient_of_the_maximum():
    # a central difference at a tie of two is the mean of both slopes, half of what one alone would have
    w, weights = np.array([0.7, -0.2, -0.7, 0.1]), np.array([1.0, 2.0, 3.0, 5.0])
    expected = slope(lambda w: np.sum(weights * (2 * unrounded(w) - 1)), w)
    np.testing.assert_allclose(gradient(lambda w: quantize_weights(w, 3), w, weights), expected, atol=1e-5)


@pytest.mark.parametrize("bits", BITS)
def test_activations(bits):
    n = 2**bits - 1
    x = normal(1000, seed=bits)
    made = quantize_activations(torch.from_numpy(x), bits).numpy()
    np.testing.assert_allclose(made, np.round(n * np.clip(x, 0, 1)) / n, rtol=0, atol=1e-15)
    assert (made == 0).any()
    assert (made == 1).any()


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_the_gradient_of_activations_is_that_of_the_clipping(bits):
    x = np.array([-2, -1e-3, 1e-3, 0.3, 0.5, 0.999, 1.001, 4])
    weights = np.arange(1.0, 9)
    expected = slope(lambda x: np.sum(weights * np.clip(x, 0, 1)), x)
    np.testing.assert_allclose(gradient(lambda x: quantize_activations(x, bits), x, weights), expected, atol=1e-9)
    # black and white pixels are inside
    ends = gradient(lambda x: quantize_activations(x, bits), np.array([0.0, 1.0]), np.array([5.0, 7.0]))
    assert ends.tolist() == [5, 7]


def test_32_bit_activations_have_a_gradient_outside_too():
    x = np.array([-2.0, 0.5, 3.0])
    assert gradient(lambda x: quantize_activations(x, 32), x, np.ones(3)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("quantizer", [quantize_weights, quantize_activations])
def test_second_derivatives(quantizer):
    # The gradient does not depend on the rounding, so that its own finite differences are true.
    x = torch.from_numpy(normal(7, scale=0.5)).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: quantizer(x, 2), x)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_half_precision_is_computed_in_single_precision(kind, bits):
    x = torch.from_numpy(normal(200)).to(kind)
    for quantizer in (quantize_weights, quantize_activations):
        made = quantizer(x, bits)
        assert made.dtype == kind
        assert torch.equal(made, quantizer(x.float(), bits).to(kind))


def test_members_can_be_quantised_at_once():
    w = torch.from_numpy(normal(3, 5, 4))
    x = torch.from_numpy(normal(3, 6))
    for quantizer, stacked in ((quantize_weights, w), (quantize_activations, x)):
        alone = torch.stack([quantizer(one, 2) for one in stacked])
        assert torch.equal(torch.func.vmap(lambda one, q=quantizer: q(one, 2))(stacked), alone)
        slopes = torch.func.vmap(torch.func.grad(lambda one, q=quantizer: (q(one, 2) * one.detach()).sum()))(stacked)
        expected = [gradient(lambda t, q=quantizer: q(t, 2), one.numpy(), one.numpy()) for one in stacked]
        np.testing.assert_allclose(slopes.numpy(), np.stack(expected), atol=1e-12)
