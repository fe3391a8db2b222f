"""Exercises in the file. Each function that writes runs in one transaction, on the connection's thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from ..records import CheckedStatement, ExerciseCheck
from .connection import now
from .reader import Reader

_COLUMNS = "exercise, seat, learner, attempt, held, cell, execution_id"


def begin(db: sqlite3.Connection, begun: ExerciseCheck) -> None:
    """Record that a learner begins an exercise, or begins it again: its attempts are counted further."""
    its = (begun.exercise, begun.seat, begun.learner)
    db.execute("DELETE FROM exercise_checks WHERE exercise = ? AND seat = ? AND learner = ? AND attempt = 0", its)
    db.execute(
        f"INSERT INTO exercise_checks ({_COLUMNS}, solved, at) VALUES (?, ?, ?, 0, '[]', NULL, NULL, 0, ?)",
        (*its, now()),
    )


def add(db: sqlite3.Connection, check: ExerciseCheck) -> ExerciseCheck:
    """Add an attempt, and return it with its number."""
    # Counted here: two notebooks may check the same exercise in the same file.
    (last,) = db.execute(
        "SELECT max(attempt) FROM exercise_checks WHERE exercise = ? AND seat = ? AND learner = ?",
        (check.exercise, check.seat, check.learner),
    ).fetchone()
    added = replace(check, attempt=(last or 0) + 1)
    db.execute(
        f"INSERT INTO exercise_checks ({_COLUMNS}, solved, at)"
        " VALUES (?, ?, ?, ?, ?, ?, (SELECT execution_id FROM executions WHERE execution_id = ?), ?, ?)",
        (
            *(added.exercise, added.seat, added.learner, added.attempt),
            json.dumps([asdict(one) for one in added.held], ensure_ascii=False),
            *(added.cell, added.execution_id, added.solved, now()),
        ),
    )
    return added


def last_begun(reader: Reader, exercise: str | None = None) -> ExerciseCheck | None:
    """Return the beginning of an exercise that is the newest, of this name or of all; None without one."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM exercise_checks WHERE attempt = 0 AND (?1 IS NULL OR exercise = ?1)"
        " ORDER BY at DESC, rowid DESC LIMIT 1",
        (exercise,),
    ).rows
    return _check(rows[0]) if rows else None


def in_file(reader: Reader) -> list[ExerciseCheck]:
    """Return all attempts of a file, in the order in which they were made, and the beginnings.

    A file of a release without exercises has none.
    """
    if not reader.query("SELECT 1 FROM sqlite_schema WHERE name = 'exercise_checks'").rows:
        return []
    return [_check(row) for row in reader.query(f"SELECT {_COLUMNS} FROM exercise_checks ORDER BY at, rowid").rows]


def _check(row: Sequence[Any]) -> ExerciseCheck:  # Any: SQLite's values
    exercise, seat, learner, attempt, held, cell, execution_id = row
    found = tuple(CheckedStatement(**one) for one in json.loads(held))
    return ExerciseCheck(exercise, seat, learner, attempt, held=found, cell=cell, execution_id=execution_id)
