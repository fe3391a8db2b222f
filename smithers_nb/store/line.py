"""The rows of a branch's line: those of its ancestors up to where it left them, then its own, each row once."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..records import Stretch

_SETTLED = "(SELECT task_id FROM tasks WHERE tasks.execution_id = {id} AND settled_at_frame <= {frame})"
_WRITTEN = (
    "(SELECT key FROM transitions WHERE transitions.execution_id = {id} AND transitions.frame = {frame}"
    " AND scope = 'state' AND status IN ('applied', 'overridden', 'edited'))"
)

_SHARED = {
    # What still held at the fork is a row of the branch.
    "nodes": "to_frame <= {frame}",
    "reads": "to_frame <= {frame}",
    "loops": "to_frame <= {frame}",
    # The parent may end a version after the fork, by a write that it adds to its frame.
    "state": "to_frame <= {frame} + 1 AND NOT EXISTS (SELECT 1 FROM state copy WHERE copy.execution_id = {next}"
    " AND copy.key = state.key AND copy.from_frame = state.from_frame)",
    "frames": "frame <= {frame}",
    "transitions": "(frame, seq) <= ({frame}, {last_write})",
    "handlers": "frame <= {frame}",
    "effects": "frame <= {frame}",
    "artifacts": "frame <= {frame}",
    "events": "(frame < {frame} OR (frame = {frame} AND created_at <= {left_at}))",
    "tasks": "settled_at_frame <= {frame}",
    "model_calls": f"task_id IN {_SETTLED}",
    "tool_calls": f"task_id IN {_SETTLED}",
    "stream_events": f"task_id IN {_SETTLED}",
    "approvals": f"task_id IN {_SETTLED}",
}
"""By table: the rows of an ancestor ``{id}`` that a branch shares, which left it after ``{frame}``."""

_COPIED = {
    # A copied row keeps the frame from which it holds; the fork's own writes are those of its frame.
    "nodes": "from_frame <= {frame}",
    "reads": "from_frame <= {frame}",
    "loops": "from_frame <= {frame}",
    "state": f"(from_frame <= {{frame}} OR (from_frame = {{frame}} + 1 AND key NOT IN {_WRITTEN}))",
    "effects": "frame <= {frame}",
    "tasks": "settled_at_frame <= {frame}",
    "approvals": f"task_id IN {_SETTLED}",
}
"""By table: the rows of a branch ``{id}`` that were copied into it when it was forked after ``{frame}``."""


_WHOLE_IN_ANCESTOR = frozenset({"effects", "tasks", "approvals"})
"""Tables whose copied rows are left out of a line; of the others the copy has the end that holds on the line."""


def of_line(
    line: Sequence[Stretch], table: str, since: int = 0, until: int = sys.maxsize
) -> tuple[str, dict[str, object]]:
    """Return a condition, with its parameters, for the rows of a table that belong to a line.

    Executions that have nothing of the frames from ``since`` up to ``until`` may be left out.
    """
    conditions: list[str] = []
    parameters: dict[str, object] = {}
    for place, part in enumerate(line):
        its = f":line{place}"
        parameters[its[1:]] = part.execution_id
        # What a fork writes is of the frame before the first one of its own.
        if part.last < since or part.first - 1 > until:
            continue
        condition = f"execution_id = {its}"
        if part is not line[-1]:
            if table not in _SHARED:
                continue
            left_at, following = f":left{place}", f":line{place + 1}"
            parameters[left_at[1:]] = part.left_at
            shared = {"id": its, "frame": part.last, "last_write": part.last_write}
            condition += f" AND {_SHARED[table].format(**shared, left_at=left_at, next=following)}"
        if part.first > 1 and table in _WHOLE_IN_ANCESTOR:
            condition += f" AND ({_COPIED[table].format(id=its, frame=part.first - 1)}) IS NOT TRUE"
        conditions.append(condition)
    return f"({' OR '.join(conditions) or 'false'})", parameters


def once(table: str) -> str:
    """Return a condition for the rows of a table that are no copies made by a fork."""
    if table not in _COPIED:
        return "true"
    copied = _COPIED[table].format(id="e.execution_id", frame="e.forked_at_frame")
    return (
        f"NOT EXISTS (SELECT 1 FROM executions e WHERE e.execution_id = {table}.execution_id AND e.kind = 'branch'"
        f" AND {copied})"
    )
