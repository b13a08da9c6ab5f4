"""The cost of one mapped layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import prod

from hwsim.cost.access import Access, accesses
from hwsim.cost.capacity import occupancy
from hwsim.cost.cycles import Cycles, cycles
from hwsim.cost.energy import access_energy, leakage_power, mac_energy
from hwsim.cost.problem import Problem, problem
from hwsim.cost.traffic import NestArrays, PricedLoop, flows
from hwsim.errors import Infeasible
from hwsim.mapping.mapping import Mapping
from hwsim.operators.nest import DIMENSIONS, LoopNest, Operand
from hwsim.spec.hardware import Hardware


@dataclass(frozen=True)
class Certificate:
    """What a search knows about its result.

    Args:
        space: mappings in the mapspace.
        priced: mappings whose exact cost was computed.
        proven: no mapping of the space is better.
        lower_bound: no mapping of the space costs less than this, in the objective's unit.
        gap: (found - lower_bound) / found; 0 when proven.
    """

    space: int
    priced: int
    proven: bool
    lower_bound: float
    gap: float


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer on one chip.

    Args:
        mode: datapath mode, or "vector" for work that multiplies nothing.
        cycles: [cycles], launch included; seconds: the same [s].
        bound: what limits it: "compute", "<memory> bandwidth", "fill and drain", "launch" or "vector".
        utilization: multiply-accumulates / what the whole chip could have done in that mode in that time.
        dram_bytes: moved across the outermost memory's port, both ways [B].
        energy: by part [J].
        traffic: reads and writes of every memory and operand.
        busy: what each thing that may bound it would take alone [cycles].
        problem: what was mapped; None where nothing is multiplied, or where nobody will ask.
    """

    name: str
    operator: str
    shape: str
    weight_bits: int
    activation_bits: int
    mode: str
    macs: int
    cycles: float
    seconds: float
    bound: str
    utilization: float
    dram_bytes: float
    energy: dict[str, float]
    traffic: tuple[Access, ...] = ()
    mapping: Mapping | None = None
    certificate: Certificate | None = None
    busy: dict[str, float] = field(default_factory=dict)
    problem: Problem | None = field(default=None, repr=False, compare=False)

    @property
    def energy_joules(self) -> float:
        """Energy of all parts [J]."""
        return sum(self.energy.values())

    def named(self, name: str, operator: str, shape: str) -> LayerCost:
        """The same cost under a layer's name."""
        return replace(self, name=name, operator=operator, shape=shape)


def price(
    nest: LoopNest,
    hardware: Hardware,
    mapping: Mapping,
    weight_bits: int,
    activation_bits: int,
    output_bits: int | None = None,
    *,
    resident: Iterable[Operand] = (),
) -> LayerCost:
    """Price a given mapping.

    Args:
        resident: see `hwsim.cost.problem.problem`.

    Raises:
        Infeasible: the mapping is not one of this nest on this hardware, or the datapath runs no such widths.
    """
    stated = problem(nest, hardware, weight_bits, activation_bits, output_bits, resident=resident)
    check(stated, mapping)
    return price_problem(stated, mapping)


def loops_of(problem: Problem, mapping: Mapping) -> tuple[PricedLoop, ...]:
    """A mapping's loops as the kernels take them.

    Raises:
        Infeasible: a level or axis that the hardware does not have.
    """
    names = [level.name for level in problem.levels]
    if [level.level for level in mapping.levels] != names:
        raise Infeasible(f"a mapping needs the levels {', '.join(names)}, in this order", constraint="levels")
    loops: list[PricedLoop] = []
    for index, (level, mapped) in enumerate(zip(problem.levels, mapping.levels, strict=True)):
        loops += [PricedLoop(loop.dim, loop.bound, index) for loop in mapped.temporal]
        axes = [axis.name for axis in level.fanout]
        for loop in mapped.spatial:
            if loop.axis not in axes:
                raise Infeasible(f"there is no axis {loop.axis} below {level.name}", level.name, "axis")
            loops.append(PricedLoop(loop.dim, loop.bound, index, axes.index(loop.axis)))
    return tuple(loops)


def check(problem: Problem, mapping: Mapping) -> None:
    """Refuse a mapping that is not one of this problem.

    Raises:
        Infeasible: says the constraint and the level.
    """
    loops = loops_of(problem, mapping)
    sizes = dict(zip(DIMENSIONS, problem.nest.sizes, strict=True))
    for dim in DIMENSIONS:
        covered = prod(int(loop.bound) for loop in loops if loop.dim == dim)
        if covered < sizes[dim]:
            raise Infeasible(f"the loops over {dim} cover {covered} of {sizes[dim]}", constraint="coverage")
    nest = NestArrays.of(loops, dict(sizes))
    for index, (level, mapped) in enumerate(zip(problem.levels, mapping.levels, strict=True)):
        for number, axis in enumerate(level.fanout):
            unrolled = [loop for loop in loops if loop.level == index and loop.axis == number]
            if prod(int(loop.bound) for loop in unrolled) > axis.size:
                raise Infeasible(f"{axis.name} has {axis.size} instances", level.name, "fanout")
            for loop in unrolled:
                if loop.bound != 1 and loop.dim not in axis.dims:
                    raise Infeasible(f"{loop.dim} may not be unrolled on {axis.name}", level.name, "fanout")
        for looped in mapped.temporal:
            if looped.bound != 1 and looped.dim not in level.loops:
                raise Infeasible(f"{looped.dim} may not be looped over here", level.name, "loops")
        for dim, extent in level.tile.items():
            tile = int(nest.tile(index)[dim])
            if (tile < sizes[dim]) if extent == "full" else (tile > extent):
                raise Infeasible(f"the dataflow fixes the tile of {dim} to {extent}, not {tile}", level.name, "tile")
        for bypassed in mapped.bypass:
            if bypassed not in level.optional - problem.obliged(index):
                raise Infeasible(f"{level.name} has to keep {bypassed}", level.name, "bypass")
        for taken in occupancy(problem, index, nest.tile(index), mapped.bypass, outermost=index == 0):
            if taken.bits > taken.usable:
                raise Infeasible(
                    f"a tile takes {float(taken.bits) / 8:g} B of {taken.usable / 8:g} B in {taken.memory}",
                    level.name,
                    "capacity",
                )


def price_problem(problem: Problem, mapping: Mapping) -> LayerCost:
    """Price a mapping that is known to be valid."""
    loops = loops_of(problem, mapping)
    bypass = tuple(level.bypass for level in mapping.levels)
    nest = NestArrays.of(loops, dict(zip(DIMENSIONS, problem.nest.sizes, strict=True)))
    time = cycles(problem, loops, bypass)
    launch = problem.hardware.launch * problem.hardware.clock
    total = float(time.total) + launch
    seconds = total / problem.hardware.clock
    done = accesses(problem, flows(problem, nest, bypass))
    energy = {name: float(joules) for name, joules in access_energy(problem, done).items()}
    energy["datapath"] = mac_energy(problem)
    energy["leakage"] = leakage_power(problem) * seconds
    busy = _busy(time, launch)
    return LayerCost(
        name="layer",
        operator="nest",
        shape="",
        weight_bits=problem.precision.weight_bits,
        activation_bits=problem.precision.activation_bits,
        mode=problem.mode.name,
        macs=problem.nest.macs,
        cycles=total,
        seconds=seconds,
        bound=max(busy, key=lambda name: busy[name]),
        utilization=problem.nest.macs / (total * problem.peak),
        dram_bytes=sum(float(x.read_bits) + float(x.write_bits) for x in done if x.level == 0) / 8,
        energy=energy,
        traffic=done,
        mapping=mapping,
        busy=busy,
        problem=problem,
    )


def _busy(time: Cycles, launch: float) -> dict[str, float]:
    """What the layer's time is made of."""
    parts = {"compute": float(time.compute), "launch": launch, "fill and drain": float(time.series)}
    return parts | {f"{name} bandwidth": float(busy) for name, busy in time.memories.items()}
