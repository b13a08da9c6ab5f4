"""What is attacked: a trained ensemble, the images, and where answers are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from empir.data.dataset import Dataset
from empir.ensemble.module import EnsembleModule
from empir.evaluation.accounting import Classes
from empir.training import checkpoint
from empir.training.recipe import Recipe
from empir.training.train import checkpoints, load_members, member_seeds
from hwsim.spec.ensemble import Ensemble

#: Images, and elements of them, that are attacked at once by kind of device; large images are fewer.
MOST_AT_ONCE = {"cpu": (250, 2**23), "cuda": (2000, 2**26)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Target:
    """A trained ensemble and the images that it is attacked on.

    Args:
        spec: the ensemble as described.
        module: the ensemble as trained, on `device`.
        seeds: of the members, in the order of `spec.expanded()`.
        checksums: SHA-256 of their checkpoints.
        training: how they were trained, as JSON.
        dataset: the images.
        seed: of the attacks.
        device: where to compute.
        folder: where answers are kept; nowhere if None.
        batch_size: images attacked at once, and kept in one file; as many as suit the device if None.
    """

    spec: Ensemble
    module: EnsembleModule
    seeds: tuple[int, ...]
    checksums: tuple[str, ...]
    training: Mapping[str, Any]
    dataset: Dataset
    seed: int
    device: torch.device
    folder: Path | None = None
    batch_size: int | None = None

    @property
    def drawn(self) -> bool:
        """Whether one member is drawn for every inference."""
        return self.spec.combiner == "random_switch"

    @property
    def labels(self) -> Classes:
        """True classes of the images [n]."""
        return np.asarray(self.dataset.labels.numpy(), dtype=np.int64)

    @property
    def at_once(self) -> int:
        """Images attacked at once."""
        most, elements = MOST_AT_ONCE["cuda" if self.device.type == "cuda" else "cpu"]
        return self.batch_size or max(1, min(most, elements // prod(self.dataset.input_shape)))

    @property
    def key(self) -> str:
        """Digest of everything that decides an answer to an image."""
        content = repr((self.spec.identity(), self.checksums, self.module.seed))
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def load_target(
    ensemble: Ensemble,
    train: Dataset,
    test: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    batch_size: int | None = None,
    file: str = "FILE",
) -> Target:
    """An ensemble of trained members, to be attacked.

    Args:
        train: what its members were trained on.
        test: what it is attacked on.
        recipe: how they were trained.
        folder: where they are; answers are kept there too.
        seed: of their training, and of the attacks.
        file: where the ensemble was read from, for messages.

    Raises:
        SpecError: members are missing; says how to train them.
    """
    at = device or torch.device("cpu")
    paths = checkpoints(ensemble, train, recipe, seed, folder, file)
    return Target(
        spec=ensemble,
        module=load_members(ensemble, paths, at, seed),
        seeds=member_seeds(ensemble, seed),
        checksums=tuple(checkpoint.checksum(path) for path in paths),
        training=recipe.model_dump(mode="json"),
        dataset=test,
        seed=seed,
        device=at,
        folder=folder,
        batch_size=batch_size,
    )
