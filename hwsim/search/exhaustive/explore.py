"""Every ensemble of a space on every chip: what all of them cost, by array arithmetic.

The layers of every precision are mapped once on each chip. An ensemble's time is then the sum of its members' times, of
the mode changes between them, and of the combiner's time, which depends on their number alone; its energy and storage
are such sums, too. They are those of `hwsim.ensemble.ensemble_cost.map_ensemble` or, where layers are played, of
`hwsim.simulate.members.run.simulate_ensemble`, all members one after another for the whole batch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.cache.families import RememberedFamilies
from hwsim.ensemble.combiner import combine
from hwsim.ensemble.solve import Mapper
from hwsim.errors import Fault, Infeasible, SpecError
from hwsim.importers import resolve
from hwsim.mapper import EFFORT
from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.ensembles import Block, Choices, blocks
from hwsim.search.design.grid import Chip, Scenario, choices
from hwsim.search.design.verdict import feasible
from hwsim.search.exhaustive.prices import Prices, price_members, switch
from hwsim.search.exhaustive.rows import Rows
from hwsim.search.measured.robustness import Robust, Robustness
from hwsim.spec.network import Network
from hwsim.spec.space import Space

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Designs:
    """Ensembles of a block on one chip.

    Args:
        columns: see `hwsim.search.design.columns.COLUMNS`; one row an ensemble. Costs are NaN where the chip cannot run
            an ensemble, robustness where it was not measured. Not to be written to: chips share them.
        why: why the chip runs no ensemble at all, if it does not.
    """

    chip: Chip
    scenario: Scenario
    block: Block
    columns: dict[str, NDArray[Any]]
    why: Infeasible | None = None


def explore(
    space: Space,
    scenario: Scenario,
    chips: Sequence[Chip],
    *,
    known: Robustness | None = None,
    most: int = 1 << 18,
    network: Network | None = None,
    prices: Sequence[Prices | Infeasible] | None = None,
    mapper: Mapper | None = None,
    effort: float = EFFORT,
) -> Iterator[Designs]:
    """Price every ensemble on every chip, block by block; every block for all chips before the next.

    Args:
        known: what was measured of the scenario's network.
        most: rows of a block, which bound the memory.
        network: the scenario's own if not given; runs at the scenario's batch either way.
        prices: of the members, see `member_prices`, where they are known: other combiners have the same.
        mapper: `hwsim.cache.families.RememberedFamilies` if not given.
        effort: see `hwsim.mapper.map_layer`.

    Raises:
        SpecError: the network cannot be found or lacks layers that the subject names; weights stay by plan, which is
            decided ensemble by ensemble.
    """
    own, drawn = choices(space.ensembles), scenario.combiner == "random_switch"
    network = network_of(scenario, network)
    if prices is None:
        prices = member_prices(space, scenario, chips, network=network, mapper=mapper, effort=effort)
    limits = {str(name): limit for name, limit in space.constraints.items()}
    bare = [name for name in limits if COLUMNS[name].costs]

    @cache
    def combining(chip: int, members: int) -> tuple[float, float]:
        cost = combine(scenario.combiner, members, network, chips[chip].hardware, own.full)
        return (cost.cycles, cost.energy_joules) if cost else (0.0, 0.0)

    for block in blocks(own, most):
        rows = Rows(block, len(own.precisions))
        common = _common(rows, own, scenario, known)
        for number, (chip, price) in enumerate(zip(chips, prices, strict=True)):
            if isinstance(price, Infeasible):
                costs, why = _no_costs(rows), price
            else:
                costs, why = _costs(rows, price, drawn, combining(number, rows.members)), None
            area = np.nan if chip.area is None else chip.area
            columns = {**common, **costs, "area": _all(rows, area)}
            columns["cost_feasible"] = feasible(columns, limits, bare)
            unmeasured = len(bare) == len(limits)
            columns["feasible"] = columns["cost_feasible"] if unmeasured else feasible(columns, limits)
            yield Designs(chip, scenario, block, {name: columns[name] for name in COLUMNS}, why)


def network_of(scenario: Scenario, network: Network | None = None) -> Network:
    """The scenario's network, or another, at the scenario's batch.

    Raises:
        SpecError: it cannot be found.
    """
    if network is None:
        wanted = scenario.subject.network
        network = resolve(wanted.name, scenario.batch, wanted.parameters, wanted.input_shape)
    return network.with_batch(scenario.batch)


def member_prices(
    space: Space,
    scenario: Scenario,
    chips: Sequence[Chip],
    *,
    network: Network | None = None,
    mapper: Mapper | None = None,
    effort: float = EFFORT,
) -> list[Prices | Infeasible]:
    """What the scenario's network costs at every precision on every chip, whatever the combiner; see `explore`."""
    ensembles = space.ensembles
    if ensembles.weights_stay == "planned":
        why = "what stays on the chip by plan is chosen ensemble by ensemble: take the engine nsga2 or tpe"
        raise SpecError([Fault(why, field="ensembles.weights_stay")])
    return price_members(
        network_of(scenario, network),
        choices(ensembles),
        scenario.subject.quantize,
        [chip.hardware for chip in chips],
        mapper or RememberedFamilies(),
        weights=ensembles.weights_stay,
        objective=space.objective,
        timing=space.timing,
        effort=effort,
    )


def _costs(rows: Rows, prices: Prices, drawn: bool, combining: tuple[float, float]) -> dict[str, NDArray[Any]]:
    """What the ensembles of a block cost on one chip.

    Args:
        drawn: one member runs, each as likely as any other.
        combining: cycles and joules of the combiner.
    """
    hardware, one_in = prices.hardware, rows.members if drawn else 1
    stored = rows.once("stored", prices.stored, lambda: rows.total(prices.stored[None, :].astype(np.float64)))
    situations = _situations(rows, prices, stored)
    changes = prices.changes
    switches = rows.once("changes", changes, lambda: rows.changes(changes, drawn)) if changes.any() else None
    spent = []
    for table, each, extra in zip((prices.cycles, prices.joules), switch(hardware), combining, strict=True):
        total = rows.total(table, situations)
        if len(table) > 1 and not prices.insists and (homeless := np.isnan(total)).any():
            total[homeless] = rows.total(table[:1])[homeless]  # beside so much it does not map, and is streamed
        if one_in > 1:
            total /= one_in
        if switches is not None and each:
            total += switches * each
        if extra:
            total += extra
        spent.append(total)
    cycles, joules = spent
    cycles_alone, joules_alone = prices.baseline
    storage_bytes = rows.once("bytes", prices.stored, lambda: stored / 8)
    storage_overhead = rows.once("storage", prices.stored, lambda: _storage_overhead(rows, stored, prices))
    if (cannot := np.isnan(cycles)).any():
        storage_bytes, storage_overhead = (np.where(cannot, np.nan, own) for own in (storage_bytes, storage_overhead))
    return {
        "time_overhead": cycles / cycles_alone - 1,
        "storage_overhead": storage_overhead,
        "energy_overhead": joules / joules_alone - 1 if joules_alone else _all(rows, np.nan),
        "seconds": cycles / hardware.clock,
        "energy_joules": joules,
        "storage_bytes": storage_bytes,
        "baseline_seconds": _all(rows, cycles_alone / hardware.clock),
        "equation6_time": rows.once("sums", prices.slowdown, lambda: rows.total(prices.slowdown[None]) / one_in - 1),
        "equation6_storage": rows.once("shares", prices.share, lambda: rows.total(prices.share[None]) - 1),
    }


def _storage_overhead(rows: Rows, stored: Floats, prices: Prices) -> Floats:
    alone = float(prices.stored[-1])
    return stored / alone - 1 if alone else np.full(rows.count, rows.members - 1.0)


def _situations(rows: Rows, prices: Prices, stored: Floats) -> NDArray[np.intp] | None:
    """In which situation each ensemble runs; None where all run in the first."""
    if not prices.situations.any():
        return None
    places = rows.once("places", prices.sizes, lambda: np.searchsorted(prices.sizes, stored))
    found = prices.situations[places]
    return found if found.any() else None


def _no_costs(rows: Rows) -> dict[str, NDArray[Any]]:
    unknown = _all(rows, np.nan)
    return {name: unknown for name, column in COLUMNS.items() if column.costs}


def _all(rows: Rows, value: float) -> Floats:
    """The same in every row, stored once."""
    return np.broadcast_to(np.float64(value), rows.count)


def _common(rows: Rows, choices: Choices, scenario: Scenario, known: Robustness | None) -> dict[str, NDArray[Any]]:
    """What is the same on every chip."""
    bits = np.array([weights + activations for weights, activations in choices.precisions] + [2 * choices.full])
    return {
        "members": _all(rows, rows.members),
        "low_precision": _all(rows, rows.low),
        "member_bits": rows.total(bits[None, :].astype(np.float64)),
        **_robustness(rows, choices, scenario, known),
    }


def _robustness(rows: Rows, choices: Choices, scenario: Scenario, known: Robustness | None) -> dict[str, NDArray[Any]]:
    """What was measured of the ensembles of a block."""
    names = [name for name, column in COLUMNS.items() if not column.costs]
    found = dict(_measured(rows.block, choices, scenario, known)) if known else {}
    if not found:
        return dict.fromkeys(names, _all(rows, np.nan))
    columns = {name: np.full(rows.count, np.nan) for name in names}
    for row, robust in found.items():
        columns["clean_accuracy"][row] = robust.clean
        columns["clean_loss"][row] = np.nan if robust.clean_loss is None else robust.clean_loss
        columns["robust_accuracy"][row] = robust.robust
        columns["robust_low"][row], columns["robust_high"][row] = robust.low, robust.high
        columns["robust_samples"][row] = robust.samples
    return columns


def _measured(block: Block, choices: Choices, scenario: Scenario, known: Robustness) -> Iterator[tuple[int, Robust]]:
    """Rows of a block whose ensembles were measured, which are few: each is looked up by bisection."""
    numbers = {precision: number for number, precision in enumerate(choices.precisions)}
    full = (choices.full, choices.full)
    count, low = block.members.shape
    for copies, combiner in known.measured:
        rest = [numbers[copy] for copy in copies if copy in numbers]
        others = len(copies) - len(rest)
        if combiner != scenario.combiner or (others, len(rest)) != (block.full_precision, low):
            continue
        if copies.count(full) != others:
            continue
        wanted = sorted(rest)
        row = bisect_left(range(count), wanted, key=lambda row: block.members[row].tolist())
        robust = known.get(copies, combiner)
        if robust and row < count and block.members[row].tolist() == wanted:
            yield row, robust
