"""What came of playing one layer on the chip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Slice:
    """One resource at work without a break.

    Args:
        track: name of the resource.
        name: what it worked on: an operand's tile, or a number of like iterations that were skipped.
        start: from the start of the layer [cycles].
        cycles: how long [cycles].
        details: more about it, for whoever clicks on it.
    """

    track: str
    name: str
    start: float
    cycles: float
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """One layer, played.

    Args:
        cycles: from start to end, launch included [cycles].
        busy: what each resource was at work for [cycles], by name: "compute", "vector", ports of memories.
        stalls: what the datapath was idle for [cycles], by cause; with `busy["compute"]` they add up to `cycles`.
        moved: bits read and bits written by every instance together, by level, memory and operand [bits]; levels have
            numbers where nothing is multiplied.
        peak: most that one instance of a memory held [bits], by memory.
        tiles: tiles that were computed, skipped ones included.
        events: events that were played.
        skipped: tiles that were not played one by one, because the state of the whole chip had repeated itself.
        slices: what each resource did when, if that was asked for.
    """

    cycles: float
    busy: Mapping[str, float]
    stalls: Mapping[str, float]
    moved: Mapping[tuple[str, str, str], tuple[float, float]]
    peak: Mapping[str, float]
    tiles: int
    events: int
    skipped: int
    slices: tuple[Slice, ...] = ()
