"""The closed form beside the simulation of the same mappings: shipped networks on shipped chips, layer by layer."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median

from hwsim.cache.layers import remembered
from hwsim.cost.layer import LayerCost, check, price_problem
from hwsim.cost.problem import Problem
from hwsim.cost.streamed import SERIAL
from hwsim.ensemble.network_cost import map_network
from hwsim.errors import Infeasible
from hwsim.mapper import map_layer
from hwsim.mapping.mapping import Mapping as Loops
from hwsim.networks import network
from hwsim.simulate.layer.play import play
from hwsim.simulate.layer.played import Played
from hwsim.simulate.members.simulation import Once
from hwsim.spec.files import presets
from hwsim.spec.hardware import Memory
from hwsim.spec.load import load_hardware
from hwsim.validate._report import Cell, Report, Table, percent

#: Networks that every chip plays.
SMALL = ("mnistconv", "cifarconv", "lenet5", "alexnet")

#: Larger ones, on chips that map and play them in seconds.
LARGE = ("resnet50", "bert_base")
LARGE_CHIPS = ("a100", "empir_ideal", "h100", "simple_s0", "t4", "tpu_v1", "turing")

#: What takes minutes to map.
LEFT_OUT = {("alexnet", "eyeriss_v1")}

#: Widths of weights and activations, the first that a chip computes at [bits].
WIDTHS = (32, 16, 8)

#: Layers that take a smaller share of their network's time are not among the largest gaps.
SHARE = 0.01

#: Rows of the tables of gaps.
SLOWER, FASTER = 10, 5

#: How much slower another mapping may be by the closed form to count as equal.
EQUAL = 0.01

#: A difference that the summary calls small [%].
NEAR = 5

#: What the closed form adds to whatever binds, and what it would not be without.
SERIES = "fill and drain"

COMPUTE, LAUNCH = "compute", "launch"


@dataclass(frozen=True)
class Pair:
    """One layer, priced and played."""

    cost: LayerCost
    played: Played

    @property
    def ratio(self) -> float:
        """Played / closed form."""
        return self.played.cycles / self.cost.cycles


@dataclass(frozen=True)
class Case:
    """One network on one chip.

    Args:
        bits: of everything [bits].
        pairs: layers that take time, in order of execution.
    """

    network: str
    chip: str
    bits: int
    pairs: tuple[Pair, ...]

    @property
    def closed(self) -> float:
        """[cycles]."""
        return sum(pair.cost.cycles for pair in self.pairs)

    @property
    def simulated(self) -> float:
        """[cycles]."""
        return sum(pair.played.cycles for pair in self.pairs)


def run() -> Report:
    """Price and play every network on every chip that it is meant for."""
    wanted = [(name, chip) for name in SMALL for chip in presets() if (name, chip) not in LEFT_OUT]
    wanted += [(name, chip) for name in LARGE for chip in LARGE_CHIPS]
    cases = []
    for name, chip in wanted:
        if sys.stderr.isatty():
            print(f"{name} on {chip}", file=sys.stderr)
        cases.append(case(name, chip))
    tables = (networks(cases), slower(cases), faster(cases))
    return Report("simulation", "hwsim map beside hwsim simulate", tables, (summary(cases), *FINDINGS))


def case(name: str, chip: str) -> Case:
    """Map a network for latency at the widest of `WIDTHS` that the chip computes at, and play it.

    Raises:
        Infeasible: the chip maps it at none of them.
    """
    hardware, once = load_hardware(chip), Once(play)
    for bits in WIDTHS:
        try:
            mapped = map_network(
                network(name), hardware, bits, bits, full_precision_bits=bits, mapper=remembered(map_layer)
            )
        except Infeasible:
            if bits == WIDTHS[-1]:
                raise
            continue
        break
    return Case(name, chip, bits, tuple(Pair(cost, once(cost)) for cost in mapped.layers if cost.cycles))


def parts(pair: Pair) -> dict[str, float]:
    """Played less closed form, by cause [cycles].

    The closed form is compute, what the binding port takes longer than that, and what overlaps with nothing. The
    simulation is compute, and what the array waits for. Compute and launch are the same in both; the rest is compared
    port by port.
    """
    cost, played = pair.cost, pair.played
    by_cause: defaultdict[str, float] = defaultdict(float)
    for cause, waited in played.stalls.items():
        by_cause[_memory(cause)] += waited
    by_cause[COMPUTE] += played.busy.get(COMPUTE, 0.0) - cost.busy.get(COMPUTE, 0.0)
    by_cause[LAUNCH] -= cost.busy.get(LAUNCH, 0.0)
    by_cause[SERIES] -= cost.busy.get(SERIES, 0.0)
    overlapped = {part: cycles for part, cycles in cost.busy.items() if part not in SERIAL}
    binding = max(overlapped, key=lambda part: overlapped[part])
    by_cause[binding.removesuffix(" bandwidth")] -= overlapped[binding] - cost.busy.get(COMPUTE, 0.0)
    return {cause: cycles for cause, cycles in by_cause.items() if cycles}


def largest(by_cause: Mapping[str, float]) -> tuple[str, float]:
    """The cause that weighs most in the direction of the whole difference, and its cycles."""
    sign = 1 if sum(by_cause.values()) > 0 else -1
    return max(by_cause.items(), key=lambda item: sign * item[1], default=("", 0.0))


def summary(cases: Sequence[Case]) -> str:
    """How far apart they are over whole networks."""
    gaps = [100 * (each.simulated / each.closed - 1) for each in cases]
    near = sum(abs(gap) <= NEAR for gap in gaps)
    return (
        f"Of {len(gaps)} networks on chips {near} play within {NEAR} % of their closed form; the median is "
        f"{median(gaps):+.1f} %, the least {min(gaps):+.1f} % and the most {max(gaps):+.1f} %."
    )


def networks(cases: Iterable[Case]) -> Table:
    """Each network as a whole."""
    lines: list[tuple[Cell, ...]] = []
    for each in cases:
        by_cause: defaultdict[str, float] = defaultdict(float)
        for pair in each.pairs:
            for cause, cycles in parts(pair).items():
                by_cause[cause] += cycles
        tiles = sum(pair.played.tiles for pair in each.pairs)
        skipped = sum(pair.played.skipped for pair in each.pairs)
        lines.append((
            each.network, each.chip, each.bits, round(each.closed), round(each.simulated),
            percent(each.simulated, each.closed), *_cause(by_cause, each.closed), tiles,
            f"{100 * skipped / max(1, tiles):.0f} %",
        ))  # fmt: skip
    columns = (
        "network", "chip", "bits", "closed form", "played", "difference", "largest cause", "its share", "tiles",
        "skipped",
    )  # fmt: skip
    return Table("Networks: cycles by the closed form, and played tile by tile.", columns, tuple(lines))


def slower(cases: Iterable[Case]) -> Table:
    """Layers that take longest against their closed form, and what they would take on other chips."""
    chosen = sorted(_weighty(cases), key=lambda item: -item[1].ratio)[:SLOWER]
    lines: list[tuple[Cell, ...]] = []
    for each, pair in chosen:
        others = [percent(changed(pair, change), pair.cost.cycles) for change in CHANGES.values()]
        lines.append((*_layer(each, pair), *others, retiled(pair)))
    title = (
        "The layers with the largest gaps where the simulation takes longer, of those with 1 % of their network's time "
        "or more;\nthe gap on other memories, and that of a mapping with one more loop at the outermost memory."
    )
    return Table(title, (*_HEADINGS, *CHANGES, "one more loop"), tuple(lines))


def faster(cases: Iterable[Case]) -> Table:
    """Layers that take less than their closed form."""
    chosen = sorted(_weighty(cases), key=lambda item: item[1].ratio)[:FASTER]
    lines = []
    for each, pair in chosen:
        busy = pair.cost.busy
        slowest = max(cycles for part, cycles in busy.items() if part not in SERIAL)
        lines.append((*_layer(each, pair), round(slowest), round(busy[SERIES])))
    columns = (*_HEADINGS, "slowest port or compute", "+ in series")
    return Table("The same where it takes less, and what the closed form adds up.", columns, tuple(lines))


def changed(pair: Pair, change: Callable[[Memory], Memory]) -> float:
    """A layer's cycles, played on other on-chip memories by the same mapping."""
    problem = pair.cost.problem
    assert problem is not None
    return play(replace(pair.cost, problem=_with(problem, change))).cycles


def retiled(pair: Pair) -> str:
    """The gap of the mapping that plays fastest with one temporal loop moved out to the outermost memory.

    Those that the closed form finds slower do not count; empty where there is no other.
    """
    problem, mapping = pair.cost.problem, pair.cost.mapping
    assert problem is not None
    assert mapping is not None
    limit = (1 + EQUAL) * price_problem(problem, mapping).cycles
    found = []
    for other in _moved_out(mapping):
        with suppress(Infeasible):
            check(problem, other)
            cost = price_problem(problem, other)
            if cost.cycles <= limit:
                found.append((play(cost).cycles, cost.cycles))
    return percent(*min(found)) if found else ""


def _moved_out(mapping: Loops) -> Iterator[Loops]:
    """Mappings with one temporal loop more at the outermost memory, inside those that are there."""
    outermost, *inner = mapping.levels
    for number, level in enumerate(inner):
        for place, loop in enumerate(level.temporal):
            first = replace(outermost, temporal=(*outermost.temporal, loop))
            left = replace(level, temporal=level.temporal[:place] + level.temporal[place + 1 :])
            yield replace(mapping, levels=(first, *inner[:number], left, *inner[number + 1 :]))


def _with(problem: Problem, change: Callable[[Memory], Memory]) -> Problem:
    outermost, *inner = problem.levels
    levels = [
        level.model_copy(update={"memories": tuple(change(memory) for memory in level.memories)}) for level in inner
    ]
    return replace(problem, levels=(outermost, *levels))


def _ample(memory: Memory) -> Memory:
    """Twice the size."""
    return memory.model_copy(update={"size": memory.size and 2 * memory.size})


def _word_by_word(memory: Memory) -> Memory:
    """Words are used as they come, and make room as they are used."""
    return memory.model_copy(update={"buffering": "streaming"})


def _two_ports(memory: Memory) -> Memory:
    """A read and a write port as wide as the shared one."""
    if memory.bandwidth is None:
        return memory
    ways = dict.fromkeys(("read_bandwidth", "write_bandwidth"), memory.bandwidth)
    return memory.model_copy(update={"bandwidth": None, **ways})


#: What a memory may be in place of what it is.
CHANGES: dict[str, Callable[[Memory], Memory]] = {
    "twice the size": _ample,
    "word by word": _word_by_word,
    "two ports": _two_ports,
}

_HEADINGS = (
    "network", "chip", "layer", "closed form", "played", "difference", "largest cause", "its share"
)  # fmt: skip


def _layer(each: Case, pair: Pair) -> tuple[Cell, ...]:
    closed, simulated = pair.cost.cycles, pair.played.cycles
    return (
        each.network, each.chip, pair.cost.name, round(closed), round(simulated), percent(simulated, closed),
        *_cause(parts(pair), closed),
    )  # fmt: skip


def _cause(by_cause: Mapping[str, float], whole: float) -> tuple[str, str]:
    """The largest cause and its share of the closed form, where there is a difference to speak of."""
    if abs(sum(by_cause.values())) < 0.0005 * whole:
        return "", ""
    cause, cycles = largest(by_cause)
    return cause, f"{100 * cycles / whole:+.1f} %"


def _weighty(cases: Iterable[Case]) -> list[tuple[Case, Pair]]:
    """Layers with a mapping and a share of their network's time; of equal ones in a network the first."""
    found = []
    for each in cases:
        seen = set()
        for pair in each.pairs:
            key = pair.cost.problem, pair.cost.mapping, pair.cost.cycles
            if pair.cost.mapping is not None and pair.cost.cycles >= SHARE * each.closed and key not in seen:
                found.append((each, pair))
                seen.add(key)
    return found


def _memory(cause: str) -> str:
    """The memory that a port belongs to."""
    return cause if cause.startswith("room ") else cause.removesuffix(" read").removesuffix(" write")


FINDINGS = (
    "Where the closed form is optimistic: it has transfers overlap with compute from the first word on, and its fill "
    "and drain are one innermost tile for every instance. A tile of a double-buffered memory is used when all of it "
    "has come, and its results leave when all are done. A layer of one or two tiles therefore waits for nearly all its "
    "operands first, or computes before nearly all its results leave: fully connected layers on gemmini and "
    "nvdla_large take up to twice their closed form, convolutions of 1 x 1 on turing and tpu_v1 two fifths more.",
    "Most of this is the mapping's, not the chip's. The closed form finds nothing in smaller tiles, so a mapper that "
    "goes by it does not look for them. One more loop at the outermost memory, which by the closed form costs 1 % at "
    "most, brings gaps of 98 % to 1 to 8 %, and that of 46 % to 3 %; twice the memory brings none of them down.",
    "The closed form is optimistic, too, where reads and writes share a port. It keeps the port busy for as long as "
    "the layer lasts; played, tiles that come in, tiles that are used and partial sums queue for it in their order, "
    "and the array waits. With a port for either way fc6 on ibm_vlsi18 takes what its closed form says; smaller tiles "
    "help it half as much. The GLB of simple_s1 is such a port.",
    "Where it is pessimistic: it adds the transfers of single-buffered memories, fill and drain to whatever binds. On "
    "eyeriss_v1 the filters' scratchpads have a single buffer, and the array rests while they are filled; but DRAM "
    "goes on meanwhile, and a layer that it binds takes little more than DRAM does.",
    "Where none of this happens they agree: always on empir_ideal, whose memories cost no time, and within 0.3 % on "
    "rapid and simba. AlexNet on eyeriss_v1 is left out, because mapping it takes minutes.",
)
