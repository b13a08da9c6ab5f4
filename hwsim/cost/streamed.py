"""Work of the vector unit: layers that multiply nothing, and what runs on the results of those that do.

A streamed layer is one pass. Every operand element goes once from the outermost memory through the levels that the
whole chip shares to the vector unit, every result element the same way back: what lies above the first fan-out and
keeps inputs (or outputs) is written and read once for each word, less where a mapping could bypass it. The pass
overlaps with itself, so that the slowest of vector unit and memories sets the time:

    cycles = launch + max(operations / rate, bits of every memory / its bandwidth)

Operators fused into a multiply-accumulate layer overlap with it in the same way. The biases and norm parameters of a
layer are read once, along the way that its weights take.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hwsim.cost.access import Access
from hwsim.cost.cycles import busy_cycles
from hwsim.cost.energy import static_power
from hwsim.cost.layer import LayerCost
from hwsim.cost.problem import home
from hwsim.operators.nest import Operand
from hwsim.spec.hardware import Hardware, Memory

#: What overlaps with nothing, by its name in `LayerCost.busy`.
SERIAL = ("launch", "fill and drain")

#: Name of the vector unit's share in `LayerCost.busy` and `LayerCost.energy`.
VECTOR = "vector"


@dataclass(frozen=True)
class Stream:
    """Words of one width that pass once.

    Args:
        words: [elements].
        bits: of one [bits].
        resident: whether they begin, or end, on the chip: in the home of their operand.
    """

    words: int = 0
    bits: int = 0
    resident: bool = False


def streamed(
    hardware: Hardware,
    operations: int,
    inputs: Sequence[Stream] = (),
    output: Stream | None = None,
    parameters: Stream | None = None,
) -> LayerCost:
    """Cost of a layer that multiplies nothing.

    Args:
        operations: vector operations, fused ones included.
        inputs: every operand as it is stored.
        output: the result as it is stored.
        parameters: stored values that are read, norm parameters and rows of a table.
    """
    streams = [(Operand.INPUTS, stream) for stream in inputs]
    streams += [(Operand.OUTPUTS, output)] if output else []
    streams += [(Operand.WEIGHTS, parameters)] if parameters else []
    traffic = merged(access for stream in streams for access in passes(hardware, *stream))
    launch = hardware.launch * hardware.clock
    busy = {VECTOR: vector_cycles(hardware, operations), "launch": launch, **_ports(hardware, traffic)}
    cycles = launch + _overlapped(busy)
    seconds = cycles / hardware.clock
    energy = _access_energy(hardware, traffic)
    energy[VECTOR] = operations * hardware.vector.energy
    energy["leakage"] = static_power(hardware) * seconds
    return LayerCost(
        name="layer",
        operator=VECTOR,
        shape="",
        weight_bits=parameters.bits if parameters else 0,
        activation_bits=max((stream.bits for stream in inputs), default=0),
        mode=VECTOR,
        macs=0,
        cycles=cycles,
        seconds=seconds,
        bound=max(busy, key=lambda part: busy[part]),
        utilization=0.0,
        dram_bytes=_outermost_bytes(traffic),
        energy=energy,
        traffic=traffic,
        busy=busy,
    )


def fused(cost: LayerCost, hardware: Hardware, operations: int, parameters: Stream | None = None) -> LayerCost:
    """A multiply-accumulate layer with the vector operations fused into it, and its biases and norm parameters.

    Args:
        cost: of the bare nest.
        operations: vector operations on its results.
        parameters: biases, scales and shifts; they join the weights in the traffic.
    """
    if not operations and not (parameters and parameters.words):
        return cost
    extra = passes(hardware, Operand.WEIGHTS, parameters) if parameters else ()
    traffic = merged((*cost.traffic, *extra))
    touched = {(access.level, access.memory) for access in extra}
    busy = {**cost.busy, VECTOR: vector_cycles(hardware, operations)}
    for port, cycles in _ports(hardware, [x for x in traffic if (x.level, x.memory) in touched]).items():
        # A single-buffered memory's transfers are part of what overlaps with nothing; its few extra words are not.
        if port in busy:
            busy[port] = cycles
    cycles = sum(busy[part] for part in SERIAL) + _overlapped(busy)
    seconds = cycles / hardware.clock
    energy = dict(cost.energy)
    for part, joules in _access_energy(hardware, extra).items():
        energy[part] = energy.get(part, 0.0) + joules
    energy[VECTOR] = operations * hardware.vector.energy
    energy["leakage"] = static_power(hardware) * seconds
    return replace(
        cost,
        cycles=cycles,
        seconds=seconds,
        bound=max(busy, key=lambda part: busy[part]),
        utilization=cost.utilization * cost.cycles / cycles,
        dram_bytes=cost.dram_bytes + _outermost_bytes(extra),
        energy=energy,
        traffic=traffic,
        busy=busy,
    )


def vector_cycles(hardware: Hardware, operations: int) -> float:
    """Time of the vector unit alone [cycles]."""
    return operations / hardware.vector.operations_per_cycle


def passes(hardware: Hardware, operand: Operand, stream: Stream) -> tuple[Access, ...]:
    """Accesses of words that pass once between the outermost memory, or for resident ones their home, and the bottom
    of what the chip shares."""
    shared = [index for index in range(len(hardware.levels)) if hardware.instances(index) == 1]
    chain = [index for index in shared if operand in hardware.levels[index].keeps]
    if stream.resident:
        chain = [index for index in chain if index >= (home(hardware, operand) or 0)]
    chain = [index for index in chain if index == chain[0] or operand not in hardware.levels[index].optional]
    result = []
    for index in chain:
        inner = stream.words if index > chain[0] else 0  # the outermost one is entered, or left, by nothing here
        reads, writes = (inner, stream.words) if operand is Operand.OUTPUTS else (stream.words, inner)
        name = _memory(hardware, index, operand).name
        result.append(Access(index, name, operand, reads, writes, reads * stream.bits, writes * stream.bits))
    return tuple(result)


def merged(accesses: Iterable[Access]) -> tuple[Access, ...]:
    """One record for each memory and operand, in the order of their first appearance."""
    sums: dict[tuple[int, str, Operand], Access] = {}
    for access in accesses:
        key = access.level, access.memory, access.operand
        if key in sums:
            first = sums[key]
            access = replace(
                first,
                reads=first.reads + access.reads,
                writes=first.writes + access.writes,
                read_bits=first.read_bits + access.read_bits,
                write_bits=first.write_bits + access.write_bits,
            )
        sums[key] = access
    return tuple(sums.values())


def _memory(hardware: Hardware, level: int, operand: Operand) -> Memory:
    memory = hardware.levels[level].memory(operand)
    assert memory is not None, f"{hardware.levels[level].name} does not keep {operand}"
    return memory


def _overlapped(busy: dict[str, float]) -> float:
    return max((cycles for part, cycles in busy.items() if part not in SERIAL), default=0.0)


def _ports(hardware: Hardware, traffic: Sequence[Access]) -> dict[str, float]:
    """Time of every memory's ports alone [cycles], by their name in `LayerCost.busy`."""
    busy: dict[str, float] = {}
    for level, name in dict.fromkeys((access.level, access.memory) for access in traffic):
        mine = [access for access in traffic if (access.level, access.memory) == (level, name)]
        memory = _memory(hardware, level, mine[0].operand)
        read, written = (float(sum(bits)) for bits in zip(*((x.read_bits, x.write_bits) for x in mine), strict=True))
        busy[f"{name} bandwidth"] = float(busy_cycles(memory, hardware.clock, read, written))
    return busy


def _access_energy(hardware: Hardware, traffic: Iterable[Access]) -> dict[str, float]:
    energy: dict[str, float] = {}
    for access in traffic:
        price = _memory(hardware, access.level, access.operand).energy
        spent = float(access.read_bits * price.read + access.write_bits * price.write)
        energy[access.memory] = energy.get(access.memory, 0.0) + spent
    return energy


def _outermost_bytes(traffic: Iterable[Access]) -> float:
    return sum(float(access.read_bits + access.write_bits) for access in traffic if access.level == 0) / 8
