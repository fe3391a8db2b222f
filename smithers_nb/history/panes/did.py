"""The work of a frame up to a cursor, in words: which tasks ended and began, which handlers fired, what they wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ...errors import message_of, without_place
from ...nodes.schedule import RUNNABLE
from ...records import EventRecord, HandlerCall, Phase, Problem
from ...records.words import count, listed, short
from ..cursor import Cursor
from ..names import Names
from ..source import Source

CHANGES = ("mounted", "unmounted", "updated", "moved")
LISTED = 2
"""The number of tasks that are named."""
CALLS = 100
"""The most calls of a frame that are read to tell which of them raised."""
PROBLEMS = 20
"""The most problems of a frame that are read."""
ERROR_CHARS = 100
_QUIET = re.compile(r"start|another agent may start|(state|vol)( |: ).*|.* settled", re.DOTALL)
"""The reasons of a frame that tell what the engine went on with, and not what happened."""


def reasons(found: tuple[str, ...], names: Names) -> list[str]:
    """Return the reasons of a frame with names in place of generated ids."""
    return [names.in_text(reason) for reason in found]


def did(source: Source, cursor: Cursor, names: Names, *, failures: bool = True) -> list[str]:
    """Return what the frame did up to the cursor, the most important first; [] where it changed nothing.

    ``failures`` is False where the sentence has its error already.
    """
    found = source.frame(cursor.frame)
    if found is None or cursor.phase is None:
        return []
    said: list[str] = []
    if failures and cursor.reached(Phase.EXECUTE):
        said += _failed(source, cursor, names)
    happened = [reason for reason in reasons(found.reason, names) if not _QUIET.fullmatch(reason)]
    if happened:
        said.append(listed(happened, LISTED))
    if cursor.reached(Phase.EXECUTE):
        said += _began(source, cursor, names)
    if cursor.reached(Phase.RECONCILE):
        said += changed(found.counts)
    if cursor.reached(Phase.EXECUTE) and (fired := found.counts.get("handlers", 0)):
        said.append(f"{count(fired, 'handler')} fired")
    return said


def changed(counts: Mapping[str, int]) -> list[str]:
    """Return the numbers of the nodes that a frame mounted, unmounted, updated and moved."""
    said: list[str] = []
    for name in CHANGES:
        number = counts.get(name, 0)
        if number and not said:
            said.append(f"{count(number, 'node')} {name}")
        elif number:
            said.append(f"{number:,} {name}")
    return said


def raised(source: Source, cursor: Cursor) -> list[HandlerCall]:
    """Return the handler calls of the frame that raised, up to the cursor."""
    calls = [one.call for one in source.calls(cursor, CALLS)]
    return [call for call in calls if call.frame == cursor.frame and call.status == "raised"]


def errors(source: Source, cursor: Cursor) -> list[Problem]:
    """Return the errors of the frame up to the cursor, newest first, without hints."""
    # A summary is made many times a second, and most executions have no error.
    if not source.errors():
        return []
    _, events = source.problems(cursor, PROBLEMS)
    found = [Problem.of_event(event.kind, event.node_id, event.payload) for event in events if _is_of(event, cursor)]
    return [problem for problem in found if problem.severity == "error"]


def _is_of(event: EventRecord, cursor: Cursor) -> bool:
    # A frame that could not be made has the number of the one that is made in its place.
    return event.frame == cursor.frame or (cursor.live and event.frame > cursor.frame)


def _failed(source: Source, cursor: Cursor, names: Names) -> Iterator[str]:
    """Yield the first handler that raised; where none did, the first error of the frame."""
    found = errors(source, cursor)
    if not found:
        return
    calls = raised(source, cursor)
    if calls:
        call = calls[0]
        message = short(" ".join(message_of(call.error or "").split()), ERROR_CHARS)
        yield f"{call.event} of {names.word(call.node_id)} raised {message}"
        return
    yield short(" ".join(names.in_text(without_place(found[0].message)).split()), ERROR_CHARS).rstrip(".")


def _began(source: Source, cursor: Cursor, names: Names) -> Iterator[str]:
    """Yield the tasks that the frame started, and those that ask a person."""
    standing, stood = source.standing(cursor)[0], source.stood(cursor)
    mounted = set(cursor.changes.mounted)
    tasks: list[str] = []
    asking: list[str] = []
    for id, status in standing.items():
        node = cursor.tree.index.get(id)
        if node is None or node.type not in RUNNABLE or status == "pending":
            continue
        # In a new iteration of a loop a node of the same id begins, which ended in the one before.
        if id in mounted or stood.get(id, "pending") == "pending":
            (asking if node.type == "approval" else tasks).append(names.word(id))
    if tasks:
        yield f"{listed(tasks, LISTED)} started"
    if asking:
        yield f"{listed(asking, LISTED)} asked"
