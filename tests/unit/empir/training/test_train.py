"""Members are trained once, go on where they were cut short, and come back as they were trained."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from empir.data.dataset import InMemory
from empir.ensemble.module import EnsembleModule
from empir.networks import build_member
from empir.quantization.layers import freeze
from empir.training.checkpoint import checksum, read
from empir.training.recipe import Recipe
from empir.training.train import accuracy, checkpoints, load_members, member_seeds, train_member
from hwsim.errors import SpecError
from tests.unit.empir.training import run_training
from tests.unit.empir.training.small import SIZE, ensemble, images

RECIPE = Recipe(epochs=3, batch_size=16)


class Cut(Exception):
    """The plug was pulled."""


def train(folder: Path, index: int = 1, stop_at: int | None = None, recipe: Recipe = RECIPE) -> Path:
    """Train a small member, or stop at a step's end."""
    spec = ensemble()

    def progress(done: int, total: int) -> None:
        if done == stop_at:
            raise Cut

    member, seed = spec.expanded()[index], member_seeds(spec, 0)[index]
    return train_member(spec, member, images(), recipe, seed, folder=folder, progress=progress)


def state(path: Path) -> dict[str, Tensor]:
    return dict(read(path).state)


@pytest.mark.parametrize("kind", ["none", "distillation", "pgd_adversarial"])
@pytest.mark.parametrize("stop_at", [16, 80, 96, 144])
def test_a_training_that_was_cut_short_ends_with_the_same_bits(tmp_path: Path, kind: str, stop_at: int) -> None:
    recipe = RECIPE.model_copy(update={"defence": {"kind": kind} | ({"iterations": 2} if kind[0] == "p" else {})})
    whole = train(tmp_path / "whole", recipe=recipe)
    with pytest.raises(Cut):
        train(tmp_path / "cut", stop_at=stop_at, recipe=recipe)
    path = train(tmp_path / "cut", recipe=recipe)
    assert path.name == whole.name
    assert checksum(path) == checksum(whole)
    assert not list(path.parent.glob("*.partial"))


def test_going_on_repeats_no_finished_epoch(tmp_path: Path) -> None:
    with pytest.raises(Cut):
        train(tmp_path, stop_at=2 * 48 + 16)
    seen: list[int] = []
    spec = ensemble()
    member, seed = spec.expanded()[1], member_seeds(spec, 0)[1]
    train_member(spec, member, images(), RECIPE, seed, folder=tmp_path, progress=lambda done, total: seen.append(done))
    assert seen == [96, 112, 128, 144]


def test_a_finished_member_is_not_touched(tmp_path: Path) -> None:
    path = train(tmp_path)
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert train(tmp_path, stop_at=0) == path
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


@pytest.mark.parametrize("step", [16, 144])
def test_a_member_that_another_process_finished_meanwhile_is_kept(tmp_path: Path, step: int) -> None:
    theirs = train(tmp_path / "theirs")
    spec, path = ensemble(), tmp_path / theirs.name
    member, seed = spec.expanded()[1], member_seeds(spec, 0)[1]

    def finished_elsewhere(done: int, total: int) -> None:
        assert done <= max(step, 48), "went on"
        if done == step:
            path.write_bytes(theirs.read_bytes() + b" ")

    assert train_member(spec, member, images(), RECIPE, seed, folder=tmp_path, progress=finished_elsewhere) == path
    assert path.read_bytes() == theirs.read_bytes() + b" "


def test_killed_processes_resume_and_rivals_do_no_harm(repository: Path, tmp_path: Path) -> None:
    """SIGKILL in an epoch, SIGKILL while a file is put in place, then two processes that go on at once."""
    command = [sys.executable, "-m", run_training.__name__, str(tmp_path)]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120, check=False)
    assert run.stdout.split() == ["0", "-9", "-9", "0", "0"], run.stderr
    (whole,), (path,) = (list((tmp_path / name).glob("*.pt")) for name in ("whole", "cut"))
    assert path.read_bytes() == whole.read_bytes()
    assert not list((tmp_path / "cut").glob("*.partial"))


def test_a_foreign_partial_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Cut):
        train(tmp_path, stop_at=64)
    (kept,) = tmp_path.glob("*.partial")
    for content in (b"junk", None):
        if content is None:
            torch.save({"epochs": 1, "network": {}, "optimizer": {}}, kept)
        else:
            kept.write_bytes(content)
        with pytest.raises(SpecError, match="no training can go on from this: delete it"):
            train(tmp_path)


def test_global_random_numbers_are_left_alone(tmp_path: Path) -> None:
    def states() -> tuple[object, ...]:
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()

    before = states()
    first = train(tmp_path / "a")
    assert states() == before
    torch.rand(3)
    assert checksum(train(tmp_path / "b")) == checksum(first)


def test_other_seeds_make_other_members(tmp_path: Path) -> None:
    one, two = state(train(tmp_path, 1)), state(train(tmp_path, 2))
    assert all(not torch.equal(one[name], two[name]) for name in one if name.endswith("original"))


def test_training_learns(tmp_path: Path) -> None:
    spec = ensemble()
    for index in (0, 1):
        path = train(tmp_path, index, recipe=Recipe(epochs=20, batch_size=16, learning_rate=0.02))
        assert accuracy(spec, spec.expanded()[index], path, images(300, seed=1)) > 0.9


def test_every_epoch_sees_every_image_once_in_an_order_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = InMemory.images

    def noted(self: InMemory, indices: Tensor | slice) -> Tensor:
        if isinstance(indices, Tensor):
            seen.extend(indices.tolist())
        return real(self, indices)

    monkeypatch.setattr(InMemory, "images", noted)
    train(tmp_path, 1)
    orders = [tuple(seen[start : start + 48]) for start in (0, 48, 96)]
    assert len(seen) == 3 * 48
    assert all(sorted(order) == list(range(48)) for order in orders)
    assert len(set(orders)) == 3


def test_batches_are_of_even_size(tmp_path: Path) -> None:
    """48 images in batches of 20 at most are three of 16, not 20, 20 and 8."""
    done: list[int] = []
    spec = ensemble()
    recipe = Recipe(epochs=1, batch_size=20)
    train_member(
        spec, spec.expanded()[0], images(), recipe, 0, folder=tmp_path, progress=lambda now, total: done.append(now)
    )
    assert done == [0, 16, 32, 48]


def test_the_limit_is_the_first_images(tmp_path: Path) -> None:
    """Trained on 30 of 48 images, and on 30 others that begin alike."""
    spec = ensemble()
    member, seed = spec.expanded()[0], member_seeds(spec, 0)[0]
    limited = Recipe(epochs=2, batch_size=16, limit=30)
    first = train_member(spec, member, images(), limited, seed, folder=tmp_path)
    other = train_member(spec, member, images().limited(30), limited, seed, folder=tmp_path)
    assert first != other
    assert all(torch.equal(a, b) for a, b in zip(state(first).values(), state(other).values(), strict=True))


def test_members_come_back_as_they_were_trained(tmp_path: Path) -> None:
    spec = ensemble(combiner="max_vote")
    paths = [train(tmp_path, index) for index in range(3)]
    module = load_members(spec, paths)
    assert isinstance(module, EnsembleModule)
    assert module.combiner == "max_vote"
    assert module.names == ("fp1", "w2a4-1", "w2a4-2")
    assert module.full_precision.tolist() == [True, False, False]
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    pixels = torch.rand(5, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    for index, path in enumerate(paths):
        own = build_member(spec, spec.expanded()[index], 0)
        own.load_state_dict(state(path))
        torch.testing.assert_close(module.logits(pixels)[index], freeze(own)(pixels))


def test_wrong_checkpoints_are_refused(tmp_path: Path) -> None:
    spec = ensemble()
    full, low, _ = paths = [train(tmp_path, index) for index in range(3)]
    for wrong in ([low, low, low], [full, full, low]):
        with pytest.raises(SpecError, match="holds another network, precision or rule"):
            load_members(spec, wrong)
    with pytest.raises(SpecError, match="holds another network, precision or rule"):
        load_members(ensemble(quantize="all"), paths)
    half = read(low)
    torch.save(torch.load(low, weights_only=True) | {"state": {"0.bias": half.state["3.bias"]}}, low)
    with pytest.raises(SpecError, match="does not fit the network"):
        load_members(spec, paths)


def test_missing_checkpoints_say_how_to_train_them(tmp_path: Path) -> None:
    spec, recipe = ensemble(), RECIPE.model_copy(update={"epochs": 4})
    path = train(tmp_path)
    with pytest.raises(SpecError) as refusal:
        checkpoints(spec, images(), recipe, 0, tmp_path, "small.yaml")
    *missing, command = str(refusal.value).splitlines()
    assert len(missing) == 3
    assert missing[1].endswith("is not there; there is one with recipe.epochs=3")
    assert command == (
        "train what is missing: empir train --ensemble small.yaml --data rows "
        f"--set recipe.epochs=4 --set recipe.batch_size=16 --seed 0 -o {tmp_path}"
    )
    with pytest.raises(SpecError) as refusal:
        checkpoints(spec, images(), RECIPE, 0, tmp_path)
    assert [line.partition(": ")[2] for line in str(refusal.value).splitlines()[:-1]] == ["is not there"] * 2
    paths = [train(tmp_path, index) for index in range(3)]
    assert checkpoints(spec, images(), RECIPE, 0, tmp_path) == tuple(paths)
    assert path == paths[1]


def test_a_network_for_other_images_is_refused(tmp_path: Path) -> None:
    spec = ensemble(network="mnistconv")
    with pytest.raises(SpecError, match="takes images 1x28x28 of 10 classes, but those of rows are 1x8x8 of 3"):
        train_member(spec, spec.expanded()[0], images(), RECIPE, 0, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_seeds_are_shared_by_ensembles_and_all_differ() -> None:
    def seeds(*members: tuple[int, int, int], seed: int = 0) -> tuple[int, ...]:
        made = [{"weights": w, "activations": a, "count": n, "name": f"m{i}"} for i, (w, a, n) in enumerate(members)]
        return member_seeds(ensemble(members=made), seed)

    empir = seeds((32, 32, 1), (2, 4, 2))
    assert len(set(empir)) == 3
    assert seeds((2, 4, 1), (32, 32, 1), (2, 4, 1)) == (empir[1], empir[0], empir[2])
    assert seeds((2, 4, 3))[:2] == empir[1:]
    assert seeds((2, 2, 2))[0] not in empir
    assert not set(seeds((32, 32, 1), (2, 4, 2), seed=1)) & set(empir)
    assert len(set(seeds((2, 4, 500), (4, 2, 500)))) == 1000


def test_the_versions_are_those_of_this_run(tmp_path: Path) -> None:
    found = read(train(tmp_path, 0)).versions
    assert found["torch"] == str(torch.__version__)
    assert found["device"] == "cpu"
    json.dumps(dict(found))
