"""Members of one topology evaluated as one: every layer runs once, over the weights of all of them.

torch.func.vmap makes the members' convolutions one grouped convolution, their linear layers one batched product. The
members may differ in their weights and in the bits of what their layers read: a stacked layer quantises each member's
input to that member's levels, and passes it on untouched where the member's layer is not quantised.

On a CPU this gains nothing: oneDNN takes as long for three groups as for three convolutions. On a GPU small networks
wait for kernels to be launched, and this launches a third of them for three members.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from empir.quantization.dorefa import UNQUANTIZED, steps
from empir.quantization.layers import ACTIVATION, quantized_layers

#: What every module has, and what says nothing about what it computes.
_BOOKKEEPING = frozenset(vars(nn.Module()))

#: Attributes of these types are the same if they print the same.
_PLAIN = (bool, int, float, complex, str, bytes, tuple, list, dict)


class Stacked(nn.Module):
    """Frozen members of one topology as one module: images to logits [members, batch, classes]."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        bits = [{name: bits for name, _, bits in quantized_layers(member)} for member in members]
        models = [deepcopy(member) for member in members]
        for model, own in zip(models, bits, strict=True):
            for name in {name for each in bits for name in each}:
                setattr(model.get_submodule(name), ACTIVATION, _Levels(own.get(name, UNQUANTIZED)))
        parameters, buffers = stack_module_state(models)
        state = parameters | buffers
        self._paths = tuple(state)
        for i, value in enumerate(state.values()):
            self.register_buffer(f"state{i}", value.detach(), persistent=False)
        # The member with most quantised layers quantises the inputs of all. In a tuple its parameters are not this
        # module's; they are never read.
        most = max(range(len(models)), key=lambda k: len(bits[k]))
        self._skeleton = (models[most].to("meta"),)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [members, batch, classes] of images [batch, channels, height, width]."""
        state = {path: getattr(self, f"state{i}") for i, path in enumerate(self._paths)}
        return vmap(lambda own: functional_call(self._skeleton[0], own, (images,)))(state)


class _Levels(nn.Module):
    """`quantize_activations` with the bits in tensors, of which each member has its own."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.register_buffer("exempt", torch.tensor(bits >= UNQUANTIZED))
        self.register_buffer("steps", torch.tensor(1.0 if bits >= UNQUANTIZED else float(steps(bits))))

    def forward(self, x: Tensor) -> Tensor:
        return _ClipAndRound.apply(x, self.steps, self.exempt)[0]


class _ClipAndRound(torch.autograd.Function):
    """Clipped to [0, 1], where its gradient ends, and rounded to levels, which the gradient ignores; or left alone."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, steps: Tensor, exempt: Tensor) -> tuple[Tensor, Tensor]:
        clipped, steps = x.clamp(0, 1), steps.to(x.dtype)
        rounded = torch.round(clipped * steps) * (1 / steps)
        return torch.where(exempt, x, rounded), (clipped == x) | exempt

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        (passes,) = ctx.saved_tensors
        return gradient * passes, None, None


def stackable(members: Sequence[nn.Module]) -> bool:
    """Whether members differ in nothing but tensors and the bits of what they read, and vmap can run them.

    They must be in single or double precision and say their `input_shape`; one must quantise all layers that any does.
    """
    first, *others = members
    names = [{name for name, _, _ in quantized_layers(member)} for member in members]
    if set().union(*names) not in names or not all(_alike(first, other) for other in others):
        return False
    tensors = list(first.state_dict().values())
    shape = getattr(first, "input_shape", None)
    if shape is None or not all(t.dtype in (torch.float32, torch.float64) for t in tensors if t.is_floating_point()):
        return False
    example = torch.zeros(1, *shape).to(tensors[0]) if tensors else torch.zeros(1, *shape)
    try:
        with torch.no_grad():
            Stacked(members)(example)
    except RuntimeError:  # a branch on the values of a tensor, an operation without a batching rule
        return False
    return True


def _alike(one: nn.Module, other: nn.Module) -> bool:
    """Same modules under the same names, with the same attributes and tensors of the same shapes and types."""
    pairs = [dict(_parts(module)) for module in (one, other)]
    if pairs[0].keys() != pairs[1].keys():
        return False
    return all(_alike_alone(part, pairs[1][name]) for name, part in pairs[0].items())


def _parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, part) for name, part in module.named_modules() if name.rpartition(".")[2] != ACTIVATION]


def _alike_alone(one: nn.Module, other: nn.Module) -> bool:
    attributes = [{key: value for key, value in vars(part).items() if key not in _BOOKKEEPING} for part in (one, other)]
    return (
        type(one) is type(other)
        and _tensors(one) == _tensors(other)
        and attributes[0].keys() == attributes[1].keys()
        and all(_same(value, attributes[1][key]) for key, value in attributes[0].items())
    )


def _tensors(part: nn.Module) -> dict[str, tuple[object, ...]]:
    own = (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False))
    return {name: (tensor.shape, tensor.dtype, tensor.device) for name, tensor in own}


def _same(one: object, other: object) -> bool:
    return one is other or (type(one) is type(other) and isinstance(one, _PLAIN) and repr(one) == repr(other))
