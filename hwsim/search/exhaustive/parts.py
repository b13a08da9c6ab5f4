"""The layers that members consist of, each priced once for all members that have it at the same widths."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwsim.ensemble.layers import layer_cost
from hwsim.ensemble.precision import Precisions
from hwsim.errors import Infeasible
from hwsim.search.exhaustive.resident import Part, Stretch, held, weights_home
from hwsim.search.exhaustive.solve import Answer
from hwsim.search.exhaustive.timing import Timer
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Layer, Network

Floats = NDArray[np.float64]

#: Cycles and joules of a layer that cannot run.
_NEVER = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Priced:
    """A layer on one chip.

    Args:
        mode: of the datapath; empty where nothing is multiplied or no mode can.
        table: cycles [cycles] and joules [J] alone on the chip, then beside ensembles of every size that fits: shape
            [1 + sizes, 2]; NaN where it cannot run.
        failure: why it cannot run alone on the chip.
    """

    mode: str
    table: Floats
    failure: Infeasible | None


def parts(
    network: Network, widths: Sequence[Precisions], occurring: Sequence[tuple[int, ...]]
) -> tuple[list[Part], list[list[int]]]:
    """Every distinct layer with its widths, and for every precision the indices of its own in order of execution.

    Args:
        widths: of every precision.
        occurring: sizes of the ensembles that have a member of each [bits].
    """
    numbers: dict[Hashable, int] = {}
    found: list[tuple[Layer, Precisions, set[int]]] = []
    members: list[list[int]] = []
    for bits, sizes in zip(widths, occurring, strict=True):
        own = []
        for layer in network.layers:
            read = () if layer.nest else tuple(bits.tensors[source] for source in layer.inputs)
            index = numbers.setdefault((layer.name, bits.layers[layer.name], read), len(found))
            if index == len(found):
                found.append((layer, bits, set()))
            found[index][2].update(sizes)
            own.append(index)
        members.append(own)
    return [Part(layer, bits, tuple(sorted(sizes))) for layer, bits, sizes in found], members


def priced(
    part: Part,
    hardware: Hardware,
    alone: Answer | None,
    beside: Sequence[Stretch],
    fitting: Sequence[int],
    timed: Timer,
) -> Priced:
    """Price a layer in every situation.

    Args:
        part: with those of its sizes that fit.
        alone: its loop nest mapped while nothing stays on the chip, None where nothing is multiplied.
        beside: the same while all weights stay.
        fitting: sizes of all ensembles that fit [bits].
    """
    layer, bits = part.layer, part.bits
    failure = alone if isinstance(alone, Infeasible) else None
    rows = [_NEVER]
    if not isinstance(alone, Infeasible):
        cost = timed(layer_cost(layer, hardware, bits, alone))
        rows = [(cost.cycles, cost.joules)]
    if fitting and part.sizes:
        if layer.nest is None:
            cost = timed(layer_cost(layer, hardware, bits, None, part.stay(hardware, part.sizes[0])))
            resident = [(cost.cycles, cost.joules)] * len(part.sizes)
        else:
            resident = [row for stretch in beside for row in _along(part, hardware, stretch, timed)]
        # Beside ensembles that it is no part of it may have any price; that of the nearest makes the fewest situations.
        places = np.minimum(np.searchsorted(part.sizes, fitting), len(part.sizes) - 1)
        rows += [resident[place] for place in places]
    else:
        rows += [_NEVER] * len(fitting)
    return Priced(_mode(part, hardware), np.array(rows), failure)


def _along(part: Part, hardware: Hardware, stretch: Stretch, timed: Timer) -> list[tuple[float, float]]:
    """Price a layer beside all ensembles of a stretch.

    Less room changes nothing of how a mapping is played until there is less than its tiles took at most: whatever had
    to wait for room waits all the same.
    """
    answer, memory = stretch.answer, weights_home(hardware)[1]
    if isinstance(answer, Infeasible):
        return [_NEVER] * len(stretch.sizes)
    rows: list[tuple[float, float]] = []
    while len(rows) < len(stretch.sizes):
        sizes = stretch.sizes[len(rows) :]
        mapped = replace(answer, problem=part.beside(hardware, sizes[0]).problem) if rows else answer
        cost = timed(layer_cost(part.layer, hardware, part.bits, mapped, part.stay(hardware, sizes[0])))
        rows += [(cost.cycles, cost.joules)] * held(part, memory, sizes, cost.peak.get(memory.name, 0.0))
    return rows


def _mode(part: Part, hardware: Hardware) -> str:
    if part.layer.nest is None:
        return ""
    widths = part.bits.layers[part.layer.name]
    try:
        return hardware.datapath.mode(widths.weights, widths.activations).name
    except Infeasible:
        return ""
