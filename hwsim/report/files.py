"""Results as files, written whole or not at all, and as data frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.errors import Fault, SpecError
from hwsim.report.records import Record, record_of, rows, text

if TYPE_CHECKING:
    from pandas import DataFrame

    from hwsim.cost.layer import LayerCost
    from hwsim.ensemble.ensemble_cost import EnsembleCost
    from hwsim.ensemble.network_cost import NetworkCost
    from hwsim.simulate.members.simulation import Simulation

#: Suffixes of result files.
SUFFIXES = (".json", ".csv", ".parquet")


def to_frame(cost: EnsembleCost | NetworkCost | LayerCost | Simulation) -> DataFrame:
    """A pandas data frame with one row a layer; for an ensemble the baseline's, every member's and the combiner's."""
    from hwsim.report.simulation import simulation_record, simulation_rows
    from hwsim.simulate.members.simulation import Simulation

    if isinstance(cost, Simulation):
        return frame(simulation_rows(simulation_record(cost)))
    return frame(rows(record_of(cost)))


def frame(flat: Iterable[Record]) -> DataFrame:
    """Rows as a pandas data frame."""
    from pandas import DataFrame

    return DataFrame(list(flat))


def check_target(path: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Refuse a result file that could not be written, before the work that it is for.

    Args:
        suffixes: those that it may have.

    Raises:
        SpecError: an unknown suffix, a missing folder, a library that is not installed.
    """
    message = None
    if path.suffix.lower() not in suffixes:
        message = f"the suffix must be {' or '.join(filter(None, (', '.join(suffixes[:-1]), suffixes[-1])))}"
    elif path.is_dir():
        message = "is a folder"
    elif not path.parent.is_dir():
        message = f"there is no folder {path.parent}"
    elif not os.access(path.parent, os.W_OK):
        message = f"the folder {path.parent} cannot be written to"
    elif path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        message = "pyarrow is not installed: pip install hwsim[parquet]"
    if message:
        raise SpecError([Fault(message, str(path))])


def write_result(path: Path, record: Record, flat: Callable[[Record], Iterable[Record]] = rows) -> None:
    """Write a result as its file's suffix says: the JSON object, or a table of its rows.

    Args:
        flat: the rows of a record.

    Raises:
        SpecError: the file cannot be written.
    """
    check_target(path)
    match path.suffix.lower():
        case ".json":
            write_whole(path, lambda part: part.write_text(text(record) + "\n", encoding="utf-8"))
        case ".csv":
            write_whole(path, lambda part: frame(flat(record)).to_csv(part, index=False))
        case _:
            write_whole(path, lambda part: frame(flat(record)).to_parquet(part, index=False))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Fill a file beside the target, then put it in the target's place.

    Raises:
        SpecError: the file cannot be written.
    """
    path = path.resolve()  # of a link, the file that it points to
    part = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        try:
            write(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SpecError([Fault(f"cannot be written: {error.strerror or error}", str(path))]) from None
