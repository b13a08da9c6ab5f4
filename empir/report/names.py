"""Names of figures and of what is in them."""

from __future__ import annotations

import re

from empir.report.table import Table


def slug(*parts: str) -> str:
    """A file name of several parts, in small letters, digits and hyphens."""
    return "-".join(re.sub(r"[^a-z0-9_]+", "-", part.lower()).strip("-") for part in parts)


def title(table: Table) -> str:
    """Network and data."""
    return f"{table.network} on {table.dataset} ({table.split}, {table.samples:,} samples)"
