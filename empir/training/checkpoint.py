"""Trained members on disk: written whole or not at all, and read without running anything that is in them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from empir.data.dataset import Dataset
from empir.training.recipe import Recipe
from hwsim.errors import Fault, SpecError
from hwsim.spec.ensemble import Ensemble, Member, NetworkReference
from hwsim.spec.rules import Rule
from hwsim.value import Value

FORMAT = "empir.checkpoint/1"


class Training(Value):
    """All that decides a member's weights, as far as it is known before: equal trainings share one file.

    Ensembles that differ in what does not touch a member share it too: a full-precision member does not depend on
    which layers are quantised, and "full precision" is 32 bits here, whatever width the ensemble calls so.
    """

    network: NetworkReference
    weights: int
    activations: int
    quantize: Rule | None
    """None for a full-precision member."""
    dataset: str
    data: str
    """Fingerprint of the training split."""
    recipe: Recipe
    seed: int

    @property
    def stem(self) -> str:
        """What the file's name begins with: network and precision."""
        network = re.sub(r"\W+", "-", self.network.name)
        return f"{network}-{'fp' if self.quantize is None else f'w{self.weights}a{self.activations}'}"

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.stem}-{self.fingerprint()}.pt"

    def of(self, ensemble: Ensemble, member: Member) -> bool:
        """Whether this is how a member of an ensemble looks."""
        return (self.network, self.weights, self.activations, self.quantize) == _form(ensemble, member)


def training(ensemble: Ensemble, member: Member, dataset: Dataset, recipe: Recipe, seed: int) -> Training:
    """How a member is trained.

    Args:
        dataset: its training split.
        seed: of this member.
    """
    network, weights, activations, rule = _form(ensemble, member)
    return Training(
        network=network,
        weights=weights,
        activations=activations,
        quantize=rule,
        dataset=dataset.name,
        data=dataset.fingerprint(),
        recipe=recipe,
        seed=seed,
    )


def _form(ensemble: Ensemble, member: Member) -> tuple[NetworkReference, int, int, Rule | None]:
    full = ensemble.full_precision_bits
    weights, activations = (32 if bits == full else bits for bits in (member.weights, member.activations))
    return ensemble.network, weights, activations, None if weights == activations == 32 else ensemble.quantize


@dataclass(frozen=True)
class Checkpoint:
    """A trained member.

    Args:
        training: how it came to be.
        versions: of the software that made it, and the device.
        state: tensors by their names in the module that `empir.networks.build_member` returns.
    """

    training: Training
    versions: Mapping[str, str]
    state: Mapping[str, Tensor]


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write a member's file; equal checkpoints make equal files."""
    replace(
        path,
        {
            "format": FORMAT,
            "spec": checkpoint.training.model_dump(mode="json"),
            "seed": checkpoint.training.seed,
            "versions": dict(checkpoint.versions),
            "state": dict(checkpoint.state),
        },
    )


def read(path: Path) -> Checkpoint:
    """A member's file.

    Raises:
        SpecError: it is not there, not one of these, or damaged.
    """
    content = load(path)
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise _refuse(path, f"is no checkpoint of a member ({FORMAT})")
    try:
        spec = Training.model_validate(content["spec"])
        return Checkpoint(spec, content["versions"], content["state"])
    except (KeyError, ValidationError):
        raise _refuse(path, "is a damaged checkpoint, or of another version") from None


def load(path: Path) -> Any:
    """Content of a file of torch: tensors and plain data, nothing that could run.

    Raises:
        SpecError: it is not there, or holds anything else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _refuse(path, error.strerror or str(error)) from None
    except Exception:  # torch raises whatever its parsers stumble over
        raise _refuse(path, "is not a file of tensors that torch wrote, or is damaged") from None


def replace(path: Path, content: Any) -> None:
    """Put content in the place of a file at once: whoever reads it sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f".{path.name}.{os.getpid()}.{token_hex(4)}")
    try:
        with own.open("xb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(own, path)
    except BaseException:
        own.unlink(missing_ok=True)
        raise


def checksum(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse(path: Path, message: str) -> SpecError:
    return SpecError([Fault(message[:1].lower() + message[1:], str(path))])
