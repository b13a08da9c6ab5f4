"""A Pareto front as a picture: the designs on it, those behind it, the line between, and the constraints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.report.files import write_whole
from hwsim.report.front import heading, is_share, label, value
from hwsim.report.records import Record
from hwsim.search.results.front import COUNT, Front, Fronts, Goal, distinct, logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Names by which the drawn points are found again in an SVG.
FRONT, OTHERS = "front", "others"

#: Colours that stand out from white and from black, also for the colour-blind.
BEST, REST, EDGE = "#d95f02", "#7b8794", "#3b82c4"

#: How far beyond the designs a constraint is still drawn, as a share of what they span.
BEYOND = 0.5


def write_picture(path: Path, fronts: Fronts) -> None:
    """Write all fronts, one below the other, as the file's suffix says.

    Raises:
        SpecError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    own = [front for front in fronts.fronts if len(front.designs)]
    figure = Figure(figsize=(9, 5.6 * max(1, len(own))), dpi=130, layout="constrained")
    if not own:
        figure.text(0.5, 0.5, "no design to draw", ha="center")
    parts = figure.subfigures(len(own), 1, squeeze=False)[:, 0] if own else ()
    for part, front in zip(parts, own, strict=True):
        part.suptitle(heading(fronts, front), fontsize="medium", fontweight="bold")
        draw(part, fronts, front)
    write_whole(path, lambda file: figure.savefig(file))


def draw(figure: Any, fronts: Fronts, front: Front) -> Axes:
    """Draw one front into a figure or a part of one."""
    axes: Axes = figure.subplots()
    x, y, *more = fronts.goals
    best, rest = (columns_of(fronts, points) for points in drawn(fronts, front))
    for goal, name in ((x, "x"), (y, "y")):
        _axis(axes, name, goal, np.concatenate([best[goal.name], rest[goal.name]]), fronts.limits.get(goal.name))
    handles: list[Any] = []
    if len(front.others):
        stands_for, own = int(front.others[COUNT].sum()), len(front.others)
        text = f"{stands_for:,} designs behind it" + (f", {own:,} of them drawn" if stands_for > own else "")
        handles.append(axes.scatter(rest[x.name], rest[y.name], s=16, c=REST, alpha=0.65, linewidths=0, label=text))
        handles[-1].set_gid(OTHERS)
    if not more:
        across, up = outline(axes, x, y, best)
        axes.plot(across, up, color=BEST, linewidth=1.4, alpha=0.7, zorder=2)
    colours: dict[str, Any] = {"c": best[more[0].name], "cmap": "viridis"} if more else {"c": BEST}
    text = f"front of {front.compared:,}" + (f" in {len(fronts.goals)} quantities" if more else "")
    points = axes.scatter(
        best[x.name], best[y.name], s=52, linewidths=0.8, edgecolors="white", zorder=3, label=text, **colours
    )
    points.set_gid(FRONT)
    if more:
        bar = axes.figure.colorbar(points, ax=axes, label=axis_label(more[0]), format=_ticks(more[0].name))
        bar.outline.set_visible(False)
    handles += [points, *_edges(axes, fronts)]
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return axes


def drawn(fronts: Fronts, front: Front) -> tuple[list[tuple[Record, int]], list[tuple[Record, int]]]:
    """The points of a picture, on the front and behind it: a design and how many it stands for; none at infinity."""
    best = distinct(front, fronts.goals)
    rest = [(row, int(row[COUNT])) for row in front.others.to_dict("records")]
    x, y = (goal.name for goal in fronts.goals[:2])
    one, other = ([point for point in some if np.isfinite([point[0][x], point[0][y]]).all()] for some in (best, rest))
    return one, other


def columns_of(fronts: Fronts, points: Sequence[tuple[Record, int]]) -> dict[str, NDArray[np.float64]]:
    """The goals of points, by column."""
    return {goal.name: np.array([row[goal.name] for row, _ in points], dtype=np.float64) for goal in fronts.goals}


def axis_label(goal: Goal) -> str:
    """What an axis measures, and which end of it is the good one."""
    return f"{label(goal.name)} ({'less' if goal.sense == 'minimise' else 'more'} is better)"


def outline(axes: Axes, x: Goal, y: Goal, best: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The edge of what the front beats, in steps to the ends of the axes.

    Up to a design the best y is that of the designs before it; after it, where more of x is better.
    """
    best_x, best_y = best[x.name], best[y.name]
    if not len(best_x):
        return best_x, best_y
    low, high = axes.get_xlim()
    worst = axes.get_ylim()[1 if y.sense == "minimise" else 0]
    if x.sense == "minimise":
        return np.repeat([*best_x, high], 2)[:-1], np.concatenate([[worst], np.repeat(best_y, 2)])
    return np.repeat([low, *best_x], 2)[1:], np.concatenate([np.repeat(best_y, 2), [worst]])


def _axis(axes: Axes, name: str, goal: Goal, values: NDArray[np.float64], limit: float | None) -> None:
    finite = values[np.isfinite(values)]
    axes.set(**{f"{name}label": axis_label(goal)})
    axis = getattr(axes, f"{name}axis")
    if logarithmic(goal.name, finite):
        getattr(axes, f"set_{name}scale")("log")
    axis.set_major_formatter(_ticks(goal.name))
    if not len(finite):
        return
    low, high = float(finite.min()), float(finite.max())
    if limit is not None and _near(limit, low, high):
        low, high = min(low, limit), max(high, limit)
    if logarithmic(goal.name, finite):
        room = (high / low) ** 0.05
        getattr(axes, f"set_{name}lim")(low / room, high * room)
    else:
        room = 0.05 * ((high - low) or abs(high) or 1.0)
        getattr(axes, f"set_{name}lim")(low - room, high + room)


def _near(limit: float, low: float, high: float) -> bool:
    room = BEYOND * ((high - low) or abs(high) or 1.0)
    return low - room <= limit <= high + room


def _edges(axes: Axes, fronts: Fronts) -> list[Any]:
    """The constraints on what is drawn, where they are near."""
    lines = []
    for goal, across in zip(fronts.goals[:2], (axes.axvline, axes.axhline), strict=True):
        limit = fronts.limits.get(goal.name)
        low, high = axes.get_xlim() if across == axes.axvline else axes.get_ylim()
        if limit is not None and low <= limit <= high:
            sign = "≤" if goal.sense == "minimise" else "≥"
            text = f"allowed: {label(goal.name)} {sign} {_ticks(goal.name)(limit)}"
            lines.append(across(limit, color=EDGE, linestyle="--", linewidth=1.2, label=text, zorder=1))
    return lines


def _ticks(name: str) -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda given, _: f"{100 * given:g} %" if is_share(name) else value(name, given))
