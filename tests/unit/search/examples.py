"""Small spaces, their designs by array arithmetic, and the same ensembles mapped one by one.

The example network runs on chips with one multiplier, 8 bits being full precision.
"""

from __future__ import annotations

from functools import cache
from math import nan
from typing import Any, cast

import pytest
from hypothesis import strategies as st

from hwsim.ensemble.ensemble_cost import EnsembleCost, map_ensemble
from hwsim.ensemble.solve import Mapper
from hwsim.mapper import map_layer
from hwsim.search.design.ensembles import Copies, ensemble_of
from hwsim.search.design.grid import Chip, choices, scenarios
from hwsim.search.exhaustive.explore import Designs, explore
from hwsim.spec.ensemble import Ensemble
from hwsim.spec.hardware import Hardware, Memory
from hwsim.spec.network import Network
from hwsim.spec.rules import FullPrecision
from hwsim.spec.space import Space
from tests.unit.ensemble.examples import FULL, datapath, small_chip, small_network

#: Maps every layer once for all tests.
MAPPER = cast("Mapper", cache(map_layer))

NETWORK = small_network()

Row = dict[str, float]


def space(**fields: Any) -> Space:
    """A space for the example network; the one it names is not looked at, nor are its measurements."""
    ensembles = {"full_precision_bits": FULL, "low_precision": (0, 1, 2), "weights_stay": "streamed"}
    given: dict[str, Any] = {
        "name": "example",
        "subjects": ({"network": "lenet5", "quantize": fields.pop("quantize", "all"), "measurements": "unread.jsonl"},),
        "ensembles": ensembles | fields.pop("ensembles", {}),
        "chips": {"base": "simple_s0"},
        "objectives": {"time_overhead": "minimise"},
    }
    return Space.model_validate(given | fields)


def chip(hardware: Hardware, area: float | None = None) -> Chip:
    return Chip({}, hardware, area)


def buffered(hardware: Hardware, **fields: Any) -> Hardware:
    """The same chip with another buffer."""
    outer, inner = hardware.levels
    (memory,) = inner.memories
    changed: Memory = memory.model_copy(update=fields)
    levels = (outer, inner.model_copy(update={"memories": (changed,)}))
    return hardware.model_copy(update={"levels": levels})


@st.composite
def chips(draw: st.DrawFn) -> Hardware:
    """Chips of which any resource may be scarce, whose buffers hold all weights of some ensembles, and on which some
    layers at some widths do not fit."""
    modes = draw(st.sets(st.sampled_from((2, 4, 8)), min_size=1))
    fast = datapath(draw(st.sampled_from((0.0, 7.0))))
    some = tuple(mode for mode in fast.model_dump()["modes"] if mode["weights"] in modes)
    return buffered(
        small_chip(
            bandwidth=draw(st.sampled_from((None, 1.0, 4.0))),
            operations_per_cycle=draw(st.sampled_from((float("inf"), 2.0))),
            leakage=draw(st.sampled_from((0.0, 0.5))),
            launch=draw(st.sampled_from((0.0, 3.0))),
            datapath=fast.model_copy(update={"modes": some}),
        ),
        size=draw(st.one_of(st.just(None), st.sampled_from((20.0, 90.0)), st.integers(200, 1500).map(float))),
        buffering=draw(st.sampled_from(("double", "streaming", "single"))),
    )


rules = st.sampled_from(("all", FullPrecision(full_precision=("fc",)), FullPrecision(full_precision=("conv",))))


def designs(wanted: Space, *hardware: Hardware, **fields: Any) -> list[Designs]:
    """All of a space with one scenario."""
    (scenario,) = scenarios(wanted)
    given: dict[str, Any] = {"network": NETWORK, "mapper": MAPPER} | fields
    return list(explore(wanted, scenario, [chip(own) for own in hardware], **given))


def rows(found: list[Designs], wanted: Space) -> dict[Copies, Row]:
    """Columns by members."""
    return {
        one.block.copies(choices(wanted.ensembles), row): {name: float(own[row]) for name, own in one.columns.items()}
        for one in found
        for row in range(len(one.block.members))
    }


def ensemble(wanted: Space, copies: Copies) -> Ensemble:
    """One of a space with one scenario."""
    (scenario,) = scenarios(wanted)
    subject, ensembles = scenario.subject, wanted.ensembles
    return ensemble_of(
        subject.network,
        subject.quantize,
        scenario.combiner,
        scenario.batch,
        ensembles.weights_stay,
        ensembles.full_precision_bits,
        copies,
    )


def mapped(wanted: Space, copies: Copies, hardware: Hardware, network: Network = NETWORK) -> EnsembleCost:
    """The same alone."""
    return map_ensemble(ensemble(wanted, copies), hardware, network, mapper=MAPPER, objective=wanted.objective)


def expected(cost: EnsembleCost) -> Row:
    """Its columns."""
    over, full = cost.overhead, cost.ensemble.full_precision_bits
    return {
        "time_overhead": over.time,
        "storage_overhead": over.storage,
        "energy_overhead": nan if over.energy is None else over.energy,
        "seconds": cost.seconds,
        "energy_joules": cost.energy_joules,
        "storage_bytes": cost.storage_bytes,
        "baseline_seconds": cost.baseline.seconds,
        "members": len(cost.members),
        "low_precision": sum((own.weight_bits, own.activation_bits) != (full, full) for own in cost.members),
        "member_bits": sum(own.weight_bits + own.activation_bits for own in cost.members),
        "equation6_time": cost.equation6.sums.time - 1,
        "equation6_storage": cost.equation6.sums.storage - 1,
    }


def assert_same(row: Row, wanted: Row) -> None:
    """Up to the rounding of sums in another order."""
    for name, value in wanted.items():
        assert row[name] == pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True), name
