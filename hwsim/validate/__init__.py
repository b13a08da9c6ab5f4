"""hwsim beside chips and other tools: every file of this folder is a study, its `run` returns a `Report`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from inspect import signature
from pathlib import Path

from hwsim.errors import Fault, SpecError, did_you_mean
from hwsim.validate._report import Report, Table

__all__ = ["Report", "Table", "studies", "validate"]


def studies() -> tuple[str, ...]:
    """Names of the studies."""
    return tuple(sorted(entry.name for entry in pkgutil.iter_modules(__path__) if not entry.name.startswith("_")))


def validate(name: str, data: Path | None = None) -> Report:
    """Run a study.

    Args:
        data: a file of figures, for a study that does not bring them along; its `run` says what is in it.

    Raises:
        SpecError: there is no such study, or it cannot do with, or without, this file.
    """
    if name not in studies():
        raise SpecError([Fault(f"there is no study {name!r}{did_you_mean(name, studies())}")])
    run = import_module(f"{__name__}.{name}").run
    takes_data = bool(signature(run).parameters)
    if takes_data != (data is not None):
        content = (run.__doc__ or "").partition("\n")[0]
        why = f"needs a file of figures: {content}" if takes_data else "brings its figures along and takes no file"
        raise SpecError([Fault(f"{name} {why}")])
    report: Report = run(data) if takes_data else run()
    return report
