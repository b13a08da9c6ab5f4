"""Small spaces: the example network on chips with one multiplier, 8 bits being full precision."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from hypothesis import strategies as st

from hwsim.ensemble.solve import Mapper
from hwsim.mapper import map_layer
from hwsim.search.grid import Chip
from hwsim.spec.hardware import Hardware, Memory
from hwsim.spec.rules import FullPrecision
from hwsim.spec.space import Space
from tests.unit.ensemble.examples import FULL, datapath, small_chip

#: Maps every layer once for all tests.
MAPPER = cast("Mapper", cache(map_layer))


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
