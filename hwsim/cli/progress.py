"""How far a run has come, on a terminal and only if it takes long."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from threading import Timer
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

#: Runs shorter than this are not worth a bar [s].
PATIENCE = 1.0

#: What the bar counts unless it is told otherwise.
MAPPING = "mapping layers"


class LayerProgress:
    """A bar on stderr that counts mapped layers; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self.doing = MAPPING
        self.done, self.total = 0, 0
        self._bar: Progress | None = None
        self._timer = Timer(PATIENCE, self._show)
        self._timer.daemon = True

    def __enter__(self) -> LayerProgress:
        if sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._bar:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Note how many of how many layers are mapped."""
        self._note(MAPPING, done, total)

    def during(self, doing: str) -> Callable[[int, int], None]:
        """The same bar for something else that is done, under its own name."""
        return partial(self._note, doing)

    def _note(self, doing: str, done: int, total: int) -> None:
        self.doing, self.done, self.total = doing, done, total
        if self._bar:
            self._bar.update(self._bar.task_ids[0], description=doing, completed=done, total=total)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, TimeElapsedColumn

        bar = Progress(*Progress.get_default_columns()[:2], "{task.completed}/{task.total}", TimeElapsedColumn(),
                       console=Console(stderr=True), transient=True)  # fmt: skip
        bar.add_task(self.doing, completed=self.done, total=self.total or None)
        bar.start()
        self._bar = bar
