"""Why a frame was made: each of its reasons, and the fact behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from ...identity import component_of
from ...records import Phase, TaskRecord
from ...records.words import short
from .book import About, Book
from .facts import Called, FrameMade, Matter, TaskBegan, TaskEnded, Told, Written

MOST_READS = 50
"""The most looks at files that an answer goes through, the newest first."""
_LOOKS = {"read": "read the file", "exists": "looked for the file", "glob": "looked for the files"}
_OUTSIDE = ("the app was swapped", "resumed", "file ", "forked after", "stopped by hand", "vol ", "frame ")
"""The beginnings of reasons that no row of the state and no task tells."""


def frame_made(fact: FrameMade) -> Told:
    """Tell why a frame was made."""
    book, number = fact.book, fact.frame
    found = book.source.frame(number)
    if found is None:
        return Told(book.say(f"frame {number} is not recorded any more", evidence=None))
    reasons = _listed(book, found.reason, number) or "nothing that is recorded"
    text = f"frame {number} was made, because of: {reasons}"
    if found.status == "open" and number < book.last:
        text += "; it was given up before its FLUSH"
    about: About = {"table": "frames", "row_id": str(number), "frame": number, "phase": Phase.SNAPSHOT}
    causes = [one for reason in found.reason for one in _reason(book, reason, number)]
    return Told(book.say(text, **about), tuple(causes))


def _listed(book: Book, reasons: Iterable[str], frame: int) -> str:
    return ", ".join(_with_name(book, reason, frame) for reason in reasons)


def _with_name(book: Book, reason: str, frame: int) -> str:
    """Return a reason with the name of its node in the place of a generated id."""
    match = re.fullmatch(r"(.+?)(@\w+)? (succeeded|failed|cancelled|abandoned|settled)", reason)
    if match is None or (held := book.rows.last_node(match[1], frame)) is None or held.node.explicit_id:
        return reason
    return f"{book.name(match[1], frame)} {match[3]}"


def due(book: Book) -> list[Told]:
    """Return the next frame, and what makes it due; empty where nothing does, or no process has the execution."""
    now = book.source.publication
    if now is None or not now.causes:
        return []
    number = book.last + 1
    text = f"frame {number} is due, because of: {_listed(book, now.causes, number)}"
    about: About = {"table": "frames", "row_id": str(number), "frame": number, "phase": Phase.SNAPSHOT}
    return [Told(book.say(text, **about), tuple(one for why in now.causes for one in _reason(book, why, number)))]


def outside(book: Book, frame: int) -> Iterator[Told]:
    """Yield the reasons of a frame that come from outside of the state and the tasks: other code, a file, a person."""
    found = book.source.frame(frame)
    if found is None:
        return
    for reason in found.reason:
        if reason.startswith(_OUTSIDE):
            yield from _from_outside(book, reason, frame)


def files_read(book: Book, component: str, frame: int, since: int = 1) -> list[Told]:
    """Return the looks at files of a component, by its path or its name, that were new from one frame up to another."""
    found: dict[str, Told] = {}
    for event in book.rows.events("file_read", frame, MOST_READS, since):
        read = json.loads(event.payload)
        if component in (read["component"], component_of(read["component"])) and read["path"] not in found:
            about: About = {"table": "events", "row_id": str(event.id), "frame": event.frame, "phase": Phase.RENDER}
            text = f"{component_of(component)} {_LOOKS[read['look']]} {read['path']} in frame {event.frame}"
            found[read["path"]] = Told(book.say(text, **about))
    return list(found.values())


def _from_outside(book: Book, reason: str, frame: int) -> Iterator[Told]:
    # The reason itself, where nothing better can be said.
    text = reason
    about: About = {"table": "frames", "row_id": str(frame), "frame": frame, "phase": Phase.SNAPSHOT}
    causes: tuple[Matter | Told, ...] = ()
    if reason == "the app was swapped":
        text = f"other code was swapped in before frame {frame}"
    elif reason.startswith("resumed"):
        text = f"the execution was {reason} before frame {frame}"
    elif reason.startswith("file "):
        text = f"{reason} before frame {frame}"
    elif reason.startswith("forked after"):
        text = f"the branch was {reason} of {book.execution.parent_id}"
        about |= {"table": "executions", "row_id": book.execution_id}
    elif reason.startswith("vol "):
        key = reason.removeprefix("vol ")
        text = f"the volatile value {key} was written in frame {frame - 1}"
        write = book.rows.maker(key, frame - 1, "vol")
        if write is not None:
            causes = (Written(book, write.id, key),)
    elif reason.endswith("was abandoned"):
        text = f"{reason}: what it had not flushed is done again"
    elif reason == "stopped by hand":
        text = f"a person had stopped what ran before frame {frame}"
    # These are roots: nothing in the file tells why a person swapped code, or what changed a file.
    yield Told(book.say(text, **about), causes)


def _reason(book: Book, reason: str, frame: int) -> Iterator[Matter | Told]:
    """Yield the facts that a frame's reason names."""
    about: About = {"table": "frames", "row_id": str(frame), "frame": frame, "phase": Phase.SNAPSHOT}
    if reason == "start":
        yield _start(book)
    elif reason.startswith(_OUTSIDE):
        yield from _from_outside(book, reason, frame)
    elif reason.startswith("state "):
        write = book.rows.maker(reason.removeprefix("state "), frame - 1)
        if write is not None:
            yield Written(book, write.id, write.key)
    elif reason.startswith("loop "):
        loop, _, what = reason.removeprefix("loop ").partition(": ")
        text = f"{book.name(loop, frame - 1)} came to {what} at the COMMIT of frame {frame - 1}"
        row: About = {"table": "loops", "row_id": loop, "frame": frame - 1, "phase": Phase.COMMIT, "node_id": loop}
        ended = [TaskEnded(book, one.task_id) for one in book.rows.settled_in(frame - 2)]
        yield Told(book.say(text, **row), tuple(ended))
    # Both "notes@1 settled" and "3 tasks settled": the tasks say which.
    elif reason.endswith("settled"):
        yield from (_settled(book, one) for one in book.rows.settled_in(frame - 1))
    elif "by hand" in reason:
        yield Told(book.say(f"a person asked for it: {reason}", **about))
    elif " was answered with " in reason:
        yield Told(book.say(f"a person answered: {reason}", **about))
    elif (task := _named(book, reason, frame)) is not None:
        yield TaskEnded(book, task.task_id)
    elif reason == "progress was reported":
        yield from _progress(book, frame)


def _settled(book: Book, task: TaskRecord) -> Matter:
    # The handler's call says what the frame before did with the end; one without a handler has only the end.
    call = book.call_of(task)
    if call is None or call.call.event == "on_progress":
        return TaskEnded(book, task.task_id)
    return Called(book, call.call.id)


def _named(book: Book, reason: str, frame: int) -> TaskRecord | None:
    """Return the task whose end a reason like ``notes succeeded`` names."""
    # The reason has the node's id, which may hold spaces: the status is the last word.
    match = re.fullmatch(r"(.+) (succeeded|failed|cancelled|abandoned)", reason)
    if match is None:
        return None
    return book.rows.newest_task(match[1], frame - 1)


def _progress(book: Book, frame: int) -> Iterator[Matter]:
    # Reports are not recorded: the calls that got them are.
    now = book.unflushed
    if now is not None and now.number == frame:
        yield from (Called(book, one.id) for one in now.handlers if one.event == "on_progress")
        return
    for one in book.rows.handlers(frame, 50):
        if one.call.frame == frame and one.call.event == "on_progress":
            yield Called(book, one.call.id)


def _start(book: Book) -> Told:
    found = book.execution
    text = f'execution "{short(found.name)}" of {short(found.app)} was made'
    about: About = {"table": "executions", "row_id": book.execution_id}
    if book.around is not None:
        outer, task = book.around
        text = f"{text}, a child of {outer.name(task.node_id, outer.last)}"
        return Told(book.say(text, **about), (TaskBegan(outer, task.task_id),))
    if found.kind == "replay":
        text += ", as a replay,"
    return Told(book.say(f"{text} by a person", **about))
