"""The life of an execution's tasks: what starts them, what people do to them, and what halts them.

A task is never silently lost. Its row is there before it starts, a process acquires the row to run it, and a row whose
process has ended says so to the next one (``opening``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from ...errors import RunError, did_you_mean
from ...nodes.runnable import Approval, Task
from ...nodes.tree import TreeNode
from ...records import Answer, TaskResult, TaskStart
from ...store import writer
from ...store.connection import uncancelled
from ..code import call_of
from ..committed import Committed
from ..inbox import Inbox
from ..services import Services
from ..user_code.output import Printed
from ..user_code.scope import TaskScope
from . import questions
from .attempt import CANCELLED, in_thread
from .entry import ENDED, TaskEntry
from .remote import staying
from .running import ChildRunner, TaskRunner
from .table import TaskTable

logger = logging.getLogger(__name__)

MAX_THREADS = 1000
"""Number of sync functions of an execution that run at a time, each in a thread of its own; further tasks stay pending.
A thread that waits takes about 25 KB and 0.3 ms to start. Calls that timed out or were cancelled do not count."""


class Tasks(TaskTable):
    """The tasks of an execution, and all that starts, answers, cancels and halts them."""

    def __init__(
        self, services: Services, inbox: Inbox, printed: Printed, committed: Committed, run_child: ChildRunner
    ) -> None:
        super().__init__(services, inbox, committed)
        self._runner = TaskRunner(
            services, inbox, printed, table=self, run_child=run_child, asked=self.answer_from_recording
        )
        self._retries = count(1)

    @property
    def questions(self) -> list[str]:
        """The ids by which people can answer the open questions, in children too."""
        return questions.shortest(questions.waiting(self))

    # ---- starting ----------------------------------------------------------------------------------------------

    async def start_pending(self) -> None:
        """Acquire and start every task that is ready, in one transaction for all of them.

        Agents, and functions in threads, stay pending while as many of them run as may run together.
        """
        agents_left = self._services.max_agents - sum(entry.is_agent for entry in self.running)
        full = self._threads_are_full()
        ready = {}
        for id, entry in self._open.items():
            if entry.unmounted:
                continue
            if entry.status == "pending":
                agents_left -= entry.is_agent
                if (agents_left >= 0 or not entry.is_agent) and not full(entry):
                    ready[id] = entry
            elif entry.retry_at is not None and entry.handle is None:
                # It was blocked when its process ended, or when it was stopped: the row is acquired after the wait.
                entry.node = self._present_node(entry)
                self._runner.start(entry)
        if ready:
            # A cancellation in between would leave rows that say running, and nothing that runs.
            await uncancelled(self._start(ready))

    def _threads_are_full(self) -> Callable[[TaskEntry], bool]:
        """Return a function that returns True for a task that has to wait because too many functions run in threads."""
        # Looking at each function takes time that a small execution need not spend.
        if len(self._open) <= MAX_THREADS:
            return lambda _: False
        room = MAX_THREADS - sum(in_thread(entry.node.node) for entry in self.running)

        def full(entry: TaskEntry) -> bool:
            nonlocal room
            if not in_thread(self._present_node(entry).node):
                return False
            room -= 1
            return room < 0

        return full

    def _present_node(self, entry: TaskEntry) -> TreeNode:
        # After a restart, the entry has a node that was read back from the file and has no function.
        return self.committed.tree.index.get(entry.node.id, entry.node)

    async def _start(self, ready: dict[str, TaskEntry]) -> None:
        # The row decides, and not what this process remembers of it: when our lease ran out, another process may have
        # resumed the execution.
        for entry in ready.values():
            entry.node = self._present_node(entry)
            if isinstance(task := entry.node.node, Task):
                entry.call = call_of(task)
        here = staying(self._services, ready)
        ours = await self._services.database.transaction(
            writer.start_tasks,
            self._services.execution_id,
            {id: entry.call for id, entry in ready.items()},
            self._services.lease,
            **({} if here is None else {"here": here}),
        )
        for task_id, entry in ready.items():
            if task_id not in ours:
                logger.warning("task %s is not ours to run: its row says who has it", task_id)
                continue
            self.version += 1
            entry.on_workers = here is not None and task_id not in here
            entry.cut_off = entry.attempt > 0 and not entry.answered and not entry.out
            # An agent that continues has made its first requests with those props: a new system prompt would come
            # between the old prompt and the rest. Only one that starts over takes the present ones.
            if not entry.continues:
                entry.started = entry.node
            entry.attempt += not entry.answered and not entry.out
            entry.waited, entry.answered = entry.waited or entry.answered, False
            if isinstance(entry.node.node, Approval):
                await self._ask(entry, entry.node.node)
                continue
            entry.status = "running"
            self._runner.start(entry)
        # A task that is cancelled before its first step would end without a record.
        await asyncio.sleep(0)

    # ---- people: answering, cancelling, running again ----------------------------------------------------------

    async def _ask(self, entry: TaskEntry, approval: Approval) -> None:
        """Record the question of an Approval node. Nothing runs for it: the answer is its end."""
        question = questions.of_node(entry, approval)
        await self._services.database.transaction(writer.ask, self._services.execution_id, question)
        entry.status, entry.questions = "blocked", {question.approval_id: question}
        await self.answer_from_recording(entry)

    async def answer_from_recording(self, entry: TaskEntry) -> None:
        """Answer those questions of a task that people have answered before, in the family of a branch."""
        reusing = self._services.reusing
        if reusing is None:
            return
        for id, question in list(entry.questions.items()):
            if (answer := await reusing.decision(question)) is not None:
                await self.answer(id, answer)

    async def answer(self, id: str, answer: Answer) -> None:
        """Answer a question by its id or its node's. An approval's task ends with the choice; one whose process had
        ended is run again, or fails; an agent continues when all its questions are answered.

        Raises:
            ApprovalError: if none of that id waits, or the answer is none to it.
        """
        entry, question = questions.find(self.asking, id, answer)
        end = questions.end_by_answer(entry, question, answer)
        # Taken away before the file has the answer: a second answer meanwhile would be recorded over the first.
        del entry.questions[question.approval_id]
        try:
            await self._services.database.transaction(
                writer.answer, self._services.execution_id, question, given=answer, end=end
            )
        except BaseException:
            entry.questions[question.approval_id] = question
            self._inbox.wake()  # A run that waits for the answer to be recorded is to wait for people again.
            raise
        if end is not None:
            self.ended(end)
        elif entry.questions:
            self._services.observers.notify()
        else:
            self.version += 1
            entry.status, entry.answered = "pending", question.tool_call_id is not None
            continues = "continues" if entry.answered else "is run again"
            self._inbox.cause(f"{entry.node.id} {continues}: {question.kind} was answered with {answer.choice}")

    async def cancel(self, node_id: str) -> None:
        """End the task of a node by hand; its ``on_error`` gets the result, if it has one.

        Raises:
            RunError: if the node has no task that waits or runs.
        """
        self._services.refuse_when_closed()
        entry = self._mounted.get(node_id)
        if entry is None or entry.status not in ("pending", "running", "blocked"):
            self._refuse_unknown(node_id)
            raise RunError(f"node {node_id!r} has no task that runs or waits: nothing to cancel.", node_id=node_id)
        if (handle := entry.handle) is not None and not in_thread(entry.node.node):
            entry.cancelled = True
            handle.cancel()
            await asyncio.wait({handle})
            # Where it asked people just before, it has returned without an end, and is ended below.
            if not entry.questions:
                return
        # A thread runs to its end, whatever is done here. The task ends without it: its result is discarded, and the
        # closed scope refuses its writes.
        entry.scope.closed = True
        usage, cost_usd = entry.used()
        entry.result = TaskResult(
            node_id=node_id,
            task_id=entry.task_id,
            status="cancelled",
            output=None,
            text=CANCELLED,
            error=CANCELLED,
            attempts=entry.attempt,
            usage=usage,
            cost_usd=cost_usd,
            duration_s=0.0,
        )
        await self._runner.record_end(entry, entry.end_by_hand(error=CANCELLED))

    def _refuse_unknown(self, node_id: str) -> None:
        """Refuse the id of a node that is not in the plan.

        Raises:
            RunError: if there is none of this id.
        """
        if node_id not in self.committed.tree.index:
            near = did_you_mean(node_id, self._mounted)
            if not near and self._mounted:
                near = f" It has tasks of {', '.join(self._mounted)}."
            raise RunError(f"the plan has no node {node_id!r}.{near}", node_id=node_id)

    async def retry(self, node_id: str) -> None:
        """Run the task of a node again, as a new task with the node's present props. One that waits to try again tries
        at once.

        Raises:
            RunError: if the node has no task that has ended and was dealt with.
        """
        self._services.refuse_when_closed()
        entry = self._mounted.get(node_id)
        if entry is not None and entry.retry_at is not None:
            entry.hurry.set()
            return
        if entry is None or not entry.settled:
            self._refuse_unknown(node_id)
            raise RunError(f"node {node_id!r} has no task that has ended: there is nothing to retry.", node_id=node_id)
        node = self.committed.tree.index[node_id]
        again = TaskEntry(f"{node_id}@{self.committed.frame}r{next(self._retries)}", node)
        start = TaskStart(again.task_id, node_id, again.max_attempts)
        await self._services.database.transaction(
            writer.add_tasks, self._services.execution_id, [start], self.committed.frame
        )
        self.add(again)
        self._inbox.cause(f"{node_id} is run again by hand")

    async def handle_again(self, node_id: str) -> None:
        """Let the next frame call the handler of a node on its recorded result, as that of a new task which has ended
        already. Nothing is run, and no model is asked.

        Raises:
            RunError: if the node has no task that has ended and was dealt with.
        """
        self._services.refuse_when_closed()
        entry = self._mounted.get(node_id)
        if entry is None or not entry.settled or entry.result is None:
            self._refuse_unknown(node_id)
            raise RunError(
                f"node {node_id!r} has no task that has ended and was handled: there is nothing to handle again.",
                node_id=node_id,
            )
        again = TaskEntry(f"{node_id}@{self.committed.frame}h{next(self._retries)}", entry.node)
        again.status, again.attempt, again.unread = entry.status, entry.attempt, entry.unread
        again.result, again.again = replace(entry.result, task_id=again.task_id), True
        await self._services.database.transaction(
            writer.handle_again,
            self._services.execution_id,
            TaskStart(again.task_id, node_id, again.max_attempts),
            of=entry.task_id,
            frame=self.committed.frame,
        )
        self.add(again)
        self._inbox.cause(f"{node_id} is handled again by hand")

    # ---- halting: a node that left, a stop, the end ------------------------------------------------------------

    async def cancel_leaving(self) -> None:
        """Cancel the tasks whose node is gone. A sync function in its thread can't be; its result will be stale."""
        # Those that run are not waited for: they record their own end, and the frame need not stand until then.
        for entry in [entry for entry in self._open.values() if entry.unmounted]:
            if entry.handle is None and entry.status in ("pending", "blocked"):
                entry.status = "cancelled"
                await self._runner.record_end(entry, entry.end_by_hand(reason="its node is gone"))
            elif entry.handle is not None and not in_thread(entry.node.node):
                entry.handle.cancel()

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

    async def interrupt(self, *, leaving: bool = False) -> None:
        """End everything that is running, to be run again later; the rows are pending again. ``leaving`` leaves to
        workers what they run.
        """
        halted = [
            entry
            for entry in self._open.values()
            if entry.handle is not None and not entry.unmounted and entry.status in ("running", "blocked")
        ]
        # All are cancelled before one is waited for: they end together, and not one after the other.
        for entry in halted:
            entry.interrupted = True
            entry.leaving = leaving and self._services.runner.remote
            entry.scope.closed = True
            if entry.handle is not None:
                entry.handle.cancel()
        # Those that were cancelled because their node is gone end with a record, too.
        await self.cancel_leaving()
        ending = [entry.handle for entry in halted if entry.handle]
        replay = self._services.replay
        for entry in self._open.values():
            if not entry.unmounted or entry.handle is None:
                continue
            if in_thread(entry.node.node):
                if replay is None or replay.live_tasks:
                    continue  # A thread can't be waited for.
                entry.handle.cancel()
            ending.append(entry.handle)
        await asyncio.gather(*ending, return_exceptions=True)
        if halted:
            ids = [entry.task_id for entry in halted]
            if leaving:
                await self._services.database.transaction(writer.leave_tasks, self._services.execution_id, ids)
            await self._services.database.transaction(
                writer.release_tasks, self._services.execution_id, ids, "interrupted"
            )
        for entry in halted:
            # One that ended before the cancellation reached it has its record, and is not run again.
            if entry.status not in ("running", "blocked"):
                continue
            # A blocked task stays so: its time to try again holds after a stop, too.
            if entry.status == "running" or entry.stalled:
                entry.status, entry.stalled = "pending", False
                entry.comes_back()
            entry.interrupted, entry.handle = False, None
            # The old scope stays closed for good: what the cancelled code still starts can't write into the next run.
            entry.scope = TaskScope(entry.node.id, entry.task_id)
