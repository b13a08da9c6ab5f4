"""What every network in PyTorch must be, whoever adds it."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from empir.networks import build, zoo
from empir.quantization.layers import freeze, quantize, quantized_layers
from hwsim.importers.torch import from_torch
from hwsim.networks import network
from hwsim.spec.ensemble import NetworkReference
from hwsim.spec.rules import FullPrecision, quantized


@pytest.fixture(params=zoo(), scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def net(name):
    return build(NetworkReference(name=name), 0).eval()


@pytest.fixture(scope="module")
def images(net):
    return torch.rand(3, *net.input_shape, generator=torch.Generator().manual_seed(0))


def test_is_the_network_that_hwsim_prices_layer_by_layer(name, net):
    imported, priced = from_torch(net, (torch.zeros(1, *net.input_shape),), name), network(name)
    layers = [(layer.name, layer.operator.label, layer.macs, layer.parameters.weights) for layer in priced.mac_layers]
    assert [(x.name, x.operator.label, x.macs, x.parameters.weights) for x in imported.mac_layers] == layers
    assert [x.output_elements for x in imported.mac_layers] == [x.output_elements for x in priced.mac_layers]
    assert sum(parameter.numel() for parameter in net.parameters()) == priced.parameters.total
    assert [x.elements for x in imported.inputs] == [x.elements for x in priced.inputs]


def test_returns_logits(net, images):
    with torch.no_grad():
        logits = net(images)
    assert logits.shape == (3, net.classes)
    assert logits.dtype == torch.float32
    assert (logits < 0).any()
    assert not torch.allclose(logits.exp().sum(1), torch.ones(3))


def test_images_do_not_see_one_another(net, images):
    with torch.no_grad():
        together = net(images)
        alone = torch.cat([net(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_every_image_matters_and_has_a_gradient(net, images):
    pixels = images.clone().requires_grad_()
    net(pixels).pow(2).sum().backward()
    assert (pixels.grad.flatten(1).abs().amax(1) > 0).all()


@pytest.mark.parametrize("rule", ["all", "convs", "except_first_and_last", "named"])
def test_rules_pick_the_layers_that_hwsim_prices_at_low_precision(name, net, rule):
    layers = [(layer.name, layer.operator.label) for layer in network(name).mac_layers]
    rule = FullPrecision(full_precision=(layers[1][0],)) if rule == "named" else rule
    shapes = deepcopy(net).to("meta")  # nothing is computed
    member = quantize(shapes, 2, 4, rule, torch.zeros(1, *net.input_shape, device="meta"))
    picked = tuple((own, 2, 4) for (own, _), chosen in zip(layers, quantized(rule, layers), strict=True) if chosen)
    assert quantized_layers(member) == picked


def test_frozen_members_compute_the_same_bits(net, images):
    member = quantize(deepcopy(net), 2, 4, "convs", images[:1])
    with torch.no_grad():
        expected = member(images[:1])
        assert torch.equal(freeze(member)(images[:1]), expected)
    assert torch.isfinite(expected).all()
    assert not torch.equal(expected, net(images[:1]))
