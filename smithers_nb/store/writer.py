"""The writes of a running execution. Each function runs inside one transaction, on the connection's thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, compress, count
from operator import attrgetter
from time import perf_counter
from typing import NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from ..artifacts import Artifact
from ..errors import ExecutionOwnedError, UnknownExecutionError, clean
from ..nodes.tree import TreeNode
from ..records import (
    Answer,
    Durability,
    EffectRun,
    Event,
    HandlerCall,
    LoopState,
    ModelCall,
    NewExecution,
    Phase,
    Question,
    TaskCall,
    TaskEnd,
    TaskStart,
    ToolCall,
    Write,
)
from ..values import Stored
from .calls import ON_WORKERS, OUT, add_call, advance, at_time
from .connection import now
from .lease import FRESH_S, Lease, expiry, is_dead

# 16 columns (transitions) make 512 parameters: SQLite before 3.32 takes 999.
TOGETHER = 32
"""The number of rows that one statement inserts."""
Work = Callable[[sqlite3.Connection], None]
"""A transaction: a function of this module with all arguments but the connection bound."""


class Left(NamedTuple):
    """What settles the task of a node that has left the plan."""

    frame: int
    """The last frame that was committed."""
    stale: HandlerCall | None
    """The call that is not made; None if no handler waited for such an end."""


@dataclass(frozen=True, slots=True)
class FrameCommit:
    """The rows that COMMIT writes for a frame."""

    frame: int
    began_at: float
    """The clock of the frame's SNAPSHOT, in seconds since the epoch."""
    reason: tuple[str, ...]
    counts: tuple[int, int, int, int]
    """mounted, unmounted, updated, moved."""
    closed: list[tuple[str, int]]
    """(node id, from_frame) of the node versions that end with this frame."""
    opened: list[TreeNode]
    """The nodes that get a new version."""
    reads_closed: Sequence[tuple[str, str, int]]
    """(component, key, from_frame) of the reads that end with this frame."""
    reads_opened: Sequence[tuple[str, str]]
    """(component, key) of the reads that begin with it."""
    tasks: list[TaskStart]
    loops: list[tuple[str, LoopState]]
    """Loops that begin, continue or end, by node id."""
    events: Sequence[Event] = ()
    """Files that components looked at for the first time, or found changed."""
    loops_gone: list[str] = field(default_factory=list)
    """Ids of loops that were unmounted: mounted again, they begin again."""
    status: str | None = None
    """The execution's status from now on; None if the file has it already."""


@dataclass(frozen=True, slots=True)
class Change:
    """A key's value after a flush. ``since`` is the from_frame of the version that it replaces."""

    key: str
    since: int | None
    value: Stored | None
    """None where the key was deleted."""


@dataclass(frozen=True, slots=True)
class FlushResult:
    """The rows that FLUSH writes: the calls of handlers and effects, and the outcome of every write."""

    frame: int
    changes: list[Change]
    transitions: list[tuple[Write, str | None, str | None]]
    """Each write in order of application, with its old and new value as JSON."""
    calls: list[HandlerCall]
    effects: list[EffectRun]
    settled: list[str]
    """Ids of the tasks that are dealt with: handled, or without a handler to call."""
    ended: list[tuple[TaskEnd, Left | None]] = field(default_factory=list)
    """Tasks whose end had to wait for their writes, with what settles those whose node has left the plan."""
    artifacts: list[Artifact] = field(default_factory=list)
    """Artifacts in the order in which they were made; a later one of the same id replaces an earlier one."""
    events: list[Event] = field(default_factory=list)


# ---- executions and leases -------------------------------------------------------------------------------------


def create_execution(db: sqlite3.Connection, row: NewExecution, lease: Lease, state: Mapping[str, Stored]) -> None:
    """Add an execution with its first state, owned by us."""
    add_execution(db, row, lease)
    db.executemany(
        "INSERT INTO state VALUES (?, ?, ?, ?, 1, NULL)",
        [(row.execution_id, key, value.text, value.type) for key, value in state.items()],
    )
    db.executemany(
        "INSERT INTO transitions VALUES (?, ?, 0, ?, 'state', ?, 'init', NULL, ?, 'applied', 'Execution(state=…)',"
        " 'init', NULL, NULL, NULL, NULL)",
        [(row.execution_id, f"0w{n}", n, key, value.text) for n, (key, value) in enumerate(state.items(), 1)],
    )


def add_execution(db: sqlite3.Connection, row: NewExecution, lease: Lease) -> None:
    """Add an execution without any state, owned by us."""
    at = now()
    db.execute(
        "INSERT INTO executions (execution_id, name, kind, parent_id, forked_at_frame, forked_at_seq, status, reason,"
        " app, props, reuse, code_hash, engine_version, seed, durability, owner, owned_since, lease_expires_at,"
        " created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, 'ready', '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.execution_id,
            row.name,
            row.kind,
            row.parent_id,
            row.forked_at_frame,
            row.forked_at_seq,
            row.app,
            row.props,
            row.reuse,
            row.code_hash,
            row.engine_version,
            row.seed,
            row.durability,
            lease.owner,
            at,
            expiry(),
            at,
            at,
        ),
    )


def set_durability(db: sqlite3.Connection, execution_id: str, durability: Durability) -> None:
    """Record the durability with which an execution is resumed by default."""
    db.execute("UPDATE executions SET durability = ? WHERE execution_id = ?", (durability, execution_id))


def claim_execution(db: sqlite3.Connection, execution_id: str, lease: Lease) -> None:
    """Take the lease of an execution that is free, that has expired, or whose owner is dead.

    Raises:
        ExecutionOwnedError: if another living process has it.
        UnknownExecutionError: if there is no such execution.
    """
    row = db.execute(
        "SELECT owner, owned_since, updated_at, lease_expires_at, name FROM executions WHERE execution_id = ?",
        (execution_id,),
    ).fetchone()
    if row is None:
        raise UnknownExecutionError(f"there is no execution {execution_id!r} in this file.")
    owner, since, active, until, name = row
    # The claim and the check are in one IMMEDIATE transaction: of two processes that find the lease free, one waits and
    # then sees the other as the owner. A dead owner's lease need not run out first, and that makes restarts quick.
    # Times are compared as texts, here and in SQL: all of them are in UTC and of one length (connection.now).
    if owner is not None and owner != lease.owner and until > now() and not is_dead(owner):
        raise ExecutionOwnedError(
            f"execution {name!r} ({execution_id}) is being run by {owner} since {since}, last active {active}, its "
            f"lease holds until {until}. It can be read here; to continue it, close it there or wait until the lease "
            "has run out.",
            owner=owner,
            since=since,
            until=until,
        )
    db.execute(
        "UPDATE executions SET owner = ?, owned_since = ?, lease_expires_at = ? WHERE execution_id = ?",
        (lease.owner, now(), expiry(), execution_id),
    )


def check_owner(db: sqlite3.Connection, execution_id: str, lease: Lease) -> None:
    """Check that the execution is still ours, and extend our lease, unless that was done in the last second.

    Raises:
        ExecutionOwnedError: if another process has taken it over meanwhile.
    """
    # The owner is the fencing token: each opening of an execution has a new one (Lease.owner), even in one process. The
    # time does not decide: an expired lease that no other process has claimed is still ours to renew.
    row = db.execute(
        "SELECT owner, owned_since, lease_expires_at FROM executions WHERE execution_id = ?", (execution_id,)
    ).fetchone()
    if row is None:
        raise ExecutionOwnedError(f"execution {execution_id} was deleted from the file. Nothing more is written.")
    owner, since, until = row
    if owner == lease.owner:
        # In every transaction, which costs nothing more: a process that writes never loses its lease. Times are
        # compared as texts (claim_execution).
        if until < expiry(FRESH_S):
            renew_lease(db, execution_id)
        return
    who = "another process, which has closed it since"
    if owner:
        who = f"{owner} since {since}"
    raise ExecutionOwnedError(
        f"execution {execution_id} was taken over by {who}: this process had not renewed its lease in time. Committed "
        "frames are safe, nothing more is written from here; Execution.resume continues it when it is free.",
        owner=owner,
        since=since,
        until=until,
    )


def renew_lease(db: sqlite3.Connection, execution_id: str) -> None:
    """Extend our lease, which ``check_owner`` has found to be ours."""
    db.execute(
        "UPDATE executions SET lease_expires_at = ?, updated_at = ? WHERE execution_id = ?",
        (expiry(), now(), execution_id),
    )


def heartbeat(db: sqlite3.Connection, execution_id: str, lease: Lease) -> None:
    """Extend our lease, and those of the tasks that we are running."""
    renew_lease(db, execution_id)
    db.execute(
        "UPDATE tasks SET lease_expires_at = ? WHERE execution_id = ? AND lease_owner = ?",
        (expiry(), execution_id, lease.owner),
    )


def set_result(db: sqlite3.Connection, execution_id: str, status: str, reason: str, result: Stored | None) -> None:
    """Record how the execution ended, with the value of its End."""
    set_status(db, execution_id, status, reason)
    db.execute(
        "UPDATE executions SET result = ?, result_type = ? WHERE execution_id = ?",
        (*_columns(result), execution_id),
    )


def add_event(
    db: sqlite3.Connection, execution_id: str, frame: int, kind: str, node_id: str | None, payload: str
) -> None:
    """Record an event, which is neither a write nor a call; ``payload`` is JSON."""
    db.execute(
        "INSERT INTO events (execution_id, frame, kind, node_id, payload, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (execution_id, frame, kind, node_id, payload, now()),
    )


def swap_app(
    db: sqlite3.Connection, execution_id: str, frame: int, app: str, code_hash: str, engine_version: str
) -> None:
    """Record that the execution runs with other code from now on: the user's, or the engine's."""
    db.execute(
        "UPDATE executions SET app = ?, code_hash = ?, engine_version = ?, updated_at = ? WHERE execution_id = ?",
        (app, code_hash, engine_version, now(), execution_id),
    )
    payload = {"app": app, "code_hash": code_hash, "engine_version": engine_version}
    text = json.dumps(payload, ensure_ascii=False)
    add_event(db, execution_id, frame=frame, kind="swap", node_id=None, payload=text)


def release_lease(db: sqlite3.Connection, execution_id: str, lease: Lease) -> None:
    """Give our lease back, if we still have it."""
    # The condition on the owner keeps a process that was taken over from freeing the lease of its successor.
    db.execute(
        "UPDATE executions SET owner = NULL, owned_since = NULL, lease_expires_at = NULL"
        " WHERE execution_id = ? AND owner = ?",
        (execution_id, lease.owner),
    )


def set_status(db: sqlite3.Connection, execution_id: str, status: str, reason: str) -> None:
    """Record the status of the execution."""
    db.execute(
        "UPDATE executions SET status = ?, reason = ?, updated_at = ? WHERE execution_id = ?",
        (status, reason, now(), execution_id),
    )


def record_standing(
    db: sqlite3.Connection, execution_id: str, status: str, reason: str, events: Iterable[Event]
) -> None:
    """Record the status of the execution, and events that no other transaction has recorded."""
    set_status(db, execution_id, status, reason)
    add_events(db, execution_id, events)


def add_events(db: sqlite3.Connection, execution_id: str, events: Iterable[Event]) -> None:
    """Record events in their order."""
    for event in events:
        add_event(db, execution_id, frame=event.frame, kind=event.kind, node_id=event.node_id, payload=event.payload)


def _many(db: sqlite3.Connection, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement once a row."""
    # Most frames have no rows for most tables, and executemany takes its time for none, too.
    if rows:
        db.executemany(sql, rows)


def _insert(db: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, ``TOGETHER`` of them a statement, with the values that all of them share bound once."""
    # That takes half the time of one row a statement. Most of the time is binding, and most of that is binding None:
    # sqlite3 looks for an adapter each time.
    whole = len(rows) - len(rows) % TOGETHER
    if whole:
        columns = list(zip(*rows[:whole], strict=True))
        common = tuple(column.count(column[0]) == whole for column in columns)
        sql = _together(into, common)
        shared = [column[0] for column in compress(columns, common)]
        own = list(zip(*(column for column, same in zip(columns, common, strict=True) if not same), strict=True))
        for at in range(0, whole, TOGETHER):
            db.execute(sql, [*shared, *chain.from_iterable(own[at : at + TOGETHER])])
    if rows[whole:]:
        db.executemany(_alone(into, len(rows[0])), rows[whole:])


@lru_cache(maxsize=64)
def _alone(into: str, columns: int) -> str:
    """Return the statement that inserts one row."""
    return f"{into} VALUES ({', '.join('?' * columns)})"


@lru_cache(maxsize=64)
def _together(into: str, common: tuple[bool, ...]) -> str:
    """Return the statement that inserts ``TOGETHER`` rows: first the values of the common columns are bound, then row
    by row the others.
    """
    own = count(sum(common) + 1)
    rows = []
    for _ in range(TOGETHER):
        shared = count(1)
        numbers = [next(shared if same else own) for same in common]
        rows.append(f"({', '.join(f'?{number}' for number in numbers)})")
    return f"{into} VALUES {', '.join(rows)}"


# ---- a frame ---------------------------------------------------------------------------------------------------


def commit_frame(
    db: sqlite3.Connection, execution_id: str, commit: FrameCommit, *, ms: Mapping[Phase, float], started: float
) -> None:
    """Write a COMMIT: the frame's row, the node versions that begin and end with it, the tasks to start."""
    _commit_nodes(db, execution_id, commit)
    _commit_reads(db, execution_id, commit)
    add_tasks(db, execution_id, commit.tasks, commit.frame)
    _commit_loops(db, execution_id, commit)
    add_events(db, execution_id, commit.events)
    if commit.status is not None:
        set_status(db, execution_id, commit.status, "")
    # Last, because it holds the time of COMMIT. What follows, SQLite's own commit, is not in it: a second transaction
    # to add that would take longer.
    _open_frame(db, execution_id, commit, ms=ms, started=started)


def _commit_nodes(db: sqlite3.Connection, execution_id: str, commit: FrameCommit) -> None:
    # A node that did not change has no row for this frame: its open version holds. So a frame costs what it changes,
    # not the size of its plan.
    _many(
        db,
        "UPDATE nodes SET to_frame = ? WHERE execution_id = ? AND node_id = ? AND from_frame = ?",
        [(commit.frame, execution_id, node_id, since) for node_id, since in commit.closed],
    )
    _insert(
        db,
        "INSERT INTO nodes",
        # In the order of the table: SQLite appends then, instead of searching for the place of each row.
        [_node_row(execution_id, node, commit.frame) for node in sorted(commit.opened, key=attrgetter("id"))],
    )


def _commit_reads(db: sqlite3.Connection, execution_id: str, commit: FrameCommit) -> None:
    _many(
        db,
        "UPDATE reads SET to_frame = ? WHERE execution_id = ? AND component = ? AND key = ? AND from_frame = ?",
        [(commit.frame, execution_id, *read) for read in commit.reads_closed],
    )
    rows = [(execution_id, *read, commit.frame, None) for read in commit.reads_opened]
    _insert(db, "INSERT INTO reads", rows)


def _commit_loops(db: sqlite3.Connection, execution_id: str, commit: FrameCommit) -> None:
    frame = commit.frame
    # OR REPLACE: a loop whose place in the plan has changed may go and begin again in one frame.
    _many(
        db,
        "INSERT OR REPLACE INTO loops SELECT execution_id, node_id, iteration, 'unmounted', ?, NULL FROM loops"
        " WHERE execution_id = ? AND node_id = ? AND to_frame IS NULL",
        [(frame, execution_id, id) for id in commit.loops_gone],
    )
    _many(
        db,
        "INSERT OR REPLACE INTO loops VALUES (?, ?, ?, ?, ?, NULL)",
        [(execution_id, id, state.iteration, state.status, frame) for id, state in commit.loops],
    )
    _many(
        db,
        "UPDATE loops SET to_frame = ?1 WHERE execution_id = ?2 AND node_id = ?3 AND to_frame IS NULL"
        " AND from_frame < ?1",
        [(frame, execution_id, id) for id in (*commit.loops_gone, *(id for id, _ in commit.loops))],
    )


def _open_frame(
    db: sqlite3.Connection, execution_id: str, commit: FrameCommit, *, ms: Mapping[Phase, float], started: float
) -> None:
    """Insert the frame's row. It stays 'open' until FLUSH: after a crash it shows a frame that was not finished."""
    db.execute(
        "INSERT INTO frames (execution_id, frame, reason, status, created_at, mounted, unmounted, updated, moved,"
        " snapshot_ms, render_ms, reconcile_ms, commit_ms) VALUES (?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            execution_id,
            commit.frame,
            json.dumps(commit.reason, ensure_ascii=False),
            at_time(commit.began_at),
            *commit.counts,
            ms[Phase.SNAPSHOT],
            ms[Phase.RENDER],
            ms[Phase.RECONCILE],
            _elapsed_ms(started),
        ),
    )


def flush_frame(
    db: sqlite3.Connection, execution_id: str, flush: FlushResult, *, ms: Mapping[Phase, float] | None, started: float
) -> None:
    """Write a FLUSH: new values, transitions, handler calls and effect runs, settled tasks, and the end of the frame.

    ``ms`` is None for writes that are applied between two frames.
    """
    _flush_state(db, execution_id, flush)
    transitions = flush.transitions
    # No write of an open frame has a row before its own FLUSH: only those between two frames come after others.
    if ms is None:
        transitions = _numbered_on(db, execution_id, flush)
    rows = [_transition_row(execution_id, flush.frame, *row) for row in transitions]
    _insert(db, "INSERT INTO transitions", rows)
    _flush_calls(db, execution_id, flush)
    for artifact in flush.artifacts:
        put_artifact(db, execution_id, artifact)
    add_events(db, execution_id, flush.events)
    # With the writes of its handler, in this transaction: after a crash either both are there, or the task is handled
    # again. That is what makes a handler's writes apply exactly once.
    _settle_tasks(db, execution_id, flush)
    if ms is not None:
        _close_frame(db, execution_id, flush, ms=ms, started=started)


def _flush_state(db: sqlite3.Connection, execution_id: str, flush: FlushResult) -> None:
    """Write the new versions of values."""
    # A frame never reads its own writes: the values that they replace hold for it, too.
    following = flush.frame + 1
    _many(
        db,
        "UPDATE state SET to_frame = ? WHERE execution_id = ? AND key = ? AND from_frame = ?",
        [(following, execution_id, change.key, change.since) for change in flush.changes if change.since is not None],
    )
    values = [(change.key, change.value) for change in flush.changes if change.value is not None]
    _insert(
        db,
        # A key that is written twice between two frames has one version for the next frame.
        "INSERT OR REPLACE INTO state",
        [(execution_id, key, value.text, value.type, following, None) for key, value in values],
    )


def _flush_calls(db: sqlite3.Connection, execution_id: str, flush: FlushResult) -> None:
    _many(db, _HANDLER, [_handler_row(execution_id, call) for call in flush.calls])
    _many(
        db,
        "INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (execution_id, e.id, e.frame, e.node_id, e.kind, e.status, e.deps, e.writes, e.ms, e.error)
            for e in flush.effects
        ],
    )


def _settle_tasks(db: sqlite3.Connection, execution_id: str, flush: FlushResult) -> None:
    for end, left in flush.ended:
        end_task(db, execution_id, end, left)
    _many(
        db,
        "UPDATE tasks SET settled_at_frame = ? WHERE execution_id = ? AND task_id = ?",
        [(flush.frame, execution_id, task_id) for task_id in flush.settled],
    )


def _close_frame(
    db: sqlite3.Connection, execution_id: str, flush: FlushResult, *, ms: Mapping[Phase, float], started: float
) -> None:
    db.execute(
        "UPDATE frames SET status = 'done', handlers = ?, writes = ?, execute_ms = ?, effects_ms = ?, flush_ms = ?"
        " WHERE execution_id = ? AND frame = ?",
        (
            len(flush.calls),
            len(flush.transitions),
            ms[Phase.EXECUTE],
            ms[Phase.EFFECTS],
            _elapsed_ms(started),
            execution_id,
            flush.frame,
        ),
    )


def as_json(value: object) -> str:
    """Return JSON text."""
    # to_json takes a third of the time of json.dumps, but refuses lone surrogates.
    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return clean(json.dumps(value, ensure_ascii=False))


def _columns(value: Stored | None) -> tuple[str | None, str | None]:
    """Return a value as its two columns: JSON text, and type."""
    if value is None:
        return None, None
    return value.text, value.type


def _node_row(execution_id: str, node: TreeNode, frame: int) -> tuple[object, ...]:
    # Rows are tuples in the order of schema.sql, not named parameters: binding by name takes longer. The generated
    # column, span, is no part of them.
    return (
        execution_id,
        node.id,
        node.path,
        node.type,
        node.key,
        int(node.explicit_id),
        node.parent_id,
        node.position,
        # Most nodes have neither, and these rows are many.
        as_json(node.props) if node.props else "{}",
        json.dumps(node.events) if node.events else "[]",
        node.text,
        node.source,
        frame,
        None,
    )


def _numbered_on(
    db: sqlite3.Connection, execution_id: str, flush: FlushResult
) -> list[tuple[Write, str | None, str | None]]:
    """Return the transitions with their seq after that of the frame's earlier ones."""
    # Writes between two frames belong to the frame before, and come after those of its FLUSH.
    if not flush.transitions:
        return []
    last = last_seq(db, execution_id, flush.frame)
    if not last:
        return flush.transitions
    return [(replace(write, seq=last + write.seq), old, new) for write, old, new in flush.transitions]


def last_seq(db: sqlite3.Connection, execution_id: str, frame: int) -> int:
    """Return the ``seq`` of the last write of a frame; 0 if it has none. A branch adds to the frame of its fork."""
    (last,) = db.execute(
        "SELECT coalesce((SELECT max(seq) FROM transitions WHERE execution_id = ?1 AND frame = ?2),"
        " (SELECT forked_at_seq FROM executions WHERE execution_id = ?1 AND forked_at_frame = ?2), 0)",
        (execution_id, frame),
    ).fetchone()
    return int(last)


_HANDLER = "INSERT INTO handlers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _handler_row(execution_id: str, c: HandlerCall) -> tuple[object, ...]:
    return (execution_id, c.id, c.frame, c.node_id, c.task_id, c.event, c.status, c.writes, c.ms, c.error, c.source)


def _transition_row(execution_id: str, frame: int, w: Write, old: str | None, new: str | None) -> tuple[object, ...]:
    return (
        execution_id, w.id, frame, w.seq, w.scope, w.key, w.op, old, new, w.status, w.trigger, w.origin, w.origin_id,
        w.node_id, w.handler, w.tool_call_id,
    )  # fmt: skip


def _elapsed_ms(started: float) -> float:
    return (perf_counter() - started) * 1000


# ---- artifacts --------------------------------------------------------------------------------------


def put_artifact(db: sqlite3.Connection, execution_id: str, artifact: Artifact) -> None:
    """Add an artifact, or a version of the one with the same id. A frame has at most one version of each."""
    at = now()
    id = artifact.id
    # created_at, by which artifacts are ordered, is that of the first version.
    db.execute(
        "INSERT INTO artifacts SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, coalesce((SELECT min(created_at) FROM artifacts"
        " WHERE execution_id = ?1 AND artifact_id = ?2), ?8), ?8 WHERE true ON CONFLICT DO UPDATE SET"
        " kind = excluded.kind, title = excluded.title, content = excluded.content, node_id = excluded.node_id,"
        " updated_at = excluded.updated_at",
        (
            execution_id,
            id,
            artifact.kind,
            artifact.title,
            json.dumps(artifact.content, ensure_ascii=False),
            artifact.node_id,
            artifact.frame,
            at,
        ),
    )
    db.execute(
        "UPDATE artifacts SET to_frame = ?1 WHERE execution_id = ?2 AND artifact_id = ?3 AND to_frame IS NULL"
        " AND frame < ?1",
        (artifact.frame, execution_id, id),
    )


# ---- tasks -----------------------------------------------------------------------------------------------------


def add_tasks(db: sqlite3.Connection, execution_id: str, tasks: list[TaskStart], frame: int) -> None:
    """Add tasks that are ready to be run."""
    db.executemany(
        "INSERT INTO tasks (execution_id, task_id, node_id, mounted_at_frame, status, attempt, max_attempts)"
        " VALUES (?, ?, ?, ?, 'pending', 0, ?)",
        [(execution_id, task.task_id, task.node_id, frame, task.max_attempts) for task in tasks],
    )


def handle_again(db: sqlite3.Connection, execution_id: str, task: TaskStart, of: str, frame: int) -> None:
    """Add a task that has ended already, with the result of the task ``of``: its handler is to be called.

    It has neither a start nor a usage: nothing ran.
    """
    db.execute(
        "INSERT INTO tasks (execution_id, task_id, node_id, mounted_at_frame, status, reason, attempt, max_attempts,"
        " ended_at, result, result_type, error) SELECT execution_id, ?1, node_id, ?2, status, ?3, attempt,"
        " max_attempts, ?4, result, result_type, error FROM tasks WHERE execution_id = ?5 AND task_id = ?6",
        (task.task_id, frame, f"{HANDLED_AGAIN}{of}", now(), execution_id, of),
    )


HANDLED_AGAIN = "handled again: the result of "
"""The reason of a task whose handler is called again by hand; the id of the task that ran follows."""


def ask(db: sqlite3.Connection, execution_id: str, question: Question) -> None:
    """Record a question to a person; its task is blocked."""
    # OR IGNORE: a task that runs again after a crash asks under the same id, and the first question stays.
    db.execute(
        "INSERT OR IGNORE INTO approvals (execution_id, approval_id, task_id, node_id, kind, prompt, payload, options,"
        " status, asked_at, turn, tool_call_id, args_schema) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?)",
        (
            execution_id,
            question.approval_id,
            question.task_id,
            question.node_id,
            question.kind,
            question.prompt,
            question.payload.text,
            json.dumps(question.options, ensure_ascii=False),
            now(),
            question.turn,
            question.tool_call_id,
            question.schema,
        ),
    )
    db.execute(
        "UPDATE tasks SET status = 'blocked', reason = 'approval', lease_owner = NULL, lease_expires_at = NULL"
        " WHERE execution_id = ? AND task_id = ?",
        (execution_id, question.task_id),
    )


def stall_task(db: sqlite3.Connection, execution_id: str, task_id: str, *, reason: str | None, why: str | None) -> None:
    """Record that a task on workers can't continue for now, and why; or that it can again, without a reason."""
    db.execute(
        "UPDATE tasks SET status = ?, reason = ?, error = ? WHERE execution_id = ? AND task_id = ?",
        ("blocked" if reason else "running", reason, why, execution_id, task_id),
    )


def note_silence(db: sqlite3.Connection, execution_id: str, task_id: str, *, reason: str | None) -> None:
    """Record when the worker of a running task was seen last, or what else there is to tell of it."""
    db.execute(
        "UPDATE tasks SET reason = ? WHERE execution_id = ? AND task_id = ? AND status = 'running' AND worker != ''",
        (reason, execution_id, task_id),
    )


def lose_worker(db: sqlite3.Connection, execution_id: str, task_id: str, *, node_id: str, why: str) -> None:
    """Record that the worker of a task has gone: no other has the task yet."""
    note_worker(db, execution_id, task_id, worker="", note=why)
    (frame,) = db.execute("SELECT max(frame) FROM frames WHERE execution_id = ?", (execution_id,)).fetchone()
    payload = json.dumps({"task_id": task_id, "text": why}, ensure_ascii=False)
    add_event(db, execution_id, frame=frame, kind="worker_lost", node_id=node_id, payload=payload)


def add_told_output(
    db: sqlite3.Connection, execution_id: str, task_id: str, events: Iterable[Event], *, offset: int
) -> None:
    """Record what a task printed on a worker, and with it that the rows up to ``offset`` are here."""
    add_events(db, execution_id, events)
    advance(db, execution_id, task_id, offset)


def note_worker(db: sqlite3.Connection, execution_id: str, task_id: str, *, worker: str, note: str | None) -> None:
    """Record the worker that has a task, with a note, if there is one."""
    db.execute(
        "UPDATE tasks SET worker = ?, reason = coalesce(?, reason) WHERE execution_id = ? AND task_id = ?",
        (worker, note, execution_id, task_id),
    )


def ask_about_tools(
    db: sqlite3.Connection, execution_id: str, questions: list[Question], late: Iterable[ModelCall | ToolCall]
) -> list[Question]:
    """Record questions about tool calls of a task; return them with the ids that they get.

    ``late`` are requests and tool calls that could not be recorded before: the next attempt needs them.
    """
    for call in late:
        add_call(db, execution_id, call)
    (before,) = db.execute(
        "SELECT count(*) FROM approvals WHERE execution_id = ? AND task_id = ?", (execution_id, questions[0].task_id)
    ).fetchone()
    numbered = [replace(one, approval_id=f"{one.task_id}:tool{n}") for n, one in enumerate(questions, before + 1)]
    for question in numbered:
        ask(db, execution_id, question)
    db.execute(
        f"UPDATE tasks SET {_COMES_BACK} WHERE execution_id = ? AND task_id = ?", (execution_id, questions[0].task_id)
    )
    return numbered


ANSWERED = "answered"
"""The reason of a task that is ready to continue after people have answered: no attempt of it has failed."""
_COMES_BACK = "leg = leg + 1, ledger_offset = 0"
"""The change of a task that comes back without an end: the next leg is a new item, with rows of its own."""


def answer(
    db: sqlite3.Connection, execution_id: str, question: Question, *, given: Answer, end: TaskEnd | None
) -> None:
    """Record a person's answer, and with it the end of the task. Without an end the task is ready to be run again once
    none of its questions is open.
    """
    db.execute(
        "UPDATE approvals SET status = 'answered', choice = ?, comment = ?, args = ?, result = ?, reused_from = ?,"
        " answered_at = ? WHERE execution_id = ? AND approval_id = ?",
        (
            given.choice,
            given.comment,
            given.args,
            given.result,
            given.reused_from,
            now(),
            execution_id,
            question.approval_id,
        ),
    )
    if end is not None:
        end_task(db, execution_id, end)
        return
    # An agent that asked about a tool call continues its attempt; any other task that asks begins a new one.
    reason = None
    if question.tool_call_id is not None:
        reason = ANSWERED
    db.execute(
        "UPDATE tasks SET status = 'pending', reason = ?1 WHERE execution_id = ?2 AND task_id = ?3 AND NOT EXISTS"
        " (SELECT 1 FROM approvals WHERE execution_id = ?2 AND task_id = ?3 AND status = 'waiting')",
        (reason, execution_id, question.task_id),
    )


def start_tasks(
    db: sqlite3.Connection,
    execution_id: str,
    tasks: Mapping[str, TaskCall],
    lease: Lease,
    *,
    here: Mapping[str, str | None] | None = None,
) -> set[str]:
    """Acquire tasks that are ready to be run, by id, with what they call; return the ids of those that are ours now.

    ``here`` has the tasks that stay in this process although others go to workers, with the reason to tell; None if
    none goes there.
    """
    acquired = set()
    for task_id, call in tasks.items():
        out = here is not None and task_id not in here
        # A task that continues after an answer is still at the attempt in which it asked, and one that workers have
        # run meanwhile is at the same. IS NOT, because the reason may be NULL.
        cursor = db.execute(
            "UPDATE tasks SET status = 'running', attempt = attempt + (reason IS NOT ?1 AND reason IS NOT ?9),"
            " reason = CASE WHEN ?10 THEN NULL ELSE coalesce(?11, nullif(nullif(reason, ?1), ?9)) END,"
            " worker = CASE WHEN ?10 THEN coalesce(worker, '') END,"
            " lease_owner = ?2, lease_expires_at = ?3, started_at = coalesce(started_at, ?4), args_hash = ?7,"
            " code_hash = ?8 WHERE execution_id = ?5 AND task_id = ?6 AND status = 'pending'",
            (
                ANSWERED,
                lease.owner,
                expiry(),
                now(),
                execution_id,
                task_id,
                call.args_hash,
                call.code_hash,
                ON_WORKERS,
                out,
                None if here is None else here.get(task_id),
            ),
        )
        if cursor.rowcount:
            acquired.add(task_id)
    return acquired


def block_task(
    db: sqlite3.Connection,
    execution_id: str,
    task_id: str,
    reason: str,
    until: str,
    error: str,
    late: Iterable[ModelCall | ToolCall],
) -> None:
    """Record that a task waits, and gave its lease back, until a time (ISO 8601).

    ``late`` are requests and tool calls that could not be recorded before: the next attempt needs them.
    """
    for call in late:
        add_call(db, execution_id, call)
    db.execute(
        "UPDATE tasks SET status = 'blocked', reason = ?, next_retry_at = ?, error = ?, lease_owner = NULL,"
        f" lease_expires_at = NULL, {_COMES_BACK} WHERE execution_id = ? AND task_id = ?",
        (reason, until, error, execution_id, task_id),
    )


def unblock_task(db: sqlite3.Connection, execution_id: str, task_id: str, lease: Lease) -> bool:
    """Acquire a task that has waited long enough; return whether it is ours now."""
    cursor = db.execute(
        "UPDATE tasks SET status = 'running', reason = NULL, next_retry_at = NULL, lease_owner = ?,"
        " lease_expires_at = ? WHERE execution_id = ? AND task_id = ? AND status = 'blocked'",
        (lease.owner, expiry(), execution_id, task_id),
    )
    return cursor.rowcount > 0


def next_attempt(db: sqlite3.Connection, execution_id: str, task_id: str, attempt: int, error: str) -> None:
    """Record that an attempt failed and another begins."""
    db.execute(
        f"UPDATE tasks SET attempt = ?, error = ?, {_COMES_BACK} WHERE execution_id = ? AND task_id = ?",
        (attempt, error, execution_id, task_id),
    )


def end_task(
    db: sqlite3.Connection,
    execution_id: str,
    end: TaskEnd,
    left: Left | None = None,
) -> None:
    """Record how a task ended and release it; ``left`` is given if its node has left the plan."""
    if end.status != "succeeded":
        withdraw(db, execution_id, [end.task_id])
    for call in end.calls:
        add_call(db, execution_id, call)
    db.execute(
        "UPDATE tasks SET status = ?, reason = ?, attempt = ?, ended_at = ?, result = ?, result_type = ?, error = ?,"
        " input_tokens = ?, output_tokens = ?, requests = ?, cost_usd = ?, lease_owner = NULL, lease_expires_at = NULL,"
        " next_retry_at = NULL, reused_from = ? WHERE execution_id = ? AND task_id = ?",
        (
            end.status,
            end.reason,
            end.attempt,
            now(),
            *_columns(end.result),
            end.error,
            end.usage.get("input_tokens"),
            end.usage.get("output_tokens"),
            end.usage.get("requests"),
            end.cost_usd,
            end.reused_from,
            execution_id,
            end.task_id,
        ),
    )
    if left is not None:
        settle_left(db, execution_id, end.task_id, left)


def settle_left(db: sqlite3.Connection, execution_id: str, task_id: str, left: Left) -> None:
    """Settle the task of a node that has left the plan, and record the call that is not made."""
    if left.stale is not None:
        db.execute(_HANDLER, _handler_row(execution_id, left.stale))
    db.execute(
        "UPDATE tasks SET settled_at_frame = ? WHERE execution_id = ? AND task_id = ?",
        (left.frame, execution_id, task_id),
    )


def release_tasks(db: sqlite3.Connection, execution_id: str, task_ids: Iterable[str], reason: str) -> None:
    """Make tasks ready to be run again that were running when their process ended, or was stopped."""
    db.executemany(
        f"UPDATE tasks SET status = 'pending', reason = ?, lease_owner = NULL, lease_expires_at = NULL, {_COMES_BACK}"
        f" WHERE execution_id = ? AND task_id = ? AND (status = 'running' OR {OUT})",
        [(reason, execution_id, task_id) for task_id in task_ids],
    )


def leave_tasks(db: sqlite3.Connection, execution_id: str, task_ids: Iterable[str] | None = None) -> None:
    """Leave tasks to the workers that run them, while no kernel has the execution; without ids all that workers run."""
    whose = "execution_id = :execution AND (:task IS NULL OR task_id = :task)"
    db.executemany(
        "UPDATE tasks SET status = 'pending', reason = :reason, lease_owner = NULL, lease_expires_at = NULL"
        f" WHERE {whose} AND {OUT}",
        [
            {"reason": ON_WORKERS, "execution": execution_id, "task": task_id}
            for task_id in ([None] if task_ids is None else task_ids)
        ],
    )


def abandon_tasks(db: sqlite3.Connection, execution_id: str, task_ids: list[str], frame: int) -> None:
    """Give up tasks whose node had left the plan when their process ended: no handler waits for them."""
    # One that had ended keeps its status: it succeeded or failed, but no handler was called.
    db.executemany(
        "UPDATE tasks SET settled_at_frame = ?, lease_owner = NULL, lease_expires_at = NULL,"
        " reason = 'its node is gone', status = CASE WHEN ended_at IS NULL THEN 'abandoned' ELSE status END"
        " WHERE execution_id = ? AND task_id = ?",
        [(frame, execution_id, task_id) for task_id in task_ids],
    )
    withdraw(db, execution_id, task_ids)


def withdraw(db: sqlite3.Connection, execution_id: str, task_ids: Iterable[str]) -> None:
    """Withdraw the open questions of tasks."""
    tasks = [(execution_id, task_id) for task_id in task_ids]
    waiting = "WHERE execution_id = ? AND task_id = ? AND status = 'waiting'"
    db.executemany(f"UPDATE approvals SET status = 'withdrawn' {waiting}", tasks)
    db.executemany(f"UPDATE tool_calls SET status = 'skipped', error = 'no one answered' {waiting}", tasks)
