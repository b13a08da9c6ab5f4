"""The closed form beside the simulation of the same mappings: shipped networks on shipped chips, layer by layer."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hwsim.cache.layers import remembered
from hwsim.cost.layer import LayerCost
from hwsim.cost.problem import Problem
from hwsim.cost.streamed import SERIAL
from hwsim.ensemble.network_cost import map_network
from hwsim.errors import Infeasible
from hwsim.mapper import map_layer
from hwsim.networks import network
from hwsim.simulate.play import play
from hwsim.simulate.played import Played
from hwsim.simulate.simulation import Once
from hwsim.spec.files import presets
from hwsim.spec.hardware import Memory
from hwsim.spec.load import load_hardware
from hwsim.validate._report import Cell, Report, Table, percent

#: Networks that every chip plays.
SMALL = ("mnistconv", "cifarconv", "lenet5", "alexnet")

#: Larger ones, on chips that map and play them in seconds.
LARGE = ("resnet50", "bert_base")
LARGE_CHIPS = ("a100", "empir_ideal", "h100", "simple_s0", "t4", "tpu_v1", "turing")

#: Widths of weights and activations, the first that a chip computes at [bits].
WIDTHS = (32, 16, 8)

#: Layers that take a smaller share of their network's time are not among the largest gaps.
SHARE = 0.01

#: Rows of the tables of gaps.
SLOWER, FASTER = 10, 5

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
    wanted = [(name, chip) for name in SMALL for chip in presets()]
    wanted += [(name, chip) for name in LARGE for chip in LARGE_CHIPS]
    cases = []
    for name, chip in wanted:
        if sys.stderr.isatty():
            print(f"{name} on {chip}", file=sys.stderr)
        cases.append(case(name, chip))
    tables = (networks(cases), slower(cases), faster(cases))
    return Report("simulation", "hwsim map beside hwsim simulate", tables, FINDINGS)


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
        lines.append((*_layer(each, pair), *others))
    return Table(
        "The layers with the largest gaps where the simulation takes longer, of those with 1 % of their network's time "
        "or more; and\nthe gap on other memories.",
        (*_HEADINGS, *CHANGES),
        tuple(lines),
    )


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


FINDINGS = ()
