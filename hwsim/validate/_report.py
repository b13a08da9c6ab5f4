"""What a study hands back, and the published figures it compares with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

Cell = str | int | float

#: Of the lines of a paragraph [characters].
WIDTH = 118


@dataclass(frozen=True)
class Table:
    """Figures side by side.

    Args:
        columns: headings, units in brackets.
        rows: one cell a column; numbers are shown as `shown` does.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def column(self, name: str) -> tuple[Cell, ...]:
        """Cells of one column, in the order of the rows."""
        index = self.columns.index(name)
        return tuple(row[index] for row in self.rows)

    def __str__(self) -> str:
        """The table in Markdown, columns aligned, numbers to the right."""
        cells = [[shown(cell) for cell in row] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(self.columns, *cells, strict=True)]
        right = [bool(column) and all(isinstance(cell, int | float) for cell in column) for column in self._columns()]
        rule = [f"{'-' * (width - 1)}{':' if end else '-'}" for width, end in zip(widths, right, strict=True)]
        lines = [self.columns, rule, *cells]
        return "\n".join([f"{self.title}\n", *(_line(line, widths, right) for line in lines)])

    def _columns(self) -> list[tuple[Cell, ...]]:
        return [tuple(row[index] for row in self.rows) for index in range(len(self.columns))]


@dataclass(frozen=True)
class Report:
    """Outcome of a study.

    Args:
        name: of the study and of its folder.
        source: whom the figures are from.
        findings: what the tables show, one paragraph each.
    """

    name: str
    source: str
    tables: tuple[Table, ...]
    findings: tuple[str, ...] = ()

    def __str__(self) -> str:
        paragraphs = (fill(finding, WIDTH) for finding in self.findings)
        return "\n\n".join([f"{self.name}: {self.source}", *map(str, self.tables), *paragraphs])


def shown(cell: Cell) -> str:
    """A cell as text: integers in full, other numbers to four significant digits or two decimals if that is more."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.2f}" if abs(cell) >= 10 else f"{cell:.4g}"


def percent(ours: float, theirs: float) -> str:
    """Signed difference relative to theirs."""
    difference = 100 * (ours / theirs - 1)
    return f"{difference:+.1f} %" if abs(difference) >= 0.05 else "0.0 %"


def folder(study: str) -> Path:
    """Where a study's figures are: inside the package when installed, beside it in the repository."""
    package = Path(__file__).resolve().parents[1]
    return next((f for f in (package / "studies", package.parent / "studies") if f.is_dir()), package) / study


def published(study: str, file: str) -> list[dict[str, str]]:
    """Rows of a study's CSV file, lines that start with # left out."""
    lines = (folder(study) / file).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if end else cell.ljust(width) for cell, width, end in zip(cells, widths, right, strict=True)
    ]
    return f"| {' | '.join(padded)} |"
