"""The program that ran behind DOSA's RTL cycles: which tiles there were, and what each of them moves and computes.

A mapping was not run on the 128 x 128 array that it was made for. A generator put every mapping into a C program for
the smallest of several arrays, and that program hands the tiles of the mapping's loops at DRAM to the accelerator, one
command sequence each. Read in

  [tests]   github.com/ucb-bar/gemmini-rocc-tests, gemmini-data-collection: gemmini_data_collection.py groups mappings
            by the size of the array (`per_pe_dim`), layers/extract_data_csv.py makes tiles and loops of them (commit
            6bae4f9), templates/*_tilings.c call include/gemmini.h (commit 928aba8, August 2023).
  [gemmini] github.com/ucb-bar/gemmini, src/main/scala/gemmini: DMA.scala (commit a99a4ee), ExecuteController.scala
            (commit 01c93bf), LoadController.scala (commit 03b99bc), LoopConv.scala (commit 03fa3d1), LoopMatmul.scala,
            Configs.scala.

The runs are older than some of these versions. What is inferred from the cycles rather than read is marked so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.mapping.mapping import LevelMapping, Mapping
from hwsim.operators.nest import LoopNest

#: Loops over tiles: axes of every array of tiles, in this order.
LOOPS = "NQPKSRC"

#: Sides of the arrays that were built. Inferred: [tests] has 2 and 128 too, no mapping asks for them.
ARRAYS = (4, 8, 16, 32, 64)

#: Bytes that the DMA moves a cycle, and at most in one request: also a line of the cache behind it. Configs.scala
BEAT, LINE = 16, 64

#: Requests that the DMA has in flight at most. Configs.scala
IN_FLIGHT = 16

#: Rows that a product takes at least, however few it has: writes to one accumulator address must be so far apart.
#: ExecuteController.scala
LEAST_ROWS = 4

#: Elements that the template of matrix products takes for a block, whatever array it is compiled for.
TEMPLATE_BLOCK = 16

_Axis = NDArray[np.float64]


@dataclass(frozen=True)
class Program:
    """A mapping as it was run.

    Args:
        side: rows, and columns, of the array.
        size: of the layer, by loop; one more row and column of outputs than the layer has where the kernel is even.
        step: of the loops over tiles.
        order: of those that loop, outermost first.
        image: rows, and columns, of the input; the template takes all images for square.
    """

    side: int
    size: dict[str, int]
    step: dict[str, int]
    order: str
    stride: int
    padding: int
    image: int

    def trips(self, loop: str) -> int:
        """Tiles along one loop, the last of which may be short."""
        return -(-self.size[loop] // self.step[loop])

    @property
    def is_product(self) -> bool:
        """Whether it multiplies matrices, which have a template of their own."""
        return self.size["Q"] == self.size["R"] == self.size["S"] == 1

    @property
    def commands_in_flight(self) -> int:
        """Commands to read that are followed up at a time; a command reads as many rows as the array has.

        LoadController.scala, DMACommandTracker.scala
        """
        return IN_FLIGHT // self.side + 1

    @property
    def data(self) -> int:
        """Inputs, weights and outputs of the layer [B]."""
        size = self.size
        rows = 1 if self.is_product else self.image
        weights = size["S"] * size["R"] * size["C"] * size["K"]
        return size["N"] * (rows * self.image * size["C"] + size["Q"] * size["P"] * size["K"]) + weights


def array_side(mapping: Mapping) -> int:
    """Side of the smallest array that holds the spatial loops of a mapping. [tests]

    Raises:
        ValueError: no array does.
    """
    widest = max((loop.bound for level in mapping.levels for loop in level.spatial), default=1)
    for side in ARRAYS:
        if side >= widest:
            return side
    raise ValueError(f"{widest} spatial iterations are more than the {ARRAYS[-1]} of the largest array")


def program(nest: LoopNest, mapping: Mapping) -> Program:
    """What the generator makes of a mapping of a layer.

    A convolution's tile is all that is below DRAM. Matrix products (inferred): their template counts a tile in blocks
    of 16, the program takes the blocks to be as wide as its array.

    Raises:
        ValueError: see `array_side`.
    """
    side = array_side(mapping)
    size = {loop: getattr(nest, loop) for loop in LOOPS}
    tile = {loop: prod(_bounds(mapping.levels[1:], loop)) for loop in LOOPS}
    if nest.Q == nest.R == nest.S == 1:
        step = {loop: 1 for loop in LOOPS} | {loop: max(1, tile[loop] // TEMPLATE_BLOCK) * side for loop in "PKC"}
        stride, padding, image = 1, 0, nest.P
    else:
        stride, padding = nest.stride[1], nest.R // 2
        image = nest.P * stride
        outputs = (image - nest.R + 2 * padding) // stride + 1
        size, step = size | {"P": outputs, "Q": outputs}, tile
    several = [loop for loop in LOOPS if size[loop] > step[loop]]
    mapped = [loop.dim for loop in mapping.levels[0].temporal if loop.dim in several]
    order = [loop for loop in several if loop not in mapped] + list(dict.fromkeys(mapped))
    return Program(side, size, step, "".join(order), stride, padding, image)


@dataclass(frozen=True)
class Tiles:
    """What tiles take, by class of tile: tiles that differ in nothing are one class.

    Arrays have an axis for every loop, in the order of `LOOPS`.

    Args:
        classes: of the tiles along every loop, in the order in which they come.
        count: tiles of the class.
        array: that the array works [cycles].
        beats: of 16 bytes that are read; lines: of 64 bytes that they touch; commands: that read them.
        written: beats of 16 bytes; touched: lines of 64 bytes that they touch.
        outside: the tile lies in the padding alone, and the size of its window underflows.
    """

    classes: tuple[tuple[int, ...], ...]
    count: NDArray[np.int64]
    array: _Axis
    beats: _Axis
    lines: _Axis
    commands: _Axis
    written: _Axis
    touched: _Axis
    outside: NDArray[np.bool_]


def tiles(ran: Program) -> Tiles:
    """Count what every tile of a program moves and computes.

    * Array: a block of weights of side x side stays while each row of outputs, cut into pieces of at most `side`
      pixels, passes. A piece takes a cycle a pixel, `LEAST_ROWS` at least; the first after a change of weights takes
      `side`, in which the next block is shifted in. ExecuteController.scala, LoopConv.scala
    * Reads: every tile reads its weights and its inputs anew, halo included and padding left out, a row of channels at
      a time, in requests of aligned 16, 32 or 64 bytes, whichever brings most. DMA.scala. A command reads up to `side`
      pixels of a row of the image, or rows of weights, of up to 64 bytes each. LoopConv.scala. Inferred: nothing is
      kept from one tile to the next.
    * Writes: partial sums stay in the accumulator until the last tile along C, R and S; then they leave in 8 bits.
    """
    classes, starts = zip(*(_alike(ran, loop) for loop in LOOPS), strict=True)
    along = dict(zip(LOOPS, starts, strict=True))
    n, q, p, k, s, r, c = (_spread(loop, [_length(ran, loop, each) for each in along[loop]]) for loop in LOOPS)
    rows, columns = _window(ran, along, "Q", "S"), _window(ran, along, "P", "R")
    high, wide = np.maximum(rows, 0), np.maximum(columns, 0)
    blocks = np.ceil(k / ran.side) * np.ceil(c / ran.side)
    rest = p % ran.side
    last_piece = np.where(rest > 0, np.maximum(rest, LEAST_ROWS), 0)
    pieces = p // ran.side * ran.side + last_piece
    loading = ran.side - np.where(p >= ran.side, ran.side, last_piece)
    image = n * _lines_of_image(high, wide, ran.image, ran.size["C"], c)
    outputs = n * _lines_of_image(q, p, ran.size["P"], ran.size["K"], k)
    commands = n * high * np.ceil(wide / ran.side) * np.ceil(c / LINE)
    commands = commands + s * r * np.ceil(c / ran.side) * np.ceil(k / LINE)
    ends = (_spread(loop, [each + ran.step[loop] >= ran.size[loop] for each in along[loop]]) for loop in "SRC")
    done = prod(ends)
    inputs_row, weights_row = _row_beats(ran, "C", c), _row_beats(ran, "K", k)
    many = prod(_spread(loop, np.bincount(each)) for loop, each in zip(LOOPS, classes, strict=True))
    shape = [len(each) for each in starts]

    def full(values: NDArray[np.float64]) -> _Axis:
        return np.broadcast_to(values, shape)

    return Tiles(
        classes,
        np.broadcast_to(np.asarray(many).astype(np.int64), shape),
        full(blocks * s * r * (n * q * pieces + loading)),
        full(n * high * wide * inputs_row + s * r * c * weights_row),
        full(image + s * r * _lines(c, ran.size["K"], k)),
        full(commands),
        full(np.where(done > 0, n * q * p * weights_row, 0)),
        full(np.where(done > 0, outputs, 0)),
        np.broadcast_to((rows < 0) | (columns < 0), shape),
    )


def _bounds(levels: tuple[LevelMapping, ...], dim: str) -> list[int]:
    temporal = [loop.bound for level in levels for loop in level.temporal if loop.dim == dim]
    return temporal + [loop.bound for level in levels for loop in level.spatial if loop.dim == dim]


def _length(ran: Program, loop: str, start: int) -> int:
    return min(ran.step[loop], ran.size[loop] - start)


def _alike(ran: Program, loop: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Classes of the tiles along a loop in their order, and where the first of every class starts.

    Tiles of one class are equally long. Along an image they reach equally far into it for every tile of the kernel, and
    vice versa; of a reduction, the last is apart.
    """
    partner = {"Q": "S", "P": "R", "S": "Q", "R": "P"}.get(loop)
    kinds: dict[tuple[int, ...], int] = {}
    classes: list[int] = []
    starts: list[int] = []
    for start in range(0, ran.size[loop], ran.step[loop]):
        kind = [_length(ran, loop, start), loop in "SRC" and start + ran.step[loop] >= ran.size[loop]]
        if partner is not None:
            others = range(0, ran.size[partner], ran.step[partner])
            kind += [_reach(ran, loop, start, partner, other) for other in others]
        classes.append(kinds.setdefault(tuple(kind), len(kinds)))
        if len(starts) < len(kinds):
            starts.append(start)
    return tuple(classes), tuple(starts)


def _reach(ran: Program, loop: str, start: int, partner: str, other: int) -> int:
    """Rows, or columns, of the input that a tile reads; negative where all of it is outside."""
    if loop in "SR":
        loop, start, partner, other = partner, other, loop, start
    first = start * ran.stride + other - ran.padding
    extent = _length(ran, loop, start) * ran.stride + _length(ran, partner, other) - 1
    return extent - max(0, -first) - max(0, first + extent - ran.image)


def _spread(loop: str, values: ArrayLike) -> _Axis:
    """Values along one loop as an array with an axis for every loop."""
    return np.array(values, dtype=float).reshape([-1 if each == loop else 1 for each in LOOPS])


def _window(ran: Program, along: dict[str, tuple[int, ...]], outputs: str, kernel: str) -> _Axis:
    """What `_reach` says for every pair of classes."""
    table = [[_reach(ran, outputs, start, kernel, other) for other in along[kernel]] for start in along[outputs]]
    shape = [len(along[each]) if each in (outputs, kernel) else 1 for each in LOOPS]
    return np.array(table, dtype=float).reshape(shape)


def _row_beats(ran: Program, channels: str, width: _Axis) -> _Axis:
    """Beats of one row of a tile, for the mean of the alignments that occur."""
    size, step = ran.size[channels], ran.step[channels]
    starts = {
        each: tuple({start % LINE for start in range(0, size, step) if min(step, size - start) == each})
        for each in map(int, width.flat)
    }
    return np.array([_mean_beats(size % LINE, starts[int(each)], int(each)) for each in width.flat]).reshape(
        width.shape
    )


@cache
def _mean_beats(pitch: int, starts: tuple[int, ...], width: int) -> float:
    offsets = {(row * pitch + start) % LINE for row in range(LINE) for start in starts}
    return sum(beats(offset, width) for offset in offsets) / len(offsets)


@cache
def beats(offset: int, width: int) -> int:
    """Bus cycles of a row of bytes that begins so far into a line; a command moves at most a line of it.

    A request is an aligned 16, 32 or 64 bytes, the smallest of those that bring most. DMA.scala
    """
    total = 0
    for start in range(0, width, LINE):
        at, left = offset + start, min(LINE, width - start)
        while left > 0:
            brought, negative = max((min(each - at % each, left), -each) for each in (BEAT, 2 * BEAT, LINE))
            total, at, left = total - negative // BEAT, at + brought, left - brought
    return total


def _lines(rows: _Axis, pitch: int, width: _Axis) -> _Axis:
    """Lines that rows of bytes touch, for the mean of the addresses that are multiples of all these sizes.

    Rows that follow each other, or several to a line, share lines.
    """
    aligned = np.gcd(np.gcd(width.astype(np.int64), pitch), LINE)
    joined = np.maximum(width, LINE) >= pitch
    bytes_ = np.where(joined, (rows - 1) * pitch + np.minimum(width, pitch), width)
    touched = ((bytes_ - aligned) / LINE + 1) * np.where(joined, 1, rows)
    return np.where(rows > 0, touched, 0)


def _lines_of_image(high: _Axis, wide: _Axis, whole: int, channels: int, width: _Axis) -> _Axis:
    """Lines that a part of an image touches; rows of pixels that are `whole` follow each other."""
    return np.where(wide == whole, _lines(high * wide, channels, width), high * _lines(wide, channels, width))
