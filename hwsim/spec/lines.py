"""Files of one JSON object a line that several processes append to and that no interruption spoils.

A writer holds an exclusive lock on the file while it reads what is there and adds whole lines in one write; a reader
holds a shared one. So a reader never sees half a write, unless its writer was killed: then the last line is cut off.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from hwsim.errors import Fault, SpecError


def content_of(path: Path) -> bytes:
    """All that a file holds.

    Raises:
        SpecError: it cannot be read.
    """
    with _refused(path, "cannot be read"), path.open("rb", buffering=0) as file:
        _lock(file, fcntl.LOCK_SH, needed=False)
        return file.readall()


def numbered(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers from 1."""
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line


def append(path: Path, choose: Callable[[bytes], Iterable[str]], cut_off: Callable[[bytes], bool]) -> None:
    """Add whole lines to a file, which is made if it is not there.

    Args:
        choose: given what the file holds, without a line that was cut off, the lines to add; what it raises leaves the
            file as it was.
        cut_off: whether a last line that lacks its end was left by a killed writer, and is to be removed; otherwise it
            only gets its end.

    Raises:
        SpecError: the file cannot be written, or not be locked.
    """
    with _refused(path, "cannot be written"), path.open("ab+", buffering=0) as file:
        _lock(file, fcntl.LOCK_EX, needed=True)
        file.seek(0)
        content = file.readall()
        whole = content.rfind(b"\n") + 1
        if content[whole:] and cut_off(content[whole:]):
            content = content[:whole]
        lines = "".join(f"{line}\n" for line in choose(content)).encode()
        file.truncate(len(content))
        if lines and len(content) > whole:
            lines = b"\n" + lines
        _write(file, lines, len(content))


def _write(file: FileIO, data: bytes, start: int) -> None:
    try:
        while data:
            data = data[file.write(data) :]
        os.fsync(file.fileno())
    except BaseException:  # a full disk, an interrupt: what is there of the lines goes again
        file.truncate(start)
        raise


def _lock(file: FileIO, kind: int, needed: bool) -> None:
    """Wait for a lock; it goes with the file's closing.

    Args:
        needed: fail where the file system has no locks.
    """
    try:
        fcntl.flock(file, kind)
    except OSError:
        if needed:
            raise


@contextmanager
def _refused(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SpecError([Fault(f"{what}: {reason[:1].lower()}{reason[1:]}", str(path))]) from None
