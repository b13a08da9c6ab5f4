"""What one network costs on a chip at every precision that a member may have: all that an ensemble's cost is a sum of.

A member costs the same beside any others, as long as no weights stay on the chip. Where they may stay, what counts is
the size of the whole ensemble: whether it fits, and how much room it leaves for tiles. A member then has a price for
every size that its ensembles may have, of which few differ (see `hwsim.search.exhaustive.resident`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwsim.cost.energy import static_power
from hwsim.ensemble.equation6 import slowdown
from hwsim.ensemble.network_cost import Weights
from hwsim.ensemble.precision import Precisions, precisions
from hwsim.ensemble.residency import fits
from hwsim.ensemble.solve import Mapper, Task
from hwsim.ensemble.storage import storage
from hwsim.errors import Infeasible
from hwsim.mapper import EFFORT, Objective
from hwsim.search.design.ensembles import Choices
from hwsim.search.exhaustive.parts import Priced, parts, priced
from hwsim.search.exhaustive.resident import stretches
from hwsim.search.exhaustive.sizes import sizes_with
from hwsim.search.exhaustive.solve import Answer, solve_layers
from hwsim.search.exhaustive.timing import Timing, timer
from hwsim.spec.hardware import Hardware
from hwsim.spec.network import Network
from hwsim.spec.rules import Rule

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """What one network costs on one chip at every precision of `Choices`, full precision last.

    A situation is a state of the chip that members are priced in: number 0 is nothing staying on it, the others are all
    weights of ensembles of some sizes staying.

    Args:
        hardware: the chip.
        cycles: of one inference of one batch, mode switches inside a member included; shape [situations, precisions],
            NaN where a precision cannot run [cycles].
        joules: the same [J].
        sizes: that ensembles may have, ascending [bits]; situations: of each of them. Both are empty where no weights
            may stay.
        insists: whether weights that cannot stay are not streamed instead.
        stored: parameters of one member at every precision [bits].
        first, last: number of the mode that its first and its last multiply-accumulate layer run in; -1 where it has
            none, or none that the datapath has.
        slowdown, share: its terms in the two sums of Equation 6.
        baseline: cycles and joules of one full-precision network, which keeps its weights on the chip only where it
            can.
        failures: why a precision cannot run while nothing stays on the chip, by its index.
    """

    hardware: Hardware
    cycles: Floats
    joules: Floats
    sizes: NDArray[np.int64]
    situations: NDArray[np.intp]
    insists: bool
    stored: NDArray[np.int64]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    slowdown: Floats
    share: Floats
    baseline: tuple[float, float]
    failures: Mapping[int, Infeasible]

    @property
    def changes(self) -> NDArray[np.bool_]:
        """Whether the mode changes from one member to the next, by the precisions of both."""
        return np.asarray(self.last[:, None] != self.first[None, :])


def price_members(
    network: Network,
    choices: Choices,
    quantize: Rule,
    chips: Sequence[Hardware],
    mapper: Mapper,
    *,
    weights: Weights = "auto",
    objective: Objective = "latency",
    timing: Timing = "closed_form",
    effort: float = EFFORT,
) -> list[Prices | Infeasible]:
    """Price a network at every precision on every chip; each distinct layer is mapped once.

    Args:
        network: at the batch that it runs.
        quantize: which layers of a low-precision member run at its bits.
        mapper: `hwsim.mapper.map_layer`, or what remembers its answers.
        weights: streamed, resident or auto: see `hwsim.spec.ensemble.Ensemble.weights`.
        timing: of the layers: by the closed form, or played.

    Returns:
        For every chip, why there is no baseline if there is none.

    Raises:
        SpecError: the rule names layers that the network does not have.
        ValueError: `weights` is planned, which every ensemble decides for itself.
    """
    if weights == "planned":
        raise ValueError("what stays on the chip by plan is not the same for a member in every ensemble")
    full = choices.full
    widths = [precisions(network, *own, quantize, full) for own in choices.precisions]
    widths.append(precisions(network, full, full, "all", full))
    stored = [storage(network, bits).total for bits in widths]
    occurring = sizes_with(choices, stored) if weights != "streamed" else [()] * len(widths)
    layers, members = parts(network, widths, occurring)

    def solver(tasks: Iterable[Task]) -> dict[Task, Answer]:
        return solve_layers(tasks, mapper, objective=objective, effort=effort)

    multiplied = [index for index, part in enumerate(layers) if part.layer.nest]
    alone = {
        (chip, index): layers[index].alone(hardware) for chip, hardware in enumerate(chips) for index in multiplied
    }
    answers = solver(alone.values())
    sizes = tuple(sorted(set().union(*occurring)))
    fitting = [tuple(size for size in sizes if fits(hardware, size)) for hardware in chips]
    fitted = [[part.upto(most[-1] if most else -1) for part in layers] for most in fitting]
    beside = stretches({(chip, index): (fitted[chip][index], chips[chip]) for chip, index in alone}, solver)
    results: list[Prices | Infeasible] = []
    for chip, hardware in enumerate(chips):
        timed = timer(hardware, timing)
        table = [
            priced(
                part,
                hardware,
                answers[alone[chip, index]] if part.layer.nest else None,
                beside.get((chip, index), ()),
                fitting[chip],
                timed,
            )
            for index, part in enumerate(fitted[chip])
        ]
        own = [
            _member(network, bits, [table[index] for index in used], hardware)
            for bits, used in zip(widths, members, strict=True)
        ]
        results.append(_together(hardware, own, stored, sizes, fitting[chip], weights == "resident"))
    return results


@dataclass(frozen=True)
class _Member:
    """A network at one precision on one chip.

    Args:
        table: as `Priced.table`, mode switches included.
        modes: of its multiply-accumulate layers.
        slowdown, share: terms of Equation 6.
        failure: why it cannot run alone on the chip.
    """

    table: Floats
    modes: tuple[str, ...]
    slowdown: float
    share: float
    failure: Infeasible | None


def _member(network: Network, bits: Precisions, layers: Sequence[Priced], hardware: Hardware) -> _Member:
    modes = tuple(own.mode for layer, own in zip(network.layers, layers, strict=True) if layer.nest)
    switches = sum(before != after for before, after in pairwise(modes))
    table = np.sum([own.table for own in layers], axis=0) + switches * np.array(switch(hardware))
    failure = next(
        (
            Infeasible(f"layer {layer.name}: {own.failure.message}", own.failure.level, own.failure.constraint)
            for layer, own in zip(network.layers, layers, strict=True)
            if own.failure
        ),
        None,
    )
    try:
        slower = float(slowdown(hardware.datapath, bits.weight_bits, bits.activation_bits, bits.full))
    except Infeasible as error:  # perhaps no layer runs at these widths, but Equation 6 has nothing to say of them
        slower, failure, table = float("nan"), failure or error, np.full_like(table, np.nan)
    return _Member(table, modes, slower, bits.weight_bits / bits.full, failure)


def switch(hardware: Hardware) -> tuple[float, float]:
    """What one change of the datapath's mode takes: [cycles], and leakage in that time [J]."""
    cycles = hardware.datapath.reconfiguration
    return cycles, static_power(hardware) * cycles / hardware.clock


def _together(
    hardware: Hardware,
    members: Sequence[_Member],
    stored: Sequence[int],
    sizes: tuple[int, ...],
    fitting: tuple[int, ...],
    insists: bool,
) -> Prices | Infeasible:
    """Members of every precision on one chip, and the baseline, which is the last of them alone."""
    table = np.stack([member.table for member in members], axis=1)  # [1 + sizes, precisions, 2]
    baseline = table[0, -1]
    if stored[-1] in fitting and not np.isnan(own := table[1 + fitting.index(stored[-1]), -1]).any():
        baseline = own
    if np.isnan(baseline).any():
        return members[-1].failure or Infeasible(f"one full-precision network cannot run on {hardware.name}")
    rows = table[1:].reshape(len(fitting), 2 * len(members))
    distinct, which = np.unique(np.nan_to_num(rows, nan=-1.0), axis=0, return_inverse=True)
    first = [int(np.flatnonzero(which.ravel() == number)[0]) for number in range(len(distinct))]
    table = table[[0, *(1 + place for place in first)]]
    if insists:
        table[0] = np.nan
    numbers = {mode: number for number, mode in enumerate(sorted({mode for one in members for mode in one.modes}))}
    return Prices(
        hardware=hardware,
        cycles=table[..., 0],
        joules=table[..., 1],
        sizes=np.array(sizes, dtype=np.int64),
        situations=np.pad(1 + which.ravel(), (0, len(sizes) - len(fitting))).astype(np.intp),
        insists=insists,
        stored=np.array(stored, dtype=np.int64),
        first=np.array([numbers[one.modes[0]] if one.modes else -1 for one in members], dtype=np.intp),
        last=np.array([numbers[one.modes[-1]] if one.modes else -1 for one in members], dtype=np.intp),
        slowdown=np.array([one.slowdown for one in members]),
        share=np.array([one.share for one in members]),
        baseline=(float(baseline[0]), float(baseline[1])),
        failures={index: one.failure for index, one in enumerate(members) if one.failure},
    )
