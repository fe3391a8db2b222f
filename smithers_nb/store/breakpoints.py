"""Breakpoints in the file: set, changed, and what hit them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ..records import Event
from .connection import now
from .reader import Reader
from .writer import add_event

Kind = Literal["node", "key", "handler", "phase", "error", "expression"]

HIT = "breakpoint"
"""Kind of the events that are hits."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where, and under which condition, a run stops."""

    id: str
    kind: Kind
    target: str | None = None
    """A node's id, a key, a phase; None for an error or an expression."""
    event: str | None = None
    """Of a node mount, finished, error, unmount; of a key written, changed, equals; of a handler its name, or None for
    any."""
    value: str | None = None
    """Of ``equals``, as JSON."""
    when: str | None = None
    """An expression that must be true, too."""
    once: bool = False
    enabled: bool = True
    log_only: bool = False
    """A hit is recorded, and nothing stops."""
    after: int = 1
    """It stops from so many hits on."""
    hits: int = 0

    @property
    def text(self) -> str:
        """What it waits for, in words: ``key n is changed, when state.n > 3``."""
        when = f", when {self.when}" if self.when and self.kind != "expression" else ""
        return f"{self._what}{when}"

    @property
    def _what(self) -> str:
        match self.kind:
            case "node":
                return f"node {self.target}: {self.event}"
            case "key":
                return f"key {self.target} {f'equals {self.value}' if self.event == 'equals' else f'is {self.event}'}"
            case "handler":
                return f"{self.event or 'any handler'} of {self.target or 'any node'} was called"
            case "phase":
                return f"phase {self.target} is done"
            case "error":
                return "any error"
            case _:
                return f"when {self.when}"

    def __repr__(self) -> str:
        marks = [
            *(["off"] if not self.enabled else []),
            *(["once"] if self.once else []),
            *(["log only"] if self.log_only else []),
            *([f"from hit {self.after} on"] if self.after > 1 else []),
        ]
        return f"<Breakpoint {self.id}: {self.text}{''.join(f', {mark}' for mark in marks)}; {self.hits} hits>"


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that a breakpoint waited for has happened."""

    breakpoint_id: str
    frame: int
    phase: str
    text: str
    """What, in words: ``n changed 1 → 2``."""
    node_id: str | None = None
    log_only: bool = False
    stops: bool = True

    def event(self) -> Event:
        """Return it as it is recorded."""
        payload = {
            "breakpoint": self.breakpoint_id,
            "phase": self.phase,
            "text": self.text,
            "log_only": self.log_only,
            "stops": self.stops,
        }
        return Event(self.frame, HIT, self.node_id, json.dumps(payload, ensure_ascii=False))


# ---- writing: each runs inside one transaction, on the connection's thread --------------------------------------


def put(db: sqlite3.Connection, execution_id: str, point: Breakpoint) -> None:
    """Add a breakpoint, or replace the one of the same id."""
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


def add_events(db: sqlite3.Connection, execution_id: str, events: Iterable[Event]) -> None:
    """Record events."""
    for event in events:
        add_event(db, execution_id, event.frame, event.kind, event.node_id, event.payload)


# ---- reading ---------------------------------------------------------------------------------------------------


def load(reader: Reader, execution_id: str) -> list[Breakpoint]:
    """Return the breakpoints, oldest first."""
    rows = reader.query(
        "SELECT breakpoint_id, kind, target, event, value, condition, once, enabled, log_only, after, hits"
        " FROM breakpoints WHERE execution_id = ? ORDER BY created_at, rowid",
        (execution_id,),
    ).rows
    return [replace(Breakpoint(*row), once=bool(row[6]), enabled=bool(row[7]), log_only=bool(row[8])) for row in rows]


def hits(reader: Reader, execution_id: str, until: int, most: int) -> list[tuple[Hit, str]]:
    """Return the newest hits up to a frame, newest first, each with its time."""
    rows = reader.query(
        "SELECT frame, node_id, payload, created_at FROM events WHERE execution_id = ? AND kind = ? AND frame <= ?"
        " ORDER BY id DESC LIMIT ?",
        (execution_id, HIT, until, most),
    ).rows
    return [(_hit(frame, node_id, payload), at) for frame, node_id, payload, at in rows]


def _hit(frame: int, node_id: str | None, payload: str) -> Hit:
    found = json.loads(payload)
    return Hit(
        found["breakpoint"],
        frame,
        found["phase"],
        found["text"],
        node_id,
        bool(found["log_only"]),
        bool(found["stops"]),
    )
