"""CIFAR-10 in each of its forms, and pickles that must not run."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest

from empir.data.readers import cifar10
from hwsim.errors import SpecError
from tests.unit.empir.data.written import cifar_batches, python2_batch

FORMS = ["python folder", "python files", "python archive", "binary folder", "binary files", "binary archive"]


def write(folder: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Batches in one form, made the published ones."""
    version, packing = form.split()
    batches = cifar_batches()
    if version == "python":
        inner, files = "cifar-10-batches-py", {name: python2_batch(*batch) for name, batch in batches.items()}
        checksums = {name: md5(content).hexdigest() for name, content in files.items()}
    else:
        inner, checksums = "cifar-10-batches-bin", {}
        files = {
            f"{name}.bin": b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, rows, strict=True))
            for name, (labels, rows) in batches.items()
        }
    if packing == "archive":
        target = folder / f"cifar-10-{version}.tar.gz"
        with tarfile.open(target, "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"{inner}/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        checksums[target.name] = md5(target.read_bytes()).hexdigest()
    else:
        place = folder / inner if packing == "folder" else folder
        place.mkdir(exist_ok=True)
        for name, content in files.items():
            (place / name).write_bytes(content)
    monkeypatch.setattr(cifar10, "MD5", checksums)
    monkeypatch.setattr(cifar10, "A_CLASS", {"train": 5, "test": 2})
    return batches


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = write(tmp_path, form, monkeypatch)
    train, test = cifar10.read("train", tmp_path), cifar10.read("test", tmp_path)
    assert train.labels.tolist() == [label for number in range(1, 6) for label in batches[f"data_batch_{number}"][0]]
    labels, rows = batches["test_batch"]
    assert test.labels.tolist() == labels.tolist()
    assert test.input_shape == (3, 32, 32)
    # A row holds all of red, then green, then blue, each line by line.
    assert test.pixels[7, 1, 2, 5] == rows[7][1024 + 2 * 32 + 5]
    assert np.array_equal(test.pixels.flatten(1).numpy(), rows)


def test_a_batch_that_differs_is_refused_before_it_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "python files", monkeypatch)
    (tmp_path / "test_batch").write_bytes(pickle.dumps(Exploit(tmp_path / "ran")))
    with pytest.raises(SpecError, match=r"test_batch: is not the published file"):
        cifar10.read("test", tmp_path)
    assert not (tmp_path / "ran").exists()


def test_an_archive_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "binary archive", monkeypatch)
    archive = tmp_path / "cifar-10-binary.tar.gz"
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(SpecError, match=r"cifar-10-binary\.tar\.gz: is not the published file"):
        cifar10.read("test", tmp_path)


def test_binary_batches_with_other_classes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "binary files", monkeypatch)
    monkeypatch.setattr(cifar10, "A_CLASS", {"train": 5, "test": 3})
    with pytest.raises(SpecError, match=r"test_batch\.bin do not hold 3 images of each class"):
        cifar10.read("test", tmp_path)


@pytest.mark.parametrize("given", [True, False])
def test_what_is_missing_is_named_with_where_to_get_it(tmp_path: Path, given: bool) -> None:
    with pytest.raises(SpecError) as caught:
        cifar10.read("train", tmp_path if given else None)
    (fault,) = caught.value.faults
    assert (f"not found in {tmp_path}" if given else "and no --data-dir") in fault.message
    for named in (
        "data_batch_1",
        "data_batch_5",
        "cifar-10-python.tar.gz",
        "cs.toronto.edu",
        "cifar-10-batches-bin/*.bin",
    ):
        assert named in fault.message


class Exploit:
    """Makes a file when it is unpickled by anything that obeys."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_something_is_refused(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps({"data": Exploit(tmp_path / "ran")}, protocol)
    with pytest.raises(pickle.UnpicklingError, match=r"would run (posix|nt)\.mkdir"):
        cifar10.unpickle(content)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", [b"builtins\neval", b"numpy\nload", b"numpy.core.multiarray\nscalar", b"numpy\nndarray.tofile"]
)
def test_nothing_else_can_be_named(name: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="would run"):
        cifar10.unpickle(b"\x80\x02c" + name + b"\n.")


def test_arrays_of_this_numpy_are_read() -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(cifar10.unpickle(pickle.dumps({b"data": array}, 4))[b"data"], array)
