"""ImageNet (ILSVRC 2012): folders train/ and val/ with a folder for each of the 1,000 classes, named by its WordNet id.

Preprocessing: decoded as RGB, the shorter side resized to 256 (bilinear, antialiased), the centre cropped to 224 x 224.
Attacks work on these pixels; normalisation is the network's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from empir.data.dataset import Dataset
from empir.data.split import Split
from hwsim.errors import Fault, SpecError

CLASSES = 1000
FOLDER = {"train": "train", "test": "val"}
SUFFIXES = (".jpeg", ".jpg")
SHORTER_SIDE, CROP = 256, 224
SEED = 2012
LAYOUT = "train/n01440764/*.JPEG, ..., val/n01440764/*.JPEG, ...: a folder for each of the 1,000 classes"


@dataclass(frozen=True, eq=False, kw_only=True)
class Folders(Dataset):
    """Images that are decoded when they are asked for.

    In the fingerprint names and sizes of the files stand for their pixels: to read 140 GB would take hours.

    Args:
        root: the folder of the split.
        files: below it, one for each label.
    """

    root: Path
    files: tuple[str, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return 3, CROP, CROP

    def images(self, indices: Tensor | slice) -> Tensor:
        """Pixels in [0, 1], float32 [b, 3, 224, 224].

        Raises:
            SpecError: files that hold no image.
        """
        chosen = self.files[indices] if isinstance(indices, slice) else [self.files[i] for i in indices.tolist()]
        with ThreadPoolExecutor() as threads:  # Pillow decodes and resizes outside Python's lock
            decoded = list(threads.map(partial(_decoded, self.root), chosen))
        if faults := [each for each in decoded if isinstance(each, Fault)]:
            raise SpecError(faults)
        pixels = np.stack([each for each in decoded if not isinstance(each, Fault)])
        return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32).contiguous() / 255

    def _first(self, samples: int) -> Self:
        return replace(self, labels=self.labels[:samples], files=self.files[:samples])

    def _content(self) -> Sequence[bytes]:
        preprocessing = f"RGB {SHORTER_SIDE} {CROP}".encode()
        return (preprocessing, *(f"{file} {(self.root / file).stat().st_size}\n".encode() for file in self.files))


def read(split: Split, data_dir: Path | None = None) -> Folders:
    """The images of a split, in an order that mixes the classes and never changes; the validation images are the test.

    Raises:
        SpecError: the folder is missing, or has not a folder of images for each of the 1,000 classes.
    """
    root = data_dir / FOLDER[split] if data_dir else None
    if root is None or not root.is_dir():
        where = f"{root} is no folder" if root else "there is no --data-dir"
        raise SpecError([Fault(f"imagenet: {where}; {_how_to_get()}")])
    classes = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir()))
    if len(classes) != CLASSES:
        raise SpecError([Fault(f"imagenet: {root} has {len(classes)} folders of classes; {_how_to_get()}")])
    files = [(name, label) for label, wnid in enumerate(classes) for name in _images(root, wnid)]
    if empty := CLASSES - len({label for _, label in files}):
        raise SpecError([Fault(f"imagenet: {root} has {empty} folders without images; {_how_to_get()}")])
    order = np.random.RandomState(SEED).permutation(len(files))  # a stream that is frozen for good (NEP 19)
    return Folders(
        name="imagenet",
        split=split,
        classes=classes,
        labels=torch.tensor([files[i][1] for i in order]),
        root=root,
        files=tuple(files[i][0] for i in order),
    )


def crop_of(width: int, height: int) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Size to which an image is resized, (width, height), and the box cut out of that, (left, top, right, bottom)."""
    shorter = min(width, height)
    size = width * SHORTER_SIDE // shorter, height * SHORTER_SIDE // shorter
    left, top = ((side - CROP) // 2 for side in size)
    return size, (left, top, left + CROP, top + CROP)


def _images(root: Path, wnid: str) -> list[str]:
    return sorted(f"{wnid}/{name}" for name in os.listdir(root / wnid) if name.lower().endswith(SUFFIXES))


def _decoded(root: Path, file: str) -> np.ndarray | Fault:
    """Pixels, uint8 [224, 224, 3]."""
    from PIL import Image

    try:
        with Image.open(root / file) as image:
            size, box = crop_of(*image.size)
            return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR).crop(box))
    except (OSError, Image.DecompressionBombError) as error:
        return Fault(f"cannot be decoded: {error}", str(root / file))


def _how_to_get() -> str:
    return f"register at https://image-net.org, download ILSVRC 2012, and lay it out under --data-dir as {LAYOUT}"
