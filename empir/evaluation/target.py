"""What is attacked: a trained ensemble, the images, and where answers are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.spec.ensemble import Ensemble

if TYPE_CHECKING:
    import torch

    from empir.data.dataset import Dataset
    from empir.ensemble.module import EnsembleModule


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
    def at_once(self) -> int:
        """Images attacked at once."""
        return self.batch_size or (2000 if self.device.type == "cuda" else 250)

    @property
    def key(self) -> str:
        """Digest of everything that decides an answer to an image."""
        content = repr((self.spec.identity(), self.checksums, self.module.seed))
        return hashlib.sha256(content.encode()).hexdigest()[:16]
