"""How far a sweep has come: a bar on a terminal, otherwise a line now and then; both on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from hwsim.search.sweeps.sweep import Stand

#: Between two lines where stderr is no terminal [s].
EVERY = 60.0


class SweepProgress:
    """Tells designs done, designs a second and the time left."""

    def __init__(self) -> None:
        self._stand: Stand | None = None
        self._bar: Progress | None = None
        self._start = self._last = 0.0

    def __enter__(self) -> SweepProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __call__(self, stand: Stand) -> None:
        """Note how far it is."""
        first, self._stand = self._stand is None, stand
        now = time.monotonic()
        if first:
            self._start = self._last = now
            if stand.of_units and sys.stderr.isatty():
                self._show(stand)
            else:
                click.echo(self.told(), err=True)
        elif self._bar:
            self._bar.update(self._bar.task_ids[0], completed=stand.designs, rest=self._rest())
        elif stand.units == stand.of_units or now - self._last >= EVERY:
            self._last = now
            click.echo(f"{self.told()}{self._rest()}", err=True)

    def stop(self) -> None:
        """Leave the terminal to others."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def told(self) -> str:
        """How far it is, in words."""
        stand = self._stand
        if stand is None:
            return "nothing is done yet"
        if not stand.of_units:
            return f"nothing to do: all {stand.of_designs:,} designs are there"
        return f"{stand.designs:,} of {stand.of_designs:,} designs, {stand.units} of {stand.of_units} units"

    def _rest(self) -> str:
        """Rate and time left."""
        stand, spent = self._stand, time.monotonic() - self._start
        if stand is None or stand.designs <= stand.found or spent <= 0:
            return ""
        rate = (stand.designs - stand.found) / spent
        left = (stand.of_designs - stand.designs) / rate
        more = f", {_duration(left)} left" if stand.units < stand.of_units else f", {_duration(spent)}"
        return f", {_short(rate)} designs/s{more}"

    def _show(self, stand: Stand) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(BarColumn(), TextColumn("{task.completed:,} of {task.total:,} designs{task.fields[rest]}"),
                             console=Console(stderr=True), transient=True)  # fmt: skip
        self._bar.add_task("", completed=stand.designs, total=stand.of_designs, rest="")
        self._bar.start()


def _short(number: float) -> str:
    from hwsim.units import format_si

    return format_si(number, "").strip()


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
