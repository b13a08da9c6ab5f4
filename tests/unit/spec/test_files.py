"""Finding a file or a preset, and saying why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwsim.errors import SpecError
from hwsim.spec.files import LIMIT, locate, presets, read_text


def test_every_chip_of_the_repository_is_a_preset(repository: Path) -> None:
    assert {path.resolve() for path in presets().values()} == set((repository / "hw_configs").resolve().glob("*.yaml"))
    assert all(path.stem == name for name, path in presets().items())


def test_a_preset_goes_before_a_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = {"chip": Path("elsewhere/chip.yaml")}
    Path("chip").write_text("")
    assert locate("chip", known) == known["chip"]
    assert locate(Path("chip"), known) == Path("chip")
    assert locate("chip", {}) == Path("chip")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("truing", "truing: no such file (did you mean turing?)"),
        ("nonesuch", "nonesuch: no such file (names that need no file: eyeriss, turing)"),
        ("spce.yaml", "spce.yaml: no such file (did you mean spec.yaml?)"),
        ("a\0b", r"a\x00b: no such file"),
        ("x" * 5000, f"'{'x' * 37}...': file name too long"),
    ],
)
def test_what_is_not_there_is_named(source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text("")
    with pytest.raises(SpecError) as caught:
        locate(source, {"turing": Path("t"), "eyeriss": Path("e")})
    assert str(caught.value).lower().startswith(message.lower().replace("eyeriss, turing", "turing, eyeriss"))


def test_text_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text("name: µ\n", encoding=encoding)
        assert read_text(path) == "name: µ\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", ":1:1: is not text in UTF-8"),
        ("a: 1\nb: caf\xe9".encode("latin-1"), ":2:7: is not text in UTF-8"),
        (b" " * (LIMIT + 1), ": is larger than 1 MiB, which no description is"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_text(path)
    assert str(caught.value) == f"{path}{message}"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is a directory"):
        read_text(tmp_path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SpecError, match="permission denied"):
        read_text(tmp_path / "f")
