"""Comparison of two executions: a replay and its recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import message_of
from .reader import Reader

SHOWN = 200
"""The most characters of a value that are shown."""

Rows = dict[Hashable, tuple[int, str, tuple[Any, ...]]]  # Any: SQLite's values
"""Frame, description, and the fields that may differ, by the key that two rows share."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was recorded."""

    execution_id: str
    """The execution of the recording; the child, where it is in a child."""
    frame: int
    what: str
    """``state draft``, ``on_finished of notes`` …"""
    recorded: str
    replayed: str

    def __str__(self) -> str:
        return f"frame {self.frame}, {self.what}: {self.replayed} now, {self.recorded} in the recording"


def compare(reader: Reader, recorded: str, replayed: str) -> list[Difference]:
    """Return the differences of two executions and their children, the earliest first; times do not count."""
    found = []
    for place, rows in enumerate(_TABLES):
        one, other = rows(reader, recorded), rows(reader, replayed)
        for name in [*one, *(name for name in other if name not in one)]:
            was, is_now = one.get(name), other.get(name)
            if was is None or is_now is None or was[2] != is_now[2]:
                frame, what, _ = was or is_now or (0, "", ())
                found.append((frame, place, Difference(recorded, frame, what, *_told(was, is_now))))
    ordered = [difference for _, _, difference in sorted(found, key=lambda one: one[:2])]
    return ordered + _children(reader, recorded, replayed)


def _told(was: tuple[Any, ...] | None, is_now: tuple[Any, ...] | None) -> tuple[str, str]:
    """Return both sides in words, without their common parts."""
    one, other = _fields(was), _fields(is_now)
    if was and is_now:
        pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
        one, other = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
    return _words(one), _words(other)


def _fields(row: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if row is None:
        return ()
    fields: tuple[Any, ...] = row[2]
    return fields


def _words(values: tuple[Any, ...]) -> str:
    text = ", ".join(str(value) for value in values if value is not None) or "nothing"
    if len(text) <= SHOWN:
        return text
    return f"{text[:SHOWN]}…"


def _children(reader: Reader, recorded: str, replayed: str) -> list[Difference]:
    """Compare the children that the same nodes ran: a child is named after its parent and its node."""
    # A node may have run several, and ids differ between runs: the nth of one node answers to the nth of the other.
    one, other = (
        _nth(
            reader.query(
                "SELECT substr(child.name, length(parent.name) + 2), child.execution_id FROM executions AS child"
                " JOIN executions AS parent ON child.parent_id = parent.execution_id"
                " WHERE child.parent_id = ? AND child.kind = 'child' ORDER BY child.created_at, child.rowid",
                (id,),
            ).rows
        )
        for id in (recorded, replayed)
    )
    now = {(name, nth): id for (name, id), nth in other}
    pairs = [(id, now[name, nth]) for (name, id), nth in one if (name, nth) in now]
    return [difference for pair in pairs for difference in compare(reader, *pair)]


def _nth(rows: list[tuple[Any, ...]], places: int = 1) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Yield each row with how many before it begin with the same values."""
    count: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        count[row[:places]] += 1
        yield row, count[row[:places]]


# ---- the tables: what makes a row the same one, and what may differ ---------------------------------------------


def _frames(reader: Reader, id: str) -> Rows:
    rows = reader.query("SELECT frame, status FROM frames WHERE execution_id = ? ORDER BY frame", (id,)).rows
    return {frame: (frame, "the frame itself", (status,)) for frame, status in rows}


def _nodes(reader: Reader, id: str) -> Rows:
    rows = reader.query(
        "SELECT from_frame, node_id, type, to_frame, key, parent_id, position, props, text, events FROM nodes"
        " WHERE execution_id = ? ORDER BY from_frame, position",
        (id,),
    ).rows
    return {
        (frame, node_id): (frame, f"the plan's {kind} {node_id}", (kind, *_held(rest)))
        for frame, node_id, kind, *rest in rows
    }


def _held(rest: list[Any]) -> tuple[Any, ...]:
    """Return the fields of a version, with its end in words."""
    to_frame, *others = rest
    if to_frame:
        return (f"until frame {to_frame}", *others)
    return ("to the end", *others)


def _state(reader: Reader, id: str) -> Rows:
    rows = reader.query(
        "SELECT from_frame, key, value, type FROM state WHERE execution_id = ? ORDER BY from_frame, key", (id,)
    ).rows
    return {(frame, key): (frame, f"state {key}", (value, kind)) for frame, key, value, kind in rows}


def _writes(reader: Reader, id: str) -> Rows:
    # Reports of progress are not recorded: a replay makes the writes of on_progress as writes of the task.
    rows = reader.query(
        "SELECT frame, scope, key, iif(handler = 'on_progress', 'task', origin), node_id,"
        " nullif(handler, 'on_progress'), status, new FROM transitions"
        " WHERE execution_id = ? AND NOT (origin IN ('operator', 'task') AND status = 'rolled_back')"
        " AND NOT (scope = 'vol' AND origin = 'operator') ORDER BY frame, seq",
        (id,),
    ).rows
    found: Rows = {}
    for row, nth in _nth(rows, 6):
        frame, _, key, origin, node_id, handler = row[:6]
        what = f"a write of {key} by {handler or origin}"
        if node_id:
            what += f" of {node_id}"
        found[(*row[:6], nth)] = (frame, what, row[6:])
    return found


def _handlers(reader: Reader, id: str) -> Rows:
    rows = reader.query(
        "SELECT frame, node_id, event, status, writes FROM handlers WHERE execution_id = ? AND event != 'on_progress'"
        " ORDER BY frame, rowid",
        (id,),
    ).rows
    return {
        (*row[:3], nth): (row[0], f"{row[2]} of {row[1]}", (row[3], f"{row[4]} writes")) for row, nth in _nth(rows, 3)
    }


def _effects(reader: Reader, id: str) -> Rows:
    rows = reader.query(
        "SELECT frame, node_id, kind, status, deps FROM effects WHERE execution_id = ? ORDER BY frame, rowid", (id,)
    ).rows
    return {(*row[:3], nth): (row[0], f"{row[2]} of effect {row[1]}", row[3:]) for row, nth in _nth(rows, 3)}


def _tasks(reader: Reader, id: str) -> Rows:
    """Return the end of a task: one that did not end, or was given up with its node, counts as cancelled with it."""
    rows = reader.query(
        "SELECT node_id, mounted_at_frame, iif(ended_at IS NULL OR status = 'cancelled', 'not ended', status), result,"
        " result_type, error FROM tasks WHERE execution_id = ? ORDER BY mounted_at_frame, rowid",
        (id,),
    ).rows
    return {(row[0], nth): (row[1], f"task of {row[0]}", _outcome(row[2], row[3:5], row[5])) for row, nth in _nth(rows)}


def _outcome(status: str, result: tuple[Any, ...], error: str | None) -> tuple[Any, ...]:
    """Return the end of a task: status, result and message of its error."""
    # Only the message: the traceback names lines of code that may have moved. After a success the column still holds
    # the error of an earlier attempt, and how many attempts it took does not count.
    if status not in ("failed", "abandoned"):
        return (status, *result, None)
    return ("failed", *result, message_of(error) if error else None)


def _tools(reader: Reader, id: str) -> Rows:
    rows = reader.query(
        "SELECT node_id, turn, tool_call_id, tool, input, tool_calls.status, output, mounted_at_frame FROM tool_calls"
        " JOIN tasks USING (execution_id, task_id) WHERE execution_id = ? ORDER BY id",
        (id,),
    ).rows
    return {(*row[:3], row[7]): (row[7], f"tool {row[3]} of {row[0]}", row[4:7]) for row in rows}


def _end(reader: Reader, id: str) -> Rows:
    found, last = reader.execution(id), reader.last_frame(id)
    # The other statuses say how a person left the execution, which a replay does not repeat.
    status = "not over"
    if found.status in ("finished", "failed", "stalled"):
        status = found.status
    return {"end": (last, "the end", (status, found.result))}


_TABLES: tuple[Callable[[Reader, str], Rows], ...] = (
    _frames, _nodes, _tools, _tasks, _handlers, _effects, _writes, _state, _end,
)  # fmt: skip
