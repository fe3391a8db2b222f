"""The calls of handlers, and the handlers that were not called."""

from __future__ import annotations

from collections.abc import Mapping

from ...nodes.schedule import ORDERED
from ...nodes.tree import Tree, TreeNode
from ...records import CallRecord, Phase
from ..cursor import Cursor
from ..names import Names, names_of
from ..source import Source
from . import protocol as p

ROWS = 200


def handlers(source: Source, cursor: Cursor) -> p.HandlersPane:
    """Return the newest calls up to the cursor, and the handlers of its plan that were not called so far."""
    found = source.calls(cursor, ROWS)
    names = names_of(source, cursor)
    named = names.all(one.call.node_id for one in found)
    # In a loop a node has another name in each iteration: that of its call is the one of its frame.
    places = [(one.call.task_id, one.call.node_id, one.call.frame) for one in found]
    named |= names.of_tasks(source.file.nodes_at(places))
    calls = [_call(one, names) for one in found]
    fired = {place for place, (_, status) in source.fired(cursor).items() if status != "stale"}
    # Those of this frame are not in the file before its FLUSH, so that counting there misses them.
    fired |= {(call["node_id"], call["event"]) for call in calls if call["status"] != "stale"}
    standing, _ = source.standing(cursor)
    never: list[p.NeverFiredRow] = [
        {
            "node_id": node.id,
            "event": event,
            "type": node.type,
            "source": node.source,
            "why": names.in_text(_why_not(node, event, standing, cursor.tree)),
        }
        for node in cursor.tree.walk()
        for event in node.events
        if (node.id, event) not in fired
    ]
    named |= names.all(row["node_id"] for row in never[:ROWS])
    return {"frame": cursor.frame, "calls": calls, "never": never[:ROWS], "names": named}


def _why_not(node: TreeNode, event: str, standing: Mapping[str, str], tree: Tree) -> str:
    status = standing.get(node.id)
    if status in (None, "pending"):
        at: TreeNode | None = node
        while at is not None:
            if at.type in ORDERED and standing.get(at.id) == "pending":
                return f"its task is pending: {at.type} {at.props.get('name', at.id)} has not begun."
            at = tree.index.get(at.parent_id or "")
        return "its task has not begun."
    if status == "running":
        return "its task is running."
    if status == "blocked":
        return "its task is blocked: it waits for a person, for a worker, or to try again."
    if event == "on_progress":
        return f"its task {status} and reported no progress."
    if status == "succeeded" and event == "on_error":
        return "its task succeeded, so there was no error."
    if status != "succeeded" and event == "on_finished":
        return f"its task {status}; on_finished is for one that succeeded."
    return f"its task {status}; the next frame calls it."


def _call(found: CallRecord, names: Names) -> p.CallRow:
    call = found.call
    return {
        "id": call.id,
        "frame": call.frame,
        "node_id": call.node_id,
        "task_id": call.task_id,
        "event": call.event,
        "status": call.status,
        "writes": call.writes,
        "ms": call.ms,
        "error": call.error,
        "source": call.source,
        "seq": found.seq,
        "phase": str(Phase.EXECUTE),
        "trigger": names.in_text(_trigger(call.node_id, call.event, found.task_status)),
    }


def _trigger(node_id: str, event: str, status: str | None) -> str:
    if event == "on_progress":
        return f"{node_id} reported progress"
    if status is None:
        # The task is not known any more; which handler was called tells how it ended.
        status = {"on_finished": "succeeded"}.get(event, "failed")
    return f"{node_id} {status}"
