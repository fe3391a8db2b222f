"""``why_not``: what stands in the way of a node, a task, a handler, a write or a frame, outermost first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import StoreError, did_you_mean
from ...nodes.schedule import RUNNABLE
from ...records import Ghosts, Phase, WriteRecord
from ..recorded import RecordedSource
from .absence import not_in_plan
from .book import About, Book, book_of
from .explanation import Explanation
from .facts import ComponentIn, FrameMade, Matter, NodeAt, NotFired, Stands, Told, ValueAt, Written
from .frames import due
from .idle import leased, not_fired, not_started
from .targets import Target, child_named, component_path, is_id, near_ids, only_of_type, prop_facts
from .values import REPLACED, maker_of, value_words
from .why import chain_of, question_of
from .writers import would_write, writers

Reasons = Iterator[Matter | Told]


@dataclass(frozen=True, repr=False)
class WhyNot(Explanation):
    """The obstacles, outermost first; below each sentence is what caused it."""


def why_not(source: RecordedSource, asked: Target, frame: int | None, ghosts: Ghosts | None) -> WhyNot:
    """Return what stands in the way of a target; ``ghosts`` are the nodes that the code can return, where it is known.

    Nothing is refused for want of a name: that there is none of it is a reason, too.
    """
    with source.together():
        reasons = in_the_way_of(source, asked, frame, ghosts)
        return WhyNot(question_of("why not", asked, frame), chain_of(reasons, source.told))


def in_the_way_of(
    source: RecordedSource, asked: Target, frame: int | None, ghosts: Ghosts | None
) -> list[Matter | Told]:
    """Return the facts that stand in the way of a target, as ``why_not`` tells them."""
    return list(_reasons(book_of(source), asked, frame, ghosts))


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
        yield not_fired(NotFired(book, id, event, at), ghosts)
    elif (known := book.node(asked, at)) is not None:
        yield from not_started(book, asked, known.node.type, at)
    elif is_id(asked) and (found := list(_of_id(book, asked, at))):
        yield from found
    elif (path := component_path(book, asked, at)) is not None:
        yield ComponentIn(book, path, at)
    elif dot and book.rows.last_node(id, at) is not None:
        yield from _prop(book, id, event, at)
    elif (inner := child_named(book, asked)) is not None:
        yield from _reasons(*inner, None, None)
    elif not _could_be(book, asked, at, ghosts) and _is_key(book, asked):
        yield from _not_written(book, asked, frame)
    elif (only := only_of_type(book, asked, at)) is not None:
        # Another node than one with a task has nothing to wait for: it is told why it is there.
        if asked in RUNNABLE:
            yield from _reasons(book, only, frame, ghosts)
        else:
            yield NodeAt(book, only, at)
    else:
        yield from not_in_plan(book, asked, at, ghosts)


def _prop(book: Book, id: str, prop: str, at: int) -> Reasons:
    """Yield a prop as it is: nothing stands in its way, and what made it tells why it is no other."""
    try:
        yield from prop_facts(book, id, prop, at)
    except StoreError as none:
        yield Told(book.say(str(none), frame=at, node_id=id))


def _of_id(book: Book, asked: str, at: int) -> Reasons:
    """Yield the fate of a write or a task by its id, or that nothing has this id."""
    if "@" in asked:
        task = book.task(asked)
        if task is not None:
            yield from not_started(book, task.node_id, next(iter(RUNNABLE)), at)
    elif (write := book.write(asked)) is not None:
        yield from _fate(book, write)
    elif (near := near_ids(book, asked)) and book.rows.last_node(asked, at) is None:
        yield Told(book.say(f"nothing has the id {asked}.{near}", evidence="recorded"))


def _could_be(book: Book, asked: str, at: int, ghosts: Ghosts | None) -> bool:
    return book.rows.last_node(asked, at) is not None or (ghosts is not None and bool(ghosts.named(asked)))


def _is_key(book: Book, asked: str) -> bool:
    # A key that only a handler names is one, too: nothing has written it yet.
    known = asked in book.rows.known_keys() or any(one.key == asked for one in book.pending)
    return known or any(True for _ in writers(book, asked))


# ---- frames ------------------------------------------------------------------------------------------------------


def _no_frame(book: Book, number: int | None) -> Reasons:
    if number is not None and 1 <= number <= book.last:
        yield FrameMade(book, number)
        return
    if number is None:
        number = book.last + 1
    coming = due(book)
    why = "nothing has made it due yet"
    if book.source.head.over:
        why, coming = "the execution is over", []
    elif coming:
        why = "the next one is due"
    elif (now := book.unflushed) is not None and now.number > book.last:
        why = f"frame {now.number} is open after its {now.phase}: its plan is not committed yet"
    about: About = {"table": "executions", "row_id": book.execution_id}
    text = f"frame {number} was not made: the last frame is {book.last}, and {why}"
    yield Told(book.say(text, **about), (*leased(book), *coming, Stands(book)))


# ---- writes ------------------------------------------------------------------------------------------------------


def _not_written(book: Book, key: str, frame: int | None) -> Reasons:
    """Yield why a write of a key is not in the state, or why there is none."""
    reads = frame or book.reads
    waiting = [one for one in book.pending if one.key == key and one.scope == "state"]
    if waiting and frame is None:
        yield from (Written(book, one.id, key) for one in waiting)
        return
    last = book.rows.last_written(key, reads - 1)
    if not last:
        about: About = {"table": "state", "row_id": key, "frame": reads}
        hint = did_you_mean(key, [one for one in book.rows.known_keys() if one != key])
        found = list(would_write(book, key, reads))
        yield Told(book.say(f"nothing has written {key}.{hint}", **about), tuple(found))
        if not found and book.source.publication is None:
            yield Told(book.say("which handlers would write it is not known without their code", evidence=None))
        return
    # Of the last frame that wrote it, all writes: the one that was asked for may have lost to a later one.
    for one in last:
        if one.status not in ("applied", "edited"):
            yield from _fate(book, one)
    if book.rows.value(key, reads) is not None or any(one.op == "delete" for one in last):
        yield ValueAt(book, key, reads)
        yield from _before(book, key, reads)


def _before(book: Book, key: str, reads: int) -> Reasons:
    """Yield the write before the one that made a value: it may be the one that is missed."""
    now = book.rows.value(key, reads)
    if now is None or (was := book.rows.value(key, now.since - 1)) is None:
        return
    text = f"{key} was {value_words(was.value)} before, from frame {was.since} to {now.since - 1}"
    about: About = {"table": "state", "row_id": key, "frame": was.since}
    yield Told(book.say(text, **about), (maker_of(book, key, was.since),))


def _fate(book: Book, write: WriteRecord) -> Reasons:
    """Yield the fate of a write."""
    id, key = write.id, write.key
    if write.status in REPLACED:
        # Its own sentence says what a person did with it.
        yield Written(book, id, key)
        return
    words = {
        "noop": "changed nothing: the value was the same",
        "rolled_back": "was rolled back",
        "overridden": "was overridden in its own frame",
        "queued": "is still pending: the FLUSH of its frame applies it",
    }
    text = words.get(write.status, "is in the state")
    about: About = {"table": "transitions", "row_id": id, "frame": write.frame, "phase": Phase.FLUSH}
    if write.status == "applied" and (later := book.rows.next_maker(key, write.frame)) is not None:
        text = f"was in the state from frame {write.frame + 1} to {later.frame}: a later write replaced it"
        yield Told(book.say(f"write {id} of {key} {text}", **about), (Written(book, later.id, key),))
        return
    yield Told(book.say(f"write {id} of {key} {text}", **about), (Written(book, id, key),))
