"""Why a simulated overhead is not Equation 6's.

Equation 6 expects member i to take a_i times what the full-precision network takes (1 for a full-precision member, the
ratio of throughputs or of widths for the others). Let the baseline T = sum of its parts b_c, and the member T_i = sum
of m_ic, over the same causes c. Then

    sum_i T_i / T  -  sum_i a_i  =  sum_c  sum_i (m_ic - a_i b_c) / T

exactly: each cause adds what it costs the members beyond its share in the baseline, scaled as the equation scales the
whole. A part that shrinks as the equation says cancels out. Where one of K members is drawn to run alone, T_i and a_i
count by 1/K.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hwsim.cost.layer import LayerCost
from hwsim.cost.streamed import SERIAL, VECTOR
from hwsim.ensemble.network_cost import NetworkCost

IDEAL = "multiplications"
UNQUANTIZED = "layers in full precision"
ARRAY = "array not filled"
MEMORY = "memory bandwidth"
VECTOR_UNIT = "vector unit"
LAUNCH = "launch"
FILL = "fill and drain"
SWITCHES = "mode switches"
COMBINER = "combiner"
TABLES = "lookup tables in full precision"
VECTORS = "biases and norms in full precision"

#: Causes of a difference in time and in storage, in the order of reports.
TIME = (UNQUANTIZED, ARRAY, MEMORY, FILL, VECTOR_UNIT, LAUNCH, SWITCHES, COMBINER)
STORAGE = (UNQUANTIZED, TABLES, VECTORS)


def layer_time(cost: LayerCost, ideal: float) -> dict[str, float]:
    """Where the cycles of a layer go; the parts add up to them.

    Args:
        ideal: what its multiplications take with the whole datapath busy at the member's widths [cycles].
    """
    busy = cost.busy
    parts = {LAUNCH: busy.get("launch", 0.0), FILL: busy.get("fill and drain", 0.0)}
    if not cost.macs:
        return parts | {VECTOR_UNIT: cost.cycles - sum(parts.values())}
    peak = cost.utilization * cost.cycles  # the multiplications with the whole datapath busy in the layer's own mode
    ports = (cycles for part, cycles in busy.items() if part not in (*SERIAL, VECTOR))
    moved = max(ports)
    parts |= {IDEAL: ideal, UNQUANTIZED: peak - ideal, ARRAY: busy["compute"] - peak, MEMORY: moved - busy["compute"]}
    return parts | {VECTOR_UNIT: max(0.0, busy.get(VECTOR, 0.0) - moved)}


def network_time(cost: NetworkCost, ideal_rate: float) -> dict[str, float]:
    """Where the cycles of a network go.

    Args:
        ideal_rate: multiply-accumulates of the whole chip in a cycle at the member's widths.
    """
    layers = [layer_time(layer, layer.macs / ideal_rate) for layer in cost.layers]
    return total([*layers, {SWITCHES: cost.switch_cycles}])


def network_storage(cost: NetworkCost, full: int) -> dict[str, float]:
    """Where the stored bits of a network go."""
    kept = cost.storage
    ideal = kept.unquantized * cost.weight_bits / full
    return {
        IDEAL: kept.weights + ideal,
        UNQUANTIZED: kept.unquantized - ideal,
        TABLES: float(kept.tables),
        VECTORS: float(kept.vectors),
    }


def difference(
    causes: Iterable[str],
    baseline: Mapping[str, float],
    members: Sequence[Mapping[str, float]],
    shares: Sequence[float],
    extra: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """How much each cause adds to the multiple of the baseline that the equation expects.

    Args:
        causes: those to report.
        baseline, members: parts of each whole by cause; `IDEAL` is the one that the equation counts.
        shares: for every member, the multiple of the baseline that the equation expects.
        extra: parts of the ensemble that belong to no member.
    """
    whole = sum(baseline.values())
    if not whole:
        return dict.fromkeys(causes, 0.0)
    over = dict(extra or {})
    for parts, share in zip(members, shares, strict=True):
        for cause in causes:
            over[cause] = over.get(cause, 0.0) + parts.get(cause, 0.0) - share * baseline.get(cause, 0.0)
    return {cause: over.get(cause, 0.0) / whole for cause in causes}


def total(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sum by cause."""
    sums: dict[str, float] = {}
    for part in parts:
        for cause, amount in part.items():
            sums[cause] = sums.get(cause, 0.0) + amount
    return sums
