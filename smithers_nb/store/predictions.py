"""Predictions in the file. Each function that writes runs in one transaction, on the connection's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from ..records import Prediction
from .connection import now
from .reader import Reader


def add(db: sqlite3.Connection, execution_id: str, predictions: Iterable[Prediction]) -> None:
    """Add what a learner expects of a frame."""
    db.executemany(
        'INSERT INTO predictions (execution_id, frame, learner, item, said, was, "right", at)'
        " VALUES (?, ?, ?, ?, ?, NULL, NULL, ?)",
        [(execution_id, one.frame, one.learner, one.item, one.said, now()) for one in predictions],
    )


def score(db: sqlite3.Connection, execution_id: str, predictions: Iterable[Prediction]) -> None:
    """Record the records' answers, and whether they were expected."""
    db.executemany(
        'UPDATE predictions SET was = ?, "right" = ? WHERE execution_id = ? AND frame = ? AND learner = ? AND item = ?',
        [(one.was, one.right, execution_id, one.frame, one.learner, one.item) for one in predictions],
    )


def load(reader: Reader, execution_id: str, frame: int | None = None, *, unscored: bool = False) -> list[Prediction]:
    """Return the predictions of an execution, or of a frame, in the order in which they were made."""
    rows = reader.query(
        'SELECT frame, learner, item, said, was, "right" FROM predictions WHERE execution_id = ?'
        " AND (? IS NULL OR frame = ?) AND (NOT ? OR (said IS NOT NULL AND was IS NULL)) ORDER BY frame, rowid",
        (execution_id, frame, frame, unscored),
    ).rows
    return [_prediction(row) for row in rows]


def in_file(reader: Reader) -> list[tuple[str, str, Prediction]]:
    """Return all predictions of a file, each with the id and name of its execution."""
    rows = reader.query(
        'SELECT execution_id, name, frame, learner, item, said, was, "right" FROM predictions JOIN executions'
        " USING (execution_id) ORDER BY executions.created_at, frame, predictions.rowid"
    ).rows
    return [(id, name, _prediction(row)) for id, name, *row in rows]


def _prediction(row: Sequence[Any]) -> Prediction:  # Any: SQLite's values
    frame, learner, item, said, was, right = row
    known = None if right is None else bool(right)  # SQLite has no booleans.
    return Prediction(frame, learner, item, said, was=was, right=known)
