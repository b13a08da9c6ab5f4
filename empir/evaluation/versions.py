"""Versions of what a measurement depends on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

from empir import __version__

PACKAGES = ("torch", "numpy", "foolbox", "pyautoattack", "adversarial-robustness-toolbox")


@cache
def versions() -> MappingProxyType[str, str]:
    """Of empir, Python and the libraries that are installed."""
    found = {"empir": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return MappingProxyType(found)
