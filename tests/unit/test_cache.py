"""Remembered layers and results: the same as fresh ones, never stale, never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from hwsim.cache import store
from hwsim.cache.layers import remembered, restored, taken_apart
from hwsim.cache.results import Results
from hwsim.cost.layer import LayerCost
from hwsim.mapper import map_layer
from hwsim.operators.nest import LoopNest
from hwsim.spec.load import load_hardware

NEST = LoopNest(N=4, K=16, C=16)


class Counting:
    """The mapper, counting how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, *args: object, **options: object) -> LayerCost:
        self.asked += 1
        return map_layer(*args, **options)  # type: ignore[arg-type]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_cost_survives_being_taken_apart() -> None:
    cost = map_layer(NEST, load_hardware("simple_s2"), 16, 16, objective="energy")
    again = restored(json.loads(json.dumps(taken_apart(cost), default=lambda number: number.item())))
    assert again == cost
    assert again is not None
    assert str(again.mapping) == str(cost.mapping)


def test_the_second_answer_comes_from_the_folder_and_is_equal(tmp_path: Path) -> None:
    mapper, chip = Counting(), load_hardware("simple_s2")
    first = remembered(mapper, tmp_path)(NEST, chip, 16, 16)
    second = remembered(mapper, tmp_path)(NEST, chip, 16, 16)
    assert mapper.asked == 1
    assert first == second


def test_another_question_has_another_answer(tmp_path: Path) -> None:
    mapper = Counting()
    ask, chip = remembered(mapper, tmp_path), load_hardware("simple_s2")
    ask(NEST, chip, 16, 16)
    ask(LoopNest(N=4, K=16, C=16, stride=(2, 1)), chip, 16, 16)
    ask(NEST, load_hardware("simple_s1"), 16, 16)
    ask(NEST, load_hardware("simple_s2", ["clock=2 GHz"]), 16, 16)
    ask(NEST, chip, 8, 16)
    ask(NEST, chip, 16, 8)
    ask(NEST, chip, 16, 16, 8)
    ask(NEST, chip, 16, 16, objective="energy")
    ask(NEST, chip, 16, 16, effort=1e6)
    assert mapper.asked == len(files(tmp_path)) == 9


@pytest.mark.parametrize("damage", [b"", b"junk", b"{}", None])
def test_a_damaged_file_is_written_anew(tmp_path: Path, damage: bytes | None) -> None:
    mapper, chip = Counting(), load_hardware("simple_s2")
    first = remembered(mapper, tmp_path)(NEST, chip, 16, 16)
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert remembered(mapper, tmp_path)(NEST, chip, 16, 16) == first
    assert mapper.asked == 2
    assert file.read_bytes() == whole


def test_content_of_another_shape_counts_as_missing(tmp_path: Path) -> None:
    mapper, chip = Counting(), load_hardware("simple_s2")
    remembered(mapper, tmp_path)(NEST, chip, 16, 16)
    (file,) = files(tmp_path)
    store.write(file, {"unknown": 1})
    remembered(mapper, tmp_path)(NEST, chip, 16, 16)
    assert mapper.asked == 2


def test_changed_code_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapper, chip = Counting(), load_hardware("simple_s2")
    remembered(mapper, tmp_path)(NEST, chip, 16, 16)
    monkeypatch.setattr(store, "code_state", lambda: "another version")
    remembered(mapper, tmp_path)(NEST, chip, 16, 16)
    assert mapper.asked == 2


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    mapper, chip = Counting(), load_hardware("simple_s2")
    for _ in range(2):
        assert remembered(mapper, blocked / "cache")(NEST, chip, 16, 16).macs == NEST.macs
    assert mapper.asked == 2


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write(tmp_path / "ab" / "cd.json", {"a": np.int64(1)})
    assert not files(tmp_path)


def test_the_folder_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert store.default_folder() == Path("/caches/hwsim")
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert store.default_folder() == Path("/home/someone/.cache/hwsim")


def test_a_result_is_forgotten_when_its_files_change(tmp_path: Path) -> None:
    spec, model = tmp_path / "spec.yaml", tmp_path / "model.onnx"
    spec.write_text("a")
    model.write_text("b")
    assert Results("question", [spec]).get() is None
    Results("question", [spec]).keep({"answer": 42}, [model])
    assert Results("question", [spec]).get() == {"answer": 42}
    assert Results("another", [spec]).get() is None
    model.write_text("another model")
    assert Results("question", [spec]).get() is None
    model.unlink()
    assert Results("question", [spec]).get() is None
    Results("question", [spec]).keep({"answer": 42})
    spec.write_text("c")
    assert Results("question", [spec]).get() is None


def test_a_file_that_can_be_read_only_once_is_left_alone(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Results("question", [pipe]).keep({"answer": 42})
    assert Results("question", [pipe]).get() is None
