"""Breakpoints: their rules, and their nearest hit in the records, for going backward and forward. Nothing executes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import get_args

from ..identity import loop_of
from ..nodes.schedule import RUNNABLE
from ..records import Breakpoint, BreakpointKind, EventRecord, Excerpt, Hit, NodeVersion, Phase
from ..records.words import short
from ..syntax.expression import Expression, ExpressionError, Facts
from ..values import readable
from .cursor import PHASES, Cursor, queued_in
from .source import Source

Place = tuple[int, int]
"""A frame, and the index of a phase."""
NAMES = ("state", "prev", "node", "frame", "writes")
NODE_EVENTS = ("mount", "start", "finished", "error", "unmount")
KEY_EVENTS = ("written", "changed", "equals")
HANDLERS = ("on_finished", "on_error", "on_progress")
MOMENTARY = frozenset({"prev", "frame", "writes"})
"""Names that stand for something new in every frame: an expression over them hits whenever it is true."""
GOOD = frozenset({"succeeded", "done", "skipped", "max_reached"})
BAD = frozenset({"failed", "cancelled", "abandoned"})
STANDING = {"start": GOOD - {"skipped"} | BAD | {"running"}, "finished": GOOD, "error": BAD}
"""The statuses that a phase, a step or a loop has from an event on, by event."""
STOOD = 500
"""The number of frames for which the standing of phases, steps and loops is computed."""
APPLIED = frozenset({"applied", "overridden", "edited"})
FRAMES = 5_000
"""The number of frames, from the newest on, for which an expression is computed."""
MOST = 100_000
"""The most recorded hits, and problems, that are looked at."""
STATE_ONLY = frozenset({"state", "prev"})


def check(point: Breakpoint) -> None:
    """Refuse a breakpoint that could never hit.

    Raises:
        ValueError: saying what is wrong, and what there is.
    """
    wanted: dict[str, Sequence[str | None]] = {
        "node": NODE_EVENTS,
        "key": KEY_EVENTS,
        "handler": (*HANDLERS, None),
    }
    if point.kind not in get_args(BreakpointKind):
        raise ValueError(
            f"there is no breakpoint on a {point.kind!r}: {', '.join(get_args(BreakpointKind))} are the kinds."
        )
    if point.event not in wanted.get(point.kind, (None,)):
        there = ", ".join(str(event) for event in wanted.get(point.kind, ()) if event) or "no event"
        raise ValueError(f"a breakpoint on a {point.kind} has {there}, not {point.event!r}.")
    if point.kind in ("node", "key") and not point.target:
        raise ValueError(f"a breakpoint on a {point.kind} needs to know which one.")
    if point.kind == "phase" and point.target not in set(Phase):
        raise ValueError(f"there is no phase {point.target!r}: {', '.join(Phase)} are the phases of a frame.")
    if point.kind in ("error", "expression") and point.target:
        raise ValueError(f"a breakpoint on an {point.kind} has no target.")
    if point.kind == "expression" and not point.when:
        raise ValueError("a breakpoint needs something to wait for: a node, a key, a handler, a phase, or when=.")
    if (point.event == "equals") != (point.value is not None):
        raise ValueError("a value goes with `equals`, and only with it.")
    if point.value is not None:
        try:
            json.loads(point.value)
        except ValueError:
            raise ValueError(f"{point.value!r} is no JSON: texts stand in double quotes.") from None
    if point.after < 1:
        raise ValueError(f"hits={point.after}: it stops from the first hit on at the earliest.")
    if point.when:
        Expression(point.when, NAMES)


def say(value: object) -> str:
    """Return a value in at most 60 characters: a single word without quotes, and None as Python has it."""
    if value is None:
        return "None"
    if isinstance(value, str) and value.isidentifier():
        return value
    return short(readable(value).text, 60)


def say_change(key: str, old: str | None, new: str) -> str:
    """Return the change of a key in words; ``old`` is None where it had no value, or None."""
    if old is None:
        return f"{key} was set to {new}"
    return f"{key} changed {old} → {new}"


def nearest(source: Source, before: Place, forward: bool) -> tuple[Hit, str | None, Place] | None:
    """Return the nearest hit before or after a place, with its time and place; None if there is none.

    A hit was recorded, or is found by the present breakpoints. A place is a frame and the index of a phase.
    """
    last = source.head.recorded
    # Recorded hits come first: they are the truth, with their time and whatever the breakpoint was then. The present
    # breakpoints, which may be newer than the frames, are only evaluated where nothing was recorded.
    found: dict[Place, tuple[Hit, str | None]] = {_place(hit): (hit, at) for hit, at in source.hits(last, MOST)}
    for point in source.breakpoints():
        if point.enabled:
            for hit in evaluated(source, point, last):
                found.setdefault(_place(hit), (hit, None))
    if forward:
        place = min((place for place in found if place > before), default=None)
    else:
        place = max((place for place in found if place < before), default=None)
    if place is None:
        return None
    hit, at = found[place]
    return hit, at, place


def place_of(cursor: Cursor) -> Place:
    """Return the place of a cursor."""
    if cursor.phase is None:
        return cursor.frame, -1
    return cursor.frame, PHASES.index(cursor.phase)


def _place(hit: Hit) -> Place:
    return hit.frame, PHASES.index(Phase(hit.phase))


def evaluated(source: Source, point: Breakpoint, last: int) -> Iterator[Hit]:
    """Yield what a breakpoint would have hit, as far as the records tell: nothing of one with a condition."""
    # A condition may name what the file does not have, as the node or volatile values, and nothing may execute here:
    # a place where it might have been true is not shown as a hit.
    if point.when and point.kind != "expression":
        return
    for frame, phase, text, node_id in _of(source, point, last):
        # Frame 0 has the writes of an app's first values, and a cursor can't stand there.
        if 1 <= frame <= last:
            yield Hit(
                breakpoint_id=point.id,
                frame=frame,
                phase=phase.value,
                text=text,
                node_id=node_id,
                log_only=point.log_only,
                stops=False,
            )


def _of(source: Source, point: Breakpoint, last: int) -> Iterable[tuple[int, Phase, str, str | None]]:
    target = point.target or ""
    match point.kind:
        case "phase":
            phase = Phase(target)
            return [
                (frame.number, phase, f"{phase} of frame {frame.number} is done", None)
                for frame in source.frame_totals(1)
                # A frame that is not done was committed: how far it came after that, the file does not tell.
                if frame.status == "done" or phase not in PHASES[4:]
            ]
        case "handler":
            return _handler(source, point)
        case "error":
            return [_error(event) for event in source.file.events("problem", last, MOST)]
        case "key":
            return _key(source, point)
        case "node":
            return _node(source, target, point.event or "")
        case _:
            return _expression(source, point)


def _handler(source: Source, point: Breakpoint) -> Iterator[tuple[int, Phase, str, str | None]]:
    for call in source.file.called(point.target, point.event):
        outcome = call.status
        if outcome == "ok":
            outcome = "was called"
        yield call.frame, Phase.EXECUTE, f"{call.event} of {call.node_id} {outcome}", call.node_id


def _error(event: EventRecord) -> tuple[int, Phase, str, str | None]:
    found = json.loads(event.payload)
    phase = Phase(found["phase"] or Phase.FLUSH)
    return event.frame, phase, f"{found['kind']}: {found['message']}", event.node_id


def _key(source: Source, point: Breakpoint) -> Iterator[tuple[int, Phase, str, str | None]]:
    writes = source.file.written(point.target or "")
    if point.event == "written":
        for write in writes:
            yield write.frame, queued_in(write.origin), f"{write.key} is written by {write.author}", write.node_id
        return
    # The engine compares a key before and after FLUSH: writes in between that cancel out are no change.
    applied = (write for write in writes if write.status in APPLIED)
    for (frame, _), together in groupby(applied, key=lambda write: (write.frame, write.scope)):
        found = list(together)
        old, new = _text(found[0].old), _text(found[-1].new)
        if old != new and (point.event == "changed" or _equal(new, point.value)):
            text = say_change(point.target or "", _said_or_none(old), _said(new))
            yield frame, Phase.FLUSH, text, found[-1].node_id


def _said_or_none(text: str | None) -> str | None:
    # A key without a value reads as None: the sentence makes no difference between the two.
    if text in (None, "null"):
        return None
    return _said(text)


def _text(value: Excerpt | None) -> str | None:
    if value is None:
        return None
    return value.text


def _equal(text: str | None, value: str | None) -> bool:
    try:
        return bool(json.loads(text or "null") == json.loads(value or "null"))
    except ValueError:  # It was cut; what is so long is looked at by its beginning only.
        return False


def _said(text: str | None) -> str:
    try:
        return say(json.loads(text or "null"))
    except ValueError:  # It was cut.
        return f"{(text or '')[:60]}…"


def _node(source: Source, id: str, event: str) -> Iterator[tuple[int, Phase, str, str | None]]:
    known = source.file.node_versions(id)
    if event in STANDING:
        if known and known[-1].type in RUNNABLE:
            yield from _task(source, known[-1].type, id, event)
        elif known:
            yield from _standing(source, id, event)
        return
    # A new version is a new mount only if type or loop differ, or the node was away in between: with other props the
    # same node continues. The last None closes a version that has ended.
    before: NodeVersion | None = None
    versions: list[NodeVersion | None] = [*known, None]
    for version in versions:
        continues = version is not None and before is not None and _continues(before, version)
        if not continues and before is not None and before.to_frame is not None and event == "unmount":
            yield before.to_frame, Phase.RECONCILE, f"{before.type} {id} was unmounted", id
        if not continues and version is not None and event == "mount":
            yield version.from_frame, Phase.RECONCILE, f"{version.type} {id} was mounted", id
        before = version


def _task(source: Source, type: str, id: str, event: str) -> Iterator[tuple[int, Phase, str, str | None]]:
    for task in source.file.tasks_of(id):
        # The frame that settled a task handles its end: a hit belongs before its handlers, and so to its first phase.
        if event == "start" and task.started_frame:
            yield task.started_frame, Phase.EXECUTE, f"{type} {id} started", id
        elif event != "start" and task.settled_at_frame and task.status in STANDING[event]:
            yield task.settled_at_frame, Phase.SNAPSHOT, f"{type} {id} {task.status}", id


def _standing(source: Source, id: str, event: str) -> Iterator[tuple[int, Phase, str, str | None]]:
    """Yield the hits on a phase, step or loop: computed for the newest frames in which a task began or settled."""
    before: str | None = None
    for frame in source.file.turns(STOOD):
        tree = source.tree(frame)
        now = source.standing_in(frame, tree).get(id)
        node = tree.index.get(id)
        if node is not None and now in STANDING[event] and before not in STANDING[event]:
            said = {"start": "started"}.get(event, now)
            yield frame, Phase.COMMIT, f"{node.type} {node.props.get('name', id)} {said}", id
        before = now


def _continues(before: NodeVersion, version: NodeVersion) -> bool:
    """Return whether a version is one of the same mount as the version before it."""
    same = (before.type, loop_of(before.path)) == (version.type, loop_of(version.path))
    return same and before.to_frame == version.from_frame


def _expression(source: Source, point: Breakpoint) -> Iterator[tuple[int, Phase, str, str | None]]:
    """Walk back through the writes, from the state as it is now."""
    condition = Expression(point.when or "", NAMES)
    # Nodes' statuses and volatile values are not in the file for every frame: such an expression has no past hits.
    if not condition.named <= STATE_ONLY:
        return
    texts, last = source.texts(), source.head.recorded
    by_frame: dict[int, list[tuple[str, str | None]]] = {}
    for replaced in source.file.replaced(max(1, last - FRAMES), last):
        by_frame.setdefault(replaced.frame, []).append((replaced.key, replaced.old))
    # Backwards, as each write has the old value: the state of a frame follows from that of the next one, and reading
    # thousands of states is not needed. A hit is where it becomes true, which is known one frame later on this way.
    later: tuple[int, bool] | None = None
    for frame in range(last, max(0, last - FRAMES), -1):
        before = texts
        if frame in by_frame:
            before = {**texts, **dict(by_frame[frame])}
        true = _true(condition, texts, before)
        if "prev" in condition.named:
            if true:
                yield frame, Phase.FLUSH, f"{point.when} is true", None
        elif later is not None and later[1] and not true:
            yield later[0], Phase.FLUSH, f"{point.when} is true", None
        later = (frame, true)
        texts = before
    if later is not None and later[1] and "prev" not in condition.named:
        yield later[0], Phase.FLUSH, f"{point.when} is true", None


def _true(condition: Expression, texts: Mapping[str, str | None], before: Mapping[str, str | None]) -> bool:
    try:
        return bool(condition.value({"state": _facts(texts), "prev": _facts(before)}))
    # One that fails, as on a key that had no value yet, does not stop a run either.
    except ExpressionError:
        return False


def _facts(texts: Mapping[str, str | None]) -> Facts:
    def look(key: str) -> object:
        return json.loads(texts.get(key) or "null")

    return Facts(look, lambda: sorted(key for key, text in texts.items() if text is not None))
