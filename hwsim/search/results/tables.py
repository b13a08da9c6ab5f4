"""Designs as rows of a data set: which chip and which ensemble, what it costs, how robust it is.

part, knob: NAME ..., network, quantize, batch, combiner, timing, chip, M, N, configuration, COLUMNS ..., ensemble
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.search.design.columns import COLUMNS
from hwsim.search.design.ensembles import Block, Choices
from hwsim.search.results.dataset import PART, described, pyarrow
from hwsim.spec.ensemble import Combiner, NetworkReference, identity_frame
from hwsim.spec.rules import FullPrecision, Rule
from hwsim.value import fingerprint_of

if TYPE_CHECKING:
    from pyarrow import Array, Table

    from hwsim.search.design.grid import Chip, Scenario
    from hwsim.search.exhaustive.explore import Designs

Objects = NDArray[np.object_]

#: What the columns of a chip's knobs begin with.
KNOB = "knob: "

#: Columns that are verdicts.
VERDICTS = ("cost_feasible", "feasible")

#: Rows of a row group.
ROWS = 1 << 17

#: Blocks whose ensembles' texts or fingerprints are remembered: other chips ask for the same ones.
REMEMBERED = 24


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

    def of(self, scenario: Scenario, block: Block) -> tuple[Array, Array]:
        """Configuration and fingerprint of every row."""
        choices, subject = self._choices, scenario.subject
        rows = (choices, block.full_precision, block.members.shape, block.members.tobytes())
        texts = _remembered(("configurations", *rows), lambda: configurations(choices, block))
        about = (subject.network, scenario.combiner, subject.quantize)
        fingerprints = _remembered(("identities", *rows, *about), lambda: identities(choices, block, *about))
        return texts, fingerprints


#: What `Names` has found, whichever unit of this process asked.
_KNOWN: OrderedDict[object, Array] = OrderedDict()


def _remembered(key: object, make: Callable[[], Objects]) -> Array:
    if key in _KNOWN:
        _KNOWN.move_to_end(key)
        return _KNOWN[key]
    arrow, _ = pyarrow()
    found = _KNOWN[key] = arrow.array(make(), arrow.string())
    while len(_KNOWN) > REMEMBERED:
        _KNOWN.popitem(last=False)
    return found


def configurations(choices: Choices, block: Block) -> Objects:
    """`members_text` of every row of a block; rows with equal members in the same places are written together."""
    rows, low = block.members.shape
    fp = [] if not block.full_precision else ["fp" if block.full_precision == 1 else f"{block.full_precision} fp"]
    names = [f"w{weights}a{activations}" for weights, activations in choices.precisions]
    texts = np.full(rows, fp[0] if fp else "", dtype=object)
    if not low:
        return texts
    same = (block.members[:, 1:] == block.members[:, :-1]) @ (1 << np.arange(low - 1))  # as the one before, bit by bit
    for pattern in np.unique(same):
        own = np.flatnonzero(same == pattern)
        places = [0, *(place for place in range(1, low) if not pattern >> (place - 1) & 1)]
        parts: list[Any] = list(fp)
        for first, last in pairwise([*places, low]):
            number = last - first
            words = np.array([name if number == 1 else f"{number} {name}" for name in names], dtype=object)
            parts.append(words[block.members[own, first]])
        texts[own] = reduce(lambda before, after: before + " + " + after, parts)
    return texts


def identities(
    choices: Choices, block: Block, network: NetworkReference, combiner: Combiner, quantize: Rule
) -> Objects:
    """`identity` of every row of a block; without a value for each, 2 us instead of 40."""
    rows, low = block.members.shape
    full = (choices.full, choices.full)
    words = np.array([f"[{weights}.0, {activations}.0]" for weights, activations in (*choices.precisions, full)])
    words = words.astype(object)
    # Ascending, as the precisions are: none is wider than full precision.
    columns: list[Any] = [*(words[column] for column in block.members.T), *([words[-1]] * block.full_precision)]
    texts = np.full(rows, "", dtype=object) + reduce(lambda before, after: before + ", " + after, columns)
    members = [*([choices.precisions[0]] * low), *([full] * block.full_precision)]
    before, after = identity_frame(network, members, combiner, quantize, choices.full)
    return np.array([fingerprint_of(f"{before}{text}{after}") for text in texts], dtype=object)


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
