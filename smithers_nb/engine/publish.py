"""The publication of a running execution: a record for everyone who looks. Called from any thread."""

from __future__ import annotations

from dataclasses import replace

from ..agents.imports import imports
from ..nodes.tree import Tree
from ..records import Phase, Question, Write
from ..records.publication import Publication, TaskProgress
from .draft import Draft
from .live import Live
from .loop import Loop
from .tasks.entry import TaskEntry
from .tasks.questions import meant, waiting


def publication(loop: Loop, swapped: Tree | None) -> Publication:
    """Return the present state of an execution; ``swapped`` is the plan of an app that no frame has rendered yet.

    Everything in it is immutable, or belongs to the engine and is only looked at.
    """
    live = loop.live
    # Read once: the engine replaces it, on its own thread, while this runs on another.
    draft = loop.draft or Draft(live.services.execution_id, number=0, reason=())
    status, reason = loop.standing
    frame, before = None, live.committed.tree
    if draft.phase is not None:
        frame, before = draft.freeze(), draft.before
    written: tuple[Write, ...] = ()
    if draft.phase is Phase.FLUSH:
        written = draft.written
    # A copy, because tasks are added while this goes through them.
    entries = list(live.tasks.values())
    return Publication(
        status=status,
        reason=reason,
        over=loop.over and not loop.reopened,
        recorded=live.committed.frame,
        frame=frame,
        before=before,
        changes=draft.changes,
        stood=draft.stood,
        standing=loop.standing_of_nodes,
        starting=len(draft.schedule.start),
        ender=next(iter(draft.schedule.enders), None),
        settling=len(draft.settled),
        swapped=swapped,
        written=written,
        pending=loop.pending,
        importing=imports.awaited(live.services.execution_id),
        causes=tuple(live.inbox.causes),
        hit=loop.hit,
        tasks=tuple(_progress(live, entry) for entry in entries),
        running=len(live.tasks.running),
        stalled=next((entry.worker for entry in live.tasks.stalled), ""),
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
        reads=draft.rendered or live.committed.rendered,
    )


def _progress(live: Live, entry: TaskEntry) -> TaskProgress:
    tokens, cost_usd = None, None
    if entry.is_agent:
        tokens, cost_usd = entry.spent.input_tokens + entry.spent.output_tokens, entry.spent.cost
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
        tail=live.services.stream.tail(entry.task_id),
        tokens=tokens,
        cost_usd=cost_usd,
        worker=entry.worker,
        stalled=entry.stalled,
    )


def _asked(live: Live) -> list[Question]:
    """Return the questions that wait for people, here and in children."""
    asked = waiting(live.tasks)
    questions = []
    for one in asked:
        question = one.question
        # Two children may ask under one id. Only then is it made longer: a person may have to type it.
        if meant(asked, question.approval_id) != [one]:
            question = replace(question, approval_id=f"{one.tasks.execution_id}/{question.approval_id}")
        questions.append(question)
    return questions
