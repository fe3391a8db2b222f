"""What happened along the way: heads of frames, the timeline, output, problems, breakpoints and hits, searching."""

from __future__ import annotations

import json
from collections.abc import Iterable
from time import time

from ..records import Hit, Phase, Problem, Severity
from ..store import breakpoints as stored
from . import protocol as p
from .moment import Moment, Records, last_phase
from .sentence import recorded_sentence, sentence
from .values import epoch_ms

HITS = 200
FOUND = 50
KEYS = 3
KEYS_FRAMES = 200
SEVERITY_OF: dict[str, Severity] = {"problem": "error", "hint": "hint"}
"""By the kind of their events, errors first."""
ADVICE = {
    "TaskError": "Give it an on_error, or mend it and run it again with Retry.",
    "HandlerNeverFired": "Report from the task, or remove the handler.",
    "KeyNeverWritten": "Write it in a handler or an Effect, give it a first value, or stop reading it.",
    "KeyNeverRead": "Write and read it by one name.",
    "AgentWithoutId": "Give it an id.",
}


def chips(moment: Moment, ms: dict[Phase, float], over: bool) -> list[p.PhaseChip]:
    """Return the phase strip. After FLUSH the next phase is the next frame's first."""
    current = moment.live and not (over and moment.phase is Phase.FLUSH)
    found: list[p.PhaseChip] = []
    for phase in Phase:
        if moment.since(phase):
            taken = ms.get(phase)
            found.append({"name": str(phase), "state": "done", "ms": None if taken is None else round(taken, 3)})
        else:
            taken = None if moment.live else ms.get(phase)
            found.append(
                {
                    "name": str(phase),
                    "state": "current" if current else "todo",
                    "ms": None if taken is None else round(taken, 3),
                }
            )
            current = False
    return found


def frame(records: Records, moment: Moment) -> p.FrameHead:
    """Return what header, strip and sentence show of a moment."""
    ex, store = records.ex, records.store
    row = moment.row or store.frame(moment.frame)
    draft = ex.draft
    if moment.live and draft is not None and draft.phase is not None:
        ms = dict(draft.ms)
    else:
        ms = {phase: row[f"{phase.lower()}_ms"] for phase in Phase} if row else {}
    last = moment.phase if moment.live else last_phase(row)
    return {
        "frame": moment.frame,
        "recorded": not moment.live,
        "status": "dry" if row is None else "done" if row["status"] == "done" else "open",
        "phase": str(moment.phase) if moment.phase else None,
        "last_phase": str(last) if last else None,
        "phases": chips(moment, {phase: took for phase, took in ms.items() if took is not None}, ex.over),
        "sentence": sentence(ex) if moment.live else recorded_sentence(records, moment),
        "reason": json.loads(row["reason"]) if row else list(draft.reason) if draft else [],
        "created": epoch_ms(row["created_at"]) if row else None,
        "counts": {
            **{name: row[name] if row else 0 for name in ("mounted", "unmounted", "updated", "moved")},
            "writes": row["writes"] if row else 0,
            "handlers": row["handlers"] if row else 0,
            "problems": store.count("problem", moment.frame, moment.frame),
            "output": store.count("output", moment.frame, moment.frame),
        },
        "hits": [hit for hit in hits(records, moment.frame) if hit["frame"] == moment.frame],
    }


def timeline(records: Records, since: int) -> p.Timeline:
    """Return frames from ``since`` on, column by column."""
    store, draft = records.store, records.ex.draft
    rows = store.dense(since)
    events = store.events_by_frame(since)
    to = rows[-1][0] if rows else since - 1
    writes, handlers = [row[2] for row in rows], [row[3] for row in rows]
    errors = events.get("problem", [])
    if rows and draft is not None and draft.number == to and draft.phase is not Phase.FLUSH:
        writes[-1], handlers[-1] = len(draft.pending), len(draft.calls)
        if failed := errors_of(draft.problems):
            errors = [*errors, (to, failed)]
    return {
        "since": since,
        "to": to,
        "writes": writes,
        "handlers": handlers,
        "changes": [row[4] for row in rows],
        "ms": [row[5] for row in rows],
        "errors": errors,
        "hits": events.get("breakpoint", []),
        "tasks": store.tasks_by_frame(since),
        "output": events.get("output", []),
        "keys": store.keys_by_frame(max(since, to - KEYS_FRAMES + 1), KEYS),
    }


def errors_of(problems: Iterable[Problem]) -> int:
    """Return how many of them are errors."""
    return sum(problem.severity == "error" for problem in problems)


def output(records: Records, moment: Moment, limit: int) -> p.Output:
    """Return what was printed up to the moment: what is in the file, and what is on its way there."""
    rows = records.store.events("output", moment.frame, limit)[::-1]
    entries = [
        _printed(row["id"], row["frame"], row["node_id"], row["payload"], epoch_ms(row["created_at"]) or 0.0)
        for row in rows
    ]
    waiting = [event for event in records.ex.live.printed.waiting if event.frame <= moment.frame]
    now = time() * 1000
    entries += [_printed(0, event.frame, event.node_id, event.payload, now) for event in waiting]
    if not moment.live:
        entries = [entry for entry in entries if entry["frame"] < moment.frame or _was_printed(entry, moment)]
    total = records.store.count("output", moment.frame) + len(waiting)
    return {"frame": moment.frame, "total": total, "entries": entries[-limit:]}


def _was_printed(entry: p.Printed, moment: Moment) -> bool:
    return entry["phase"] is None or moment.since(Phase(entry["phase"]))


def _printed(id: int, frame: int, node_id: str | None, payload: str, at: float) -> p.Printed:
    found = json.loads(payload)
    text = found["text"]
    cut = len(text) > p.VALUE_CHARS
    return {
        "id": id,
        "frame": frame,
        "phase": found["phase"],
        "node_id": node_id,
        "where": found["where"],
        "stream": found["stream"],
        "text": text[: p.VALUE_CHARS],
        "cut": cut,
        "ref": json.dumps(("events", "payload", id)) if cut and id else None,
        "at": at,
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


def problems(records: Records, moment: Moment, limit: int, findings: list[Problem]) -> p.Problems:
    """Return the errors up to the moment and what lint has found: errors first, hints last."""
    draft = records.ex.draft
    shown: list[p.Problem] = []
    if draft is not None and draft.number <= moment.frame and draft.phase is not Phase.FLUSH:
        shown = [problem(found, draft.number) for found in draft.problems]
    failed = list(records.ex.live.failed)[::-1] if moment.live else []
    shown += [problem(_of_event(event.payload, event.node_id, event.kind), event.frame) for event in failed]
    rows = [row for kind in SEVERITY_OF for row in records.store.events(kind, moment.frame, limit)]
    shown += [problem(_of_event(row["payload"], row["node_id"], row["kind"]), row["frame"]) for row in rows]
    if moment.live:
        shown += [problem(found, 0) for found in findings]
    total = sum(records.store.count(kind, moment.frame) for kind in SEVERITY_OF) + (len(shown) - len(rows))
    shown.sort(key=lambda one: one["severity"] != "error")
    return {"frame": moment.frame, "total": total, "problems": shown[:limit]}


def _of_event(payload: str, node_id: str | None, kind: str) -> Problem:
    found = json.loads(payload)
    phase = Phase(found["phase"]) if found["phase"] else None
    return Problem(found["kind"], found["message"], node_id, phase, found["source"], SEVERITY_OF[kind])


# ---- breakpoints -----------------------------------------------------------------------------------------------


def breakpoints(records: Records, moment: Moment) -> p.Breakpoints:
    """Return the breakpoints, and their hits up to the moment."""
    held = records.ex.live.breakpoints
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
            "error": held.errors.get(point.id),
        }
        for point in held.all
    ]
    return {"breakpoints": points, "hits": hits(records, moment.frame)}


def hits(records: Records, until: int) -> list[p.Hit]:
    """Return the newest hits up to a frame, newest first."""
    ex = records.ex
    return [hit(found, epoch_ms(at) or 0.0) for found, at in stored.hits(ex.store.reader, ex.execution_id, until, HITS)]


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


def search(records: Records, moment: Moment, text: str) -> p.Search:
    """Return nodes, keys, handlers, tasks and output with a text in their name; what is in the plan comes first."""
    if not text.strip():
        return {"total": 0, "found": []}
    rows = records.store.search(text.strip(), 10 * FOUND)
    index = moment.tree.index
    found: list[p.Found] = [
        {"kind": kind, "id": id, "label": label, "frame": frame, "node_id": node_id}
        for kind, id, label, frame, node_id in rows
    ]
    found.sort(key=lambda one: (not (one["kind"] == "node" and one["id"] in index), one["kind"] != "key"))
    return {"total": len(found), "found": found[:FOUND]}
