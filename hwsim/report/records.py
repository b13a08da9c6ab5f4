"""Costs as plain objects, ready for JSON, for tables and for a cache, and as flat rows, ready for a data frame."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hwsim import __version__
from hwsim.mapping.record import from_record, to_record
from hwsim.report.plan import plan_record

if TYPE_CHECKING:  # a record that comes from the cache is printed without them
    from hwsim.cost.access import Access
    from hwsim.cost.layer import LayerCost
    from hwsim.ensemble.ensemble_cost import EnsembleCost
    from hwsim.ensemble.network_cost import NetworkCost
    from hwsim.spec.hardware import Hardware

Record = dict[str, Any]


def text(record: Record) -> str:
    """One JSON object; numbers that JSON lacks, infinities, are null."""
    return json.dumps(_finite(record), indent=2, allow_nan=False)


def record_of(cost: EnsembleCost | NetworkCost | LayerCost) -> Record:
    """The record of any cost."""
    from hwsim.cost.layer import LayerCost
    from hwsim.ensemble.ensemble_cost import EnsembleCost

    if isinstance(cost, EnsembleCost):
        return ensemble_record(cost)
    return layer_record(cost) if isinstance(cost, LayerCost) else network_record(cost)


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
        "combining": cost.ensemble.combiner,
        "budget": cost.budget,
        "within_budget": cost.within_budget,
        "baseline": network_record(cost.baseline),
        "ensemble": {
            **_totals(cost),
            "mode_switches": _number(cost.mode_switches),
            "weights_resident": all(member.resident for member in cost.members),
            "weights_kept_bytes": sum(member.kept_bits for member in cost.members) / 8,
            "plan": plan_record(cost.plan, cost.members) if cost.plan else None,
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
        "weights_kept_bytes": cost.kept_bits / 8,
        "plan": plan_record(cost.plan, [cost]) if cost.plan else None,
        "layers": [layer_record(layer, cost.hardware) for layer in cost.layers],
    }


def layer_record(cost: LayerCost, hardware: Hardware | None = None) -> Record:
    """A layer with its mapping, its traffic, and what is known about the search.

    Args:
        hardware: names the levels; without it there is no traffic.
    """
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
        "busy": dict(cost.busy),
        "mapping": to_record(cost.mapping) if cost.mapping else None,
        "traffic": [_access_record(access, hardware) for access in cost.traffic] if hardware else [],
        "certificate": vars(cost.certificate) if cost.certificate else None,
    }


def rows(record: Record) -> Iterator[Record]:
    """One flat row a layer of an ensemble's, a network's or a layer's record.

    An ensemble's are those of the baseline, of every member, and the combiner's.
    """
    if "members" in record:
        for network in (record["baseline"], *record["members"]):
            yield from rows(network)
        if record["combiner"]:
            yield {"member": "ensemble", **_row(record["combiner"])}
    elif "layers" in record:
        for layer in record["layers"]:
            yield {"member": record["name"], **_row(layer)}
    else:
        yield _row(record)


def _row(layer: Record) -> Record:
    plain = {key: value for key, value in layer.items() if not isinstance(value, dict | list | None)}
    certificate = layer["certificate"] or {"proven": True, "gap": 0.0}
    return {
        "layer": plain.pop("name"),
        **plain,
        "mapping": from_record(layer["mapping"]).compact() if layer["mapping"] else "",
        "proven": certificate["proven"],
        "gap": certificate["gap"],
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
