"""Where measurements go, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hwsim.spec.measurement import Measurement


class Kept:
    """Measurements appended to a file, one as soon as it is made.

    Args:
        file: nothing is kept where this is None; one that cannot take measurements is refused at once.
    """

    def __init__(self, file: Path | None) -> None:
        from hwsim.spec.measurement import append_measurements, read_measurements

        self.file = file
        self.added = 0
        self.there: dict[str, Measurement] = {}
        self.other: list[Measurement] = []
        if file:
            append_measurements(file, [])
            self.there = {one.question: one for one in read_measurements(file)}

    def add(self, measurement: Measurement) -> None:
        """Append a measurement, unless the file has it."""
        from hwsim.spec.measurement import append_measurements

        if self.file:
            self.added += len(append_measurements(self.file, [measurement]))
            before = self.there.get(measurement.question, measurement)
            if before.robust_accuracy != measurement.robust_accuracy:
                self.other.append(before)

    def tell(self) -> None:
        """Say on stderr what was appended, and where the file holds another result, which it keeps."""
        if not self.file:
            return
        click.echo(f"{self.file}: {self.added} measurements added", err=True)
        for one in self.other:
            by = ", ".join(f"{name} {number}" for name, number in one.versions.items())
            what = f"has another result for {one.attack}, {one.robust_accuracy:.1%}, measured with {by}"
            click.echo(f"{self.file}: {what}: remove that line to replace it", err=True)
