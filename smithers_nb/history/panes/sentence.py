"""The sentence: what happened last, and what the next step will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...nodes.schedule import RUNNABLE, name_of
from ...nodes.tree import TreeNode
from ...records import Frame, Phase, Write, WriteRecord
from ...records.publication import Publication
from ...records.words import count
from ..cursor import PHASES, Cursor
from ..source import Source
from .pending import line_of
from .values import excerpt_words

QUEUED = ("queued", "edited")
CHANGES = ("mounted", "unmounted", "updated", "moved")


FATES = {
    (True, True): "is never asked",
    (True, False): "is not waited for",
    (False, True): "never starts",
    (False, False): "is cancelled",
}
"""The fate of a runnable when the execution ends, by (it is an approval, it is pending)."""


def sentence(source: Source, cursor: Cursor, caller: str | None = None) -> str:
    """Return the sentence of a cursor.

    ``caller`` is the expression by which the user's code calls the execution, "" where there is none; None where the
    answers to a question can be pressed beside the sentence.
    """
    if not cursor.live:
        return _recorded(source, cursor)
    now = source.publication
    assert now is not None  # for the type checker: a cursor is live where an engine runs
    said = [_standing(source.head.name, now, caller)]
    if now.swapped is not None:
        said.insert(0, "New code is in place: this is its plan, rendered dry.")
    stopped = _stopped(now)
    if stopped:
        said.insert(0, f"{stopped}.")
    return " ".join(said)


def _stopped(now: Publication) -> str:
    if now.hit is not None:
        return f"Stopped: {now.hit.text}"
    # Other statuses have their reason in the rest of the sentence.
    reason = now.reason.rstrip(".")
    if now.status != "paused" or not reason:
        return ""
    if reason.startswith("paused"):
        return reason.capitalize()
    return f"Stopped: {reason}"


def _recorded(source: Source, cursor: Cursor) -> str:
    head, end = source.head, _end(source)
    if not cursor.frame:
        return f"A recorded execution without frames. {end}"
    return (
        f"You are at frame {cursor.frame} of {head.recorded} (recorded). Nothing executes here. "
        f"{_was(source, cursor)} {end}"
    )


def _end(source: Source) -> str:
    """Return how the execution stands now, whatever the cursor shows of it."""
    head = source.head
    if source.publication is not None:
        return f"Live: frame {head.frame}, {head.status}."
    if head.reason:
        return f"It is {head.status} ({head.reason})."
    return f"It is {head.status}."


def _was(source: Source, cursor: Cursor) -> str:
    frame = source.frame(cursor.frame)
    assert frame is not None  # for the type checker: a recorded cursor stands on a frame of the file
    changed = [f"{frame.counts[name]} {name}" for name in CHANGES if frame.counts.get(name)]
    nodes = ", ".join(changed) or "nothing in the plan changed"
    match cursor.phase:
        case Phase.SNAPSHOT:
            return f"SNAPSHOT: because of {', '.join(frame.reason[:3])}."
        case Phase.RENDER:
            return f"RENDER: {count(len(cursor.tree), 'node')}."
        case Phase.EXECUTE:
            return f"EXECUTE: {count(frame.counts.get('handlers', 0), 'handler')} fired."
        case Phase.EFFECTS:
            return f"At rest: {nodes}; {_or_nothing(frame.counts.get('writes', 0), 'pending')}."
        case Phase.FLUSH:
            return _flushed([write for write in source.writes(cursor) if write.status in ("applied", "edited")])
        case _:
            return f"{cursor.phase}: {nodes}."


def _flushed(writes: list[WriteRecord]) -> str:
    if not writes:
        return "Its FLUSH changed nothing."
    first = f"{writes[0].key} = {excerpt_words(writes[0].new)}"
    return f"Its FLUSH applied {first}{_more_writes(writes)}."


def _more_writes(writes: Sequence[object]) -> str:
    """Return how many writes there are but for the first, which is written out; "" for none."""
    if len(writes) < 2:
        return ""
    return f" and {count(len(writes) - 1, 'more write')}"


def _first_three(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    listed = ", ".join(names[:3])
    if len(names) <= 3:
        return listed
    return f"{listed} and {len(names) - 3} more"


def _or_nothing(writes: int, what: str, none: str = "nothing") -> str:
    if not writes:
        return f"{none} {what}"
    return f"{count(writes, 'write')} {what}"


def _standing(name: str, now: Publication, caller: str | None) -> str:
    frame, last = now.frame, now.recorded
    if now.over:
        return f"Frame {last} was the last: the execution is {now.status} ({now.reason})."
    if now.status == "waiting":
        return _waits(name, now, caller)
    if now.status == "stopped":
        again = _starting(now)
        if again:
            return f"Stopped after frame {last}. Step runs {again} again."
        return f"Stopped after frame {last}. Step renders frame {last + 1}."
    if frame is None and last:
        return f"Frame {last} is recorded. Step renders frame {last + 1}."
    if frame is None:
        return "No frames yet. Step renders frame 1; until then nothing is executed."
    if frame.phase is Phase.FLUSH:
        return f"Frame {frame.number} is flushed. {_next(now, frame)}"
    if frame.phase is not Phase.EFFECTS:
        following = PHASES[PHASES.index(frame.phase) + 1]
        # A first import takes seconds, and a step that seems to do nothing looks broken.
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
    how = _call(name, now.names[0], caller)
    return f"Waiting for a person: {', '.join(now.names)}. Answer with {how}."


def _call(name: str, question: str, caller: str | None) -> str:
    if caller is None:
        return "the buttons"
    called = f"answer({question!r}, …)"
    if not caller:
        return f"{called} of the execution {name!r}"
    return f"{caller}.{called}"


def _next(now: Publication, frame: Frame) -> str:
    ends = _ends(now, frame)
    following = f"renders frame {frame.number + 1}"
    if ends:
        following = "closes it"
    applies = [write for write in now.pending if write.status in QUEUED]
    if applies:
        return f"Step applies {line_of(applies[0])}{_more_writes(applies)}, and {following}.{ends}"
    if ends:
        return f"Step {following}.{ends}"
    if now.settling and frame.phase is not Phase.FLUSH:
        return f"Step settles {count(now.settling, 'task')} and {following}."
    if now.causes:
        starts, because = _starting(now), f"because of: {', '.join(now.causes[:3])}"
        if starts:
            because += f", and starts {starts}"
        return f"Step {following}, {because}."
    if now.running:
        return f"Step waits for {count(now.running, 'task')} and {following}."
    if frame.phase is Phase.FLUSH:
        return f"Step {following}."
    return "Step closes the frame: nothing is left to do."


# Tasks that a Stop cuts short are lost work: it is said before the step, while one can still wait for them.
def _ends(now: Publication, frame: Frame) -> str:
    """Return what the Stop or End, which ends the execution after this frame, cuts short; "" without one."""
    if now.ender is None:
        return ""
    end = f" The {name_of(now.ender)} ends the execution after this frame"
    lost = []
    for node in frame.tree.walk():
        how = _lost(node, now.standing)
        if how is not None:
            lost.append(f"{node.type} {node.id!r} {how}")
    if not lost:
        return f"{end}."
    return f"{end}: {_first_three(lost)}."


def _lost(node: TreeNode, standing: Mapping[str, str]) -> str | None:
    """Return the fate of a runnable when the execution ends; None where it has ended."""
    status = standing.get(node.id)
    if node.type not in RUNNABLE or status not in ("pending", "running", "blocked"):
        return None
    return FATES[node.type == "approval", status == "pending"]


def _starting(now: Publication) -> str:
    """Return the tasks that the next step starts: those that were retried, answered or interrupted; "" for none."""
    return _first_three([task.node_id for task in now.tasks if task.status == "pending"])


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
    said = [_or_nothing(waiting, "pending", none="nothing is")]
    if lost:
        said.append(f"{count(lost, 'write')} rolled back")
    if dropped:
        said.append(f"{dropped} dropped")
    return ", ".join(said)
