"""A fork: what holds at the rest of a recorded frame, copied into a new execution in one transaction.

The rows of the parent stay as they are. A copied row keeps the frame from which it holds, so that it begins at or
before ``forked_at_frame``; what the branch adds begins later.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..errors import StoreError, did_you_mean
from ..records import ExecutionRecord, NewBranch, NewExecution, Reuse
from ..values import Stored
from .lease import Lease
from .prune import refuse_pruned
from .reader import Reader, Within, held
from .reuse import repeatable_names
from .writer import add_execution, last_seq

_NODE = "node_id, path, type, key, explicit_id, parent_id, position, props, events, text, source, from_frame"
_TASK = (
    "task_id, node_id, mounted_at_frame, status, reason, attempt, max_attempts, started_at, ended_at,"
    " settled_at_frame, result, result_type, error, input_tokens, output_tokens, requests, cost_usd,"
    " args_hash, code_hash, reused_from, worker"
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
    found, frame = _place(reader, execution_id, frame)
    return ForkPoint(found.execution_id, frame)


def _place(reader: Reader, execution_id: str, frame: int | None) -> tuple[ExecutionRecord, int]:
    """Return the execution of the line that is forked, and the number of the frame."""
    found = reader.execution(execution_id)
    first = 0
    if found.kind == "branch":
        first = found.forked_at_frame or 0
        if frame is not None and frame < first:
            return _place(reader, str(found.parent_id), frame)
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
    return found, frame


def fork(db: sqlite3.Connection, path: str, branch: NewBranch, lease: Lease) -> NewExecution:
    """Add a branch, owned by us: all of it or, after a crash, nothing. Return its facts.

    Raises:
        StoreError: naming the nearest frame that can be forked, if this one is not there, not flushed or pruned.
        ValueError: for a name in ``allow_repeat`` that no task and no tool of the family has.
    """
    # All of it is read here, in the transaction: of two processes that fork the same, each finds a name of its own, and
    # the parent may add writes to its frame until it begins the next one.
    reader = Within(db, path)
    parent, frame = _place(reader, branch.parent_id, branch.frame)
    if branch.allow_repeat:
        _refuse_unknown(reader, parent, branch.allow_repeat)
    last_write = last_seq(db, parent.execution_id, frame)
    row = NewExecution(
        execution_id=branch.execution_id,
        name=branch.name or _free_name(reader, parent.name),
        app=branch.app,
        code_hash=branch.code_hash,
        engine_version=branch.engine_version,
        seed=parent.seed,
        kind="branch",
        parent_id=parent.execution_id,
        forked_at_frame=frame,
        forked_at_seq=last_write,
        durability=branch.durability,
        props=branch.props,
        reuse=_reuse(parent, branch).as_json(),
    )
    add_execution(db, row, lease)
    values = {"id": parent.execution_id, "frame": frame, "new": row.execution_id}
    _copy_state(db, values, branch.edits, last_write)
    _copy_plan(db, values)
    _copy_tasks(db, values)
    db.execute(
        f"INSERT INTO breakpoints (execution_id, {_BREAKPOINT}) SELECT :new, {_BREAKPOINT} FROM breakpoints"
        " WHERE execution_id = :id ORDER BY rowid",
        values,
    )
    return row


def _refuse_unknown(reader: Reader, parent: ExecutionRecord, allow_repeat: Sequence[str]) -> None:
    """Refuse a name that nothing has: what it was to allow would be refused in the middle of the run."""
    known = repeatable_names(reader, parent.execution_id)
    for name in allow_repeat:
        if not any(fnmatchcase(one, name) for one in known):
            there = f" There are {', '.join(known)}." if known else " There are none."
            raise ValueError(
                f"allow_repeat names {name!r}, and no task of {parent.name} and no tool that it called has this name."
                f"{did_you_mean(name, known) or there}"
            )


def _free_name(reader: Reader, name: str) -> str:
    """Return the first of ``NAME~2``, ``NAME~3`` … that no execution of the file has."""
    # A branch of NAME~2 is NAME~3, not NAME~2~2: its row says whose branch it is.
    stem = re.sub(r"~\d+$", "", name)
    rows = reader.query("SELECT name FROM executions WHERE substr(name, 1, ?) = ?", (len(stem) + 1, f"{stem}~")).rows
    taken = {name for (name,) in rows}
    number = 2
    while f"{stem}~{number}" in taken:
        number += 1
    return f"{stem}~{number}"


def _reuse(parent: ExecutionRecord, branch: NewBranch) -> Reuse:
    replaced = {**Reuse.of(parent.reuse).models, **dict.fromkeys(branch.models, branch.execution_id)}
    return Reuse(branch.reuse, replaced, branch.allow_repeat)


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


def _copy_plan(db: sqlite3.Connection, values: dict[str, object]) -> None:
    """Copy the nodes, what their components read, the loops, and the last run of each effect."""
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
    # The deps of an effect's last run decide whether it runs again.
    db.execute(
        "INSERT INTO effects SELECT :new, id, frame, node_id, kind, status, deps, writes, ms, error FROM effects"
        " WHERE rowid IN (SELECT max(effects.rowid) FROM nodes CROSS JOIN effects USING (node_id)"
        " WHERE nodes.execution_id = :new AND nodes.type = 'effect' AND effects.execution_id = :id"
        " AND effects.kind = 'run' AND effects.frame <= :frame GROUP BY node_id) ORDER BY rowid",
        values,
    )


# A task's id begins with its node's: so the index of the primary key finds the few tasks of one node.
_NEWEST = (
    "WITH newest (id) AS (SELECT (SELECT rowid FROM tasks WHERE execution_id = :id AND task_id >= node_id || '@'"
    " AND task_id < nodes.node_id || 'A' AND tasks.node_id = nodes.node_id AND mounted_at_frame <= :frame"
    " ORDER BY mounted_at_frame DESC, rowid DESC LIMIT 1) FROM nodes WHERE execution_id = :new)"
)


def _copy_tasks(db: sqlite3.Connection, values: dict[str, object]) -> None:
    """Copy the newest task of each node in the plan, with its result if it was settled; else it is to run again."""
    db.execute(
        f"{_NEWEST} INSERT INTO tasks (execution_id, {_TASK}) SELECT :new, {_TASK} FROM tasks"
        " WHERE rowid IN newest AND settled_at_frame <= :frame ORDER BY rowid",
        values,
    )
    db.execute(
        f"INSERT INTO approvals (execution_id, {_APPROVAL}) SELECT :new, {_APPROVAL} FROM approvals"
        " WHERE execution_id = :id AND task_id IN (SELECT task_id FROM tasks WHERE execution_id = :new) ORDER BY rowid",
        values,
    )
    db.execute(
        f"{_NEWEST} INSERT INTO tasks (execution_id, task_id, node_id, mounted_at_frame, status, attempt, max_attempts)"
        " SELECT :new, task_id, node_id, mounted_at_frame, 'pending', 0, max_attempts FROM tasks"
        " WHERE rowid IN newest AND (settled_at_frame <= :frame) IS NOT TRUE ORDER BY rowid",
        values,
    )
