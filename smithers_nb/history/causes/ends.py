"""Why an execution stands as it does: finished, failed, stalled, waiting, paused or stopped."""

from __future__ import annotations

from collections.abc import Iterator

from ...records import Phase
from ...records.words import short
from .book import About, Book
from .facts import Matter, NodeAt, Stands, TaskBegan, TaskEnded, Told, Written

FAILED = ("failed", "cancelled", "abandoned")
BY_HAND = "by hand"


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
        yield Told(book.say(short(event.payload, 300), **about))
    for write in book.rows.writes(book.last):
        if write.status in ("applied", "edited"):
            yield Written(book, write.id, write.key)


def _waited_for(book: Book) -> Iterator[Matter | Told]:
    for task in book.rows.newest_tasks(book.last):
        if task.status != "blocked":
            continue
        about: About = {
            "table": "tasks",
            "row_id": task.task_id,
            "frame": task.mounted_at_frame,
            "node_id": task.node_id,
        }
        name = book.name(task.node_id, book.last)
        open_ones = [one for one in book.rows.asked(task.task_id) if one.answered_at is None]
        for one in open_ones:
            text = f"{name} waits for a person: {short(one.prompt, 100)} (approval {one.approval_id})"
            row: About = about | {"table": "approvals", "row_id": one.approval_id}
            yield Told(book.say(text, **row), (TaskBegan(book, task.task_id),))
        # Blocked without a question is a wait for a time: a rate limit, or a retry.
        if not open_ones:
            text = f"{name} is blocked"
            if task.next_retry_at:
                text += f" until {task.next_retry_at}"
            yield Told(book.say(f"{text}: {task.error or task.reason or 'it tries again'}", **about))
    yield from _waiting_children(book)


def _waiting_children(book: Book) -> Iterator[Matter]:
    for task in book.rows.newest_tasks(book.last):
        node = book.tree(book.last).index.get(task.node_id)
        if node is None or node.type != "smithers" or task.status not in ("running", "pending"):
            continue
        child = book.child(task)
        if child is not None and child.source.head.status == "waiting":
            yield Stands(child)


def _rest(book: Book, reason: str) -> Iterator[Matter | Told]:
    if not book.last:
        yield Told(book.say("no frame has been made yet: a step makes the first one", evidence="recorded"))
        return
    about: About = {"table": "frames", "row_id": str(book.last), "frame": book.last}
    for event in book.rows.events("breakpoint", book.last + 1, 1):
        if reason.startswith("stopped"):
            row: About = {"table": "events", "row_id": str(event.id), "frame": event.frame, "node_id": event.node_id}
            yield Told(book.say(f"a breakpoint was hit: {reason.removeprefix('stopped: ')}", **row))
            return
    if book.unflushed is not None:
        waiting = [one for one in book.pending if one.status in ("queued", "edited")]
        text = f"frame {book.last} is at rest before its FLUSH, {len(waiting)} of its writes pending; a step goes on"
        yield Told(book.say(text, **about), tuple(Written(book, one.id, one.key) for one in waiting[:3]))
        return
    running = [
        TaskBegan(book, one.task_id)
        for one in book.rows.newest_tasks(book.last)
        if one.status in ("running", "pending") and one.node_id in book.tree(book.last).index
    ]
    yield Told(book.say("a step goes on from here", **about), tuple(running[:3]))
