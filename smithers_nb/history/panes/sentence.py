"""The sentence: what happened last, and what the next step will do."""

from __future__ import annotations

from collections.abc import Mapping

from ...nodes.schedule import RUNNABLE, name_of
from ...nodes.tree import TreeNode
from ...records import Frame, Phase, Write
from ...records.publication import Publication
from ...records.words import count, short
from ..cursor import PHASES, Cursor
from ..source import Source
from .pending import line_of

QUEUED = ("queued", "edited")
CHANGES = ("mounted", "unmounted", "updated", "moved")


def sentence(source: Source, cursor: Cursor, caller: str | None = None) -> str:
    """Return the sentence of a cursor.

    ``caller`` is the expression by which the user's code calls the execution, "" where there is none; None where the
    answers to a question can be pressed beside the sentence.
    """
    if not cursor.live:
        return _recorded(source, cursor)
    now = source.publication
    assert now is not None  # for the type checker: a cursor is live where an engine runs
    stopped = f"{why}. " if (why := _stopped(now)) else ""
    swapped = "New code is in place: this is its plan, rendered dry. " if now.swapped is not None else ""
    return stopped + swapped + _standing(source.head.name, now, caller)


def _stopped(now: Publication) -> str:
    if now.hit is not None:
        return f"Stopped: {now.hit.text}"
    reason = now.reason.rstrip(".") if now.status == "paused" else ""
    return f"Stopped: {reason}" if reason and not reason.startswith("paused") else reason.capitalize()


def _recorded(source: Source, cursor: Cursor) -> str:
    head = source.head
    if source.publication is None:
        end = f"It is {head.status}{f' ({head.reason})' if head.reason else ''}."
    else:
        end = f"Live: frame {head.frame}, {head.status}."
    if not cursor.frame:
        return f"A recorded execution without frames. {end}"
    return (
        f"You are at frame {cursor.frame} of {head.recorded} (recorded). Nothing executes here. "
        f"{_was(source, cursor)} {end}"
    )


def _was(source: Source, cursor: Cursor) -> str:
    frame = source.frame(cursor.frame)
    counts = frame.counts if frame else {}
    if cursor.phase is Phase.FLUSH:
        writes = [write for write in source.writes(cursor) if write.status in ("applied", "edited")]
        if not writes:
            return "Its FLUSH changed nothing."
        first = f"{writes[0].key} = {short(writes[0].new.text, 60) if writes[0].new else 'nothing'}"
        more = f" and {count(len(writes) - 1, 'more write')}" if len(writes) > 1 else ""
        return f"Its FLUSH applied {first}{more}."
    if cursor.phase is Phase.SNAPSHOT:
        return f"SNAPSHOT: because of {', '.join(frame.reason[:3]) if frame else 'nothing'}."
    if cursor.phase is Phase.RENDER:
        return f"RENDER: {count(len(cursor.tree), 'node')}."
    changed = [f"{counts[name]} {name}" for name in CHANGES if counts.get(name)]
    nodes = ", ".join(changed) if changed else "nothing in the plan changed"
    if cursor.phase is Phase.EXECUTE:
        return f"EXECUTE: {count(counts.get('handlers', 0), 'handler')} fired."
    if cursor.phase is Phase.EFFECTS:
        pending = f"{count(counts['writes'], 'write')} pending" if counts.get("writes") else "nothing pending"
        return f"At rest: {nodes}; {pending}."
    return f"{cursor.phase}: {nodes}."


def _standing(name: str, now: Publication, caller: str | None) -> str:
    frame, last = now.frame, now.recorded
    if now.over:
        return f"Frame {last} was the last: the execution is {now.status} ({now.reason})."
    if now.status == "waiting":
        return _waits(name, now, caller)
    if now.status == "stopped":
        return f"Stopped after frame {last}. Step {_starts(now, 'runs', ' again') or f'renders frame {last + 1}'}."
    if frame is None and last:
        return f"Frame {last} is recorded. Step renders frame {last + 1}."
    if frame is None:
        return "No frames yet. Step renders frame 1; until then nothing is executed."
    if frame.phase is Phase.FLUSH:
        return f"Frame {frame.number} is flushed. {_next(now, frame)}"
    if frame.phase is not Phase.EFFECTS:
        following = PHASES[PHASES.index(frame.phase) + 1]
        if now.importing is not None:
            return f"{following} of frame {frame.number} waits for the import of {now.importing}, once in a kernel."
        done = f"{frame.phase} of frame {frame.number} is done: {_done(now, frame)}."
        return f"{done} Next is {following}.{_ends(now, frame)}"
    return f"Frame {frame.number} is at rest: {_rest(now.pending)}. {_next(now, frame)}"


def _waits(name: str, now: Publication, caller: str | None) -> str:
    if now.running:
        return f"Waiting for {count(now.running, 'task')}. The next frame begins when one has ended."
    if not now.names:
        return f"{now.reason}."
    how = "the buttons" if caller is None else _call(name, now.names[0], caller)
    return f"Waiting for a person: {', '.join(now.names)}. Answer with {how}."


def _call(name: str, question: str, caller: str) -> str:
    called = f"answer({question!r}, …)"
    return f"{caller}.{called}" if caller else f"{called} of the execution {name!r}"


def _next(now: Publication, frame: Frame) -> str:
    ends = _ends(now, frame)
    following = "closes it" if ends else f"renders frame {frame.number + 1}"
    applies = [write for write in now.pending if write.status in QUEUED]
    if applies:
        more = f" and {count(len(applies) - 1, 'more write')}" if len(applies) > 1 else ""
        return f"Step applies {line_of(applies[0])}{more}, and {following}.{ends}"
    if ends:
        return f"Step {following}.{ends}"
    if now.settling and frame.phase is not Phase.FLUSH:
        return f"Step settles {count(now.settling, 'task')} and {following}."
    if now.causes:
        return f"Step {following}, because of: {', '.join(now.causes[:3])}{_starts(now, ', and starts', '')}."
    if now.running:
        return f"Step waits for {count(now.running, 'task')} and {following}."
    if frame.phase is Phase.FLUSH:
        return f"Step {following}."
    return "Step closes the frame: nothing is left to do."


def _ends(now: Publication, frame: Frame) -> str:
    """Return what the Stop or End, which ends the execution after this frame, cuts short; "" without one."""
    if now.ender is None:
        return ""
    lost = [f"{node.type} {node.id!r} {how}" for node in frame.tree.walk() if (how := _lost(node, now.standing))]
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    what = f": {', '.join(lost[:3])}{more}" if lost else ""
    return f" The {name_of(now.ender)} ends the execution after this frame{what}."


def _lost(node: TreeNode, standing: Mapping[str, str]) -> str | None:
    """Return the fate of a runnable when the execution ends; None where it has ended."""
    status = standing.get(node.id)
    if node.type not in RUNNABLE or status not in ("pending", "running", "blocked"):
        return None
    if node.type == "approval":
        return "is never asked" if status == "pending" else "is not waited for"
    return "never starts" if status == "pending" else "is cancelled"


def _starts(now: Publication, verb: str, after: str) -> str:
    """Return which tasks the next step starts: those that were retried, answered or interrupted."""
    names = [task.node_id for task in now.tasks if task.status == "pending"]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{verb} {', '.join(names[:3])}{more}{after}" if names else ""


def _done(now: Publication, frame: Frame) -> str:
    match frame.phase:
        case Phase.SNAPSHOT:
            return f"because of {', '.join(frame.reason[:3])}"
        case Phase.RENDER:
            return count(len(frame.tree), "node")
        case Phase.RECONCILE:
            counts = {what: len(getattr(frame, what)) for what in CHANGES}
            return ", ".join(f"{number} {what}" for what, number in counts.items() if number) or "nothing changed"
        case Phase.COMMIT:
            return f"{count(now.starting, 'task')} to start"
        case _:
            return f"{count(len(frame.handlers), 'handler')} fired"


def _rest(pending: tuple[Write, ...]) -> str:
    waiting = sum(1 for write in pending if write.status in QUEUED)
    lost = sum(1 for write in pending if write.status == "rolled_back")
    dropped = len(pending) - waiting - lost
    back = (f", {count(lost, 'write')} rolled back" if lost else "") + (f", {dropped} dropped" if dropped else "")
    return (f"{count(waiting, 'write')} pending" if waiting else "nothing is pending") + back
