"""Whole results on disk: the same question about the same files is answered without importing what computes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hwsim.cache.store import default_folder, file_state, path_of, read, write


class Results:
    """The result of one question.

    Args:
        question: all that was asked, told apart by `repr`; relative paths count from the working folder.
        files: whose content is part of the question. If one is no regular file, which can be read only once, nothing is
            remembered.
    """

    def __init__(self, question: object, files: Iterable[Path]) -> None:
        self._path: Path | None = None
        folder, files = default_folder(), list(files)
        if folder is None or not all(file.is_file() for file in files):
            return
        contents = [(str(file.resolve()), file.read_bytes()) for file in files]
        self._path = path_of(folder, "result", question, str(Path.cwd()), contents)

    def get(self) -> dict[str, Any] | None:
        """What was kept, unless a file that it depends on has changed since."""
        kept = read(self._path) if self._path else None
        if not isinstance(kept, dict) or any(list(file_state(Path(f))) != state for f, state in kept["files"].items()):
            return None
        return dict(kept["result"])

    def keep(self, result: dict[str, Any], files: Iterable[Path] = ()) -> None:
        """Remember a result.

        Args:
            files: others that it depends on, by their size and time.
        """
        if self._path:
            states = {str(file.resolve()): file_state(file) for file in files}
            write(self._path, {"files": states, "result": result})
