"""What of a module multiplies and accumulates, in order of execution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

#: Modules whose weights and inputs can be quantised.
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)

#: ATen functions that multiply and accumulate, without their overloads -> hwsim's label.
_PRODUCTS = {
    "convolution": "conv",
    **dict.fromkeys(("linear", "addmm", "mm", "mv", "addmv", "dot"), "gemm"),
    **dict.fromkeys(("bmm", "baddbmm", "_native_multi_head_attention"), "batched gemm"),
}

#: The variants of attention for each device share this beginning.
_ATTENTION = "_scaled_dot_product"


@dataclass(frozen=True)
class Run:
    """One run of a layer.

    Args:
        name: path of the layer in the network.
        kind: hwsim's label of the operator.
        layer: the convolution or linear layer; nothing where another module calls a function that multiplies and
            accumulates, and `name` is that module's.
    """

    name: str
    kind: str
    layer: nn.Module | None


def execution(module: nn.Module, example: Tensor) -> tuple[Run, ...]:
    """Every multiply-accumulate that a module runs on one input, in evaluation mode; the module is left as it was."""
    observer = _Observer()
    with ExitStack() as stack:
        for name, part in module.named_modules():
            for hook in (
                part.register_forward_pre_hook(partial(observer.enter, name)),
                part.register_forward_hook(observer.leave),
            ):
                stack.callback(hook.remove)
        stack.enter_context(evaluating(module))
        stack.enter_context(torch.no_grad())
        stack.enter_context(observer)
        module(example)
    return tuple(observer.runs)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every part is in the mode that it had."""
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


class _Observer(TorchDispatchMode):
    """Notes layers as they begin, and products that no layer computes."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Run] = []
        self.within: list[tuple[str, bool]] = []

    def enter(self, name: str, part: nn.Module, *_: object) -> None:
        inner = self._in_layer()
        if isinstance(part, LAYERS) and not inner:
            self.runs.append(Run(name, _kind(part), part))
        self.within.append((name, inner or isinstance(part, LAYERS)))

    def leave(self, *_: object) -> None:
        self.within.pop()

    def _in_layer(self) -> bool:
        return bool(self.within) and self.within[-1][1]

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = func._schema.name.partition("::")[2]
        kind = "batched gemm" if name.startswith(_ATTENTION) else _PRODUCTS.get(name)
        if kind and not self._in_layer():
            self.runs.append(Run(self.within[-1][0], kind, None))
        return func(*args, **(kwargs or {}))


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.Linear):
        return "gemm"
    return "depthwise conv" if 1 < layer.groups == layer.in_channels else "conv"
