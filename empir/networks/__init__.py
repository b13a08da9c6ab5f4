"""The zoo in PyTorch: every name in the `__all__` of a file in this folder is a network that hwsim prices too."""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from empir.quantization.execution import evaluating
from empir.quantization.layers import quantize
from hwsim.errors import Fault, SpecError, did_you_mean
from hwsim.spec.ensemble import Ensemble, Member, NetworkReference


@cache
def zoo() -> Mapping[str, Callable[..., nn.Module]]:
    """Functions that make networks, by name."""
    found: dict[str, Callable[..., nn.Module]] = {}
    for entry in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{entry.name}")
        found.update({name: getattr(module, name) for name in getattr(module, "__all__", ())})
    return MappingProxyType(dict(sorted(found.items())))


def build(reference: NetworkReference, seed: int) -> nn.Module:
    """The network that a spec refers to, its parameters drawn from `seed` alone.

    It takes images [batch, channels, height, width] in [0, 1], returns logits [batch, classes], and has the attributes
    `input_shape` (of one sample) and `classes`.

    Args:
        reference: a name of `zoo()`, or `package.module:function`, which returns a torch.nn.Module or a pair of one
            and its example arguments, and is given the reference's parameters.
        seed: of torch's generator on the CPU, which is left as it was.

    Raises:
        SpecError: no such network, or its function fails.
    """
    function = _user_function(reference.name) if ":" in reference.name else _of_the_zoo(reference.name)
    with _seeded(seed):
        try:
            made: Any = function(**reference.parameters)
        except (Exception, SystemExit) as error:  # other people's code runs here and may raise anything
            raise _refuse(reference, f"{type(error).__name__}: {error}") from error
    module, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, nn.Module):
        raise _refuse(reference, f"returns {type(module).__name__}, not a torch.nn.Module")
    return _described(module, example, reference)


def build_member(ensemble: Ensemble, member: Member, seed: int) -> nn.Module:
    """A member before training: the ensemble's network, quantised unless the member is a full-precision one.

    Raises:
        SpecError: as `build`, or the ensemble's rule does not fit the network.
    """
    module = build(ensemble.network, seed)
    if ensemble.is_full_precision(member):
        return module
    full = ensemble.full_precision_bits
    weights, activations = (32 if bits == full else bits for bits in (member.weights, member.activations))
    return quantize(module, weights, activations, ensemble.quantize, torch.zeros(1, *module.input_shape))


def _of_the_zoo(name: str) -> Callable[..., nn.Module]:
    if name not in zoo():
        hint = did_you_mean(name, zoo()) or f": can be {', '.join(zoo())} or package.module:function"
        raise SpecError([Fault(f"unknown network {name!r}{hint}", field="network")])
    return zoo()[name]


def _user_function(source: str) -> Callable[..., Any]:
    """`package.module:function`; modules in the current folder are found too."""
    module_name, _, attribute = source.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function: Any = import_module(module_name)
        for part in attribute.split("."):
            function = getattr(function, part)
    except (Exception, SystemExit) as error:
        raise SpecError([Fault(f"{type(error).__name__}: {error}", file=source)]) from error
    return function


def _described(module: nn.Module, example: Any, reference: NetworkReference) -> nn.Module:
    """Give a module the attributes `input_shape` and `classes` where it does not have them."""
    if not hasattr(module, "input_shape"):
        shape = reference.input_shape or (tuple(example[0].shape[1:]) if example else None)
        if shape is None:
            raise _refuse(reference, "needs the input shape of one sample, as in 3x224x224")
        module.input_shape = shape
    if not hasattr(module, "classes"):
        try:
            with evaluating(module), torch.no_grad():
                module.classes = module(torch.zeros(1, *module.input_shape)).shape[1]
        except Exception as error:  # other people's code runs here and may raise anything
            size = "x".join(map(str, module.input_shape))
            raise _refuse(reference, f"cannot take images of shape {size}: {type(error).__name__}: {error}") from error
    return module


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _refuse(reference: NetworkReference, message: str) -> SpecError:
    return SpecError([Fault(message, file=reference.name)])
