"""Where specs are: the chips that come with hwsim, and a user's own files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hwsim.errors import Fault, SpecError, did_you_mean, shown

#: Largest file read [B]. A chip takes a few KiB; without a limit a wrong file name could take all memory.
LIMIT = 1 << 20


@cache
def presets() -> dict[str, Path]:
    """The chips that come with hwsim, by name: inside the package when installed, beside it in the repository."""
    package = Path(__file__).resolve().parents[1]
    folder = next((f for f in (package / "hw_configs", package.parent / "hw_configs") if f.is_dir()), package)
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def locate(source: str | Path, known: dict[str, Path]) -> Path:
    """The file that a path or the name of a preset stands for; a preset's name goes before a file of that name.

    Raises:
        SpecError: neither a preset nor a file.
    """
    if isinstance(source, str) and source in known:
        return known[source]
    path = Path(source)
    try:
        exists = path.exists()
    except (OSError, ValueError) as error:  # a name too long, or with a NUL
        raise _unreadable(source, error) from None
    if exists:
        return path
    beside = [str(path.with_name(other.name)) for other in path.parent.glob("*.y*ml")]
    hint = did_you_mean(str(source), [*known, *beside])
    if known and not hint:
        hint = f" (names that need no file: {', '.join(known)})"
    raise SpecError([Fault(f"no such file{hint}", _name(source))])


def read_text(path: Path) -> str:
    """Content of a text file.

    Raises:
        SpecError: it cannot be opened, is a folder, is no text or is longer than `LIMIT`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise ValueError(f"is larger than {LIMIT >> 20} MiB, which no description is")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise SpecError([Fault("is not text in UTF-8", _name(path), line, column)]) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _unreadable(source: str | Path, error: OSError | ValueError) -> SpecError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SpecError([Fault(reason[:1].lower() + reason[1:], _name(source))])


def _name(source: str | Path) -> str:
    text = str(source)
    return text if len(text) < 4096 else shown(text)
