"""Tables as people read them on a terminal or in a pipe."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from empir.evaluation.words import interval_text as interval_text, percent as percent

if TYPE_CHECKING:
    from empir.evaluation.target import Target

#: Width where nothing limits it [columns].
WIDEST = 200


class _Screen(Console):
    """Leaves a reader that has gone away to the caller."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(file: IO[str]) -> Console:
    """A console that colours a terminal only, and never cuts a table for a pipe."""
    width = None if file.isatty() or "COLUMNS" in os.environ else WIDEST
    return _Screen(file=file, width=width, highlight=False)


def table(*names: str) -> Table:
    """An empty table without frames; a name that begins with ">" is a column of numbers."""
    made = Table(box=None, header_style="dim", pad_edge=False)
    for name in names:
        made.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    return made


def heading(target: Target, how: str) -> Text:
    """What was attacked."""
    data = f"{len(target.dataset):,} {target.dataset.split} images of {target.dataset.name}"
    defence = target.training["defence"]["kind"]
    trained = "" if defence == "none" else f", trained with {defence}"
    expected = ", expected over the member drawn" if target.drawn else ""
    return Text(f"{target.spec.name}: {target.spec.network.name}{trained}, on {data}, {how}{expected}", style="bold")
