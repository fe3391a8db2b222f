"""The tasks of an execution: started, recorded, and never silently lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from time import perf_counter, time
from typing import Any, Protocol

from ...agents.runner import AgentReply, ApprovalRequired, RetryLater
from ...errors import AgentError, BudgetExceededError, RunError, StoreError, said, traceback_of
from ...nodes.runnable import Approval, Smithers, Task
from ...records import HandlerCall, Status, TaskEnd, TaskResult, TaskStart, TaskStatus
from ...store import calls, writer
from ...store.connection import uncancelled
from ...threads import after_fork
from ...user_code import awaited, guarded, raised_by
from ...values import Stored
from ..committed import Committed
from ..inbox import Inbox
from ..services import Services
from ..user_code.output import Printed, heard
from ..user_code.scope import TaskScope, entered
from . import questions
from .agents import TaskLedger, agent_task, past_of
from .attempt import CANCELLED, call, in_thread, stored, text, timed
from .table import ENDED, TaskEntry


class Child(Protocol):
    """A child execution, as its parent's tasks see it."""

    @property
    def status(self) -> Status:
        """Its status."""

    @property
    def live(self) -> ChildLive:
        """What it holds in memory."""


class ChildLive(Protocol):
    """What a child execution holds in memory, as its parent's tasks see it."""

    @property
    def tasks(self) -> Tasks:
        """Its tasks."""


logger = logging.getLogger(__name__)

MAX_THREADS = 1000
"""How many sync functions of an execution run at a time, each in a thread of its own; further tasks stay pending. A
thread that waits takes about 25 KB and 0.3 ms to start; what timed out or was cancelled is not counted."""


class Tasks(Mapping[str, TaskEntry]):
    """The tasks of the mounted nodes by node id, and those that outlive their node for a while."""

    def __init__(
        self,
        services: Services,
        inbox: Inbox,
        printed: Printed,
        committed: Committed,
        run_child: Callable[[TaskEntry, Smithers], Awaitable[Any]],  # Any: the value of its End
    ) -> None:
        self._services = services
        self._inbox = inbox
        self._printed = printed
        self.committed = committed
        """What COMMIT and FLUSH left last."""
        self._run_child = run_child
        self._mounted: dict[str, TaskEntry] = {}
        self._open: dict[str, TaskEntry] = {}
        """By task id: all that are not settled, of mounted nodes and of those that are gone."""
        self.children: dict[str, Child] = {}
        """Child executions under way, by node id."""
        self._retries = count(1)
        self.version = 0
        """Grows with each change that can make it another node's turn."""

    def __getitem__(self, node_id: str) -> TaskEntry:
        return self._mounted[node_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mounted)

    def __len__(self) -> int:
        return len(self._mounted)

    def add(self, entry: TaskEntry) -> None:
        """Add the task of a node that has none, or replace a settled one."""
        self.version += 1
        self._mounted[entry.node.id] = entry
        if not entry.settled:
            self._open[entry.task_id] = entry

    def unmount(self, node_id: str) -> None:
        """The node is gone: EXECUTE cancels its task, and what it still returns is stale."""
        self.version += 1
        if entry := self._mounted.pop(node_id, None):
            entry.unmounted = True

    def settle(self, task_id: str) -> None:
        """The task is dealt with."""
        self.version += 1
        self._services.stream.tails.pop(task_id, None)
        if entry := self._open.pop(task_id, None):
            entry.settled = True

    def changed(self) -> None:
        """A child, or a task of one, has moved: the loop looks again, and so does everyone who observes this one."""
        self._inbox.wake()
        self._services.observers.notify()

    @property
    def execution_id(self) -> str:
        """The id of the execution."""
        return self._services.execution_id

    @property
    def below(self) -> dict[str, questions.Asking]:
        """The tasks of child executions, by node id. A copy: other threads look here."""
        return {node_id: child.live.tasks for node_id, child in list(self.children.items())}

    @property
    def unsettled(self) -> list[TaskEntry]:
        """Tasks that have ended and were not dealt with yet, in no order."""
        return [entry for entry in self.open if entry.status in ENDED]

    @property
    def open(self) -> list[TaskEntry]:
        """Tasks that are not dealt with. A copy: other threads look here while the engine adds and settles."""
        return list(self._open.values())

    @property
    def running(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that are under way."""
        return [entry for entry in self.open if entry.status == "running" and not entry.unmounted]

    @property
    def reporting(self) -> list[TaskEntry]:
        """Running tasks of mounted nodes whose report no handler has got yet."""
        return [entry for entry in self.running if entry.task_id in self._inbox.progress]

    @property
    def asking(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that wait for a person."""
        return [entry for entry in self.open if entry.questions and not entry.unmounted]

    @property
    def sleeping(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that wait until they may try again, those of children too; the next one first."""
        own = [entry for entry in self.open if entry.retry_at is not None and not entry.unmounted]
        inner = [entry for child in list(self.children.values()) for entry in child.live.tasks.sleeping]
        return sorted([*own, *inner], key=lambda entry: entry.retry_at or 0.0)

    @property
    def waits_for_people(self) -> bool:
        """Whether nothing but a person's answer can bring this on, here or in a child."""
        left = self._left
        return bool(left) and all(entry.questions or self._child(entry, "waits_for_people") for entry in left)

    @property
    def waits(self) -> bool:
        """Whether nothing is under way: all that is left waits for people, or for a time to try again."""
        left = self._left
        return bool(left) and all(entry.status == "blocked" or self._child(entry, "waits") for entry in left)

    @property
    def _left(self) -> list[TaskEntry]:
        return [entry for entry in self.open if not entry.unmounted or entry.status in ENDED]

    def _child(self, entry: TaskEntry, what: str) -> bool:
        child = self.children.get(entry.node.id)
        return child is not None and child.status == "waiting" and bool(getattr(child.live.tasks, what))

    @property
    def questions(self) -> list[str]:
        """By which ids people can answer what is asked, in children too."""
        return questions.shortest(questions.waiting(self))

    @property
    def outstanding(self) -> bool:
        """Whether a mounted node's task is to start, under way, or to be dealt with."""
        return any(not entry.unmounted or entry.status in ENDED for entry in self._open.values())

    # ---- starting and ending -----------------------------------------------------------------------------------

    async def start_pending(self) -> None:
        """Acquire and start every task that waits, in one transaction for all of them; but no more agents, and no more
        functions in threads, than may run.
        """
        room = self._services.max_agents - sum(entry.is_agent for entry in self.running)
        full = self._threads_are_full()
        waiting = {}
        for id, entry in self._open.items():
            if entry.status == "pending" and not entry.unmounted:
                room -= entry.is_agent
                if (room >= 0 or not entry.is_agent) and not full(entry):
                    waiting[id] = entry
            elif entry.retry_at is not None and entry.handle is None and not entry.unmounted:
                # It was blocked when its process ended, or when it was stopped.
                entry.node = self.committed.tree.index.get(entry.node.id, entry.node)
                self._go(entry)
        if waiting:
            # A cancellation in between would leave rows that say running, and nothing that runs.
            await uncancelled(self._start(waiting))

    def _threads_are_full(self) -> Callable[[TaskEntry], bool]:
        """Return a function that says whether a task has to wait because too many functions run in threads."""
        if len(self._open) <= MAX_THREADS:
            return lambda _: False
        room = MAX_THREADS - sum(in_thread(entry.node.node) for entry in self.running)

        def full(entry: TaskEntry) -> bool:
            nonlocal room
            if not in_thread(self.committed.tree.index.get(entry.node.id, entry.node).node):
                return False
            room -= 1
            return room < 0

        return full

    async def _start(self, waiting: dict[str, TaskEntry]) -> None:
        ours = await self._services.database.transaction(
            writer.start_tasks, self._services.execution_id, list(waiting), self._services.lease
        )
        for task_id, entry in waiting.items():
            # With the props of the frame in which it starts; after a restart, with the node itself.
            entry.node = self.committed.tree.index.get(entry.node.id, entry.node)
            if task_id not in ours:
                logger.warning("task %s is not ours to run: its row says who has it", task_id)
                continue
            self.version += 1
            entry.cut_off = entry.attempt > 0 and not entry.answered
            entry.attempt += not entry.answered
            entry.waited, entry.answered = entry.waited or entry.answered, False
            if isinstance(entry.node.node, Approval):
                await self._ask(entry, entry.node.node)
                continue
            entry.status = "running"
            self._go(entry)
        # A task that is cancelled before its first step would end without a record.
        await asyncio.sleep(0)

    def _go(self, entry: TaskEntry) -> None:
        run = self._run(entry)
        entry.handle = kept(asyncio.get_running_loop().create_task(run, name=f"smithers {entry.task_id}"))

    async def cancel_leaving(self) -> None:
        """Cancel the tasks whose node is gone. A sync function in its thread can't be; its result will be stale."""
        for entry in [entry for entry in self._open.values() if entry.unmounted]:
            if entry.handle is None and entry.status in ("pending", "blocked"):
                entry.status = "cancelled"
                await self._record(entry, _end_by_hand(entry, reason="its node is gone"))
            elif entry.handle is not None and not in_thread(entry.node.node):
                entry.handle.cancel()

    async def _ask(self, entry: TaskEntry, approval: Approval) -> None:
        """Put the question where a person finds it; the task waits for the answer."""
        question = questions.of_node(entry, approval)
        await self._services.database.transaction(writer.ask, self._services.execution_id, question)
        entry.status, entry.questions = "blocked", {question.approval_id: question}

    async def _ask_about_tools(self, entry: TaskEntry, asks: ApprovalRequired) -> None:
        """Put an agent's questions where people find them; it is started again when all of them are answered."""
        found = questions.of_tools(entry, asks)
        asked = await self._services.database.transaction(
            writer.ask_about_tools, self._services.execution_id, found, entry.late
        )
        entry.late.clear()
        entry.questions = {question.approval_id: question for question in asked}
        entry.handle = None
        self._blocked(entry)

    async def answer(self, id: str, choice: str, comment: str | None) -> None:
        """Answer a question by its id or its node's. An approval's task ends with the choice; one whose process had
        ended is run again, or fails; an agent goes on when all that it asked is answered.

        Raises:
            ApprovalError: if none of that id waits, or it does not offer the choice.
        """
        entry, question = questions.find(self.asking, id, choice)
        end = questions.end_by_answer(entry, question, choice, comment)
        del entry.questions[question.approval_id]  # Nobody else answers it meanwhile.
        try:
            await self._services.database.transaction(
                writer.answer, self._services.execution_id, question, choice, comment, end
            )
        except BaseException:
            entry.questions[question.approval_id] = question
            raise
        if end is not None:
            self.ended(end)
        elif entry.questions:
            self._services.observers.notify()
        else:
            self.version += 1
            entry.status, entry.answered = "pending", question.tool_call_id is not None
            goes = "goes on" if entry.answered else "is run again"
            self._inbox.cause(f"{entry.node.id} {goes}: {question.kind} was answered with {choice}")

    async def cancel(self, node_id: str) -> None:
        """End the task of a node by hand; its ``on_error`` gets the result, if it has one.

        Raises:
            RunError: if nothing of that node is under way.
        """
        self._services.refuse_when_closed()
        entry = self._mounted.get(node_id)
        if entry is None or entry.status not in ("pending", "running", "blocked"):
            raise RunError(f"nothing of node {node_id!r} is under way that could be cancelled.", node_id=node_id)
        if (handle := entry.handle) is not None and not in_thread(entry.node.node):
            entry.cancelled = True
            handle.cancel()
            await asyncio.wait({handle})
            if not entry.questions:  # Else it had just asked, and was not under way any more.
                return
        entry.scope.closed = True
        usage, cost_usd = entry.used()
        entry.result = TaskResult(
            node_id, entry.task_id, "cancelled", None, CANCELLED, CANCELLED, entry.attempt, usage, cost_usd, 0.0
        )
        await self._record(entry, _end_by_hand(entry, error=CANCELLED))

    async def retry(self, node_id: str) -> None:
        """Run the task of a node again, as a new task with the node's present props. One that waits to try again waits
        no more.

        Raises:
            RunError: if the node has no task that has ended and was dealt with.
        """
        self._services.refuse_when_closed()
        entry = self._mounted.get(node_id)
        if entry is not None and entry.retry_at is not None:
            entry.hurry.set()
            return
        if entry is None or not entry.settled:
            raise RunError(f"node {node_id!r} has no task that has ended: there is nothing to retry.", node_id=node_id)
        node = self.committed.tree.index[node_id]
        again = TaskEntry(f"{node_id}@{self.committed.frame}r{next(self._retries)}", node)
        start = TaskStart(again.task_id, node_id, again.max_attempts)
        await self._services.database.transaction(
            writer.add_tasks, self._services.execution_id, [start], self.committed.frame
        )
        self.add(again)
        self._inbox.cause(f"{node_id} is run again by hand")

    async def cancel_all(self) -> None:
        """Cancel everything that has not ended: the execution is over."""
        for entry in [entry for entry in self._open.values() if entry.status not in ENDED]:
            if (handle := entry.handle) is not None:
                entry.cancelled = True
                handle.cancel()
                await asyncio.wait({handle})
            if handle is None or entry.questions:
                await self.cancel(entry.node.id)
        for entry in self.unsettled:
            self.settle(entry.task_id)

    async def interrupt(self) -> None:
        """End everything that is running, to be run again later; their rows go back to pending."""
        running = [entry for entry in self._open.values() if entry.handle is not None and not entry.unmounted]
        running = [entry for entry in running if entry.status in ("running", "blocked")]
        for entry in running:
            entry.interrupted = True
            entry.scope.closed = True
            if entry.handle is not None:
                entry.handle.cancel()
        # Those that were cancelled because their node is gone end with a record, too; a thread can't be waited for.
        await self.cancel_leaving()
        leaving = [one for one in self._open.values() if one.unmounted and not in_thread(one.node.node)]
        ending = [entry.handle for entry in [*running, *leaving] if entry.handle]
        await asyncio.gather(*ending, return_exceptions=True)
        if running:
            ids = [entry.task_id for entry in running]
            await self._services.database.transaction(
                writer.release_tasks, self._services.execution_id, ids, "interrupted"
            )
        for entry in running:
            if entry.status in ("running", "blocked"):
                entry.status = "pending" if entry.status == "running" else "blocked"
                entry.interrupted, entry.handle = False, None
                entry.scope = TaskScope(entry.node.id, entry.task_id)

    async def _run(self, entry: TaskEntry) -> None:
        """Run a task to its end, and record it, whatever that is."""
        started = perf_counter()
        value: Stored | None = None
        reply = AgentReply(None)
        status: TaskStatus = "succeeded"
        message: str | None = None
        trace: str | None = None
        reason: str | None = None
        try:
            replay = self._services.replay
            found = await (replay.ran(entry, self._attempts) if replay else self._through_waits(entry))
            if found is None:
                return  # People are asked, and it is started again.
            reply = found
            value = guarded(stored, entry, reply.output)
            entry.lost = entry.scope.lost_changes(value)
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001  # it goes to on_error
            # What user code raises itself comes as a UserCodeError.
            ours = isinstance(raised, asyncio.CancelledError)
            if ours and entry.interrupted:
                return
            if ours and (entry.unmounted or entry.cancelled):
                status, message = "cancelled", "its node is no longer in the plan" if entry.unmounted else CANCELLED
            else:
                error = raised_by(raised)
                status, message = "failed", said(error)
                # An error in our own words says all; the way through the libraries does not.
                trace = None if isinstance(error, AgentError) else traceback_of(error)
                reason = f"limit: {error.limit}" if isinstance(error, BudgetExceededError) else None
        entry.scope.closed = True
        if self._services.closed or entry.status in ENDED:
            return  # A thread that went on although its task was cancelled, or everything closed.
        entry.retry_at = None
        with suppress(asyncio.CancelledError):  # It has ended: a cancellation comes too late, and its end is recorded.
            await self._services.stream.written()
        usage, cost_usd = entry.used()
        entry.result = TaskResult(
            node_id=entry.node.id,
            task_id=entry.task_id,
            status=status,
            output=reply.output if value else None,
            text=text(reply.output, value) if value else message or "",
            error=message,
            attempts=entry.attempt,
            usage=usage,
            cost_usd=cost_usd,
            duration_s=perf_counter() - started,
        )
        end = TaskEnd(
            entry.task_id, status, entry.attempt, value, trace or message, reason, usage, cost_usd, tuple(entry.late)
        )
        if not self._inbox.ends_with_flush(end):
            try:
                await self._record(entry, end)
            except StoreError:
                logger.warning("the end of task %s could not be stored yet: the next FLUSH tries again", end.task_id)
                self._inbox.end_later(end)

    async def _record(self, entry: TaskEntry, end: TaskEnd) -> None:
        stale = stale_call(self.committed.frame, entry, end.status) if entry.unmounted else None
        settled = self.committed.frame if entry.unmounted else None
        await self._services.database.transaction(writer.end_task, self._services.execution_id, end, stale, settled)
        if entry.unmounted:
            self.settle(entry.task_id)
        self.ended(end)

    def ended(self, end: TaskEnd) -> None:
        """A task's end is in the store: the next frame deals with it."""
        self._inbox.progress.pop(end.task_id, None)
        if (entry := self._open.get(end.task_id)) and entry.result:
            self.version += 1
            entry.status, entry.questions = entry.result.status, {}
            self._inbox.cause(f"{entry.node.id} {end.status}")
        self._services.observers.notify()

    async def _through_waits(self, entry: TaskEntry) -> AgentReply | None:
        """Run it to its end, with all the times in between for which it is blocked; None if it waits for people."""
        while True:
            if entry.retry_at is not None:
                await self._sleep(entry, entry.retry_at)
            try:
                return await self._attempts(entry)
            except RetryLater as later:
                await self._block(entry, later)
            except ApprovalRequired as asks:
                await self._ask_about_tools(entry, asks)
                return None

    async def _block(self, entry: TaskEntry, later: RetryLater) -> None:
        """It has to wait, and says so where another process finds it."""
        until = calls.at_time(later.at)
        await self._services.database.transaction(
            writer.block_task, self._services.execution_id, entry.task_id, later.reason, until, str(later), entry.late
        )
        entry.late.clear()
        entry.waited, entry.why = True, str(later)
        entry.retry_at = later.at
        self._blocked(entry)

    def _blocked(self, entry: TaskEntry) -> None:
        """It is under way no more: another one may be."""
        self.version += 1
        entry.status = "blocked"
        if any(other.status == "pending" and other.is_agent for other in self._open.values()):
            self._inbox.cause("another agent may start")
        self.changed()

    async def _sleep(self, entry: TaskEntry, until: float) -> None:
        """Wait out what is left of the time, and acquire the task again."""
        entry.hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - time())):
                await entry.hurry.wait()
        if not await self._services.database.transaction(
            writer.unblock_task, self._services.execution_id, entry.task_id, self._services.lease
        ):
            raise RunError(f"task {entry.task_id} is not ours to run: its row says who has it.", node_id=entry.node.id)
        self.version += 1
        entry.status, entry.retry_at = "running", None
        self.changed()

    async def _attempts(self, entry: TaskEntry) -> AgentReply:
        """Try until it succeeds or has no attempts left; the last failure is raised."""
        while True:
            try:
                return await self._once(entry)
            except Exception as error:
                # An agent's runner tries again by itself: request by request.
                if entry.is_agent or entry.attempt >= entry.max_attempts:
                    raise
                failure = said(raised_by(error))
                logger.info("attempt %d of %s failed: %s", entry.attempt, entry.task_id, failure)
                entry.attempt += 1
                with suppress(StoreError):  # The task's end says it again.
                    await self._services.database.transaction(
                        writer.next_attempt, self._services.execution_id, entry.task_id, entry.attempt, failure
                    )

    async def _once(self, entry: TaskEntry) -> AgentReply:
        node = entry.node.node
        entry.scope.handed_out.clear()
        with entered(self._printed.ctx, entry.scope), heard(self._printed):
            if isinstance(node, Task):
                return AgentReply(await call(node, self._printed.ctx))
            if isinstance(node, Smithers):
                return AgentReply(await self._run_child(entry, node))
            task = agent_task(self._services, entry.node, entry.task_id, await past_of(self._services, entry))
            ledger = TaskLedger(self._services, entry)
            # What is recorded was in time.
            most_s = None if task.recorded is not None else getattr(node, "timeout_s", None)
            reply: AgentReply = await timed(awaited(self._services.runner.submit(task, ledger)), most_s)
            return reply


_kept: set[asyncio.Task[None]] = set()
after_fork(_kept.clear)


def kept(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Hold a task until it has ended: asyncio does not, and one that is collected ends nowhere."""
    _kept.add(task)
    task.add_done_callback(_kept.discard)
    return task


def _end_by_hand(entry: TaskEntry, error: str | None = None, reason: str | None = None) -> TaskEnd:
    """Return the end of a task that is not under way; what it had used stays recorded."""
    usage, cost_usd = entry.used()
    return TaskEnd(entry.task_id, "cancelled", entry.attempt, None, error, reason, usage, cost_usd, tuple(entry.late))


def stale_call(frame: int, entry: TaskEntry, status: str, call_id: str | None = None) -> HandlerCall | None:
    """Return the record of a handler that is not called because its node is gone; None if it had no handler."""
    event = "on_finished" if status == "succeeded" else "on_error"
    if event not in entry.node.events or status not in ("succeeded", "failed"):
        return None
    source = entry.node.source
    name = call_id or f"{frame}s{entry.task_id}"
    return HandlerCall(name, frame, entry.node.id, entry.task_id, event, "stale", 0, 0.0, None, source)
