"""DoReFa quantisation of any torch.nn.Module: weights as a parametrisation, activations before the layer that reads."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from empir.quantization.dorefa import quantize_activations, quantize_weights
from empir.quantization.execution import execution
from hwsim.errors import Fault, SpecError, shown
from hwsim.spec.ensemble import WIDTHS
from hwsim.spec.rules import Rule, quantized

#: Under this name a quantised layer has its `DoReFaActivation`.
ACTIVATION = "activation_quantizer"

_NO_LAYER = (
    "multiplies and accumulates outside of a convolution or linear layer, which cannot be quantised: "
    "use such a layer, or a rule that leaves it in full precision"
)


class DoReFaWeight(nn.Module):
    """`quantize_weights` as a parametrisation."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        return quantize_weights(weight, self.bits)

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


class DoReFaActivation(nn.Module):
    """`quantize_activations` of what a layer reads.

    Args:
        bits: of the layer's input.
        weight_bits: of the layer's weights, which are no longer to be seen once these are frozen.
    """

    def __init__(self, bits: int, weight_bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.weight_bits = weight_bits

    def forward(self, x: Tensor) -> Tensor:
        return quantize_activations(x, self.bits)

    def extra_repr(self) -> str:
        return f"bits={self.bits}, weight_bits={self.weight_bits}"


def quantize(module: nn.Module, weight_bits: int, activation_bits: int, rule: Rule, example: Tensor) -> nn.Module:
    """Quantise the convolutions and linear layers that a rule picks, in place; returns the module.

    Biases, norms and all else stay in full precision. A layer that runs more than once is quantised if the rule picks
    every run.

    Args:
        module: any network.
        weight_bits, activation_bits: as a member's may be; 32 is full precision.
        rule: as in an ensemble's spec; a layer's name is its path in the module.
        example: one input, batch in front, which is run once to see the layers in order of execution.

    Raises:
        SpecError: the rule names layers that are not there, or picks what a function computes outside of any layer.
        ValueError: something is quantised already, or there are no such widths.
    """
    if not {weight_bits, activation_bits} <= set(WIDTHS):
        raise ValueError(f"widths are {', '.join(map(str, WIDTHS))}, not {weight_bits} and {activation_bits}")
    if quantized_layers(module):
        raise ValueError("the module is quantised already")
    runs = execution(module, example)
    picked = quantized(rule, [(run.name, run.kind) for run in runs])
    functions = {run.name for run, chosen in zip(runs, picked, strict=True) if chosen and run.layer is None}
    if functions:
        raise SpecError(Fault(f"{shown(name)} {_NO_LAYER}", field="quantize") for name in sorted(functions))
    spared = {run.layer for run, chosen in zip(runs, picked, strict=True) if not chosen}
    for layer in dict.fromkeys(run.layer for run in runs if run.layer is not None and run.layer not in spared):
        # "unsafe": what torch would check by quantising twice, that shape and type stay, is known.
        parametrize.register_parametrization(layer, "weight", DoReFaWeight(weight_bits), unsafe=True)
        layer.add_module(ACTIVATION, DoReFaActivation(activation_bits, weight_bits))
        layer.register_forward_pre_hook(_quantize_input, with_kwargs=True)
    return module


def _quantize_input(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    quantizer = getattr(layer, ACTIVATION)
    if args:
        return (quantizer(args[0]), *args[1:]), kwargs
    return args, {**kwargs, "input": quantizer(kwargs["input"])}


def freeze(module: nn.Module) -> nn.Module:
    """A copy for inference and attacks: ordinary layers whose weights are the quantised ones, computed once.

    The copy is in evaluation mode, and none of its parameters has a gradient. What it returns is bit for bit what
    `module` returns in evaluation mode. Layers keep their `activation_quantizer`.
    """
    frozen = deepcopy(module).eval().requires_grad_(False)
    for layer in [layer for layer in frozen.modules() if parametrize.is_parametrized(layer)]:
        # remove_parametrizations would strip the class of the layer, which the copy shares with the original.
        values = {name: getattr(layer, name) for name in layer.parametrizations}
        layer.__class__ = parametrize.type_before_parametrizations(layer)
        del layer.parametrizations
        for name, value in values.items():
            layer.register_parameter(name, nn.Parameter(value, requires_grad=False))
    return frozen


def quantized_layers(module: nn.Module) -> tuple[tuple[str, int, int], ...]:
    """Name, weight bits and activation bits of each quantised layer, in order of registration, frozen or not."""
    return tuple((name, quantizer.weight_bits, quantizer.bits) for name, _, quantizer in _quantized(module))


def _quantized(module: nn.Module) -> Iterator[tuple[str, nn.Module, DoReFaActivation]]:
    for name, layer in module.named_modules():
        quantizer = getattr(layer, ACTIVATION, None)
        if isinstance(quantizer, DoReFaActivation):
            yield name, layer, quantizer
