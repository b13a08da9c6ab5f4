"""The file of DOSA's mappings: the notation, the layers, and what ran."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import Fault, SpecError
from hwsim.mapping.mapping import LevelMapping, Loop, Mapping, SpatialLoop
from hwsim.operators.nest import LoopNest
from hwsim.validate._gemmini_program import Program, Tiles, program, tiles

#: Levels of the notation, outermost first, by their names in the hardware file.
LEVELS = ("DRAM", "scratchpad", "accumulator", "PE")

#: Where a level's spatial loops are unrolled.
AXES = {"scratchpad": "columns", "accumulator": "rows"}

_LOOP = re.compile(r"([NCKPQRS])(\d+)(X?)")


@dataclass(frozen=True)
class Row:
    """A mapping of a layer, and the program that ran it.

    Args:
        text: the mapping as the file has it.
        rtl: [cycles].
    """

    text: str
    nest: LoopNest
    mapping: Mapping
    rtl: float
    program: Program
    tiles: Tiles

    @property
    def outside(self) -> bool:
        """Whether a tile lies in the padding alone, which the program does not allow for."""
        return bool(self.tiles.outside.any())


def read(data: Path) -> list[Row]:
    """Rows of a CSV file with columns mapping, N, C, K, P, Q, R, S, stride_h, stride_w and rtl_cycles.

    Raises:
        SpecError: what the file lacks, or the line that is wrong.
    """
    line, rows = 1, []
    try:
        with data.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                line += 1
                layer, mapped = nest(row), mapping(row["mapping"])
                ran = program(layer, mapped)
                rows.append(Row(row["mapping"], layer, mapped, float(row["rtl_cycles"]), ran, tiles(ran)))
    except KeyError as error:
        raise SpecError([Fault(f"there is no column {error}", str(data))]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Fault(str(error), str(data))]) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise SpecError([Fault(f"is no mapping with its layer and cycles ({error})", str(data), line)]) from None
    if not rows:
        raise SpecError([Fault("holds no mapping", str(data))])
    return rows


def nest(row: dict[str, str]) -> LoopNest:
    """The layer of a row."""
    n, k, c, p, q, r, s = (int(row[dim]) for dim in "NKCPQRS")
    stride = (int(row["stride_h"]), int(row["stride_w"]))
    return LoopNest(N=n, K=k, C=c, P=p, Q=q, R=r, S=s, stride=stride)


def mapping(text: str) -> Mapping:
    """Read a mapping such as `L3[WIO] K8 - L2[WI] K4X - L1[O] Q4 C3X - L0[W] P16`; X marks a spatial loop."""
    levels = []
    for name, part in zip(LEVELS, text.split(" - "), strict=True):
        loops = [(dim, int(bound), bool(spatial)) for dim, bound, spatial in _LOOP.findall(part.partition("]")[2])]
        levels.append(
            LevelMapping(
                name,
                tuple(Loop(dim, bound) for dim, bound, spatial in loops if not spatial),
                tuple(SpatialLoop(dim, bound, AXES[name]) for dim, bound, spatial in loops if spatial),
            )
        )
    return Mapping(tuple(levels))
