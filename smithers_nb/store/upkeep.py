"""Looking after a file: what takes its space, and how to be rid of the history that nobody needs."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from ..errors import StoreBusyError, StoreError
from ..identity import loop_of
from . import connection
from .lease import is_dead
from .reader import Reader
from .writer import add_event

OVER = ("finished", "failed", "stopped", "stalled", "terminated")
"""How an execution may have ended."""

PRUNED = "pruned"
"""The kind of the event that says which frames are no longer there."""


# ---- size ------------------------------------------------------------------------------------------------------


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
        spare = {name: size for name, size in pages.items() if not any(row[0] == name for row in shared)}
    else:
        shared, spare = _shared(lengths, total - free), {}
    used = sum(row[3] for row in shared)
    # What has no rows: the list of the tables, and a few pages of tables that are empty.
    rest = [("(empty tables and schema)", None, 0, total - free - used)] if spare else []
    found = [*shared, *rest, *([("(free pages)", None, 0, free)] if free else [])]
    return sorted(found, key=lambda row: -row[3])


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
_PRAGMAS = "pragma_page_size, pragma_page_count, pragma_freelist_count"


def has_dbstat(reader: Reader) -> bool:
    """Whether SQLite was built with the table that tells how many pages a table has."""
    return bool(reader.query("SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')").rows[0][0])


def _lengths(table: str, columns: list[str]) -> str:
    length = " + ".join(f'coalesce(length(CAST("{column}" AS BLOB)), 0)' for column in columns)
    owner = "execution_id" if "execution_id" in columns else "NULL"
    return f"SELECT '{table}', {owner}, count(*), sum({length}) FROM {table} GROUP BY {owner}"


def _shared(rows: list[tuple[str, str | None, int, int]], total: int) -> list[tuple[str, str | None, int, int]]:
    """Share out bytes by length, so that they add up."""
    whole = sum(length for *_, length in rows)
    ends = accumulate((length for *_, length in rows), initial=0)
    marks = [total * end // whole if whole else 0 for end in ends]
    return [(*row[:3], after - before) for row, (before, after) in zip(rows, pairwise(marks), strict=True)]


# ---- vacuum ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What ``vacuum`` has won."""

    path: str
    before: int
    """Bytes of the file and of its write-ahead log."""
    after: int

    def __repr__(self) -> str:
        return f"<Vacuumed {self.path}: {self.before:,} bytes before, {self.after:,} after>"


def vacuum(path: str) -> Vacuumed:
    """Write the file anew without its free pages.

    Raises:
        StoreBusyError: if another process is writing, or reads for longer than we wait.
        StoreError: if there is no such file, or no room for a second copy.
    """
    with _writing(path) as db:
        before = _bytes(path)
        db.execute("VACUUM")
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreBusyError(
            f"{path} was written anew, but it can't be made shorter while others read it. Nothing was lost; call "
            "vacuum() again when they are done."
        )
    return Vacuumed(path, before, _bytes(path))


def _bytes(path: str) -> int:
    return sum(os.path.getsize(file) for file in (path, f"{path}-wal") if os.path.exists(file))


@contextmanager
def _writing(path: str) -> Iterator[sqlite3.Connection]:
    """Open a connection of our own: upkeep is called without an engine, too."""
    if not Path(path).exists():
        raise StoreError(f"there is no file {path}. An Execution makes it; check the name and the folder.")
    with (
        connection.mapped(path),
        closing(sqlite3.connect(path, timeout=connection.BUSY_TIMEOUT_S, isolation_level=None)) as db,
    ):
        db.execute("PRAGMA foreign_keys = ON")
        connection.migrate(db, path)
        yield db


# ---- prune -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pruned:
    """What ``prune`` has removed, and what it left alone."""

    path: str
    rows: dict[str, int]
    """Removed rows by table."""
    executions: tuple[str, ...]
    """Ids of the executions that were removed whole."""
    skipped: dict[str, str]
    """Why an execution was left as it is, by its id."""

    def __repr__(self) -> str:
        total = sum(self.rows.values())
        lines = [f"<Pruned {self.path}: {total:,} rows removed, {len(self.executions)} of them whole executions"]
        lines += [f"  {table}: {count:,}" for table, count in self.rows.items() if count]
        lines += [f"  left as it is: {id}, {why}" for id, why in self.skipped.items()]
        lines += ["  vacuum() gives the room back to the disk"] if total else []
        return "\n".join(lines) + ">"


def oldest_frame(reader: Reader, execution_id: str) -> int:
    """Return the first frame whose history is still there: 1, unless it was pruned."""
    sql = f"SELECT max(json_extract(payload, '$.oldest')) FROM events WHERE execution_id = ? AND kind = '{PRUNED}'"
    return int(reader.query(sql, (execution_id,)).rows[0][0] or 1)


def refuse_pruned(reader: Reader, execution_id: str, frame: int) -> None:
    """Raise for a frame that was pruned.

    Raises:
        StoreError: naming the oldest frame that is left.
    """
    if frame < (oldest := oldest_frame(reader, execution_id)):
        raise StoreError(
            f"frame {frame} of execution {execution_id} was pruned: the history before frame {oldest} was removed with "
            f"prune(keep_frames=…), and can't be had back. Ask for frame {oldest} or a later one.",
            frame=frame,
        )


def prune(path: str, keep_frames: int | None, keep_executions: int | None, unfinished: bool) -> Pruned:
    """Remove history, in one transaction; ``Store.prune`` says what stays."""
    given = {"keep_frames": keep_frames, "keep_executions": keep_executions}
    if keep_frames is None and keep_executions is None:
        raise ValueError("prune() needs to be told what to keep: keep_frames=, keep_executions= or both.")
    for name, value in given.items():
        if value is not None and value < 1:
            raise ValueError(f"{name}={value}: at least the newest one stays; use 1 or more.")
    with _writing(path) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            pruned = _pruned(db, path, keep_frames, keep_executions, unfinished)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
    return pruned


def _pruned(
    db: sqlite3.Connection, path: str, keep_frames: int | None, keep_executions: int | None, unfinished: bool
) -> Pruned:
    rows: dict[str, int] = {}
    executions = _executions(db)
    removed: list[str] = []
    skipped: dict[str, str] = {}
    if keep_executions is not None:
        removed, skipped = _to_remove(executions, keep_executions, unfinished)
        _remove(db, removed, rows)
    for id, row in executions.items():
        if keep_frames is None or id in removed:
            continue
        if row["owned"] == "other":
            skipped.setdefault(id, f"another process runs it ({row['owner']})")
        else:
            _forget(db, id, (row["last"] or 0) - keep_frames + 1, rows)
    return Pruned(path, rows, tuple(removed), skipped)


def _executions(db: sqlite3.Connection) -> dict[str, dict[str, Any]]:  # Any: SQLite's values
    """Return the executions, newest first, each with its last frame, and whether a living process has it."""
    cursor = db.execute(
        "SELECT execution_id, parent_id, forked_at_frame, status, reason, owner, lease_expires_at,"
        " (SELECT max(frame) FROM frames WHERE frames.execution_id = executions.execution_id) AS last"
        " FROM executions ORDER BY created_at DESC, rowid DESC"
    )
    names = [column[0] for column in cursor.description]
    found = [dict(zip(names, values, strict=True)) for values in cursor]
    return {row["execution_id"]: row | {"owned": _owned(row["owner"], row["lease_expires_at"])} for row in found}


def _owned(owner: str | None, until: str | None) -> str:
    """Return who has an execution: "", "us" (this process) or "other"."""
    if owner is None:
        return ""
    if owner.startswith(f"pid {os.getpid()} on {socket.gethostname()} "):
        return "us"
    return "" if (until or "") <= connection.now() or is_dead(owner) else "other"


def _to_remove(
    executions: dict[str, dict[str, Any]], keep: int, unfinished: bool
) -> tuple[list[str], dict[str, str]]:
    """Return which executions go, children before their parents, and why others that are older stay."""
    below: dict[str, list[str]] = {}
    runs = []
    for id, row in executions.items():
        if row["parent_id"] is None or row["forked_at_frame"] is not None:
            runs.append(id)
        if row["parent_id"] is not None:
            below.setdefault(row["parent_id"], []).append(id)
    removed: list[str] = []
    skipped: dict[str, str] = {}
    newest = set(runs[:keep])

    def remove(id: str) -> bool:
        """Whether an execution and all below it may go."""
        # Every one below is asked: some may go although their parent stays.
        forks = [child for child in below.get(id, ()) if child in runs]
        staying = [child for child in forks if child not in removed and not remove(child)]
        children = [child for child in below.get(id, ()) if child not in runs]
        if id in newest:
            return False
        why = _why_not(executions, [id, *children], unfinished)
        if why is None and staying:
            why = f"{', '.join(staying)}, which stays, was made from it"
        if why is not None:
            skipped[id] = why
            return False
        stack, family = [id], []
        while stack:
            family.append(stack.pop())
            stack += [child for child in below.get(family[-1], ()) if child not in runs]
        removed.extend(reversed(family))
        return True

    for id in runs:
        if id not in removed and id not in skipped:
            remove(id)
    return removed, skipped


def _why_not(executions: dict[str, dict[str, Any]], family: list[str], unfinished: bool) -> str | None:
    for id in family:
        row = executions[id]
        if row["owned"]:
            where = "this process" if row["owned"] == "us" else "another process"
            return f"{where} has it open ({row['owner']})"
        paused = row["status"] not in OVER or row["reason"] == "stopped by hand"
        if paused and row["last"] and not unfinished:
            return f"it is {row['status']} and can be resumed; prune(…, unfinished=True) removes it all the same"
    return None


_CHILDREN_FIRST = (
    "model_calls", "tool_calls", "stream_events", "approvals", "tasks", "frames", "nodes", "state", "reads",
    "transitions", "handlers", "effects", "loops", "artifacts", "events", "breakpoints", "executions",
)  # fmt: skip


def _remove(db: sqlite3.Connection, ids: list[str], rows: dict[str, int]) -> None:
    for id in ids:
        for table in _CHILDREN_FIRST:
            _delete(db, rows, table, "execution_id = :id", {"id": id})


_HISTORY = (
    ("reads", "to_frame <= :oldest"),
    ("state", "to_frame <= :oldest"),
    ("nodes", "to_frame <= :oldest"),
    ("frames", "frame < :oldest"),
    # What made a value that a kept frame reads stays, so that the value can be followed back.
    (
        "transitions",
        "frame < :oldest AND NOT (scope = 'state' AND EXISTS (SELECT 1 FROM state WHERE state.execution_id = :id"
        " AND state.key = transitions.key AND state.from_frame = transitions.frame + 1))",
    ),
    # lint() asks whether a handler of the plan was ever called.
    (
        "handlers",
        "frame < :oldest AND id NOT IN (SELECT origin_id FROM transitions WHERE execution_id = :id AND origin_id IS"
        " NOT NULL) AND rowid NOT IN (SELECT max(rowid) FROM handlers WHERE execution_id = :id AND status != 'stale'"
        " AND node_id IN (SELECT node_id FROM nodes WHERE execution_id = :id AND to_frame IS NULL)"
        " GROUP BY node_id, event)",
    ),
    # A resumed execution asks with which deps an effect of the plan ran last.
    (
        "effects",
        "frame < :oldest AND id NOT IN (SELECT origin_id FROM transitions WHERE execution_id = :id AND origin_id IS"
        " NOT NULL) AND rowid NOT IN (SELECT max(rowid) FROM effects WHERE execution_id = :id AND kind = 'run'"
        " AND node_id IN (SELECT node_id FROM nodes WHERE execution_id = :id AND to_frame IS NULL) GROUP BY node_id)",
    ),
    ("events", f"frame < :oldest AND kind != '{PRUNED}'"),
    # The tasks themselves stay: they say what was spent, and that a node has had its turn.
    *(
        (
            table,
            "task_id IN (SELECT task_id FROM tasks WHERE execution_id = :id AND settled_at_frame < :oldest)",
        )
        for table in ("model_calls", "tool_calls", "stream_events")
    ),
)
"""By table: which rows of an execution are history before its oldest kept frame. In the order of removal."""


def _forget(db: sqlite3.Connection, execution_id: str, oldest: int, rows: dict[str, int]) -> None:
    """Remove the history before a frame."""
    before: dict[str, int] = {}
    if oldest <= 1:
        return
    _keep_mounts(db, execution_id, oldest, before)
    for table, where in _HISTORY:
        extra = " AND rowid NOT IN (SELECT column1 FROM (VALUES (NULL)))" if False else ""
        _delete(db, before, table, f"execution_id = :id AND {where}{extra}", {"id": execution_id, "oldest": oldest})
