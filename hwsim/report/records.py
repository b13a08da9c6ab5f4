"""Costs as plain objects, ready for JSON, and as flat rows, ready for a data frame."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from hwsim import __version__
from hwsim.cost.access import Access
from hwsim.cost.layer import LayerCost
from hwsim.ensemble.ensemble_cost import EnsembleCost
from hwsim.ensemble.network_cost import NetworkCost
from hwsim.mapping.mapping import Mapping
from hwsim.spec.hardware import Hardware

Record = dict[str, Any]


def text(record: Record) -> str:
    """One JSON object; numbers that JSON lacks, infinities, are null."""
    return json.dumps(_finite(record), indent=2, allow_nan=False)


def ensemble_record(cost: EnsembleCost) -> Record:
    """What `hwsim map --json` prints."""
    over, predicted = cost.overhead, cost.equation6
    return {
        "schema": "hwsim/map/1",
        "version": __version__,
        "name": cost.ensemble.name,
        "hardware": cost.hardware.name,
        "network": cost.network,
        "batch": cost.batch,
        "objective": cost.objective,
        "budget": cost.budget,
        "within_budget": cost.within_budget,
        "baseline": network_record(cost.baseline),
        "ensemble": {
            **_totals(cost),
            "mode_switches": cost.switches + sum(member.switches for member in cost.members),
            "weights_resident": cost.members[0].resident,
        },
        "overhead": {"time": over.time, "storage": over.storage, "energy": over.energy},
        "equation6": {
            "time": predicted.sums.time,
            "storage": predicted.sums.storage,
            "layerwise": {"time": predicted.layerwise.time, "storage": predicted.layerwise.storage},
        },
        "difference": {"time": cost.time_causes, "storage": cost.storage_causes},
        "combiner": layer_record(cost.combiner, cost.hardware) if cost.combiner else None,
        "members": [network_record(member) for member in cost.members],
    }


def network_record(cost: NetworkCost) -> Record:
    """A baseline or a member, with its layers."""
    return {
        "name": cost.name,
        "weight_bits": cost.weight_bits,
        "activation_bits": cost.activation_bits,
        **_totals(cost),
        "mode_switches": cost.switches,
        "weights_resident": cost.resident,
        "layers": [layer_record(layer, cost.hardware) for layer in cost.layers],
    }


def layer_record(cost: LayerCost, hardware: Hardware) -> Record:
    """A layer with its mapping, its traffic, and what is known about the search."""
    return {
        "name": cost.name,
        "operator": cost.operator,
        "shape": cost.shape,
        "weight_bits": cost.weight_bits,
        "activation_bits": cost.activation_bits,
        "mode": cost.mode,
        "macs": cost.macs,
        "cycles": cost.cycles,
        "seconds": cost.seconds,
        "bound": cost.bound,
        "utilization": cost.utilization,
        "dram_bytes": cost.dram_bytes,
        "energy_joules": cost.energy_joules,
        "energy": dict(cost.energy),
        "mapping": mapping_record(cost.mapping) if cost.mapping else None,
        "traffic": [_access_record(access, hardware) for access in cost.traffic],
        "certificate": vars(cost.certificate) if cost.certificate else None,
    }


def mapping_record(mapping: Mapping) -> list[Record]:
    """Loops of every level, outermost level and loop first."""
    return [
        {
            "level": level.level,
            "temporal": [{"dim": loop.dim, "bound": loop.bound} for loop in level.temporal],
            "spatial": [{"dim": loop.dim, "bound": loop.bound, "axis": loop.axis} for loop in level.spatial],
            "bypass": [str(operand) for operand in level.bypass],
        }
        for level in mapping.levels
    ]


def rows(cost: EnsembleCost | NetworkCost | LayerCost) -> Iterator[Record]:
    """One flat row a layer: those of the baseline, of every member, and the combiner's."""
    if isinstance(cost, LayerCost):
        yield _row(cost)
        return
    networks = (cost.baseline, *cost.members) if isinstance(cost, EnsembleCost) else (cost,)
    for network in networks:
        for layer in network.layers:
            yield {"member": network.name, **_row(layer)}
    if isinstance(cost, EnsembleCost) and cost.combiner:
        yield {"member": "ensemble", **_row(cost.combiner)}


def _row(cost: LayerCost) -> Record:
    certificate = cost.certificate
    return {
        "layer": cost.name,
        "operator": cost.operator,
        "shape": cost.shape,
        "weight_bits": cost.weight_bits,
        "activation_bits": cost.activation_bits,
        "mode": cost.mode,
        "macs": cost.macs,
        "cycles": cost.cycles,
        "seconds": cost.seconds,
        "bound": cost.bound,
        "utilization": cost.utilization,
        "dram_bytes": cost.dram_bytes,
        "energy_joules": cost.energy_joules,
        "mapping": cost.mapping.compact() if cost.mapping else "",
        "proven": certificate.proven if certificate else True,
        "gap": certificate.gap if certificate else 0.0,
    }


def _totals(cost: EnsembleCost | NetworkCost) -> Record:
    return {
        "cycles": cost.cycles,
        "seconds": cost.seconds,
        "energy_joules": cost.energy_joules,
        "dram_bytes": cost.dram_bytes,
        "storage_bytes": cost.storage_bytes,
        "working_set_bytes": cost.working_set_bytes,
    }


def _access_record(access: Access, hardware: Hardware) -> Record:
    return {
        "level": hardware.levels[access.level].name,
        "memory": access.memory,
        "operand": str(access.operand),
        "reads": _number(access.reads),
        "writes": _number(access.writes),
        "read_bits": _number(access.read_bits),
        "write_bits": _number(access.write_bits),
    }


def _number(value: Any) -> int | float:
    """A count as Python's own number, whole where it is whole."""
    number = float(value)
    return int(number) if number.is_integer() else number


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
