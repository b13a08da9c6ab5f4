"""Images with labels: what every reader returns."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from empir.data.split import Split
from hwsim.errors import Fault, SpecError


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset(ABC):
    """One split of a data set, in a fixed order that does not follow the classes.

    Args:
        name: as in `empir.data.DATASETS`.
        split: train or test.
        classes: what label 0, 1, ... means.
        labels: int64 [n].
    """

    name: str
    split: Split
    classes: tuple[str, ...]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""

    @abstractmethod
    def images(self, indices: Tensor | slice) -> Tensor:
        """Pixels in [0, 1], float32 [b, c, h, w], of some samples: int64 [b], or a slice."""

    def limited(self, samples: int) -> Self:
        """The first so many samples, or all where there are fewer.

        Raises:
            SpecError: less than one.
        """
        if samples < 1:
            raise SpecError([Fault(f"{self.name}: at least one sample is needed, not {samples}")])
        return self if samples >= len(self) else self._first(samples)

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of split, classes, shape, labels and pixels."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps([self.split, self.classes, self.input_shape]).encode())
        digest.update(self.labels.numpy().astype("<i8").tobytes())
        for part in self._content():
            digest.update(part)
        return digest.hexdigest()[:16]

    @abstractmethod
    def _first(self, samples: int) -> Self: ...

    @abstractmethod
    def _content(self) -> Sequence[bytes | memoryview]:
        """What decides the pixels."""


@dataclass(frozen=True, eq=False, kw_only=True)
class InMemory(Dataset):
    """A data set that is small enough to be held whole.

    Args:
        pixels: uint8 [n, c, h, w].
    """

    pixels: Tensor

    @property
    def input_shape(self) -> tuple[int, int, int]:
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def images(self, indices: Tensor | slice) -> Tensor:
        return self.pixels[indices].to(torch.float32) / 255

    def _first(self, samples: int) -> Self:
        return replace(self, labels=self.labels[:samples], pixels=self.pixels[:samples])

    def _content(self) -> Sequence[bytes | memoryview]:
        return (self.pixels.contiguous().numpy().data,)
