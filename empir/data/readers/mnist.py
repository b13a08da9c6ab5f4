"""MNIST: 60,000 handwritten digits to train on and 10,000 to test, 28 x 28.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Proceedings of the IEEE 86 (1998). Checksums of the gzipped files are
those of torchvision (torchvision/datasets/mnist.py).
"""

from __future__ import annotations

from pathlib import Path

from empir.data.dataset import InMemory
from empir.data.idx import Published, read_published
from empir.data.split import Split

PUBLISHED = Published(
    name="mnist",
    classes=tuple(str(digit) for digit in range(10)),
    md5={
        "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
        "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
        "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
        "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
    },
    source="https://ossci-datasets.s3.amazonaws.com/mnist/ (torchvision's mirror of yann.lecun.com/exdb/mnist)",
    folders=("MNIST/raw", "mnist"),
)


def read(split: Split, data_dir: Path | None = None) -> InMemory:
    """60,000 digits to train on or 10,000 to test, in the order of the files.

    Raises:
        SpecError: files are missing or are not those that were published.
    """
    return read_published(PUBLISHED, split, data_dir)
