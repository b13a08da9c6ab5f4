"""What every data set must be, whoever adds a reader; on small made-up files in its format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import pytest
import torch

from empir.data import DATASETS, load
from empir.data.dataset import Dataset
from empir.data.readers import cifar10, fashion_mnist, mnist
from hwsim.errors import SpecError
from tests.unit.empir.data.written import cifar_batches, python2_batch, write_idx, write_imagenet


def idx_files(reader: object) -> Callable[[Path, pytest.MonkeyPatch], Path]:
    def write(folder: Path, patch: pytest.MonkeyPatch) -> Path:
        patch.setattr(reader, "PUBLISHED", replace(reader.PUBLISHED, md5=write_idx(folder), installed=None))
        return folder

    return write


def cifar10_files(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    files = {name: python2_batch(*batch) for name, batch in cifar_batches().items()}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    patch.setattr(cifar10, "MD5", {name: md5(content).hexdigest() for name, content in files.items()})
    patch.setattr(cifar10, "A_CLASS", {"train": 5, "test": 2})
    return folder


def imagenet_files(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    write_imagenet(folder / "train", images=2)
    write_imagenet(folder / "val")
    return folder


#: Data set -> what writes a few files of its format and makes them the published ones.
FILES = {
    "cifar10": cifar10_files,
    "fashion_mnist": idx_files(fashion_mnist),
    "imagenet": imagenet_files,
    "mnist": idx_files(mnist),
    "mnist5k": lambda folder, patch: None,
}


def test_every_data_set_is_tested_here() -> None:
    assert tuple(FILES) == DATASETS


@pytest.fixture(params=DATASETS, scope="module")
def splits(request, tmp_path_factory):
    """Both splits, and each read a second time."""
    with pytest.MonkeyPatch.context() as patch:
        folder = FILES[request.param](tmp_path_factory.mktemp(request.param), patch)
        names = ("train", "test")
        yield {name: (load(request.param, name, folder), load(request.param, name, folder)) for name in names}


@pytest.fixture(params=["train", "test"])
def pair(request, splits) -> tuple[Dataset, Dataset]:
    return splits[request.param]


def test_labels_name_classes(pair: tuple[Dataset, Dataset]) -> None:
    dataset, _ = pair
    assert dataset.labels.dtype == torch.int64
    assert dataset.labels.shape == (len(dataset),)
    assert set(dataset.labels.tolist()) == set(range(len(dataset.classes)))
    assert len(set(dataset.classes)) == len(dataset.classes)


def test_images_are_pixels_in_the_unit_interval(pair: tuple[Dataset, Dataset]) -> None:
    dataset, _ = pair
    images = dataset.images(slice(0, 5))
    assert images.shape == (5, *dataset.input_shape)
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    assert images.min() >= 0
    assert 0.5 < images.max() <= 1  # not left at 0 to 255, nor divided twice
    assert images.std() > 0.05


def test_indices_and_slices_agree(pair: tuple[Dataset, Dataset]) -> None:
    dataset, _ = pair
    last = len(dataset) - 1
    picked = dataset.images(torch.tensor([last, 2, 3]))
    assert torch.equal(picked[1:], dataset.images(slice(2, 4)))
    assert torch.equal(picked[:1], dataset.images(slice(last, None)))


def test_the_caller_may_write_into_what_it_gets(pair: tuple[Dataset, Dataset]) -> None:
    dataset, _ = pair
    before = dataset.images(slice(0, 2)).clone()
    dataset.images(slice(0, 2)).zero_()
    assert torch.equal(dataset.images(slice(0, 2)), before)


def test_reading_again_gives_the_same(pair: tuple[Dataset, Dataset]) -> None:
    first, second = pair
    assert first.fingerprint() == second.fingerprint()
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.images(slice(0, 3)), second.images(slice(0, 3)))


def test_splits_are_apart_and_named(splits: dict[str, tuple[Dataset, Dataset]]) -> None:
    train, test = splits["train"][0], splits["test"][0]
    assert (train.split, test.split) == ("train", "test")
    assert train.classes == test.classes
    assert len(train) > len(test)
    assert train.fingerprint() != test.fingerprint()


def test_limited_is_a_beginning(pair: tuple[Dataset, Dataset]) -> None:
    dataset, _ = pair
    some = dataset.limited(7)
    assert (len(some), some.name, some.classes, some.split) == (7, dataset.name, dataset.classes, dataset.split)
    assert torch.equal(some.labels, dataset.labels[:7])
    assert torch.equal(some.images(slice(None)), dataset.images(slice(0, 7)))
    assert some.fingerprint() != dataset.fingerprint()


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "mnist5k"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_missing_files_are_asked_for(name: str, split: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(name, split, tmp_path)
    (fault,) = caught.value.faults
    assert str(tmp_path) in fault.message
    assert "https://" in fault.message
    assert "--data-dir" in fault.message


def test_an_unknown_name_or_split_is_refused() -> None:
    with pytest.raises(SpecError, match=r"unknown data set 'minst' \(did you mean mnist\?\)"):
        load("minst", "test")
    with pytest.raises(SpecError, match="splits train and test, not 'validation'"):
        load("mnist5k", "validation")
