"""Hypothesis strategies for small layers, small chips and mappings of the one onto the other.

Small enough that a nest can be executed: a mapping steps through at most `STEPS` temporal iterations, including those
without work.
"""

from __future__ import annotations

from math import ceil, prod
from typing import Any

from hypothesis import strategies as st

from hwsim.cost.capacity import occupancy
from hwsim.cost.layer import LayerCost, loops_of, price_problem
from hwsim.cost.problem import Problem, problem
from hwsim.cost.streamed import Stream, fused
from hwsim.cost.traffic import NestArrays
from hwsim.datapaths import STYLES, DatapathStyle
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import DIMENSIONS, LoopNest, Operand
from hwsim.spec.hardware import Axis, Hardware, Level, Memory, VectorUnit
from hwsim.units import Bandwidth
from tests.oracle.loops import home

#: Most multiply-accumulates of a nest, and most temporal iterations of a mapping.
MACS, STEPS = 144, 600

#: Most instances of the datapath.
INSTANCES = 18

#: Ways of buffering a memory.
BUFFERING = ("double", "streaming", "single")


def one_mac(accumulator: int = 32) -> DatapathStyle:
    """A datapath that does one multiply-accumulate per cycle at any width up to 64 bits, each of 1 J."""
    mode = {"weights": 64, "activations": 64, "macs_per_cycle": 1, "energy": 1.0}
    return STYLES["table"].model_validate({"style": "table", "modes": [mode], "accumulator": accumulator})


def packing(accumulator: int = 32) -> DatapathStyle:
    """An 8-bit multiplier, one per cycle of 1 J, that does four 4-bit multiplies of one sum instead, of 0.25 J each."""
    fields = {"native": 8, "widths": [4, 8], "mac_energy": 1.0, "energy_overhead": 1.0, "accumulator": accumulator}
    return STYLES["composable"].model_validate({"style": "composable", **fields})


def chip(*levels: Level, datapath: DatapathStyle | None = None, **fields: Any) -> Hardware:
    """A 1 Hz chip of these levels in which nothing but them and the datapath costs time or energy."""
    vector = VectorUnit(operations_per_cycle=float("inf"))
    rest: dict[str, Any] = {"name": "chip", "clock": 1.0, "vector": vector, "fill_and_drain": False} | fields
    return Hardware(levels=levels, datapath=datapath or one_mac(), **rest)


@st.composite
def loop_nests(draw: st.DrawFn, macs: int = MACS, size: int = 6) -> LoopNest:
    """Layers with dimensions up to `size`, grouped, strided (up to 3) and dilated (up to 2)."""
    sizes = dict.fromkeys(DIMENSIONS, 1)
    for dim in draw(st.permutations(DIMENSIONS))[: draw(st.sampled_from((4, 5, 3, 2, 1)))]:
        most = min(size, macs // prod(sizes.values()))
        sizes[dim] = draw(st.integers(min(2, most), most))
    pairs = [st.tuples(st.integers(1, most), st.integers(1, most)) for most in (3, 2)]
    return LoopNest(**sizes, stride=draw(pairs[0]), dilation=draw(pairs[1]))


@st.composite
def hardwares(draw: st.DrawFn) -> Hardware:
    """Chips of 2 to 4 unbounded levels that keep any operands, with up to 2 fan-outs of 1 or 2 axes."""
    depth = draw(st.integers(2, 4))
    fanned = draw(st.permutations(range(depth)))[: draw(st.sampled_from((2, 1, 0)))]
    levels, instances = [], 1
    some = st.one_of(st.just(set(Operand)), st.sets(st.sampled_from(Operand)))
    for i in range(depth):
        kept = set(Operand) if i == 0 else draw(some)
        apart = draw(st.sets(st.sampled_from(Operand)))
        split = [tuple(o for o in Operand if o in kept and (o in apart) is side) for side in (True, False)]
        optional = set() if i == 0 else draw(st.sets(st.sampled_from(Operand)))
        memories = tuple(
            Memory(name=f"memory{i}{j}", keeps=keeps, optional=tuple(o for o in keeps if o in optional))
            for j, keeps in enumerate(split)
            if keeps
        )
        axes: list[Axis] = []
        for name in "XY"[: draw(st.integers(1, 2)) if i in fanned else 0]:
            size = min(draw(st.sampled_from((2, 3, 1))), INSTANCES // instances)
            instances *= size
            dims = draw(st.one_of(st.just(set(DIMENSIONS)), st.sets(st.sampled_from(DIMENSIONS), min_size=2)))
            axes.append(
                Axis(
                    name=name,
                    size=size,
                    dims=tuple(d for d in DIMENSIONS if d in dims),
                    multicast=draw(st.booleans()),
                    reduction=draw(st.booleans()),
                )
            )
        levels.append(Level(name=f"level{i}", memories=memories, fanout=tuple(axes)))
    return chip(*levels)


def residents(hardware: Hardware) -> st.SearchStrategy[frozenset[Operand]]:
    """Operands that could stay on the chip, each of them or not."""
    homely = [operand for operand in Operand if home(hardware, operand) is not None]
    return st.frozensets(st.sampled_from(homely)) if homely else st.just(frozenset())


@st.composite
def mappings(
    draw: st.DrawFn,
    nest: LoopNest,
    hardware: Hardware,
    lanes_axis: Axis | None = None,
    steps: int = STEPS,
    resident: frozenset[Operand] = frozenset(),
) -> Mapping:
    """Mappings of a nest onto a chip, in any order, with any bounds that cover the nest, perfect or not.

    Every level has at most one temporal loop a dimension; a fan-out may unroll one dimension over both its axes.
    """
    depth = len(hardware.levels)
    sizes = dict(zip(DIMENSIONS, nest.sizes, strict=True))
    axes = [(i, axis) for i, level in enumerate(hardware.levels) for axis in level.fanout]
    if lanes_axis is not None:
        axes.append((depth - 1, lanes_axis))
    covered = dict.fromkeys(DIMENSIONS, 1)
    spatial: list[list[SpatialLoop]] = [[] for _ in range(depth)]
    for i, axis in axes:
        free = axis.size
        for dim in draw(st.permutations([dim for dim in DIMENSIONS if dim in axis.dims and sizes[dim] > 1]))[:2]:
            most = min(free, sizes[dim])
            bound = draw(st.integers(min(2, most), most))
            if bound > 1:
                spatial[i].append(SpatialLoop(dim, bound, axis.name))
                covered[dim] *= bound
                free //= bound
    temporal: list[list[Loop]] = [[] for _ in range(depth)]
    room = steps // max(1, prod(ceil(sizes[dim] / covered[dim]) for dim in DIMENSIONS))
    for dim in DIMENSIONS:
        bounds = [1] * depth
        for i in draw(st.permutations(range(depth)))[:2]:
            before = ceil(sizes[dim] / covered[dim])
            bound = draw(st.integers(1, max(1, before)))
            waste = ceil(bound * ceil(before / bound) / before)
            if waste <= room:
                room //= waste
                bounds[i] = bound
                covered[dim] *= bound
        if covered[dim] < sizes[dim]:
            i = draw(st.integers(0, depth - 1))
            bounds[i] *= ceil(sizes[dim] / covered[dim])
        for i, bound in enumerate(bounds):
            if bound > 1 or (sizes[dim] > 1 and draw(st.integers(0, 9)) == 9):  # a few loops of bound 1 say nothing
                temporal[i].append(Loop(dim, bound))
    return Mapping(
        tuple(
            LevelMapping(
                level.name,
                temporal=tuple(draw(st.permutations(temporal[i]))),
                spatial=tuple(draw(st.permutations(spatial[i]))),
                bypass=tuple(
                    o
                    for o in Operand
                    if o in level.optional and not (o in resident and home(hardware, o) == i) and draw(st.booleans())
                ),
            )
            for i, level in enumerate(hardware.levels)
        )
    )


@st.composite
def limited(
    draw: st.DrawFn,
    /,
    nests: st.SearchStrategy[LoopNest] | None = None,
    steps: int = STEPS,
    buffering: tuple[str, ...] = BUFFERING,
    bandwidths: bool = True,
    **fields: Any,
) -> LayerCost:
    """Mapped layers on chips with limits, as `hwsim.price` prices them.

    Every memory inside the outermost has no end or is from just large enough for the mapping to four times that. Ports
    are shared, apart or without a limit. Some datapaths pack narrow operands into lanes, some arrays are systolic,
    some weights need their offset corrected, some operands stay on the chip, some results go through the vector unit,
    some layers have biases, some a launch.

    Args:
        buffering: ways of buffering that occur.
        bandwidths: whether ports, vector unit and launch cost anything.
        fields: of the chip.
    """
    nest, hardware = draw(loop_nests() if nests is None else nests), draw(hardwares())
    datapath = draw(st.sampled_from((one_mac(11), packing(16))))
    datapath = datapath.model_copy(update={"offset_correction": draw(st.booleans())})
    some: dict[str, Any] = {"datapath": datapath, "systolic": draw(st.sampled_from((False, False, True)))}
    hardware = hardware.model_copy(update=some | fields)
    bits = draw(st.sampled_from(((8, 8, 8), (3, 5, 7), (4, 4, 8))))
    mode = datapath.mode(*bits[:2])
    lanes = Axis(name="lanes", size=mode.lanes, dims=mode.lane_dims) if mode.lanes > 1 else None
    resident = draw(st.one_of(st.just(frozenset[Operand]()), residents(hardware)))
    mapping = draw(mappings(nest, hardware, lanes, steps, resident))
    roomy = problem(nest, _resized(hardware, {}, 2.0**40), *bits, resident=resident)
    memories: dict[str, Memory] = {}
    for i, level in enumerate(hardware.levels):
        taken = _taken(roomy, mapping, i)
        for memory in level.memories:
            update: dict[str, Any] = draw(_ports()) if bandwidths else {}
            update["buffering"] = draw(st.sampled_from(buffering))
            if i > 0 and draw(st.integers(0, 3)):
                least = max(1, taken[memory.name]) * (2 if update["buffering"] == "double" else 1)
                update["size"] = least * draw(st.sampled_from((1, 1, 1.5, 2, 4))) / 8
            memories[memory.name] = memory.model_copy(update=update)
    hardware = _resized(hardware, memories)
    if not bandwidths:
        return price_problem(problem(nest, hardware, *bits, resident=resident), mapping)
    update = {
        "launch": draw(st.sampled_from((0.0, 0.0, 2.5))),
        "vector": VectorUnit(operations_per_cycle=draw(st.sampled_from((0.5, 1.0, 4.0)))),
    }
    hardware = hardware.model_copy(update=update | fields)
    cost = price_problem(problem(nest, hardware, *bits, resident=resident), mapping)
    operations = draw(st.sampled_from((0, 0, 1, 3))) * nest.elements(Operand.OUTPUTS)
    parameters = draw(st.sampled_from((None, Stream(nest.G * nest.K, 16))))
    return fused(cost, hardware, operations, parameters)


def _ports() -> st.SearchStrategy[dict[str, Bandwidth]]:
    rate = st.sampled_from((0.5, 1.0, 3.0, 8.0, 64.0)).map(lambda amount: Bandwidth(amount, "cycle"))
    return st.one_of(
        st.just(dict[str, Bandwidth]()),
        st.fixed_dictionaries({"bandwidth": rate}),
        st.fixed_dictionaries({"read_bandwidth": rate, "write_bandwidth": rate}),
    )


def _taken(roomy: Problem, mapping: Mapping, level: int) -> dict[str, int]:
    """Bits of one step's tiles in the memories of a level."""
    nest = NestArrays.of(loops_of(roomy, mapping), dict(zip(DIMENSIONS, roomy.nest.sizes, strict=True)))
    found = occupancy(roomy, level, nest.tile(level), mapping.levels[level].bypass, outermost=level == 0)
    return {taken.memory: int(taken.bits) for taken in found}


def _resized(hardware: Hardware, memories: dict[str, Memory], size: float | None = None) -> Hardware:
    """A chip with other memories of the same names, or with all of one size [B]."""
    levels = []
    for level in hardware.levels:
        own = (memories.get(old.name, old) for old in level.memories)
        if size is not None:
            own = (memory.model_copy(update={"size": size}) for memory in own)
        levels.append(level.model_copy(update={"memories": tuple(own)}))
    return hardware.model_copy(update={"levels": tuple(levels)})


@st.composite
def tiny_problems(draw: st.DrawFn) -> tuple[LoopNest, Hardware]:
    """A layer with few loops, and a chip on which they have few mappings; every resource may be the scarce one.

    Capacities, ports, word energies, dataflow constraints and fan-outs are drawn; operands are 8 bits, sums 16.
    """
    dims = draw(st.permutations("KCPRNG"))[: draw(st.integers(1, 3))]
    sizes = {dim: draw(st.sampled_from((2, 3, 4, 5, 6) if len(dims) < 3 else (2, 3))) for dim in dims}
    nest = LoopNest(**sizes, stride=(draw(st.integers(1, 2)), 1))
    depth = draw(st.sampled_from((2, 3) if len(dims) < 3 else (2,)))
    axes = [0] * depth
    for _ in range(draw(st.sampled_from((1, 2, 0)))):
        axes[draw(st.integers(0, depth - 1))] += 1
    levels = [draw(_tiny_levels(f"level{i}", outermost=i == 0, axes=axes[i])) for i in range(depth)]
    return nest, chip(*levels, datapath=one_mac(accumulator=16), fill_and_drain=draw(st.booleans()))


@st.composite
def _tiny_levels(draw: st.DrawFn, name: str, outermost: bool, axes: int) -> Level:
    some = st.one_of(st.just(set(Operand)), st.sets(st.sampled_from(Operand)))
    kept = set(Operand) if outermost else draw(some)
    optional = set() if outermost else draw(st.one_of(st.just(set()), some)) & kept
    rate = st.sampled_from((0.5, 1.0, 2.0, 8.0)).map(lambda amount: Bandwidth(amount, "cycle"))
    ports = draw(
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"bandwidth": rate}),
            st.fixed_dictionaries({"read_bandwidth": rate, "write_bandwidth": rate}),
        )
    )
    memory: dict[str, Any] = {
        "name": f"memory of {name}",
        "keeps": [o for o in Operand if o in kept],
        "optional": [o for o in Operand if o in optional],
        "size": None if outermost else draw(st.sampled_from((None, 4.0, 16.0, 32.0, 64.0))),
        "energy": {way: draw(st.integers(0, 20)) / 8 for way in ("read", "write")},
        "buffering": draw(st.sampled_from(("double", "streaming", "single"))),
    }
    dims = st.one_of(st.just(set(DIMENSIONS)), st.sets(st.sampled_from(DIMENSIONS), min_size=3))
    fanout = []
    for axis in "XY"[:axes]:
        unrolled = draw(dims)
        fanout.append(
            Axis(
                name=axis,
                size=draw(st.integers(2, 4)),
                dims=tuple(d for d in DIMENSIONS if d in unrolled),
                multicast=draw(st.booleans()),
                reduction=draw(st.booleans()),
            )
        )
    restricted = draw(st.sampled_from(("", "", "loops", "stationary", "tile")))
    fields: dict[str, Any] = {}
    if restricted == "loops" and not outermost:
        loops = draw(dims)
        fields = {"loops": tuple(d for d in DIMENSIONS if d in loops)}
    elif restricted == "stationary":
        fields = {"stationary": (draw(st.sampled_from(Operand)),)}
    elif restricted == "tile" and not outermost:
        fields = {"tile": {draw(st.sampled_from("KCPRN")): draw(st.sampled_from(("full", 1, 2)))}}
    memories = (Memory.model_validate(memory | ports),) if kept else ()
    return Level(name=name, memories=memories, fanout=tuple(fanout), **fields)
