"""What a learner may expect of the next frame, and its outcome: both from records alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..nodes.schedule import RUNNABLE
from ..records import NEW, SKIPPED, Offer, Phase, Prediction, WriteRecord
from ..store import predictions as stored
from .cursor import Cursor
from .source import Source, last_phase

MOST = 100_000
"""The most calls, tasks and values of a frame that are looked at."""


def offer(source: Source) -> Offer:
    """Return what may be expected of the next frame: every node, handler and key, whatever will come."""
    cursor = source.cursor()
    nodes = [node for node in cursor.tree.walk() if node.type in RUNNABLE]
    _, values = source.state(cursor, MOST)
    keys = {value.key for value in values if value.scope == "state"}
    keys |= {write.key for write in source.writes(cursor) if write.scope == "state"}
    keys |= {key for _, key in source.file.reads_at(max(1, source.head.recorded))}
    return Offer(
        nodes=tuple(node.id for node in nodes),
        handlers=tuple((node.id, event) for node in nodes for event in node.events),
        keys=tuple(sorted(keys)),
    )


def wanted(source: Source, learner: str) -> int | None:
    """Return the frame of which a learner has still to say something; None while a step is free.

    A frame that has begun is free up to its rest, so that its phases can be stepped.
    """
    now, head = source.publication, source.head
    if now is None or head.over:
        return None
    if now.frame is not None and now.frame.phase not in (Phase.EFFECTS, Phase.FLUSH):
        return None
    # Asked of the file, not of the page: another stepper, or a process before this one, may have the answer.
    following = head.frame + 1
    if any(one.learner == learner for one in stored.load(source.file.reader, head.execution_id, following)):
        return None
    return following


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """What a frame did: its started nodes, fired handlers, and writes by key, the last one each."""

    started: frozenset[str]
    fired: frozenset[str]
    writes: dict[str, WriteRecord]
    flushed: bool


def frame_outcome(source: Source, frame: int) -> FrameOutcome | None:
    """Return what a frame did; None while it has not come to rest. A frame that never comes does nothing."""
    head = source.head
    if frame > head.frame:
        if not head.over:
            return None
        return FrameOutcome(frozenset(), frozenset(), {}, flushed=True)
    cursor = _at(source, frame)
    phase = Phase.FLUSH
    # Of an earlier frame nothing more comes, also where its process died before FLUSH.
    if frame == head.frame and source.publication is not None:
        phase = last_phase(source.frame(frame))
    if phase not in (Phase.EFFECTS, Phase.FLUSH):
        return None
    # COMMIT makes the task of a runnable that starts; a retry of an older one starts no node.
    started = (task.node_id for task in source.tasks(cursor, MOST) if task.mounted_at_frame == frame)
    calls = (one.call for one in source.calls(cursor, MOST))
    writes = [one for one in source.writes(cursor) if _is_own(one)]
    return FrameOutcome(
        started=frozenset(started),
        fired=frozenset(f"{one.node_id}.{one.event}" for one in calls if one.frame == frame and one.status != "stale"),
        writes={one.key: one for one in writes},
        flushed=phase is Phase.FLUSH,
    )


def _at(source: Source, frame: int) -> Cursor:
    if frame == source.head.frame and source.publication is not None:
        return source.cursor()
    return source.cursor(frame, str(Phase.FLUSH))


def _is_own(write: WriteRecord) -> bool:
    # An operator's write is a person's, and no part of the app; one that was rolled back has changed nothing.
    return write.scope == "state" and write.origin != "operator" and write.status != "rolled_back"


def scored(source: Source, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
    """Yield each prediction that the records can answer by now, with their answer."""
    given = [one for one in predictions if one.item != SKIPPED]
    for frame in sorted({one.frame for one in given}):
        facts = frame_outcome(source, frame)
        if facts is None:
            continue
        of_frame = [one for one in given if one.frame == frame]
        known = {_subject(one.item) for one in of_frame}
        for one in of_frame:
            was = _answer(source, facts, one.item, known)
            if was is not None:
                yield replace(one, was=was, right=json.loads(was) == json.loads(one.said or "null"))


def _subject(item: str) -> tuple[str, str]:
    kind, _, subject = item.partition(":")
    return kind, subject


def _answer(source: Source, facts: FrameOutcome, item: str, known: set[tuple[str, str]]) -> str | None:
    """Return the records' answer to an item as JSON; None while there is none."""
    kind, subject = _subject(item)
    if kind == "value":
        return _value(source, facts, subject)
    happened = {"starts": facts.started, "fires": facts.fired, "writes": frozenset(facts.writes)}[kind]
    if subject == NEW:
        return json.dumps(any((kind, one) not in known for one in happened))
    return json.dumps(subject in happened)


def _value(source: Source, facts: FrameOutcome, key: str) -> str | None:
    write = facts.writes.get(key)
    if write is None:
        return "null"
    # An update, and one of several writes of a key, are computed by FLUSH.
    if write.op == "update" and not facts.flushed:
        return None
    if write.new is None:
        return "null"
    if not write.new.cut or write.new.place is None:
        return write.new.text
    whole = source.whole(write.new.place)
    if whole is None:
        return write.new.text
    return whole.text


def because(facts: FrameOutcome | None, source: Source, prediction: Prediction) -> str:
    """Return the cause of an item that happened, in words; "" for one that did not."""
    kind, subject = _subject(prediction.item)
    if facts is None or prediction.was in (None, "false", "null"):
        return ""
    if kind in ("writes", "value"):
        write = facts.writes.get(subject)
        if write is None:
            return ""
        return f"{write.author}, because {write.trigger}"
    if kind == "fires":
        node, _, event = subject.rpartition(".")
        if event == "on_progress":
            return f"{node} reported progress, and {event} handles it"
        return f"{node} has ended, and {event} handles it"
    return f"it is ready to run in frame {prediction.frame}"
