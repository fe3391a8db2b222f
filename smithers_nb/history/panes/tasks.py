"""The tasks, and one of them with its calls."""

from __future__ import annotations

import re
from time import time
from typing import Any

from ...nodes.tree import TreeNode
from ...records import ModelCallRecord, QuestionRecord, TaskRecord, ToolCallRecord
from ...records.excerpt import of_text
from ...records.publication import TaskProgress
from ...records.words import last_line
from ..cursor import Cursor
from ..recorded import ENDED
from ..source import Source
from . import protocol as p
from .values import epoch_ms, value, value_or_none

ROWS = 200
RUNNING = 20
TRACE_CHARS = 20_000


def tasks(source: Source, cursor: Cursor) -> p.TasksPane:
    """Return the newest tasks up to the cursor, as they stood."""
    return {
        "frame": cursor.frame,
        "now": time() * 1000,
        "tasks": [task_row(source, cursor, task) for task in source.tasks(cursor, ROWS)],
        "windows": windows(source) if cursor.live else [],
    }


def windows(source: Source) -> list[p.WindowRow]:
    """Return the windows of the models that have refused a request."""
    return [
        {
            "name": window.name,
            "opens": epoch_ms(window.opens_at),
            "apart_ms": window.interval_ms,
            "refused": window.refused,
        }
        for window in source.windows()
        if window.refused
    ]


def task_row(source: Source, cursor: Cursor, task: TaskRecord) -> p.TaskRow:
    """Return a task as it stood at the cursor."""
    node = cursor.tree.index.get(task.node_id)
    progress = source.progress(cursor, task.node_id, task.task_id)
    over = task.status in ENDED
    tokens = None if task.input_tokens is None else task.input_tokens + (task.output_tokens or 0)
    requests = task.requests
    if not over and progress is not None:
        requests = progress.requests or None
    return {
        "task_id": task.task_id,
        "node_id": task.node_id,
        "type": node.type if node else None,
        "iteration": _iteration(node),
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "status": task.status,
        "reason": task.reason,
        "frame": task.mounted_at_frame,
        "settled_frame": task.settled_at_frame,
        "started": epoch_ms(task.started_at),
        "ended": epoch_ms(task.ended_at),
        "retry_at": epoch_ms(task.next_retry_at),
        "requests": requests,
        "tokens": tokens,
        "cost_usd": task.cost_usd,
        "tools": task.tools,
        "tail": progress.tail[-p.TAIL_CHARS :] if progress and not over else "",
        "error": last_line(task.error),
        "can": _can(progress),
        "options": _options(progress),
    }


def _can(task: TaskProgress | None) -> list[p.TaskCommand]:
    """Return the commands that a task takes now."""
    if task is None:
        return []
    if task.questions:
        return ["answer", "cancel"]
    if task.status == "blocked":
        return ["retry", "cancel"]
    if task.status in ("pending", "running"):
        return ["cancel"]
    return ["retry"] if task.settled else []


def _options(task: TaskProgress | None) -> list[str]:
    """Return the choices of the question that a task asks, if it asks one only."""
    if task is None or len(task.questions) != 1:
        return []
    return list(task.questions[0].options)


def _iteration(node: TreeNode | None) -> int | None:
    found = re.search(r"/@(\d+)$", node.loop) if node is not None else None
    return int(found[1]) if found else None


def task(source: Source, cursor: Cursor, task_id: str) -> p.TaskPane | None:
    """Return one task with its calls; None if there is none of that id."""
    found = source.task(cursor, task_id)
    if found is None:
        return None
    node = cursor.tree.index.get(found.node_id)
    over = found.status in ENDED
    begun = found.status != "pending" or found.attempt > 0
    place = ("prompt", 0 if cursor.live else cursor.frame, found.node_id)
    prompt = value(of_text(node.content, place)) if node is not None and node.type == "claude" else None
    more: dict[str, Any] = {  # Any: the fields that a Task has more than its row
        "prompt": prompt,
        "result": value_or_none(source.result(task_id)) if over else None,
        "trace": found.error[-TRACE_CHARS:] if found.error and over else None,
        "source": node.source if node else None,
        "asked": [_asked(asked) for asked in source.asked(cursor, task_id)],
        "tool_calls": [_tool_call(call) for call in source.tool_calls(task_id)] if begun else [],
        "model_calls": [_model_call(call) for call in source.model_calls(task_id)] if begun else [],
    }
    return {**task_row(source, cursor, found), **more}  # type: ignore[return-value]  # mypy takes it for a plain dict


def _asked(found: QuestionRecord) -> p.AskedRow:
    return {
        "approval_id": found.approval_id,
        "kind": found.kind,
        "prompt": found.prompt,
        "options": found.options,
        "payload": value_or_none(found.payload),
        "diff": found.diff,
        "status": found.status,
        "choice": found.choice,
        "comment": found.comment,
    }


def _tool_call(call: ToolCallRecord) -> p.ToolCallRow:
    return {
        "id": call.id,
        "tool": call.tool,
        "turn": call.turn,
        "attempt": call.attempt,
        "status": call.status,
        "input": value(call.input),
        "output": value_or_none(call.output),
        "ms": call.ms,
        "error": last_line(call.error),
    }


def _model_call(call: ModelCallRecord) -> p.ModelCallRow:
    return {
        "turn": call.turn,
        "attempt": call.attempt,
        "model": call.model,
        "answered_by": call.answered_by,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cost_usd": call.cost_usd,
        "ms": call.ms,
        "error": last_line(call.error),
        "response": value_or_none(call.response),
    }


# ---- for the summary -------------------------------------------------------------------------------------------


def running(source: Source) -> list[p.RunningRow]:
    """Return the tasks that have not ended."""
    if source.publication is None:
        return []
    known = source.publication.tasks
    waiting = [task for task in known if task.status in ("running", "blocked")]
    waiting += [task for task in known if task.status == "pending" and task.attempt]
    shown = waiting[:RUNNING]
    times = source.times([task.task_id for task in shown])
    each = min(p.TAIL_CHARS, p.TAILS_CHARS // max(1, len(shown)))
    found: list[p.RunningRow] = []
    for task in shown:
        started, retry_at, reason = times.get(task.task_id, (None, None, None))
        found.append(
            {
                "task_id": task.task_id,
                "node_id": task.node_id,
                "status": task.status,
                "reason": reason,
                "attempt": task.attempt,
                "max_attempts": task.max_attempts,
                "started": epoch_ms(started),
                "retry_at": epoch_ms(retry_at),
                "tail": task.tail[-each:],
                "tokens": task.tokens,
                "cost_usd": task.cost_usd,
            }
        )
    return found
