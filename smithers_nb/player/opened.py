"""An exported run as a store: its database, in a file of this process."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from uuid import uuid4

from ..errors import NewerExportWarning, SchemaVersionError
from ..store import connection
from ..store.exported import Newer, save, take_out
from ..store.reader import Reader
from .container import Header, read

_folder: list[str] = []
"""The folder of this process's databases, once there is one."""
_opened: dict[tuple[str, int, int], tuple[Header, str]] = {}
"""The header and the database of a page, by its path, time and size."""


def open_page(path: str) -> tuple[Header, Reader]:
    """Return the header of an exported run, and a reader of its database; the page itself is never changed.

    Raises:
        StoreError: if it is no exported run, or a damaged one.
        SchemaVersionError: if a newer release has written it, without what this one reads.
    """
    # Not by the path alone: an export that is written again has other contents.
    found = os.stat(path)
    known = (path, found.st_mtime_ns, found.st_size)
    # Folders for temporary files are cleaned at times, under processes that run for days.
    if known not in _opened or not os.path.exists(_opened[known][1]):
        _opened[known] = _taken_out(path)
    header, database = _opened[known]
    return header, Reader(database)


def copy_of(reader: Reader) -> Reader:
    """Return a copy of a store that may be written, as long as this process lives: a replay is an execution in it."""
    path = os.path.join(_own_folder(), f"{uuid4().hex}.db")
    save(reader, path)
    return Reader(path)


def _own_folder() -> str:
    """Return the folder of this process's databases."""
    # Kept until the process ends: histories, DataFrames and comparisons outlive the Store that they came from.
    if not _folder:
        _folder.append(tempfile.mkdtemp(prefix="smithers-"))
        atexit.register(_removed, _folder[0], os.getpid())
    return _folder[0]


def _taken_out(path: str) -> tuple[Header, str]:
    contents = read(path)
    database = os.path.join(_own_folder(), f"{uuid4().hex}.db")
    if newer := take_out(contents.database, database, path):
        _say_what_is_newer(path, contents.header, newer)
    return contents.header, database


def _removed(folder: str, owner: int) -> None:
    """Remove the folder, unless this process is a fork of its owner's."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _say_what_is_newer(path: str, header: Header, newer: Newer) -> None:
    """Warn of what this release can't show of a newer one's export.

    Raises:
        SchemaVersionError: if something is missing that this release reads.
    """
    # A warning, and no refusal: columns that this release does not know disturb no query of it.
    by = f"{path} was exported by smithers_nb {header.package} with schema version {header.schema}"
    if newer.lacks:
        raise SchemaVersionError(
            f"{by}, and lacks {', '.join(newer.lacks)}, which this release reads. Nothing was changed. Upgrade: "
            "pip install -U smithers_nb."
        )
    shown = ", ".join(newer.has) or "nothing that this release would show"
    warnings.warn(
        NewerExportWarning(
            f"{by}; this release knows up to {connection.migrations()[-1][0]}, and can't show what is new: {shown}. It "
            "can be read, and not forked. Upgrade to see all of it: pip install -U smithers_nb."
        ),
        stacklevel=5,
    )
