"""The sentence: what happened last, and what the next step will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...nodes.schedule import RUNNABLE
from ...nodes.schedule import name_of as name_of_ender
from ...nodes.tree import TreeNode
from ...records import Frame, Phase, Write, WriteRecord
from ...records.publication import Publication
from ...records.words import closed, count, listed, standing_of
from ..cursor import PHASES, Cursor
from ..names import Names, names_of
from ..source import Source
from . import protocol as p
from .did import CHANGES, changed, did, errors, raised, reasons
from .pending import line_of
from .values import excerpt_words

QUEUED = ("queued", "edited")


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
    names = names_of(source, cursor)
    if not cursor.live:
        return _recorded(source, cursor, names)
    now = source.publication
    assert now is not None  # for the type checker: a cursor is live where an engine runs
    said = [Standing(source, cursor, now, names=names, caller=caller).words()]
    if now.swapped is not None:
        said.insert(0, "New code is in place: this is its plan, rendered dry.")
    stopped = _stopped(now)
    if stopped:
        said.insert(0, closed(names.in_text(stopped)))
    return " ".join(said)


def kind_of(source: Source, cursor: Cursor) -> p.SentenceKind:
    """Return what a sentence is about: how it looks, and what can be done about it, follows from this."""
    now = source.publication
    if not cursor.live or now is None:
        if errors(source, cursor):
            return "error"
        return "rest"
    if now.status in ("failed", "stalled"):
        return "error"
    if now.status == "waiting" and now.names and not now.running:
        return "waiting"
    if now.hit is not None:
        return "hit"
    if errors(source, cursor):
        return "error"
    if now.over:
        return "over"
    return "rest"


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


def _recorded(source: Source, cursor: Cursor, names: Names) -> str:
    head, end = source.head, _end(source)
    if not cursor.frame:
        return f"A recorded execution without frames. {end}"
    return (
        f"You are at frame {cursor.frame} of {head.recorded} (recorded). Nothing executes here. "
        f"{_was(source, cursor, names)} {end}"
    )


def _end(source: Source) -> str:
    """Return how the execution stands now, whatever the cursor shows of it."""
    head = source.head
    now = source.publication
    if now is not None:
        phase = now.frame.phase if now.frame is not None else None
        return f"Live: frame {head.frame}, {standing_of(head.status, head.reason, phase)}."
    said = f"It is {standing_of(head.status, head.reason)}"
    if head.reason:
        said += f" ({head.reason})"
    return f"{said}."


def _was(source: Source, cursor: Cursor, names: Names) -> str:
    frame = source.frame(cursor.frame)
    assert frame is not None  # for the type checker: a recorded cursor stands on a frame of the file
    nodes = ", ".join(changed(frame.counts)) or "nothing in the plan changed"
    match cursor.phase:
        case Phase.SNAPSHOT:
            return f"SNAPSHOT: because of {listed(reasons(frame.reason, names))}."
        case Phase.RENDER:
            return f"RENDER: {count(len(cursor.tree), 'node')}."
        case Phase.EXECUTE:
            return f"EXECUTE: {_fired(source, cursor, names, frame.counts.get('handlers', 0))}."
        case Phase.EFFECTS:
            return closed(f"At rest: {_rested(source, cursor, names, failures=True)}")
        case Phase.FLUSH:
            return _flushed([write for write in source.writes(cursor) if write.status in ("applied", "edited")])
        case _:
            return f"{cursor.phase}: {nodes}."


def _rested(source: Source, cursor: Cursor, names: Names, *, failures: bool) -> str:
    """Return what a frame did until it came to rest, and the writes that wait in it."""
    return ", ".join([*did(source, cursor, names, failures=failures), *_waiting(source.writes(cursor))])


def _fired(source: Source, cursor: Cursor, names: Names, fired: int) -> str:
    said = f"{count(fired, 'handler')} fired"
    failed = raised(source, cursor) if fired and errors(source, cursor) else []
    if failed:
        said += f", {failed[0].event} of {names.word(failed[0].node_id)} raised"
    return said


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


class Standing:
    """The standing of a running execution: what its newest frame did, and what the next step does."""

    def __init__(self, source: Source, cursor: Cursor, now: Publication, *, names: Names, caller: str | None) -> None:
        self.source = source
        self.cursor = cursor
        self.now = now
        self.names = names
        self.caller = caller

    def words(self) -> str:
        """Return all of it, in one or two sentences."""
        now = self.now
        frame, last = now.frame, now.recorded
        if now.over:
            return self._over()
        if now.status == "waiting":
            return self._waits()
        if now.status == "stopped":
            again = self._starting()
            if again:
                return f"Stopped after frame {last}. Step runs {again} again."
            return f"Stopped after frame {last}. Step renders frame {last + 1}."
        if frame is None and last:
            return f"Frame {last} is recorded. Step renders frame {last + 1}."
        if frame is None:
            return "No frames yet. Step renders frame 1; until then nothing is executed."
        if frame.phase is Phase.FLUSH:
            return f"Frame {frame.number} is flushed. {self._next(frame)}"
        if frame.phase is not Phase.EFFECTS:
            following = PHASES[PHASES.index(frame.phase) + 1]
            # A first import takes seconds, and a step that seems to do nothing looks broken.
            if now.importing is not None:
                return f"{following} of frame {frame.number} waits for the import of {now.importing}, once in a kernel."
            done = f"{frame.phase} of frame {frame.number} is done: {self._done(frame)}."
            return f"{done} Next is {following}.{self._ends(frame)}"
        # The reason of the stop has the error, where it is one.
        told = now.hit is None and " has a problem" in now.reason
        what = _rested(self.source, self.cursor, self.names, failures=not told)
        rested = closed(f"Frame {frame.number} is at rest: {what}")
        return f"{rested} {self._next(frame)}"

    def _over(self) -> str:
        now = self.now
        how = f"is {now.status} ({now.reason})"
        if now.status == "failed":
            how = f"failed: {self.names.in_text(now.reason)}"
        if not now.recorded:
            return closed(f"The execution {how}")
        return closed(f"Frame {now.recorded} was the last: the execution {how}")

    def _waits(self) -> str:
        now = self.now
        outstanding = now.running + sum(1 for task in now.tasks if task.stalled)
        if now.stalled:
            # Not closed with a dot: it may end with the command that starts a worker, which people copy.
            return f"Waiting for {count(outstanding, 'task')}: {now.stalled}"
        if now.running and now.reason:  # A child's: it waits for a person, or for a time to try again.
            return closed(f"Waiting for {count(now.running, 'task')}: {self.names.in_text(now.reason)}")
        if now.running:
            return f"Waiting for {count(now.running, 'task')}. The next frame begins when one has ended."
        if not now.names:
            return closed(self.names.in_text(now.reason))
        how = _call(self.source.head.name, now.names[0], self.caller)
        asked = ", ".join(self.names.word(name) for name in now.names)
        return f"Waiting for a person: {asked}. Answer with {how}."

    def _next(self, frame: Frame) -> str:
        now, ends = self.now, self._ends(frame)
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
            because = f"because of: {listed(reasons(now.causes, self.names))}"
            starts = self._starting()
            if starts:
                because += f", and starts {starts}"
            return f"Step {following}, {because}."
        if outstanding := now.running + sum(1 for task in now.tasks if task.stalled):
            return f"Step waits for {count(outstanding, 'task')} and {following}."
        if frame.phase is Phase.FLUSH:
            return f"Step {following}."
        return "Step closes the frame: nothing is left to do."

    # Tasks that a Stop cuts short are lost work: it is said before the step, while one can still wait for them.
    def _ends(self, frame: Frame) -> str:
        """Return what the Stop or End, which ends the execution after this frame, cuts short; "" without one."""
        ender = self.now.ender
        if ender is None:
            return ""
        end = f" The {name_of_ender(ender)} ends the execution after this frame"
        lost = []
        for node in frame.tree.walk():
            how = _lost(node, self.now.standing)
            if how is not None:
                lost.append(f"{self.names.of(node.id)} {how}")
        if not lost:
            return f"{end}."
        return f"{end}: {listed(lost)}."

    def _starting(self) -> str:
        """Return the tasks that the next step starts: retried, answered or interrupted ones; "" for none."""
        return listed([self.names.word(task.node_id) for task in self.now.tasks if task.status == "pending"])

    def _done(self, frame: Frame) -> str:
        match frame.phase:
            case Phase.SNAPSHOT:
                return f"because of {listed(reasons(frame.reason, self.names))}"
            case Phase.RENDER:
                return count(len(frame.tree), "node")
            case Phase.RECONCILE:
                return ", ".join(changed({what: len(getattr(frame, what)) for what in CHANGES})) or "nothing changed"
            case Phase.COMMIT:
                return f"{count(self.now.starting, 'task')} to start"
            case _:
                return _fired(self.source, self.cursor, self.names, len(frame.handlers))


def _call(name: str, question: str, caller: str | None) -> str:
    if caller is None:
        return "the buttons"
    called = f"answer({question!r}, …)"
    if not caller:
        return f"{called} of the execution {name!r}"
    return f"{caller}.{called}"


def _lost(node: TreeNode, standing: Mapping[str, str]) -> str | None:
    """Return the fate of a runnable when the execution ends; None where it has ended."""
    status = standing.get(node.id)
    if node.type not in RUNNABLE or status not in ("pending", "running", "blocked"):
        return None
    return FATES[node.type == "approval", status == "pending"]


def _waiting(writes: Sequence[Write | WriteRecord]) -> list[str]:
    """Return the writes that wait for FLUSH, and those that a person or an error took back."""
    waiting = sum(1 for write in writes if write.status in QUEUED)
    lost = sum(1 for write in writes if write.status == "rolled_back")
    dropped = sum(1 for write in writes if write.status == "dropped")
    said = ["nothing is pending"]
    if waiting:
        said = [f"{count(waiting, 'write')} {'is' if waiting == 1 else 'are'} pending"]
    if lost:
        said.append(f"{count(lost, 'write')} rolled back")
    if dropped:
        said.append(f"{dropped:,} dropped")
    return said
