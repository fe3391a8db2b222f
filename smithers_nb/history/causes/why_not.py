"""``why_not``: what stands in the way of a node, a task, a handler, a write or a frame, outermost first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ...errors import did_you_mean
from ...nodes import source as sources
from ...nodes.schedule import RUNNABLE
from ...records import Ghosts, Phase
from ..recorded import RecordedSource
from .absence import not_in_plan
from .book import About, Book
from .explanation import Explanation
from .facts import Called, ComponentIn, FrameMade, Matter, NodeAt, Stands, TaskBegan, TaskStands, Told, ValueAt, Written
from .obstacles import in_the_way
from .targets import EVENTS, Target, component_path
from .why import chain_of, question_of

OVER = ("finished", "failed", "stalled", "terminated")
_WRITE = re.compile(r"\d+[wof]\d+")

Reasons = Iterator[Matter | Told]


@dataclass(frozen=True, repr=False)
class WhyNot(Explanation):
    """What stands in the way, outermost first; below each sentence is what caused it."""


def why_not(source: RecordedSource, asked: Target, frame: int | None, ghosts: Ghosts | None) -> WhyNot:
    """Return what stands in the way of a target; ``ghosts`` are the nodes that the code can return, where it is known.

    Nothing is refused for want of a name: that there is none of it is a reason, too.
    """
    with source.together():
        book = Book(source)
        reasons = list(_reasons(book, asked, frame, ghosts))
        return WhyNot(question_of("why not", asked, frame), chain_of(reasons))


def _reasons(book: Book, asked: Target, frame: int | None, ghosts: Ghosts | None) -> Reasons:
    at = frame or max(book.last, 1)
    if asked is None or isinstance(asked, int):
        yield from _no_frame(book, asked)
        return
    if asked.startswith("state:"):
        yield from _not_written(book, asked.removeprefix("state:"), frame)
        return
    id, dot, event = asked.rpartition(".")
    if dot and event.startswith("on") and book.rows.last_node(id, at) is not None:
        yield from _not_fired(book, (id, event), at, ghosts)
    elif (known := book.node(asked, at)) is not None:
        yield from _not_started(book, asked, known.node.type, at)
    elif "@" in asked and (task := book.task(asked)) is not None:
        yield from _not_started(book, task.node_id, "task", at)
    elif _WRITE.fullmatch(asked) and (write := book.write(asked)) is not None:
        yield from _fate(book, write.id, write.key, write.status)
    elif (path := component_path(book, asked, at)) is not None:
        yield ComponentIn(book, path, at)
    elif not _could_be(book, asked, at, ghosts) and _is_key(book, asked):
        yield from _not_written(book, asked, frame)
    else:
        yield from not_in_plan(book, asked, at, ghosts)


def _could_be(book: Book, asked: str, at: int, ghosts: Ghosts | None) -> bool:
    return book.rows.last_node(asked, at) is not None or (ghosts is not None and bool(ghosts.named(asked)))


def _is_key(book: Book, asked: str) -> bool:
    # A key that only a handler names is one, too: nothing has written it yet.
    known = asked in book.rows.known_keys() or any(one.key == asked for one in book.pending)
    return known or any(True for _ in _writers(book, asked))


# ---- frames ------------------------------------------------------------------------------------------------------


def _no_frame(book: Book, number: int | None) -> Reasons:
    if number is not None and 1 <= number <= book.last:
        yield FrameMade(book, number)
        return
    if number is None:
        number = book.last + 1
    head = book.source.head
    why = "nothing has made it due yet"
    if head.over:
        why = "it is over"
    about: About = {"table": "executions", "row_id": book.execution_id}
    text = f"frame {number} was not made: the last frame is {book.last}, and {why}"
    yield Told(book.say(text, **about), (*leased(book), Stands(book)))


def leased(book: Book) -> list[Told]:
    """Return the process that has the execution, where it is another one than this."""
    found = book.execution
    if book.source.publication is not None or found.owner is None or found.lease_expires_at is None:
        return []
    # An expired lease holds nobody up.
    if datetime.fromisoformat(found.lease_expires_at) < datetime.now(UTC):
        return []
    text = f"{found.owner} has it, until {found.lease_expires_at}: only that process can step it"
    return [Told(book.say(text, table="executions", row_id=book.execution_id))]


# ---- tasks -------------------------------------------------------------------------------------------------------


def _not_started(book: Book, id: str, kind: str, frame: int) -> Reasons:
    """Yield what keeps a node that is in the plan from starting."""
    name = book.name(id, frame)
    task = book.rows.newest_task(id, frame)
    about: About = {"table": "nodes", "row_id": id, "frame": frame, "node_id": id}
    if kind not in RUNNABLE and task is None:
        reasons = list(in_the_way(book, id, frame))
        text = f"{name} is in the plan of frame {frame}"
        if not reasons:
            yield Told(book.say(text, **about), (NodeAt(book, id, frame),))
            return
        yield Told(book.say(f"{text}, and has not begun", **about))
        yield from reasons
        return
    if task is not None:
        task = book.task(task.task_id) or task
    if task is not None and (task.ended or task.status == "running"):
        yield Told(book.say(f"{name} did start: its task is {task.status}", **about), (TaskBegan(book, task.task_id),))
        return
    head = book.source.head
    # What holds for the whole execution comes first: nothing in it starts, whatever else is in the way.
    if head.status in OVER or (head.status == "stopped" and head.over):
        yield Stands(book)
    yield from leased(book)
    reasons = list(in_the_way(book, id, frame))
    yield from reasons
    if not reasons and head.status in ("paused", "stopped", "ready"):
        yield Stands(book)


# ---- handlers ----------------------------------------------------------------------------------------------------


def _not_fired(book: Book, handler: tuple[str, str], frame: int, ghosts: Ghosts | None) -> Reasons:
    """Yield why a handler has not fired."""
    id, event = handler
    last = book.rows.last_node(id, frame)
    if last is None:
        return
    name, events = book.name(id, frame), json.loads(last.node.events)
    about: About = {"table": "nodes", "row_id": id, "frame": frame, "node_id": id}
    task = book.rows.newest_task(id, frame)
    call = None
    if task is not None:
        task = book.task(task.task_id) or task
        call = book.call_of(task, event)
    if event not in events and call is None:
        hint = ""
        if event not in EVENTS:
            hint = did_you_mean(event, [*events, *EVENTS])
        has = ", ".join(events) or "no handler"
        yield Told(book.say(f"{name} never registered {event}: it has {has}.{hint}", **about))
        # What it does about an end of this kind is worth a sentence, whatever it is called.
        if task is not None and task.ended:
            yield TaskStands(book, task.task_id)
    elif call is not None:
        yield Called(book, call.call.id)
    elif task is None or not task.ended:
        yield Told(book.say(f"its task has not ended: {event} is called when it has", **about))
        if book.node(id, frame) is None:
            yield from not_in_plan(book, id, frame, ghosts)
        elif task is not None and task.status == "running":
            yield TaskStands(book, task.task_id)
        else:
            yield from _not_started(book, id, last.node.type, frame)
    else:
        yield Told(book.say(_other_end(event, task.status, events, name), **about), (TaskStands(book, task.task_id),))


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


# ---- writes ------------------------------------------------------------------------------------------------------


def _not_written(book: Book, key: str, frame: int | None) -> Reasons:
    """Yield why a write of a key is not in the state, or why there is none."""
    reads = frame or book.reads
    waiting = [one for one in book.pending if one.key == key and one.scope == "state"]
    if waiting and frame is None:
        yield from (Written(book, one.id, key) for one in waiting)
        return
    known = [one for one in book.rows.written(key) if one.frame < reads and one.scope == "state"]
    if known:
        last = known[-1]
        # Of the last frame that wrote it, all writes: the one that was asked for may have lost to a later one.
        for one in known:
            if one.frame == last.frame and one.status not in ("applied", "edited"):
                yield from _fate(book, one.id, key, one.status)
        if last.status in ("applied", "edited", "overridden"):
            yield ValueAt(book, key, reads)
        return
    about: About = {"table": "state", "row_id": key, "frame": reads}
    hint = did_you_mean(key, [one for one in book.rows.known_keys() if one != key])
    yield Told(book.say(f"nothing has written {key}.{hint}", **about))
    yield from _would_write(book, key, reads)


def _fate(book: Book, id: str, key: str, status: str) -> Reasons:
    about: About = {"table": "transitions", "row_id": id, "phase": Phase.FLUSH}
    words = {
        "noop": f"write {id} of {key} changed nothing: the value was the same",
        "rolled_back": f"write {id} of {key} was rolled back",
        "dropped": f"a person dropped write {id} of {key}",
        "overridden": f"write {id} of {key} was overridden in its own frame",
        "edited": f"a person edited write {id} of {key} before it was applied",
        "queued": f"write {id} of {key} is still pending: the FLUSH of its frame applies it",
    }
    text = words.get(status, f"write {id} of {key} is in the state")
    yield Told(book.say(text, **about), (Written(book, id, key),))


def _would_write(book: Book, key: str, frame: int) -> Reasons:
    """Yield the handlers of the plan whose code names a key, and why they have not fired."""
    found = list(_writers(book, key))
    for id, event, source in found[:5]:
        about: About = {"table": "nodes", "row_id": id, "frame": min(frame, book.last), "node_id": id}
        about |= {"source": source, "evidence": "inferred"}
        name = book.name(id, max(book.last, 1))
        reasons = tuple(_not_fired(book, (id, event), max(book.last, 1), None))
        yield Told(book.say(f"{event} of {name} names {key} in its code", **about), reasons)
    if not found and book.source.publication is None:
        yield Told(book.say("which handlers would write it is not known without their code", evidence=None))


def _writers(book: Book, key: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield (node id, event, source) of the handlers of the plan, live, that have a key among their constants."""
    now = book.source.publication
    if now is None or now.frame is None:
        return
    for node in now.frame.tree.walk():
        for event in node.events:
            handler = getattr(getattr(node.node, "handlers", None), event, None)
            if handler is not None and _names(handler, key):
                yield node.id, event, sources.of_function(handler) or node.source


def _names(function: object, key: str) -> bool:
    """Return whether a function has a text among its constants, or in what it closes over."""
    code = getattr(function, "__code__", None)
    if code is None:
        return False
    held = []
    for cell in getattr(function, "__closure__", None) or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:
            # A variable that is bound after the function was made, and not yet.
            continue
    # By identity of type, too: the key 1 is not True.
    return any(isinstance(one, str) and one == key for one in [*code.co_consts, *held])
