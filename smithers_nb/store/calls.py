"""The audit of agents as rows: requests, tool calls, streamed pieces, and the rate windows of providers.

Like those of ``writer``, each function runs inside one transaction, on the connection's thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ..records import ModelCall, Piece, ToolCall
from .blobs import taken_out
from .connection import now
from .requests import Base, stored

OUT = "worker IS NOT NULL AND (status = 'running' OR status = 'blocked' AND reason IN ('no_worker', 'engine'))"
"""The condition for a task that workers run, or are to run: it continues whatever happens to the kernel."""
ON_WORKERS = "on workers"
"""The reason of such a task while no kernel has its execution: the next one joins it, at the same attempt."""


def at_time(seconds: float) -> str:
    """Return seconds since the epoch as the store writes times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def add_call(db: sqlite3.Connection, execution_id: str, call: ModelCall | ToolCall) -> None:
    """Record a request or a tool call."""
    if isinstance(call, ModelCall):
        put_model_call(db, execution_id, call)
    else:
        put_tool_call(db, execution_id, call)


_OUTCOME = (
    "response", "accepted", "partial", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cost_usd", "unpriced", "ms", "error", "status", "answered_by", "same", "reused_id",
    "saved_usd",
)  # fmt: skip
_MESSAGES = ("response", "accepted", "partial")
"""The columns of the outcome that are messages, as JSON."""
_ASKED = ("task_id", "turn", "attempt", "provider", "model", "signature", "agent", "caller")


def put_model_call(db: sqlite3.Connection, execution_id: str, call: ModelCall, base: Base | None = None) -> int:
    """Record that a request is sent, or how one that has a row ended; return the id of its row.

    ``base`` is an earlier request of the task whose row is complete: the new one is stored as what it adds to it.
    """
    told = {name: taken_out(db, execution_id, getattr(call, name)) for name in _MESSAGES}
    outcome = [told.get(name, getattr(call, name)) for name in _OUTCOME]
    if call.id is not None:
        changes = ", ".join(f"{name} = ?" for name in _OUTCOME)
        db.execute(f"UPDATE model_calls SET {changes} WHERE id = ?", (*outcome, call.id))
        return call.id
    request, history, parameters = stored(call, base)
    columns = ("execution_id", *_ASKED, "started_at", "base_id", "request", "history", "parameters", *_OUTCOME)
    cursor = db.execute(
        f"INSERT INTO model_calls ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        (
            execution_id,
            *(getattr(call, name) for name in _ASKED),
            at_time(call.started_at),
            base and base.id,
            taken_out(db, execution_id, request),
            taken_out(db, execution_id, history),
            parameters,
            *outcome,
        ),
    )
    assert cursor.lastrowid is not None  # for the type checker: the table has an INTEGER PRIMARY KEY
    return cursor.lastrowid


def put_tool_call(db: sqlite3.Connection, execution_id: str, call: ToolCall) -> None:
    """Record that a tool call waits for a person, or starts; or how a recorded one continues or ends. An end that is
    recorded already changes nothing.
    """
    # Most often the row is there: it is inserted before the tool is called, so that after a crash it shows that the
    # tool may have run.
    cursor = db.execute(
        "UPDATE tool_calls SET status = ?, input = ?, output = ?, started_at = ?, ms = ?, error = ?, reused_id = ?"
        " WHERE execution_id = ? AND task_id = ? AND turn = ? AND tool_call_id = ? AND attempt = ?"
        " AND agent IS ? AND caller IS ? AND status IN ('waiting', 'running')",
        (
            call.status,
            call.input,
            call.output,
            at_time(call.started_at),
            call.ms,
            call.error,
            call.reused_id,
            execution_id,
            call.task_id,
            call.turn,
            call.tool_call_id,
            call.attempt,
            call.agent,
            call.caller,
        ),
    )
    if cursor.rowcount or _has_ended(db, execution_id, call):
        return
    db.execute(
        "INSERT INTO tool_calls (execution_id, task_id, turn, attempt, tool_call_id, tool, input, output, status,"
        " started_at, ms, error, reused_id, agent, caller) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            execution_id,
            call.task_id,
            call.turn,
            call.attempt,
            call.tool_call_id,
            call.tool,
            call.input,
            call.output,
            call.status,
            at_time(call.started_at),
            call.ms,
            call.error,
            call.reused_id,
            call.agent,
            call.caller,
        ),
    )


def _has_ended(db: sqlite3.Connection, execution_id: str, call: ToolCall) -> bool:
    """Return whether this end of a tool call is recorded already: a runner elsewhere may tell it twice."""
    if call.status in ("waiting", "running"):
        return False
    return (
        db.execute(
            "SELECT 1 FROM tool_calls WHERE execution_id = ? AND task_id = ? AND turn = ? AND tool_call_id = ?"
            " AND attempt = ? AND agent IS ? AND caller IS ? AND status = ? AND output IS ?",
            (
                execution_id,
                call.task_id,
                call.turn,
                call.tool_call_id,
                call.attempt,
                call.agent,
                call.caller,
                call.status,
                call.output,
            ),
        ).fetchone()
        is not None
    )


# ---- the rows of workers -----------------------------------------------------------------------------------------


def put_told(
    db: sqlite3.Connection, execution_id: str, call: ModelCall | ToolCall, *, offset: int, base: Base | None
) -> int | None:
    """Record a request or a tool call that a worker told, and with it that the rows up to ``offset`` are here; return
    the id of a request's row.
    """
    id = None
    if isinstance(call, ModelCall):
        # The worker knows no ids of this file.
        id = put_model_call(db, execution_id, replace(call, id=_told_before(db, execution_id, call)), base)
    else:
        put_tool_call(db, execution_id, call)
    advance(db, execution_id, call.task_id, offset)
    return id


def add_told_pieces(
    db: sqlite3.Connection, execution_id: str, task_id: str, pieces: Iterable[Piece], *, offset: int
) -> None:
    """Record streamed pieces that a worker told, and with it that the rows up to ``offset`` are here."""
    add_pieces(db, execution_id, pieces)
    advance(db, execution_id, task_id, offset)


def _told_before(db: sqlite3.Connection, execution_id: str, call: ModelCall) -> int | None:
    """Return the id of the row that a request has since it was sent; None for one that is sent now."""
    if call.status == "running":
        return None
    row = db.execute(
        "SELECT max(id) FROM model_calls WHERE execution_id = ? AND task_id = ? AND turn = ? AND attempt = ?"
        " AND agent IS ? AND caller IS ?",
        (execution_id, call.task_id, call.turn, call.attempt, call.agent, call.caller),
    ).fetchone()
    found: int | None = row[0]
    return found


def advance(db: sqlite3.Connection, execution_id: str, task_id: str, offset: int) -> None:
    """Record that the rows of a task up to ``offset`` are here."""
    # With the row that it counts: whatever ends between the two leaves neither a row twice nor one that is missing.
    db.execute(
        "UPDATE tasks SET ledger_offset = ? WHERE execution_id = ? AND task_id = ?", (offset, execution_id, task_id)
    )


def interrupt_calls(db: sqlite3.Connection, execution_id: str, task_id: str | None = None) -> None:
    """Record that requests and tool calls which were open when their process ended have no end; without a task, those
    of all tasks but the ones that workers run.
    """
    whose = (
        "execution_id = ?1 AND status = 'running' AND (task_id = ?2 OR (?2 IS NULL AND task_id NOT IN"
        f" (SELECT task_id FROM tasks WHERE execution_id = ?1 AND ({OUT} OR reason = '{ON_WORKERS}'))))"
    )
    db.execute(f"UPDATE tool_calls SET status = 'interrupted' WHERE {whose}", (execution_id, task_id))
    db.execute(
        "UPDATE model_calls SET status = 'interrupted', error = 'its process ended before the answer came'"
        f" WHERE {whose}",
        (execution_id, task_id),
    )


def add_pieces(db: sqlite3.Connection, execution_id: str, pieces: Iterable[Piece]) -> None:
    """Record streamed pieces in their order."""
    db.executemany(
        "INSERT INTO stream_events (execution_id, task_id, turn, attempt, kind, payload, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((execution_id, *piece[:-1], at_time(piece[-1])) for piece in pieces),
    )


# ---- rate windows ----------------------------------------------------------------------------------------------

RECENT_S = 1.0
"""The period over which requests are counted, to learn the rate that a provider takes."""
MARGIN = 1.1
"""The factor between the interval of requests and the rate that the provider took."""
HELD_S = 60.0
"""The time for which the interval is kept after a refusal; then it halves in each such period."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn to ask a provider."""

    at: float
    """Seconds since the epoch."""
    refused: int
    """The number of refusals so far: a turn from before the latest refusal does not count."""
    closed_until: float
    """The end of a pause that is too long to wait for, in seconds since the epoch; else 0."""


def take_turn(db: sqlite3.Connection, name: str, at: float, patience_s: float) -> Turn:
    """Return when the provider may be asked: it may be later than ``at``, and no other has that moment.

    If it is closed for longer than ``patience_s``, no moment is taken.
    """
    row = db.execute(
        "SELECT opens_at, next_at, interval_ms, limited_at, refused, recent FROM rate_windows WHERE name = ?", (name,)
    ).fetchone()
    opens, following, interval_ms, limited, refused, recent = row or (None, None, 0.0, None, 0, "[]")
    if _seconds(opens) > at + patience_s:
        return Turn(_seconds(opens), refused, _seconds(opens))
    # Before a refusal nothing is known of the provider's rate, and requests are not kept apart.
    apart_s = _apart_s(interval_ms, _seconds(limited), at)
    turn = max(at, _seconds(opens))
    if apart_s:
        turn = max(turn, _seconds(following))
    # The latest 99 and this one: the list is read and written with every request, and its length is what that costs.
    times = [one for one in json.loads(recent) if one > turn - RECENT_S][-99:]
    db.execute(
        "INSERT INTO rate_windows (name, opens_at, next_at, interval_ms, limited_at, refused, recent, updated_at)"
        " VALUES (?1, NULL, ?2, 0, NULL, 0, ?3, ?4) ON CONFLICT DO UPDATE SET next_at = ?2, recent = ?3,"
        " updated_at = ?4",
        (name, at_time(turn + apart_s), json.dumps([*times, round(turn, 3)]), now()),
    )
    return Turn(turn, refused, 0.0)


def turn_holds(db: sqlite3.Connection, name: str, turn: Turn) -> bool:
    """Return whether a turn still counts: no request was refused since it was given."""
    row = db.execute("SELECT refused FROM rate_windows WHERE name = ?", (name,)).fetchone()
    return row is not None and row[0] == turn.refused


def close_window(db: sqlite3.Connection, name: str, at: float, wait_s: float) -> None:
    """Close a window for a time after a refusal, and make requests rarer afterwards."""
    opens, interval_ms, limited, recent = db.execute(
        "SELECT opens_at, interval_ms, limited_at, recent FROM rate_windows WHERE name = ?", (name,)
    ).fetchone() or (None, 0.0, None, "[]")
    times = json.loads(recent)[:-1]  # The refused one was not taken.
    taken = [one for one in times if at - RECENT_S < one <= at]
    learnt_s = MARGIN * RECENT_S / max(1, len(taken))
    before_s = _apart_s(interval_ms, _seconds(limited), at)
    apart_s = learnt_s
    if before_s:
        # Never closer than before, and at most a quarter wider: one refusal may have had another cause.
        apart_s = max(before_s, min(learnt_s, before_s * 1.25))
    # The provider counts the requests of the last second against the next one, however soon it says to come again.
    opens_at = max(_seconds(opens), at + wait_s, *(one + RECENT_S for one in taken[:1]))
    db.execute(
        "INSERT INTO rate_windows (name, opens_at, next_at, interval_ms, limited_at, refused, recent, updated_at)"
        " VALUES (?1, ?2, ?2, ?3, ?4, 1, ?5, ?6) ON CONFLICT DO UPDATE SET opens_at = ?2, next_at = ?2,"
        " interval_ms = ?3, limited_at = ?4, refused = refused + 1, recent = ?5, updated_at = ?6",
        (name, at_time(opens_at), apart_s * 1000, at_time(at), json.dumps(times), now()),
    )


def _apart_s(interval_ms: float, limited_at: float, at: float) -> float:
    """Return how far apart requests are now; 0 where nothing is known to be too close."""
    age = max(0.0, at - limited_at - HELD_S)
    apart_s: float = interval_ms / 1000 * 0.5 ** (age / HELD_S)
    # Halving never reaches 0: below 10 ms the interval is forgotten.
    if apart_s <= 0.01:
        return 0.0
    return apart_s


def _seconds(time: str | None) -> float:
    if not time:
        return 0.0
    return datetime.fromisoformat(time).timestamp()
