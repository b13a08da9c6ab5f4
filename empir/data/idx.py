"""Data sets published as four files of MNIST's format, gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import md5
from itertools import product
from pathlib import Path

import numpy as np
import torch

from empir.data.dataset import InMemory
from empir.data.split import Split
from hwsim.errors import Fault, SpecError

#: How the files of a split begin.
PREFIX: Mapping[Split, str] = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class Published:
    """A data set as its authors publish it.

    Args:
        name: as in `empir.data.DATASETS`.
        classes: what label 0, 1, ... means.
        md5: file name without .gz -> checksums of the file as it is published, gzipped, and of what is in it.
        source: where to download the files.
        folders: folders below the user's in which other libraries put the files.
        package: Debian's package of the files.
        installed: the folder into which it installs them.
    """

    name: str
    classes: tuple[str, ...]
    md5: Mapping[str, tuple[str, str]]
    source: str
    folders: tuple[str, ...] = ()
    package: str | None = None
    installed: Path | None = None


def read_published(published: Published, split: Split, data_dir: Path | None) -> InMemory:
    """A split of a data set, from the user's folder or else the installed one.

    Raises:
        SpecError: files are missing or are not those that were published.
    """
    names = [name for name in published.md5 if name.startswith(PREFIX[split])]
    found = {name: _find(published, name, data_dir or published.installed) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        raise SpecError([Fault(_how_to_get(published, missing, data_dir))])
    faults: list[Fault] = []
    contents: dict[str, np.ndarray] = {}
    for name, path in found.items():
        assert path is not None
        try:
            contents[name] = parse(_checked(path, published.md5[name], published.source))
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(faults)
    pixels = next(array for array in contents.values() if array.ndim == 3)
    labels = next(array for array in contents.values() if array.ndim == 1)
    return InMemory(
        name=published.name,
        split=split,
        classes=published.classes,
        labels=torch.from_numpy(labels.astype(np.int64)),
        pixels=torch.from_numpy(pixels[:, None]),
    )


def parse(content: bytes) -> np.ndarray:
    """The array of unsigned bytes in an idx file: two zero bytes, the type 8, the number of dimensions, each as a
    big-endian int32, the elements (Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits").

    Raises:
        ValueError: it is something else.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise ValueError("not an idx file of unsigned bytes")
    shape = tuple(np.frombuffer(content, ">i4", count=content[3], offset=4).tolist())
    begin = 4 + 4 * len(shape)
    if min(shape, default=0) < 0 or len(content) - begin != math.prod(shape):
        raise ValueError(f"{len(content) - begin} bytes of elements, where the dimensions {shape} are promised")
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape).copy()


def _find(published: Published, name: str, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    below = (folder, *(folder / other for other in published.folders))
    paths = (where / spelt for where, spelt in product(below, _spellings(name)))
    return next((path for path in paths if path.is_file()), None)


def _spellings(name: str) -> Iterator[str]:
    """Unpacking tools leave train-images.idx3-ubyte of train-images-idx3-ubyte."""
    for stem in (name, name.replace("-idx", ".idx")):
        yield from (stem, f"{stem}.gz")


def _checked(path: Path, expected: tuple[str, str], source: str) -> bytes:
    """What is in a file, unpacked; right is one as it was published, or packed anew."""
    try:
        content = raw = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise SpecError([Fault(f"cannot be read: {error}", str(path))]) from None
    if md5(raw).hexdigest() != expected[0] and md5(content).hexdigest() != expected[1]:
        message = f"is not the published file, whose MD5 is {expected[0]} gzipped, {expected[1]} unpacked; get it anew"
        raise SpecError([Fault(f"{message} from {source}", str(path))])
    return content


def _how_to_get(published: Published, missing: list[str], data_dir: Path | None) -> str:
    where = data_dir or published.installed
    package = f", or install Debian's package {published.package}" if published.package else ""
    return (
        f"{published.name} needs {' and '.join(missing)}, {f'not found in {where}' if where else 'and no --data-dir'}; "
        f"download from {published.source}{package}; --data-dir is the folder that holds {', '.join(published.md5)}, "
        "each with or without .gz"
    )
