"""The roofline of an ensemble's members (Williams, Waterman and Patterson, CACM 2009).

What a layer attains [MAC/s] over its MACs for each byte that it moves to and from the outermost memory, below the roofs
of the chip: the memory's bandwidth times that intensity, and the peak of each mode of the datapath.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwsim.ensemble.ensemble_cost import EnsembleCost
from hwsim.report.figure import COLOURS, copies
from hwsim.spec.hardware import Hardware
from hwsim.units import format_si

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Layers that are named in the picture: those that take longest.
NAMED = 24

_MARKS = "osD^vPX*"


@dataclass(frozen=True)
class Spot:
    """A layer of a member.

    Args:
        member: its name, or that of several that cost the same.
        intensity: MACs for each byte to and from the outermost memory [MAC/B]; infinite where nothing moves.
        rate: MACs / time [MAC/s].
        seconds: its time [s].
        mode: of the datapath; bound: what limits it.
    """

    member: str
    layer: str
    intensity: float
    rate: float
    seconds: float
    mode: str
    bound: str


@dataclass(frozen=True)
class Roofline:
    """What is drawn.

    Args:
        title: which ensemble on which chip.
        bandwidth: of the outermost memory, both ways [B/s]; infinite where nothing limits it.
        memory: its name.
        peaks: MAC/s of every mode that a layer runs in, with the whole datapath busy.
        spots: the layers that multiply.
    """

    title: str
    bandwidth: float
    memory: str
    peaks: dict[str, float]
    spots: tuple[Spot, ...]


def roofline(cost: EnsembleCost) -> Roofline:
    """The roofs that an ensemble's layers run under, and where they are."""
    hardware = cost.hardware
    peaks: dict[str, float] = {}
    spots = []
    for name, member in copies(cost.members):
        for layer in member.layers:
            if not layer.macs:
                continue
            rate = float(hardware.datapath.throughput(layer.weight_bits, layer.activation_bits))
            peaks[layer.mode] = hardware.datapaths * rate * hardware.clock
            intensity = layer.macs / layer.dram_bytes if layer.dram_bytes else math.inf
            spots.append(
                Spot(name, layer.name, intensity, layer.macs / layer.seconds, layer.seconds, layer.mode, layer.bound)
            )
    ordered = dict(sorted(peaks.items(), key=lambda item: item[1]))
    title = f"{cost.ensemble.name}: {cost.network}, batch {cost.batch}, on {hardware.name}"
    memories = " and ".join(memory.name for memory in hardware.levels[0].memories)
    return Roofline(title, outermost_bandwidth(hardware), memories, ordered, tuple(spots))


def outermost_bandwidth(hardware: Hardware) -> float:
    """What the outermost memories can move in and out together [B/s]; infinite where one of them has no limit."""
    total = 0.0
    for memory in hardware.levels[0].memories:
        ports = [memory.bandwidth] if memory.bandwidth else [memory.read_bandwidth, memory.write_bandwidth]
        total += sum(port.bytes_per_cycle(hardware.clock) * hardware.clock if port else math.inf for port in ports)
    return total or math.inf


def draw_roofline(figure: Figure, drawn: Roofline) -> Axes:
    """Draw it; layers that move nothing stand at the right edge."""
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", title=drawn.title)
    axes.set_xlabel(f"MACs for each byte to and from {drawn.memory} [MAC/B]")
    axes.set_ylabel("MACs each second [MAC/s]")
    low, high = _span([spot.intensity for spot in drawn.spots], drawn)
    bottom = min([spot.rate for spot in drawn.spots] + list(drawn.peaks.values())) / 4
    axes.set(xlim=(low, high), ylim=(bottom, 4 * max(drawn.peaks.values(), default=bottom)))
    _roofs(axes, drawn, low, high)
    for number, member in enumerate(dict.fromkeys(spot.member for spot in drawn.spots)):
        own = [spot for spot in drawn.spots if spot.member == member]
        axes.scatter(
            [min(spot.intensity, high / 1.15) for spot in own],
            [spot.rate for spot in own],
            s=max(20, 140 >> number),  # so that one of several at the same place hides none
            color=COLOURS[number % len(COLOURS)],
            marker=_MARKS[number % len(_MARKS)],
            edgecolors="white",
            linewidths=0.6,
            label=member,
            zorder=3,
        )
    _names(figure, axes, drawn, high / 1.15)
    axes.grid(alpha=0.25, which="major")
    axes.set_axisbelow(True)
    still = any(math.isinf(spot.intensity) for spot in drawn.spots)
    title = "members (at the right edge: layers that move nothing)" if still else "members"
    figure.legend(
        loc="outside lower center", ncols=4, frameon=False, fontsize="small", title=title, title_fontsize="small"
    )
    return axes


def _roofs(axes: Axes, drawn: Roofline, low: float, high: float) -> None:
    """One roof a mode; where modes have the same peak, one for them together."""
    together: dict[float, list[str]] = {}
    for mode, peak in drawn.peaks.items():
        together.setdefault(peak, []).append(mode)
    for peak, modes in together.items():
        ridge = peak / drawn.bandwidth
        axes.plot([max(low, ridge), high], [peak, peak], color="black", linewidth=1.2)
        name = ", ".join(modes)
        axes.annotate(
            f"{name}: {format_si(peak, 'MAC/s')}",
            (high, peak),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize="small",
        )
    if math.isfinite(drawn.bandwidth):
        top = max(drawn.peaks.values(), default=1.0) / drawn.bandwidth
        ends = [low, min(top, high)]
        axes.plot(ends, [drawn.bandwidth * end for end in ends], color="black", linewidth=1.2)
        axes.annotate(
            f"{drawn.memory}: {format_si(drawn.bandwidth, 'B/s')}",
            (ends[0], drawn.bandwidth * ends[0]),
            xytext=(6, -4),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize="small",
        )


def _span(intensities: Sequence[float], drawn: Roofline) -> tuple[float, float]:
    """The ends of the x axis: every layer and every ridge, with some room."""
    ridges = [peak / drawn.bandwidth for peak in drawn.peaks.values()] if math.isfinite(drawn.bandwidth) else []
    finite = [own for own in (*intensities, *ridges) if 0 < own < math.inf] or [1.0]
    return min(finite) / 3, max(finite) * 4


def _names(figure: Figure, axes: Axes, drawn: Roofline, edge: float) -> None:
    """Name the layers that take longest, each where there is room beside its spot."""
    figure.draw_without_rendering()
    points = {spot: axes.transData.transform((min(spot.intensity, edge), spot.rate)) for spot in drawn.spots}
    frame = axes.get_window_extent()
    taken = [text.get_window_extent() for text in axes.texts]
    lines = [line.get_path().transformed(axes.transData) for line in axes.get_lines()]
    slowest = sorted(points, key=lambda spot: -spot.seconds)
    named: set[tuple[str, tuple[int, int]]] = set()
    for spot in slowest:
        place = (round(points[spot][0]), round(points[spot][1]))
        if len(named) >= NAMED or (spot.layer, place) in named:
            continue
        for offset, across, up in _PLACES:
            text = axes.annotate(
                spot.layer,
                (min(spot.intensity, edge), spot.rate),
                xytext=offset,
                textcoords="offset points",
                ha=across,
                va=up,
                fontsize="x-small",
            )
            box = text.get_window_extent()
            free = not any(box.overlaps(other) for other in taken)
            clear = not any(box.contains(*at) for other, at in points.items() if other is not spot)
            clear = clear and not any(line.intersects_bbox(box, filled=False) for line in lines)
            inside = all(frame.contains(*corner) for corner in box.corners())
            if free and clear and inside:
                taken.append(box)
                named.add((spot.layer, place))
                break
            text.remove()


#: Where a name may stand: how far from its spot [points], and by which of its edges it is placed.
_PLACES: tuple[tuple[tuple[int, int], str, str], ...] = (
    ((9, 0), "left", "center"),
    ((-9, 0), "right", "center"),
    ((0, 8), "center", "bottom"),
    ((0, -8), "center", "top"),
    ((7, 7), "left", "bottom"),
    ((7, -7), "left", "top"),
    ((-7, 7), "right", "bottom"),
    ((-7, -7), "right", "top"),
)


def roofline_rows(drawn: Roofline) -> Iterator[dict[str, Any]]:
    """One row a spot."""
    for spot in drawn.spots:
        yield vars(spot)
