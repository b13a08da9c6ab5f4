"""The zoo: every name in the `__all__` of a file in this folder is a network, its function's parameters are knobs."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import signature
from types import MappingProxyType

from hwsim.errors import Fault, SpecError, shown
from hwsim.spec.network import Network


@cache
def zoo() -> Mapping[str, Callable[..., Network]]:
    """Networks by name."""
    found: dict[str, Callable[..., Network]] = {}
    for entry in pkgutil.iter_modules(__path__):
        module = import_module(f"{__name__}.{entry.name}")
        found.update({name: getattr(module, name) for name in module.__all__})
    return MappingProxyType(dict(sorted(found.items())))


def network(name: str, batch: int = 1, **parameters: int) -> Network:
    """A network of the zoo.

    Args:
        name: as in `zoo()`.
        batch: samples computed at once.
        parameters: knobs of this network, as `sequence_length` of bert_base.

    Raises:
        SpecError: an unknown name or parameter, or a value that makes no network.
    """
    if name not in zoo():
        raise _fault(f"unknown network {name!r}{_nearest(name, zoo())}; there are {', '.join(zoo())}")
    known = signature(zoo()[name]).parameters
    unknown = [key for key in parameters if key not in known]
    if unknown:
        offered = f"it has {', '.join(known)}" if known else "it has none"
        raise _fault(*(f"{name} has no parameter {key!r}{_nearest(key, known)}; {offered}" for key in unknown))
    wrong = {key: value for key, value in parameters.items() if type(value) is not int or value < 1}
    if wrong:
        raise _fault(
            *(f"{name}: {key} must be a whole number of at least 1, not {shown(v)}" for key, v in wrong.items())
        )
    try:
        return zoo()[name](**parameters).with_batch(batch)
    except ValueError as error:
        raise _fault(f"{name}: {error}") from None


def _nearest(name: str, names: Mapping[str, object]) -> str:
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def _fault(*messages: str) -> SpecError:
    return SpecError(Fault(message) for message in messages)
