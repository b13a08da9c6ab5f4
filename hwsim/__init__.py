"""hwsim: what an ensemble of mixed-precision networks costs on a reconfigurable accelerator."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwsim.mapping.mapping import LevelMapping as LevelMapping, Loop as Loop, Mapping as Mapping
    from hwsim.operators.nest import LoopNest as LoopNest, Operand as Operand
    from hwsim.spec.hardware import Hardware as Hardware

__version__ = "0.1.0"

#: Public name -> the module that defines it, imported at the name's first use (PEP 562).
_HOME = {
    "Hardware": "hwsim.spec.hardware",
    "LevelMapping": "hwsim.mapping.mapping",
    "Loop": "hwsim.mapping.mapping",
    "LoopNest": "hwsim.operators.nest",
    "Mapping": "hwsim.mapping.mapping",
    "Operand": "hwsim.operators.nest",
}

if not TYPE_CHECKING:  # a checker sees the imports above, and so still reports a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
