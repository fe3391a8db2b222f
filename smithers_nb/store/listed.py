"""Executions, tasks and questions as rows for listings: dicts of plain values, by the names of the columns."""

from __future__ import annotations

import sys

from .lease import is_dead
from .names import FileNames
from .reader import Reader

# Plain values, not records: a listing shows columns as they are, and a shell's prompt must not wait for decoding.
Row = dict[str, object]

_EXECUTIONS = """
SELECT execution_id, name, kind, parent_id, status, reason, owner, created_at, updated_at,
       (SELECT max(frame) FROM frames WHERE frames.execution_id = executions.execution_id) AS frame,
       (SELECT group_concat(approval_id, ', ') FROM approvals
         WHERE approvals.execution_id = executions.execution_id AND status = 'waiting') AS asks,
       (SELECT min(next_retry_at) FROM tasks
         WHERE tasks.execution_id = executions.execution_id AND status = 'blocked') AS tries_at,
       (SELECT min(tasks.reason) FROM tasks WHERE tasks.execution_id = executions.execution_id
         AND tasks.status = 'blocked' AND tasks.reason IN ('no_worker', 'engine')) AS stalled
FROM executions ORDER BY created_at, execution_id
"""
_TASKS = """
SELECT task_id, node_id, mounted_at_frame, status, reason, attempt, max_attempts, next_retry_at, started_at,
       ended_at, error, input_tokens, output_tokens, requests, cost_usd FROM tasks WHERE execution_id = ? ORDER BY rowid
"""
_QUESTIONS = """
SELECT approval_id, approvals.node_id, mounted_at_frame, kind, prompt, payload, options, approvals.status, choice,
       comment, asked_at, answered_at
FROM approvals LEFT JOIN tasks USING (execution_id, task_id) WHERE execution_id = ? ORDER BY approvals.rowid
"""

# A failed task whose frame is not known yet stands in the frame that mounted it.
_ERRORS = """
SELECT frame, 'problem' AS what, node_id, json_extract(payload, '$.kind') AS kind,
       json_extract(payload, '$.message') AS error, json_extract(payload, '$.source') AS source, NULL AS task_id
FROM events WHERE execution_id = ?1 AND kind = 'problem'
UNION ALL
SELECT coalesce(settled_at_frame, mounted_at_frame), 'task ' || status, node_id, reason, error, NULL, task_id
FROM tasks WHERE execution_id = ?1 AND status IN ('failed', 'abandoned')
UNION ALL
SELECT frame, event || ' raised', node_id, NULL, error, source, task_id
FROM handlers WHERE execution_id = ?1 AND error IS NOT NULL
ORDER BY 1
"""


def executions(reader: Reader) -> list[Row]:
    """Return the executions, the oldest first; ``waits_for`` says what each waits for, its children too, also where no
    process has it.
    """
    rows = [_standing(row) for row in answer(reader, _EXECUTIONS)[1]]
    by_id = {row["execution_id"]: row for row in rows}
    waiting = [(row, f"{row['name']}: {row['waits_for']}") for row in rows if row["waits_for"]]
    for row, waits in waiting:
        while row["kind"] == "child" and row["parent_id"] in by_id:
            row = by_id[row["parent_id"]]
            row["waits_for"] = f"{row['waits_for']}; {waits}" if row["waits_for"] else waits
    return rows


def _standing(row: Row) -> Row:
    asks, tries_at, stalled = row.pop("asks"), row.pop("tries_at"), row.pop("stalled")
    waits = [f"approval {asks}"] if asks else []
    if tries_at:
        waits.append(f"until {tries_at}")
    if stalled:
        waits.append(str(stalled))
    row["waits_for"] = "; ".join(waits) or None
    # A process that was killed leaves "running" behind, until another one takes the execution.
    owner = row["owner"]
    if row["status"] == "running" and isinstance(owner, str) and is_dead(owner):
        row["status"], row["reason"] = "interrupted", f"its process, {owner}, has ended"
    return row


def tasks(reader: Reader, execution_id: str) -> list[Row]:
    """Return the tasks of an execution, in the order in which they were mounted, each with the name of its node."""
    return _named(reader, execution_id, answer(reader, _TASKS, execution_id)[1])


def questions(reader: Reader, execution_id: str) -> list[Row]:
    """Return the questions that people were asked, with their answers, each with the name of its node."""
    return _named(reader, execution_id, answer(reader, _QUESTIONS, execution_id)[1])


def errors(reader: Reader, execution_id: str) -> list[Row]:
    """Return the problems, the failed tasks and the handlers that raised, by frame, each with the name of its node."""
    return _named(reader, execution_id, answer(reader, _ERRORS, execution_id)[1])


def _named(reader: Reader, execution_id: str, rows: list[Row]) -> list[Row]:
    """Return rows with the name of the node of each, and with names in their texts."""
    names = FileNames(reader)
    found: list[Row] = []
    for row in rows:
        at = row.get("frame", row.get("mounted_at_frame"))
        frame = at if isinstance(at, int) else sys.maxsize
        node_id = row["node_id"]
        named: Row = {"node": names.of(execution_id, node_id if isinstance(node_id, str) else None, frame)}
        for column in ("error", "reason"):
            if isinstance(text := row.get(column), str):
                named[column] = names.in_text(execution_id, text, frame)
        found.append({**row, **named})
    return found


def answer(reader: Reader, query: str, *parameters: object, most_s: float | None = None) -> tuple[list[str], list[Row]]:
    """Return the columns and the rows that a query gives.

    Raises:
        StoreError: if the SQL is wrong, or writes, or takes longer than ``most_s`` seconds.
    """
    found = reader.query(query, parameters, most_s)
    return found.columns, [dict(zip(found.columns, row, strict=True)) for row in found.rows]
