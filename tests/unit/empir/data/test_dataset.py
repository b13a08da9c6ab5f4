"""Indexing, limiting and fingerprints of a data set in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from empir.data.dataset import InMemory
from hwsim.errors import SpecError


@pytest.fixture
def dataset() -> InMemory:
    pixels = torch.arange(6 * 1 * 2 * 3, dtype=torch.uint8).reshape(6, 1, 2, 3) * 7
    return InMemory(
        name="made_up", split="test", classes=("a", "b"), labels=torch.tensor([0, 1, 1, 0, 1, 0]), pixels=pixels
    )


def test_pixels_are_bytes_over_255(dataset: InMemory) -> None:
    found = dataset.images(slice(1, 3))
    assert found.dtype == torch.float32
    assert found.shape == (2, 1, 2, 3)
    assert found.flatten().tolist() == pytest.approx([7 * k / 255 for k in range(6, 18)], rel=1e-7)


def test_all_bytes_stay_in_the_unit_interval_and_apart() -> None:
    every = InMemory(
        name="made_up",
        split="test",
        classes=("a",),
        labels=torch.zeros(1, dtype=torch.int64),
        pixels=torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16),
    ).images(slice(None))
    assert every.min() == 0
    assert every.max() == 1
    assert (every * 255).round().flatten().tolist() == list(range(256))


def test_indices_choose_and_repeat(dataset: InMemory) -> None:
    chosen = dataset.images(torch.tensor([5, 0, 5]))
    assert torch.equal(chosen, torch.stack([dataset.images(slice(i, i + 1))[0] for i in (5, 0, 5)]))


def test_the_first_samples(dataset: InMemory) -> None:
    first = dataset.limited(4)
    assert (len(first), first.labels.tolist()) == (4, [0, 1, 1, 0])
    assert torch.equal(first.images(slice(None)), dataset.images(slice(0, 4)))
    assert dataset.limited(100) is dataset


def test_no_samples_are_refused(dataset: InMemory) -> None:
    with pytest.raises(SpecError, match="at least one sample"):
        dataset.limited(0)


@pytest.mark.parametrize("change", ["pixel", "label", "order", "split", "class", "limit"])
def test_the_fingerprint_follows_content_and_split(dataset: InMemory, change: str) -> None:
    pixels, labels = dataset.pixels.clone(), dataset.labels.clone()
    pixels[3, 0, 1, 2] += 1
    labels[2] = 0
    other = {
        "pixel": replace(dataset, pixels=pixels),
        "label": replace(dataset, labels=labels),
        "order": replace(dataset, pixels=dataset.pixels.flip(0), labels=dataset.labels.flip(0)),
        "split": replace(dataset, split="train"),
        "class": replace(dataset, classes=("a", "c")),
        "limit": dataset.limited(5),
    }[change]
    assert other.fingerprint() != dataset.fingerprint()


def test_the_fingerprint_is_that_of_equal_content(dataset: InMemory) -> None:
    strided = torch.stack([dataset.pixels, dataset.pixels], dim=1)[:, 0]
    assert not strided.is_contiguous()
    assert replace(dataset, pixels=strided).fingerprint() == dataset.fingerprint()
    assert len(bytes.fromhex(dataset.fingerprint())) == 8
