"""The timeline: all frames, column by column, and the tasks along it."""

from __future__ import annotations

from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p

KEYS = 3
# They are tooltips of the frames that one points at: the newest.
KEYS_FRAMES = 200
TASKS = 2000


def timeline(source: Source, since: int) -> p.TimelinePane:
    """Return frames from ``since`` on, column by column."""
    frames = source.frame_totals(since)
    events = source.events_by_frame(since)
    # Without new frames it ends where the columns that the page already has end.
    to = max((one.number for one in frames), default=since - 1)
    return {
        "since": since,
        "to": to,
        "writes": [one.writes for one in frames],
        "handlers": [one.handlers for one in frames],
        "changes": [one.changes for one in frames],
        "ms": [one.ms for one in frames],
        "errors": events.get("problem", []),
        "hits": events.get("breakpoint", []),
        "tasks": source.file.tasks_by_frame(since),
        "output": events.get("output", []),
        "keys": source.file.keys_by_frame(max(since, to - KEYS_FRAMES + 1), KEYS),
    }


def gantt(source: Source, cursor: Cursor) -> p.GanttPane:
    """Return the newest tasks up to the cursor with the frames in which they began and ended."""
    found = source.tasks(cursor, TASKS + 1)
    tasks = found[TASKS - 1 :: -1]
    names = names_of(source, cursor).of_tasks(source.file.nodes_of_tasks(tasks))
    named = [names.get(task.task_id, task.node_id) for task in tasks]
    places = {name: place for place, name in enumerate(dict.fromkeys(named))}
    return {
        "nodes": [*places],
        "tasks": [
            (task.task_id, places[name], task.status, task.mounted_at_frame, task.settled_at_frame)
            for task, name in zip(tasks, named, strict=True)
        ],
        "more": len(found) > TASKS,
    }
