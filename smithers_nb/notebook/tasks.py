"""Handler calls and tasks, live and recorded."""

from __future__ import annotations

import json
import re
from time import time
from typing import Any

from ..engine.schedule import ORDERED
from ..engine.tasks import ENDED, TaskEntry
from ..nodes.tree import Tree, TreeNode
from ..records import HandlerCall, Phase
from ..store.moments import Row
from . import protocol as p
from .moment import Moment, Records, status_at
from .values import epoch_ms, of_part, short, value

ROWS = 200
RUNNING = 20
QUESTIONS = 10


def handlers(records: Records, moment: Moment) -> p.Handlers:
    """Return the newest calls up to the moment, and the handlers of its plan that were not called so far."""
    draft = records.ex.draft
    frame = moment.frame
    calls: list[p.Call] = []
    under_way = draft is not None and draft.number == frame and draft.phase is not Phase.FLUSH
    if draft is not None and under_way and (moment.live or moment.since(Phase.EXECUTE)):
        calls = [_call(call, seq, records.ex.live.tasks.get(call.node_id)) for seq, call in enumerate(draft.calls, 1)]
    until = frame if moment.live or moment.since(Phase.EXECUTE) else frame - 1
    calls += [_recorded_call(row) for row in records.store.handlers(until, ROWS - min(ROWS, len(calls)))]
    fired = {(call["node_id"], call["event"]) for call in calls if call["status"] != "stale"}
    fired |= {place for place, (_, status) in records.store.fired(until).items() if status != "stale"}
    standing, _ = records.status(moment)
    never: list[p.NeverFired] = [
        {
            "node_id": node.id,
            "event": event,
            "type": node.type,
            "source": node.source,
            "why": _why_not(node, event, standing, moment.tree),
        }
        for node in moment.tree.walk()
        for event in node.events
        if (node.id, event) not in fired
    ]
    return {"frame": frame, "calls": calls, "never": never[:ROWS]}


def _why_not(node: TreeNode, event: str, standing: dict[str, str], tree: Tree) -> str:
    status = standing.get(node.id)
    if status in (None, "pending"):
        at: TreeNode | None = node
        while at is not None:
            if at.type in ORDERED and standing.get(at.id) == "pending":
                return f"its task is pending: {at.type} {at.props.get('name', at.id)} has not begun."
            at = tree.index.get(at.parent_id) if at.parent_id else None
        return "its task has not begun."
    if status in ("running", "blocked"):
        waits = " and waits for a person, or to try again" if status == "blocked" else ""
        return f"its task is {status}{waits}."
    if event == "on_progress":
        return f"its task {status} and reported no progress."
    if status == "succeeded" and event == "on_error":
        return "its task succeeded, so there was no error."
    if status != "succeeded" and event == "on_finished":
        return f"its task {status}; on_finished is for one that succeeded."
    return f"its task {status}; the next frame calls it."


def _call(call: HandlerCall, seq: int, entry: TaskEntry | None) -> p.Call:
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
        "seq": seq,
        "phase": str(Phase.EXECUTE),
        "trigger": _trigger(call.node_id, call.event, entry.status if entry else None),
    }


def _recorded_call(row: Row) -> p.Call:
    return {
        "id": row["id"],
        "frame": row["frame"],
        "node_id": row["node_id"],
        "task_id": row["task_id"],
        "event": row["event"],
        "status": row["status"],
        "writes": row["writes"],
        "ms": row["ms"],
        "error": row["error"],
        "source": row["source"],
        "seq": row["seq"],
        "phase": str(Phase.EXECUTE),
        "trigger": _trigger(row["node_id"], row["event"], row["task"]),
    }


def _trigger(node_id: str, event: str, status: str | None) -> str:
    if event == "on_progress":
        return f"{node_id} reported progress"
    return f"{node_id} {status or ('succeeded' if event == 'on_finished' else 'failed')}"


# ---- tasks -----------------------------------------------------------------------------------------------------


def tasks(records: Records, moment: Moment) -> p.Tasks:
    """Return the newest tasks that there were at the moment, as they stood."""
    until = None if moment.live else records.store.ended(moment.frame)
    rows = records.store.tasks(moment.frame, ROWS)
    return {
        "frame": moment.frame,
        "now": time() * 1000,
        "tasks": [task_row(records, moment, row, until) for row in rows],
        "windows": windows(records) if moment.live else [],
    }


def windows(records: Records) -> list[p.Window]:
    """Return how often the models that have refused a request may be asked, and from when on."""
    return [
        {
            "name": window.name,
            "opens": epoch_ms(window.opens_at),
            "apart_ms": window.interval_ms,
            "refused": window.refused,
        }
        for window in records.store.reader.rate_windows()
        if window.refused
    ]


def task_row(records: Records, moment: Moment, row: Row, until: str | None) -> p.TaskRow:
    """Return a task as it stood."""
    live = records.ex.live
    node = moment.tree.index.get(row["node_id"])
    status = status_at(row, until)
    over = status in ENDED
    entry = live.tasks.get(row["node_id"]) if moment.live else None
    if entry is not None and entry.task_id != row["task_id"]:
        entry = None
    if entry is not None:
        status = entry.status
    tokens = None if row["input_tokens"] is None else row["input_tokens"] + (row["output_tokens"] or 0)
    return {
        "task_id": row["task_id"],
        "node_id": row["node_id"],
        "type": node.type if node else None,
        "iteration": _iteration(node),
        "attempt": entry.attempt if entry else row["attempt"],
        "max_attempts": row["max_attempts"],
        "status": status,
        "reason": row["reason"],
        "frame": row["mounted_at_frame"],
        "settled_frame": row["settled_at_frame"] if over else None,
        "started": epoch_ms(row["started_at"]) if status != "pending" or over else None,
        "ended": epoch_ms(row["ended_at"]) if over else None,
        "retry_at": None if over else epoch_ms(row["next_retry_at"]),
        "requests": row["requests"] if over else entry.spent.requests if entry and entry.spent.requests else None,
        "tokens": tokens if over else None,
        "cost_usd": row["cost_usd"] if over else None,
        "tools": row["tools"],
        "tail": live.stream.tails.get(row["task_id"], "")[-p.TAIL_CHARS :] if entry and not over else "",
        "error": _first_line(row["error"]) if over or status == "running" else None,
        "can": _can(entry),
        "options": _options(entry),
    }


def _can(entry: TaskEntry | None) -> list[str]:
    if entry is None:
        return []
    if entry.questions:
        return ["answer", "cancel"]
    if entry.status == "blocked":
        return ["retry", "cancel"]
    if entry.status in ("pending", "running"):
        return ["cancel"]
    return ["retry"] if entry.settled else []


def _options(entry: TaskEntry | None) -> list[str]:
    asked = list(entry.questions.values()) if entry is not None else []
    return list(asked[0].options) if len(asked) == 1 else []


def _iteration(node: TreeNode | None) -> int | None:
    found = re.search(r"/@(\d+)$", node.loop) if node is not None else None
    return int(found[1]) if found else None


def _first_line(error: str | None) -> str | None:
    """Return what an error says: the last line of its traceback."""
    return None if error is None else short(error.strip().rpartition("\n")[2])


def task(records: Records, moment: Moment, task_id: str) -> p.Task | None:
    """Return one task with its calls; None if there is none of that id."""
    store = records.store
    row = store.task(task_id)
    if row is None:
        return None
    until = None if moment.live else store.ended(moment.frame)
    shown = task_row(records, moment, row, until)
    node = moment.tree.index.get(row["node_id"])
    over = shown["status"] in ENDED
    result = of_part(row["result"], row["result_chars"], ("tasks", "result", task_id)) if over else None
    prompt = node.content if node is not None and node.type == "claude" else None
    more: dict[str, Any] = {  # Any: the fields that a Task has more than its row
        "prompt": prompt and _text(prompt, ("prompt", moment.frame if not moment.live else 0, row["node_id"])),
        "result": result,
        "trace": row["error"][-20_000:] if row["error"] and over else None,
        "source": node.source if node else None,
        "asked": [
            _asked(asked, until) for asked in store.asked(task_id) if until is None or asked["asked_at"] <= until
        ],
        "tool_calls": [_tool_call(call) for call in store.tool_calls(task_id)],
        "model_calls": [_model_call(call) for call in store.model_calls(task_id)],
    }
    return {**shown, **more}  # type: ignore[return-value]  # mypy takes it for a plain dict


def _text(text: str, ref: tuple[object, ...]) -> p.Value:
    return value(text, len(text), "text", ref)


def _asked(row: Row, until: str | None) -> p.Asked:
    """Return a question, as it stood."""
    payload = None if row["payload"] in (None, "null") else row["payload"]
    waits = row["status"] == "answered" and until is not None and row["answered_at"] > until
    return {
        "approval_id": row["approval_id"],
        "kind": row["kind"],
        "prompt": row["prompt"],
        "options": json.loads(row["options"]),
        "payload": of_part(payload, row["payload_chars"], ("approvals", "payload", row["approval_id"])),
        "diff": row["diff"],
        "status": "waiting" if waits else row["status"],
        "choice": None if waits else row["choice"],
        "comment": None if waits else row["comment"],
    }


def _tool_call(row: Row) -> p.ToolCall:
    given = of_part(row["input"], row["input_chars"], ("tool_calls", "input", row["id"]))
    assert given is not None  # for the type checker: the column is NOT NULL
    return {
        "id": row["id"],
        "tool": row["tool"],
        "turn": row["turn"],
        "attempt": row["attempt"],
        "status": row["status"],
        "input": given,
        "output": of_part(row["output"], row["output_chars"], ("tool_calls", "output", row["id"])),
        "ms": row["ms"],
        "error": _first_line(row["error"]),
    }


def _model_call(row: Row) -> p.ModelCall:
    return {
        "turn": row["turn"],
        "attempt": row["attempt"],
        "model": row["model"],
        "answered_by": row["answered_by"],
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost_usd": row["cost_usd"],
        "ms": row["ms"],
        "error": _first_line(row["error"]),
        "response": of_part(row["response"], row["response_chars"], ("model_calls", "response", row["id"])),
    }


# ---- for the summary -------------------------------------------------------------------------------------------


def running(records: Records, times: dict[str, tuple[float | None, float | None, str | None]]) -> list[p.RunningTask]:
    """Return the tasks that have not ended; ``times`` has when each started, its next attempt, and its reason."""
    live = records.ex.live
    waiting = [entry for entry in list(live.tasks.values()) if entry.status in ("running", "blocked")]
    waiting += [entry for entry in list(live.tasks.values()) if entry.status == "pending" and entry.attempt]
    shown = waiting[:RUNNING]
    each = min(p.TAIL_CHARS, p.TAILS_CHARS // max(1, len(shown)))
    found: list[p.RunningTask] = []
    for entry in shown:
        started, retry_at, reason = times.get(entry.task_id, (None, None, None))
        found.append(
            {
                "task_id": entry.task_id,
                "node_id": entry.node.id,
                "status": entry.status,
                "reason": reason,
                "attempt": entry.attempt,
                "max_attempts": entry.max_attempts,
                "started": started,
                "retry_at": retry_at,
                "tail": live.stream.tails.get(entry.task_id, "")[-each:],
            }
        )
    return found


def questions(live: Any) -> list[p.Question]:  # Any: engine.live.Live
    """Return what people are asked, here and in children."""
    found: list[p.Question] = [
        {
            "approval_id": asked.approval_id,
            "node_id": asked.node_id,
            "kind": asked.kind,
            "prompt": short(asked.prompt, 500) or "",
            "options": list(asked.options)[:20],
        }
        for entry in live.tasks.asking
        for asked in list(entry.questions.values())
    ]
    for child in list(live.tasks.children.values()):
        found += questions(child.live)
    return found[:QUESTIONS]
