"""The records of a frame and of the way there, read for the stepper in small pieces.

Nothing here loads a whole value: texts are cut in SQL, and one is read whole only when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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
    ModelCallRecord,
    NodeVersion,
    Phase,
    QuestionRecord,
    ReplacedValue,
    SearchHit,
    TaskFrames,
    TaskRecord,
    ToolCallRecord,
    ValueRecord,
    ValueVersion,
    WriteRecord,
)
from ..records.conversation import exchanges_of
from ..records.excerpt import VALUE_CHARS, of_json
from .reader import TASK_COLUMNS, Reader

Row = tuple[Any, ...]  # Any: SQLite's values

_DENSE = (
    "SELECT frame, status, writes, handlers, mounted + unmounted + updated + moved, cast(round(coalesce(snapshot_ms, 0)"
    " + coalesce(render_ms, 0) + coalesce(reconcile_ms, 0) + coalesce(commit_ms, 0) + coalesce(execute_ms, 0)"
    " + coalesce(effects_ms, 0) + coalesce(flush_ms, 0)) AS INTEGER) FROM frames WHERE execution_id = ? AND frame >= ?"
    " ORDER BY frame"
)
_FRAME = (
    "frame, reason, status, created_at, mounted, unmounted, updated, moved, handlers, writes, snapshot_ms, render_ms,"
    " reconcile_ms, commit_ms, execute_ms, effects_ms, flush_ms"
)
_WRITE = (
    "SELECT id, frame, seq, scope, key, op, substr(old, 1, :cut), length(old), substr(new, 1, :cut), length(new),"
    ' status, "trigger", origin, origin_id, node_id, handler FROM transitions'
)
_TASK = (
    f"SELECT {TASK_COLUMNS}, NULL, (SELECT count(*) FROM tool_calls c WHERE c.execution_id = tasks.execution_id"
    " AND c.task_id = tasks.task_id) FROM tasks"
)


class Moments:
    """An execution in its file."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.reader = reader
        self.execution_id = execution_id

    # ---- frames ------------------------------------------------------------------------------------------------

    def frame(self, number: int) -> FrameRecord | None:
        """Return a frame; None if there is none of this number."""
        rows = self._rows(f"SELECT {_FRAME} FROM frames WHERE execution_id = :id AND frame = :frame", frame=number)
        if not rows:
            return None
        return _frame(rows[0])

    def totals(self, since: int) -> list[FrameTotals]:
        """Return the totals of every frame from ``since`` on."""
        return [FrameTotals(*row) for row in self.reader.query(_DENSE, (self.execution_id, since)).rows]

    def events_by_frame(self, since: int) -> dict[str, list[tuple[int, int]]]:
        """Return by kind: (frame, count) of problems, hits and output from a frame on."""
        rows = self.reader.query(
            "SELECT kind, frame, count(*) FROM events WHERE execution_id = ? AND frame >= ?"
            " AND kind IN ('problem', 'breakpoint', 'output') GROUP BY kind, frame ORDER BY frame",
            (self.execution_id, since),
        ).rows
        found: dict[str, list[tuple[int, int]]] = {}
        for kind, frame, count in rows:
            found.setdefault(kind, []).append((frame, count))
        return found

    def tasks_by_frame(self, since: int) -> list[tuple[int, int]]:
        """Return (frame, how many tasks began) from a frame on."""
        return self.reader.query(
            "SELECT mounted_at_frame, count(*) FROM tasks WHERE execution_id = ? AND mounted_at_frame >= ?"
            " GROUP BY mounted_at_frame ORDER BY mounted_at_frame",
            (self.execution_id, since),
        ).rows

    def keys_by_frame(self, since: int, most: int) -> list[tuple[int, list[str]]]:
        """Return (frame, the first keys that it wrote) from a frame on."""
        rows = self.reader.query(
            "SELECT frame, key FROM transitions WHERE execution_id = ? AND frame >= ? AND frame > 0"
            " ORDER BY frame, seq",
            (self.execution_id, since),
        ).rows
        found: dict[int, list[str]] = {}
        for frame, key in rows:
            keys = found.setdefault(frame, [])
            if len(keys) < most and key not in keys:
                keys.append(key)
        return list(found.items())

    def ended(self, number: int) -> str | None:
        """Return when a frame gave way to the next one; None for the newest."""
        rows = self.reader.query(
            "SELECT created_at FROM frames WHERE execution_id = ? AND frame = ?", (self.execution_id, number + 1)
        ).rows
        if not rows:
            return None
        return str(rows[0][0])

    # ---- writes and values -------------------------------------------------------------------------------------

    def writes(self, frame: int) -> list[WriteRecord]:
        """Return the writes of a frame in the order in which they were applied."""
        return self._writes("frame = :frame ORDER BY seq", frame=frame)

    def write_before(self, key: str, frame: int, seq: int) -> WriteRecord | None:
        """Return the last write that changed a key before (frame, seq)."""
        found = self._writes(
            "key = :key AND (frame, seq) < (:frame, :seq) AND status IN ('applied', 'edited')"
            " ORDER BY frame DESC, seq DESC LIMIT 1",
            key=key,
            frame=frame,
            seq=seq,
        )
        return next(iter(found), None)

    def authors(self, keys: Sequence[str], frames: Iterable[int]) -> dict[tuple[str, int], Author]:
        """Return by key and frame the author of the last change of the key in that frame."""
        rows = self._rows(
            "SELECT key, frame, origin, origin_id, node_id, handler FROM transitions WHERE execution_id = :id"
            " AND frame IN (SELECT value FROM json_each(:frames)) AND key IN (SELECT value FROM json_each(:keys))"
            " AND scope = 'state' AND status IN ('applied', 'edited') ORDER BY frame, seq",
            keys=_json(keys),
            frames=_json(sorted(set(frames))),
        )
        return {(key, frame): Author(*author) for key, frame, *author in rows}

    def state(self, frame: int, most: int) -> tuple[int, list[ValueRecord]]:
        """Return the number of keys that a frame read, and the first values, with those that are new in it."""
        where = (
            " FROM state WHERE execution_id = :id AND from_frame <= :frame AND (to_frame IS NULL OR to_frame > :frame)"
        )
        total = int(self._rows(f"SELECT count(*){where}", frame=frame)[0][0])
        columns = "SELECT key, substr(value, 1, :cut), length(value), type, from_frame"
        rows = self._rows(f"{columns}{where} ORDER BY key LIMIT :most", frame=frame, most=most, cut=VALUE_CHARS)
        if total > most:
            changed = self._rows(
                f"{columns}{where} AND from_frame = :frame ORDER BY key LIMIT :most",
                frame=frame,
                most=most,
                cut=VALUE_CHARS,
            )
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
        rows = self.reader.query(
            "SELECT wanted.value, (SELECT json_group_array(json_array(from_frame, text, chars, type)) FROM (SELECT"
            " from_frame, substr(s.value, 1, :cut) AS text, length(s.value) AS chars, s.type FROM state s WHERE"
            " s.execution_id = :id AND s.key = wanted.value AND s.from_frame <= :frame ORDER BY s.from_frame DESC"
            " LIMIT :most)) FROM json_each(:keys) wanted",
            {"id": self.execution_id, "keys": _json(keys), "frame": frame, "most": most, "cut": VALUE_CHARS},
        ).rows
        return {
            key: [
                ValueVersion(since, Excerpt(text, chars, kind, ("state", "value", key, since)))
                for since, text, chars, kind in json.loads(found)
            ]
            for key, found in rows
        }

    def readers(self, keys: Sequence[str], frame: int) -> dict[str, list[str]]:
        """Return by key the paths of the components that read it in a frame."""
        rows = self.reader.query(
            "SELECT key, component FROM reads WHERE execution_id = ? AND key IN (SELECT value FROM json_each(?))"
            " AND from_frame <= ? AND (to_frame IS NULL OR to_frame > ?) ORDER BY key, component",
            (self.execution_id, _json(keys), frame, frame),
        ).rows
        found: dict[str, list[str]] = {}
        for key, component in rows:
            found.setdefault(key, []).append(component)
        return found

    def read_by(self, component: str, frame: int) -> list[str]:
        """Return the keys that the component at a path read in a frame."""
        rows = self.reader.query(
            "SELECT key FROM reads WHERE execution_id = ? AND component = ?"
            " AND from_frame <= ? AND (to_frame IS NULL OR to_frame > ?) ORDER BY key",
            (self.execution_id, component, frame, frame),
        ).rows
        return [key for (key,) in rows]

    def whole(self, table: str, column: str, at: Sequence[object]) -> tuple[str, str | None] | None:
        """Return a text whole, with its type if it has one: of ``state`` (key, from_frame), ``transitions`` (frame,
        seq), ``events`` (id), ``tasks`` (task_id), ``tool_calls`` and ``model_calls`` (id), ``approvals``
        (approval_id).
        """
        where, kind = WHOLE[table, column]
        rows = self.reader.query(
            f"SELECT {column}, {kind} FROM {table} WHERE execution_id = ? AND {where}", (self.execution_id, *at)
        ).rows
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
            " rowid) AS seq, * FROM handlers WHERE execution_id = :id AND frame <= :until AND frame > :since) h"
            " LEFT JOIN tasks t ON t.execution_id = h.execution_id AND t.task_id = h.task_id"
            " ORDER BY frame DESC, place LIMIT :most",
            until=until,
            since=self._far_enough("handlers", until, most),
            most=most,
        )
        return [CallRecord(HandlerCall(*call), seq, status) for *call, seq, status in rows]

    def fired(self, until: int) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event: how often it was called up to a frame, and how the last call went."""
        rows = self.reader.query(
            "SELECT node_id, event, count(*), status, max(frame) FROM handlers WHERE execution_id = ? AND frame <= ?"
            " GROUP BY node_id, event",
            (self.execution_id, until),
        ).rows
        return {(node, event): (count, status) for node, event, count, status, _ in rows}

    def tasks(self, until: int, most: int) -> list[TaskRecord]:
        """Return the newest tasks that were mounted in a frame or before, newest first; without their results."""
        rows = self._rows(
            f"{_TASK} WHERE execution_id = :id AND mounted_at_frame <= :until"
            " ORDER BY mounted_at_frame DESC, rowid DESC LIMIT :most",
            until=until,
            most=most,
        )
        return [TaskRecord(*row) for row in rows]

    def task(self, task_id: str) -> TaskRecord | None:
        """Return a task, without its result; None if there is none of this id."""
        rows = self._rows(f"{_TASK} WHERE execution_id = :id AND task_id = :task", task=task_id)
        if not rows:
            return None
        return TaskRecord(*rows[0])

    def result(self, task_id: str) -> Excerpt | None:
        """Return the result of a task, cut; None if it has none."""
        rows = self._rows(
            "SELECT substr(result, 1, :cut), length(result), result_type FROM tasks WHERE execution_id = :id"
            " AND task_id = :task",
            task=task_id,
            cut=VALUE_CHARS,
        )
        if not rows:
            return None
        text, chars, _ = rows[0]
        return of_json(text, chars, ("tasks", "result", task_id))

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
            " shown FROM approvals WHERE execution_id = :id AND task_id = :task) ORDER BY place LIMIT 100",
            task=task_id,
            cut=VALUE_CHARS,
        )
        return [_question(row) for row in rows]

    def asking(self, until: str) -> set[str]:
        """Return the ids of the tasks that waited for a person at a time, in ISO 8601."""
        rows = self._rows(
            "SELECT a.task_id FROM approvals a JOIN tasks t USING (execution_id, task_id) WHERE execution_id = :id"
            " AND asked_at < :until AND coalesce(answered_at, t.ended_at, :until) >= :until",
            until=until,
        )
        return {task_id for (task_id,) in rows}

    def newest_tasks(self, until: int) -> list[TaskRecord]:
        """Return the newest task of each node that was mounted in a frame or before."""
        # With max(), SQLite takes the other columns from the row that has the maximum.
        columns = TASK_COLUMNS.replace("mounted_at_frame", "max(mounted_at_frame)")
        rows = self._rows(
            f"SELECT {columns} FROM tasks WHERE execution_id = :id AND mounted_at_frame <= :until GROUP BY node_id",
            until=until,
        )
        return [TaskRecord(*row) for row in rows]

    def tasks_by_id(self, task_ids: Sequence[str]) -> dict[str, TaskRecord]:
        """Return tasks by their ids, without their results."""
        rows = self._rows(
            f"SELECT {TASK_COLUMNS} FROM tasks WHERE execution_id = :id"
            " AND task_id IN (SELECT value FROM json_each(:tasks))",
            tasks=_json(task_ids),
        )
        return {row[0]: TaskRecord(*row) for row in rows}

    def tool_calls(self, task_id: str) -> list[ToolCallRecord]:
        """Return the tool calls of a task, oldest first."""
        rows = self._rows(
            "SELECT id, turn, attempt, tool, substr(input, 1, :cut), length(input), substr(output, 1, :cut),"
            " length(output), status, ms, error FROM tool_calls"
            " WHERE execution_id = :id AND task_id = :task ORDER BY id LIMIT 200",
            task=task_id,
            cut=VALUE_CHARS,
        )
        return [_tool_call(row) for row in rows]

    def model_calls(self, task_id: str) -> list[ModelCallRecord]:
        """Return the requests of a task to its model, oldest first."""
        rows = self._rows(
            "SELECT id, turn, attempt, model, answered_by, input_tokens, output_tokens, cost_usd, ms, error,"
            " substr(response, 1, :cut), length(response) FROM model_calls"
            " WHERE execution_id = :id AND task_id = :task ORDER BY id LIMIT 200",
            task=task_id,
            cut=VALUE_CHARS,
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
            owner = self.reader.owner(owner, task.settled_at_frame)
        return exchanges_of(self.reader.model_calls(owner, task_id), self.reader.tool_calls(owner, task_id))

    # ---- events ------------------------------------------------------------------------------------------------

    def events(self, kind: str, until: int, most: int, since: int = 0) -> list[EventRecord]:
        """Return the newest events of a kind from one frame up to another, newest first."""
        rows = self._rows(
            "SELECT id, kind, frame, node_id, payload, created_at FROM events WHERE execution_id = :id AND kind = :kind"
            " AND frame BETWEEN :since AND :until ORDER BY id DESC LIMIT :most",
            kind=kind,
            since=since,
            until=until,
            most=most,
        )
        return [EventRecord(*row) for row in rows]

    def count(self, kind: str, until: int, since: int = 0) -> int:
        """Return how many events of a kind there are from frame ``since`` up to one."""
        rows = self.reader.query(
            "SELECT count(*) FROM events WHERE execution_id = ? AND kind = ? AND frame BETWEEN ? AND ?",
            (self.execution_id, kind, since, until),
        ).rows
        return int(rows[0][0])

    # ---- what breakpoints would have seen ----------------------------------------------------------------------

    def called(self, node_id: str | None, event: str | None) -> list[HandlerOutcome]:
        """Return the handler calls of a node and an event, oldest first; None stands for all."""
        rows = self.reader.query(
            "SELECT frame, node_id, event, status FROM handlers WHERE execution_id = ?1"
            " AND (?2 IS NULL OR node_id = ?2) AND (?3 IS NULL OR event = ?3) ORDER BY frame, rowid",
            (self.execution_id, node_id, event),
        ).rows
        return [HandlerOutcome(*row) for row in rows]

    def written(self, key: str) -> list[WriteRecord]:
        """Return every write of a key, in order."""
        return self._writes("key = :key ORDER BY frame, seq", key=key)

    def node_versions(self, node_id: str) -> list[NodeVersion]:
        """Return the versions of a node, oldest first."""
        rows = self._rows(
            "SELECT from_frame, to_frame, type, path FROM nodes WHERE execution_id = :id AND node_id = :node"
            " ORDER BY from_frame",
            node=node_id,
        )
        return [NodeVersion(*row) for row in rows]

    def tasks_of(self, node_id: str) -> list[TaskFrames]:
        """Return the tasks of a node with the frames in which they began and were settled, oldest first."""
        rows = self._rows(
            "SELECT status, settled_at_frame, (SELECT max(frame) FROM frames WHERE frames.execution_id = :id"
            " AND frames.created_at <= tasks.started_at) FROM tasks WHERE execution_id = :id"
            " AND node_id = :node ORDER BY mounted_at_frame, rowid",
            node=node_id,
        )
        return [TaskFrames(*row) for row in rows]

    def turns(self, most: int) -> list[int]:
        """Return the newest frames, oldest first, in which the standing of a node may have changed."""
        rows = self.reader.query(
            "SELECT frame FROM (SELECT mounted_at_frame AS frame FROM tasks WHERE execution_id = ?1"
            " UNION SELECT settled_at_frame + 1 FROM tasks WHERE execution_id = ?1"
            " UNION SELECT from_frame FROM nodes WHERE execution_id = ?1 AND type <> 'text')"
            " WHERE frame IN (SELECT frame FROM frames WHERE execution_id = ?1) ORDER BY frame DESC LIMIT ?2",
            (self.execution_id, most),
        ).rows
        return [int(row[0]) for row in reversed(rows)]

    def replaced(self, since: int, until: int) -> list[ReplacedValue]:
        """Return the values before each write that was applied to the state in some frames, newest first."""
        rows = self._rows(
            "SELECT frame, key, old FROM transitions WHERE execution_id = :id AND frame BETWEEN :since AND :until"
            " AND scope = 'state' AND status IN ('applied', 'overridden', 'edited') ORDER BY frame DESC, seq DESC",
            since=since,
            until=until,
        )
        return [ReplacedValue(*row) for row in rows]

    # ---- searching ---------------------------------------------------------------------------------------------

    def search(self, text: str, most: int) -> list[SearchHit]:
        """Return the nodes, keys, handlers, tasks and output whose name holds a text."""
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self.reader.query(
            "SELECT 'node', node_id, type || ' ' || coalesce(key, text, node_id), max(from_frame), node_id FROM nodes"
            " WHERE execution_id = :id AND (node_id LIKE :like ESCAPE '\\' OR key LIKE :like ESCAPE '\\' OR type"
            " LIKE :like ESCAPE '\\' OR text LIKE :like ESCAPE '\\' OR props LIKE :like ESCAPE '\\') GROUP BY node_id"
            " UNION ALL SELECT 'key', key, key, max(from_frame), NULL FROM state WHERE execution_id = :id AND key LIKE"
            " :like ESCAPE '\\' GROUP BY key"
            " UNION ALL SELECT 'handler', id, event || ' of ' || node_id, max(frame), node_id FROM handlers WHERE"
            " execution_id = :id AND (event || ' of ' || node_id) LIKE :like ESCAPE '\\' GROUP BY node_id, event"
            " UNION ALL SELECT 'task', task_id, task_id || ' ' || status, max(mounted_at_frame), node_id FROM tasks"
            " WHERE execution_id = :id AND task_id LIKE :like ESCAPE '\\' GROUP BY task_id"
            " UNION ALL SELECT 'output', id, json_extract(payload, '$.text'), frame, node_id FROM (SELECT * FROM events"
            " WHERE execution_id = :id AND kind = 'output' AND json_extract(payload, '$.text') LIKE :like ESCAPE '\\'"
            " ORDER BY id DESC LIMIT 50) LIMIT :most",
            {"id": self.execution_id, "like": like, "most": most},
        ).rows
        return [
            SearchHit(kind=kind, id=str(id), label=label[:200], frame=frame, node_id=node)
            for kind, id, label, frame, node in rows
        ]

    # ---- inside ------------------------------------------------------------------------------------------------

    def _far_enough(self, table: str, until: int, most: int) -> int:
        """Return a frame so that ``most`` rows lie after it: numbering all of 10,000 frames would take too long."""
        rows = self.reader.query(
            f"SELECT frame FROM {table} WHERE execution_id = ? AND frame <= ? ORDER BY frame DESC LIMIT 1 OFFSET ?",
            (self.execution_id, until, most),
        ).rows
        if not rows:
            return -1
        return int(rows[0][0]) - 1

    def _writes(self, where: str, **parameters: object) -> list[WriteRecord]:
        rows = self._rows(f"{_WRITE} WHERE execution_id = :id AND {where}", cut=VALUE_CHARS, **parameters)
        return [_write(row) for row in rows]

    def _rows(self, sql: str, **parameters: object) -> list[Row]:
        return self.reader.query(sql, {"id": self.execution_id, **parameters}).rows


WHOLE = {
    ("state", "value"): ("key = ? AND from_frame = ?", "type"),
    ("transitions", "old"): ("frame = ? AND seq = ?", "NULL"),
    ("transitions", "new"): ("frame = ? AND seq = ?", "NULL"),
    ("events", "payload"): ("id = ?", "kind"),
    ("tasks", "result"): ("task_id = ?", "result_type"),
    ("tasks", "error"): ("task_id = ?", "NULL"),
    ("tool_calls", "input"): ("id = ?", "NULL"),
    ("tool_calls", "output"): ("id = ?", "NULL"),
    ("model_calls", "response"): ("id = ?", "NULL"),
    ("approvals", "payload"): ("approval_id = ?", "NULL"),
    ("approvals", "result"): ("approval_id = ?", "NULL"),
}


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
    origin, origin_id, node_id, handler = author
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
    )


def _question(row: Row) -> QuestionRecord:
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
        payload=of_json(shown, chars, ("approvals", "payload", approval_id)),
        args=args,
        edited=bool(edited),
        result=of_json(result, result_chars, ("approvals", "result", approval_id)),
        diff=diff,
    )


def _tool_call(row: Row) -> ToolCallRecord:
    id, turn, attempt, tool, given, given_chars, output, output_chars, status, ms, error = row
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
    )
