"""The rows that name causes: each is found by its key, at a cost that does not grow with the history."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..identity import loop_of
from ..records import (
    CallRecord,
    EffectRun,
    Excerpt,
    HandlerCall,
    ModelCallRecord,
    TaskRecord,
    ToolCallRecord,
    ValueVersion,
    WriteRecord,
)
from ..records.excerpt import VALUE_CHARS
from .moments import Moments
from .past import PastNode
from .reader import TASK_COLUMNS

Row = tuple[Any, ...]  # Any: SQLite's values

_NODE = "node_id, path, type, key, explicit_id, parent_id, position, props, events, text, source"
_CALL = "id, frame, node_id, task_id, event, status, writes, ms, error, source"
_EFFECT = "id, frame, node_id, kind, status, deps, writes, ms, error"
_WROTE = "scope = :scope AND key = :key AND status IN ('applied', 'edited')"


@dataclass(frozen=True, slots=True)
class NodeSpan:
    """A version of a node, and the frames in which it holds."""

    node: PastNode
    since: int
    until: int | None
    """The first frame in which it does not hold; None while it does."""


class Origins(Moments):
    """The records of one execution, along its line, by the things that they belong to."""

    # ---- values and writes -------------------------------------------------------------------------------------

    def value(self, key: str, frame: int) -> ValueVersion | None:
        """Return the value of a key that a frame reads; None if it has none."""
        rows = self._rows(
            "SELECT from_frame, to_frame, substr(value, 1, :cut), length(value), type FROM state"
            " WHERE execution_id = :owner AND key = :key AND from_frame <= :frame ORDER BY from_frame DESC LIMIT 1",
            owner=self.owner(frame),
            key=key,
            frame=frame,
            cut=VALUE_CHARS,
        )
        if not rows or (rows[0][1] is not None and rows[0][1] <= frame):
            return None
        since, _, text, chars, kind = rows[0]
        return ValueVersion(since, Excerpt(text, chars, kind, ("state", "value", key, since)))

    def value_end(self, key: str, frame: int) -> int | None:
        """Return the first frame that did not read a value of a key any more; None if it had none before a frame."""
        rows = self._rows(
            "SELECT to_frame FROM state WHERE execution_id = :owner AND key = :key AND to_frame <= :frame"
            " ORDER BY from_frame DESC LIMIT 1",
            owner=self.owner(frame),
            key=key,
            frame=frame,
        )
        return int(rows[0][0]) if rows else None

    def maker(self, key: str, frame: int, scope: str = "state") -> WriteRecord | None:
        """Return the last write that changed a key in a frame; None if there is none, or it was pruned."""
        found = self._writes(
            f"frame = :frame AND {_WROTE} ORDER BY seq DESC LIMIT 1",
            since=frame,
            until=frame,
            frame=frame,
            key=key,
            scope=scope,
        )
        return found[0] if found else None

    def last_written(self, key: str, until: int) -> list[WriteRecord]:
        """Return the writes of a key in the newest frame, up to one, that has any."""
        rows = self._rows(
            f"SELECT max(frame) FROM transitions WHERE {self._of('transitions', until=until)} AND frame <= :until"
            " AND scope = 'state' AND key = :key",
            until=until,
            key=key,
        )
        frame = rows[0][0]
        if frame is None:
            return []
        where = "frame = :frame AND scope = 'state' AND key = :key ORDER BY seq"
        return self._writes(where, since=frame, until=frame, frame=frame, key=key)

    def next_maker(self, key: str, frame: int) -> WriteRecord | None:
        """Return the first write that changed a key of the state after a frame; None if there is none."""
        where = f"frame > :frame AND {_WROTE} ORDER BY frame, seq LIMIT 1"
        found = self._writes(where, since=frame + 1, frame=frame, key=key, scope="state")
        return found[0] if found else None

    def stale_calls(self, most: int) -> list[str]:
        """Return the ids of the handler calls that were not made, as their node had left, newest first."""
        rows = self._rows(
            f"SELECT id FROM handlers WHERE {self._of('handlers')} AND status = 'stale'"
            " ORDER BY rowid DESC LIMIT :most",
            most=most,
        )
        return [id for (id,) in rows]

    def ids_in(self, table: str, frame: int) -> list[str]:
        """Return the ids of the writes, handler calls or effect runs of a frame: of one of these tables."""
        of = self._of(table, frame, frame)
        rows = self._rows(f"SELECT id FROM {table} WHERE {of} AND frame = :frame", frame=frame)
        return [id for (id,) in rows]

    def write(self, id: str) -> WriteRecord | None:
        """Return a write by its id, which begins with the number of its frame; None if there is none."""
        # One that was queued between two frames is flushed with those of the frame that its id names, or a later one.
        frame = _frame_of(id)
        near = self._writes("frame = :frame AND id = :write", since=frame, until=frame, frame=frame, write=id)
        return next(iter(near or self._writes("id = :write", write=id)), None)

    def changed(self, keys: Iterable[str], frame: int) -> list[str]:
        """Return those of some keys whose value a frame is the first to read, or is gone in it, in their order."""
        # Two look-ups a key, by the primary key: a component reads few keys, and the state may have many.
        found = []
        for key in keys:
            now, before = self.value(key, frame), self.value(key, frame - 1)
            if (now and now.since) != (before and before.since):
                found.append(key)
        return found

    # ---- nodes -------------------------------------------------------------------------------------------------

    def node(self, node_id: str, frame: int) -> NodeSpan | None:
        """Return a node as it stands in the plan of a frame; None if it does not."""
        found = self.last_node(node_id, frame)
        if found is None or (found.until is not None and found.until <= frame):
            return None
        return found

    def last_node(self, node_id: str, frame: int) -> NodeSpan | None:
        """Return the newest version of a node up to a frame, in the plan or not; None if it never was."""
        for part in reversed(self.line):
            if part.first > max(frame, 1) and part is not self.line[0]:
                continue
            rows = self._rows(
                f"SELECT from_frame, to_frame, {_NODE} FROM nodes WHERE execution_id = :owner AND node_id = :node"
                " AND from_frame <= :frame ORDER BY from_frame DESC LIMIT 1",
                owner=part.execution_id,
                node=node_id,
                frame=min(frame, part.last),
            )
            if rows:
                since, until, *node = rows[0]
                # The parent may have kept what the branch has not, and the other way round.
                if until is not None and until > part.last:
                    until = part.last + 1
                return NodeSpan(PastNode._make(node), since, until)
        return None

    def mounted_at(self, node_id: str, frame: int, since: int = 0) -> int:
        """Return the frame in which a node of a frame was mounted, or ``since`` if that was before."""
        if len(self.line) > 1:
            return max(self.reader.mounted_at(self.execution_id, node_id, frame), since)
        # SQLite looks for the breaks: a node may have a version for each frame, and few of them are breaks.
        rows = self._rows(
            "SELECT from_frame, ended IS NOT from_frame OR was IS NOT type, path, place FROM (SELECT from_frame, type,"
            " path, lag(to_frame) OVER w AS ended, lag(type) OVER w AS was, lag(path) OVER w AS place FROM nodes"
            " WHERE execution_id = :id AND node_id = :node AND from_frame BETWEEN :since AND :frame"
            " WINDOW w AS (ORDER BY from_frame)) WHERE ended IS NOT from_frame OR was IS NOT type OR place IS NOT path"
            " ORDER BY from_frame DESC",
            node=node_id,
            frame=frame,
            since=since,
        )
        for from_frame, broken, path, place in rows:
            # A node may move without being mounted again, but not into another iteration.
            if broken or loop_of(path) != loop_of(place):
                return int(from_frame)
        return since

    def other_prop(self, node_id: str, prop: str, now: str | None, frame: int) -> NodeSpan | None:
        """Return the newest version of a node up to a frame in which a prop is not ``now``, as JSON."""
        for part in reversed(self.line):
            rows = self._rows(
                f"SELECT from_frame, to_frame, {_NODE} FROM nodes WHERE execution_id = :owner AND node_id = :node"
                " AND from_frame <= :frame AND json_extract(props, :path) IS NOT json_extract(:now, '$')"
                " ORDER BY from_frame DESC LIMIT 1",
                owner=part.execution_id,
                node=node_id,
                frame=min(frame, part.last),
                path=f'$."{prop}"',
                now=now,
            )
            if rows:
                since, until, *node = rows[0]
                return NodeSpan(PastNode._make(node), since, until)
        return None

    def iterations(self, loop_id: str, frame: int) -> int:
        """Return the number of iterations of a loop that had begun in a frame."""
        rows = self._rows(
            "SELECT iteration FROM loops WHERE execution_id = :owner AND node_id = :loop AND from_frame <= :frame"
            " ORDER BY from_frame DESC LIMIT 1",
            owner=self.owner(frame),
            loop=loop_id,
            frame=frame,
        )
        return int(rows[0][0]) if rows else 1

    def known_nodes(self) -> list[str]:
        """Return the ids that were given to nodes, in any frame."""
        rows = self._rows(f"SELECT DISTINCT node_id FROM nodes WHERE {self._of('nodes')} AND explicit_id = 1")
        return [id for (id,) in rows]

    def readers_in(self, frame: int) -> list[str]:
        """Return the paths of the components that read something in a frame."""
        rows = self._rows(
            "SELECT DISTINCT component FROM reads WHERE execution_id = :owner AND from_frame <= :frame"
            " AND (to_frame IS NULL OR to_frame > :frame)",
            owner=self.owner(frame),
            frame=frame,
        )
        return [path for (path,) in rows]

    def children(self) -> list[str]:
        """Return the ids of the child executions of the line, oldest first."""
        rows = self._rows(
            "SELECT execution_id FROM executions WHERE kind = 'child' AND parent_id IN"
            " (SELECT value FROM json_each(:line)) ORDER BY created_at, rowid",
            line=json.dumps([part.execution_id for part in self.line]),
        )
        return [id for (id,) in rows]

    def known_keys(self) -> list[str]:
        """Return the keys of the state, in any frame."""
        return [key for (key,) in self._rows(f"SELECT DISTINCT key FROM state WHERE {self._of('state')}")]

    # ---- tasks, calls and effects ------------------------------------------------------------------------------

    def newest_task(self, node_id: str, frame: int) -> TaskRecord | None:
        """Return the newest task of a node that was mounted in a frame or before; None if it has none."""
        # A task's id begins with its node's: so the index of the primary key finds the few tasks of one node.
        rows = self._rows(
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE {self._of('tasks')} AND task_id >= :node || '@'"
            " AND task_id < :node || 'A' AND node_id = :node AND mounted_at_frame <= :frame"
            " ORDER BY mounted_at_frame DESC, rowid DESC LIMIT 1",
            node=node_id,
            frame=frame,
        )
        return TaskRecord(*rows[0]) if rows else None

    def tasks_of_node(self, node_id: str) -> list[str]:
        """Return the ids of the tasks of a node, oldest first."""
        rows = self._rows(
            f"SELECT task_id FROM tasks WHERE {self._of('tasks')} AND node_id = :node ORDER BY mounted_at_frame, rowid",
            node=node_id,
        )
        return [id for (id,) in rows]

    def settled_in(self, frame: int) -> list[TaskRecord]:
        """Return the tasks whose end a frame dealt with."""
        rows = self._rows(
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE {self._of('tasks')} AND settled_at_frame = :frame"
            " ORDER BY ended_at",
            frame=frame,
        )
        return [TaskRecord(*row) for row in rows]

    def spent(self, most: int) -> list[tuple[str, int, int, float | None]]:
        """Return (task id, requests, tokens, cost in USD) of the agents that used most, those that used most first."""
        return self._rows(
            "SELECT task_id, count(*), sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)), sum(cost_usd)"
            f" FROM model_calls WHERE {self._of('model_calls')} AND answered_by = 'model'"
            " GROUP BY task_id ORDER BY 4 DESC, 3 DESC, min(id) LIMIT :most",
            most=most,
        )

    def frame_at(self, time: str, until: int) -> int:
        """Return the last frame up to one that had begun at a time, in ISO 8601; 0 if there is none."""
        rows = self._rows(
            f"SELECT frame FROM frames WHERE {self._of('frames', until=until)} AND frame <= :until"
            " AND created_at <= :time ORDER BY frame DESC LIMIT 1",
            until=until,
            time=time,
        )
        return int(rows[0][0]) if rows else 0

    def tool_call(
        self, task_id: str, tool_call_id: str, frame: int, before: int | None = None
    ) -> ToolCallRecord | None:
        """Return a tool call by the model's own id of it; of several, the last that had begun before the frame after
        ``frame``, and whose row is older than that of the id ``before``.
        """
        # Some models use an id again in a later turn: the clock tells which of the calls a frame can know of.
        following = f"SELECT created_at FROM frames WHERE {self._of('frames')} AND frame = :following"
        found = self._tool_calls(
            f"task_id = :task AND tool_call_id = :call AND started_at <= coalesce(({following}), started_at)"
            " AND id < coalesce(:before, id + 1) ORDER BY id DESC LIMIT 1",
            task=task_id,
            before=before,
            call=tool_call_id,
            following=frame + 1,
        )
        return found[0] if found else None

    def answer_with(self, task_id: str, call: ToolCallRecord) -> ModelCallRecord | None:
        """Return the request whose answer asked for a tool call; None if it was pruned."""
        found = self._model_calls(
            "task_id = :task AND turn = :turn AND agent IS :agent AND caller IS :caller"
            " AND instr(response, :call) ORDER BY id DESC LIMIT 1",
            task=task_id,
            turn=call.turn,
            agent=call.agent,
            caller=call.caller,
            call=json.dumps(call.tool_call_id, ensure_ascii=False),
        )
        return found[0] if found else None

    def reused_from(self, approval_id: str) -> str | None:
        """Return the execution and the id of the question whose answer was used again; None if it was asked."""
        rows = self._rows(
            f"SELECT reused_from FROM approvals WHERE {self._of('approvals')} AND approval_id = :approval",
            approval=approval_id,
        )
        return rows[0][0] if rows else None

    def call(self, id: str) -> CallRecord | None:
        """Return a handler call by its id, which begins with the number of its frame."""
        frame = _frame_of(id)
        return self._call("frame = :frame AND id = :call", frame, call=id)

    def call_of(self, task_id: str, event: str | None, frame: int) -> CallRecord | None:
        """Return the last call of a task's handler in a frame; None stands for any event."""
        return self._call("task_id = :task AND (:event IS NULL OR event = :event)", frame, task=task_id, event=event)

    def _call(self, where: str, frame: int, **given: object) -> CallRecord | None:
        # Ids begin with the frame: a range of them is a range of the primary key. Of a stale call it is ``3snotes@1``.
        rows = self._rows(
            f"SELECT {_CALL} FROM handlers WHERE {self._of('handlers', frame, frame)} AND id >= :frame || 'h'"
            f" AND id < :frame || 't' AND {where} ORDER BY rowid DESC LIMIT 1",
            frame=frame,
            **given,
        )
        if not rows:
            return None
        call = HandlerCall(*rows[0])
        task = self.task(call.task_id)
        return CallRecord(call, 1, None if task is None else task.status)

    def effect(self, id: str) -> EffectRun | None:
        """Return an effect run, or a cleanup, by its id, which begins with the number of its frame."""
        frame = _frame_of(id)
        rows = self._rows(
            f"SELECT {_EFFECT} FROM effects WHERE {self._of('effects', frame, frame)} AND id = :effect LIMIT 1",
            effect=id,
        )
        return EffectRun(*rows[0]) if rows else None


def _frame_of(id: str) -> int:
    """Return the frame at the beginning of the id of a write, a call or a run.

    >>> _frame_of("12w3")
    12
    """
    digits = ""
    for sign in id:
        if not sign.isdigit():
            break
        digits += sign
    return int(digits or 0)
