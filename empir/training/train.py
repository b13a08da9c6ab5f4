"""Train an ensemble's members, each once: what is finished is kept, what was cut short goes on where it was."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shlex import quote

import torch
from torch import nn

from empir.data.dataset import Dataset
from empir.ensemble.module import EnsembleModule
from empir.networks import build_member
from empir.quantization.layers import freeze
from empir.training import checkpoint
from empir.training.checkpoint import Checkpoint, Training, training
from empir.training.loop import Progress, derived_seed, fit
from empir.training.recipe import Recipe, options
from hwsim import __version__
from hwsim.errors import Fault, SpecError
from hwsim.spec.ensemble import Ensemble, Member

#: Images tested at once.
TEST_BATCH = 250


def member_seeds(ensemble: Ensemble, seed: int) -> tuple[int, ...]:
    """A seed for each of the members of `ensemble.expanded()`, from 0 to 2^40 − 1.

    It depends on the member's widths and on how many of the same widths come before it, so that ensembles share
    members: two copies at w2a4 are the first two of any ensemble with three of them.
    """
    before: Counter[tuple[int, int]] = Counter()
    seeds = []
    for member in ensemble.expanded():
        widths = member.weights, member.activations
        seeds.append(derived_seed(seed, *widths, before[widths]))
        before[widths] += 1
    return tuple(seeds)


def train_member(
    ensemble: Ensemble,
    member: Member,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device | str = "cpu",
    folder: Path = Path("runs"),
    progress: Progress | None = None,
) -> Path:
    """Train a member, or go on with it; one that is finished is not touched.

    After every epoch the state is kept beside the checkpoint, so that a run that is killed loses an epoch at most. On
    the same machine, device and number of threads it ends with the same bits as one that was not. Several processes
    may train the same member: each writes whole files only, and the first to finish is the one that counts.

    Args:
        dataset: its training split.
        seed: of this member, as in `member_seeds`.
        folder: of the checkpoints.
        progress: called before every epoch and after every step.

    Returns:
        The checkpoint's path.

    Raises:
        SpecError: the network and the data set do not go together.
    """
    spec = training(ensemble, member, dataset, recipe, seed)
    path = folder / spec.name
    kept = path.with_suffix(".partial")
    if not path.exists():
        report = progress or (lambda done, total: None)
        network = _fitting(build_member(ensemble, member, seed), dataset).to(device)
        teacher = _teacher(ensemble, dataset, recipe, seed, device, folder, report)
        state = fit(network, recipe, dataset, seed, teacher=teacher, kept=kept, needless=path.exists, progress=report)
        if state is not None and not path.exists():
            checkpoint.write(path, Checkpoint(spec, _versions(torch.device(device)), state))
    kept.unlink(missing_ok=True)
    return path


def checkpoints(
    ensemble: Ensemble, dataset: Dataset, recipe: Recipe, seed: int, folder: Path, file: str = "FILE"
) -> tuple[Path, ...]:
    """Paths of an ensemble's trained members, in the order of `ensemble.expanded()`.

    Args:
        dataset: its training split.
        seed: of the ensemble.
        file: where the ensemble was read from, for the message.

    Raises:
        SpecError: some are not there; says how to train them.
    """
    members = zip(ensemble.expanded(), member_seeds(ensemble, seed), strict=True)
    wanted = [training(ensemble, member, dataset, recipe, own) for member, own in members]
    missing = [spec for spec in wanted if not (folder / spec.name).exists()]
    if missing:
        given = " ".join([f"--data {dataset.name}", *options(recipe, dataset.name, ensemble.network.name)])
        command = f"empir train --ensemble {quote(file)} {given} --seed {seed} -o {quote(str(folder))}"
        faults = [Fault(f"is not there{_instead(spec, folder)}", str(folder / spec.name)) for spec in missing]
        raise SpecError([*faults, Fault(f"train what is missing: {command}")])
    return tuple(folder / spec.name for spec in wanted)


def load_members(
    ensemble: Ensemble, paths: Sequence[Path], device: torch.device | str = "cpu", seed: int = 0
) -> EnsembleModule:
    """An ensemble of trained members, frozen.

    Args:
        paths: of their checkpoints, in the order of `ensemble.expanded()`.
        seed: of the draws of random_switch.

    Raises:
        SpecError: a checkpoint cannot be read, or is another network's or of another precision.
    """
    members = ensemble.expanded()
    frozen = [_restored(ensemble, member, path).to(device) for member, path in zip(members, paths, strict=True)]
    full = [ensemble.is_full_precision(member) for member in members]
    names = [str(member.name) for member in members]
    return EnsembleModule(frozen, full, ensemble.combiner, seed, names).to(device)


def accuracy(
    ensemble: Ensemble,
    member: Member,
    path: Path,
    dataset: Dataset,
    device: torch.device | str = "cpu",
    progress: Progress = lambda done, total: None,
) -> float:
    """Share of a data set's images that a trained member gets right.

    Raises:
        SpecError: the checkpoint cannot be read, or is another network's or of another precision.
    """
    module = _restored(ensemble, member, path).to(device)
    right = 0
    for start in range(0, len(dataset), TEST_BATCH):
        part = slice(start, start + TEST_BATCH)
        with torch.no_grad():
            answers = module(dataset.images(part).to(device)).argmax(1).cpu()
        right += int((answers == dataset.labels[part]).sum())
        progress(min(start + TEST_BATCH, len(dataset)), len(dataset))
    return right / len(dataset)


def _teacher(
    ensemble: Ensemble,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device | str,
    folder: Path,
    progress: Progress,
) -> nn.Module | None:
    """The full-precision network that the recipe's defence learns from, trained now if need be."""
    defence = recipe.defence.teacher()
    if defence is None:
        return None
    member = Member(weights=ensemble.full_precision_bits, activations=ensemble.full_precision_bits)
    own = recipe.model_copy(update={"defence": defence})
    path = train_member(ensemble, member, dataset, own, derived_seed(seed, "teacher"), device, folder, progress)
    return _restored(ensemble, member, path).to(device)


def _fitting(network: nn.Module, dataset: Dataset) -> nn.Module:
    shape, classes = tuple(network.input_shape), network.classes
    if shape != dataset.input_shape or classes < len(dataset.classes):
        message = (
            f"takes images {_by(shape)} of {classes} classes, but those of {dataset.name} are "
            f"{_by(dataset.input_shape)} of {len(dataset.classes)} classes"
        )
        raise SpecError([Fault(message, field="network")])
    return network


def _restored(ensemble: Ensemble, member: Member, path: Path) -> nn.Module:
    """A member with the weights of its checkpoint, frozen."""
    found = checkpoint.read(path)
    if not found.training.of(ensemble, member):
        wanted = f"{member.precision} of {ensemble.network.name}, quantised as {ensemble.name} says"
        raise SpecError([Fault(f"holds another network, precision or rule than {wanted}", str(path))])
    module = build_member(ensemble, member, found.training.seed)
    try:
        module.load_state_dict(dict(found.state))
    except RuntimeError as error:
        raise SpecError([Fault(f"does not fit the network: {error}".splitlines()[0], str(path))]) from None
    return freeze(module)


def _instead(wanted: Training, folder: Path) -> str:
    """How the most similar checkpoint of the same network and precision was made, where not only its seed differs."""
    own = _flat(wanted.model_dump(mode="json", exclude={"seed"}))
    others: list[list[str]] = []
    for path in sorted(folder.glob(f"{wanted.stem}-*.pt")):
        with suppress(SpecError):
            found = _flat(checkpoint.read(path).training.model_dump(mode="json", exclude={"seed"}))
            others.append([f"{key}={found.get(key)}" for key in own | found if found.get(key) != own.get(key)])
    nearest = min(filter(None, others), key=len, default=None)
    return f"; there is one with {', '.join(nearest)}" if nearest else ""


def _flat(record: object, name: str = "") -> dict[str, object]:
    if not isinstance(record, dict):
        return {name: record}
    return {
        key: value
        for part, below in record.items()
        for key, value in _flat(below, f"{name}.{part}" if name else str(part)).items()
    }


def _versions(device: torch.device) -> dict[str, str]:
    """Of what decides the bits beside what was asked for."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"empir": __version__, "python": platform.python_version(), "torch": str(torch.__version__), "device": name}


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
