"""Which layers of a module multiply and accumulate, in order of execution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

#: Modules whose weights and inputs can be quantised.
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True)
class Run:
    """One run of a layer.

    Args:
        name: path of the layer in the network.
        kind: hwsim's label of the operator.
        layer: the module itself.
    """

    name: str
    kind: str
    layer: nn.Module


def execution(module: nn.Module, example: Tensor) -> tuple[Run, ...]:
    """Runs of the layers of a module on one input, in evaluation mode; the module is left as it was."""
    runs: list[Run] = []
    training = {part: part.training for part in module.modules()}

    def note(name: str, layer: nn.Module, *_: object) -> None:
        runs.append(Run(name, kind(layer), layer))

    hooks = [
        layer.register_forward_pre_hook(partial(note, name))
        for name, layer in module.named_modules()
        if isinstance(layer, LAYERS)
    ]
    try:
        with torch.no_grad():
            module.eval()(example)
    finally:
        for hook in hooks:
            hook.remove()
        for part, mode in training.items():
            part.training = mode
    return tuple(runs)


def kind(layer: nn.Module) -> str:
    """hwsim's label of the operator that a layer computes."""
    if isinstance(layer, nn.Linear):
        return "gemm"
    return "depthwise conv" if 1 < layer.groups == layer.in_channels else "conv"
