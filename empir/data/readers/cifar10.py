"""CIFAR-10: 60,000 colour images, 32 x 32, in ten classes (Krizhevsky, "Learning Multiple Layers of Features", 2009).

Read from its archives or the folders in them, in the version for Python or the binary one. Formats, checksums of the
archives and class counts are those of www.cs.toronto.edu/~kriz/cifar.html, checksums of the batches for Python those of
torchvision (torchvision/datasets/cifar.py).
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Mapping
from hashlib import md5
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from empir.data.dataset import InMemory
from empir.data.split import Split
from hwsim.errors import Fault, SpecError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES: Mapping[Split, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}
#: Images of each class in a split.
A_CLASS: Mapping[Split, int] = {"train": 5000, "test": 1000}
#: Of the batches for Python, and of the archives.
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
}
SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html"
#: Folder of a version -> suffix of its batches and its archive.
VERSIONS = {
    "cifar-10-batches-py": ("", "cifar-10-python.tar.gz"),
    "cifar-10-batches-bin": (".bin", "cifar-10-binary.tar.gz"),
}


def read(split: Split, data_dir: Path | None = None) -> InMemory:
    """50,000 images to train on or 10,000 to test, in the order of the batches.

    Raises:
        SpecError: files are missing or are not those that were published.
    """
    for folder, (suffix, archive) in VERSIONS.items():
        names = [f"{batch}{suffix}" for batch in BATCHES[split]]
        contents = _contents(data_dir, folder, archive, names) if data_dir else None
        if contents:
            break
    else:
        raise SpecError([Fault(_how_to_get(split, data_dir))])
    _check(contents)
    rows = [_binary(content) if suffix else _python(content) for content in contents.values()]
    labels = np.concatenate([own for own, _ in rows])
    pixels = np.concatenate([own for _, own in rows]).reshape(-1, 3, 32, 32)
    if not np.array_equal(np.bincount(labels, minlength=len(CLASSES)), [A_CLASS[split]] * len(CLASSES)):
        message = f"{', '.join(names)} do not hold {A_CLASS[split]} images of each class, as those published do"
        raise SpecError([Fault(f"{message}; get them anew from {SOURCE}", str(data_dir))])
    return InMemory(
        name="cifar10",
        split=split,
        classes=CLASSES,
        labels=torch.from_numpy(labels.astype(np.int64)),
        pixels=torch.from_numpy(pixels),
    )


def unpickle(content: bytes) -> Any:
    """The object in a pickle that is made of plain values and NumPy arrays.

    A pickle may call anything that it can name; here it can name what builds an array and nothing else.

    Raises:
        pickle.UnpicklingError: it names something else.
    """
    return _Unpickler(io.BytesIO(content), encoding="bytes").load()


class _Unpickler(pickle.Unpickler):
    # Taken from an array, because the module that defines it is another in every version of NumPy.
    _reconstruct: Any = np.empty(0).__reduce__()[0]
    _allowed: ClassVar = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return self._allowed[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it would run {module_name}.{global_name}") from None


def _contents(data_dir: Path, folder: str, archive: str, names: list[str]) -> dict[str, bytes] | None:
    """The batches by path, None unless all are there."""
    for place in (data_dir / folder, data_dir):
        paths = [place / name for name in names]
        if all(path.is_file() for path in paths):
            return {str(path): path.read_bytes() for path in paths}
    packed = data_dir / archive
    return _unpacked(packed, folder, names) if packed.is_file() else None


def _unpacked(archive: Path, folder: str, names: list[str]) -> dict[str, bytes]:
    content = archive.read_bytes()
    if md5(content).hexdigest() != MD5[archive.name]:
        raise _not_published(str(archive), MD5[archive.name])
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r|*") as members:
        for member in members:
            file = members.extractfile(member)
            if file is not None:
                found[member.name] = file.read()
    return {f"{folder}/{name}": found[f"{folder}/{name}"] for name in names}


def _check(contents: Mapping[str, bytes]) -> None:
    """Compare batches with the checksums that are published; there are none of binary batches."""
    wrong = [
        fault
        for path, content in contents.items()
        if (expected := MD5.get(Path(path).name)) and md5(content).hexdigest() != expected
        for fault in _not_published(path, expected).faults
    ]
    if wrong:
        raise SpecError(wrong)


def _python(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels [n] and pixels [n, 3072] of a dictionary with these two."""
    batch = unpickle(content)
    return np.asarray(batch[b"labels"], dtype=np.uint8), batch[b"data"]


def _binary(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Labels [n] and pixels [n, 3072] of rows, each a label and its pixels."""
    whole = len(content) // 3073 * 3073
    rows = np.frombuffer(content, np.uint8, count=whole).reshape(-1, 3073)
    return rows[:, 0], rows[:, 1:]


def _not_published(path: str, expected: str) -> SpecError:
    return SpecError([Fault(f"is not the published file, whose MD5 is {expected}; get it anew from {SOURCE}", path)])


def _how_to_get(split: Split, data_dir: Path | None) -> str:
    archives = " or ".join(archive for _, archive in VERSIONS.values())
    where = f"not found in {data_dir}" if data_dir else "and no --data-dir"
    return (
        f"cifar10 needs {', '.join(BATCHES[split])}, {where}; "
        f"download {archives} from {SOURCE}; --data-dir is the folder that holds the archive, or what is in it: "
        f"{' or '.join(f'{folder}/*{suffix}' for folder, (suffix, _) in VERSIONS.items())}"
    )
