"""The problems up to the cursor, with advice."""

from __future__ import annotations

from collections.abc import Iterable

from ...records import Problem
from ..cursor import Cursor
from ..names import names_of
from ..source import Source
from . import protocol as p
from .values import phase_name

ADVICE = {
    "TaskError": "Give it an on_error, or mend it and run it again with Retry.",
    "HandlerNeverFired": "Report from the task, or remove the handler.",
    "KeyNeverWritten": "Write it in a handler or an Effect, give it a first value, or stop reading it.",
    "KeyNeverRead": "Write and read it by one name.",
    "AgentWithoutId": "Give it an id.",
    "SlowPhase": "A busy machine, a slow disk or a very large plan; the strip shows each phase's time.",
}


def problem_row(found: Problem, frame: int) -> p.ProblemRow:
    """Return an error or warning."""
    return {
        "kind": found.kind,
        "message": found.message,
        "node_id": found.node_id,
        "phase": phase_name(found.phase),
        "source": found.source,
        "frame": frame,
        "advice": ADVICE.get(found.kind),
        "severity": found.severity,
    }


def problems_pane(source: Source, cursor: Cursor, limit: int, findings: list[Problem]) -> p.ProblemsPane:
    """Return the problems up to the cursor and the findings of lint: errors first, hints last."""
    total, found = source.problems(cursor, limit)
    shown = [problem_row(Problem.of_event(event.kind, event.node_id, event.payload), event.frame) for event in found]
    # Lint looks at the plan as it is now, and says nothing about a past one.
    if cursor.live:
        shown += [problem_row(finding, cursor.frame) for finding in findings]
        total += len(findings)
    shown.sort(key=lambda one: one["severity"] != "error")
    del shown[limit:]
    names = names_of(source, cursor)
    named = names.all(one["node_id"] for one in shown)
    for one in shown:
        one["message"] = names.in_text(one["message"])
    return {"frame": cursor.frame, "total": total, "problems": shown, "names": named}


def errors_of(problems: Iterable[Problem]) -> int:
    """Return the number of errors among problems."""
    return sum(problem.severity == "error" for problem in problems)
