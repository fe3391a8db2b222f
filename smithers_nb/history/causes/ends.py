"""Why an execution stands as it does: finished, failed, stalled, waiting, paused or stopped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...records import Frame, Phase, Problem
from ...records.words import count, short
from .book import About, Book
from .facts import Matter, NodeAt, Stands, TaskBegan, TaskEnded, TaskStands, Told, Written
from .frames import due
from .tasks import waits

FAILED = ("failed", "cancelled", "abandoned")
APPLIED = ("applied", "edited")
BY_HAND = "by hand"
_FAILED_FRAME = re.compile(r"frame (\d+) could not be ")


def stands(fact: Stands) -> Told:
    """Tell how an execution stands."""
    book = fact.book
    head = book.source.head
    text = f'execution "{short(head.name)}" is {head.status}'
    if head.reason:
        text += f": {head.reason}"
    about: About = {"table": "executions", "row_id": book.execution_id, "execution_id": book.execution_id}
    about["frame"] = head.frame or None
    return Told(book.say(text, **about), tuple(_causes(book, head.status, head.reason)))


def _causes(book: Book, status: str, reason: str) -> Iterator[Matter | Told]:
    """Yield what an execution stands as it does for."""
    # A person comes first: whatever else holds, the execution stands as it does because of what they did.
    if BY_HAND in reason:
        yield Told(book.say(f"a person did it: {reason}", table="executions", row_id=book.execution_id))
    elif status == "failed":
        yield from _failures(book)
    elif status == "stalled":
        yield from _round(book)
    elif status == "waiting":
        yield from _waited_for(book)
    elif status in ("paused", "running", "ready"):
        yield from _rest(book, reason)
    elif (ender := _ender(book, status, reason)) is not None:
        yield NodeAt(book, ender, book.last)
    else:
        yield from _nothing_left(book)


def _ender(book: Book, status: str, reason: str) -> str | None:
    """Return the id of the Stop or End that ended an execution; None if it ended for want of something to do."""
    kind, prop = {"finished": ("end", "message")}.get(status, ("stop", "reason"))
    # The row of the execution has the message and not the node: several may stand in the plan.
    for node in book.tree(book.last).walk():
        if node.type == kind and str(node.props.get(prop, "")) == reason:
            return node.id
    return None


def _nothing_left(book: Book) -> Iterator[Matter | Told]:
    about: About = {"table": "frames", "row_id": str(book.last), "frame": book.last, "phase": Phase.FLUSH}
    text = f"after frame {book.last} no task, no write and no reason for a frame was outstanding"
    # Between the last end of a task and the last frame there are at most the frames that its writes and loops make.
    last = [task for number in range(book.last, max(0, book.last - 3), -1) for task in book.rows.settled_in(number)]
    yield Told(book.say(text, **about), tuple(TaskEnded(book, one.task_id) for one in last[-1:]))


def _failures(book: Book) -> Iterator[Matter | Told]:
    # Only tasks of the last plan: one that failed and whose node has left does not fail the execution.
    tree = book.tree(book.last)
    for task in book.rows.newest_tasks(book.last):
        node = tree.index.get(task.node_id)
        if node is not None and task.status in FAILED and "on_error" not in node.events:
            yield TaskEnded(book, task.task_id)


def _round(book: Book) -> Iterator[Matter | Told]:
    """Yield what comes round: the problem, and the writes of the last frame."""
    for event in book.rows.events("problem", book.last, 1):
        about: About = {"table": "events", "row_id": str(event.id), "frame": event.frame, "node_id": event.node_id}
        problem = Problem.of_event(event.kind, event.node_id, event.payload)
        about |= {"source": problem.source, "phase": problem.phase}
        yield Told(book.say(short(" ".join(problem.message.split()), 300), **about))
    # The frame that found it may have written nothing: then what led there are the writes of the one before.
    for number in (book.last, book.last - 1):
        made = [one for one in book.rows.writes(number) if one.status in APPLIED]
        if made:
            yield from (Written(book, one.id, one.key) for one in made)
            return


def _waited_for(book: Book) -> Iterator[Matter | Told]:
    for task in book.rows.newest_tasks(book.last):
        if task.status == "blocked":
            yield from (Told(one, (TaskBegan(book, task.task_id),)) for one in waits(book, task))
    yield from _waiting_children(book)


def _waiting_children(book: Book) -> Iterator[Matter | Told]:
    for task in book.rows.newest_tasks(book.last):
        node = book.tree(book.last).index.get(task.node_id)
        if node is None or node.type != "smithers" or task.status not in ("running", "pending"):
            continue
        # Its questions, and not its status: that it waits is recorded later than what it asks.
        if (child := book.child(task)) is not None:
            yield from _waited_for(child)


def _rest(book: Book, reason: str) -> Iterator[Matter | Told]:
    """Yield what an execution that is neither over nor waits is at rest for."""
    if (match := _FAILED_FRAME.match(reason)) is not None:
        yield from _not_made(book, int(match[1]))
        return
    for event in book.rows.events("breakpoint", book.last + 1, 1):
        if reason.startswith("stopped"):
            row: About = {"table": "events", "row_id": str(event.id), "frame": event.frame, "node_id": event.node_id}
            yield Told(book.say(f"a breakpoint was hit: {reason.removeprefix('stopped: ')}", **row))
            return
    if not book.last:
        row = {"table": "executions", "row_id": book.execution_id}
        yield Told(book.say("no frame has been made yet: a step makes the first one", **row))
        return
    if book.unflushed is not None:
        yield _open_frame(book, book.unflushed)
    yield from due(book)
    running = [
        TaskStands(book, one.task_id)
        for one in book.rows.newest_tasks(book.last)
        if one.status in ("running", "pending") and one.node_id in book.tree(book.last).index
    ]
    yield from running[:3]
    if book.unflushed is None and not running:
        about: About = {"table": "frames", "row_id": str(book.last), "frame": book.last}
        yield Told(book.say(f"frame {book.last} is flushed; a step makes the next one", **about))


def _open_frame(book: Book, frame: Frame) -> Told:
    about: About = {"table": "frames", "row_id": str(frame.number), "frame": frame.number, "phase": frame.phase}
    if frame.phase is not Phase.EFFECTS:
        return Told(book.say(f"frame {frame.number} is open: its last phase was {frame.phase}", **about))
    waiting = [one for one in book.pending if one.status in ("queued", "edited")]
    text = f"frame {frame.number} is at rest before its FLUSH, which applies {count(len(waiting), 'write')}"
    return Told(book.say(text, **about), tuple(Written(book, one.id, one.key) for one in waiting[:3]))


def _not_made(book: Book, number: int) -> Iterator[Matter | Told]:
    """Yield why a frame could not be made: the error, and what had changed before it."""
    events = book.rows.events("problem", number, 1, number)
    about: About = {"table": "frames", "row_id": str(number), "frame": number}
    now = book.source.publication
    problems = [] if now is None else [Problem.of_event(one.kind, one.node_id, one.payload) for one in now.failed]
    for event in events:
        about |= {"table": "events", "row_id": str(event.id)}
        problems.append(Problem.of_event(event.kind, event.node_id, event.payload))
    made = tuple(Written(book, one.id, one.key) for one in book.rows.writes(number - 1) if one.status in APPLIED)
    for problem in problems[-1:]:
        about |= {"source": problem.source, "phase": problem.phase, "node_id": problem.node_id}
        yield Told(book.say(f"the code raised: {short(' '.join(problem.message.split()), 300)}", **about), made)
    if not problems:
        yield from made
