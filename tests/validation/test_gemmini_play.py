"""Playing a program: by hand, and against SimPy processes that skip nothing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import simpy
from hypothesis import given, settings, strategies as st

from hwsim.validate._gemmini_play import Durations, closed_form, play
from hwsim.validate._gemmini_program import LOOPS, Program, Tiles


def tiles(classes: dict[str, tuple[int, ...]], **taken: np.ndarray) -> Tiles:
    """Tiles by what they take; beats are cycles here, for there are no lines."""
    along = [classes.get(loop, (0,)) for loop in LOOPS]
    shape = [max(each) + 1 for each in along]
    count = np.ones(shape, dtype=np.int64)
    for axis, each in enumerate(along):
        count *= np.bincount(each).reshape([-1 if place == axis else 1 for place in range(7)])
    zero = np.zeros(shape)
    given = {name: np.broadcast_to(np.asarray(values, dtype=float), shape) for name, values in taken.items()}
    full = dict.fromkeys(("array", "beats", "lines", "commands", "written", "touched"), zero) | given
    return Tiles(tuple(along), count, outside=zero > 0, **full)


def ran(of: Tiles, order: str, side: int = 4) -> Program:
    """A convolution with so many tiles."""
    size = {loop: len(each) for loop, each in zip(LOOPS, of.classes, strict=True)}
    return Program(side, size | {"R": 2}, dict.fromkeys(LOOPS, 1), order, 1, 0, 1)


def row(*values: float) -> np.ndarray:
    """Values of the tiles along C."""
    return np.array(values).reshape(1, 1, 1, 1, 1, 1, -1)


def played(issue: float, of: Tiles, order: str) -> float:
    return play(ran(of, order), of, Durations(convolution=issue, product=0, line=0, latency=0)).cycles


def test_one_tile_passes_through_core_dma_and_array() -> None:
    assert played(10, tiles({}, beats=row(30), array=row(50), written=row(5)), "") == 10 + 30 + 50 + 5


def test_two_tiles_overlap() -> None:
    """The second loads from 40 to 70 while the array works on the first until 90, and then until 140."""
    of = tiles({"C": (0, 1)}, beats=row(30, 30), array=row(50, 50), written=row(0, 5))
    assert played(10, of, "C") == 10 + 30 + 50 + 50 + 5


def test_results_queue_with_loads() -> None:
    """Results that come no later than a load, at 40, go first: it starts at 47. One cycle later they are behind it."""
    of = tiles({"C": (0, 1)}, beats=row(10, 100), array=row(10, 200), written=row(7, 0))
    assert played(20, of, "C") == 47 + 100 + 200
    of = tiles({"C": (0, 1)}, beats=row(10, 100), array=row(11, 200), written=row(7, 0))
    assert played(20, of, "C") == 40 + 100 + 200


def test_no_more_than_two_tiles_are_at_work() -> None:
    """Loads take nothing, so that the third tile could load at 3; its commands wait until the first is done at 101."""
    of = tiles({"C": (0, 1, 2)}, beats=row(0, 0, 200), array=row(100, 100, 100))
    assert played(1, of, "C") == 101 + 200 + 100


def test_the_core_is_what_tiny_tiles_wait_for() -> None:
    of = tiles({"C": (0,) * 1000}, beats=row(3), array=row(4))
    run = play(ran(of, "C"), of, Durations(convolution=128, product=0, line=0, latency=0))
    assert run.cycles == 128 * 1000 + 3 + 4
    assert run.busy == {"core": 128_000, "DMA": 3000, "array": 4000}
    assert run.tiles == 1000
    assert run.played < 20


def test_lines_cost_their_time() -> None:
    of = tiles({"C": (0,) * 10}, beats=row(4), lines=row(10), written=row(1), touched=row(3))
    run = play(ran(of, "C"), of, Durations(convolution=0, product=0, line=2.5, latency=0))
    assert run.busy["DMA"] == pytest.approx(10 * (4 + 25 + 1 + 7.5))
    assert run.cycles == pytest.approx(run.busy["DMA"])


@pytest.mark.parametrize(("side", "expected"), [(4, 30), (16, (30 + 3 * 40) / 2), (32, 30 + 3 * 40), (64, 150)])
def test_commands_wait_where_few_are_followed_up(side: int, expected: float) -> None:
    """Three commands of 10 beats: 5, 2 and 1 of them are followed up at a time, of 16 requests in flight."""
    of = tiles({}, beats=row(30), commands=row(3))
    run = play(ran(of, "", side), of, Durations(convolution=0, product=0, line=0, latency=40))
    assert run.cycles == expected


def simulated(issue: int, of: Tiles, order: str) -> float:
    """The same rules as SimPy processes, tile by tile."""
    env = simpy.Environment()
    places = [LOOPS.index(loop) for loop in order]
    kinds = []
    for digits in product(*(of.classes[place] for place in places)):
        kind = [0] * len(LOOPS)
        for place, digit in zip(places, digits, strict=True):
            kind[place] = digit
        kinds.append(tuple(kind))
    queue: list[tuple[float, int, int, int, simpy.Event]] = []
    came = [env.event()]
    done = [env.event() for _ in kinds]
    computed = [env.event() for _ in kinds]

    def move(order: int, tile: int, cycles: int) -> simpy.Event:
        end = env.event()
        queue.append((env.now, order, tile, cycles, end))
        if not came[0].triggered:
            came[0].succeed()
        return end

    def later() -> simpy.Event:
        """After everything else that happens at this moment."""
        event = env.event()
        event._ok, event._value = True, None
        env.schedule(event, priority=9)
        return event

    def dma():
        while True:
            while not queue:
                came[0] = env.event()
                yield came[0]
            yield later()
            queue.sort(key=lambda each: each[:3])
            *_, cycles, end = queue.pop(0)
            yield env.timeout(cycles)
            end.succeed()

    def core():
        for tile in range(len(kinds)):
            yield env.timeout(issue)
            if tile >= 2 and not done[tile - 2].processed:
                yield done[tile - 2]
            env.process(work(tile))

    def work(tile: int):
        kind = kinds[tile]
        yield move(1, tile, int(of.beats[kind]))
        if tile and not computed[tile - 1].processed:
            yield computed[tile - 1]
        yield env.timeout(int(of.array[kind]))
        computed[tile].succeed()
        if written := int(of.written[kind]):
            yield move(0, tile, written)
        done[tile].succeed()

    env.process(dma())
    env.process(core())
    env.run(until=simpy.AllOf(env, done))
    return float(env.now)


@st.composite
def programs(draw: st.DrawFn) -> tuple[int, Tiles, str]:
    order = "".join(draw(st.permutations("KCQ"))[: draw(st.integers(1, 3))])
    classes = {}
    for loop in order:
        length = draw(st.integers(1, 9))
        kinds = draw(st.lists(st.integers(0, 2), min_size=length, max_size=length))
        seen = list(dict.fromkeys(kinds))
        classes[loop] = tuple(seen.index(kind) for kind in kinds)
    shape = [max(classes.get(loop, (0,))) + 1 for loop in LOOPS]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    most = draw(st.sampled_from([3, 40]))
    taken = {name: rng.integers(0, most, shape) for name in ("beats", "array", "written")}
    taken["beats"] += 1
    return draw(st.integers(1, most)), tiles(classes, **taken), order


@settings(max_examples=300, deadline=None)
@given(programs())
def test_skipping_changes_nothing(drawn: tuple[int, Tiles, str]) -> None:
    issue, of, order = drawn
    assert played(issue, of, order) == simulated(issue, of, order)


@settings(max_examples=200, deadline=None)
@given(programs())
def test_no_faster_than_the_busiest_no_slower_than_all_in_turn(drawn: tuple[int, Tiles, str]) -> None:
    issue, of, order = drawn
    run = play(ran(of, order), of, Durations(convolution=issue, product=0, line=0, latency=0))
    assert max(run.busy.values()) <= run.cycles <= sum(run.busy.values())


def test_equal_tiles_take_the_closed_form() -> None:
    """Whichever is slowest, but for the first tile's way in and the last tile's way out."""
    for issue, beats, array in ((100, 30, 50), (20, 130, 50), (20, 30, 150)):
        of = tiles({"C": (0,) * 500, "K": (0,) * 20}, beats=row(beats), array=row(array), written=row(10))
        program, durations = ran(of, "KC"), Durations(convolution=issue, product=0, line=0, latency=0)
        slowest = closed_form(program, of, durations)
        assert slowest == 10_000 * max(issue, beats + 10, array)
        assert abs(play(program, of, durations).cycles - slowest) <= issue + beats + array + 10
