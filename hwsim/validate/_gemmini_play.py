"""The tiles of a program one after another through the core, the DMA and the array of Gemmini.

  core   prepares the commands of a tile, and hands them over once no more than one tile is still at work: the command
         unrollers hold two (`concurrent_loops`, LoopConv.scala and LoopMatmul.scala)
  DMA    moves what a tile reads, and what it writes, first come, first served
  array  begins with a tile when it has been read: its commands come after those of all reads (`ld_ahead`,
         LoopConv.scala); then the results leave

Equal tiles in an equal state take the same time: what a run of the inner loops did from one state, they do from the
same state again, and it is not played twice. Time is counted in whole ticks, so that this is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hwsim.simulate.layer.machine import Port
from hwsim.validate._gemmini_program import LOOPS, Program, Tiles

#: Ticks of a cycle: how finely mean durations are rounded.
TICKS = 1000


@dataclass(frozen=True)
class Durations:
    """What is not in the sources and had to be calibrated.

    Args:
        convolution: that the core takes for the commands of a tile [cycles]; product: of a matrix product.
        line: that a line of 64 bytes adds to the beats that it is moved in [cycles].
        latency: from the last request of a command to read until the command is done with [cycles].
    """

    convolution: float
    product: float
    line: float
    latency: float

    def issue(self, ran: Program) -> float:
        """Commands of one tile [cycles]."""
        return self.product if ran.is_product else self.convolution

    def read(self, ran: Program, of: Tiles) -> NDArray[np.float64]:
        """What tiles read: bound by what is moved, or by commands that wait until one before is done with [cycles]."""
        moved = of.beats + self.line * of.lines
        return np.maximum(moved, (moved + self.latency * of.commands) / ran.commands_in_flight)

    def write(self, of: Tiles) -> NDArray[np.float64]:
        """What tiles write [cycles]."""
        return of.written + self.line * of.touched


@dataclass(frozen=True)
class Run:
    """A program that was played.

    Args:
        cycles: from its first command to its last result [cycles].
        busy: of "core", "DMA" and "array" [cycles].
        tiles: in the program; played: one by one.
    """

    cycles: float
    busy: dict[str, float]
    tiles: int
    played: int


#: State between two tiles, from the moment that the last one was handed over [ticks]: when the DMA is free, when the
#: tile before the last was done, when the array is done with the last, and how long that one has still to write.
_State = tuple[int, int, int, int]


def closed_form(ran: Program, of: Tiles, durations: Durations) -> float:
    """Cycles if every tile took as long as the slowest of core, DMA and array for it [cycles]."""
    dma = durations.read(ran, of) + durations.write(of)
    return float((of.count * np.maximum(np.maximum(of.array, dma), durations.issue(ran))).sum())


def play(ran: Program, of: Tiles, durations: Durations) -> Run:
    """Play every tile of a program."""
    return _Player(ran, of, durations).run()


class _Player:
    def __init__(self, ran: Program, of: Tiles, durations: Durations) -> None:
        self.issue = round(TICKS * durations.issue(ran))
        self.load = _ticks(durations.read(ran, of))
        self.work = _ticks(of.array)
        self.store = _ticks(durations.write(of))
        self.count = of.count
        self.places = [LOOPS.index(loop) for loop in ran.order]
        self.runs = [[(kind, len(list(alike))) for kind, alike in groupby(of.classes[place])] for place in self.places]
        self.known: dict[tuple[int, tuple[int, ...], _State], tuple[int, _State]] = {}
        self.dma, self.array = Port("DMA", 0), Port("array", 0)
        self.played = 0

    def run(self) -> Run:
        passed, state = self._loop(0, (0,) * len(LOOPS), (0, 0, 0, 0))
        dma, before, computed, writes = state
        end = max(computed, dma) + writes if writes else computed
        busy = {
            "core": self.issue * int(self.count.sum()),
            "DMA": int((self.count * (self.load + self.store)).sum()),
            "array": int((self.count * self.work).sum()),
        }
        return Run(
            (passed + max(end, before)) / TICKS,
            {name: ticks / TICKS for name, ticks in busy.items()},
            int(self.count.sum()),
            self.played,
        )

    def _loop(self, depth: int, kind: tuple[int, ...], state: _State) -> tuple[int, _State]:
        """All iterations of the loops from `depth` on: until the last tile is handed over [ticks], and the state."""
        if depth == len(self.places):
            return self._tile(kind, state)
        key = (depth, kind, state)
        if key in self.known:
            return self.known[key]
        passed, place = 0, self.places[depth]
        for alike, many in self.runs[depth]:
            inner = (*kind[:place], alike, *kind[place + 1 :])
            seen: dict[_State, tuple[int, int]] = {}
            index = 0
            while index < many:
                if state in seen:
                    then, already = seen[state]
                    periods = (many - index) // (index - then)
                    index, passed = index + periods * (index - then), passed + periods * (passed - already)
                    seen = {}
                    continue
                seen[state] = index, passed
                more, state = self._loop(depth + 1, inner, state)
                index, passed = index + 1, passed + more
        self.known[key] = passed, state
        return passed, state

    def _tile(self, kind: tuple[int, ...], state: _State) -> tuple[int, _State]:
        dma, array = self.dma, self.array
        dma.free, before, computed, writes = state
        array.free = computed
        handed = max(self.issue, before)
        done = computed
        if writes and computed <= handed:
            done = dma.reserve(computed, writes) + writes
        load, work = int(self.load[kind]), int(self.work[kind])
        loaded = dma.reserve(handed, load) + load
        if writes and computed > handed:
            done = dma.reserve(computed, writes) + writes
        end = array.reserve(loaded, work) + work
        self.played += 1
        # What was over before the commands came makes no difference to what follows.
        return handed, (max(dma.free - handed, 0), max(done - handed, 0), end - handed, int(self.store[kind]))


def _ticks(cycles: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(TICKS * cycles).astype(np.int64)
