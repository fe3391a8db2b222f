"""A replay: the frames of an execution once more, as they were recorded. The outcome of tasks, agents and people is
taken from the file; components, handlers and effects run.

The tasks end in the frames in which they had ended, so that frame n sees the same as the recorded frame n.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from math import inf
from typing import Never, Protocol

from ..agents.cassette import Unanswered, mismatch, text_difference
from ..agents.runner import AgentReply, ApprovalRequired, RecordedAgent
from ..errors import AgentError, BudgetExceededError, ReplayMismatchError, RunError, message_of
from ..nodes.runnable import Task
from ..nodes.tree import TreeNode
from ..records import Answer, Phase, Question, Status, TaskRecord
from ..records.frame import CONCLUDED
from ..store.recorded import OutsideWrite, Recorded
from ..values import decode, opened, value_of
from .draft import Draft
from .inbox import Inbox
from .state import TaskAuthor, write_again
from .tasks.attempt import CANCELLED
from .tasks.entry import ENDED, TaskEntry
from .tasks.past import recorded_agent
from .tasks.reusing import refused_task
from .user_code.host import Host

FAILED = ("failed", "abandoned")
COMMITTED = 4
"""The number of phases that an abandoned frame had done for sure: those up to COMMIT, which writes its row."""


class ReplayedTasks(Protocol):
    """The tasks of a replay: people steer them as they were steered in the recording."""

    @property
    def open(self) -> list[TaskEntry]:
        """Tasks that are not dealt with."""

    async def answer(self, id: str, answer: Answer) -> None:
        """Answer a question."""

    async def cancel(self, node_id: str) -> None:
        """End the task of a node by hand."""

    async def retry(self, node_id: str) -> None:
        """Run the task of a node again."""

    async def handle_again(self, node_id: str) -> None:
        """Call the handler of a node again."""


class ReplayedLive(Host, Protocol):
    """The execution that follows a recording."""

    @property
    def inbox(self) -> Inbox:
        """What waits for its next frame."""

    @property
    def tasks(self) -> ReplayedTasks:
        """The tasks of its mounted nodes."""

    async def edit_pending(self, draft: Draft | None, id: str, value: object) -> None:
        """Change a pending write's value."""

    async def drop_pending(self, draft: Draft | None, id: str) -> None:
        """Discard a pending write."""


class ReplayedLoop(Protocol):
    """The loop of the execution that follows a recording."""

    over: bool

    @property
    def live(self) -> ReplayedLive:
        """The execution."""

    @property
    def draft(self) -> Draft | None:
        """The frame in the making, or the last one."""

    @property
    def standing(self) -> tuple[Status, str]:
        """Status and reason."""

    async def step(self) -> bool:
        """Go to the next rest."""

    async def phase(self) -> bool:
        """Do one phase."""

    async def run(self, max_frames: int) -> object:
        """Continue until it is over."""

    async def abandon(self) -> None:
        """Give the frame up."""

    async def apply_waiting(self) -> None:
        """Apply the writes that have come, where no frame is open."""

    def due_anyway(self, why: str) -> None:
        """Make a frame due."""


class Replaying:
    """Follows the recording of one execution."""

    def __init__(self, recorded: Recorded, live_tasks: bool) -> None:
        self.recorded = recorded
        self.live_tasks = live_tasks
        """Set if the functions of Task nodes are called."""
        self.frame: float = 0
        """The recorded frame by which a task must have ended to end now."""
        self.notes: list[str] = []
        """The steps that could not be done as they were recorded, in words."""
        self._known: dict[str, TaskRecord | None] = {}
        """The record of each task of the replay, by its id."""
        self._left: dict[str, list[TaskRecord]] = {}
        """The records that have no task in the replay yet, by node id."""
        for task in recorded.tasks:
            self._left.setdefault(task.node_id, []).append(task)
        self._mismatch: ReplayMismatchError | None = None
        self._at_rest: set[str] = set()
        """Ids of the tasks that will continue only in a later frame."""
        self._children: dict[str, Replaying] = {}
        """The recordings that children follow, by the id of their task."""
        self._news = asyncio.Event()
        """Set when a task has come to rest."""
        self._moved = asyncio.Event()
        """Set when the next frame may be made. Each frame has an event of its own: see ``_move``."""
        self._inbox: Inbox | None = None
        """The inbox of the replay, whose loop asks ``stuck`` again when it wakes."""

    # ---- the tasks ---------------------------------------------------------------------------------------------

    def record(self, task_id: str, node_id: str) -> TaskRecord | None:
        """Return the recording of a task: of the same id, else the next one of its node."""
        if task_id in self._known:
            return self._known[task_id]
        left = self._left.get(node_id, [])
        # Ids may differ: retries are numbered from 1 in each process, and the replay is one process.
        found = next((task for task in left if task.task_id == task_id), next(iter(left), None))
        if found is not None:
            left.remove(found)
        self._known[task_id] = found
        return found

    def agent(self, task_id: str, node_id: str) -> RecordedAgent:
        """Return what an agent is answered from; nothing for one that only mounts, or was not there."""
        if not task_id:
            return RecordedAgent()
        record = self.record(task_id, node_id)
        if record is None:
            return RecordedAgent()
        complete = record.status == "succeeded"
        return recorded_agent(self.recorded.reader, self.recorded.execution_id, record.task_id, complete)

    async def ran(self, entry: TaskEntry, run: Callable[[TaskEntry], Awaitable[AgentReply]]) -> AgentReply:
        """Let a task end as it had ended, when it had ended; agents and children run, with their answers recorded."""
        record = self.record(entry.task_id, entry.node.id)
        failure: Exception | None = None
        reply = AgentReply(None)
        try:
            reply = await self._outcome(entry, record, run)
        except ReplayMismatchError as error:
            # Kept, and raised between two phases: as the task's error it would go to a handler, which may treat it.
            self._mismatch = self._mismatch or error
            await self._rest(entry)
        except ApprovalRequired as asks:
            # No one had answered, and it waits again; or no one had been asked, and this is a difference.
            if record is not None and record.ended_at is not None:
                self._mismatch = self._mismatch or self._asks(entry, asks)
            await self._rest(entry)
        except Exception as error:  # noqa: BLE001  # raised again when its time has come
            failure = error
            if record is not None and record.status in FAILED:
                failure = _failure(record)
            elif record is not None and record.status != "succeeded":
                await self._rest(entry)  # It was cut off, or cancelled: when, its frame says.
        # Here, after the work: it takes a moment at any time, and only its end must come in the recorded frame.
        while self._is_early(entry, record):
            await self._waits(entry)
        if record is not None:
            entry.attempt = record.attempt
        if failure is not None:
            raise failure
        return reply

    async def _outcome(
        self, entry: TaskEntry, record: TaskRecord | None, run: Callable[[TaskEntry], Awaitable[AgentReply]]
    ) -> AgentReply:
        node = entry.node
        task = node.node
        if not isinstance(task, Task):
            if record is None:
                raise self._unknown(node)
            return await run(entry)
        if self.live_tasks and (task.repeat == "run" or not self._is_repeated(entry, record)):
            return await run(entry)
        if record is None:
            raise self._unknown(node)
        if self.live_tasks and task.repeat == "refuse":
            made = f"task {record.task_id}, {record.status}"
            raise refused_task(node, self.recorded.execution.name, made)
        before, now = self.recorded.props(record).get("args"), node.props.get("args")
        if before != now:
            raise self._other(node, "its function would be called otherwise", name="args", before=before, now=now)
        if record.result is None:
            raise Unanswered
        return AgentReply(opened(record.result, f"the recorded output of {node.id}", "record it again"))

    def _is_repeated(self, entry: TaskEntry, record: TaskRecord | None) -> bool:
        """Return whether the recorded task has called its function with the same arguments."""
        if record is None or record.started_at is None:
            return False
        return bool(self.recorded.props(record).get("args") == entry.node.props.get("args"))

    def child(self, entry: TaskEntry, child_id: Callable[[str, str], str]) -> Replaying:
        """Return what the child execution of a task follows."""
        record = self.record(entry.task_id, entry.node.id)
        if record is None:
            raise self._unknown(entry.node)
        recorded = Recorded(self.recorded.reader, child_id(self.recorded.execution_id, record.task_id))
        self._children[entry.task_id] = Replaying(recorded, self.live_tasks)
        return self._children[entry.task_id]

    async def child_ran(self, entry: TaskEntry, loop: ReplayedLoop, max_frames: int) -> str:
        """Run a child as it had run; return why it ended. One that had not ended does not."""
        replay = self._children.pop(entry.task_id)
        await replay.follow(loop, max_frames)
        self.notes += [f"child {loop.live.name}: {note}" for note in replay.notes]
        record = self.record(entry.task_id, entry.node.id)
        if not loop.over and not (record and record.ended_at is not None):
            await self._rest(entry)
        return loop.standing[1]

    def _is_early(self, entry: TaskEntry, record: TaskRecord | None) -> bool:
        """Return True if a task had not ended yet when it does here."""
        if not entry.unmounted:
            return self._due(record) > self.frame
        # The end of a task whose node is gone is settled by no frame's FLUSH, but in between: after the COMMIT of the
        # frame that is recorded, and before that of the next.
        settled_at = None
        if record is not None:
            settled_at = record.settled_at_frame
        return settled_at is not None and settled_at >= self.frame

    def _due(self, record: TaskRecord | None) -> float:
        """Return the frame that is to deal with a task's end."""
        if record is None:
            return 0
        due: float = inf
        if record.settled_at_frame is not None:
            due = record.settled_at_frame
        elif record.ended_at is not None:
            due = self.recorded.last + 1
        # A frame without a FLUSH has settled nothing, but was planned with what had ended before it.
        return min(due, self.recorded.planned_with(record))

    async def _rest(self, entry: TaskEntry) -> Never:
        """Wait until it is cancelled."""
        while True:
            await self._waits(entry)

    async def _waits(self, entry: TaskEntry) -> None:
        """Wait for the next frame."""
        self._at_rest.add(entry.task_id)
        self._news.set()
        if self._inbox is not None:
            self._inbox.wake()
        await self._moved.wait()

    # ---- the frames --------------------------------------------------------------------------------------------

    async def follow(self, loop: ReplayedLoop, max_frames: int) -> None:
        """Make the recorded frames, one after the other, and those that come after them.

        Raises:
            ReplayMismatchError: at the first node that wants what was not recorded.
            ComponentError, PlanError, PurityError: as ``run`` would.
        """
        live, recorded = loop.live, self.recorded
        self.notes += [
            f"the app was swapped after frame {frame}; the same one ran in all" for frame in recorded.swaps()
        ]
        await self._by_hand(loop, 0, late=True)
        for number, frame in recorded.frames.items():
            await self._ready(live, number)
            # Its recorded cause may be gone: a person's write is made here, where it was made, and may change nothing.
            loop.due_anyway("as recorded")
            if frame.status == "done":
                await self._frame(loop, number)
            else:
                await self._half(loop, to_rest=recorded.rested(number))
            if number == recorded.last:
                await self._conclude(loop, max_frames)
            await self._by_hand(loop, number, late=True)
            await self._again(live, number)
        self._raise()

    async def _conclude(self, loop: ReplayedLoop, max_frames: int) -> None:
        """Let it come to its own end, if it had. What people did after that has made no frame."""
        await self._ready(loop.live, self.recorded.last + 1)
        if self.recorded.execution.status in CONCLUDED:
            self.frame = inf
            self._inbox = loop.live.inbox
            self._move()
            await loop.run(max_frames)
            self._raise()

    def stuck(self, live: ReplayedLive) -> bool:
        """Return whether all that runs ends in no frame: another app may start tasks that were not recorded."""
        running = [entry.task_id for entry in live.tasks.open if entry.handle and not entry.handle.done()]
        return self.frame == inf and bool(running) and self._at_rest.issuperset(running)

    def began(self, frame: int) -> float | None:
        """Return when a frame began, in seconds since the epoch; None for one that was not recorded."""
        found = self.recorded.frames.get(frame)
        if found is None:
            return None
        return found.began_at

    async def _frame(self, loop: ReplayedLoop, number: int) -> None:
        if number == self.recorded.last:
            # What ended in between here, ended before the frame did: the execution may be over with it, which cancels
            # all that is left.
            for _ in range(COMMITTED):
                await loop.phase()
            await self._ready(loop.live, number + 0.5)
        await loop.step()
        self._raise()
        await self._by_hand(loop, number, late=False)
        if loop.draft is not None and loop.draft.ending is not None:
            # Its FLUSH cancels what runs. What the next frame has dealt with had ended before.
            await self._ready(loop.live, number + 1)
        if loop.draft is not None and loop.draft.phase is not Phase.FLUSH:
            await loop.phase()

    async def _half(self, loop: ReplayedLoop, to_rest: bool) -> None:
        """Make a frame up to COMMIT, or to its rest, and give it up: it is at rest in the recording, was abandoned, or
        its process had ended within it.
        """
        if to_rest:
            await loop.step()
        else:
            for _ in range(COMMITTED):
                await loop.phase()
        await loop.abandon()
        self._raise()
        await self._by_hand(loop, loop.live.frame, late=False)

    async def _again(self, live: ReplayedLive, frame: int) -> None:
        """Run, or handle, again those tasks that a person had run or handled again."""
        for node_id in self.recorded.retries.get(frame, ()):
            await self._tried(live.tasks.retry(node_id), f"{node_id} was run again by hand")
        for node_id in self.recorded.handled.get(frame, ()):
            await self._tried(live.tasks.handle_again(node_id), f"{node_id} was handled again by hand")

    async def _by_hand(self, loop: ReplayedLoop, frame: int, late: bool) -> None:
        """Repeat the writes of people, and of tasks whose functions are not called, and the edits of pending writes."""
        applied: set[tuple[str, str]] = set()
        for write in self.recorded.writes.get(frame, ()):
            if write.late != late or write.status == "rolled_back":
                continue
            if (write.scope, write.key) in applied:
                # It came later: together, it would have overridden the other.
                await loop.apply_waiting()
            if write.status == "applied":
                applied.add((write.scope, write.key))
            if write.scope == "vol":
                self.notes.append(f"{write.key} of vol was written by hand: it can't be read back, and was left out")
            elif write.pending:
                await self._tried(_changed(loop, write), f"the pending write of {write.key} was {write.status}")
            elif write.node_id is None or not self.live_tasks:
                author = None
                if write.node_id is not None:
                    author = TaskAuthor(write.task_id, write.node_id, write.tool_call_id)
                again = partial(write_again, key=write.key, op=write.op, value=_value(write))
                queued = loop.live.outside(again, author).writes
                if write.status in ("edited", "dropped") and queued:
                    await _changed(loop, replace(write, id=queued[-1].id))
            elif write.status in ("edited", "dropped"):
                self.notes.append(f"the pending write of {write.key} was {write.status}; now its task made it anew")

    async def _tried(self, work: Awaitable[None], what: str) -> None:
        try:
            await work
        except RunError as error:
            self.notes.append(f"{what}; now that can't be done: {error}")

    # ---- waiting -----------------------------------------------------------------------------------------------

    async def _ready(self, live: ReplayedLive, frame: float) -> None:
        """Let everything happen that frame ``frame`` saw, and wait until it has; a half means after its COMMIT."""
        self.frame = frame
        self._move()
        await self._people(live)
        while busy := self._busy(live):
            self._news.clear()
            news = asyncio.ensure_future(self._news.wait())
            await asyncio.wait({news, *busy}, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
        self._raise()

    def _move(self) -> None:
        self._at_rest.clear()
        self._moved.set()
        # A new one instead of ``clear``: tasks that wait run only later, and would find a cleared event unset again.
        self._moved = asyncio.Event()

    def _busy(self, live: ReplayedLive) -> list[asyncio.Task[None]]:
        """Return the tasks that have something to do before the next frame."""
        found = []
        for entry in live.tasks.open:
            record = self._known.get(entry.task_id)
            # A function of the user's may take until a later frame.
            taken = not self.live_tasks or entry.node.type != "task"
            waited_for = taken or (record is not None and self._due(record) <= self.frame)
            if entry.handle and not entry.handle.done() and waited_for and entry.task_id not in self._at_rest:
                found.append(entry.handle)
        return found

    async def _people(self, live: ReplayedLive) -> None:
        """Answer, and cancel, as people did before the frame that is next."""
        for entry in live.tasks.open:
            record = self.record(entry.task_id, entry.node.id)
            question = entry.questions.get(entry.task_id)
            if question is not None:
                self._same_question(entry, question, record)
            if record is None or entry.unmounted or self._due(record) > self.frame:
                continue
            if question is not None and record.result is not None:
                await live.tasks.answer(entry.task_id, Answer(decode(record.result), record.comment))
            elif record.error == CANCELLED and entry.status not in ENDED:
                await self._tried(live.tasks.cancel(entry.node.id), f"{entry.node.id} was cancelled by hand")

    def _same_question(self, entry: TaskEntry, question: Question, record: TaskRecord | None) -> None:
        """Raise unless a person is asked the recorded question."""
        asked = None
        if record is not None:
            asked = self.recorded.question(record.task_id)
        if asked is None:
            raise self._unknown(entry.node)
        # The type of a payload is not recorded: its text is compared.
        for name, one, other in (
            ("prompt", asked.prompt, question.prompt),
            ("options", asked.options, question.options),
            ("payload", asked.payload.text, question.payload.text),
        ):
            if one != other:
                raise self._other(entry.node, "a person is asked for something else", name=name, before=one, now=other)

    def _raise(self) -> None:
        if self._mismatch is not None:
            raise self._mismatch

    def _asks(self, entry: TaskEntry, asks: ApprovalRequired) -> ReplayMismatchError:
        tools = ", ".join(asked.tool for asked in asks.questions)
        why = text_difference("what people are asked", "nothing", f"whether {tools} may be called")
        turn = asks.questions[0].turn
        what = f"turn {turn}: a person is asked about a tool call"
        return mismatch(what, why, node_id=entry.node.id, source=entry.node.source, turn=turn)

    def _unknown(self, node: TreeNode) -> ReplayMismatchError:
        why = text_difference(f"the {node.type}", "nothing", f"{node.type} {node.id} starts")
        return mismatch("it did not run in the recording", why, node_id=node.id, source=node.source)

    def _other(self, node: TreeNode, what: str, *, name: str, before: object, now: object) -> ReplayMismatchError:
        difference = text_difference(f"its {name}", _as_text(before), _as_text(now))
        return mismatch(what, difference, node_id=node.id, source=node.source)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _failure(record: TaskRecord) -> Exception:
    """Return an error that is recorded as the one that ended the task."""
    name, _, words = message_of(record.error or "").partition(": ")
    if record.reason and record.reason.startswith("limit: "):
        return BudgetExceededError(words, limit=record.reason.removeprefix("limit: "))
    if not name.isidentifier():
        name = "Error"
    # A class of that name, because a handler is shown the name. Under one of ours, whose traceback is left out of what
    # users see: it leads through this file, and says nothing about the error.
    kind: type[Exception] = type(name, (AgentError,), {})
    return kind(words)


def _changed(loop: ReplayedLoop, write: OutsideWrite) -> Awaitable[None]:
    """Change or drop a pending write as a person did."""
    if write.status == "dropped":
        return loop.live.drop_pending(loop.draft, write.id)
    return loop.live.edit_pending(loop.draft, write.id, _value(write))


def _value(write: OutsideWrite) -> object:
    if write.new is None:
        return None
    return value_of(write.key, write.new)
