"""Any module quantised by the rules of hwsim, against the same network written down by hand."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from empir.quantization.layers import DoReFaWeight, freeze, quantize, quantized_layers
from hwsim.errors import SpecError
from hwsim.spec.rules import FullPrecision
from tests.unit.empir.quantization.modules import (
    MODULES,
    Attention,
    Backwards,
    Parametrized,
    Recurrent,
    Residual,
    images,
    made,
)

EXAMPLE = torch.zeros(1, 3, 8, 8)


def weights(w: Tensor, bits: int) -> Tensor:
    """Equation 5 in NumPy."""
    squashed, n = np.tanh(w.detach().numpy()), 2**bits - 1
    return torch.from_numpy(2 * np.round(n * (squashed / (2 * np.abs(squashed).max()) + 0.5)) / n - 1).float()


def activations(x: Tensor, bits: int) -> Tensor:
    """Clipped and rounded in NumPy."""
    n = 2**bits - 1
    return torch.from_numpy(np.round(np.clip(x.detach().numpy(), 0, 1) * n) / n).float()


def test_a_residual_network_computes_what_its_quantised_parts_compute():
    plain, x = made(Residual).eval(), images()

    def conv(layer: nn.Conv2d, x: Tensor) -> Tensor:
        w, a = weights(layer.weight, 2), activations(x, 4)
        return F.conv2d(a, w, layer.bias, layer.stride, layer.padding, groups=layer.groups)

    first, norm1, _, second, norm2 = plain.block
    h = F.relu(conv(plain.stem, x))
    y = F.relu(norm2(conv(second, F.relu(norm1(conv(first, h))))) + conv(plain.shortcut, h)).mean((2, 3))
    expected = F.linear(activations(y, 4), weights(plain.fc.weight, 2), plain.fc.bias)
    torch.testing.assert_close(quantize(deepcopy(plain), 2, 4, "all", EXAMPLE)(x), expected)
    expected = F.linear(y, plain.fc.weight, plain.fc.bias)
    torch.testing.assert_close(quantize(deepcopy(plain), 2, 4, "convs", EXAMPLE)(x), expected)


def test_a_layer_that_runs_twice_is_quantised_both_times():
    plain, x = made(Recurrent), images()

    def linear(layer: nn.Linear, x: Tensor) -> Tensor:
        return F.linear(activations(x, 3), weights(layer.weight, 4), layer.bias)

    tokens = linear(plain.embed, x.flatten(2))
    for _ in range(2):
        tokens = torch.tanh(linear(plain.shared, tokens))
    expected = linear(plain.head, tokens.mean(1))
    torch.testing.assert_close(quantize(plain, 4, 3, "all", EXAMPLE)(x), expected)


RULES = [
    (Residual, "all", {"stem", "block.0", "block.3", "shortcut", "fc"}),
    (Residual, "convs", {"stem", "block.0", "block.3", "shortcut"}),
    (Residual, "except_first_and_last", {"block.0", "block.3", "shortcut"}),
    (Residual, FullPrecision(full_precision=("stem", "block.3")), {"block.0", "shortcut", "fc"}),
    (Backwards, "except_first_and_last", {"middle"}),
    (Recurrent, "except_first_and_last", {"shared"}),
    (Recurrent, "convs", set()),
    (Recurrent, FullPrecision(full_precision=("shared",)), {"embed", "head"}),
    (Attention, "convs", {"conv"}),
]


@pytest.mark.parametrize(("kind", "rule", "expected"), RULES)
def test_rules(kind, rule, expected):
    module = quantize(made(kind), 3, 5, rule, EXAMPLE)
    assert {name: bits for name, *bits in quantized_layers(module)} == {name: [3, 5] for name in expected}
    own = {name for name, part in module.named_modules() if parametrize.is_parametrized(part, "weight")}
    assert own == expected


def test_a_layer_is_spared_if_one_of_its_runs_is():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.other = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.last = nn.Conv2d(3, 3, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(self.other(self.first(x)))).flatten(1)

    assert [name for name, *_ in quantized_layers(quantize(Twice(), 2, 2, "except_first_and_last", EXAMPLE))] == [
        "other"
    ]


def test_unknown_names_are_all_reported():
    with pytest.raises(SpecError) as caught:
        quantize(made(Residual), 2, 2, FullPrecision(full_precision=("sten", "fc", "nonsense")), EXAMPLE)
    first, second = map(str, caught.value.faults)
    assert first.startswith("quantize.full_precision[0]: ")
    assert "(did you mean stem?)" in first
    assert "'nonsense' (there are: stem, block.0, block.3, shortcut, fc)" in second


def test_what_no_layer_computes_is_refused():
    with pytest.raises(SpecError, match=r"^quantize: 'attend' multiplies and accumulates outside of"):
        quantize(made(Attention), 2, 2, "all", EXAMPLE)


def test_twice_is_refused():
    module = quantize(made(Residual), 2, 2, "convs", EXAMPLE)
    with pytest.raises(ValueError, match="quantised already"):
        quantize(module, 2, 2, "convs", EXAMPLE)


@pytest.mark.parametrize("bits", [(0, 4), (2, 9), (33, 32)])
def test_other_widths_are_refused(bits):
    with pytest.raises(ValueError, match="widths are 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, not"):
        quantize(made(Residual), *bits, "convs", EXAMPLE)


@pytest.mark.parametrize("kind", MODULES)
def test_all_else_stays_as_it_was(kind):
    plain = made(kind)
    modes = {name: part.training for name, part in plain.named_modules()}
    before, generator = deepcopy(plain.state_dict()), torch.get_rng_state()
    module = quantize(plain, 2, 2, "all", EXAMPLE)
    assert module is plain
    assert torch.equal(torch.get_rng_state(), generator)
    assert modes.items() <= {name: part.training for name, part in module.named_modules()}.items()
    after = list(module.state_dict().values())
    assert len(after) == len(before)
    assert all(any(torch.equal(value, other) for other in after) for value in before.values())


@pytest.mark.parametrize("kind", MODULES)
def test_32_bits_change_nothing(kind):
    plain, x = made(kind).eval(), 3 * images() - 1
    assert torch.equal(quantize(deepcopy(plain), 32, 32, "all", EXAMPLE)(x), plain(x))


@pytest.mark.parametrize("bits", [(1, 1), (2, 4), (8, 8), (32, 3), (3, 32)])
@pytest.mark.parametrize("kind", MODULES)
def test_frozen_modules_are_ordinary_and_compute_the_same_bits(kind, bits):
    module, x = quantize(made(kind), *bits, "all", EXAMPLE).train(), images()
    layers, norms = quantized_layers(module), {k: v.clone() for k, v in module.named_buffers()}
    frozen = freeze(module)
    assert not frozen.training
    assert all(part.training for part in module.modules())
    assert all(torch.equal(v, norms[k]) for k, v in module.named_buffers())
    assert quantized_layers(frozen) == layers == quantized_layers(freeze(frozen))
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert not any(parametrize.is_parametrized(part) for part in frozen.modules())
    for name, weight_bits, _ in layers:
        layer, n = frozen.get_submodule(name), 2**weight_bits - 1
        assert type(layer) in (nn.Conv2d, nn.Linear)
        if weight_bits < 32:
            codes = layer.weight.double() * n
            torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-4)
            assert torch.all(codes.round() % 2 == 1)
    assert torch.equal(frozen(x), module.eval()(x))
    assert torch.equal(freeze(frozen)(x), frozen(x))


def test_a_frozen_copy_leaves_the_original_trainable():
    module, x = quantize(made(Residual), 2, 4, "all", EXAMPLE), images()
    frozen = freeze(module)
    before = frozen(x)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    F.cross_entropy(module(x), torch.arange(6) % 5).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.block[0].parameters())
    optimizer.step()
    assert torch.equal(frozen(x), before)
    assert not torch.equal(freeze(module)(x), before)


@pytest.mark.parametrize("kind", MODULES)
def test_copies_are_independent(kind):
    module, x = quantize(made(kind), 2, 4, "all", EXAMPLE).eval(), images()
    copy = deepcopy(module)
    expected = module(x)
    assert torch.equal(copy(x), expected)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.neg_()
    assert torch.equal(module(x), expected)
    assert not torch.equal(copy(x), expected)


@pytest.mark.parametrize("kind", MODULES)
def test_state_round_trip(kind, tmp_path):
    module, x = quantize(made(kind), 2, 4, "all", EXAMPLE).eval(), images()
    torch.save(module.state_dict(), tmp_path / "state.pt")
    other = quantize(made(kind, seed=7), 2, 4, "all", EXAMPLE).eval()
    assert not torch.equal(other(x), module(x))
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other(x), module(x))
    with pytest.raises(RuntimeError, match="Missing key"):
        made(kind, seed=7).load_state_dict(module.state_dict())


def test_parametrisations_of_the_user_come_first():
    module = made(Parametrized)
    normed = module.conv.weight.detach().clone()
    quantize(module, 2, 4, "convs", EXAMPLE)
    torch.testing.assert_close(module.conv.weight, weights(normed, 2))
    assert isinstance(module.conv.parametrizations.weight[-1], DoReFaWeight)
    assert torch.equal(freeze(module).conv.weight, module.conv.weight)
