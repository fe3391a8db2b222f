"""The size of a file: its parts, and VACUUM, which gives free room back to the disk."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from ..errors import StoreBusyError, StoreError
from . import connection
from .reader import Reader
from .uses import USES


def sizes(reader: Reader) -> list[tuple[str, str | None, int, int]]:
    """Return (table, execution id, rows, bytes), the largest first; the bytes add up to the file's size.

    Pages of a table and its indexes are counted by SQLite's ``dbstat`` and shared out among the executions by the
    length of their rows. Where SQLite was built without it, all used pages are shared out by that length.
    """
    tables = {name: reader.kinds(name) for (name,) in reader.query(_TABLES).rows}
    parts = [_lengths(name, list(kinds)) for name, kinds in tables.items()]
    parts.append("SELECT '', NULL, freelist_count * page_size, page_count * page_size FROM " + _PRAGMAS)
    counted = has_dbstat(reader)
    if counted:
        parts.append(
            "SELECT '+' || coalesce(tbl_name, ''), NULL, 0, sum(pgsize) FROM dbstat LEFT JOIN sqlite_master"
            " USING (name) WHERE aggregate = 1 GROUP BY tbl_name"
        )
    # One statement is one moment: a writer may be at work.
    rows = reader.query(" UNION ALL ".join(parts)).rows
    ((free, total),) = [(free, total) for name, _, free, total in rows if not name]
    pages = {name[1:]: size for name, _, _, size in rows if name[:1] == "+"}
    lengths = [(name, id, count, size) for name, id, count, size in rows if name in tables and count]
    if counted:
        shared = [row for name in tables for row in _shared([r for r in lengths if r[0] == name], pages.get(name, 0))]
    else:
        shared = _shared(lengths, total - free)
    # A table without rows has a page, and so has each of its indexes.
    empty = total - free - sum(size for *_, size in shared)
    found = [*shared, ("(schema, empty tables)", None, 0, empty), ("(free pages)", None, 0, free)]
    return sorted((row for row in found if row[3]), key=lambda row: -row[3])


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
_PRAGMAS = "pragma_page_size, pragma_page_count, pragma_freelist_count"


def has_dbstat(reader: Reader) -> bool:
    """Return whether SQLite was built with the table of page counts, ``dbstat``."""
    return bool(reader.query("SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')").rows[0][0])


def _lengths(table: str, columns: list[str]) -> str:
    # As a blob: length() of a text counts characters, and stops at a NUL.
    length = " + ".join(f'coalesce(length(CAST("{column}" AS BLOB)), 0)' for column in columns)
    owner = "NULL"
    if "execution_id" in columns:
        owner = "execution_id"
    return f"SELECT '{table}', {owner}, count(*), sum({length}) FROM {table} GROUP BY {owner}"


def _shared(rows: list[tuple[str, str | None, int, int]], total: int) -> list[tuple[str, str | None, int, int]]:
    """Share out bytes by length, so that they add up."""
    # Differences of rounded running totals: shares that are rounded one by one would not add up to the total.
    whole = sum(length for *_, length in rows) or 1
    ends = accumulate((length for *_, length in rows), initial=0)
    marks = [total * end // whole for end in ends]
    return [(*row[:3], after - before) for row, (before, after) in zip(rows, pairwise(marks), strict=True)]


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """The outcome of ``vacuum``."""

    path: str
    before: int
    """Bytes of the file and of its write-ahead log."""
    after: int

    def __repr__(self) -> str:
        return f"<Vacuumed {self.path}: {self.before:,} bytes before, {self.after:,} after>"


def vacuum(path: str) -> Vacuumed:
    """Rewrite the file without its free pages.

    Raises:
        StoreBusyError: if another process is writing, or reads for longer than we wait.
        StoreError: if there is no such file, or no room for a second copy.
    """
    with writing(path) as db:
        before = _bytes(path)
        db.execute("VACUUM")
        # VACUUM writes the new pages into the log: the file itself gets shorter only when they are copied into it.
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreBusyError(
            f"{path} was rewritten, but it can't be made shorter while others read it. Nothing was lost; call "
            "vacuum() again when they are done."
        )
    return Vacuumed(path, before, _bytes(path))


def _bytes(path: str) -> int:
    return sum(os.path.getsize(file) for file in (path, f"{path}-wal") if os.path.exists(file))


@contextmanager
def writing(path: str) -> Iterator[sqlite3.Connection]:
    """Open a connection for upkeep, which is called without an engine, too."""
    connection.refuse_page(path)
    if not Path(path).exists():
        raise StoreError(f"there is no file {path}. An Execution makes it; check the name and the folder.")
    with (
        connection.mapped(path),
        USES,
        # uri=True: of a second file that is attached it can be said that it is only read.
        closing(sqlite3.connect(path, uri=True, timeout=connection.BUSY_TIMEOUT_S, isolation_level=None)) as db,
    ):
        db.execute("PRAGMA foreign_keys = ON")
        # Upkeep knows the tables of this release only: an older file is migrated first, a newer one is refused.
        connection.migrate(db, path)
        yield db
