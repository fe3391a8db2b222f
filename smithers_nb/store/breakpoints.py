"""Breakpoints in the file, and their hits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..records import HIT, Breakpoint, Event, Hit, Stretch
from .connection import now
from .line import of_line
from .reader import Reader
from .writer import add_events

# ---- writing: each runs inside one transaction, on the connection's thread --------------------------------------


def put(db: sqlite3.Connection, execution_id: str, point: Breakpoint) -> None:
    """Add a breakpoint, or replace the one of the same id."""
    # Not INSERT OR REPLACE: created_at, by which they are listed, stays.
    db.execute(
        "INSERT INTO breakpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET kind ="
        " excluded.kind, target = excluded.target, event = excluded.event, value = excluded.value, condition ="
        " excluded.condition, once = excluded.once, enabled = excluded.enabled, log_only = excluded.log_only,"
        " after = excluded.after, hits = excluded.hits",
        (
            execution_id,
            point.id,
            point.kind,
            point.target,
            point.event,
            point.value,
            point.when,
            point.once,
            point.enabled,
            point.log_only,
            point.after,
            point.hits,
            now(),
        ),
    )


def remove(db: sqlite3.Connection, execution_id: str, id: str) -> None:
    """Remove a breakpoint; its hits stay."""
    db.execute("DELETE FROM breakpoints WHERE execution_id = ? AND breakpoint_id = ?", (execution_id, id))


def record(db: sqlite3.Connection, execution_id: str, points: Iterable[Breakpoint], events: Iterable[Event]) -> None:
    """Record hits: the counts of the breakpoints, and an event each."""
    db.executemany(
        "UPDATE breakpoints SET hits = ?, enabled = ? WHERE execution_id = ? AND breakpoint_id = ?",
        [(point.hits, point.enabled, execution_id, point.id) for point in points],
    )
    add_events(db, execution_id, events)


# ---- reading ---------------------------------------------------------------------------------------------------


def load(reader: Reader, execution_id: str) -> list[Breakpoint]:
    """Return the breakpoints, oldest first."""
    rows = reader.query(
        "SELECT breakpoint_id, kind, target, event, value, condition, once, enabled, log_only, after, hits"
        " FROM breakpoints WHERE execution_id = ? ORDER BY created_at, rowid",
        (execution_id,),
    ).rows
    # SQLite has no booleans: they come back as 0 and 1.
    return [replace(Breakpoint(*row), once=bool(row[6]), enabled=bool(row[7]), log_only=bool(row[8])) for row in rows]


def hits(reader: Reader, line: Sequence[Stretch], until: int, most: int) -> list[tuple[Hit, str]]:
    """Return the newest hits of a line up to a frame, newest first, each with its time."""
    where, parameters = of_line(line, "events", until=until)
    rows = reader.query(
        f"SELECT frame, node_id, payload, created_at FROM events WHERE {where} AND kind = :kind AND frame <= :until"
        " ORDER BY id DESC LIMIT :most",
        {**parameters, "kind": HIT, "until": until, "most": most},
    ).rows
    return [(_hit(frame, node_id, payload), at) for frame, node_id, payload, at in rows]


def _hit(frame: int, node_id: str | None, payload: str) -> Hit:
    found = json.loads(payload)
    return Hit(
        breakpoint_id=found["breakpoint"],
        frame=frame,
        phase=found["phase"],
        text=found["text"],
        node_id=node_id,
        log_only=bool(found["log_only"]),
        stops=bool(found["stops"]),
    )
