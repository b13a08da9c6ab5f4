"""`empir train`: every member of an ensemble, once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empir.cli.options import (
    LARGEST,
    batch_option,
    changes,
    data_options,
    ensemble_option,
    run_options,
    setting,
)
from empir.cli.progress import Bar

if TYPE_CHECKING:
    from empir.data.dataset import Dataset
    from empir.training.recipe import Recipe
    from hwsim.spec.ensemble import Ensemble


@dataclass(frozen=True)
class Trained:
    """A member as it is reported: accuracy on the clean test split, and how fast it was trained, unless before."""

    member: str
    precision: str
    seed: int
    test_accuracy: float
    epochs: int
    images_per_second: float | None
    path: str


@click.command("train")
@ensemble_option
@data_options
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default="runs",
    show_default=True,
    help="Folder of checkpoints; members that it has already are not trained again.",
)
@click.option("--epochs", metavar="N", type=click.IntRange(1, LARGEST), help="Short for --set recipe.epochs=N.")
@batch_option
@click.option(
    "--set",
    "settings",
    metavar="NAME.FIELD=VALUE",
    type=setting,
    multiple=True,
    help="Change the recipe or the defence, as in recipe.learning_rate=0.01 or defence.epsilon=0.1. Repeatable.",
)
@run_options
def train(
    file: str,
    dataset: str,
    data_dir: Path | None,
    limit: int | None,
    folder: Path,
    epochs: int | None,
    batch_size: int | None,
    settings: tuple[tuple[str, str, Any], ...],
    defence: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Train every member of an ensemble.

    Prints a table of members; the accuracy is that of each on the clean test images. Members are named by all that
    decides their weights: ensembles share them, and none is trained twice. A run that was interrupted, even killed,
    goes on after the last epoch that was finished.
    """
    from empir.cli.options import resolve_device
    from empir.cli.target import split
    from empir.data import load
    from empir.training.recipe import default_recipe
    from hwsim.errors import SpecError
    from hwsim.spec.load import load_ensemble, placed

    short = {"epochs": epochs, "batch_size": batch_size, "limit": limit}
    given = [("recipe", field, value) for field, value in short.items() if value is not None]
    asked, _ = split(changes((*settings, *given)), ())
    ensemble = load_ensemble(file)
    where = str(resolve_device(device))
    recipe = default_recipe(dataset, ensemble.network.name, defence, asked)
    images, tests = load(dataset, "train", data_dir), load(dataset, "test", data_dir)
    try:
        found = _train(ensemble, images, tests, recipe, seed, where, folder)
    except SpecError as error:
        raise placed(error, file) from None
    except KeyboardInterrupt:
        click.echo(f"kept in {folder}: finished members, and the last epoch of the one in work", err=True)
        raise
    if as_json:
        _print_json(ensemble, recipe, images, found)
    else:
        _print(ensemble, recipe, images, found)


def _train(
    ensemble: Ensemble, images: Dataset, tests: Dataset, recipe: Recipe, seed: int, device: str, folder: Path
) -> list[Trained]:
    from empir.training.train import accuracy, member_seeds, train_member

    found = []
    with Bar("training") as bar:
        for member, own in zip(ensemble.expanded(), member_seeds(ensemble, seed), strict=True):
            bar.begin(f"training {member.name}")
            rate = Rate(bar)
            path = train_member(ensemble, member, images, recipe, own, device, folder, rate)
            bar.begin(f"testing {member.name}")
            share = accuracy(ensemble, member, path, tests, device, bar)
            name, precision = str(member.name), member.precision
            found.append(Trained(name, precision, own, share, recipe.epochs, rate.images_per_second, str(path)))
    return found


class Rate:
    """Images trained on in a second, by a clock that hears of every step."""

    def __init__(self, bar: Callable[[int, int], object]) -> None:
        self.bar = bar
        self.images, self.seconds = 0, 0.0
        self._last: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Note how many of how many are done; a call that counts none starts the clock anew."""
        from time import perf_counter

        now = perf_counter()
        if self._last and done > self._last[0]:
            self.images += done - self._last[0]
            self.seconds += now - self._last[1]
        self._last = done, now
        self.bar(done, total)

    @property
    def images_per_second(self) -> float | None:
        """None where nothing was trained."""
        return self.images / self.seconds if self.seconds else None


def _print_json(ensemble: Ensemble, recipe: Recipe, images: Dataset, found: list[Trained]) -> None:
    import json

    record = {
        "ensemble": ensemble.name,
        "network": ensemble.network.model_dump(mode="json"),
        "dataset": images.name,
        "data": images.fingerprint(),
        "recipe": recipe.model_dump(mode="json"),
        "members": [asdict(member) for member in found],
    }
    click.echo(json.dumps(record, indent=2))


def _print(ensemble: Ensemble, recipe: Recipe, images: Dataset, found: list[Trained]) -> None:
    from rich.text import Text

    from empir.cli.tables import console, percent, table

    kind = recipe.defence.kind
    how = "" if kind == "none" else f" with {kind}"
    many = min(len(images), recipe.limit or len(images))
    screen = console(sys.stdout)
    title = f"{ensemble.name}: {ensemble.network.name}, trained{how} on {many:,} images of {images.name}"
    screen.print(Text(title, style="bold"))
    screen.print()
    rows = table("member", "precision", ">seed", ">test accuracy", ">epochs", ">images/s", "checkpoint")
    for one in found:
        rate = "" if one.images_per_second is None else f"{one.images_per_second:,.3g}"
        rows.add_row(
            one.member, one.precision, str(one.seed), percent(one.test_accuracy), str(one.epochs), rate, one.path
        )
    screen.print(rows)
