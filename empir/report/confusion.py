"""Which class is taken for which: one figure for each ensemble and accounting, one matrix for each attack."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from empir.report.names import slug, title
from empir.report.published import ATTACKS
from empir.report.subject import Subject
from empir.report.table import Table, attacks_of
from hwsim.spec.measurement import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

#: Classes up to which the shares are written into the cells.
WRITTEN = 12
#: Side of a matrix with its title [inches], and most of them in a line.
SIDE, MOST_ACROSS = 4.2, 4

ANY_OTHER = ""
ORDER = ("none", *ATTACKS, ANY_OTHER, "worst_case", "adaptive")


def write_confusions(table: Table, folder: Path) -> Iterator[Path]:
    """Write the figures of all ensembles of a table; yields the files."""
    for subject in (subject for row in table.rows for subject, _ in row.ours):
        for accounting in ("released", "standard"):
            kept = _shown(subject, accounting)
            if kept:
                name = slug("confusion", table.network, table.dataset, table.split, subject.label, accounting)
                path = folder / f"{name}.png"
                _draw(kept, table.samples, f"{subject.label}\n{title(table)}, {accounting} accounting", path)
                yield path


def _shown(subject: Subject, accounting: str) -> list[Measurement]:
    """Those with a matrix, clean first, then by attack and bound."""
    kept = [one for one in subject.measurements if one.accounting == accounting and one.confusion]
    return sorted(
        kept,
        key=lambda one: (
            ORDER.index(one.attack if one.attack in ORDER else ANY_OTHER),
            one.attack,
            one.epsilon is None,
            caption(one, one.samples),
        ),
    )


def caption(one: Measurement, samples: int) -> str:
    """What was done before the ensemble decided, and how often that was right.

    Args:
        samples: what need not be said.
    """
    fewer = "" if one.samples == samples else f", {one.samples:,} samples"
    if one.attack == "none":
        return f"clean: {one.clean_accuracy:.1%} right{fewer}"
    bound = "" if one.epsilon is None else f", epsilon {one.epsilon:g}"
    name = one.attack.replace("_", " ") if one.attack in ("worst_case", "adaptive") else one.attack.upper()
    over = attacks_of(one)
    how = f"of {', '.join(over)}" if over else f"on {one.gradient}" if one.gradient else ""
    return f"{name}{bound}: {one.robust_accuracy:.1%} right{fewer}\n{how}".rstrip()


def _draw(kept: Sequence[Measurement], samples: int, heading: str, path: Path) -> None:
    from matplotlib.figure import Figure

    down = math.ceil(len(kept) / MOST_ACROSS)
    across = math.ceil(len(kept) / down)
    figure = Figure(figsize=(SIDE * across + 1.2, (SIDE + 0.5) * down + 0.7), dpi=110, layout="compressed")
    figure.suptitle(heading)
    grid = figure.subplots(down, across, squeeze=False).flatten()
    for axes, one in zip(grid, kept, strict=False):
        image = draw_matrix(axes, one, samples)
    for axes in grid[len(kept) :]:
        axes.set_axis_off()
    figure.colorbar(image, ax=grid, label="share of the true class [%]", shrink=0.8)
    figure.savefig(path, bbox_inches="tight")


def draw_matrix(axes: Axes, one: Measurement, samples: int) -> AxesImage:
    """Shares of each true class [%], by decision."""
    assert one.confusion
    shares = [[100 * count / max(sum(row), 1) for count in row] for row in one.confusion]
    image = axes.imshow(shares, vmin=0, vmax=100, cmap="Blues")
    axes.set_title(caption(one, samples), fontsize="medium")
    axes.set_xlabel("decided class")
    axes.set_ylabel("true class")
    if len(shares) <= WRITTEN:
        axes.set_xticks(range(len(shares)))
        axes.set_yticks(range(len(shares)))
        for true, row in enumerate(shares):
            for decided, share in enumerate(row):
                if share >= 0.5:
                    colour = "white" if share > 55 else "black"
                    axes.text(decided, true, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8)
    return image
