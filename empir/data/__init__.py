"""Images with labels: every file in `readers` reads one data set, under the file's name."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from empir.data import readers
from empir.data.split import Split
from hwsim.errors import Fault, SpecError, did_you_mean, shown

if TYPE_CHECKING:
    from empir.data.dataset import Dataset

#: Names of the data sets.
DATASETS = tuple(sorted(entry.name for entry in pkgutil.iter_modules(readers.__path__)))


def load(name: str, split: Split, data_dir: Path | str | None = None) -> Dataset:
    """A data set's split.

    Args:
        name: as in `DATASETS`.
        split: train or test.
        data_dir: the folder with the data set's files; a data set that comes with a package needs none.

    Raises:
        SpecError: an unknown name or split; files that are missing or not what they should be.
    """
    if name not in DATASETS:
        hint = did_you_mean(name, DATASETS)
        raise SpecError([Fault(f"unknown data set {shown(name)}{hint}; there are {', '.join(DATASETS)}")])
    if split not in get_args(Split):
        raise SpecError([Fault(f"{name} has the splits {' and '.join(get_args(Split))}, not {shown(split)}")])
    reader = import_module(f"{readers.__name__}.{name}")
    dataset: Dataset = reader.read(split, None if data_dir is None else Path(data_dir))
    return dataset
