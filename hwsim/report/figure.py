"""What pictures have in common: how they are written, and colours that everybody can tell apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.ensemble.network_cost import NetworkCost
from hwsim.report.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Suffixes of pictures.
PICTURES = (".png", ".svg", ".pdf")

#: Okabe and Ito's colours for the colour-blind (2008), without black and yellow, then two greys.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#5b6770", "#a3adb8")


def empty_figure(width: float, height: float) -> Figure:
    """A picture to draw into [inch]."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=130, layout="constrained")


def write_figure(path: Path, figure: Figure) -> None:
    """Write a picture as its file's suffix says; the same picture makes the same file.

    Raises:
        SpecError: the file cannot be written.
    """
    from matplotlib import rc_context

    metadata = {".png": {}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {"Date": None})
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": path.name}):
        write_whole(path, lambda file: figure.savefig(file, metadata=metadata))


def copies(members: Iterable[NetworkCost]) -> list[tuple[str, NetworkCost]]:
    """Members whose layers all cost the same, once, under all their names: `w2a4 (2 copies)`."""
    found: list[list[NetworkCost]] = []
    for member in members:
        same = next((own for own in found if own[0].layers == member.layers), None)
        if same:
            same.append(member)
        else:
            found.append([member])
    return [(_name(own), own[0]) for own in found]


def _name(members: list[NetworkCost]) -> str:
    """The name of one, without its number where it got that for being one of several."""
    first = members[0]
    stem = re.sub(r"-?\d+$", "", first.name)
    name = stem if len(members) > 1 or stem in ("fp", f"w{first.weight_bits}a{first.activation_bits}") else first.name
    return name if len(members) == 1 else f"{name} ({len(members)} copies)"
