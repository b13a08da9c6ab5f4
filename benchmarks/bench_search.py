"""Layers mapped per second for a space; designs priced per second once they are, and the memory it takes.

Layers are those of MNISTconv at every width on variants of turing, each mapped to the proven optimum. The space of
designs is the one of a study: up to 2 full-precision and 4 low-precision members of 1 to 8 bits of weights and of
activations each, 2.4 million ensembles, on chips that differ in the cycles of a mode change.

The bound beside the rate is a price, too: the columns that no two chips share have to be written, and a copy of arrays
of the same size writes and reads so many bytes a second.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Sequence
from itertools import islice
from math import comb
from time import process_time
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bench_kernels import bandwidth
from benchmarks.judge import Judge
from hwsim.cost.layer import LayerCost
from hwsim.cost.problem import Problem
from hwsim.errors import Infeasible
from hwsim.importers import resolve
from hwsim.mapper import map_layer
from hwsim.mapper.family import map_family
from hwsim.search.design.grid import Chip, Scenario, choices, scenarios
from hwsim.search.exhaustive.explore import Designs, explore, member_prices
from hwsim.search.exhaustive.prices import Prices, price_members
from hwsim.spec.load import load_hardware
from hwsim.spec.space import Space

#: Rows of a block: their columns and indices stay in a cache of a few megabytes.
BLOCK = 1 << 15

#: Multisets of at most 4 of 64 precisions, each beside 0, 1 or 2 full-precision members; none without a member.
ENSEMBLES = 3 * sum(comb(63 + low, low) for low in range(5)) - 1

Known = Sequence[Prices | Infeasible]


def space(combiner: str) -> Space:
    """With a constraint on both sums of Equation 6."""
    return Space.model_validate(
        {
            "name": "bench",
            "subjects": ({"network": "lenet5"},),
            "ensembles": {
                "full_precision": (0, 1, 2),
                "low_precision": tuple(range(5)),
                "weights": tuple(range(1, 9)),
                "activations": tuple(range(1, 9)),
                "combiner": (combiner,),
            },
            "chips": {"base": "empir_ideal"},
            "objectives": {"time_overhead": "minimise"},
            "constraints": {"time_overhead": 0.25, "storage_overhead": 0.25},
        }
    )


def chips(count: int) -> list[Chip]:
    base = load_hardware("empir_ideal")
    return [
        Chip(
            {},
            base.model_copy(
                update={"datapath": base.datapath.model_copy(update={"reconfiguration": 10.0 * (1 + number)})}
            ),
            None,
        )
        for number in range(count)
    ]


def stated(combiner: str, count: int) -> tuple[Space, Scenario, list[Chip], Known]:
    """A space with the prices of its members."""
    wanted, several = space(combiner), chips(count)
    (scenario,) = scenarios(wanted)
    return wanted, scenario, several, member_prices(wanted, scenario, several, mapper=map_layer)


def own_bytes(one: Designs, other: Designs) -> float:
    """Of columns that two chips do not share, for each design [B]."""
    shared = {id(column) for column in other.columns.values()}
    own = {id(column): column for column in one.columns.values() if column.strides[0]}
    return sum(column.nbytes for number, column in own.items() if number not in shared) / len(one.block.members)


@pytest.mark.benchmark(timer=process_time)
@pytest.mark.parametrize("combiner", ["average", "random_switch"])
def test_designs(benchmark: BenchmarkFixture, judge: Judge, combiner: str) -> None:
    wanted, scenario, several, prices = stated(combiner, 8)

    def priced() -> int:
        found = explore(wanted, scenario, several, prices=prices, most=BLOCK)
        return sum(len(designs.block.members) for designs in found)

    count = benchmark.pedantic(priced, rounds=5, warmup_rounds=1)
    assert count == 8 * ENSEMBLES
    blocks = explore(wanted, scenario, several, prices=prices, most=BLOCK)
    one, other = islice((own for own in blocks if len(own.block.members) == BLOCK), 2)
    touched, copied = own_bytes(one, other), bandwidth(BLOCK)
    rate, bound = count / judge.seconds, copied / 2 / touched
    judge.benchmark.extra_info |= {"designs_per_second": rate, "bound_designs_per_second": bound}
    note = f"{bound / rate:.1f}x from the bound: {touched:.0f} B a design written at {copied / 2e9:.0f} GB/s"
    judge(f"designs priced, {combiner}", rate / 1e6, "M/s", at_least=5, note=note)


class Counted:
    """Maps families, and keeps what became of every layer."""

    def __init__(self) -> None:
        self.found: list[LayerCost | Infeasible] = []

    def __call__(self, *layer: Any, **options: Any) -> LayerCost:
        """As `map_layer`, not counted: nothing is asked for alone."""
        return map_layer(*layer, **options)

    def together(self, problems: Sequence[Problem], **options: Any) -> list[LayerCost | Infeasible]:
        """As `map_family`."""
        answers = map_family(problems, **options)
        self.found += answers
        return answers


def streamed(sender: multiprocessing.connection.Connection) -> None:
    """Look at ten million designs and more, in a process of its own; says how many, and what memory was taken [B]."""
    wanted, scenario, several, prices = stated("average", 5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = sum(len(own.block.members) for own in explore(wanted, scenario, several, prices=prices))
    sender.send((count, 1024 * before, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


@pytest.mark.benchmark(timer=process_time)
def test_maps(benchmark: BenchmarkFixture, judge: Judge) -> None:
    """Four bandwidths by two sizes of the L2 cache; distinct layers, widths and chips."""
    network, own = resolve("mnistconv", 1), choices(space("average").ensembles)
    port, cache = "levels.DRAM.memories.GDDR6.bandwidth", "levels.L2.memories.L2.size"
    hardware = [
        load_hardware("turing", [f"{port}={speed} GB/s", f"{cache}={size} MiB"])
        for speed in (308, 616, 924, 1232)
        for size in (3, 5.5)
    ]
    mappers: list[Counted] = []

    def run() -> None:
        mappers.append(Counted())
        price_members(network, own, "all", hardware, mappers[-1], weights="streamed")

    benchmark.pedantic(run, rounds=1)
    found = mappers[-1].found
    assert len(found) == len(hardware) * len(network.mac_layers) * 65
    assert all(isinstance(cost, LayerCost) and cost.certificate and cost.certificate.proven for cost in found)
    judge("layers mapped to the optimum", len(found) / judge.seconds, "/s", at_least=50, note=f"{len(found)} distinct")


def test_memory(benchmark: BenchmarkFixture, judge: Judge) -> None:
    context = multiprocessing.get_context("spawn")
    figures: list[tuple[int, int, int]] = []

    def run() -> None:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=streamed, args=(sender,))
        process.start()
        figures.append(receiver.recv())
        process.join()

    benchmark.pedantic(run, rounds=1)
    ((count, before, peak),) = figures
    assert count == 5 * ENSEMBLES > 10_000_000
    note = f"of these {before / 1e6:.0f} MB before the first block"
    judge(f"{count / 1e6:.0f} M designs, peak memory", peak / 1e6, "MB", at_most=1000, note=note)
