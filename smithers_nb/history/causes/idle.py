"""Why something that is in the plan has not begun: a task that has not started, a handler that has not fired."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from ...errors import did_you_mean
from ...nodes.control import LOOPS
from ...nodes.schedule import RUNNABLE
from ...nodes.tree import TreeNode
from ...records import Ghosts, TaskRecord
from ...records.frame import OVER_OR_STOPPED
from ...records.words import count
from .absence import not_in_plan
from .book import About, Book
from .ends import FAILED
from .facts import Called, Matter, NodeAt, NotFired, PropAt, Stands, TaskBegan, TaskStands, Told
from .obstacles import in_the_way
from .targets import EVENTS
from .values import called

_LOOP_ENDS = ("done", "max_reached")

Reasons = Iterator[Matter | Told]


def leased(book: Book) -> list[Told]:
    """Return the process that has the execution, if that is not this one."""
    found = book.execution
    if _is_ours(book) or found.owner is None or found.lease_expires_at is None:
        return []
    # An expired lease holds no one up.
    if datetime.fromisoformat(found.lease_expires_at) < datetime.now(UTC):
        return []
    text = f"{found.owner} has it, until {found.lease_expires_at}: only that process can step it"
    return [Told(book.say(text, table="executions", row_id=book.execution_id))]


def _is_ours(book: Book) -> bool:
    # A child runs where its parent does, and is asked about through it.
    if book.source.publication is not None:
        return True
    return book.around is not None and _is_ours(book.around[0])


# ---- tasks -------------------------------------------------------------------------------------------------------


def not_started(book: Book, id: str, kind: str, frame: int) -> Reasons:
    """Yield what keeps a node that is in the plan from starting."""
    name = book.name(id, frame)
    task = book.rows.newest_task(id, frame)
    about: About = {"table": "nodes", "row_id": id, "frame": frame, "node_id": id}
    loops = list(_loops_over(book, id, frame))
    if kind not in RUNNABLE and task is None:
        reasons = [*loops, *in_the_way(book, id, frame)]
        text = f"{name} is in the plan of frame {frame}"
        if not reasons:
            yield Told(book.say(text, **about), (NodeAt(book, id, frame),))
            return
        if not loops:
            yield Told(book.say(f"{text}, and has not begun", **about))
        yield from reasons
        return
    if task is not None:
        task = book.task(task.task_id) or task
    if task is not None and (task.ended or task.status == "running"):
        yield from loops
        yield _did_start(book, task, frame)
        return
    head = book.source.head
    # What holds for the whole execution comes first: nothing in it starts, whatever else is in the way.
    if head.status in OVER_OR_STOPPED:
        yield Stands(book)
    yield from leased(book)
    yield from loops
    reasons = list(in_the_way(book, id, frame))
    yield from reasons
    if not reasons and head.status in ("paused", "ready"):
        yield Stands(book)


def _did_start(book: Book, task: TaskRecord, frame: int) -> Told:
    name = book.name(task.node_id, frame)
    about: About = {"table": "tasks", "row_id": task.task_id, "frame": task.mounted_at_frame, "node_id": task.node_id}
    if task.status in FAILED:
        return Told(book.say(f"{name} did start", **about), (TaskStands(book, task.task_id),))
    text = f"{name} did start: its task is {task.status}"
    return Told(book.say(text, **about), (TaskBegan(book, task.task_id),))


def _loops_over(book: Book, id: str, frame: int) -> Iterator[Told]:
    """Yield the loops around a node, itself included, that are over: their content does not start again."""
    cursor = book.source.cursor() if frame >= book.last else book.source.cursor(frame)
    standing, _ = book.source.standing(cursor)
    index = cursor.tree.index
    node = index.get(id)
    while node is not None:
        if node.type in LOOPS and standing.get(node.id) in _LOOP_ENDS:
            yield _loop_over(book, node, standing[node.id], frame)
        node = index.get(node.parent_id or "")


def _loop_over(book: Book, loop: TreeNode, status: str, frame: int) -> Told:
    about: About = {"table": "loops", "row_id": loop.id, "frame": frame, "node_id": loop.id}
    iterations = book.rows.iterations(loop.id, frame)
    text = f"{book.name(loop.id, frame)} is over after {count(iterations, 'iteration')}"
    if status == "max_reached":
        return Told(book.say(f"{text}, which is as many as it may have (max_iterations)", **about))
    prop, value = {"while": ("condition", "false")}.get(loop.type, ("until", "true"))
    return Told(book.say(f"{text}: its {prop} is {value}", **about), (PropAt(book, loop.id, prop, frame),))


# ---- handlers ----------------------------------------------------------------------------------------------------


def handler_idle(fact: NotFired) -> Told:
    """Tell why a handler of a node in the plan has not fired."""
    return not_fired(fact, None)


def not_fired(fact: NotFired, ghosts: Ghosts | None) -> Told:
    """Tell why a handler has not fired; ``ghosts`` are what the code can return, where it is known."""
    book, id, event, frame = fact.book, fact.node_id, fact.event, fact.frame
    last = book.rows.last_node(id, frame)
    name = book.name(id, frame)
    about: About = {"table": "nodes", "row_id": id, "frame": frame, "node_id": id}
    if last is None:
        return Told(book.say(f"{name} was in no plan up to frame {frame}", **about))
    events = json.loads(last.node.events)
    task = book.rows.newest_task(id, frame)
    call = None
    if task is not None:
        task = book.task(task.task_id) or task
        call = book.call_of(task, event)
    if call is not None:
        return called(Called(book, call.call.id))
    if event not in events:
        return _never_registered(fact, events, task)
    if task is not None and task.ended:
        return Told(book.say(_other_end(event, task.status, events, name), **about), (TaskStands(book, task.task_id),))
    reasons: list[Matter | Told]
    if book.node(id, frame) is None:
        reasons = list(not_in_plan(book, id, frame, ghosts))
    elif task is not None and task.status == "running":
        reasons = [TaskStands(book, task.task_id)]
    else:
        reasons = list(not_started(book, id, last.node.type, frame))
    return Told(book.say(f"{event} of {name} was not called yet: its task has not ended", **about), tuple(reasons))


def _never_registered(fact: NotFired, events: list[str], task: TaskRecord | None) -> Told:
    book, id, event = fact.book, fact.node_id, fact.event
    hint = ""
    if event not in EVENTS:
        hint = did_you_mean(event, [*events, *EVENTS])
    has = ", ".join(events) or "no handler"
    text = f"{book.name(id, fact.frame)} never registered {event}: it has {has}.{hint}"
    statement = book.say(text, table="nodes", row_id=id, frame=fact.frame, node_id=id)
    # What it does about an end of this kind is worth a sentence, whatever it is called.
    if task is not None and task.ended:
        return Told(statement, (TaskStands(book, task.task_id),))
    return Told(statement)


def _other_end(event: str, status: str, events: list[str], name: str) -> str:
    """Return why an ended task has not called a handler."""
    if event == "on_progress":
        return f"the task of {name} {status}, and reported no progress"
    if event == "on_error" and status == "succeeded":
        return f"the task of {name} succeeded: there was no error"
    if event == "on_finished" and status != "succeeded":
        other = "and it has no on_error"
        if "on_error" in events:
            other = "and on_error is for that"
        return f"the task of {name} ended the other way: it {status}, {other}"
    return f"the task of {name} {status}; the next frame calls {event}"
