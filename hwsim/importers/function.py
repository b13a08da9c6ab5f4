"""`package.module:function` → Network: the function returns a torch.nn.Module."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from hwsim.errors import Fault, SpecError
from hwsim.importers.tracer import Shape
from hwsim.spec.network import Network


def from_function(source: str, input_shapes: Sequence[Shape] | None, parameters: Mapping[str, Any]) -> Network:
    """The network of the module that a function (or class) returns. Modules in the current folder are found too.

    Args:
        source: `package.module:function`.
        input_shapes: for each argument of forward the shape of one sample, taken as floating-point numbers. The
            function may return a pair (module, example arguments) instead, for whole numbers.
        parameters: passed to the function.

    Raises:
        SpecError: there is no such function, it fails, or what it returns cannot be imported.
    """
    module_name, _, attribute = source.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function: Any = import_module(module_name)
        for part in attribute.split("."):
            function = getattr(function, part)
        made = function(**parameters)
    except (Exception, SystemExit) as error:  # other people's code runs here and may raise anything
        raise _refuse(source, f"{type(error).__name__}: {error}") from error
    try:
        import torch
    except ImportError as error:
        raise _refuse(source, "torch is not installed: pip install hwsim[torch]") from error
    from hwsim.importers.torch import from_torch

    module, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, torch.nn.Module):
        raise _refuse(source, f"returns {type(module).__name__}, not a torch.nn.Module")
    if example is None:
        if input_shapes is None:
            raise _refuse(source, "needs the input shape of one sample, as in 3x224x224")
        example = tuple(torch.zeros(1, *shape) for shape in input_shapes)
    return from_torch(module, example, name=attribute, file=source)


def _refuse(source: str, message: str) -> SpecError:
    return SpecError([Fault(message, file=source)])
