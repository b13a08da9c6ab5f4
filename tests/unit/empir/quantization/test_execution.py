"""Layers are seen as they run, not as they are registered."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from empir.quantization.execution import evaluating, execution
from tests.unit.empir.quantization.modules import Attention, Backwards, Recurrent, Residual, images, made

EXPECTED = {
    Residual: [
        ("stem", "conv"),
        ("block.0", "conv"),
        ("block.3", "depthwise conv"),
        ("shortcut", "conv"),
        ("fc", "gemm"),
    ],
    Backwards: [("first", "conv"), ("middle", "conv"), ("last", "gemm")],
    Recurrent: [("embed", "gemm"), ("shared", "gemm"), ("shared", "gemm"), ("head", "gemm")],
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_order_and_kinds(kind):
    module = made(kind)
    runs = execution(module, images(1))
    assert [(run.name, run.kind) for run in runs] == EXPECTED[kind]
    assert all(run.layer is module.get_submodule(run.name) for run in runs)


def test_functions_carry_the_name_of_the_module_that_calls_them():
    runs = execution(made(Attention), images(1))
    assert (runs[0].name, runs[-1].name) == ("conv", "head")
    assert {(run.name, run.layer) for run in runs[1:-1]} == {("attend", None)}


class Functions(nn.Module):
    """Convolves and multiplies without layers; its only layer does both inside."""

    class Wide(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + super().forward(x.flip(-1))

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(4, 3, 2, 2))
        self.wide = self.Wide(4, 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.wide(nn.functional.conv2d(x, self.kernel)).flatten(2)
        return torch.einsum("bcx,bdx->bcd", x, x) @ torch.ones(4, 5)


def test_functions_have_the_kind_of_what_they_compute():
    runs = execution(Functions(), images(1))
    assert [(run.name, run.kind) for run in runs] == [
        ("", "conv"),
        ("wide", "conv"),
        ("", "batched gemm"),
        ("", "gemm"),
    ]


def test_the_module_is_left_as_it_was():
    module = made(Residual).train()
    module.block.eval()
    modes = [part.training for part in module.modules()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    execution(module, images(1))
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_a_failing_module_is_left_as_it_was_too():
    module = made(Residual).train()
    with pytest.raises(RuntimeError):
        execution(module, torch.zeros(1, 2, 8, 8))
    assert all(part.training for part in module.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_evaluation_mode_for_a_while():
    module = made(Residual).train()
    module.fc.eval()
    with evaluating(module):
        assert not any(part.training for part in module.modules())
    assert [name for name, part in module.named_modules() if not part.training] == ["fc"]
