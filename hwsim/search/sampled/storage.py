"""Where the trials of a sampled search lie: an SQLite file, a database, or a journal for many machines."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hwsim.errors import HwsimError

#: How long a process waits for another that writes to an SQLite file [s].
PATIENCE = 60

#: Attempts to make a storage's tables, and the wait after each that failed: another process may be making them [s].
ATTEMPTS, WAIT = 5, 0.5


class _Connection(sqlite3.Connection):
    """Does not wait for the disk whenever a value is written: a trial is some twenty of them.

    With a write-ahead log a process may be killed at any time. If the machine is, the last trials may be missing.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        with suppress(sqlite3.OperationalError):  # on a disk without shared memory everything is as it was, but slower
            self.execute("PRAGMA journal_mode = WAL")
            self.execute("PRAGMA synchronous = NORMAL")


def open_storage(where: str | Path | None) -> BaseStorage:
    """A storage, made if it is not there.

    Args:
        where: the URL of a database, as in postgresql://user@host/name; the path of a journal, which ends in .log and
            may lie on a disk that many machines share; the path of an SQLite file; or None for memory.

    Raises:
        HwsimError: it cannot be opened, or holds something else.
    """
    if where is None:
        return InMemoryStorage()
    text = str(where)
    url = text if "://" in text else f"sqlite:///{text}"
    named = re.sub(r"(://[^/@]*?:)[^/]*@", r"\1***@", text)  # a message is no place for a password
    for attempt in range(ATTEMPTS):
        try:
            if text.endswith(".log") and "://" not in text:
                return JournalStorage(JournalFileBackend(text))
            here = {"connect_args": {"timeout": PATIENCE, "factory": _Connection}} if url.startswith("sqlite:") else {}
            return RDBStorage(url, engine_kwargs=here)
        except ImportError as error:
            raise HwsimError(f"{named}: its driver is not installed: {error.name or error}") from None
        except (ArgumentError, OSError, RuntimeError, ValueError) as error:
            raise HwsimError(f"{named}: cannot hold trials: {_first_line(error)}") from None
        except (SQLAlchemyError, StorageInternalError) as error:
            if attempt == ATTEMPTS - 1:
                raise HwsimError(f"{named}: cannot hold trials: {_first_line(error)}") from None
            time.sleep(WAIT)
    raise AssertionError("the last attempt returns or raises")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
