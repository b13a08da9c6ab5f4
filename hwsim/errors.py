"""What can go wrong through a user's doing, and the exit codes that say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

EXIT_OK = 0
EXIT_OVER_BUDGET = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Fault:
    """One thing wrong in one place of a file.

    Args:
        message: what is wrong, and what would be right.
        file: path as the user gave it.
        line, column: position in the file, both from 1.
        field: path of the field, as in `levels[1].memories[0].size`.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        """`file:line:column: field: message` on one line, less what is not known."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = ": ".join(part for part in (place, self.field, self.message) if part)
        return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class HwsimError(Exception):
    """Base of every error that a user can cause and can mend."""


class SpecError(HwsimError):
    """A description of hardware, an ensemble or a network is not valid; holds every fault found, not just the first."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        """One fault a line."""
        return "\n".join(str(fault) for fault in self.faults)


class Infeasible(HwsimError):
    """No mapping exists, or no mode can run the bits asked for.

    Args:
        message: what was asked for and why it cannot be.
        level: name of the level at which it fails, where one is to blame.
        constraint: the constraint that fails, as in `size`, `fanout` or `mode`.
    """

    def __init__(self, message: str, level: str | None = None, constraint: str | None = None) -> None:
        self.message = message
        self.level = level
        self.constraint = constraint
        super().__init__(message, level, constraint)

    def __str__(self) -> str:
        """`level: constraint: message`, less what is not known."""
        return ": ".join(part for part in (self.level, self.constraint, self.message) if part)


def shown(value: object, width: int = 40) -> str:
    """What a user wrote, for a message: on one line, cut after `width` characters, text in quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value)
    text = text if len(text) <= width else text[: width - 3] + "..."
    return repr(text) if isinstance(value, str) else text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The hint " (did you mean X?)" for the name most like a misspelt one, nothing where none is like it."""
    folded = {name.lower(): name for name in known}
    close = get_close_matches(word[:64].lower(), folded, n=1)
    return f" (did you mean {folded[close[0]]}?)" if close else ""
