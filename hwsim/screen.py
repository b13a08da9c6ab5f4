"""Where text goes: tables as wide as they need to be, unless a terminal is narrower."""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console, RenderableType
from rich.table import Table

#: Width of tables in files and pipes, where nothing limits it [columns].
WIDEST = 200


class _Screen(Console):
    """Leaves a reader that has gone away to the caller; rich would exit with 1, which here means over the budget."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(file: IO[str]) -> Console:
    """A console that colours a terminal only, and never cuts a table for a pipe."""
    width = None if file.isatty() or "COLUMNS" in os.environ else WIDEST
    return _Screen(file=file, width=width, highlight=False)


def columns(*names: str, title: str | None = None) -> Table:
    """An empty table without frames; a name that begins with ">" is a column of numbers."""
    table = Table(box=None, title=title, title_justify="left", title_style="bold", header_style="dim", pad_edge=False)
    for name in names:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    return table


def print_apart(console: Console, *parts: RenderableType) -> None:
    """Print parts with empty lines between them."""
    for number, part in enumerate(parts):
        if number:
            console.print()
        console.print(part)
