"""A fork: what holds at the rest of a recorded frame, copied into a new execution in one transaction.

The rows of the parent stay as they are. A copied row keeps the frame from which it holds, so that it begins at or
before ``forked_at_frame``; what the branch adds begins later.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import StoreError
from ..records import NewExecution
from ..values import Stored
from .lease import Lease
from .prune import refuse_pruned
from .reader import Reader, held
from .writer import add_execution, last_seq

_NODE = "node_id, path, type, key, explicit_id, parent_id, position, props, events, text, source, from_frame"
_TASK = (
    "task_id, node_id, mounted_at_frame, status, reason, attempt, max_attempts, started_at, ended_at,"
    " settled_at_frame, result, result_type, error, input_tokens, output_tokens, requests, cost_usd,"
    " args_hash, code_hash, reused_from"
)
_APPROVAL = (
    "approval_id, task_id, node_id, kind, prompt, payload, options, status, choice, comment, asked_at, answered_at,"
    " turn, tool_call_id, args, result, args_schema, reused_from"
)
_BREAKPOINT = "breakpoint_id, kind, target, event, value, condition, once, enabled, log_only, after, created_at"


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """A frame of an execution, to be forked at its rest after FLUSH."""

    execution_id: str
    frame: int
    """The number of the frame; 0 for the beginning, with the first state."""


def fork_point(reader: Reader, execution_id: str, frame: int | None) -> ForkPoint:
    """Return where an execution is forked: of a frame that it shares with its ancestors, in the ancestor.

    ``None`` is the last flushed frame.

    Raises:
        StoreError: naming the nearest frame that can be forked, if this one is not there, not flushed or pruned.
    """
    found = reader.execution(execution_id)
    first = 0
    if found.kind == "branch":
        first = found.forked_at_frame or 0
        if frame is not None and frame < first:
            return fork_point(reader, str(found.parent_id), frame)
    flushed = reader.last_flushed(execution_id)
    if frame is None:
        frame = flushed
    if frame < 0 or frame > flushed:
        open_frame = reader.last_frame(execution_id)
        why = "is not flushed yet: its writes are pending" if frame == open_frame else "is not there"
        raise StoreError(
            f"frame {frame} of {found.name!r} {why}. The nearest that can be forked is frame "
            f"{min(max(frame, 0), flushed)}; 0 is the beginning."
        )
    refuse_pruned(reader, execution_id, max(frame, first, 1))
    return ForkPoint(execution_id, frame)


def fork(
    db: sqlite3.Connection, row: NewExecution, lease: Lease, point: ForkPoint, edits: Mapping[str, Stored | None]
) -> None:
    """Add a branch that begins at a point, owned by us: all of it or, after a crash, nothing.

    ``edits`` are values of the state that are other from the first frame of the branch on; None removes a key.
    """
    values = {"id": point.execution_id, "frame": point.frame, "new": row.execution_id}
    # Here, in the transaction: the parent may add writes to its frame until it begins the next one.
    last_write = last_seq(db, point.execution_id, point.frame)
    add_execution(db, replace(row, forked_at_seq=last_write), lease)
    _copy_state(db, values, edits, last_write)
    db.execute(
        f"INSERT INTO nodes (execution_id, {_NODE}) SELECT :new, {_NODE} FROM ({held('nodes', _NODE)})",
        values,
    )
    for table, columns in (("reads", "component, key"), ("loops", "node_id, iteration, status")):
        db.execute(
            f"INSERT INTO {table} (execution_id, {columns}, from_frame) SELECT :new, {columns}, from_frame FROM {table}"
            " WHERE execution_id = :id AND from_frame <= :frame AND (to_frame IS NULL OR to_frame > :frame)",
            values,
        )
    _copy_effects(db, values)
    _copy_tasks(db, values)
    db.execute(
        f"INSERT INTO breakpoints (execution_id, {_BREAKPOINT}) SELECT :new, {_BREAKPOINT} FROM breakpoints"
        " WHERE execution_id = :id ORDER BY rowid",
        values,
    )


def _copy_state(
    db: sqlite3.Connection, values: dict[str, object], edits: Mapping[str, Stored | None], last_write: int
) -> None:
    columns = "key, value, type, from_frame"
    # A write of frame n is read from n + 1 on.
    following = int(str(values["frame"])) + 1
    db.execute(
        f"INSERT INTO state (execution_id, {columns}) SELECT :new, {columns} FROM ({held('state', columns)})",
        {**values, "frame": following},
    )
    # Numbered after those of the frame: (frame, seq) is of one write along the line.
    for seq, (key, value) in enumerate(edits.items(), last_write + 1):
        before = db.execute(
            "SELECT value FROM state WHERE execution_id = ? AND key = ?", (values["new"], key)
        ).fetchone()
        db.execute(
            "INSERT INTO transitions (execution_id, id, frame, seq, scope, key, op, old, new, status, trigger, origin)"
            " VALUES (:new, :write, :frame, :seq, 'state', :key, :op, :old, :value, 'applied', 'fork', 'operator')",
            {
                **values,
                "write": f"{values['frame']}f{seq}",
                "seq": seq,
                "key": key,
                "op": "delete" if value is None else "set",
                "old": before and before[0],
                "value": value and value.text,
            },
        )
        # The value before belongs to the line up to this frame, unless the frame itself has written it.
        db.execute(
            "DELETE FROM state WHERE execution_id = ? AND key = ? AND from_frame = ?", (values["new"], key, following)
        )
        db.execute("UPDATE state SET to_frame = ? WHERE execution_id = ? AND key = ?", (following, values["new"], key))
        if value is not None:
            db.execute(
                "INSERT INTO state (execution_id, key, value, type, from_frame) VALUES (?, ?, ?, ?, ?)",
                (values["new"], key, value.text, value.type, following),
            )


def _copy_effects(db: sqlite3.Connection, values: dict[str, object]) -> None:
    """Copy the last run of each effect in the plan: its deps decide whether it runs again."""
    db.execute(
        "INSERT INTO effects SELECT :new, id, frame, node_id, kind, status, deps, writes, ms, error FROM effects"
        " WHERE rowid IN (SELECT max(effects.rowid) FROM nodes CROSS JOIN effects USING (node_id)"
        " WHERE nodes.execution_id = :new AND nodes.type = 'effect' AND effects.execution_id = :id"
        " AND effects.kind = 'run' AND effects.frame <= :frame GROUP BY node_id) ORDER BY rowid",
        values,
    )


def _copy_tasks(db: sqlite3.Connection, values: dict[str, object]) -> None:
    """Copy the newest task of each node in the plan, with its result if it was settled; else it is to run again."""
    newest: list[tuple[str, bool]] = []
    for (node_id,) in db.execute(
        "SELECT node_id FROM nodes WHERE execution_id = :new ORDER BY position", values
    ).fetchall():
        # A task's id begins with its node's: so the index of the primary key finds the few tasks of one node.
        task = db.execute(
            "SELECT task_id, settled_at_frame <= :frame FROM tasks WHERE execution_id = :id"
            " AND task_id >= :node || '@' AND task_id < :node || 'A' AND node_id = :node AND mounted_at_frame <= :frame"
            " ORDER BY mounted_at_frame DESC, rowid DESC LIMIT 1",
            {**values, "node": node_id},
        ).fetchone()
        if task is not None:
            newest.append((task[0], bool(task[1])))
    for task_id, settled in newest:
        of_task = {**values, "task": task_id}
        if settled:
            for table, columns in (("tasks", _TASK), ("approvals", _APPROVAL)):
                db.execute(
                    f"INSERT INTO {table} (execution_id, {columns}) SELECT :new, {columns} FROM {table}"
                    " WHERE execution_id = :id AND task_id = :task ORDER BY rowid",
                    of_task,
                )
        else:
            db.execute(
                "INSERT INTO tasks (execution_id, task_id, node_id, mounted_at_frame, status, attempt, max_attempts)"
                " SELECT :new, task_id, node_id, mounted_at_frame, 'pending', 0, max_attempts FROM tasks"
                " WHERE execution_id = :id AND task_id = :task",
                of_task,
            )
