"""The publication of a running execution: a record for everyone who looks. Called from any thread."""

from __future__ import annotations

from dataclasses import replace

from ..agents.imports import imports
from ..nodes.diff import Changes
from ..nodes.tree import Tree
from ..records import Phase, Question
from ..records.publication import Publication, TaskProgress
from .live import Live
from .loop import Loop
from .tasks.entry import TaskEntry
from .tasks.questions import meant, waiting


def publication(loop: Loop, swapped: Tree | None) -> Publication:
    """Return the present state of an execution; ``swapped`` is the plan of an app that no frame has rendered yet.

    Everything in it is immutable, or belongs to the engine and is only looked at.
    """
    live, draft = loop.live, loop.draft
    status, reason = loop.standing
    begun = draft if draft is not None and draft.phase is not None else None
    entries = list(live.tasks.values())
    return Publication(
        status=status,
        reason=reason,
        over=loop.over and not loop.reopened,
        recorded=live.committed.frame,
        frame=begun.freeze() if begun else None,
        before=begun.before if begun else live.committed.tree,
        changes=begun.changes if begun else Changes(),
        stood=draft.stood if draft else None,
        standing=loop.standing_of_nodes,
        starting=len(draft.schedule.start) if draft else 0,
        ender=next(iter(draft.schedule.enders), None) if draft else None,
        settling=len(draft.settled) if draft else 0,
        swapped=swapped,
        written=draft.written if draft and draft.phase is Phase.FLUSH else (),
        pending=loop.pending,
        importing=imports.awaited(live.services.execution_id),
        causes=tuple(live.inbox.causes),
        hit=loop.hit,
        tasks=tuple(_progress(live, entry) for entry in entries),
        running=len(live.tasks.running),
        asked=tuple(_asked(live)),
        names=tuple(live.tasks.questions),
        printed=tuple(live.printed.waiting),
        heard=live.printed.heard,
        failed=tuple(event for event in live.noted if event.kind == "problem"),
        breakpoints=live.breakpoints.all,
        condition_errors=live.breakpoints.errors,
        state=live.committed.cells,
        vol=live.committed.vol,
        values_version=live.committed.value_signature,
        reads=draft.rendered if draft and draft.rendered else live.committed.rendered,
    )


def _progress(live: Live, entry: TaskEntry) -> TaskProgress:
    return TaskProgress(
        node_id=entry.node.id,
        task_id=entry.task_id,
        status=entry.status,
        attempt=entry.attempt,
        max_attempts=entry.max_attempts,
        settled=entry.settled,
        is_agent=entry.is_agent,
        requests=entry.spent.requests,
        questions=tuple(entry.questions.values()),
        tail=live.services.stream.tails.get(entry.task_id, ""),
        tokens=entry.spent.input_tokens + entry.spent.output_tokens if entry.is_agent else None,
        cost_usd=entry.spent.cost if entry.is_agent else None,
    )


def _asked(live: Live) -> list[Question]:
    """Return the questions that wait for people, here and in children."""
    asked = waiting(live.tasks)
    return [
        one.question
        if meant(asked, one.question.approval_id) == [one]
        else replace(one.question, approval_id=f"{one.tasks.execution_id}/{one.question.approval_id}")
        for one in asked
    ]
