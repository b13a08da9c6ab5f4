"""Small files in the formats of published data sets, with made-up pixels in them."""

from __future__ import annotations

import gzip
import struct
from hashlib import md5
from pathlib import Path

import numpy as np
from PIL import Image

from empir.data.idx import Published
from empir.data.readers import imagenet


def made_up(classes: int, a_class: int, shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled labels uint8 [n] and random pixels uint8 [n, *shape]."""
    random = np.random.RandomState(seed)
    labels = random.permutation(np.repeat(np.arange(classes, dtype=np.uint8), a_class))
    return labels, random.randint(0, 256, (len(labels), *shape)).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    """An idx file, written byte by byte."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">i", n) for n in array.shape) + array.tobytes()


def write_idx(folder: Path, packed: bool = True) -> dict[str, tuple[str, str]]:
    """Four files with 30 samples to train on and 20 to test; their checksums, as in `Published.md5`."""
    folder.mkdir(parents=True, exist_ok=True)
    checksums = {}
    for seed, (prefix, a_class) in enumerate({"train": 3, "t10k": 2}.items()):
        labels, pixels = made_up(10, a_class, (28, 28), seed)
        for name, array in {"images-idx3": pixels, "labels-idx1": labels}.items():
            content = idx(array)
            gzipped = gzip.compress(content, mtime=0)
            checksums[f"{prefix}-{name}-ubyte"] = (md5(gzipped).hexdigest(), md5(content).hexdigest())
            file = folder / f"{prefix}-{name}-ubyte{'.gz' if packed else ''}"
            file.write_bytes(gzipped if packed else content)
    return checksums


def published(checksums: dict[str, tuple[str, str]], **more: object) -> Published:
    """A data set of these files."""
    fields = {"name": "made_up", "classes": tuple("0123456789"), "md5": checksums, "source": "nowhere", **more}
    return Published(**fields)  # type: ignore[arg-type]


def python2_batch(labels: np.ndarray, pixels: np.ndarray) -> bytes:
    """The pickle of {"labels": [...], "data": array} as Python 2 and NumPy 1 wrote it: byte strings, numpy.core."""
    short = b"".join(b"K" + bytes([label]) for label in labels)
    rows, columns = pixels.shape
    return (
        b"\x80\x02}(U\x06labels](" + short + b"eU\x04data"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01J" + struct.pack("<i", rows) + b"J" + struct.pack("<i", columns) + b"\x86"
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + struct.pack("<i", pixels.size) + pixels.tobytes() + b"tbu."
    )


def cifar_batches(seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Labels [n] and pixels [n, 3072] of six batches, 10 images each to train on and 20 to test."""
    counts = {**{f"data_batch_{number}": 1 for number in range(1, 6)}, "test_batch": 2}
    return {name: made_up(10, a_class, (3072,), seed + place) for place, (name, a_class) in enumerate(counts.items())}


def write_imagenet(root: Path, images: int = 1, size: tuple[int, int] = (30, 20)) -> None:
    """A split of 1,000 folders, each with the same few images."""
    random = np.random.RandomState(0)
    for number in range(imagenet.CLASSES):
        folder = root / f"n{number:08}"
        folder.mkdir(parents=True)
    first = root / "n00000000"
    for image in range(images):
        pixels = random.randint(0, 256, (size[1], size[0], 3)).astype(np.uint8)
        Image.fromarray(pixels).save(first / f"{image}.JPEG")
    for file in sorted(first.iterdir()):
        for number in range(1, imagenet.CLASSES):
            (root / f"n{number:08}" / file.name).hardlink_to(file)
