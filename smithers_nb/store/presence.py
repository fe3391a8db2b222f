"""An open file and its name: a check that the file still has it, and the place of its log if it has not."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from time import time
from typing import NamedTuple

from ..errors import StoreError


class StoreLostError(StoreError):
    """The file was removed, renamed or replaced while it was open."""


class Identity(NamedTuple):
    """The identity of a file, whatever its name. No other file is given the number while this one is open."""

    device: int
    number: int


def identity(path: str) -> Identity | None:
    """Return the identity of the file that has this name now; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return Identity(found.st_dev, found.st_ino)


class Presence:
    """The names of a file and of its write-ahead log, as they were when the file was opened."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.log = f"{path}-wal"
        self._file = identity(path)
        self._log_file = identity(self.log)
        self.written_at = time()
        """End of the last transaction, in seconds since the epoch."""

    @property
    def lost(self) -> bool:
        """True if the file no longer has its name. Checked in each transaction: it takes 1 to 7 µs."""
        # SQLite does not notice: it would keep writing to a file without a name, and all of it would be lost.
        return identity(self.path) != self._file

    @property
    def log_lost(self) -> bool:
        """True if the log no longer has its name."""
        return identity(self.log) != self._log_file

    def leave(self, connection: sqlite3.Connection) -> None:
        """Fold a lost file's log into that file, which may only have been renamed. Left beside a new file of the old
        name, the log would be read as that one's; if it was written since, it may be that one's already.
        """
        if self.log_lost or not self._log_written_since():
            with suppress(sqlite3.Error):
                fold(connection)

    def _log_written_since(self) -> bool:
        try:
            return os.stat(self.log).st_mtime > self.written_at
        except OSError:
            return False

    def error(self) -> StoreLostError:
        """Return the error to raise for a lost file."""
        if identity(self.path) is None:
            return StoreLostError(
                f"{self.path} is gone: it was removed or renamed while it was open. Nothing is written since. Put it "
                "back, and the next step continues from there; or run the cell again, or make a new Execution, which "
                "makes a new file."
            )
        return StoreLostError(
            f"{self.path} is a different file now: it was replaced while it was open. The new file was not changed. "
            "Put the old one back, and the next step continues from there; or continue with the new one: "
            "Execution.resume(…), or a new Execution."
        )


def fold(connection: sqlite3.Connection) -> bool:
    """Copy the log into the file and empty it; return whether nothing is left in it."""
    ((timeout_ms,),) = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout = 0")  # Not waiting for a reader: it may take long.
    try:
        # TRUNCATE, the one that empties the log: a file that is copied alone must have everything.
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
    return not busy
