"""A folder of results, one file each, that nothing but time is lost without.

A file holds a checksum and JSON, and is named by a digest of all that the result depends on, the state of the code
included. One that is damaged counts as missing and is written anew; a folder that cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from hwsim import __version__


def default_folder() -> Path | None:
    """`$XDG_CACHE_HOME/hwsim`, or `~/.cache/hwsim`; a relative XDG_CACHE_HOME is ignored, as its specification says.

    None where there is no home.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (given if given.is_absolute() else Path.home() / ".cache") / "hwsim"
    except RuntimeError:
        return None


def path_of(folder: Path, *parts: object) -> Path:
    """The file of a result that depends on these parts and on the code.

    Args:
        parts: told apart by their `repr`.
    """
    digest = hashlib.sha256(repr((*parts, code_state())).encode()).hexdigest()
    return folder / digest[:2] / f"{digest[2:]}.json"


def read(path: Path) -> Any:
    """The result that a file holds; None where it is missing or damaged."""
    try:
        checksum, _, content = path.read_bytes().partition(b"\n")
        return json.loads(content) if hashlib.sha256(content).hexdigest().encode() == checksum else None
    except (OSError, ValueError):
        return None


def write(path: Path, result: Any) -> None:
    """Keep a result. Its file appears whole or not at all, whatever happens meanwhile.

    Args:
        result: what JSON can hold; NumPy's numbers are taken for Python's.
    """
    content = json.dumps(result, default=lambda number: number.item()).encode()
    checksum = hashlib.sha256(content).hexdigest().encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(checksum + b"\n" + content)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError:
        return


def file_state(path: Path) -> tuple[int, int]:
    """Size and time of a file, or (-1, -1) where there is none: what changes when its content does."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


@cache
def code_state() -> str:
    """Version of hwsim, and the state of its files: an editable installation's change while the version does not."""
    package = Path(__file__).parents[1]
    return repr((__version__, _states(package, package.rglob("*.py"))))


def _states(root: Path, files: Iterable[Path]) -> list[tuple[str, int, int]]:
    return [(str(path.relative_to(root)), *file_state(path)) for path in sorted(files)]
