"""Removal of old frames and executions. Everything that a resumed execution needs stays."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..errors import StoreError
from ..identity import loop_of
from ..records.frame import OVER_OR_STOPPED
from .connection import now
from .lease import is_dead
from .reader import Reader
from .sweeps import forget_removed
from .upkeep import writing
from .writer import add_event

PRUNED = "pruned"
"""The kind of the event that says which frames are no longer there."""

Row = dict[str, Any]  # Any: SQLite's values


@dataclass(frozen=True, slots=True)
class Pruned:
    """The outcome of ``prune``: removed rows, and executions that stayed."""

    path: str
    rows: dict[str, int]
    """Removed rows by table."""
    executions: tuple[str, ...]
    """Ids of the executions that were removed whole."""
    skipped: dict[str, str]
    """The reason why an execution stayed, by its id."""

    def __repr__(self) -> str:
        total = sum(self.rows.values())
        head = f"<Pruned {self.path}: {total:,} rows removed"
        if self.executions:
            head += f", {len(self.executions)} whole executions among them"
        lines = [head, *(f"  {table}: {count:,}" for table, count in self.rows.items())]
        lines += [f"  left as it is: {id}, for {why}" for id, why in self.skipped.items()]
        if total:
            lines.append("  vacuum() gives the room back to the disk")
        return "\n".join(lines) + ">"


def oldest_frame(reader: Reader, execution_id: str) -> int:
    """Return the first frame whose history is still there: 1, unless it was pruned."""
    sql = f"SELECT max(json_extract(payload, '$.oldest')) FROM events WHERE execution_id = ? AND kind = '{PRUNED}'"
    return int(reader.query(sql, (execution_id,)).rows[0][0] or 1)


def refuse_missing(reader: Reader, execution_id: str, frame: int) -> None:
    """Refuse a frame that does not exist, or that was pruned.

    Raises:
        StoreError: naming the frames that there are, or the oldest that is left.
    """
    last = reader.last_frame(execution_id)
    if not 1 <= frame <= last:
        there = "It has none yet."
        if last:
            there = f"It has the frames 1 to {last}."
        raise StoreError(f"execution {execution_id} has no frame {frame}. {there}")
    refuse_pruned(reader, reader.owner(execution_id, frame), frame)


def refuse_pruned(reader: Reader, execution_id: str, frame: int) -> None:
    """Refuse a frame that was pruned.

    Raises:
        StoreError: naming the oldest frame that is left.
    """
    if frame < (oldest := oldest_frame(reader, execution_id)):
        raise StoreError(
            f"frame {frame} of execution {execution_id} was pruned: prune(keep_frames=…), or frames= of an export, "
            f"has removed the history before frame {oldest} for good. Ask for frame {oldest} or a later one."
        )


def prune(path: str, keep_frames: int | None, keep_executions: int | None, unfinished: bool) -> Pruned:
    """Remove history, all of it in one transaction. ``Store.prune`` says what stays."""
    if keep_frames is None and keep_executions is None:
        raise ValueError("prune() must be told what to keep: keep_frames=, keep_executions= or both.")
    for name, value in (("keep_frames", keep_frames), ("keep_executions", keep_executions)):
        if value is not None and value < 1:
            raise ValueError(f"{name}={value} would keep nothing; the newest one always stays, so say 1 or more.")
    with writing(path) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            # Executions refer to their parents: only at the end must it be right again.
            db.execute("PRAGMA defer_foreign_keys = ON")
            pruned = _prune(db, path, keep_frames=keep_frames, keep_executions=keep_executions, unfinished=unfinished)
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
    return pruned


def _prune(
    db: sqlite3.Connection, path: str, *, keep_frames: int | None, keep_executions: int | None, unfinished: bool
) -> Pruned:
    executions = _executions(db)
    rows: Counter[str] = Counter()
    removed: list[str] = []
    skipped: dict[str, str] = {}
    if keep_executions is not None:
        removed, skipped = _too_many(executions, keep_executions, unfinished)
        for id in removed:
            for table in _CHILDREN_FIRST:
                rows[table] += db.execute(f"DELETE FROM {table} WHERE execution_id = ?", (id,)).rowcount
        forget_removed(db, removed)
        if removed:
            rows["blobs"] += db.execute("DELETE FROM blobs WHERE hash NOT IN (SELECT hash FROM blob_uses)").rowcount
    for id, row in executions.items():
        if keep_frames is None or id in removed:
            continue
        if row["held"] == "another process":
            skipped[id] = f"another process runs it ({row['owner']})"
            continue
        oldest = (row["last"] or 0) - keep_frames + 1
        # A branch reads its first frames in its ancestors, whichever frame it was forked at.
        branches = [one["name"] for one in executions.values() if one["kind"] == "branch" and one["parent_id"] == id]
        if oldest > 1 and branches:
            skipped[id] = f"{', '.join(branches)} was forked from it, and stands on its frames"
        elif oldest > 1:
            rows += forget(db, id, oldest)
    return Pruned(path, dict(+rows), tuple(removed), skipped)


# ---- executions ------------------------------------------------------------------------------------------------

_CHILDREN_FIRST = (
    "model_calls", "tool_calls", "stream_events", "approvals", "tasks", "frames", "nodes", "state", "reads",
    "transitions", "handlers", "effects", "loops", "artifacts", "events", "breakpoints", "predictions",
    "blob_uses", "executions",
)  # fmt: skip


def _executions(db: sqlite3.Connection) -> dict[str, Row]:
    """Return the executions, newest first, each with its last frame and who holds it open."""
    cursor = db.execute(
        "SELECT execution_id, name, kind, parent_id, forked_at_frame, status, reason, owner, lease_expires_at,"
        " (SELECT max(frame) FROM frames WHERE frames.execution_id = executions.execution_id) AS last"
        " FROM executions ORDER BY created_at DESC, rowid DESC"
    )
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, values, strict=True)) for values in cursor]
    return {row["execution_id"]: row | {"held": _held(row["owner"], row["lease_expires_at"])} for row in rows}


def _held(owner: str | None, until: str | None) -> str:
    """Return the living process that has an execution open, in words; "" if there is none."""
    if owner is None:
        return ""
    if owner.startswith(f"pid {os.getpid()} on {socket.gethostname()} "):
        return "this process"
    if (until or "") <= now() or is_dead(owner):
        return ""
    return "another process"


def _too_many(executions: dict[str, Row], keep: int, unfinished: bool) -> tuple[list[str], dict[str, str]]:
    """Return the executions to remove, and the reasons why others that are as old stay.

    Only those that a person made are counted: roots and forks. A Smithers node's child goes with its parent.
    """
    runs = [id for id, row in executions.items() if row["kind"] != "child"]
    families: dict[str, list[str]] = {id: [] for id in runs}
    for id in executions:
        head = id
        while head not in families:
            head = executions[head]["parent_id"]
        families[head].append(id)
    removed: list[str] = []
    skipped: dict[str, str] = {}
    # Newest first: forks are newer than their origin, and one that stays keeps its origin.
    for run in runs[keep:]:
        forks = [id for id in runs if id not in removed and executions[id]["parent_id"] in families[run]]
        if why := _why_stays([executions[id] for id in families[run]], forks, unfinished):
            skipped[run] = why
        else:
            removed += families[run]
    return removed, skipped


def _why_stays(family: list[Row], forks: list[str], unfinished: bool) -> str | None:
    if forks:
        return f"{', '.join(forks)} was forked from it, and stays"
    for row in family:
        if row["held"]:
            return f"{row['held']} has it open ({row['owner']})"
        resumable = row["last"] and (row["status"] not in OVER_OR_STOPPED or row["reason"] == "stopped by hand")
        if resumable and not unfinished:
            return f"it is {row['status']} and can be resumed; with unfinished=True it is removed all the same"
    return None


# ---- frames ----------------------------------------------------------------------------------------------------

_PLAN = "(SELECT node_id FROM nodes WHERE execution_id = :id AND to_frame IS NULL)"
_CAUSES = "(SELECT origin_id FROM transitions WHERE execution_id = :id AND origin_id IS NOT NULL)"
_SETTLED = "(SELECT task_id FROM tasks WHERE execution_id = :id AND settled_at_frame < :oldest)"
_HISTORY = {
    "reads": "to_frame <= :oldest",
    "nodes": "to_frame <= :oldest",
    "state": "to_frame <= :oldest",
    "loops": "to_frame <= :oldest",
    "artifacts": "to_frame <= :oldest",
    "frames": "frame < :oldest",
    # The write that made a value which is still there stays, and so does its cause: why() can follow it back.
    "transitions": "frame < :oldest AND NOT (scope = 'state' AND EXISTS (SELECT 1 FROM state WHERE"
    " state.execution_id = :id AND state.key = transitions.key AND state.from_frame = transitions.frame + 1))",
    # lint() asks whether a handler of the plan has ever been called.
    "handlers": f"frame < :oldest AND id NOT IN {_CAUSES} AND rowid NOT IN (SELECT max(rowid) FROM handlers WHERE"
    f" execution_id = :id AND status != 'stale' AND node_id IN {_PLAN} GROUP BY node_id, event)",
    # resume() asks for the deps with which an effect of the plan ran last.
    "effects": f"frame < :oldest AND id NOT IN {_CAUSES} AND rowid NOT IN (SELECT max(rowid) FROM effects WHERE"
    f" execution_id = :id AND kind = 'run' AND node_id IN {_PLAN} GROUP BY node_id)",
    "events": f"(frame < :oldest OR kind = '{PRUNED}')",
    # The tasks themselves stay: they hold that a node has been run, and its cost.
    "model_calls": f"task_id IN {_SETTLED}",
    "tool_calls": f"task_id IN {_SETTLED}",
    "stream_events": f"task_id IN {_SETTLED}",
}
"""The rows of an execution before frame ``oldest``, by table, in the order of removal."""

_NODE = (
    "execution_id, node_id, path, type, key, explicit_id, parent_id, position, props, events, text, source,"
    " from_frame, to_frame"
)


def forget(db: sqlite3.Connection, execution_id: str, oldest: int) -> Counter[str]:
    """Remove the history before a frame; return the removed rows by table."""
    values = {"id": execution_id, "oldest": oldest}
    rows: Counter[str] = Counter()
    # Read before the rows are removed, and inserted in their place afterwards.
    mounts = _mounts(db, execution_id, oldest)
    for table, where in _HISTORY.items():
        rows[table] = db.execute(f"DELETE FROM {table} WHERE execution_id = :id AND {where}", values).rowcount
    db.executemany(f"INSERT INTO nodes ({_NODE}) VALUES ({', '.join('?' * 14)})", mounts)
    rows["nodes"] -= len(mounts)
    (last,) = db.execute("SELECT max(frame) FROM frames WHERE execution_id = ?", (execution_id,)).fetchone()
    payload = json.dumps({"oldest": oldest, "rows": dict(+rows)})
    add_event(db, execution_id, frame=last, kind=PRUNED, node_id=None, payload=payload)
    return rows


def _mounts(db: sqlite3.Connection, execution_id: str, oldest: int) -> list[tuple[Any, ...]]:
    """Return, for nodes of the plan that have a task, one row in the place of all older versions.

    ``resume`` looks for the frame in which such a node was mounted, because a task of an earlier mount is not its own.
    So the versions must go back to that frame without a gap (``Reader.mounted_at``).
    """
    rows = db.execute(
        f"SELECT {_NODE} FROM nodes WHERE execution_id = :id AND node_id IN {_PLAN}"
        " AND node_id IN (SELECT node_id FROM tasks WHERE execution_id = :id) ORDER BY node_id, from_frame DESC",
        {"id": execution_id},
    )
    found = []
    for _, versions in groupby(rows, key=lambda row: row[1]):
        newest, *older = versions
        kept = first = newest
        for row in older:
            if row[13] != first[12] or row[3] != kept[3] or loop_of(row[2]) != loop_of(kept[2]):
                break
            first = row
            if row[13] > oldest:
                kept = row
        if first is not kept:
            found.append((*first[:13], kept[12]))
    return found
