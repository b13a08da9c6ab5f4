"""What the networks of EMPIR compute, where frameworks differ: padding, order, starting values."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from empir.networks import build
from empir.networks.padding import same
from empir.quantization.execution import execution
from hwsim.spec.ensemble import NetworkReference


@pytest.fixture(scope="module")
def alexnet():
    return build(NetworkReference(name="alexnet"), 0)


@pytest.mark.parametrize("size", [5, 7, 14, 15, 27, 28, 32, 54])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (8, 1), (8, 2), (3, 2), (2, 3), (1, 4)])
def test_same_padding(size, kernel, stride):
    # TensorFlow's documentation tells it by the remainder
    zeros = max(kernel - (stride if size % stride == 0 else size % stride), 0)
    assert same(size, kernel, stride) == (zeros // 2, zeros - zeros // 2)


def test_an_even_kernel_reaches_one_further_down_and_right():
    network = build(NetworkReference(name="cifarconv"), 0)
    with torch.no_grad():
        network.conv2.weight.zero_()[0, 0, 0, 0] = 1  # the tap at the top left
        image = torch.arange(225.0).view(1, 1, 15, 15).expand(1, 32, 15, 15)
        made = network.conv2(network.pad2(image))[0, 0]
    expected = torch.zeros(15, 15)
    expected[3:, 3:] = image[0, 0, :12, :12]
    assert torch.equal(made, expected)


def test_an_odd_row_of_padding_in_pooling_is_at_the_end(alexnet):
    rows = torch.arange(54.0).view(1, 1, 54, 1).expand(1, 1, 54, 54)
    # windows 0-2, 2-4, ..., 52-54, of which row 54 is padding
    assert alexnet.pool2(-rows)[0, 0, :, 0].tolist() == [-2 * i for i in range(27)]
    assert alexnet.pool2(rows)[0, 0, :, 0].tolist() == [*range(2, 54, 2), 53]


def test_alexnet_normalises_and_has_a_bias_for_each_position(alexnet):
    grey = torch.full((1, 3, 2, 2), 0.5)
    expected = [(0.5 - mean) / deviation for mean, deviation in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    torch.testing.assert_close(alexnet.normalize(grey)[0, :, 0, 0], torch.tensor(expected))
    bias = deepcopy(alexnet.bias1)
    assert bias.bias.shape == (96, 54, 54)
    with torch.no_grad():
        bias.bias[3, 10, 20] = 2
    added = bias(torch.ones(1, 96, 54, 54)) - 1
    assert added.sum() == added[0, 3, 10, 20] == 2


def test_alexnet_normalises_before_it_clips(alexnet):
    # what a quantised layer reads has been through the norm, the pooling and the ReLU
    names = [name for name, _ in alexnet.named_children()]
    for i in range(2, 6):
        block = names[names.index(f"conv{i}") :]
        assert block[: 2 + (i != 4)] == [f"conv{i}", f"norm{i}", *([f"pool{i}"] if i != 4 else [])]
        assert block[2 + (i != 4)] == f"relu{i}"


@pytest.mark.parametrize("name", ["mnistconv", "cifarconv_released"])
def test_filters_start_with_length_one_in_all_directions(name):
    network = build(NetworkReference(name=name), 4)
    for run in execution(network, torch.zeros(1, *network.input_shape)):
        filters = run.layer.weight.detach().flatten(1)
        torch.testing.assert_close(filters.norm(dim=1), torch.ones(len(filters)))
        spread = filters.std() * filters.shape[1] ** 0.5
        assert spread == pytest.approx(1, abs=0.02)
        assert abs(filters.mean()) < 4 / filters.numel() ** 0.5 * filters.std()


def test_biases_start_at_zero(alexnet):
    biased = [part.bias for part in alexnet.modules() if isinstance(part, nn.Linear) and part.bias is not None]
    assert len(biased) == 2
    assert not any(bias.any() for bias in (*biased, alexnet.bias1.bias))
