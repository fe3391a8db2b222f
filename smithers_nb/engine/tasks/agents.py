"""Agents seen from the engine: what a runner is given of a node, and the ledger that it writes to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from time import time
from typing import Any

from ...agents.runner import AgentTask, Local, Past
from ...errors import AgentError, StoreError
from ...nodes.runnable import Agent, Claude
from ...nodes.tree import TreeNode
from ...records import ModelCall, ToolCall
from ...store import calls, writer
from ...store.reader import Reader
from ...threads import called
from ..services import Services
from . import windows
from .past import recorded_past
from .table import TaskEntry

logger = logging.getLogger(__name__)


def agent_task(services: Services, node: TreeNode, task_id: str, past: Past | None = None) -> AgentTask:
    """Return what the runner needs to know of an agent node.

    Raises:
        AgentConfigError: if its runner is in another process, and the agent can't go there.
    """
    agent = node.node
    assert isinstance(agent, Claude | Agent)  # for the type checker: the schedule starts nothing else
    local = _local(services, agent)
    task = AgentTask(
        execution_id=services.execution_id,
        task_id=task_id,
        node_id=node.id,
        agent="claude" if isinstance(agent, Claude) else str(getattr(agent.agent, "name", None) or "agent"),
        model=local.model if isinstance(local.model, str) else repr(local.model),
        prompt=node.content,
        system=agent.system if isinstance(agent, Claude) and isinstance(agent.system, str) else None,
        allow=agent.allow,
        deny=agent.deny,
        approve=["*"] if agent.approve is True else agent.approve if isinstance(agent.approve, list) else [],
        limits={str(k): v for k, v in agent.limits.items()}
        | {"turns": min(agent.max_turns, agent.limits.get("turns", agent.max_turns))},
        retries=agent.retries,
        seed=services.seed,
        source=node.source,
        past=past,
        settings=agent.settings if isinstance(agent, Claude) else {},
        cache=agent.cache,
        recorded=services.replay.agent(task_id, node.id) if services.replay else None,
        local=local,
    )
    if services.runner.remote:
        task.as_json()
    return task


def _local(services: Services, agent: Claude | Agent) -> Local:
    """Return what only this process has of it, with the model that stands in for its own in this execution, if any."""
    approve = agent.approve if callable(agent.approve) else None
    if isinstance(agent, Claude):
        model = services.models.get(agent.model, agent.model) if isinstance(agent.model, str) else agent.model
        system = agent.system if callable(agent.system) else None
        return Local(model, agent.tools, agent.output_type, approve, deps=agent.deps, system=system)
    own: Any = getattr(agent.agent, "model", None)
    name = own if isinstance(own, str) else getattr(own, "model_id", None)
    return Local(model=services.models.get(str(name)), approve=approve, agent=agent.agent, deps=agent.deps)


async def past_of(services: Services, entry: TaskEntry) -> Past | None:
    """Return how far the agent of a task came, from the store; None if it begins.

    Tools that were called and have no end are marked as interrupted.

    Raises:
        AgentError: if it is not to go on after it was cut off.
    """
    node = entry.node.node
    assert isinstance(node, Claude | Agent)  # for the type checker
    cut_off, entry.cut_off = entry.cut_off, False
    if not cut_off and not entry.waited:
        return None
    await services.database.transaction(calls.interrupt_tool_calls, services.execution_id, entry.task_id)
    if cut_off and node.resume_mode == "fail":
        raise AgentError(
            f'{entry.node.id} was cut off while it ran, and resume_mode="fail" says that it does not go on by itself. '
            f"What it had done is in model_calls and tool_calls; ex.retry({entry.node.id!r}) begins anew.",
            node_id=entry.node.id,
            source=entry.node.source,
        )
    if cut_off and node.resume_mode == "restart":
        await services.database.transaction(writer.withdraw, services.execution_id, [entry.task_id])
        return None
    past = recorded_past(Reader(services.database.path), services.execution_id, entry.task_id)
    entry.spent = replace(past.spent)
    return past


class TaskLedger:
    """What the runner writes of one task."""

    def __init__(self, services: Services, entry: TaskEntry) -> None:
        self._services = services
        self._entry = entry
        self._started = entry.attempt
        """How often the task had been started by then: after a restart the runner counts from 1."""
        services.budget.begin()

    async def asked(self, request: ModelCall) -> None:
        """Record a request. It may have been paid for: if the file is locked, it goes in with the task's end."""
        entry = self._entry
        entry.spent.add(request)
        entry.attempt = max(entry.attempt, request.attempt)
        self._services.budget.spent.add(request)
        await self._record(request, late=True)
        self._services.observers.notify()

    async def answer_to(self, signature: str) -> str | None:
        """Return the newest answer to the same request that the file has."""
        return await called(Reader(self._services.database.path).answer_to, signature)

    async def tool(self, call: ToolCall) -> None:
        """Record a tool call. One that can't be recorded is not begun."""
        if call.status == "running" or call.native:
            self._entry.spent.tool_calls += 1
            self._services.budget.spent.tool_calls += 1
        elif call.status == "waiting" and call.ms is not None:
            # It was called, and asks first: it is counted when it does its work.
            self._entry.spent.tool_calls -= 1
            self._services.budget.spent.tool_calls -= 1
        await self._record(call, late=call.status != "running")

    def piece(self, turn: int, attempt: int, kind: str, payload: str) -> None:
        """Record a streamed piece."""
        self._services.stream.add(self._entry.task_id, turn, self._started + attempt - 1, kind, payload)

    def turn(self, window: str | None) -> AbstractAsyncContextManager[None]:
        """Wait until the provider may be asked."""
        return _at_once() if window is None else windows.turn(self._services.database, window)

    async def refused(self, window: str, wait_s: float) -> None:
        """Nobody asks this provider for a while."""
        await self._services.database.transaction(calls.close_window, window, time(), wait_s)

    def reached(self, tool: bool = False) -> str | None:
        """Return which limit of the execution is reached."""
        return self._services.budget.reached(tool)

    def remaining_s(self) -> float | None:
        """Return how long the execution's agents may still go on."""
        return self._services.budget.remaining_s()

    async def _record(self, call: ModelCall | ToolCall, late: bool) -> None:
        services = self._services
        try:
            await services.database.transaction(calls.add_call, services.execution_id, call)
        except StoreError as error:
            if not late:
                raise
            logger.warning("what %s did could not be recorded yet: %s", call.task_id, error)
            self._entry.late.append(call)


@asynccontextmanager
async def _at_once() -> AsyncIterator[None]:
    yield
