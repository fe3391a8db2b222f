"""The course of a run: heads of frames, the timeline, output, problems, breakpoints and hits, searching."""

from __future__ import annotations

import json
from collections.abc import Iterable
from time import time
from typing import Literal

from ...records import EventRecord, Hit, Phase, Problem
from ..cursor import Cursor
from ..source import Source
from . import protocol as p
from .sentence import sentence
from .values import epoch_ms

HITS = 200
FOUND = 50
KEYS = 3
KEYS_FRAMES = 200
COUNTED = {
    "mounted": Phase.RECONCILE,
    "unmounted": Phase.RECONCILE,
    "updated": Phase.RECONCILE,
    "moved": Phase.RECONCILE,
    "handlers": Phase.EXECUTE,
}
"""The counts of a frame, with the phase that makes each."""
EVENTS = 200
"""The most problems and pieces of output that are counted in a frame: they are read one by one."""
ADVICE = {
    "TaskError": "Give it an on_error, or mend it and run it again with Retry.",
    "HandlerNeverFired": "Report from the task, or remove the handler.",
    "KeyNeverWritten": "Write it in a handler or an Effect, give it a first value, or stop reading it.",
    "KeyNeverRead": "Write and read it by one name.",
    "AgentWithoutId": "Give it an id.",
    "SlowPhase": "A busy machine, a slow disk or a very large plan; the strip shows each phase's time.",
}


def chips(cursor: Cursor, ms: dict[Phase, float], over: bool) -> list[p.PhaseChip]:
    """Return the phase strip. After FLUSH the next phase is the next frame's first."""
    current = cursor.live and not (over and cursor.phase is Phase.FLUSH)
    found: list[p.PhaseChip] = []
    for phase in Phase:
        if cursor.reached(phase):
            taken = ms.get(phase)
            found.append({"name": str(phase), "state": "done", "ms": None if taken is None else round(taken, 3)})
        else:
            taken = None if cursor.live else ms.get(phase)
            found.append(
                {
                    "name": str(phase),
                    "state": "current" if current else "todo",
                    "ms": None if taken is None else round(taken, 3),
                }
            )
            current = False
    return found


def frame(source: Source, cursor: Cursor) -> p.FrameHead:
    """Return the contents of header, strip and sentence at a cursor."""
    found = source.frame(cursor.frame)
    totals = found.counts if found else {}
    counts = {name: totals.get(name, 0) if cursor.reached(since) else 0 for name, since in COUNTED.items()}
    _, problems = source.problems(cursor, EVENTS)
    _, printed = source.output(cursor, EVENTS)
    status: Literal["done", "open", "dry"] = "dry"
    if found is not None:
        status = "done" if found.status == "done" else "open"
    last = cursor.phase if cursor.live or found is None else found.phase
    return {
        "frame": cursor.frame,
        "recorded": not cursor.live,
        "status": status,
        "phase": str(cursor.phase) if cursor.phase else None,
        "last_phase": str(last) if last else None,
        "phases": chips(cursor, dict(found.ms) if found else {}, source.head.over),
        "sentence": sentence(source, cursor),
        "reason": list(found.reason) if found else [],
        "created": epoch_ms(found.created_at) if found else None,
        "counts": {
            "mounted": counts["mounted"],
            "unmounted": counts["unmounted"],
            "updated": counts["updated"],
            "moved": counts["moved"],
            "handlers": counts["handlers"],
            "writes": len(source.writes(cursor)),
            "problems": sum(event.kind == "problem" and event.frame == cursor.frame for event in problems),
            "output": sum(event.frame == cursor.frame for event in printed),
        },
        "hits": [one for one in hits(source, cursor.frame) if one["frame"] == cursor.frame],
    }


def timeline(source: Source, since: int) -> p.Timeline:
    """Return frames from ``since`` on, column by column."""
    frames = source.frame_totals(since)
    events = source.events_by_frame(since)
    to = frames[-1].number if frames else since - 1
    return {
        "since": since,
        "to": to,
        "writes": [one.writes for one in frames],
        "handlers": [one.handlers for one in frames],
        "changes": [one.changes for one in frames],
        "ms": [one.ms for one in frames],
        "errors": events.get("problem", []),
        "hits": events.get("breakpoint", []),
        "tasks": source.tasks_by_frame(since),
        "output": events.get("output", []),
        "keys": source.keys_by_frame(max(since, to - KEYS_FRAMES + 1), KEYS),
    }


def output(source: Source, cursor: Cursor, limit: int) -> p.Output:
    """Return the output up to the cursor."""
    total, found = source.output(cursor, limit)
    return {"frame": cursor.frame, "total": total, "entries": [_printed(event) for event in found]}


def _printed(event: EventRecord) -> p.Printed:
    found = json.loads(event.payload)
    text = found["text"]
    cut = len(text) > p.VALUE_CHARS
    return {
        "id": event.id,
        "frame": event.frame,
        "phase": found["phase"],
        "node_id": event.node_id,
        "where": found["where"],
        "stream": found["stream"],
        "text": text[: p.VALUE_CHARS],
        "cut": cut,
        "ref": json.dumps(("events", "payload", event.id)) if cut and event.id else None,
        "at": epoch_ms(event.created_at) or time() * 1000,
    }


def problem(found: Problem, frame: int) -> p.Problem:
    """Return an error or warning."""
    return {
        "kind": found.kind,
        "message": found.message,
        "node_id": found.node_id,
        "phase": str(found.phase) if found.phase else None,
        "source": found.source,
        "frame": frame,
        "advice": ADVICE.get(found.kind),
        "severity": found.severity,
    }


def problems(source: Source, cursor: Cursor, limit: int, findings: list[Problem]) -> p.Problems:
    """Return the problems up to the cursor and the findings of lint: errors first, hints last."""
    total, found = source.problems(cursor, limit)
    shown = [problem(Problem.of_event(event.kind, event.node_id, event.payload), event.frame) for event in found]
    if cursor.live:
        shown += [problem(finding, 0) for finding in findings]
        total += len(findings)
    shown.sort(key=lambda one: one["severity"] != "error")
    return {"frame": cursor.frame, "total": total, "problems": shown[:limit]}


def errors_of(problems: Iterable[Problem]) -> int:
    """Return the number of errors among problems."""
    return sum(problem.severity == "error" for problem in problems)


# ---- breakpoints -----------------------------------------------------------------------------------------------


def breakpoints(source: Source, cursor: Cursor) -> p.Breakpoints:
    """Return the breakpoints, and their hits up to the cursor."""
    errors = source.publication.condition_errors if source.publication else {}
    points: list[p.Breakpoint] = [
        {
            "id": point.id,
            "kind": point.kind,
            "target": point.target,
            "event": point.event,
            "value": point.value,
            "when": point.when,
            "once": point.once,
            "enabled": point.enabled,
            "log_only": point.log_only,
            "hits": point.hits,
            "after": point.after,
            "text": point.text,
            "error": errors.get(point.id),
        }
        for point in source.breakpoints()
    ]
    return {"breakpoints": points, "hits": hits(source, cursor.frame)}


def hits(source: Source, until: int) -> list[p.Hit]:
    """Return the newest hits up to a frame, newest first."""
    return [hit(found, epoch_ms(at) or 0.0) for found, at in source.hits(until, HITS)]


def hit(found: Hit, at: float = 0.0) -> p.Hit:
    """Return a hit."""
    return {
        "breakpoint_id": found.breakpoint_id,
        "frame": found.frame,
        "phase": found.phase,
        "text": found.text,
        "node_id": found.node_id,
        "log_only": found.log_only,
        "at": at,
    }


# ---- searching -------------------------------------------------------------------------------------------------


def search(source: Source, cursor: Cursor, text: str) -> p.Search:
    """Return nodes, keys, handlers, tasks and output with a text in their name; the nodes of the plan come first."""
    if not text.strip():
        return {"total": 0, "found": []}
    index = cursor.tree.index
    found: list[p.Found] = [
        {"kind": one.kind, "id": one.id, "label": one.label, "frame": one.frame, "node_id": one.node_id}
        for one in source.search(text.strip(), 10 * FOUND)
    ]
    found.sort(key=lambda one: (not (one["kind"] == "node" and one["id"] in index), one["kind"] != "key"))
    return {"total": len(found), "found": found[:FOUND]}
