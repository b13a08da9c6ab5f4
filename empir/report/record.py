"""The table as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from empir.report.missing import to_measure
from empir.report.subject import Subject
from empir.report.table import Cell, Row, Table

SCHEMA = "empir/report/1"

#: Fields of a measurement that say how a figure came about.
ASKED = ("attack", "parameters", "norm", "epsilon", "gradient", "accounting", "seed")


def record(tables: tuple[Table, ...], output: str) -> dict[str, Any]:
    """What `empir report --json` prints: accuracies as shares; those that were not measured are left out.

    Args:
        output: the file of measurements.
    """
    return {"schema": SCHEMA, "tables": [_table(table, output) for table in tables]}


def _table(table: Table, output: str) -> dict[str, Any]:
    return {
        "network": table.network,
        "paper": {"network": paper.name, "dataset": paper.dataset} if (paper := table.benchmark) else None,
        "dataset": table.dataset,
        "split": table.split,
        "samples": table.samples,
        "epsilon": table.epsilon,
        "rows": [_row(row) for row in table.rows],
        "to_measure": to_measure(table, output).splitlines(),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "approach": row.approach,
        "paper": asdict(row.paper) if row.paper else None,
        "ours": [_subject(subject, own) for subject, own in row.ours],
    }


def _subject(subject: Subject, own: Mapping[str, Cell]) -> dict[str, Any]:
    return {
        "label": subject.label,
        "members": subject.description,
        "ensemble": subject.one.ensemble,
        "defence": subject.one.defence,
        "accuracies": {name: _cell(cell) for name, cell in own.items()},
    }


def _cell(cell: Cell) -> dict[str, Any]:
    source = cell.source
    asked = {key: getattr(source, key) for key in ASKED} if source else None
    return {
        "accuracy": cell.accuracy,
        "interval": list(cell.interval),
        "samples": cell.samples,
        "measurement": asked,
    }
