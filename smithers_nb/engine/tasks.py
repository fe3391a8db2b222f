"""The tasks of an execution: started, recorded, and never silently lost."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..agents.runner import AgentReply, AgentTask, Request
from ..errors import ApprovalError, NotStorableError, RunError, StoreError, traceback_of
from ..nodes.runnable import Approval, Claude, Smithers, Task
from ..nodes.tree import TreeNode
from ..records import HandlerCall, TaskResult, TaskStatus
from ..store import writer
from ..store.connection import uncancelled
from ..values import Stored, Unstorable, encode
from .callbacks import names_ctx
from .output import heard
from .place import TaskScope, entered

if TYPE_CHECKING:
    from .live import Live
    from .loop import Loop

logger = logging.getLogger(__name__)

CANCELLED = "it was cancelled by hand"
ENDED = frozenset({"succeeded", "failed", "cancelled", "abandoned"})


@dataclass(slots=True)
class TaskEntry:
    """One task of one mount of a node."""

    task_id: str
    node: TreeNode
    """As of the last frame that rendered it: its handlers are the ones that will be called."""
    status: TaskStatus = "pending"
    attempt: int = 0
    settled: bool = False
    result: TaskResult | None = None
    unmounted: bool = False
    interrupted: bool = False
    """It was stopped by a person and will be run again."""
    handle: asyncio.Task[None] | None = None
    requests: list[Request] = field(default_factory=list)
    """What an agent has asked of its model."""
    late: list[writer.ModelCall] = field(default_factory=list)
    """Requests that are recorded with the task's end."""
    scope: TaskScope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = TaskScope(self.node.id, self.task_id)

    def spent(self) -> tuple[dict[str, int], float | None]:
        """Return usage and cost in USD, each request counted once; nothing for a plain task."""
        asked = self.requests
        if not asked:
            return {}, None
        costs = [request.cost_usd for request in asked if request.response is not None]
        usage = {
            "input_tokens": sum(request.input_tokens or 0 for request in asked),
            "output_tokens": sum(request.output_tokens or 0 for request in asked),
            "requests": len(asked),
        }
        return usage, sum(cost for cost in costs if cost is not None) if None not in costs else None

    @property
    def event(self) -> str | None:
        """The handler that its end calls, if the node has one for it."""
        wanted = "on_finished" if self.status == "succeeded" else "on_error"
        return wanted if self.status in ("succeeded", "failed", "cancelled") and wanted in self.node.events else None

    @property
    def max_attempts(self) -> int:
        return 1 + (self.node.node.retries if isinstance(self.node.node, Task) else 0)


class Tasks(Mapping[str, TaskEntry]):
    """The tasks of the mounted nodes by node id, and those that outlive their node for a while."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._mounted: dict[str, TaskEntry] = {}
        self._open: dict[str, TaskEntry] = {}
        """By task id: all that are not settled, of mounted nodes and of those that are gone."""
        self.children: dict[str, Loop] = {}
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
        if entry := self._open.pop(task_id, None):
            entry.settled = True

    @property
    def unsettled(self) -> list[TaskEntry]:
        """Tasks that have ended and were not dealt with yet, in no order."""
        return [entry for entry in self._open.values() if entry.status in ENDED]

    @property
    def running(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that are under way."""
        return [entry for entry in self._open.values() if entry.status == "running" and not entry.unmounted]

    @property
    def reporting(self) -> list[TaskEntry]:
        """Running tasks of mounted nodes whose report no handler has got yet."""
        return [entry for entry in self.running if entry.task_id in self._live.progress]

    @property
    def blocked(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that wait for a person."""
        return [entry for entry in self._open.values() if entry.status == "blocked" and not entry.unmounted]

    @property
    def waits_for_people(self) -> bool:
        """Whether nothing but a person's answer can bring this on, here or in a child."""
        left = [entry for entry in self._open.values() if not entry.unmounted or entry.status in ENDED]
        return bool(left) and all(entry.status == "blocked" or self._child_waits(entry) for entry in left)

    def _child_waits(self, entry: TaskEntry) -> bool:
        child = self.children.get(entry.node.id)
        return child is not None and child.status == "waiting" and child.live.tasks.waits_for_people

    @property
    def questions(self) -> list[str]:
        """Ids of the nodes that wait for a person's answer, those of children too."""
        inner = [id for child in self.children.values() for id in child.live.tasks.questions]
        return [entry.node.id for entry in self.blocked] + inner

    @property
    def outstanding(self) -> bool:
        """Whether a mounted node's task is to start, under way, or to be dealt with."""
        return any(not entry.unmounted or entry.status in ENDED for entry in self._open.values())

    # ---- starting and ending -----------------------------------------------------------------------------------

    async def start_pending(self) -> None:
        """Acquire and start every task that waits; one transaction for all of them."""
        waiting = {id: entry for id, entry in self._open.items() if entry.status == "pending" and not entry.unmounted}
        if waiting:
            # A cancellation in between would leave rows that say running, and nothing that runs.
            await uncancelled(self._start(waiting))

    async def _start(self, waiting: dict[str, TaskEntry]) -> None:
        live = self._live
        ours = await live.database.transaction(writer.start_tasks, live.execution_id, list(waiting), live.lease)
        for task_id, entry in waiting.items():
            # With the props of the frame in which it starts; after a restart, with the node itself.
            entry.node = live.tree.index.get(entry.node.id, entry.node)
            if task_id not in ours:
                logger.warning("task %s is not ours to run: its row says who has it", task_id)
                continue
            self.version += 1
            entry.attempt += 1
            if isinstance(entry.node.node, Approval):
                await self._ask(entry, entry.node.node)
                continue
            entry.status = "running"
            entry.handle = asyncio.get_running_loop().create_task(self._run(entry), name=f"smithers {task_id}")
        # A task that is cancelled before its first step would end without a record.
        await asyncio.sleep(0)

    async def cancel_leaving(self) -> None:
        """Cancel the tasks whose node is gone. A sync function in its thread can't be; its result will be stale."""
        for entry in [entry for entry in self._open.values() if entry.unmounted]:
            if entry.handle is None and entry.status in ("pending", "blocked"):
                entry.status = "cancelled"
                await self._record(entry, writer.TaskEnd(entry.task_id, "cancelled", 0, reason="its node is gone"))
            elif entry.handle is not None and not _in_thread(entry.node.node):
                entry.handle.cancel()

    async def _ask(self, entry: TaskEntry, approval: Approval) -> None:
        """Put the question where a person finds it; the task waits for the answer."""
        live = self._live
        question = writer.Question(
            entry.task_id,
            entry.node.id,
            approval.kind,
            approval.prompt,
            _stored(entry, approval.payload),
            approval.options,
        )
        await live.database.transaction(writer.ask, live.execution_id, question)
        entry.status = "blocked"

    async def answer(self, id: str, choice: str, comment: str | None) -> None:
        """Answer an approval by its id or its node's; its task ends with the choice.

        Raises:
            ApprovalError: if none of that id waits, or it does not offer the choice.
        """
        entry = next((entry for entry in self.blocked if id in (entry.task_id, entry.node.id)), None)
        if entry is None:
            waiting = ", ".join(self.questions) or "none"
            raise ApprovalError(f"no approval {id!r} waits for an answer. Waiting: {waiting}.", node_id=id)
        options = entry.node.props.get("options", ["approve", "deny"])
        if choice not in options if isinstance(options, list) else True:
            raise ApprovalError(
                f"{choice!r} is no choice of {entry.node.id}: it offers {options}.", node_id=entry.node.id
            )
        live = self._live
        end = writer.TaskEnd(entry.task_id, "succeeded", 1, encode(choice))
        await live.database.transaction(writer.answer, live.execution_id, end, choice, comment)
        entry.result = TaskResult(
            entry.node.id, entry.task_id, "succeeded", choice, comment or choice, None, 1, {}, None, 0.0
        )
        self.ended(end)

    async def cancel(self, node_id: str) -> None:
        """End the task of a node by hand; its ``on_error`` gets the result, if it has one.

        Raises:
            RunError: if nothing of that node is under way.
        """
        entry = self._mounted.get(node_id)
        if entry is None or entry.status not in ("pending", "running", "blocked"):
            raise RunError(f"nothing of node {node_id!r} is under way that could be cancelled.", node_id=node_id)
        if entry.handle is not None and not _in_thread(entry.node.node):
            entry.handle.cancel()
            await asyncio.wait({entry.handle})
            return
        entry.scope.closed = True
        entry.result = TaskResult(
            node_id, entry.task_id, "cancelled", None, CANCELLED, CANCELLED, entry.attempt, {}, None, 0.0
        )
        await self._record(entry, writer.TaskEnd(entry.task_id, "cancelled", entry.attempt, error=CANCELLED))

    async def retry(self, node_id: str) -> None:
        """Run the task of a node again, as a new task with the node's present props.

        Raises:
            RunError: if the node has no task that has ended and was dealt with.
        """
        entry = self._mounted.get(node_id)
        if entry is None or not entry.settled:
            raise RunError(f"node {node_id!r} has no task that has ended: there is nothing to retry.", node_id=node_id)
        live = self._live
        node = live.tree.index[node_id]
        again = TaskEntry(f"{node_id}@{live.frame}r{next(self._retries)}", node)
        start = writer.TaskStart(again.task_id, node_id, again.max_attempts)
        await live.database.transaction(writer.add_tasks, live.execution_id, [start], live.frame)
        self.add(again)
        live.cause(f"{node_id} is run again by hand")

    async def cancel_all(self) -> None:
        """Cancel everything that has not ended: the execution is over."""
        for entry in [entry for entry in self._open.values() if entry.status not in ENDED]:
            if entry.handle is not None:
                entry.handle.cancel()
                await asyncio.wait({entry.handle})
            else:
                await self.cancel(entry.node.id)
        for entry in self.unsettled:
            self.settle(entry.task_id)

    async def interrupt(self) -> None:
        """End everything that is running, to be run again later; their rows go back to pending."""
        running = self.running
        for entry in running:
            entry.interrupted = True
            entry.scope.closed = True
            if entry.handle is not None:
                entry.handle.cancel()
        await asyncio.gather(*(entry.handle for entry in running if entry.handle), return_exceptions=True)
        if running:
            live = self._live
            ids = [entry.task_id for entry in running]
            await live.database.transaction(writer.release_tasks, live.execution_id, ids, "interrupted")
        for entry in running:
            if entry.status == "running":
                entry.status, entry.interrupted, entry.handle = "pending", False, None
                entry.scope = TaskScope(entry.node.id, entry.task_id)

    async def _run(self, entry: TaskEntry) -> None:
        """Run a task to its end, and record it, whatever that is."""
        started = perf_counter()
        value: Stored | None = None
        reply = AgentReply(None)
        status: TaskStatus = "succeeded"
        message: str | None = None
        trace: str | None = None
        try:
            reply = await self._attempts(entry)
            value = _stored(entry, reply.output)
        except asyncio.CancelledError:
            if entry.interrupted:
                return
            status, message = "cancelled", "its node is no longer in the plan" if entry.unmounted else CANCELLED
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  # it goes to on_error
            # asyncio would let an exit() in a task end the engine's thread.
            status, message = "failed", f"{type(error).__name__}: {error}"
            trace = traceback_of(error)
        entry.scope.closed = True
        if self._live.closed or entry.status in ENDED:
            return  # A thread that went on although its task was cancelled, or everything closed.
        usage, cost_usd = entry.spent()
        entry.result = TaskResult(
            node_id=entry.node.id,
            task_id=entry.task_id,
            status=status,
            output=reply.output if value else None,
            text=_text(reply.output, value) if value else message or "",
            error=message,
            attempts=entry.attempt,
            usage=usage,
            cost_usd=cost_usd,
            duration_s=perf_counter() - started,
        )
        end = writer.TaskEnd(
            entry.task_id, status, entry.attempt, value, trace or message, None, usage, cost_usd, tuple(entry.late)
        )
        if not self._live.ends_with_flush(end):
            try:
                await self._record(entry, end)
            except StoreError:
                logger.warning("the end of task %s could not be stored yet: the next FLUSH tries again", end.task_id)
                self._live.end_later(end)

    async def _record(self, entry: TaskEntry, end: writer.TaskEnd) -> None:
        live = self._live
        stale = stale_call(live, entry, end.status) if entry.unmounted else None
        await live.database.transaction(writer.end_task, live.execution_id, end, stale)
        if entry.unmounted:
            self.settle(entry.task_id)
        self.ended(end)

    def ended(self, end: writer.TaskEnd) -> None:
        """A task's end is in the store: the next frame deals with it."""
        self._live.progress.pop(end.task_id, None)
        if (entry := self._open.get(end.task_id)) and entry.result:
            self.version += 1
            entry.status = entry.result.status
            self._live.cause(f"{entry.node.id} {end.status}")
        self._live.observers.notify()

    async def _attempts(self, entry: TaskEntry) -> AgentReply:
        """Try until it succeeds or has no attempts left; the last failure is raised."""
        while True:
            try:
                return await self._once(entry)
            except Exception as error:
                if entry.attempt >= entry.max_attempts:
                    raise
                logger.info("attempt %d of %s failed: %s", entry.attempt, entry.task_id, error)
                entry.attempt += 1
                live = self._live
                with suppress(StoreError):  # The task's end says it again.
                    await live.database.transaction(
                        writer.next_attempt, live.execution_id, entry.task_id, entry.attempt, f"{error}"
                    )

    async def _once(self, entry: TaskEntry) -> AgentReply:
        node = entry.node.node
        with entered(self._live.context, entry.scope), heard(self._live):
            if isinstance(node, Task):
                return AgentReply(await _timed(_call(node, self._live.context), node.timeout_s))
            if isinstance(node, Smithers):
                return AgentReply(await self._live.run_child(entry, node))
            task = agent_task(self._live, entry.node, entry.task_id)
            reply: AgentReply = await _timed(self._live.runner.run(task, self._recorder(entry)), task.timeout_s)
            return reply

    def _recorder(self, entry: TaskEntry) -> Any:
        async def record(request: Request) -> None:
            live = self._live
            call = writer.ModelCall(
                task_id=entry.task_id,
                turn=request.turn,
                attempt=request.attempt,
                model=request.model,
                request=request.request,
                response=request.response,
                input_tokens=request.input_tokens,
                output_tokens=request.output_tokens,
                cost_usd=request.cost_usd,
                ms=request.ms,
                error=request.error,
            )
            entry.requests.append(request)
            try:
                await live.database.transaction(writer.add_model_call, live.execution_id, call)
            except StoreError as error:
                # It is paid for: it goes in with the task's end.
                logger.warning("a request of %s could not be recorded yet: %s", entry.task_id, error)
                entry.late.append(call)

        return record


def agent_task(live: Live, node: TreeNode, task_id: str) -> AgentTask:
    """Return what the runner needs to know of an agent node."""
    claude = node.node
    assert isinstance(claude, Claude)  # for the type checker: the schedule starts nothing else
    model = claude.model
    return AgentTask(
        node_id=node.id,
        task_id=task_id,
        model=live.models.get(model, model) if isinstance(model, str) else model,
        prompt=node.content,
        system=claude.system,
        tools=claude.tools,
        output_type=claude.output_type,
        max_turns=claude.max_turns,
        timeout_s=claude.timeout_s,
        source=node.source,
    )


def stale_call(live: Live, entry: TaskEntry, status: str, call_id: str | None = None) -> HandlerCall | None:
    """Return the record of a handler that is not called because its node is gone; None if it had no handler."""
    event = "on_finished" if status == "succeeded" else "on_error"
    if event not in entry.node.events or status not in ("succeeded", "failed"):
        return None
    source = entry.node.source
    name = call_id or f"{live.frame}s{entry.task_id}"
    return HandlerCall(name, live.frame, entry.node.id, entry.task_id, event, "stale", 0, 0.0, None, source)


async def _timed(work: Any, timeout_s: float | None) -> Any:
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except TimeoutError as error:
        if timeout_s is None or error.args:
            raise
        raise TimeoutError(f"it took longer than timeout_s={timeout_s:g} s") from None


async def _call(node: Task, ctx: object) -> Any:
    args = node.args if isinstance(node.args, list) else []
    named = node.args if isinstance(node.args, dict) else {}
    if names_ctx(node.run):
        named = {**named, "ctx": ctx}
    if _in_thread(node):
        return await asyncio.to_thread(node.run, *args, **named)
    return await node.run(*args, **named)


def _in_thread(node: object) -> bool:
    if not isinstance(node, Task):
        return False
    # An object with an async __call__ is async, too.
    return not any(inspect.iscoroutinefunction(function) for function in (node.run, type(node.run).__call__))


def _stored(entry: TaskEntry, output: object) -> Stored:
    try:
        return encode(output)
    except Unstorable as why:
        raise NotStorableError(
            f"what {entry.node.type} {entry.node.id} returned ({type(output).__name__}) can't be stored: {why}.",
            node_id=entry.node.id,
            source=entry.node.source,
        ) from None


def _text(output: object, value: Stored) -> str:
    return output if isinstance(output, str) else value.text
