"""The last layer is scaled before the first step, where it can be."""

from __future__ import annotations

import pytest
import torch

from empir.networks import build_member
from empir.quantization.layers import quantize
from empir.training.start import level_logits
from tests.unit.empir.training.small import SIZE, ensemble, images, network


@pytest.mark.parametrize("index", [0, 1])
def test_logits_have_a_deviation_of_one(index: int) -> None:
    spec = ensemble(network={"name": f"{network.__module__}:network", "dropout": 0.0})
    module = build_member(spec, spec.expanded()[index], 0).train()
    with torch.no_grad():
        module[-1].weight *= 300
    before = {name: value.clone() for name, value in module.state_dict().items()}
    pixels = images().images(slice(0, 24))
    level_logits(module, pixels)
    assert module.training
    after = module.state_dict()
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"7.weight", "7.bias"}
    ratio = after["7.weight"] / before["7.weight"]
    torch.testing.assert_close(ratio, ratio[0, 0].expand_as(ratio))
    assert module(pixels).std().item() == pytest.approx(1, rel=1e-5)


def test_a_quantised_last_layer_is_left() -> None:
    module = quantize(network(), 2, 4, "all", torch.zeros(1, 1, SIZE, SIZE))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    level_logits(module, images().images(slice(0, 24)))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_equal_logits_are_left() -> None:
    module = network()
    torch.nn.init.zeros_(module[-1].weight)
    torch.nn.init.constant_(module[-1].bias, 2.0)
    level_logits(module, images().images(slice(0, 24)))
    assert module[-1].bias.tolist() == [2.0] * 3
