"""The trained ensemble that a command's options name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from empir.evaluation.target import Target


def open_target(
    file: str,
    folder: Path,
    dataset: str,
    data_dir: Path | None,
    limit: int | None,
    defence: str,
    seed: int,
    device: str,
    batch_size: int | None,
    changes: Mapping[str, Mapping[str, Any]],
) -> Target:
    """Load an ensemble's members and the images to attack.

    Args:
        changes: of the `recipe` and the `defence`, as they were given to `empir train`.

    Raises:
        SpecError: the ensemble is not valid, members or images are missing, or there is no such device or recipe.
    """
    from empir.cli.options import resolve_device
    from empir.data import load
    from empir.evaluation.target import load_target
    from empir.training.recipe import default_recipe
    from hwsim.errors import SpecError
    from hwsim.spec.load import load_ensemble, placed

    ensemble = load_ensemble(file)
    recipe = default_recipe(dataset, ensemble.network.name, defence, changes)
    train, test = load(dataset, "train", data_dir), load(dataset, "test", data_dir)
    try:
        return load_target(
            ensemble,
            train,
            test if limit is None else test.limited(limit),
            recipe,
            folder,
            seed=seed,
            device=resolve_device(device),
            batch_size=batch_size,
            file=file,
        )
    except SpecError as error:
        raise placed(error, file) from None


def split(
    changes: Mapping[str, Mapping[str, Any]], known: tuple[str, ...]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, Mapping[str, Any]]]:
    """What `--set` changes in the training, and in the rest.

    Args:
        known: names that the rest may have.

    Raises:
        SpecError: there is nothing of that name.
    """
    from hwsim.errors import Fault, SpecError, did_you_mean, shown

    training = ("recipe", "defence")
    every = (*known, *training)
    if unknown := [name for name in changes if name not in every]:
        there = f" (there are: {', '.join(every)})"
        raise SpecError(
            Fault(f"there is no {shown(name)} here{did_you_mean(name, every) or there}", "--set") for name in unknown
        )
    return (
        {name: fields for name, fields in changes.items() if name in training},
        {name: fields for name, fields in changes.items() if name in known},
    )
