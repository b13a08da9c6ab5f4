"""What robustness costs: accuracy under attack over accuracy when clean, one point for each ensemble and accounting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empir.report.names import slug, title
from empir.report.table import Cell, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Cell -> marker, and what it says in the legend.
MARKERS = {
    "average": ("o", "released: average of CW, FGSM, BIM, PGD"),
    "standard": ("s", "standard: worst case of the bounded attacks"),
    "adaptive": ("D", "adaptive: `empir verify`"),
}


def write_tradeoff(table: Table, folder: Path) -> Path | None:
    """Write the figure; None if there is no ensemble with a clean and a robust accuracy."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    drawn = [
        (subject.label, own)
        for row in table.rows
        for subject, own in row.ours
        if "clean" in own and any(name in own for name in MARKERS)
    ]
    if not drawn:
        return None
    figure = Figure(figsize=(13, 6.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    few = len(drawn) <= 10
    colours = [colormaps["tab10"](i) if few else colormaps["turbo"](i / (len(drawn) - 1)) for i in range(len(drawn))]
    for (_, own), colour in zip(drawn, colours, strict=True):
        draw_points(axes, own, colour)
    bound = "" if table.epsilon is None else f", epsilon {table.epsilon:g}"
    axes.set_title(f"{title(table)}{bound}")
    axes.set_xlabel("clean accuracy [%], 95 % interval")
    axes.set_ylabel("accuracy under attack [%], 95 % interval")
    axes.set_ylim(bottom=-3)
    axes.grid(alpha=0.3)
    names = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours]
    shapes = [Line2D([], [], marker=marker, linestyle="", color="black") for marker, _ in MARKERS.values()]
    figure.legend(names, [label for label, _ in drawn], title="ensemble", loc="outside right upper")
    figure.legend(
        shapes, [text for _, text in MARKERS.values()], title="accounting", loc="outside lower center", ncols=3
    )
    path = folder / f"{slug('tradeoff', table.network, table.dataset, table.split)}.png"
    figure.savefig(path)
    return path


def draw_points(axes: Axes, own: Mapping[str, Cell], colour: Any) -> None:
    """The points of one ensemble above each other; the interval of the clean accuracy, which they share, at the top."""
    x = 100 * own["clean"].accuracy
    robust = {name: 100 * own[name].accuracy for name in MARKERS if name in own}
    heights = list(robust.values())
    axes.plot([x, x], [min(heights), max(heights)], color=colour, linewidth=1, linestyle=":")
    axes.errorbar(x, max(heights), xerr=_bars(own["clean"]), fmt="none", color=colour, capsize=3, alpha=0.5)
    for name, y in robust.items():
        axes.errorbar(
            x, y, yerr=_bars(own[name]), fmt=MARKERS[name][0], color=colour, capsize=4, markersize=7, alpha=0.9
        )


def _bars(cell: Cell) -> list[list[float]]:
    """How far the interval reaches down and up [%]."""
    low, high = cell.interval
    return [[100 * max(0.0, cell.accuracy - low)], [100 * max(0.0, high - cell.accuracy)]]
