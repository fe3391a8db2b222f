"""The tasks, and one of them with its calls."""

from __future__ import annotations

import json
from time import time
from typing import Any, get_args

from ...identity import iteration_of, loop_of
from ...nodes.runnable import AGENT_TYPES
from ...nodes.tree import TreeNode
from ...records import Exchange, ModelCallRecord, Part, QuestionRecord, StallReason, TaskRecord, ToolCallRecord
from ...records.excerpt import of_text
from ...records.frame import LastNode
from ...records.publication import TaskProgress
from ...records.words import last_line
from ...store.moments import Moments
from ..cursor import Cursor
from ..names import Names, names_of
from ..source import Source
from ..transcript import ending, heading, label
from . import protocol as p
from .questions import pressable
from .values import epoch_ms, place_frame, source_of, type_of, value, value_or_none

ROWS = 200
RUNNING = 20
EXCHANGES = 50
TRACE_CHARS = 20_000


def tasks(source: Source, cursor: Cursor) -> p.TasksPane:
    """Return the newest tasks up to the cursor, as they stood."""
    found = source.tasks(cursor, ROWS)
    names = names_of(source, cursor)
    nodes = source.file.nodes_of_tasks(found)
    return {
        "frame": cursor.frame,
        "now": time() * 1000,
        "tasks": [task_row(source, cursor, task, nodes.get(task.task_id)) for task in found],
        "windows": _windows_at(source, cursor),
        "names": {**names.all(task.node_id for task in found), **names.of_tasks(nodes)},
    }


def _windows_at(source: Source, cursor: Cursor) -> list[p.WindowRow]:
    # Windows are of the file, not of an execution, and only as they are now: in a past frame they would be untrue.
    if not cursor.live:
        return []
    return windows(source)


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


def task_row(source: Source, cursor: Cursor, task: TaskRecord, mounted: LastNode | None) -> p.TaskRow:
    """Return a task as it stood at the cursor; ``mounted`` is its node in the frame that mounted it."""
    node = cursor.tree.index.get(task.node_id)
    progress = source.progress(cursor, task.node_id, task.task_id)
    requests, tail = task.requests, ""
    # The engine knows an ended task's last text and requests, too, and a recorded cursor can't: the file has no text,
    # and it has the requests of ended tasks only. Live must say of one that ended what its record will say.
    if progress is not None and not task.ended:
        requests, tail = progress.requests or None, progress.tail[-p.TAIL_CHARS :]
    return {
        "task_id": task.task_id,
        "node_id": task.node_id,
        "type": type_of(node),
        "iteration": None if mounted is None else iteration_of(loop_of(mounted.path)),
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "status": task.status,
        "reason": task.reason,
        "worker": _worker(task),
        "frame": task.mounted_at_frame,
        "settled_frame": task.settled_at_frame,
        "started": epoch_ms(task.started_at),
        "ended": epoch_ms(task.ended_at),
        "retry_at": epoch_ms(task.next_retry_at),
        "requests": requests,
        "tokens": task.tokens,
        "cost_usd": task.cost_usd,
        "tools": task.tools,
        "tail": tail,
        "error": last_line(task.error),
        "can": _can(progress, node),
        "options": _options(progress),
    }


def _can(task: TaskProgress | None, node: TreeNode | None) -> list[p.TaskCommand]:
    """Return the commands that a task takes now."""
    if task is None:
        return []
    if task.questions:
        return ["answer", "cancel"]
    if task.stalled:  # A person can start a worker, and nothing here.
        return ["cancel"]
    if task.status == "blocked":
        return ["retry", "cancel"]
    if task.status in ("pending", "running"):
        return ["cancel"]
    # Until its end is flushed, the handlers of this end are still to come: a retry would take it back under them.
    if not task.settled:
        return []
    wanted = "on_finished" if task.status == "succeeded" else "on_error"
    if node is not None and wanted in node.events:
        return ["retry", "handle_again"]
    return ["retry"]


def _options(task: TaskProgress | None) -> list[str]:
    """Return the choices of the question that a task asks, if it asks one only."""
    # With two questions a button would not say which of them it answers: they are answered one by one in the detail.
    if task is None or len(task.questions) != 1:
        return []
    return pressable(task.questions[0])


def task(source: Source, cursor: Cursor, task_id: str) -> p.TaskPane | None:
    """Return one task with its calls; None if there is none of that id."""
    found = source.task(cursor, task_id)
    if found is None:
        return None
    node = cursor.tree.index.get(found.node_id)
    file = source.file.up_to(cursor.frame)
    more: dict[str, Any] = {  # Any: the fields that a task has more than its row
        "prompt": None,
        "result": None,
        "trace": None,
        "source": source_of(node),
        "names": names_of(source, cursor).all([found.node_id]),
        **_conversation(file, found),
        "asked": [_asked(asked) for asked in source.asked(cursor, task_id)],
        "tool_calls": [],
        "model_calls": [],
    }
    if node is not None and node.type in AGENT_TYPES:
        place = ("prompt", place_frame(cursor), found.node_id)
        more["prompt"] = value(of_text(node.legible, place))
    if found.ended:
        more["result"] = value_or_none(file.result(task_id))
        # The end of a trace says what failed. An error before the end is of an attempt that is tried again.
        more["trace"] = (found.error or "")[-TRACE_CHARS:] or None
    # The file has the calls without the time of the cursor: those of a task that had not begun come later than that.
    if found.status != "pending" or found.attempt > 0:
        more["tool_calls"] = [_tool_call(call) for call in file.tool_calls(task_id)]
        more["model_calls"] = [_model_call(call) for call in file.model_calls(task_id)]
    mounted = source.file.nodes_of_tasks([found]).get(task_id)
    return {**task_row(source, cursor, found, mounted), **more}  # type: ignore[return-value]  # mypy takes it for a plain dict


def _worker(task: TaskRecord) -> str | None:
    """Return the worker of a task in words; None for one that the kernel runs."""
    if task.worker is None:
        return None
    if task.reason in get_args(StallReason):
        return "none"  # The error has what it takes to continue, such as the command that starts a worker.
    worker = task.worker or "none has it yet"
    if task.status == "running" and task.reason:
        return f"{worker}: {task.reason}"  # Its heartbeat is late, it was lost, or its code differs.
    return worker


def _conversation(file: Moments, task: TaskRecord) -> dict[str, Any]:  # Any: two fields of the pane
    found: tuple[Exchange, ...] = ()
    if task.status != "pending" or task.attempt > 0:
        found = file.exchanges(task.task_id)
    return {
        "earlier": len(found[:-EXCHANGES]),
        "conversation": [_exchange(task.task_id, one) for one in found[-EXCHANGES:]],
    }


def _exchange(task_id: str, exchange: Exchange) -> p.ExchangeRow:
    rows = [_part(part, ("message", task_id, exchange.call.id, place)) for place, part in enumerate(exchange.parts)]
    asked = len(rows) - len(exchange.results)
    return {
        "id": exchange.call.id or 0,
        "heading": heading(exchange),
        "ending": ending(exchange),
        "ms": exchange.call.ms,
        "status": exchange.call.status,
        "parts": rows[:asked],
        "results": rows[asked:],
    }


def _part(part: Part, place: tuple[object, ...]) -> p.PartRow:
    return {
        "role": part.role,
        "kind": part.kind,
        "label": label(part),
        "text": value(of_text(part.text, place)),
        "ms": part.ms,
    }


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
        "args": _indented(found.args),
        "edited": found.edited,
        "result": value_or_none(found.result),
    }


def _indented(args: str | None) -> str | None:
    """Return JSON as a person edits it: one member a line."""
    if args is None:
        return None
    return json.dumps(json.loads(args), ensure_ascii=False, indent=2)


def _tool_call(call: ToolCallRecord) -> p.ToolCallRow:
    return {
        "id": call.id,
        "tool": call.tool,
        "agent": call.agent,
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
        "id": call.id,
        "turn": call.turn,
        "attempt": call.attempt,
        "model": call.model,
        "agent": call.agent,
        "answered_by": call.answered_by,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cost_usd": call.cost_usd,
        "ms": call.ms,
        "error": last_line(call.error),
        "response": value_or_none(call.response),
    }


# ---- for the summary -------------------------------------------------------------------------------------------


def running(source: Source, names: Names) -> list[p.RunningRow]:
    """Return the tasks that have not ended."""
    if source.publication is None:
        return []
    known = source.publication.tasks
    waiting = [task for task in known if task.status in ("running", "blocked")]
    waiting += [task for task in known if task.status == "pending" and task.attempt]
    shown = waiting[:RUNNING]
    recorded = source.file.tasks_by_id([task.task_id for task in shown])
    # The summary is a synced trait of at most 64 KiB: many agents share the room for their texts.
    each = min(p.TAIL_CHARS, p.TAILS_CHARS // max(1, len(shown)))
    found: list[p.RunningRow] = []
    for task in shown:
        reason = started = retry_at = worker = None
        if (row := recorded.get(task.task_id)) is not None:
            reason, started, retry_at, worker = row.reason, row.started_at, row.next_retry_at, _worker(row)
        found.append(
            {
                "task_id": task.task_id,
                "node_id": task.node_id,
                "node": names.of(task.node_id),
                "status": task.status,
                "reason": reason,
                "worker": worker,
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
