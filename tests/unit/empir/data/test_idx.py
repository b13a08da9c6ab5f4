"""Data sets of idx files: found under every usual name, held to their checksums, and asked for when missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from empir.data.idx import Published, parse, read_published
from empir.data.readers import fashion_mnist
from hwsim.errors import SpecError
from tests.unit.empir.data.written import idx, made_up, published, write_idx


def test_an_array_of_any_dimensions_is_read() -> None:
    for array in (np.arange(5, dtype=np.uint8), np.arange(24, dtype=np.uint8).reshape(2, 3, 4)):
        found = parse(idx(array))
        assert found.shape == array.shape
        assert np.array_equal(found, array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"PK\x03\x04",
        b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0",
        idx(np.zeros((2, 3), np.uint8))[:-1],
        idx(np.zeros((2, 3), np.uint8)) + b"\0",
        b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff\0",
        b"\0\0\x08\x03\0\0\0\x01",
    ],
    ids=["empty", "cut in the magic", "zip", "floats", "short", "long", "negative", "cut in the dimensions"],
)
def test_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"idx file|promised"):
        parse(content)


def expected(split: str) -> tuple[np.ndarray, np.ndarray]:
    return made_up(10, 3, (28, 28), 0) if split == "train" else made_up(10, 2, (28, 28), 1)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("packed", [True, False])
def test_pixels_and_labels_are_those_of_the_files(tmp_path: Path, split: str, packed: bool) -> None:
    found = read_published(published(write_idx(tmp_path, packed)), split, tmp_path)
    labels, pixels = expected(split)
    assert found.labels.tolist() == labels.tolist()
    assert np.array_equal(found.pixels[:, 0].numpy(), pixels)
    assert (found.input_shape, found.split, found.name) == ((1, 28, 28), split, "made_up")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_names_with_a_dot_are_found(tmp_path: Path, suffix: str) -> None:
    checksums = write_idx(tmp_path, packed=bool(suffix))
    for name in checksums:
        (tmp_path / f"{name}{suffix}").rename(tmp_path / f"{name.replace('-idx', '.idx')}{suffix}")
    assert len(read_published(published(checksums), "test", tmp_path)) == 20


def test_a_folder_that_another_library_made_is_found(tmp_path: Path) -> None:
    checksums = write_idx(tmp_path / "MadeUp" / "raw")
    assert len(read_published(published(checksums, folders=("MadeUp/raw",)), "train", tmp_path)) == 30


def test_without_a_folder_the_installed_one_is_read(tmp_path: Path) -> None:
    checksums = write_idx(tmp_path)
    assert len(read_published(published(checksums, installed=tmp_path), "train", None)) == 30


def test_files_that_were_packed_anew_are_right(tmp_path: Path) -> None:
    checksums = {name: ("0" * 32, content) for name, (_, content) in write_idx(tmp_path).items()}
    assert len(read_published(published(checksums), "train", tmp_path)) == 30


def test_every_file_that_differs_is_named(tmp_path: Path) -> None:
    checksums = write_idx(tmp_path, packed=False)
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        content = bytearray((tmp_path / name).read_bytes())
        content[-1] ^= 1
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_published(published(checksums), "train", tmp_path)
    first, second = caught.value.faults
    assert first.file == str(tmp_path / "train-images-idx3-ubyte")
    assert checksums["train-images-idx3-ubyte"][1] in first.message
    assert second.file == str(tmp_path / "train-labels-idx1-ubyte")


def test_a_cut_off_download_is_refused(tmp_path: Path) -> None:
    checksums = write_idx(tmp_path)
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SpecError, match=r"t10k-images-idx3-ubyte\.gz: cannot be read"):
        read_published(published(checksums), "test", tmp_path)


def test_what_is_missing_is_named_with_where_to_get_it(tmp_path: Path) -> None:
    checksums = write_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(SpecError) as caught:
        read_published(published(checksums, package="a-package"), "train", tmp_path)
    (fault,) = caught.value.faults
    assert "made_up needs train-labels-idx1-ubyte, not found in" in fault.message
    assert str(tmp_path) in fault.message
    assert "download from nowhere, or install Debian's package a-package" in fault.message
    assert all(name in fault.message for name in checksums)


def test_without_any_folder_one_is_asked_for() -> None:
    with pytest.raises(SpecError, match="and no --data-dir"):
        read_published(published({"train-images-idx3-ubyte": ("", "")}), "train", None)


def test_debian_s_folder_is_fashion_mnist_s() -> None:
    """As `dpkg -L dataset-fashion-mnist` lists it."""
    described: Published = fashion_mnist.PUBLISHED
    assert described.package == "dataset-fashion-mnist"
    assert described.installed == Path("/usr/share/datasets/fashion-mnist")
