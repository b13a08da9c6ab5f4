"""Files of trained members: whole, equal for equal content, and nothing but data."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from empir.training import checkpoint
from empir.training.checkpoint import Checkpoint, Training, checksum, read, training, write
from empir.training.recipe import Recipe
from hwsim.errors import SpecError
from tests.unit.empir.training.small import ensemble, images


def spec(index: int = 1, seed: int = 7, **changes: object) -> Training:
    one = ensemble(**changes)
    return training(one, one.expanded()[index], images(), Recipe(), seed)


def example() -> Checkpoint:
    return Checkpoint(spec(), {"torch": "1"}, {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "a.pt", example())
    found = read(tmp_path / "deep" / "a.pt")
    assert found.training == example().training
    assert found.versions == {"torch": "1"}
    assert list(found.state) == ["a", "b"]
    assert torch.equal(found.state["a"], torch.tensor([[0.0, 1, 2], [3, 4, 5]]))


def test_the_content_is_plain(tmp_path: Path) -> None:
    write(tmp_path / "a.pt", example())
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    assert set(content) == {"format", "spec", "seed", "versions", "state"}
    assert content["seed"] == 7
    assert content["spec"]["recipe"]["defence"]["kind"] == "none"


def test_equal_checkpoints_make_equal_files(tmp_path: Path) -> None:
    for name in ("a.pt", "another-name.pt"):
        write(tmp_path / name, example())
    write(tmp_path / "c.pt", replace(example(), state={"a": torch.zeros(1)}))
    digests = {path.name: checksum(path) for path in tmp_path.iterdir()}
    assert digests["a.pt"] == digests["another-name.pt"] != digests["c.pt"]
    assert digests["a.pt"] == hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pt"
    write(path, example())
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, replace(example(), state={}))
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert path.read_bytes() == before


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("bomb",)


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": checkpoint.FORMAT, "state": Bomb()}, "a.pt")
    Path("b.pt").write_bytes(pickle.dumps(Bomb()))
    for name in ("a.pt", "b.pt"):
        with pytest.raises(SpecError, match=rf"^{name}: is not a file of tensors"):
            read(Path(name))
    assert not Path("bomb").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a file of tensors"),
        (b"PK\x03\x04 cut short", "is not a file of tensors"),
        ([1, 2], "is no checkpoint of a member"),
        ({"format": "empir.checkpoint/0"}, "is no checkpoint of a member"),
        ({"format": checkpoint.FORMAT}, "is a damaged checkpoint"),
        ({"format": checkpoint.FORMAT, "spec": {}, "versions": {}, "state": {}}, "is a damaged checkpoint"),
        (None, "o such file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "a.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(SpecError, match=message) as refusal:
        read(path)
    assert str(refusal.value).startswith(str(path))


def test_a_file_is_named_by_what_decides_its_weights() -> None:
    assert spec().name.startswith("tests-unit-empir-training-small-network-w2a4-")
    assert spec(0).stem.endswith("-fp")
    names = {spec(seed=8).name, spec(quantize="all").name, spec(2, 8, quantize="all").name, spec(0).name, spec().name}
    names.add(spec(network={"name": f"{images.__module__}:network", "dropout": 0.5}).name)
    one = ensemble()
    member = one.expanded()[1]
    names.add(training(one, member, images(51), Recipe(), 7).name)
    names.add(training(one, member, images(), Recipe(epochs=3), 7).name)
    assert len(names) == 8


def test_what_does_not_touch_a_member_is_not_in_its_name() -> None:
    assert spec(2).name == spec(1).name  # both are at w2a4, and have the same seed here
    assert spec(combiner="max_vote", batch=4, name="another").name == spec().name
    assert spec(0, quantize="all").name == spec(0).name
    halves = [{"weights": 16, "activations": 16}, {"weights": 2, "activations": 16}]
    wide = [{"weights": 32, "activations": 32}, {"weights": 2, "activations": 32}]
    for index in (0, 1):
        narrow = spec(index, members=halves, full_precision_bits=16)
        assert narrow.name == spec(index, members=wide).name
