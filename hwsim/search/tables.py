"""Designs as rows of a data set: which chip and which ensemble, what it costs, how robust it is.

part, knob: NAME ..., network, quantize, batch, combiner, timing, chip, M, N, configuration, COLUMNS ..., ensemble
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.search.columns import COLUMNS
from hwsim.search.dataset import PART, described, pyarrow
from hwsim.search.ensembles import Block, Choices, Copies
from hwsim.spec.ensemble import identities
from hwsim.spec.rules import FullPrecision, Rule

if TYPE_CHECKING:
    from pyarrow import Array, Table

    from hwsim.search.exhaustive import Designs
    from hwsim.search.grid import Chip, Scenario

#: What the columns of a chip's knobs begin with.
KNOB = "knob: "

#: Columns that are verdicts.
VERDICTS = ("cost_feasible", "feasible")

#: Rows of a row group.
ROWS = 1 << 17

#: Blocks whose ensembles' names are remembered: other chips ask for the same ones.
REMEMBERED = 8


def selected(designs: Designs, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Designs:
    """Some of the designs."""
    block = replace(designs.block, members=designs.block.members[rows])
    return replace(designs, block=block, columns={name: own[rows] for name, own in designs.columns.items()})


def same_for_all(part: str, chip: Chip, scenario: Scenario, timing: str) -> dict[str, str | int]:
    """What all rows of a part have in common."""
    return {
        PART: part,
        **{KNOB + name: value for name, value in chip.knobs.items()},
        "network": scenario.subject.network.name,
        "quantize": rule_text(scenario.subject.quantize),
        "batch": scenario.batch,
        "combiner": scenario.combiner,
        "timing": timing,
        "chip": chip.hardware.fingerprint(),
    }


def rule_text(rule: Rule) -> str:
    """Which layers are quantised, as one text."""
    return f"all but {', '.join(rule.full_precision)}" if isinstance(rule, FullPrecision) else rule


class Names:
    """Texts and fingerprints of the ensembles of blocks, kept for the next chip that asks for the same block."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._kept: OrderedDict[object, tuple[Array, Array]] = OrderedDict()

    def of(self, scenario: Scenario, block: Block) -> tuple[Array, Array]:
        """Configuration and fingerprint of every row."""
        key = (scenario.subject, scenario.combiner, block.full_precision, block.members.shape, block.members.tobytes())
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        arrow, _ = pyarrow()
        choices, subject = self._choices, scenario.subject
        members = copies(choices, block)
        own = identities(subject.network, members, scenario.combiner, subject.quantize, choices.full)
        found = arrow.array(configurations(choices, block)), arrow.array(own)
        self._kept[key] = found
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return found


def copies(choices: Choices, block: Block) -> list[Copies]:
    """Weight and activation bits of the members of every row, full precision first."""
    full = ((choices.full, choices.full),) * block.full_precision
    kinds = choices.precisions
    return [(*full, *[kinds[index] for index in row]) for row in block.members.tolist()]


def configurations(choices: Choices, block: Block) -> list[str]:
    """`members_text` of every row of a block; 1 us each."""
    several = block.full_precision
    start = [] if not several else ["fp"] if several == 1 else [f"{several} fp"]
    names = [f"w{weights}a{activations}" for weights, activations in choices.precisions]
    texts = []
    for row in block.members.tolist():
        parts, before, number = list(start), -1, 0
        for index in (*row, -1):  # ascending, so that equal ones stand together
            if index == before:
                number += 1
                continue
            if number:
                parts.append(names[before] if number == 1 else f"{number} {names[before]}")
            before, number = index, 1
        texts.append(" + ".join(parts))
    return texts


def points_table(common: dict[str, str | int], designs: Designs, names: Names) -> Table:
    """Designs as an Arrow table.

    Args:
        common: see `same_for_all`.
    """
    arrow, _ = pyarrow()
    rows, low = designs.block.members.shape
    texts, fingerprints = names.of(designs.scenario, designs.block)
    columns: dict[str, Any] = {name: _repeated(value, rows) for name, value in common.items()}
    columns["M"] = np.full(rows, designs.block.full_precision, dtype=np.int64)
    columns["N"] = np.full(rows, low, dtype=np.int64)
    columns["configuration"] = texts
    for name in COLUMNS:
        own = designs.columns[name]
        columns[name] = own.astype(bool) if name in VERDICTS else np.asarray(own, dtype=np.float64)
    return arrow.table({**columns, "ensemble": fingerprints})


def empty_points(common: dict[str, str | int]) -> Table:
    """The same without a row."""
    arrow, _ = pyarrow()
    text, number = arrow.string(), arrow.int64()
    columns: dict[str, Any] = {name: _repeated(value, 0) for name, value in common.items()}
    types = {"M": number, "N": number, "configuration": text}
    types |= {name: arrow.bool_() if name in VERDICTS else arrow.float64() for name in COLUMNS}
    return arrow.table(columns | {name: arrow.array([], kind) for name, kind in {**types, "ensemble": text}.items()})


class Sheet:
    """Tables of the same columns, written one after another into a Parquet file in memory."""

    def __init__(self, empty: Table, parts: Sequence[str]) -> None:
        arrow, parquet = pyarrow()
        self._sink, self._waiting, self._rows = arrow.BufferOutputStream(), [empty], 0
        self._schema = described(empty.schema, parts)
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")

    def add(self, table: Table) -> None:
        """Append rows."""
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= ROWS:
            self._flush()

    def finish(self) -> bytes:
        """The file, once all rows are there."""
        self._flush()
        self._writer.close()
        return bytes(self._sink.getvalue())

    def _flush(self) -> None:
        arrow, _ = pyarrow()
        if self._waiting:
            self._writer.write_table(arrow.concat_tables(self._waiting).unify_dictionaries().cast(self._schema))
        self._waiting, self._rows = [], 0


def counts_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows that say how many designs of each kind a part has; what a row does not say is null."""
    arrow, _ = pyarrow()
    names = list(dict.fromkeys(name for row in rows for name in row))
    return arrow.table({name: arrow.array([row.get(name) for row in rows]) for name in names})


def _repeated(value: str | int, rows: int) -> Any:
    """One value in every row; text only once."""
    arrow, _ = pyarrow()
    if isinstance(value, int):
        return np.full(rows, value, dtype=np.int64)
    return arrow.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), arrow.array([value]))
