"""Exported runs, ``run.html``, as stores: the database in one is read in a file of its own, and never written."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..errors import SchemaVersionError, StoreError
from . import connection, merge
from .reader import Reader
from .upkeep import writing

_NEW = """
WITH RECURSIVE family (id) AS (
  SELECT value FROM json_each(?)
  UNION SELECT execution_id FROM family JOIN source.executions ON parent_id = id AND kind = 'child'
)
SELECT id FROM family EXCEPT SELECT execution_id FROM main.executions
"""
"""The executions of a line and their children that a file does not have."""


def save(reader: Reader, path: str) -> None:
    """Write the database of a store to a new file.

    Raises:
        StoreError: if there is a file of this name, or it can't be written.
    """
    connection.refuse_page(path)
    target = Path(path)
    if target.exists():
        raise StoreError(f"{path} exists already, and was not changed. Name a file that does not.")
    if not target.parent.is_dir():
        raise StoreError(f"{path} can't be written: there is no folder {target.parent}. Make it, or name another.")
    part = f"{path}.{os.getpid()}.part"
    try:
        with connection.mapped(path), reader.moment() as source, closing(connection.bare(part)) as db:
            source.backup(db)
        os.link(part, path)  # Unlike a renaming, it fails if another process has made the file meanwhile.
    except FileExistsError:
        raise StoreError(f"{path} was made by another process meanwhile. Name a file that does not exist.") from None
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}. Check the folder.") from error
    finally:
        Path(part).unlink(missing_ok=True)


def add(reader: Reader, execution_id: str, path: str) -> None:
    """Add an execution of a store, with its line and its children, to a file; those that it has already stay.

    Raises:
        SchemaVersionError: if a newer release wrote the store.
    """
    line = json.dumps([part.execution_id for part in reader.line(execution_id)])
    with writing(path) as db:
        db.execute("ATTACH ? AS source", (reader.path,))
        with closing(connection.bare(reader.path)) as source:
            connection.refuse_newer(source, reader.name)
        with merge.transaction(db):
            merge.add(db, [id for (id,) in db.execute(_NEW, (line,))])


@dataclass(frozen=True, slots=True)
class Newer:
    """The differences of a newer schema from that of this release, as tables and columns."""

    has: list[str]
    lacks: list[str]


def take_out(data: bytes, database: str, page: str) -> Newer | None:
    """Write the database of an exported run to a file, which is only read; return in which way it is a newer one.

    An older one is brought up to this release's schema: the page stays as it is.
    """
    Path(database).write_bytes(data)
    newer = None
    with connection.mapped(page), closing(connection.bare(database)) as db:
        try:
            connection.migrate(db, page)
        except SchemaVersionError:
            newer = _newer(db)
    connection.PAGES[database] = page
    return newer


def _newer(db: sqlite3.Connection) -> Newer:
    with closing(connection.bare(":memory:")) as own:
        connection.migrate(own, ":memory:")
        known = _columns(own)
    found = _columns(db)
    return Newer(sorted(found - known), sorted(known - found))


def _columns(db: sqlite3.Connection) -> set[str]:
    sql = (
        "SELECT iif(c.name IS NULL, t.name, t.name || '.' || c.name) FROM sqlite_master t, pragma_table_info(t.name) c"
        " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
    )
    return {name for (name,) in db.execute(sql)}
