"""Fashion-MNIST: 70,000 articles of clothing in MNIST's form (Xiao, Rasul and Vollgraf, arXiv:1708.07747).

Classes and checksums of the gzipped files are those in the authors' README (github.com/zalandoresearch/fashion-mnist).
Debian's package dataset-fashion-mnist holds the same files, packed anew.
"""

from __future__ import annotations

from pathlib import Path

from empir.data.dataset import InMemory
from empir.data.idx import Published, read_published
from empir.data.split import Split

PUBLISHED = Published(
    name="fashion_mnist",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    md5={
        "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9"),
        "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a"),
        "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965"),
    },
    source="https://github.com/zalandoresearch/fashion-mnist",
    folders=("FashionMNIST/raw", "fashion-mnist"),
    package="dataset-fashion-mnist",
    installed=Path("/usr/share/datasets/fashion-mnist"),
)


def read(split: Split, data_dir: Path | None = None) -> InMemory:
    """60,000 articles to train on or 10,000 to test, in the order of the files.

    Raises:
        SpecError: files are missing or are not those that were published.
    """
    return read_published(PUBLISHED, split, data_dir)
