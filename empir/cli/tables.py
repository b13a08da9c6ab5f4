"""Tables as people read them on a terminal or in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from empir.evaluation.words import interval_text, percent
from hwsim.screen import columns as table, console

if TYPE_CHECKING:
    from empir.evaluation.target import Target

__all__ = ["console", "heading", "interval_text", "percent", "table"]


def heading(target: Target, how: str) -> Text:
    """What was attacked."""
    data = f"{len(target.dataset):,} {target.dataset.split} images of {target.dataset.name}"
    defence = target.training["defence"]["kind"]
    trained = "" if defence == "none" else f", trained with {defence}"
    expected = ", expected over the member drawn" if target.drawn else ""
    return Text(f"{target.spec.name}: {target.spec.network.name}{trained}, on {data}, {how}{expected}", style="bold")
