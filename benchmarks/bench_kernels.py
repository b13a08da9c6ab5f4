"""Mappings priced per second, energy and cycles of each, with whole axes of tile sizes and of bit-widths.

The sweep runs in pieces whose arrays stay in cache. A larger piece goes first: the C library then keeps the pages of
freed arrays, where it would otherwise hand them back after every piece and take them anew, longer than pricing takes.

The bound beside each figure is a price: the bytes that the kernels' array operations read and write for one mapping, at
the bandwidth of a copy of arrays of the same size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import hwsim
from benchmarks.judge import Judge
from hwsim.cost.problem import Precision, Problem
from hwsim.datapaths.bit_serial import BitSerial
from hwsim.operators.nest import DIMENSIONS

#: Tile sizes of one dimension, and as many of them as are priced along the first axis at once.
COUNT, PIECE = 160, 8

BITS = np.arange(1, 9)

Results = tuple[Any, Any]


def stated() -> Problem:
    """A product of two matrices of 1024 x 1024 on an array of 16 x 16 with register files."""
    return hwsim.problem(hwsim.LoopNest(K=1024, C=1024, P=1024), hwsim.load_hardware("simple_s1"), 16, 16)


def price(problem: Problem, k: Any, c: Any, p: Any) -> Results:
    """Energy [J] and cycles of tiles of k x c x p in the buffer, K and C unrolled over the array."""
    nest = problem.nest
    loops = (
        hwsim.PricedLoop("K", -(-nest.K // k), 0),
        hwsim.PricedLoop("C", -(-nest.C // c), 0),
        hwsim.PricedLoop("P", -(-nest.P // p), 0),
        hwsim.PricedLoop("K", -(-k // 16), 1),
        hwsim.PricedLoop("P", p, 1),
        hwsim.PricedLoop("C", -(-c // 16), 1),
        hwsim.PricedLoop("K", 16, 1, axis=0),
        hwsim.PricedLoop("C", 16, 1, axis=1),
    )
    arrays = hwsim.NestArrays.of(loops, dict(zip(DIMENSIONS, nest.sizes, strict=True)))
    done = hwsim.accesses(problem, hwsim.flows(problem, arrays))
    energy = sum(hwsim.access_energy(problem, done).values()) + hwsim.mac_energy(problem)
    return energy, hwsim.cycles(problem, loops, done=done).total


class Counted(np.ndarray):
    """An array whose operations add up the bytes that they read and write."""

    touched = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [value.view(np.ndarray) if isinstance(value, Counted) else value for value in inputs]
        return self._counted(getattr(ufunc, method)(*plain, **options), plain)

    def __array_function__(self, function: Callable[..., Any], types: Any, inputs: Any, options: Any) -> Any:
        plain = [value.view(np.ndarray) if isinstance(value, Counted) else value for value in inputs]
        return self._counted(function(*plain, **options), plain)

    @staticmethod
    def _counted(result: Any, inputs: list[Any]) -> Any:
        Counted.touched += sum(value.nbytes for value in (*inputs, result) if isinstance(value, np.ndarray))
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def bytes_touched(piece: Callable[[type[np.ndarray]], Results]) -> float:
    """Bytes read and written for each mapping."""
    Counted.touched = 0
    energy, cycles = piece(Counted)
    assert isinstance(energy, Counted)
    assert isinstance(cycles, Counted)
    return Counted.touched / np.broadcast(energy, cycles).size


def bandwidth(size: int) -> float:
    """Bytes per second that a copy of so many numbers reads and writes [B/s]."""
    source, target = np.ones(size), np.ones(size)
    times = []
    for _ in range(50):
        begin = perf_counter()
        np.copyto(target, source)
        times.append(perf_counter() - begin)
    return 2 * source.nbytes / min(times)


def judge_rate(judge: Judge, what: str, count: int, touched: float, size: int, goal: float | None) -> None:
    """Write down mappings per second and how far from the bound they are."""
    rate, copied = count / judge.seconds, bandwidth(size)
    bound = copied / touched
    judge.benchmark.extra_info |= {
        "mappings_per_second": rate,
        "bytes_per_mapping": touched,
        "copy_bytes_per_second": copied,
        "bound_mappings_per_second": bound,
    }
    note = f"{bound / rate:.1f}x from the bound: {touched:.0f} B a mapping at {copied / 1e9:.0f} GB/s"
    judge(what, rate / 1e6, "M/s", at_least=goal, note=note)


@pytest.mark.benchmark(timer=process_time)
@pytest.mark.parametrize(
    ("smallest", "what"),
    [
        pytest.param(17, "mappings priced, every loop runs", id="every_loop"),
        pytest.param(1, "mappings priced, some loops run once", id="single_steps"),
    ],
)
def test_tiles(benchmark: BenchmarkFixture, judge: Judge, smallest: int, what: str) -> None:
    problem = stated()
    tiles = np.arange(smallest, smallest + COUNT)

    def piece(first: int, count: int = PIECE, kind: type[np.ndarray] = np.ndarray) -> Results:
        part = tiles[first : first + count, None, None]
        return price(problem, *(axis.view(kind) for axis in (part, tiles[:, None], tiles)))

    def sweep() -> int:
        return sum(np.broadcast(*piece(first)).size for first in range(0, COUNT, PIECE))

    piece(0, 4 * PIECE)
    count = benchmark.pedantic(sweep, rounds=10, warmup_rounds=1)
    assert count == COUNT**3
    touched = bytes_touched(lambda kind: piece(0, kind=kind))
    judge_rate(judge, what, count, touched, PIECE * COUNT**2, 30)


@pytest.mark.benchmark(timer=process_time)
def test_tiles_and_bits(benchmark: BenchmarkFixture, judge: Judge) -> None:
    """Widths of weights and activations as two more axes, on bit-serial units.

    The kernels take arrays for both widths, and for the mode's rate and energy where every mode has the same lanes.
    The width of finished outputs is one number.
    """
    units = BitSerial(style="bit_serial", native=16, serial="both", mac_energy=1e-12)
    one = replace(stated(), hardware=stated().hardware.model_copy(update={"datapath": units}))
    weights, activations = BITS[:, None, None, None, None], BITS[:, None, None, None]
    tiles = np.arange(17, 17 + COUNT, 4)

    def at(weights: Any, activations: Any) -> Problem:
        rate, energy = units.throughput(weights, activations), units.energy(weights, activations)
        mode = replace(one.mode, rate=rate, energy=energy)
        return replace(one, precision=Precision(weights, activations, 16), mode=mode)

    def piece(first: int, count: int = PIECE, kind: type[np.ndarray] = np.ndarray) -> Results:
        part = tiles[first : first + count, None, None]
        widths = (axis.view(kind) for axis in (weights, activations))
        return price(at(*widths), *(axis.view(kind) for axis in (part, tiles[:, None], tiles)))

    def sweep() -> int:
        return sum(np.broadcast(*piece(first)).size for first in range(0, len(tiles), PIECE))

    whole, single = piece(0), price(at(3, 5), tiles[:PIECE, None, None], tiles[:, None], tiles)
    for all_widths, of_one in zip(whole, single, strict=True):
        np.testing.assert_array_equal(np.broadcast_to(all_widths, (8, 8, PIECE, 40, 40))[2, 4], of_one)
    piece(0, 2 * PIECE)
    count = benchmark.pedantic(sweep, rounds=10, warmup_rounds=1)
    assert count == len(BITS) ** 2 * len(tiles) ** 3
    touched = bytes_touched(lambda kind: piece(0, kind=kind))
    judge_rate(judge, "mappings priced, 8 x 8 widths", count, touched, len(BITS) ** 2 * PIECE * len(tiles) ** 2, None)
