"""The designs that a sweep wrote down, read piece by piece: any number of Parquet files, only the columns asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import Fault, SpecError, did_you_mean
from hwsim.search.results.dataset import PART, files, pyarrow, read_counts, read_index
from hwsim.search.results.tables import KNOB

if TYPE_CHECKING:
    from pandas import DataFrame

#: Values of a column that a message lists.
FEW = 12


@dataclass(frozen=True)
class Points:
    """Where designs are written down.

    Args:
        path: the folder of a sweep, or one Parquet file.
        kinds: of every column: number, text or truth.
        looked_at: designs that were priced for them, where that is known.
        space: the design space as plain content, where it is known.
        complete: whether the sweep is finished.
    """

    path: Path
    kinds: dict[str, str]
    looked_at: int | None = None
    space: dict[str, Any] = field(default_factory=dict)
    complete: bool = True

    @property
    def knobs(self) -> tuple[str, ...]:
        """Columns of what varies from chip to chip."""
        return tuple(name for name in self.kinds if name.startswith(KNOB))

    def column(self, name: str) -> str:
        """A column by its name; that of a knob also without what it begins with.

        Raises:
            SpecError: there is none.
        """
        if name in self.kinds:
            return name
        if KNOB + name in self.kinds:
            return KNOB + name
        known = [column.removeprefix(KNOB) for column in self.kinds]
        begun = [column for column in known if column.startswith(name)] if name else []
        hint = (
            f" (did you mean {begun[0]}?)"
            if begun
            else did_you_mean(name, known) or f" (there are: {', '.join(known)})"
        )
        raise SpecError([Fault(f"there is no column {name!r}{hint}", str(self.path))])


@dataclass(frozen=True)
class Condition:
    """What a column has to hold: one of some values, as text."""

    column: str
    values: tuple[str, ...]


def open_points(path: Path) -> Points:
    """The folder that a sweep wrote, or one Parquet file.

    Raises:
        SpecError: there is nothing like that, or nothing in it.
        HwsimError: pyarrow is not installed.
    """
    if path.is_dir():
        return _open_sweep(path)
    parquet = pyarrow()[1]
    if not path.exists():
        raise SpecError([Fault("there is no such file or folder", str(path))])
    try:
        with parquet.ParquetFile(path) as file:
            return Points(path, _kinds([file.schema_arrow]))
    except (OSError, ValueError) as error:  # pyarrow's own are of these kinds
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise SpecError([Fault(f"cannot be read as Parquet: {reason}", str(path))]) from None


def _open_sweep(folder: Path) -> Points:
    parquet = pyarrow()[1]
    index = read_index(folder)
    schemas = [parquet.read_schema(path) for path, _ in files(folder)]
    kinds = _kinds(schemas)
    kinds.pop(PART, None)
    if not kinds:
        raise SpecError([Fault("has no designs yet: `hwsim sweep` with the same folder goes on", str(folder))])
    return Points(folder, kinds, int(read_counts(folder)["designs"].sum()), index.space, index.complete)


def _kinds(schemas: Iterable[Any]) -> dict[str, str]:
    """Of every column; what is unknown in all rows of one file (null) has the kind that another gives it."""
    kinds: dict[str, str] = {}
    for schema in schemas:
        for column in schema:
            kind = _kind(str(column.type))
            if kind != "text" or column.name not in kinds:
                kinds[column.name] = kind
    return kinds


def conditions(points: Points, asked: Iterable[tuple[str, str]]) -> tuple[Condition, ...]:
    """What `COLUMN=VALUE` pairs ask for: of one column any of its values, of several columns all.

    Raises:
        SpecError: there is no such column.
    """
    values: dict[str, tuple[str, ...]] = {}
    for name, value in asked:
        column = points.column(name)
        values[column] = (*values.get(column, ()), value)
    return tuple(Condition(column, own) for column, own in values.items())


@dataclass(frozen=True)
class Scanned:
    """Columns of the designs that meet conditions.

    Args:
        numbers: of these designs among all, by which `take` knows them.
        columns: numbers as they are, text by its place in `texts`.
        texts: what is written in a column of text.
        rows: designs in all.
    """

    numbers: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]
    texts: dict[str, tuple[str, ...]]
    rows: int


def scan(points: Points, columns: Sequence[str], where: Sequence[Condition], truths: Sequence[str] = ()) -> Scanned:
    """Read columns of the designs that meet conditions.

    Args:
        truths: columns that have to be true.

    Raises:
        SpecError: no design has a value that is asked for.
    """
    needed = list(dict.fromkeys([*columns, *(one.column for one in where), *truths]))
    known: dict[str, dict[str, int]] = {name: {} for name in needed if points.kinds[name] == "text"}
    numbers: list[NDArray[np.int64]] = []
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in columns}
    met = [False] * len(where)
    start = 0
    for table in _tables(points, needed):
        arrays = {
            name: _codes(table.column(name), known[name]) if name in known else _numbers(table.column(name))
            for name in needed
        }
        masks = [_meets(arrays[one.column], one, known.get(one.column)) for one in where]
        met = [before or bool(mask.any()) for before, mask in zip(met, masks, strict=True)]
        kept = np.ones(table.num_rows, dtype=bool)
        for mask in (*masks, *(arrays[name] == 1 for name in truths)):
            kept &= mask
        numbers.append(start + np.flatnonzero(kept))
        for name in columns:
            parts[name].append(arrays[name][kept])
        start += table.num_rows
    faults = [_absent(points, one) for one, found in zip(where, met, strict=True) if not found and start]
    if faults:
        raise SpecError(faults)
    empty = [np.empty(0, dtype=np.int64)]
    return Scanned(
        np.concatenate(numbers or empty),
        {name: np.concatenate(own or empty) for name, own in parts.items()},
        {name: tuple(texts) for name, texts in known.items()},
        start,
    )


def take(points: Points, scanned: Scanned, numbers: NDArray[np.int64]) -> DataFrame:
    """Every column of the designs with these numbers, in the order of the numbers, which index them.

    Raises:
        SpecError: there are not as many designs as when they were scanned.
    """
    import pandas

    wanted, start = np.sort(numbers), 0
    found: list[DataFrame] = []
    for rows, load in _pieces(points):
        first, last = np.searchsorted(wanted, [start, start + rows])
        if last > first:
            found.append(load(list(points.kinds)).take(wanted[first:last] - start).to_pandas())
        start += rows
    if start != scanned.rows:
        raise SpecError([Fault("changed while it was read, by a sweep that goes on: try again", str(points.path))])
    frame: DataFrame = pandas.concat(found, ignore_index=True) if found else pandas.DataFrame(columns=[*points.kinds])
    frame.index = pandas.Index(wanted)
    return frame.loc[numbers]


def _tables(points: Points, columns: list[str]) -> Iterator[Any]:
    """All designs, in a fixed order."""
    for _, load in _pieces(points):
        yield load(columns)


def _pieces(points: Points) -> Iterator[tuple[int, Callable[[list[str]], Any]]]:
    """Pieces of all designs in a fixed order: how many, and what reads columns of them while the piece is current."""
    arrow, parquet = pyarrow()
    from pyarrow import compute

    for path, parts in files(points.path) if points.path.is_dir() else [(points.path, None)]:
        with parquet.ParquetFile(path) as file:
            if parts is None:
                for group in range(file.num_row_groups):
                    yield file.metadata.row_group(group).num_rows, partial(file.read_row_group, group)
            else:  # other parts are read from another file, or no longer wanted
                own = compute.is_in(file.read([PART])[PART], value_set=arrow.array(sorted(parts)))
                yield compute.sum(own).as_py() or 0, partial(_filtered, file, own)


def _filtered(file: Any, rows: Any, columns: list[str]) -> Any:
    return file.read(columns).filter(rows)


def _numbers(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _codes(column: Any, known: dict[str, int]) -> NDArray[np.int32]:
    """Text by its place among all that is known, which grows; what is not there is the text of nothing."""
    codes = [np.empty(0, dtype=np.int32)]
    for chunk in column.dictionary_encode().chunks:
        texts = list(map(str, chunk.dictionary.to_pylist())) + [""] * (chunk.indices.null_count > 0)
        places = np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int32)
        codes.append(places[chunk.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)])
    return np.concatenate(codes)


def _meets(values: NDArray[Any], condition: Condition, known: dict[str, int] | None) -> NDArray[np.bool_]:
    """Where a column holds one of the values asked for; `25%` is 0.25."""
    if known is not None:
        return np.isin(values, [known[text] for text in condition.values if text in known])
    wanted = [_number(text) for text in condition.values]
    return np.asarray(np.any([np.isclose(values, value, rtol=1e-9, atol=0) for value in wanted], axis=0))


def _number(text: str) -> float:
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return float("nan")  # which equals nothing


def _absent(points: Points, condition: Condition) -> Fault:
    seen: dict[Any, None] = {}
    for table in _tables(points, [condition.column]):
        seen |= dict.fromkeys(table.column(condition.column).unique().to_pylist())
    known = [f"{value:g}" if isinstance(value, float) else str(value) for value in seen if value is not None]
    name, asked = condition.column.removeprefix(KNOB), " or ".join(condition.values)
    hint = did_you_mean(condition.values[0], known) if points.kinds[condition.column] == "text" else ""
    if not hint:
        more = f" and {len(known) - FEW} more" if len(known) > FEW else ""
        hint = f" (there are: {', '.join(sorted(known)[:FEW])}{more})"
    return Fault(f"no design has {name}={asked}{hint}", str(points.path))


def _kind(of_arrow: str) -> str:
    if of_arrow == "bool":
        return "truth"
    return "number" if of_arrow.startswith(("int", "uint", "float", "double", "halffloat")) else "text"
