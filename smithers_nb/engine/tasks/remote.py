"""Tasks that workers run: which ones are handed to them, and the record of the rows that come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from ...agents.runner import AgentReply, FarRunner, FunctionTask
from ...agents.wire import to_json
from ...errors import AgentConfigError, ExecutionOwnedError, StoreError
from ...nodes.runnable import AGENT_TYPES, Task
from ...nodes.tree import TreeNode
from ...printing import Stream
from ...records import ModelCall, Piece, StallReason, ToolCall
from ...store import calls, writer
from ...store.requests import base_of
from ..services import Services
from ..user_code.call import names_ctx
from ..user_code.output import Printed
from .agents import TaskLedger
from .entry import TaskEntry

logger = logging.getLogger(__name__)

AGAIN_S = 0.5
"""The time after which a row is recorded again that the file did not take."""


def staying(services: Services, ready: Mapping[str, TaskEntry]) -> dict[str, str | None] | None:
    """Return those of the tasks that stay in this process, with the reason to tell; None if none leaves it."""
    if not getattr(services.runner, "outlives", False):
        return None
    runner = cast(FarRunner, services.runner)
    # A replay and a branch take answers from the file, which workers can't read.
    if services.replay is not None or services.reusing is not None:
        return dict.fromkeys(ready)
    here: dict[str, str | None] = {}
    for id, entry in ready.items():
        if entry.node.type in AGENT_TYPES:
            continue
        here[id] = None
        if isinstance(task := entry.node.node, Task):
            why = _stays(task, entry, services, runner.send_code)
            if why is None:
                del here[id]
            else:
                here[id] = f"it stays in the kernel: {why}"
    return here


def _stays(task: Task, entry: TaskEntry, services: Services, send_code: bool) -> str | None:
    """Return the reason why a function is not called by a worker; None if it is."""
    if names_ctx(task.run):
        return "it uses ctx, which workers do not have"
    try:
        to_json(_function_task(services, entry.node, entry), send_code=send_code)
    except AgentConfigError as error:
        return str(error).partition(", and its runner")[0]
    return None


def _function_task(services: Services, node: TreeNode, entry: TaskEntry) -> FunctionTask:
    task = node.node
    assert isinstance(task, Task)  # for the type checker: its callers have looked
    return FunctionTask(
        execution_id=services.execution_id,
        task_id=entry.task_id,
        node_id=node.id,
        leg=entry.leg,
        run=task.run,
        args=task.args,
        timeout_s=task.timeout_s,
        source=node.source,
    )


async def called_elsewhere(
    services: Services, node: TreeNode, entry: TaskEntry, *, printed: Printed, moved: Callable[[], None]
) -> AgentReply:
    """Let a worker call the function of a task."""
    entry.out = False
    ledger = RemoteLedger(services, entry, lambda _: None, printed=printed, moved=moved)
    return await cast(FarRunner, services.runner).call(_function_task(services, node, entry), ledger)


class RemoteLedger(TaskLedger):
    """The record of a task that workers run: each row is recorded with its place in their stream."""

    def __init__(
        self,
        services: Services,
        entry: TaskEntry,
        report: Callable[[object], None],
        *,
        printed: Printed,
        moved: Callable[[], None],
    ) -> None:
        super().__init__(services, entry, report)
        self._printed = printed
        self._moved = moved
        """Lets the loop and the observers look at the task again."""
        self._stalled: tuple[StallReason | None, str] = (None, "")
        self._note: str | None = None
        """The note of the worker that has the task."""
        self._quiet: str | None = None

    @property
    def offset(self) -> int:
        """The number of rows of this leg that are recorded."""
        return self._entry.ledger_offset

    @property
    def leaving(self) -> bool:
        """Return whether only this process gives the task up."""
        return self._entry.leaving

    async def told(self, call: ModelCall | ToolCall, offset: int) -> None:
        """Record a row, and that the rows up to ``offset`` are recorded."""
        entry, services = self._entry, self._services
        # Another run of the execution may have handed it over first, from another frame.
        call = replace(call, task_id=entry.task_id)
        who = (call.agent, call.caller)
        base = self._bases.get(who) if isinstance(call, ModelCall) else None
        id = await self._recorded(calls.put_told, services.execution_id, call, offset=offset, base=base)
        entry.ledger_offset = offset
        if isinstance(call, ToolCall):
            self._count(call)
        else:
            entry.attempt = max(entry.attempt, call.attempt)
            if call.status != "running":
                # The answer that the agent continues with is told once more: it was counted.
                if call.accepted is None:
                    entry.spent.add(call)
                    services.budget.spent.add(call)
                self._bases[who] = base_of(call, id)
        services.observers.notify()

    async def told_pieces(self, pieces: list[Piece], offset: int) -> None:
        """Record streamed pieces, and that the rows up to ``offset`` are recorded."""
        entry, services = self._entry, self._services
        pieces = [(entry.task_id, *piece[1:]) for piece in pieces]
        await self._recorded(calls.add_told_pieces, services.execution_id, entry.task_id, pieces, offset=offset)
        entry.ledger_offset = offset
        services.stream.tell(pieces)

    async def told_output(self, pieces: list[tuple[Stream, str]], offset: int) -> None:
        """Record what the task printed, and that the rows up to ``offset`` are recorded."""
        entry, services = self._entry, self._services
        events = self._printed.from_worker(pieces, entry.scope)
        await self._recorded(writer.add_told_output, services.execution_id, entry.task_id, events, offset=offset)
        entry.ledger_offset = offset
        services.observers.notify()

    async def taken(self, worker: str, note: str | None) -> None:
        """Record the worker that has the task, with a note, if there is one."""
        self._note = note
        services = self._services
        await self._recorded(writer.note_worker, services.execution_id, self._entry.task_id, worker=worker, note=note)
        self._show(f"{worker}: {note}")

    async def quiet(self, why: str | None) -> None:
        """Record that the worker of the task was not seen for a while; None once it is seen again."""
        if self._quiet == why:
            return
        self._quiet = why
        services = self._services
        reason = why or self._note
        await self._recorded(writer.note_silence, services.execution_id, self._entry.task_id, reason=reason)
        self._show(f"{reason}")

    async def lost(self, worker: str, why: str) -> None:
        """Record that a worker has gone, and that the task waits for the next one."""
        services = self._services
        await self._recorded(
            writer.lose_worker, services.execution_id, self._entry.task_id, node_id=self._entry.node.id, why=why
        )
        self._show(why)

    async def stalled(self, reason: StallReason | None, why: str = "") -> None:
        """Record that the task can't continue for now, and why; without a reason, that it can again."""
        if self._stalled == (reason, why):
            return
        entry = self._entry
        self._stalled = (reason, why)
        await self._recorded(
            writer.stall_task, self._services.execution_id, entry.task_id, reason=reason, why=why or None
        )
        entry.status, entry.stalled = "blocked" if reason else "running", reason is not None
        entry.worker = why
        self._moved()

    def _show(self, news: str) -> None:
        self._entry.worker = news
        self._services.observers.notify()

    async def _recorded(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:  # Any: as ``work`` has them
        """Write a transaction, again until the file takes it: the rows are kept where they came from."""
        while True:
            try:
                return await self._services.database.transaction(work, *args, **named)
            except ExecutionOwnedError:
                raise
            except StoreError as error:
                logger.warning("what a worker told of %s is not recorded yet: %s", self._entry.task_id, error)
                await asyncio.sleep(AGAIN_S)
