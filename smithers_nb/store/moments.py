"""What is known of a recorded frame, and of the way there: read for the stepper, in small pieces.

Nothing here loads a whole value: texts are cut in SQL, and one is read whole only when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .reader import Reader

CUT = 2048
"""Characters of one value that are read at first."""

Row = dict[str, Any]  # Any: SQLite's values


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a text."""

    text: str
    chars: int
    """Of the whole."""


_DENSE = (
    "SELECT frame, status, writes, handlers, mounted + unmounted + updated + moved, cast(round(coalesce(snapshot_ms, 0)"
    " + coalesce(render_ms, 0) + coalesce(reconcile_ms, 0) + coalesce(commit_ms, 0) + coalesce(execute_ms, 0)"
    " + coalesce(effects_ms, 0) + coalesce(flush_ms, 0)) AS INTEGER) FROM frames WHERE execution_id = ? AND frame >= ?"
    " ORDER BY frame"
)
_WRITE = (
    "SELECT id, frame, seq, scope, key, op, substr(old, 1, :cut) AS old, length(old) AS old_chars,"
    ' substr(new, 1, :cut) AS new, length(new) AS new_chars, status, "trigger", origin, origin_id, node_id, handler'
    " FROM transitions"
)
_TASK = (
    "SELECT task_id, node_id, mounted_at_frame, status, reason, attempt, max_attempts, next_retry_at, started_at,"
    " ended_at, settled_at_frame, error, input_tokens, output_tokens, requests, cost_usd,"
    " (SELECT count(*) FROM tool_calls c WHERE c.execution_id = t.execution_id AND c.task_id = t.task_id) AS tools"
    " FROM tasks t"
)


class Moments:
    """One execution in its file."""

    def __init__(self, reader: Reader, execution_id: str) -> None:
        self.reader = reader
        self.execution_id = execution_id

    # ---- frames ------------------------------------------------------------------------------------------------

    def frame(self, number: int) -> Row | None:
        """Return the row of a frame; None if there is none."""
        rows = self._rows("SELECT * FROM frames WHERE execution_id = :id AND frame = :frame", frame=number)
        return rows[0] if rows else None

    def dense(self, since: int) -> list[tuple[int, str, int, int, int, int]]:
        """Return (frame, status, writes, handlers, changes, ms) of every frame from ``since`` on."""
        return self.reader.query(_DENSE, (self.execution_id, since)).rows

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
        return str(rows[0][0]) if rows else None

    # ---- writes and values -------------------------------------------------------------------------------------

    def writes(self, frame: int) -> list[Row]:
        """Return the writes of a frame in the order in which they were applied."""
        return self._rows(f"{_WRITE} WHERE execution_id = :id AND frame = :frame ORDER BY seq", frame=frame, cut=CUT)

    def write_before(self, key: str, frame: int, seq: int) -> Row | None:
        """Return the last write that changed a key before (frame, seq)."""
        rows = self._rows(
            f"{_WRITE} WHERE execution_id = :id AND key = :key AND (frame, seq) < (:frame, :seq)"
            " AND status IN ('applied', 'edited') ORDER BY frame DESC, seq DESC LIMIT 1",
            key=key,
            frame=frame,
            seq=seq,
            cut=CUT,
        )
        return rows[0] if rows else None

    def writers(self, keys: Sequence[str], frames: Iterable[int]) -> dict[tuple[str, int], Row]:
        """Return by key and frame who changed it in that frame, last."""
        rows = self._rows(
            "SELECT key, frame, origin, origin_id, node_id, handler FROM transitions WHERE execution_id = :id"
            " AND frame IN (SELECT value FROM json_each(:frames)) AND key IN (SELECT value FROM json_each(:keys))"
            " AND scope = 'state' AND status IN ('applied', 'edited') ORDER BY frame, seq",
            keys=_json(keys),
            frames=_json(sorted(set(frames))),
        )
        return {(row["key"], row["frame"]): row for row in rows}

    def state(self, frame: int, most: int) -> tuple[int, list[Row]]:
        """Return how many keys a frame read, and the first ones, with those that are new in it in any case."""
        where = (
            " FROM state WHERE execution_id = :id AND from_frame <= :frame AND (to_frame IS NULL OR to_frame > :frame)"
        )
        total = self._rows(f"SELECT count(*) AS total{where}", frame=frame)[0]["total"]
        columns = "SELECT key, substr(value, 1, :cut) AS text, length(value) AS chars, type, from_frame"
        rows = self._rows(f"{columns}{where} ORDER BY key LIMIT :most", frame=frame, most=most, cut=CUT)
        if total > most:
            changed = self._rows(
                f"{columns}{where} AND from_frame = :frame ORDER BY key LIMIT :most", frame=frame, most=most, cut=CUT
            )
            known = {row["key"] for row in rows}
            rows += [row for row in changed if row["key"] not in known]
        return int(total), rows

    def versions(self, keys: Sequence[str], frame: int, most: int) -> dict[str, list[tuple[int, str, int, str]]]:
        """Return by key the newest versions up to a frame, newest first: (from_frame, text, chars, type)."""
        rows = self.reader.query(
            "SELECT wanted.value, (SELECT json_group_array(json_array(from_frame, text, chars, type)) FROM (SELECT"
            " from_frame, substr(s.value, 1, :cut) AS text, length(s.value) AS chars, s.type FROM state s WHERE"
            " s.execution_id = :id AND s.key = wanted.value AND s.from_frame <= :frame ORDER BY s.from_frame DESC"
            " LIMIT :most)) FROM json_each(:keys) wanted",
            {"id": self.execution_id, "keys": _json(keys), "frame": frame, "most": most, "cut": CUT},
        ).rows
        return {key: [tuple(version) for version in json.loads(found)] for key, found in rows}

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
        where, kind = _WHOLE[table, column]
        rows = self.reader.query(
            f"SELECT {column}, {kind} FROM {table} WHERE execution_id = ? AND {where}", (self.execution_id, *at)
        ).rows
        return (rows[0][0], rows[0][1]) if rows and rows[0][0] is not None else None

    # ---- handlers and tasks ------------------------------------------------------------------------------------

    def handlers(self, until: int, most: int) -> list[Row]:
        """Return the newest handler calls up to a frame, newest frame first; ``task`` is how the task stands."""
        return self._rows(
            "SELECT h.*, t.status AS task FROM (SELECT rowid AS place, row_number() OVER (PARTITION BY frame ORDER BY"
            " rowid) AS seq, * FROM handlers WHERE execution_id = :id AND frame <= :until AND frame > :since) h"
            " LEFT JOIN tasks t ON t.execution_id = h.execution_id AND t.task_id = h.task_id"
            " ORDER BY frame DESC, place LIMIT :most",
            until=until,
            since=self._far_enough("handlers", until, most),
            most=most,
        )

    def fired(self, until: int) -> dict[tuple[str, str], tuple[int, str]]:
        """Return by node id and event: how often it was called up to a frame, and how the last call went."""
        rows = self.reader.query(
            "SELECT node_id, event, count(*), status, max(frame) FROM handlers WHERE execution_id = ? AND frame <= ?"
            " GROUP BY node_id, event",
            (self.execution_id, until),
        ).rows
        return {(node, event): (count, status) for node, event, count, status, _ in rows}

    def tasks(self, until: int, most: int) -> list[Row]:
        """Return the newest tasks that were there in a frame, newest first."""
        return self._rows(
            f"{_TASK} WHERE execution_id = :id AND mounted_at_frame <= :until"
            " ORDER BY mounted_at_frame DESC, rowid DESC LIMIT :most",
            until=until,
            most=most,
        )

    def task(self, task_id: str) -> Row | None:
        """Return a task; its result cut."""
        rows = self._rows(
            "SELECT t.*, substr(t.result, 1, :cut) AS result, length(t.result) AS result_chars, (SELECT count(*) FROM"
            " tool_calls c WHERE c.execution_id = t.execution_id AND c.task_id = t.task_id) AS tools FROM tasks t"
            " WHERE t.execution_id = :id AND t.task_id = :task",
            task=task_id,
            cut=CUT,
        )
        return rows[0] if rows else None

    def asked(self, task_id: str) -> list[Row]:
        """Return what a task asked of people, oldest first; what there is to look at cut, its diff apart."""
        return self._rows(
            "SELECT approval_id, kind, prompt, options, status, choice, comment, asked_at, answered_at, diff,"
            " substr(shown, 1, :cut) AS payload, length(shown) AS payload_chars FROM (SELECT rowid AS place, *,"
            " CASE WHEN json_type(payload, '$.diff') = 'text' THEN substr(payload ->> '$.diff', 1, 20000) END AS diff,"
            " CASE WHEN json_type(payload, '$.diff') = 'text' THEN json_remove(payload, '$.diff') ELSE payload END AS"
            " shown FROM approvals WHERE execution_id = :id AND task_id = :task) ORDER BY place LIMIT 100",
            task=task_id,
            cut=CUT,
        )

    def newest_tasks(self, until: int) -> dict[str, Row]:
        """Return by node id the newest task that was there in a frame."""
        rows = self._rows(
            "SELECT node_id, task_id, status, started_at, ended_at, settled_at_frame, max(mounted_at_frame) FROM tasks"
            " WHERE execution_id = :id AND mounted_at_frame <= :until GROUP BY node_id",
            until=until,
        )
        return {row["node_id"]: row for row in rows}

    def times(self, task_ids: Sequence[str]) -> list[tuple[str, str | None, str | None, str | None]]:
        """Return (task id, started, next attempt, reason) of tasks."""
        return self.reader.query(
            "SELECT task_id, started_at, next_retry_at, reason FROM tasks WHERE execution_id = ?"
            " AND task_id IN (SELECT value FROM json_each(?))",
            (self.execution_id, _json(task_ids)),
        ).rows

    def tool_calls(self, task_id: str) -> list[Row]:
        """Return the tool calls of a task, oldest first; input and output cut."""
        return self._rows(
            "SELECT id, turn, attempt, tool, substr(input, 1, :cut) AS input, length(input) AS input_chars,"
            " substr(output, 1, :cut) AS output, length(output) AS output_chars, status, ms, error FROM tool_calls"
            " WHERE execution_id = :id AND task_id = :task ORDER BY id LIMIT 200",
            task=task_id,
            cut=CUT,
        )

    def model_calls(self, task_id: str) -> list[Row]:
        """Return the requests of a task to its model, oldest first; the response cut."""
        return self._rows(
            "SELECT id, turn, attempt, model, answered_by, input_tokens, output_tokens, cost_usd, ms, error,"
            " substr(response, 1, :cut) AS response, length(response) AS response_chars FROM model_calls"
            " WHERE execution_id = :id AND task_id = :task ORDER BY id LIMIT 200",
            task=task_id,
            cut=CUT,
        )

    # ---- events ------------------------------------------------------------------------------------------------

    def events(self, kind: str, until: int, most: int) -> list[Row]:
        """Return the newest events of a kind up to a frame, newest first: id, kind, frame, node_id, payload,
        created_at.
        """
        return self._rows(
            "SELECT id, kind, frame, node_id, payload, created_at FROM events WHERE execution_id = :id AND kind = :kind"
            " AND frame <= :until ORDER BY id DESC LIMIT :most",
            kind=kind,
            until=until,
            most=most,
        )

    def count(self, kind: str, until: int, since: int = 0) -> int:
        """Return how many events of a kind there are from frame ``since`` up to one."""
        rows = self.reader.query(
            "SELECT count(*) FROM events WHERE execution_id = ? AND kind = ? AND frame BETWEEN ? AND ?",
            (self.execution_id, kind, since, until),
        ).rows
        return int(rows[0][0])

    # ---- what breakpoints would have seen ----------------------------------------------------------------------

    def called(self, node_id: str | None, event: str | None) -> list[tuple[int, str, str, str]]:
        """Return (frame, node id, event, status) of handler calls, oldest first."""
        return self.reader.query(
            "SELECT frame, node_id, event, status FROM handlers WHERE execution_id = ?1"
            " AND (?2 IS NULL OR node_id = ?2) AND (?3 IS NULL OR event = ?3) ORDER BY frame, rowid",
            (self.execution_id, node_id, event),
        ).rows

    def written(self, key: str) -> list[Row]:
        """Return every write of a key in order, values cut."""
        return self._rows(f"{_WRITE} WHERE execution_id = :id AND key = :key ORDER BY frame, seq", key=key, cut=CUT)

    def node_versions(self, node_id: str) -> list[Row]:
        """Return the versions of a node, oldest first: from_frame, to_frame, type, path."""
        return self._rows(
            "SELECT from_frame, to_frame, type, path FROM nodes WHERE execution_id = :id AND node_id = :node"
            " ORDER BY from_frame",
            node=node_id,
        )

    def tasks_of(self, node_id: str) -> list[Row]:
        """Return the tasks of a node, oldest first: status, settled_at_frame, started_frame."""
        return self._rows(
            "SELECT status, settled_at_frame, (SELECT max(frame) FROM frames WHERE frames.execution_id = :id"
            " AND frames.created_at <= tasks.started_at) AS started_frame FROM tasks WHERE execution_id = :id"
            " AND node_id = :node ORDER BY mounted_at_frame, rowid",
            node=node_id,
        )

    def turns(self, most: int) -> list[int]:
        """Return the newest frames, oldest first, in which it may have been another node's turn."""
        rows = self.reader.query(
            "SELECT frame FROM (SELECT mounted_at_frame AS frame FROM tasks WHERE execution_id = ?1"
            " UNION SELECT settled_at_frame + 1 FROM tasks WHERE execution_id = ?1"
            " UNION SELECT from_frame FROM nodes WHERE execution_id = ?1 AND type <> 'text')"
            " WHERE frame IN (SELECT frame FROM frames WHERE execution_id = ?1) ORDER BY frame DESC LIMIT ?2",
            (self.execution_id, most),
        ).rows
        return [int(row[0]) for row in reversed(rows)]

    def transitions(self, since: int, until: int) -> list[Row]:
        """Return what was applied to the state in some frames, newest first: frame, key, old, new (whole)."""
        return self._rows(
            "SELECT frame, key, old, new FROM transitions WHERE execution_id = :id AND frame BETWEEN :since AND :until"
            " AND scope = 'state' AND status IN ('applied', 'overridden', 'edited') ORDER BY frame DESC, seq DESC",
            since=since,
            until=until,
        )

    # ---- searching ---------------------------------------------------------------------------------------------

    def search(self, text: str, most: int) -> list[tuple[str, str, str, int, str | None]]:
        """Return (kind, id, label, frame, node id) of nodes, keys, handlers, tasks and output that have a text in their
        name; the newest frame in which each is found.
        """
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
        return [(kind, str(id), label[:200], frame, node) for kind, id, label, frame, node in rows]

    # ---- inside ------------------------------------------------------------------------------------------------

    def _far_enough(self, table: str, until: int, most: int) -> int:
        """Return a frame so that ``most`` rows lie after it: numbering all of 10,000 frames would take too long."""
        rows = self.reader.query(
            f"SELECT frame FROM {table} WHERE execution_id = ? AND frame <= ? ORDER BY frame DESC LIMIT 1 OFFSET ?",
            (self.execution_id, until, most),
        ).rows
        return int(rows[0][0]) - 1 if rows else -1

    def _rows(self, sql: str, **parameters: object) -> list[Row]:
        found = self.reader.query(sql, {"id": self.execution_id, **parameters})
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


_WHOLE = {
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
}


def _json(values: Iterable[object]) -> str:
    return json.dumps(list(values))
