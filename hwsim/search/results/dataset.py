"""The results of a sweep on disk: Parquet files that appear whole, and an index of what belongs to the space.

    OUT/space.json            the space, and the parts that make it up
    OUT/points/UNIT.parquet   designs, one a row
    OUT/counts/UNIT.parquet   how many designs there are of each kind, and which parts the two files hold

A part is what one chip makes of one scenario, named by the fingerprint of all that it depends on; a unit is some parts
that were computed together. Points are written before counts, so a unit is done when both are there and say the same.
Files of parts that the space no longer has stay, and are not read. A part that several units hold (two sweeps in one
folder) is read from one of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal

from hwsim import __version__
from hwsim.errors import Fault, HwsimError, SpecError
from hwsim.value import digest

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Table

SCHEMA = "hwsim.sweep/1"

#: The column of points and counts that says which part a row belongs to.
PART = "part"

_INDEX = "space.json"
_PARTS = b"hwsim.parts"

#: How the names of files end that are not whole yet.
_PART = ".part"


@dataclass(frozen=True)
class Index:
    """What a folder is to hold.

    Args:
        space: the space as plain content.
        parts: fingerprint of every part of it.
        complete: whether all of them were there when this was written.
    """

    space: dict[str, Any]
    parts: tuple[str, ...]
    complete: bool = False


@dataclass(frozen=True)
class Shard:
    """What a unit leaves: two Parquet files as bytes.

    Args:
        unit: name of both files.
        parts: what they hold.
    """

    unit: str
    parts: tuple[str, ...]
    points: bytes
    counts: bytes


def unit_name(parts: Iterable[str]) -> str:
    """The name of a unit that holds these parts."""
    return digest("unit", sorted(parts))


def encoded(table: Table, parts: Sequence[str]) -> bytes:
    """A table as a Parquet file that says which parts it holds."""
    arrow, parquet = pyarrow()
    sink = arrow.BufferOutputStream()
    with parquet.ParquetWriter(sink, described(table.schema, parts), compression="zstd") as writer:
        writer.write_table(table.replace_schema_metadata(writer.schema.metadata))
    return bytes(sink.getvalue())


def described(schema: Any, parts: Sequence[str]) -> Any:
    """The schema of a Parquet file that says which parts it holds."""
    return schema.with_metadata({_PARTS: json.dumps(list(parts)).encode()})


def prepare(folder: Path, index: Index) -> None:
    """Make a folder fit for a sweep, and say what belongs to it.

    Raises:
        SpecError: it cannot be written, or it holds something else.
    """
    pyarrow()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / _INDEX).exists():
            there = read_index(folder)
        elif any(not path.name.endswith(_PART) for path in folder.iterdir()):
            raise SpecError([Fault("holds something that is no sweep: choose a new folder", str(folder))])
        else:
            there = None
        if there != index:
            write_index(folder, index)
        for name in ("points", "counts"):
            (folder / name).mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def write_index(folder: Path, index: Index) -> None:
    """Say what belongs to the sweep."""
    content = {
        "schema": SCHEMA,
        "hwsim": __version__,
        "complete": index.complete,
        "space": index.space,
        "parts": list(index.parts),
    }
    _whole(folder / _INDEX, (json.dumps(content, indent=1) + "\n").encode())


def read_index(folder: Path) -> Index:
    """What belongs to the sweep in a folder.

    Raises:
        SpecError: there is none.
    """
    path = folder / _INDEX
    try:
        content = json.loads(path.read_bytes())
        if content["schema"] != SCHEMA:
            raise ValueError
        return Index(dict(content["space"]), tuple(map(str, content["parts"])), bool(content["complete"]))
    except OSError as error:
        message = f"is not the folder of a sweep: {_INDEX}: {error.strerror or error}"
        raise SpecError([Fault(message, str(folder))]) from None
    except (KeyError, TypeError, ValueError):
        message = f"is not the index of a sweep ({SCHEMA}): move it away, and the sweep goes on with what is there"
        raise SpecError([Fault(message, str(path))]) from None


def put(folder: Path, shard: Shard) -> None:
    """Write what a unit leaves, points first; each file appears whole and is on the disk when this returns."""
    _whole(folder / "points" / f"{shard.unit}.parquet", shard.points)
    _whole(folder / "counts" / f"{shard.unit}.parquet", shard.counts)


def held(folder: Path, wanted: Iterable[str]) -> dict[str, frozenset[str]]:
    """Which of the wanted parts are to be read from which unit: each from one, units by name."""
    missing, found = set(wanted), {}
    for counts in sorted((folder / "counts").glob("*.parquet")):
        parts = done(folder, counts.stem)
        own = missing & parts
        if own:
            found[counts.stem] = frozenset(own)
            missing -= own
    return found


def done(folder: Path, unit: str) -> frozenset[str]:
    """The parts of a unit whose two files are whole and agree; none otherwise."""
    counts, points = (_parts(folder / name / f"{unit}.parquet") for name in ("counts", "points"))
    return frozenset(counts) if counts == points and unit_name(counts) == unit else frozenset()


def read_points(folder: str | Path, columns: Sequence[str] | None = None) -> DataFrame:
    """The designs of a sweep.

    Args:
        columns: those wanted; all if not given.

    Raises:
        SpecError: the folder holds no sweep, or no such columns.
    """
    return _frame(Path(folder), "points", columns)


def read_counts(folder: str | Path) -> DataFrame:
    """How many designs of a sweep there are of each kind, and why some chips cannot run anything.

    Raises:
        SpecError: the folder holds no sweep.
    """
    return _frame(Path(folder), "counts", None)


def points(folder: Path, columns: Sequence[str] | None = None) -> Iterator[Table]:
    """The designs of a sweep, as one Arrow table a unit: for those that do not fit in memory together."""
    return (table.drop_columns([PART]) for table in _tables(folder, "points", columns))


def files(folder: Path, kind: Literal["points", "counts"] = "points") -> list[tuple[Path, frozenset[str] | None]]:
    """Files that belong to a sweep, and of each the parts whose rows do: None if all of them do.

    Raises:
        SpecError: the folder holds no sweep.
    """
    found: list[tuple[Path, frozenset[str] | None]] = []
    for unit, own in held(folder, read_index(folder).parts).items():
        path = folder / kind / f"{unit}.parquet"
        found.append((path, None if own == frozenset(_parts(path)) else own))
    return found


def _tables(folder: Path, kind: Literal["points", "counts"], columns: Sequence[str] | None = None) -> Iterator[Table]:
    arrow, parquet = pyarrow()
    from pyarrow import compute

    for path, own in files(folder, kind):
        with parquet.ParquetFile(path) as file:
            unknown = sorted(set(columns or ()) - set(file.schema_arrow.names))
            if unknown:
                raise SpecError([Fault(f"has no column {name!r}", str(folder)) for name in unknown])
            table = file.read(columns if columns is None else [*columns, PART])
        if own is not None:
            table = table.filter(compute.is_in(table[PART], value_set=arrow.array(sorted(own))))
        yield table.replace_schema_metadata(None)


def _frame(folder: Path, kind: Literal["points", "counts"], columns: Sequence[str] | None) -> DataFrame:
    """All rows, in the order of the index, however they were computed together."""
    import numpy as np
    import pandas
    from pyarrow import compute

    arrow, _ = pyarrow()
    tables = list(_tables(folder, kind, columns))
    if not tables:
        return pandas.DataFrame()
    table = arrow.concat_tables(tables, promote_options="permissive").unify_dictionaries()
    position = compute.index_in(table[PART], value_set=arrow.array(read_index(folder).parts))
    order = np.argsort(position.to_numpy(), kind="stable")
    frame = table.drop_columns([PART]).take(order).to_pandas()
    for name in frame.select_dtypes("category"):  # in the order of the rows, too
        frame[name] = frame[name].cat.set_categories(list(frame[name].unique()))
    return frame


def _parts(path: Path) -> list[str]:
    """The parts that a Parquet file says it holds; none where it is missing, cut short or somebody else's."""
    arrow, parquet = pyarrow()
    try:
        return list(map(str, json.loads((parquet.read_schema(path).metadata or {})[_PARTS])))
    except (OSError, KeyError, TypeError, ValueError, arrow.ArrowException):
        return []


def _whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all, and stays once it is there, whatever happens to the machine."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.{token_hex(4)}{_PART}")
    try:
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> SpecError:
    return SpecError([Fault(f"cannot be written: {error.strerror or error}", str(error.filename or path))])


def pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise HwsimError("pyarrow is not installed: pip install 'hwsim[search]'") from None
    return pyarrow, parquet
