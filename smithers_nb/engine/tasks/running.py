"""The run of one task: its attempts, the times for which it is blocked, and its end, which is always recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter, time
from typing import Any

from ...agents.runner import AgentReply, ApprovalRequired, RetryLater, WorkerFailure
from ...credentials import masked
from ...errors import (
    AgentError,
    BudgetExceededError,
    RepeatRefusedError,
    RunError,
    StoreError,
    said,
    traceback_of,
)
from ...nodes.runnable import Smithers, Task
from ...records import REPEAT_REFUSED, TaskEnd, TaskResult, TaskStatus
from ...store import calls, writer
from ...threads import after_fork
from ...user_code import awaited, guarded, raised_by
from ...values import Stored, opened, value_of
from ..inbox import Inbox
from ..services import Services
from ..state import write_again
from ..user_code.output import Printed, keeping
from ..user_code.scope import entered
from . import questions
from .agents import TaskLedger, agent_task, as_started, past_of
from .attempt import CANCELLED, call, stored, text, timed
from .entry import ENDED, TaskEntry
from .remote import RemoteLedger, called_elsewhere
from .table import TaskTable

logger = logging.getLogger(__name__)

ChildRunner = Callable[[TaskEntry, Smithers], Awaitable[Any]]  # Any: the value of its End
"""Runs the child execution of a Smithers node."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run, before it is recorded."""

    status: TaskStatus
    text: str
    """The output as text, or the error's message."""
    output: object = None
    stored: Stored | None = None
    """The output as it is stored; None unless the task succeeded."""
    error: str | None = None
    """The error's message, for the handler."""
    trace: str | None = None
    """The traceback, for the file."""
    reason: str | None = None


class TaskRunner:
    """Runs the tasks of an execution, each to its recorded end."""

    def __init__(
        self,
        services: Services,
        inbox: Inbox,
        printed: Printed,
        *,
        table: TaskTable,
        run_child: ChildRunner,
        asked: Callable[[TaskEntry], Awaitable[None]],
    ) -> None:
        self._services = services
        self._inbox = inbox
        self._printed = printed
        self._table = table
        self._run_child = run_child
        self._asked = asked
        """Called with a task that has asked people."""

    def start(self, entry: TaskEntry) -> None:
        """Run a task that was acquired, or that is blocked until a time."""
        run = self._run(entry)
        entry.handle = kept(asyncio.get_running_loop().create_task(run, name=f"smithers {entry.task_id}"))

    async def record_end(self, entry: TaskEntry, end: TaskEnd) -> None:
        """Record a task's end, and make a frame due for it.

        Raises:
            StoreError: if the file does not take it.
        """
        store, id = self._services.database, self._services.execution_id
        left = self._table.left(end)
        await store.transaction(writer.end_task, id, end, left)
        if left is None and (left := self._table.left(end)) is not None:
            # A frame was committed during the transaction, and its plan is without the node.
            await store.transaction(writer.settle_left, id, end.task_id, left)
        if left is not None:
            self._table.settle(entry.task_id)
        self._table.ended(end)

    # ---- from the start to the end -----------------------------------------------------------------------------

    async def _run(self, entry: TaskEntry) -> None:
        started = perf_counter()
        outcome = await self._outcome(entry)
        if outcome is not None:
            await self._end(entry, outcome, perf_counter() - started)

    async def _outcome(self, entry: TaskEntry) -> Outcome | None:
        """Run a task to its end, whatever that is; return None if it will be started again."""
        try:
            replay = self._services.replay
            reply: AgentReply | None
            if replay is not None:
                reply = await replay.ran(entry, self._attempts)
            else:
                reply = await self._made_already(entry) or await self._through_waits(entry)
            if reply is None:
                return None
            value = guarded(stored, entry, reply.output)
            entry.lost = entry.scope.lost_changes(value)
            return Outcome("succeeded", text(reply.output, value), reply.output, value)
        except asyncio.CancelledError as cancelled:
            # The flags are set before the handle is cancelled, and tell whose cancellation this is. It ends here: this
            # coroutine is the whole task, and what cancelled it waits for the record that follows.
            if entry.interrupted:
                return None
            if entry.unmounted:
                return _cancelled("its node is no longer in the plan")
            if entry.cancelled:
                return _cancelled(CANCELLED)
            return _failed(cancelled)
        except Exception as error:  # noqa: BLE001  # it goes to on_error
            return _failed(error)

    async def _made_already(self, entry: TaskEntry) -> AgentReply | None:
        """Return the recorded result that a branch takes instead of calling a task's function, after the writes that
        this made; None if it is called.

        Raises:
            RepeatRefusedError: if it is not to be called again.
        """
        reusing = self._services.reusing
        if reusing is None:
            return None
        made = await reusing.task(entry.node, entry.call)
        if made is None or made.result is None:
            return None
        output = opened(made.result, f"the recorded output of {entry.node.id}", "fork without it")
        with entered(self._printed.ctx, entry.scope):
            for write in await reusing.writes(made):
                value = None if write.value is None else value_of(write.key, write.value)
                write_again(self._printed.ctx.state, write.key, op=write.op, value=value)
        entry.reused_from = made.id
        return AgentReply(output)

    async def _end(self, entry: TaskEntry, outcome: Outcome, duration_s: float) -> None:
        entry.scope.closed = True
        # A thread can't be cancelled: its function may return long after the task was ended by hand, or the execution
        # closed, and its row belongs to whichever process resumes it by then.
        if self._services.closed or entry.status in ENDED:
            return
        entry.retry_at = None
        # A cancellation comes too late for a task that has ended, and would leave it without a record.
        with suppress(asyncio.CancelledError):
            # Pieces first: whoever reads that an agent has ended finds all that it said.
            await self._services.stream.written()
        usage, cost_usd = entry.used()
        entry.result = TaskResult(
            node_id=entry.node.id,
            task_id=entry.task_id,
            status=outcome.status,
            output=outcome.output,
            text=outcome.text,
            error=outcome.error,
            attempts=entry.attempt,
            usage=usage,
            cost_usd=cost_usd,
            duration_s=duration_s,
        )
        end = TaskEnd(
            task_id=entry.task_id,
            status=outcome.status,
            attempt=entry.attempt,
            result=outcome.stored,
            error=outcome.trace or outcome.error,
            reason=outcome.reason,
            usage=usage,
            cost_usd=cost_usd,
            calls=tuple(entry.late),
            reused_from=entry.reused_from,
        )
        # Its last writes go in with its end. Recorded apart, a crash in between would leave a task that counts as done
        # and whose writes are lost, or one that runs again on top of its own writes.
        if self._inbox.ends_with_flush(end):
            return
        try:
            await self.record_end(entry, end)
        except StoreError:
            logger.warning("the end of task %s could not be stored yet: the next FLUSH tries again", end.task_id)
            self._inbox.end_later(end)

    # ---- blocked and running again -----------------------------------------------------------------------------

    async def _through_waits(self, entry: TaskEntry) -> AgentReply | None:
        """Run a task through all the times for which it is blocked; return None if it waits for people."""
        while True:
            if entry.retry_at is not None:
                await self._sleep(entry, entry.retry_at)
            try:
                return await self._attempts(entry)
            except RetryLater as later:
                await self._block(entry, later)
            except ApprovalRequired as asks:
                # Hours may pass until people answer. An asyncio task that waited so long would be lost with the
                # process; the row is not, and is started from there.
                await self._ask_about_tools(entry, asks)
                return None

    async def _ask_about_tools(self, entry: TaskEntry, asks: ApprovalRequired) -> None:
        """Record an agent's questions. It is started again when all of them are answered."""
        found = questions.of_tools(entry, asks)
        asked = await self._services.database.transaction(
            writer.ask_about_tools, self._services.execution_id, found, entry.late
        )
        entry.late.clear()
        entry.questions = {question.approval_id: question for question in asked}
        entry.comes_back()
        entry.handle = None
        # It is blocked only then: a run would return to wait for people who need not answer.
        await self._asked(entry)
        if entry.questions:
            self._blocked(entry)

    async def _block(self, entry: TaskEntry, later: RetryLater) -> None:
        """Record until when a task is blocked. Another process that resumes the execution waits as long."""
        until = calls.at_time(later.at)
        # The row gives its lease back: the next attempt acquires it again, here or in another process.
        await self._services.database.transaction(
            writer.block_task,
            self._services.execution_id,
            entry.task_id,
            reason=later.reason,
            until=until,
            error=str(later),
            late=entry.late,
        )
        entry.late.clear()
        entry.comes_back()
        entry.waited, entry.why = True, str(later)
        entry.retry_at = later.at
        self._blocked(entry)

    def _blocked(self, entry: TaskEntry) -> None:
        self._table.version += 1
        entry.status = "blocked"
        # A blocked agent doesn't count against max_agents, and only a frame starts the next one.
        if any(other.status == "pending" and other.is_agent for other in self._table.open):
            self._inbox.cause("another agent may start")
        self._table.changed()

    async def _sleep(self, entry: TaskEntry, until: float) -> None:
        """Wait until the time has come, and acquire the task again.

        Raises:
            RunError: if another process has it.
        """
        entry.hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - time())):
                await entry.hurry.wait()
        # The row had no lease meanwhile. Whoever has set it to running has the task; two of them would pay twice.
        if not await self._services.database.transaction(
            writer.unblock_task, self._services.execution_id, entry.task_id, self._services.lease
        ):
            raise RunError(f"task {entry.task_id} is not ours to run: its row says who has it.", node_id=entry.node.id)
        self._table.version += 1
        entry.status, entry.retry_at = "running", None
        self._table.changed()

    # ---- attempts ----------------------------------------------------------------------------------------------

    async def _attempts(self, entry: TaskEntry) -> AgentReply:
        """Try until it succeeds or has no attempts left; the last failure is raised."""
        while True:
            try:
                return await self._once(entry)
            except Exception as error:
                # An agent's runner tries again by itself: request by request.
                if entry.is_agent or entry.attempt >= entry.max_attempts:
                    raise
                failure = _message(error)
                logger.info("attempt %d of %s failed: %s", entry.attempt, entry.task_id, failure)
                entry.attempt += 1
                entry.comes_back()
                with suppress(StoreError):  # The task's end says it again.
                    await self._services.database.transaction(
                        writer.next_attempt,
                        self._services.execution_id,
                        entry.task_id,
                        attempt=entry.attempt,
                        error=failure,
                    )

    async def _once(self, entry: TaskEntry) -> AgentReply:
        started = entry.started or entry.node
        node = started.node
        entry.scope.handed_out.clear()
        with entered(self._printed.ctx, entry.scope), keeping(self._printed):
            if isinstance(node, Task):
                if entry.on_workers:
                    return await called_elsewhere(
                        self._services, started, entry, printed=self._printed, moved=self._table.changed
                    )
                return AgentReply(await call(node, self._printed.ctx))
            if isinstance(node, Smithers):
                return AgentReply(await self._run_child(entry, node))
            past = await past_of(self._services, entry)
            if entry.started is None and past is not None:
                started = await as_started(self._services, entry)
            task = agent_task(self._services, started, entry.task_id, past, leg=entry.leg)
            ledger = TaskLedger(self._services, entry, self._printed.ctx.progress)
            if entry.on_workers:
                ledger = RemoteLedger(
                    self._services,
                    entry,
                    self._printed.ctx.progress,
                    printed=self._printed,
                    moved=self._table.changed,
                )
            timeout_s = getattr(node, "timeout_s", None)
            if task.recorded is not None:
                timeout_s = None  # A recorded answer was in time when it was recorded.
            reply: AgentReply = await timed(awaited(self._services.runner.submit(task, ledger)), timeout_s)
            return reply


def _message(raised: BaseException) -> str:
    error = raised_by(raised)
    if isinstance(error, WorkerFailure):
        return error.message
    return said(error)


def _cancelled(why: str) -> Outcome:
    return Outcome("cancelled", why, error=why)


def _failed(raised: BaseException) -> Outcome:
    error = raised_by(raised)
    if isinstance(error, WorkerFailure):
        status: TaskStatus = "abandoned" if error.abandoned else "failed"
        return Outcome(status, error.message, error=error.message, trace=error.trace)
    # Providers quote the key that they refuse, and a traceback the line that has it.
    message = masked(said(error))
    trace = reason = None
    # An error in our own words says all; the way through the libraries does not help the reader.
    if not isinstance(error, AgentError | RepeatRefusedError):
        trace = masked(traceback_of(error))
    if isinstance(error, BudgetExceededError):
        reason = f"limit: {error.limit}"
    elif isinstance(error, RepeatRefusedError):
        reason = REPEAT_REFUSED
    return Outcome("failed", message, error=message, trace=trace, reason=reason)


_kept: set[asyncio.Task[None]] = set()
after_fork(_kept.clear)


def kept(task: asyncio.Task[None]) -> asyncio.Task[None]:
    """Hold a task until it has ended: asyncio has weak references only, and one that is collected never ends."""
    _kept.add(task)
    task.add_done_callback(_kept.discard)
    return task
