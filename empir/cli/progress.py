"""How far a run has come and how fast it is, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TextColumn

#: Where stderr is no terminal, time between lines [s].
INTERVAL = 30.0


class Bar:
    """A bar with the rate and the time left; a line now and then where stderr is no terminal.

    Args:
        what: what is being done, as in "training w2a4-1".
        unit: what is counted, as in "images".
    """

    def __init__(self, what: str, unit: str = "images") -> None:
        self.what, self.unit = what, unit
        self._bar: Progress | None = None
        self._from = self._told = 0.0
        self._first: int | None = None

    def __enter__(self) -> Bar:
        self._restart()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TimeRemainingColumn

            columns = ("{task.description}", BarColumn(), "{task.completed:,}/{task.total:,}", _rate(self.unit))
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self._bar.add_task(self.what, total=0)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Note how many of how many are done; what was done before the first call is not counted in the rate."""
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
            return
        now = time.monotonic()
        if self._first is None:
            self._first = done
        elif now - self._told >= INTERVAL:
            rate = (done - self._first) / (now - self._from)
            print(f"{self.what}: {done:,} of {total:,} {self.unit}, {rate:,.3g} a second", file=sys.stderr, flush=True)
            self._told = now

    def begin(self, what: str) -> None:
        """Go on to the next thing, which is counted from its own start."""
        self.what = what
        self._restart()
        if self._bar:
            self._bar.reset(self._bar.task_ids[0], description=what, total=0)

    def _restart(self) -> None:
        self._from = self._told = time.monotonic()
        self._first = None


def _rate(unit: str) -> TextColumn:
    """A column of what a task does in a second."""
    from rich.progress import TextColumn
    from rich.text import Text

    class Rate(TextColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.3g} {unit}/s" if speed else "")

    return Rate("")
