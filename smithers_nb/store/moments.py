"""The records of a frame and of the way there, read for the stepper in small pieces.

Nothing here loads a whole value: texts are cut in SQL, and one is read whole only when it is asked for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..records import (
    Author,
    CallRecord,
    EventRecord,
    Excerpt,
    Exchange,
    FrameRecord,
    FrameTotals,
    HandlerCall,
    HandlerOutcome,
    LastNode,
    ModelCallRecord,
    NodeVersion,
    Phase,
    QuestionRecord,
    ReplacedValue,
    SearchHit,
    Stretch,
    TaskFrames,
    TaskRecord,
    ToolCallRecord,
    ValueRecord,
    ValueVersion,
    WriteRecord,
)
from ..records.conversation import exchanges_of
from ..records.excerpt import VALUE_CHARS, of_json
from ..values import Stored
from .line import of_line
from .reader import TASK_COLUMNS, Reader

Row = tuple[Any, ...]  # Any: SQLite's values

_DENSE = (
    "SELECT frame, status, writes, handlers, mounted + unmounted + updated + moved, cast(round(coalesce(snapshot_ms, 0)"
    " + coalesce(render_ms, 0) + coalesce(reconcile_ms, 0) + coalesce(commit_ms, 0) + coalesce(execute_ms, 0)"
    " + coalesce(effects_ms, 0) + coalesce(flush_ms, 0)) AS INTEGER) FROM frames WHERE {} AND frame >= :since"
    " ORDER BY frame"
)
_FRAME = (
    "frame, reason, status, created_at, mounted, unmounted, updated, moved, handlers, writes, snapshot_ms, render_ms,"
    " reconcile_ms, commit_ms, execute_ms, effects_ms, flush_ms"
)
_WRITE = (
    "SELECT id, frame, seq, scope, key, op, substr(old, 1, :cut), length(old), substr(new, 1, :cut), length(new),"
    ' status, "trigger", origin, origin_id, node_id, handler, tool_call_id FROM transitions'
)
_TASK = (
    f"SELECT {TASK_COLUMNS}, NULL, (SELECT count(*) FROM tool_calls c WHERE c.execution_id = tasks.execution_id"
    " AND c.task_id = tasks.task_id) FROM tasks"
)


class Moments:
    """An execution in its file, read along its line: what a branch shares with its ancestors, then its own."""

    def __init__(self, reader: Reader, execution_id: str, line: Sequence[Stretch] = ()) -> None:
        self.reader = reader
        self.execution_id = execution_id
        self._line = list(line)
        # The execution whose past these are is not the one that is shown: a place has to name it.
        self._named = (execution_id,) if line else ()
        self._past: dict[str, Moments] = {}

    @property
    def line(self) -> list[Stretch]:
        """The line, oldest first; read once, as it never changes."""
        if not self._line:
            self._line = self.reader.line(self.execution_id)
        return self._line

    def owner(self, frame: int) -> str:
        """Return the execution of the line that a frame belongs to."""
        return self._part(frame).execution_id

    def up_to(self, frame: int) -> Moments:
        """Return the records as the owner of a frame has them: its tasks went on in it after a fork, and began again
        in the branch.
        """
        part = self._part(frame)
        if part is self.line[-1]:
            return self
        past = self._past.get(part.execution_id)
        if past is None:
            shared = self.line[: self.line.index(part)]
            past = Moments(self.reader, part.execution_id, [*shared, replace(part, last=sys.maxsize)])
            self._past[part.execution_id] = past
        return past

    def newest(self) -> int:
        """Return a number that grows with each execution that is added to the file."""
        rows = self._rows("SELECT max(rowid) FROM executions")
        return int(rows[0][0])

    def _part(self, frame: int) -> Stretch:
        return next(part for part in self.line if frame <= part.last)

    # ---- frames ------------------------------------------------------------------------------------------------

    def frame(self, number: int) -> FrameRecord | None:
        """Return a frame; None if there is none of this number."""
        where = self._of("frames", number, number)
        rows = self._rows(f"SELECT {_FRAME} FROM frames WHERE {where} AND frame = :frame", frame=number)
        if not rows:
            return None
        return _frame(rows[0])

    def totals(self, since: int) -> list[FrameTotals]:
        """Return the totals of every frame from ``since`` on."""
        return [FrameTotals(*row) for row in self._rows(_DENSE.format(self._of("frames", since)), since=since)]

    def events_by_frame(self, since: int) -> dict[str, list[tuple[int, int]]]:
        """Return by kind: (frame, count) of problems, hits and output from a frame on."""
        rows = self._rows(
            f"SELECT kind, frame, count(*) FROM events WHERE {self._of('events', since)} AND frame >= :since"
            " AND kind IN ('problem', 'breakpoint', 'output') GROUP BY kind, frame ORDER BY frame",
            since=since,
        )
        found: dict[str, list[tuple[int, int]]] = {}
        for kind, frame, count in rows:
            found.setdefault(kind, []).append((frame, count))
        return found

    def tasks_by_frame(self, since: int) -> list[tuple[int, int]]:
        """Return (frame, how many tasks began) from a frame on."""
        return self._rows(
            f"SELECT mounted_at_frame, count(*) FROM tasks WHERE {self._of('tasks')} AND mounted_at_frame >= :since"
            " GROUP BY mounted_at_frame ORDER BY mounted_at_frame",
            since=since,
        )

    def keys_by_frame(self, since: int, most: int) -> list[tuple[int, list[str]]]:
        """Return (frame, the first keys that it changed) from a frame on."""
        rows = self._rows(
            f"SELECT frame, key FROM transitions WHERE {self._of('transitions', since)} AND frame >= :since"
            " AND frame > 0 AND status IN ('applied', 'edited') ORDER BY frame, seq",
            since=since,
        )
        found: dict[int, list[str]] = {}
        for frame, key in rows:
            keys = found.setdefault(frame, [])
            if len(keys) < most and key not in keys:
                keys.append(key)
        return list(found.items())

    def ended(self, number: int) -> str | None:
        """Return when a frame gave way to the next one; None for the newest."""
        where = self._of("frames", number + 1, number + 1)
        rows = self._rows(f"SELECT created_at FROM frames WHERE {where} AND frame = :frame", frame=number + 1)
        if not rows:
            return None
        return str(rows[0][0])

    # ---- writes and values -------------------------------------------------------------------------------------

    def writes(self, frame: int) -> list[WriteRecord]:
        """Return the writes of a frame in the order in which they were applied."""
        return self._writes("frame = :frame ORDER BY seq", since=frame, until=frame, frame=frame)

    def write_before(self, key: str, frame: int, seq: int) -> WriteRecord | None:
        """Return the last write that changed a key before (frame, seq)."""
        # From the newest part of the line on, so that each query ends at the first write that it comes to.
        for part in reversed(self.line):
            found = self._writes(
                "key = :key AND (frame, seq) < (:frame, :seq) AND status IN ('applied', 'edited')"
                " ORDER BY frame DESC, seq DESC LIMIT 1",
                only=part,
                key=key,
                frame=frame,
                seq=seq,
            )
            if found:
                return found[0]
        return None

    def authors(self, keys: Sequence[str], frames: Iterable[int]) -> dict[tuple[str, int], Author]:
        """Return by key and frame the author of the last change of the key in that frame."""
        rows = self._rows(
            "SELECT key, frame, origin, origin_id, node_id, handler FROM transitions"
            f" WHERE {self._of('transitions')} AND frame IN (SELECT value FROM json_each(:frames))"
            " AND key IN (SELECT value FROM json_each(:keys))"
            " AND scope = 'state' AND status IN ('applied', 'edited') ORDER BY frame, seq",
            keys=_json(keys),
            frames=_json(sorted(set(frames))),
        )
        return {(key, frame): Author(*author) for key, frame, *author in rows}

    def state(self, frame: int, most: int) -> tuple[int, list[ValueRecord]]:
        """Return the number of keys that a frame read, and the first values, with those that are new in it."""
        where = (
            " FROM state WHERE execution_id = :owner AND from_frame <= :frame"
            " AND (to_frame IS NULL OR to_frame > :frame)"
        )
        owner = self.owner(frame)
        total = int(self._rows(f"SELECT count(*){where}", frame=frame, owner=owner)[0][0])
        columns = "SELECT key, substr(value, 1, :cut), length(value), type, from_frame"
        given: dict[str, object] = {"frame": frame, "owner": owner, "most": most, "cut": VALUE_CHARS}
        rows = self._rows(f"{columns}{where} ORDER BY key LIMIT :most", **given)
        if total > most:
            changed = self._rows(f"{columns}{where} AND from_frame = :frame ORDER BY key LIMIT :most", **given)
            known = {row[0] for row in rows}
            rows += [row for row in changed if row[0] not in known]
        return total, [
            ValueRecord(
                scope="state",
                key=key,
                value=Excerpt(text, chars, kind, ("state", "value", key, since)),
                since=since,
                changed=since == frame > 1,
            )
            for key, text, chars, kind, since in rows
        ]

    def versions(self, keys: Sequence[str], frame: int, most: int) -> dict[str, list[ValueVersion]]:
        """Return by key the newest versions up to a frame, newest first."""
        rows = self._rows(
            "SELECT wanted.value, (SELECT json_group_array(json_array(from_frame, text, chars, type)) FROM (SELECT"
            " from_frame, substr(state.value, 1, :cut) AS text, length(state.value) AS chars, state.type FROM state"
            f" WHERE {self._of('state')} AND state.key = wanted.value AND from_frame <= :frame"
            " ORDER BY from_frame DESC LIMIT :most)) FROM json_each(:keys) wanted",
            keys=_json(keys),
            frame=frame,
            most=most,
            cut=VALUE_CHARS,
        )
        return {
            key: [
                ValueVersion(since, Excerpt(text, chars, kind, ("state", "value", key, since)))
                for since, text, chars, kind in json.loads(found)
            ]
            for key, found in rows
        }

    def readers(self, keys: Sequence[str], frame: int) -> dict[str, list[str]]:
        """Return by key the paths of the components that read it in a frame."""
        rows = self._rows(
            "SELECT key, component FROM reads WHERE execution_id = :owner"
            " AND key IN (SELECT value FROM json_each(:keys))"
            " AND from_frame <= :frame AND (to_frame IS NULL OR to_frame > :frame) ORDER BY key, component",
            owner=self.owner(frame),
            keys=_json(keys),
            frame=frame,
        )
        found: dict[str, list[str]] = {}
        for key, component in rows:
            found.setdefault(key, []).append(component)
        return found

    def read_by(self, component: str, frame: int) -> list[str]:
        """Return the keys that the component at a path read in a frame."""
        rows = self._rows(
            "SELECT key FROM reads WHERE execution_id = :owner AND component = :component"
            " AND from_frame <= :frame AND (to_frame IS NULL OR to_frame > :frame) ORDER BY key",
            owner=self.owner(frame),
            component=component,
            frame=frame,
        )
        return [key for (key,) in rows]

    def reads_at(self, frame: int) -> list[tuple[str, str]]:
        """Return each component's path with a key that it read in a frame."""
        return self._rows(
            "SELECT component, key FROM reads WHERE execution_id = :owner AND from_frame <= :frame"
            " AND (to_frame IS NULL OR to_frame > :frame) ORDER BY component, key",
            owner=self.owner(frame),
            frame=frame,
        )

    def whole(self, table: str, column: str, at: Sequence[object]) -> tuple[str, str | None] | None:
        """Return a text whole, with its type if it has one: of ``state`` (key, from_frame), ``transitions`` (frame,
        seq), ``events`` (id), ``tasks`` (task_id), ``tool_calls`` and ``model_calls`` (id), ``approvals``
        (approval_id).
        """
        names, kind = WHOLE[table, column]
        if len(at) > len(names):
            # The task of a frame before a fork: its owner has it as it went on there.
            past = self.up_to(next((part.last for part in self.line if part.execution_id == at[-1]), sys.maxsize))
            return past.whole(table, column, at[:-1])
        where = " AND ".join(f"{name} = :{name}" for name in names)
        rows = self._rows(
            f"SELECT {column}, {kind} FROM {table} WHERE {self._of(table)} AND {where}",
            **dict(zip(names, at, strict=True)),
        )
        if not rows or rows[0][0] is None:
            return None
        return rows[0][0], rows[0][1]

    # ---- handlers and tasks ------------------------------------------------------------------------------------

    def handlers(self, until: int, most: int) -> list[CallRecord]:
        """Return the newest handler calls up to a frame, newest frame first."""
        # Numbered within their frame, because a view shows the frames newest first, but the calls of one in the order
        # in which they were made.
        rows = self._rows(
            "SELECT h.id, frame, h.node_id, h.task_id, event, h.status, writes, ms, h.error, source, seq, t.status"
            " FROM (SELECT rowid AS place, row_number() OVER (PARTITION BY frame ORDER BY"
            f" rowid) AS seq, * FROM handlers WHERE {self._of('handlers', until=until)} AND frame <= :until"
            " AND frame > :since) h"
            " LEFT JOIN tasks t ON t.execution_id = h.execution_id AND t.task_id = h.task_id"
            " ORDER BY frame DESC, place LIMIT :most",
            until=until,
            since=self._far_enough("handlers", until, most),
            most=most,
        )
        return [CallRecord(HandlerCall(*call), seq, status) for *call, seq, status in rows]

    def fired(self, until: int) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event: how often it was called up to a frame, and how the last call went."""
        rows = self._rows(
            f"SELECT node_id, event, count(*), status, max(frame) FROM handlers WHERE {self._of('handlers')}"
            " AND frame <= :until GROUP BY node_id, event",
            until=until,
        )
        return {(node, event): (count, status) for node, event, count, status, _ in rows}

    def raised(self, until: int) -> dict[tuple[str, str], HandlerOutcome]:
        """Return by task id and event the last call up to a frame, where it raised."""
        # Beside max() SQLite takes the other columns of the same row; HAVING sees those.
        rows = self._rows(
            f"SELECT task_id, event, node_id, max(frame), status FROM handlers WHERE {self._of('handlers')}"
            " AND frame <= :until GROUP BY task_id, event HAVING status = 'raised'",
            until=until,
        )
        return {(task, event): HandlerOutcome(frame, node, event, status) for task, event, node, frame, status in rows}

    def tasks(self, until: int, most: int) -> list[TaskRecord]:
        """Return the newest tasks that were mounted in a frame or before, newest first; without their results."""
        rows = self._rows(
            f"{_TASK} WHERE {self._of('tasks')} AND mounted_at_frame <= :until"
            " ORDER BY mounted_at_frame DESC, rowid DESC LIMIT :most",
            until=until,
            most=most,
        )
        return [TaskRecord(*row) for row in rows]

    def task(self, task_id: str) -> TaskRecord | None:
        """Return a task, without its result; None if there is none of this id."""
        rows = self._rows(f"{_TASK} WHERE {self._of('tasks')} AND task_id = :task", task=task_id)
        if not rows:
            return None
        return TaskRecord(*rows[0])

    def result(self, task_id: str) -> Excerpt | None:
        """Return the result of a task, cut; None if it has none."""
        rows = self._rows(
            f"SELECT substr(result, 1, :cut), length(result), result_type FROM tasks WHERE {self._of('tasks')}"
            " AND task_id = :task",
            task=task_id,
            cut=VALUE_CHARS,
        )
        if not rows:
            return None
        text, chars, _ = rows[0]
        return of_json(text, chars, ("tasks", "result", task_id, *self._named))

    def asked(self, task_id: str) -> list[QuestionRecord]:
        """Return the questions of a task, oldest first, with their answers."""
        rows = self._rows(
            "SELECT approval_id, kind, prompt, options, status, choice, comment, asked_at, answered_at, diff,"
            " CASE WHEN length(tool_args) <= 20000 THEN tool_args END, args IS NOT NULL, substr(result, 1, :cut),"
            " length(result), substr(shown, 1, :cut), length(shown) FROM (SELECT rowid AS place, *,"
            " coalesce(args, CASE WHEN tool_call_id IS NOT NULL THEN json_extract(payload, '$.input') END) AS"
            " tool_args,"
            " CASE WHEN json_type(payload, '$.diff') = 'text' THEN substr(payload ->> '$.diff', 1, 20000) END AS diff,"
            " CASE WHEN json_type(payload, '$.diff') = 'text' THEN json_remove(payload, '$.diff') ELSE payload END AS"
            f" shown FROM approvals WHERE {self._of('approvals')} AND task_id = :task) ORDER BY place LIMIT 100",
            task=task_id,
            cut=VALUE_CHARS,
        )
        return [_question(row, self._named) for row in rows]

    def questioned(self) -> set[str]:
        """Return the ids of the tasks that ever asked a person."""
        # The answers come between frames: no other record changes when one is given.
        return {task_id for (task_id,) in self._rows(f"SELECT task_id FROM approvals WHERE {self._of('approvals')}")}

    def asking(self, until: str) -> set[str]:
        """Return the ids of the tasks that waited for a person at a time, in ISO 8601."""
        rows = self._rows(
            "SELECT a.task_id FROM approvals a JOIN tasks t USING (execution_id, task_id) WHERE execution_id = :id"
            " AND asked_at < :until AND coalesce(answered_at, t.ended_at, :until) >= :until",
            until=until,
        )
        return {task_id for (task_id,) in rows}

    def newest_tasks(self, until: int, node_ids: Iterable[str] | None = None) -> list[TaskRecord]:
        """Return the newest task of each node that was mounted in a frame or before; only of ``node_ids``, if given."""
        wanted = "" if node_ids is None else " AND node_id IN (SELECT value FROM json_each(:nodes))"
        # With max(), SQLite takes the other columns from the row that has the maximum.
        columns = TASK_COLUMNS.replace("mounted_at_frame", "max(mounted_at_frame)")
        rows = self._rows(
            f"SELECT {columns} FROM tasks WHERE {self._of('tasks')} AND mounted_at_frame <= :until{wanted}"
            " GROUP BY node_id",
            until=until,
            nodes=_json(node_ids or ()),
        )
        return [TaskRecord(*row) for row in rows]

    def tasks_by_id(self, task_ids: Sequence[str]) -> dict[str, TaskRecord]:
        """Return tasks by their ids, without their results."""
        rows = self._rows(
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE {self._of('tasks')}"
            " AND task_id IN (SELECT value FROM json_each(:tasks))",
            tasks=_json(task_ids),
        )
        return {row[0]: TaskRecord(*row) for row in rows}

    def tool_calls(self, task_id: str) -> list[ToolCallRecord]:
        """Return the tool calls of a task, oldest first."""
        return self._tool_calls("task_id = :task ORDER BY id LIMIT 200", task=task_id)

    def _tool_calls(self, where: str, **given: object) -> list[ToolCallRecord]:
        rows = self._rows(
            "SELECT id, turn, attempt, tool, substr(input, 1, :cut), length(input), substr(output, 1, :cut),"
            " length(output), status, ms, error, agent, caller, tool_call_id FROM tool_calls"
            f" WHERE {self._of('tool_calls')} AND {where}",
            cut=VALUE_CHARS,
            **given,
        )
        return [_tool_call(row) for row in rows]

    def model_calls(self, task_id: str) -> list[ModelCallRecord]:
        """Return the requests of a task to its model, oldest first."""
        return self._model_calls("task_id = :task ORDER BY id LIMIT 200", task=task_id)

    def _model_calls(self, where: str, **given: object) -> list[ModelCallRecord]:
        rows = self._rows(
            "SELECT id, turn, attempt, model, answered_by, input_tokens, output_tokens, cost_usd, ms, error,"
            " agent, substr(response, 1, :cut), length(response) FROM model_calls"
            f" WHERE {self._of('model_calls')} AND {where}",
            cut=VALUE_CHARS,
            **given,
        )
        return [
            ModelCallRecord(*(*row[:-2], of_json(row[-2], row[-1], ("model_calls", "response", row[0]))))
            for row in rows
        ]

    def exchanges(self, task_id: str) -> tuple[Exchange, ...]:
        """Return the conversation of a task, oldest request first."""
        task, owner = self.task(task_id), self.execution_id
        if task is not None and task.settled_at_frame is not None:
            # A branch has copies of the tasks that were settled before it, but not of their calls.
            owner = self.owner(task.settled_at_frame)
        return exchanges_of(self.reader.model_calls(owner, task_id), self.reader.tool_calls(owner, task_id))

    # ---- events ------------------------------------------------------------------------------------------------

    def events(self, kind: str, until: int, most: int, since: int = 0) -> list[EventRecord]:
        """Return the newest events of a kind from one frame up to another, newest first."""
        rows = self._rows(
            "SELECT id, kind, frame, node_id, payload, created_at FROM events"
            f" WHERE {self._of('events', since, until)} AND kind = :kind AND frame BETWEEN :since AND :until"
            " ORDER BY id DESC LIMIT :most",
            kind=kind,
            since=since,
            until=until,
            most=most,
        )
        return [EventRecord(*row) for row in rows]

    def count(self, kind: str, until: int, since: int = 0) -> int:
        """Return how many events of a kind there are from frame ``since`` up to one."""
        where = self._of("events", since, until)
        rows = self._rows(
            f"SELECT count(*) FROM events WHERE {where} AND kind = :kind AND frame BETWEEN :since AND :until",
            kind=kind,
            since=since,
            until=until,
        )
        return int(rows[0][0])

    # ---- what breakpoints would have seen ----------------------------------------------------------------------

    def called(self, node_id: str | None, event: str | None) -> list[HandlerOutcome]:
        """Return the handler calls of a node and an event, oldest first; None stands for all."""
        rows = self._rows(
            f"SELECT frame, node_id, event, status FROM handlers WHERE {self._of('handlers')}"
            " AND (:node IS NULL OR node_id = :node) AND (:event IS NULL OR event = :event) ORDER BY frame, rowid",
            node=node_id,
            event=event,
        )
        return [HandlerOutcome(*row) for row in rows]

    def written(self, key: str) -> list[WriteRecord]:
        """Return every write of a key, in order."""
        return self._writes("key = :key ORDER BY frame, seq", key=key)

    def values_of(self, key: str, most: int) -> list[Stored]:
        """Return the values that a key had, the newest first, each once."""
        rows = self._rows(
            f"SELECT value, type, max(from_frame) FROM state WHERE {self._of('state')} AND key = :key"
            " GROUP BY value, type ORDER BY max(from_frame) DESC LIMIT :most",
            key=key,
            most=most,
        )
        return [Stored(value, kind) for value, kind, _ in rows]

    def node_versions(self, node_id: str) -> list[NodeVersion]:
        """Return the versions of a node, oldest first."""
        rows = self._rows(
            f"SELECT from_frame, to_frame, type, path FROM nodes WHERE {self._of('nodes')} AND node_id = :node"
            " ORDER BY from_frame",
            node=node_id,
        )
        return [NodeVersion(*row) for row in rows]

    def tasks_of(self, node_id: str) -> list[TaskFrames]:
        """Return the tasks of a node with the frames in which they began and were settled, oldest first."""
        rows = self._rows(
            "SELECT status, settled_at_frame, (SELECT max(frame) FROM frames"
            " WHERE frames.execution_id = tasks.execution_id AND frames.created_at <= tasks.started_at)"
            f" FROM tasks WHERE {self._of('tasks')}"
            " AND node_id = :node ORDER BY mounted_at_frame, rowid",
            node=node_id,
        )
        return [TaskFrames(*row) for row in rows]

    def turns(self, most: int) -> list[int]:
        """Return the newest frames, oldest first, in which the standing of a node may have changed."""
        tasks = self._of("tasks")
        rows = self._rows(
            f"SELECT frame FROM (SELECT mounted_at_frame AS frame FROM tasks WHERE {tasks}"
            f" UNION SELECT settled_at_frame + 1 FROM tasks WHERE {tasks}"
            f" UNION SELECT from_frame FROM nodes WHERE {self._of('nodes')} AND type <> 'text')"
            f" WHERE frame IN (SELECT frame FROM frames WHERE {self._of('frames')}) ORDER BY frame DESC LIMIT :most",
            most=most,
        )
        return [int(row[0]) for row in reversed(rows)]

    def replaced(self, since: int, until: int) -> list[ReplacedValue]:
        """Return the values before each write that was applied to the state in some frames, newest first."""
        rows = self._rows(
            f"SELECT frame, key, old FROM transitions WHERE {self._of('transitions', since, until)}"
            " AND frame BETWEEN :since AND :until"
            " AND scope = 'state' AND status IN ('applied', 'overridden', 'edited') ORDER BY frame DESC, seq DESC",
            since=since,
            until=until,
        )
        return [ReplacedValue(*row) for row in rows]

    def last_nodes(self, node_ids: Iterable[str], frame: int) -> list[LastNode]:
        """Return each of these nodes as it was in the last frame up to one that had it; not those that never were."""
        # The newest version of each: a node has one for each change of its props.
        rows = self._rows(
            "SELECT node_id, path, type, key, explicit_id, parent_id, json_extract(props, '$.name'),"
            f" min(coalesce(to_frame - 1, :frame), :frame), max(from_frame) FROM nodes WHERE {self._of('nodes')}"
            " AND from_frame <= :frame AND node_id IN (SELECT value FROM json_each(:ids)) GROUP BY node_id",
            ids=json.dumps(sorted(set(node_ids))),
            frame=frame,
        )
        return [_last_node(row[:-1]) for row in rows]

    def nodes_of_tasks(self, tasks: Iterable[TaskRecord]) -> dict[str, LastNode]:
        """Return by task id the node of each task as the frame that mounted it had it: in a loop, each iteration has
        one of its own.
        """
        return self.nodes_at((task.task_id, task.node_id, task.mounted_at_frame) for task in tasks)

    def nodes_at(self, places: Iterable[tuple[str, str, int]]) -> dict[str, LastNode]:
        """Return by task id the node of each task as a frame had it, for tasks that are given with node and frame."""
        rows = self._rows(
            "WITH asked AS (SELECT json_extract(value, '$[0]') AS task_id, json_extract(value, '$[1]') AS node,"
            " json_extract(value, '$[2]') AS at FROM json_each(:asked))"
            " SELECT task_id, node_id, path, type, key, explicit_id, parent_id, json_extract(props, '$.name'), at,"
            f" max(from_frame) FROM asked CROSS JOIN nodes ON node_id = node WHERE {self._of('nodes')}"
            " AND from_frame <= at GROUP BY task_id",
            asked=json.dumps(list(places)),
        )
        return {task_id: _last_node(row) for task_id, *row, _ in rows}

    def node_spans(self, node_ids: Iterable[str]) -> dict[str, list[tuple[int, int | None, LastNode]]]:
        """Return by id the versions of nodes, oldest first: the first frame, the first one without it, and the node."""
        found: dict[str, list[tuple[int, int | None, LastNode]]] = {}
        for id, path, type_, key, given, parent, name, since, until in self._rows(
            "SELECT node_id, path, type, key, explicit_id, parent_id, json_extract(props, '$.name'), from_frame,"
            f" to_frame FROM nodes WHERE {self._of('nodes')} AND node_id IN (SELECT value FROM json_each(:ids))"
            " ORDER BY from_frame",
            ids=json.dumps(sorted(set(node_ids))),
        ):
            node = LastNode(
                id=id,
                path=path,
                type=type_,
                key=key,
                explicit_id=bool(given),
                parent_id=parent,
                props={"name": name},
                frame=since if until is None else until - 1,
            )
            found.setdefault(id, []).append((since, until, node))
        return found

    # ---- searching ---------------------------------------------------------------------------------------------

    def search(self, text: str, most: int) -> list[SearchHit]:
        """Return the nodes, keys, handlers, tasks and output whose name holds a text."""
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._rows(
            "SELECT 'node', node_id, type || ' ' || coalesce(key, text, node_id), max(from_frame), node_id FROM nodes"
            f" WHERE {self._of('nodes')} AND (node_id LIKE :like ESCAPE '\\' OR key LIKE :like ESCAPE '\\' OR type"
            " LIKE :like ESCAPE '\\' OR text LIKE :like ESCAPE '\\' OR props LIKE :like ESCAPE '\\') GROUP BY node_id"
            " UNION ALL SELECT 'key', key, key, max(from_frame), NULL FROM state"
            f" WHERE {self._of('state')} AND key LIKE"
            " :like ESCAPE '\\' GROUP BY key"
            " UNION ALL SELECT 'handler', id, event || ' of ' || node_id, max(frame), node_id FROM handlers WHERE"
            f" {self._of('handlers')} AND (event || ' of ' || node_id) LIKE :like ESCAPE '\\' GROUP BY node_id, event"
            " UNION ALL SELECT 'task', task_id, task_id || ' ' || status, max(mounted_at_frame), node_id FROM tasks"
            f" WHERE {self._of('tasks')} AND task_id LIKE :like ESCAPE '\\' GROUP BY task_id"
            " UNION ALL SELECT 'output', id, json_extract(payload, '$.text'), frame, node_id FROM (SELECT * FROM events"
            f" WHERE {self._of('events')} AND kind = 'output'"
            " AND json_extract(payload, '$.text') LIKE :like ESCAPE '\\'"
            " ORDER BY id DESC LIMIT 50) LIMIT :most",
            like=like,
            most=most,
        )
        return [
            SearchHit(kind=kind, id=str(id), label=label[:200], frame=frame, node_id=node)
            for kind, id, label, frame, node in rows
        ]

    def searchable(self) -> list[tuple[SearchHit, str, list[str]]]:
        """Return everything that ``search`` can find, in its order: with the name of its subject, of which the newest
        one that is found is told, and the texts in which it is looked for.
        """
        rows = self._rows(
            "SELECT 'node', node_id, type || ' ' || coalesce(key, text, node_id), from_frame, node_id, node_id,"
            " json_array(node_id, key, type, text, props) FROM"
            f" (SELECT * FROM nodes WHERE {self._of('nodes')} ORDER BY node_id, from_frame)"
            " UNION ALL SELECT 'key', key, key, from_frame, NULL, key, json_array(key) FROM (SELECT key,"
            f" max(from_frame) AS from_frame FROM state WHERE {self._of('state')} GROUP BY key)"
            " UNION ALL SELECT 'handler', id, event || ' of ' || node_id, frame, node_id, node_id || ' ' || event,"
            " json_array(event || ' of ' || node_id) FROM (SELECT id, event, node_id, max(frame) AS frame FROM"
            f" handlers WHERE {self._of('handlers')} GROUP BY node_id, event)"
            " UNION ALL SELECT 'task', task_id, task_id || ' ' || status, mounted_at_frame, node_id, task_id,"
            " json_array(task_id) FROM (SELECT task_id, status, node_id, max(mounted_at_frame) AS mounted_at_frame"
            f" FROM tasks WHERE {self._of('tasks')} GROUP BY task_id)"
            " UNION ALL SELECT 'output', id, json_extract(payload, '$.text'), frame, node_id, id,"
            f" json_array(json_extract(payload, '$.text')) FROM (SELECT * FROM events WHERE {self._of('events')}"
            " AND kind = 'output' ORDER BY id DESC)"
        )
        # The page looks for letters in these texts as LIKE does here: for all of SQL's rules it would need SQLite.
        return [
            (
                SearchHit(kind=kind, id=str(id), label=label[:200], frame=frame, node_id=node),
                str(subject),
                [text for text in json.loads(texts) if text is not None],
            )
            for kind, id, label, frame, node, subject, texts in rows
        ]

    # ---- inside ------------------------------------------------------------------------------------------------

    def _far_enough(self, table: str, until: int, most: int) -> int:
        """Return a frame so that ``most`` rows lie after it: numbering all of 10,000 frames would take too long."""
        where = self._of(table, until=until)
        rows = self._rows(
            f"SELECT frame FROM {table} WHERE {where} AND frame <= :until ORDER BY frame DESC LIMIT 1 OFFSET :most",
            until=until,
            most=most,
        )
        if not rows:
            return -1
        return int(rows[0][0]) - 1

    def _writes(
        self,
        where: str,
        *,
        since: int = 0,
        until: int = sys.maxsize,
        only: Stretch | None = None,
        **parameters: object,
    ) -> list[WriteRecord]:
        of = self._of("transitions", since, until)
        if only is not None:
            of = f"{of} AND execution_id = :only"
            parameters["only"] = only.execution_id
        rows = self._rows(f"{_WRITE} WHERE {of} AND {where}", cut=VALUE_CHARS, **parameters)
        return [_write(row) for row in rows]

    def _of(self, table: str, since: int = 0, until: int = sys.maxsize) -> str:
        """Return the condition for the rows of a table that belong to the line, for a query of ``_rows``."""
        return of_line(self.line, table, since, until)[0]

    def _rows(self, sql: str, **parameters: object) -> list[Row]:
        return self.reader.query(sql, {**self._parts, **parameters}).rows

    @cached_property
    def _parts(self) -> dict[str, object]:
        """The parameters that name the line, which never changes."""
        _, parts = of_line(self.line, "frames")
        return {"id": self.execution_id, **parts}


def _last_node(row: Sequence[Any]) -> LastNode:  # Any: SQLite's values
    id, path, kind, key, given, parent, name, frame = row
    return LastNode(
        id=id,
        path=path,
        type=kind,
        key=key,
        explicit_id=bool(given),
        parent_id=parent,
        props={"name": name},
        frame=frame,
    )


WHOLE = {
    ("state", "value"): (("key", "from_frame"), "type"),
    ("transitions", "old"): (("frame", "seq"), "NULL"),
    ("transitions", "new"): (("frame", "seq"), "NULL"),
    ("events", "payload"): (("id",), "kind"),
    ("tasks", "result"): (("task_id",), "result_type"),
    ("tasks", "error"): (("task_id",), "NULL"),
    ("tool_calls", "input"): (("id",), "NULL"),
    ("tool_calls", "output"): (("id",), "NULL"),
    ("model_calls", "response"): (("id",), "NULL"),
    ("approvals", "payload"): (("approval_id",), "NULL"),
    ("approvals", "result"): (("approval_id",), "NULL"),
}
"""By table and column: the columns that name the row, and the one that has the type."""


def _json(values: Iterable[object]) -> str:
    return json.dumps(list(values))


def _frame(row: Row) -> FrameRecord:
    number, reason, status, created_at, *counts_and_ms = row
    names = ("mounted", "unmounted", "updated", "moved", "handlers", "writes")
    counts, taken = counts_and_ms[: len(names)], counts_and_ms[len(names) :]
    ms = {phase: took for phase, took in zip(Phase, taken, strict=True) if took is not None}
    # The file has a frame from its COMMIT on, and the times of all its later phases from its FLUSH on.
    phase = Phase.COMMIT
    if Phase.FLUSH in ms:
        phase = Phase.FLUSH
    return FrameRecord(
        number=number,
        reason=tuple(json.loads(reason)),
        status=status,
        phase=phase,
        created_at=created_at,
        counts=dict(zip(names, counts, strict=True)),
        ms=ms,
    )


def _write(row: Row) -> WriteRecord:
    id, frame, seq, scope, key, op, old, old_chars, new, new_chars, status, trigger, *author = row
    origin, origin_id, node_id, handler, tool_call_id = author
    return WriteRecord(
        id=id,
        frame=frame,
        seq=seq,
        scope=scope,
        key=key,
        op=op,
        old=of_json(old, old_chars, ("transitions", "old", frame, seq)),
        new=of_json(new, new_chars, ("transitions", "new", frame, seq)),
        status=status,
        trigger=trigger,
        origin=origin,
        origin_id=origin_id,
        node_id=node_id,
        handler=handler,
        outcome=status,
        tool_call_id=tool_call_id,
    )


def _question(row: Row, named: tuple[str, ...]) -> QuestionRecord:
    *fields, result, result_chars, payload, chars = row
    approval_id, kind, prompt, options, status, choice, comment, asked_at, answered_at, diff, args, edited = fields
    shown = payload
    if payload == "null":
        shown = None
    return QuestionRecord(
        approval_id=approval_id,
        kind=kind,
        prompt=prompt,
        options=json.loads(options),
        status=status,
        choice=choice,
        comment=comment,
        asked_at=asked_at,
        answered_at=answered_at,
        payload=of_json(shown, chars, ("approvals", "payload", approval_id, *named)),
        args=args,
        edited=bool(edited),
        result=of_json(result, result_chars, ("approvals", "result", approval_id, *named)),
        diff=diff,
    )


def _tool_call(row: Row) -> ToolCallRecord:
    id, turn, attempt, tool, given, given_chars, output, output_chars, *end = row
    status, ms, error, agent, caller, tool_call_id = end
    shown = of_json(given, given_chars, ("tool_calls", "input", id))
    assert shown is not None  # for the type checker: the column is NOT NULL
    return ToolCallRecord(
        id=id,
        turn=turn,
        attempt=attempt,
        tool=tool,
        input=shown,
        output=of_json(output, output_chars, ("tool_calls", "output", id)),
        status=status,
        ms=ms,
        error=error,
        agent=agent,
        caller=caller,
        tool_call_id=tool_call_id,
    )
