"""Where the time and the energy of an ensemble go: by member and layer, and by what takes them.

A layer's time is what overlaps, as long as the busiest of the datapath, the memories' ports and the vector unit, and
what overlaps with nothing: launch, fill and drain. The energy is that of each memory, of the datapath, of the vector
unit, and leakage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import SERIAL
from hwsim.ensemble.ensemble_cost import EnsembleCost
from hwsim.report.figure import COLOURS, copies
from hwsim.units import format_si

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Layers of a member with rows of their own: those that take most time or energy; the rest are added up.
MOST_LAYERS = 16

COMPUTE, SWITCHES = "compute", "mode switches"


@dataclass(frozen=True)
class Row:
    """A layer, or what else takes time.

    Args:
        member: its name, or that of several that cost the same.
        seconds, joules: what it takes, by what takes it [s], [J].
        compute: what the datapath alone would take [s].
    """

    member: str
    layer: str
    seconds: Mapping[str, float]
    joules: Mapping[str, float]
    compute: float = 0.0


@dataclass(frozen=True)
class Breakdown:
    """What is drawn.

    Args:
        title: which ensemble on which chip.
        rows: in the order in which they run; copies of a member once.
        seconds, joules: of the ensemble, every copy counted [s], [J].
    """

    title: str
    rows: tuple[Row, ...]
    seconds: float
    joules: float


def breakdown(cost: EnsembleCost) -> Breakdown:
    """Time and energy of every member once, of what runs between them, and of the combiner."""
    clock = cost.hardware.clock
    rows: list[Row] = []
    for name, member in copies(cost.members):
        rows += _rows(name, member.layers, clock)
        rows += _switching(name, member.switch_cycles / clock, member.switch_joules)
    together = "ensemble"
    rows += _switching(together, cost.switch_cycles / clock, cost.switch_joules)
    if cost.combiner:
        rows += _rows(together, [cost.combiner], clock)
    title = f"{cost.ensemble.name}: {cost.network}, batch {cost.batch}, on {cost.hardware.name}"
    if cost.one_in > 1:
        title += f"; an inference runs one of the {cost.one_in} members"
    return Breakdown(title, tuple(rows), cost.seconds, cost.energy_joules)


def _rows(member: str, layers: Sequence[LayerCost], clock: float) -> list[Row]:
    """The layers that take anything; of many, the small ones together."""
    rows = [
        Row(
            member,
            layer.name,
            layer_seconds(layer, clock),
            _positive(layer.energy),
            layer.busy.get(COMPUTE, 0.0) / clock,
        )
        for layer in layers
        if layer.cycles or layer.energy_joules
    ]
    if len(rows) <= MOST_LAYERS:
        return rows
    time, energy = (
        sum(sum(part.values()) for part in parts) or 1.0
        for parts in zip(*((r.seconds, r.joules) for r in rows), strict=True)
    )
    weight = {row.layer: max(sum(row.seconds.values()) / time, sum(row.joules.values()) / energy) for row in rows}
    large = sorted(weight, key=lambda name: -weight[name])[: MOST_LAYERS - 1]
    small = [row for row in rows if row.layer not in large]
    rest = Row(
        member,
        f"{len(small)} other layers",
        _added(row.seconds for row in small),
        _added(row.joules for row in small),
        sum(row.compute for row in small),
    )
    return [*(row for row in rows if row.layer in large), rest]


def layer_seconds(layer: LayerCost, clock: float) -> dict[str, float]:
    """What a layer's time is made of [s]; the parts add up to it."""
    overlapping = {part: cycles for part, cycles in layer.busy.items() if part not in SERIAL}
    busiest = max(overlapping, key=lambda part: overlapping[part], default=layer.bound)
    serial = {part: layer.busy.get(part, 0.0) for part in SERIAL}
    return _positive(
        {busiest: (layer.cycles - sum(serial.values())) / clock} | {p: c / clock for p, c in serial.items()}
    )


def _switching(member: str, seconds: float, joules: float) -> list[Row]:
    return [Row(member, SWITCHES, {SWITCHES: seconds}, _positive({"leakage": joules}))] if seconds else []


def _positive(parts: Mapping[str, float]) -> dict[str, float]:
    return {part: amount for part, amount in parts.items() if amount > 0}


def _added(several: Iterator[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for parts in several:
        for part, amount in parts.items():
            total[part] = total.get(part, 0.0) + amount
    return total


def draw_breakdown(figure: Figure, drawn: Breakdown) -> tuple[Axes, Axes]:
    """Draw bars of time on the left and of energy on the right, a row a layer."""
    left, right = figure.subplots(1, 2, sharey=True)
    places, labels, heads = _places(drawn.rows)
    _bars(left, places, [row.seconds for row in drawn.rows], "time", "s", drawn.seconds)
    computing = [(place, row.compute) for place, row in zip(places, drawn.rows, strict=True) if row.compute]
    if computing:
        ys, xs = zip(*computing, strict=True)
        left.scatter(xs, ys, marker="|", s=70, color="black", linewidths=1.5, label="compute alone", zorder=3)
    _bars(right, places, [row.joules for row in drawn.rows], "energy", "J", drawn.joules)
    left.set_yticks(places, labels)
    left.set_ylim(max(places, default=0) + 0.8, -0.8)
    for name, place in heads.items():
        left.annotate(
            name,
            (0, place),
            xycoords=("axes fraction", "data"),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontweight="bold",
            annotation_clip=False,
        )
    corners: Any = ("outside lower left", "outside lower right")
    for axes, corner in zip((left, right), corners, strict=True):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        handles, _ = axes.get_legend_handles_labels()
        if handles:
            figure.legend(handles=handles, loc=corner, ncols=3, frameon=False, fontsize="small")
    figure.suptitle(drawn.title)
    return left, right


def height(drawn: Breakdown) -> float:
    """How high a legible picture of it is [inch]."""
    members = len({row.member for row in drawn.rows})
    return 2.4 + 0.24 * (len(drawn.rows) + 1.3 * members)


def _places(rows: Sequence[Row]) -> tuple[list[float], list[str], dict[str, float]]:
    """Where rows and the members' names above them stand, from the top down."""
    places, heads, at = [], dict[str, float](), 0.0
    for row in rows:
        if row.member not in heads:
            at += 0.3 if heads else 0.0
            heads[row.member] = at
            at += 1
        places.append(at)
        at += 1
    return places, [row.layer for row in rows], heads


def _bars(
    axes: Axes, places: Sequence[float], several: Sequence[Mapping[str, float]], what: str, unit: str, whole: float
) -> None:
    from matplotlib.ticker import FuncFormatter

    total: dict[str, float] = _added(iter(several))
    ends = [0.0] * len(places)
    for number, part in enumerate(sorted(total, key=lambda name: (name in SERIAL, -total[name]))):
        widths = [parts.get(part, 0.0) for parts in several]
        hatch = None if number < len(COLOURS) else "//"
        axes.barh(places, widths, left=ends, height=0.78, color=COLOURS[number % len(COLOURS)], label=part, hatch=hatch)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    axes.set_xlabel(f"{what} of one inference, {format_si(whole, unit)} in all")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda given, _: format_si(given, unit)))
    axes.locator_params(axis="x", nbins=5)
    for place, end in zip(places, ends, strict=True):
        axes.annotate(
            format_si(end, unit),
            (end, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize="x-small",
        )
    axes.set_xlim(0, 1.18 * max(ends, default=0.0) or 1.0)
    if not total:
        axes.text(0.5, 0.5, f"the chip prices no {what}", ha="center", va="center", transform=axes.transAxes)


def breakdown_rows(drawn: Breakdown) -> Iterator[dict[str, Any]]:
    """One row a layer."""
    for row in drawn.rows:
        yield {"member": row.member, "layer": row.layer, "seconds": dict(row.seconds), "joules": dict(row.joules)}
