"""A simulation as a plain object, ready for JSON and for tables, and as flat rows, ready for a data frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hwsim import __version__
from hwsim.report.plan import plan_record
from hwsim.report.records import Record
from hwsim.report.stream import stream_record

if TYPE_CHECKING:
    from hwsim.cost.layer import LayerCost
    from hwsim.simulate.layer.played import Played
    from hwsim.simulate.members.auto import Candidate, Choice
    from hwsim.simulate.members.simulation import PlayedNetwork, Simulation
    from hwsim.simulate.stream.stream import Stream
    from hwsim.spec.hardware import Hardware

#: Parts of a layer's record that are tables of their own; in a row each entry is a column.
_NESTED = ("busy", "stalls", "peak_bits")


def simulation_record(run: Simulation, stream: Stream | None = None) -> Record:
    """What `hwsim simulate --json` prints."""
    arrangement, cost = run.arrangement, run.arrangement.cost
    chip, predicted = cost.hardware, cost.equation6
    networks = (run.baseline, *run.members)
    layers = [*(layer for network in networks for layer in network.layers), *([run.combiner] if run.combiner else [])]
    return {
        "schema": "hwsim/simulate/1",
        "version": __version__,
        "name": cost.ensemble.name,
        "hardware": chip.name,
        "network": cost.network,
        "objective": cost.objective,
        "combining": cost.ensemble.combiner,
        "schedule": arrangement.schedule,
        "division": arrangement.division,
        "inputs": run.inputs,
        "baseline": _network_record(run.baseline, chip),
        "ensemble": {
            "cycles": run.cycles,
            "closed_form_cycles": run.closed_cycles,
            "seconds": run.seconds,
            "inputs_per_second": run.inputs / run.seconds,
            "energy_joules": run.energy_joules,
            "mode_switches": run.switches,
            "dram_bytes": run.dram_bytes,
            "working_set_bytes": arrangement.working_set_bytes,
            "weights_resident": all(member.cost.resident for member in run.members),
            # Members on parts of the chip have plans of their own.
            "plan": plan_record(cost.plan, cost.members) if cost.plan and not arrangement.division else None,
            "tiles": sum(layer.tiles for layer in layers),
            "skipped": sum(layer.skipped for layer in layers),
            "events": sum({id(layer): layer.events for layer in layers}.values()),
        },
        "time_overhead": {
            "simulated": run.time_overhead,
            "closed_form": run.closed_time_overhead,
            "equation6": predicted.sums.time - 1,
            "layerwise": predicted.layerwise.time - 1,
        },
        "energy_overhead": {"simulated": run.energy_overhead, "closed_form": run.closed_energy_overhead},
        "time": run.time_causes,
        "utilization": run.utilization,
        "combiner": _layer_record(cost.combiner, run.combiner, chip) if cost.combiner and run.combiner else None,
        "members": [_network_record(member, chip) for member in run.members],
        "choice": _choice_record(run.choice) if run.choice else None,
        "stream": stream_record(stream) if stream else None,
    }


def simulation_rows(record: Record) -> Iterator[Record]:
    """One flat row a layer: the baseline's, every member's and the combiner's."""
    for network in (record["baseline"], *record["members"]):
        for layer in network["layers"]:
            yield {"member": network["name"], **_row(layer)}
    if record["combiner"]:
        yield {"member": "ensemble", **_row(record["combiner"])}


def _row(layer: Record) -> Record:
    plain = {key: value for key, value in layer.items() if not isinstance(value, dict | list)}
    nested = {f"{key}: {part}": value for key in _NESTED for part, value in layer[key].items()}
    return {"layer": plain.pop("name"), **plain, **nested}


def _network_record(network: PlayedNetwork, chip: Hardware) -> Record:
    cost = network.cost
    return {
        "name": cost.name,
        "weight_bits": cost.weight_bits,
        "activation_bits": cost.activation_bits,
        "share": network.share,
        "cycles": network.cycles,
        "closed_form_cycles": sum(layer.cycles for layer in cost.layers) + network.switch_cycles,
        "seconds": network.cycles / chip.clock,
        "energy_joules": network.energy_joules,
        "mode_switches": network.switches,
        "switch_cycles": network.switch_cycles,
        "weights_resident": cost.resident,
        "plan": plan_record(cost.plan, [cost]) if cost.plan else None,
        "layers": [_layer_record(*both, chip) for both in zip(cost.layers, network.layers, strict=True)],
    }


def _layer_record(cost: LayerCost, played: Played, chip: Hardware) -> Record:
    levels = {memory.name: level.name for level in chip.levels for memory in level.memories}
    return {
        "name": cost.name,
        "operator": cost.operator,
        "shape": cost.shape,
        "weight_bits": cost.weight_bits,
        "activation_bits": cost.activation_bits,
        "mode": cost.mode,
        "macs": cost.macs,
        "cycles": played.cycles,
        "closed_form_cycles": cost.cycles,
        "bound": cost.bound,
        "tiles": played.tiles,
        "skipped": played.skipped,
        "events": played.events,
        "busy": dict(played.busy),
        "stalls": dict(played.stalls),
        "peak_bits": dict(played.peak),
        "traffic": [
            {"level": levels[memory], "memory": memory, "operand": operand, "read_bits": read, "write_bits": written}
            for (_, memory, operand), (read, written) in played.moved.items()
        ],
    }


def _choice_record(choice: Choice) -> Record:
    return {
        "aim": choice.aim,
        "candidates": [_candidate_record(candidate, choice) for candidate in choice.candidates],
        "refused": dict(choice.refused),
    }


def _candidate_record(candidate: Candidate, choice: Choice) -> Record:
    run, clock = candidate.simulation, candidate.simulation.arrangement.cost.hardware.clock
    return {
        "schedule": candidate.schedule,
        "division": run.arrangement.division,
        "inputs": run.inputs,
        "first_seconds": candidate.first_cycles / clock,
        "all_seconds": candidate.all_cycles / clock,
        "inputs_per_second": candidate.throughput,
        "dram_bytes": run.dram_bytes / run.inputs,
        "mode_switches": run.switches / run.inputs,
        "array_filled": run.array_filled,
        "time": candidate.causes,
        "beaten_by": choice.saved(candidate),
    }
