"""Agents seen from the engine: what a runner is given of a node, and the ledger that it writes to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING, Any

from ...agents.runner import AgentTask, Local, Past, RecordedAgent, Spent
from ...errors import AgentError, StoreError
from ...nodes.runnable import Agent, Claude
from ...nodes.tree import TreeNode
from ...records import ModelCall, ToolCall
from ...store import calls, writer
from ...store.connection import Database
from ...store.reader import Reader
from ...threads import called
from . import windows

if TYPE_CHECKING:
    from ..live import Live
    from .table import TaskEntry

logger = logging.getLogger(__name__)


def agent_task(live: Live, node: TreeNode, task_id: str, past: Past | None = None) -> AgentTask:
    """Return what the runner needs to know of an agent node.

    Raises:
        AgentConfigError: if its runner is in another process, and the agent can't go there.
    """
    agent = node.node
    assert isinstance(agent, Claude | Agent)  # for the type checker: the schedule starts nothing else
    local = _local(live, agent)
    task = AgentTask(
        execution_id=live.execution_id,
        task_id=task_id,
        node_id=node.id,
        agent="claude" if isinstance(agent, Claude) else str(getattr(agent.agent, "name", None) or "agent"),
        model=local.model if isinstance(local.model, str) else repr(local.model),
        prompt=node.content,
        system=agent.system if isinstance(agent, Claude) else None,
        allow=agent.allow,
        deny=agent.deny,
        approve=["*"] if agent.approve is True else agent.approve if isinstance(agent.approve, list) else [],
        limits={str(k): v for k, v in agent.limits.items()}
        | {"turns": min(agent.max_turns, agent.limits.get("turns", agent.max_turns))},
        retries=agent.retries,
        seed=live.seed,
        source=node.source,
        past=past,
        cache=agent.cache,
        recorded=live.replay.agent(task_id, node.id) if live.replay else None,
        local=local,
    )
    if live.runner.remote:
        task.as_json()
    return task


def _local(live: Live, agent: Claude | Agent) -> Local:
    """Return what only this process has of it, with the model that stands in for its own in this execution, if any."""
    approve = agent.approve if callable(agent.approve) else None
    if isinstance(agent, Claude):
        model = live.models.get(agent.model, agent.model) if isinstance(agent.model, str) else agent.model
        return Local(model, agent.tools, agent.output_type, approve)
    own: Any = getattr(agent.agent, "model", None)
    name = own if isinstance(own, str) else getattr(own, "model_id", None)
    return Local(model=live.models.get(str(name)), approve=approve, agent=agent.agent, deps=agent.deps)


async def past_of(live: Live, entry: TaskEntry) -> Past | None:
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
    await live.database.transaction(calls.interrupt_tool_calls, live.execution_id, entry.task_id)
    if cut_off and node.resume_mode == "fail":
        raise AgentError(
            f'{entry.node.id} was cut off while it ran, and resume_mode="fail" says that it does not go on by itself. '
            f"What it had done is in model_calls and tool_calls; ex.retry({entry.node.id!r}) begins anew.",
            node_id=entry.node.id,
            source=entry.node.source,
        )
    if cut_off and node.resume_mode == "restart":
        await live.database.transaction(writer.withdraw, live.execution_id, [entry.task_id])
        return None
    past = _past(Reader(live.database.path), live.execution_id, entry.task_id)
    entry.spent = replace(past.spent)
    return past


def spent_by(reader: Reader, execution_id: str, task_id: str) -> Spent:
    """Return what the agent of a task had used, from the store."""
    return _past(reader, execution_id, task_id).spent


def recorded_agent(reader: Reader, execution_id: str, task_id: str, complete: bool) -> RecordedAgent:
    """Return what a replay answers an agent from."""
    requests = reader.model_calls(execution_id, task_id)
    tools = reader.tool_calls(execution_id, task_id)
    waiting = {call.tool_call_id for call in tools if call.status == "waiting"}
    # An agent whose other questions were open had not gone on with what was answered.
    decisions = [one for one in reader.decisions(execution_id, task_id) if one.tool_call_id not in waiting]
    return RecordedAgent(requests, tools, decisions, complete)


def _past(reader: Reader, execution_id: str, task_id: str) -> Past:
    spent = Spent()
    past = Past()
    failures = 0
    for call in reader.model_calls(execution_id, task_id):
        spent.add(call)
        if call.response is None:
            failures += call.error not in CUT
        else:
            failures = 0
            past = Past(call.turn, call.request, call.response)
    tools = {call.tool_call_id: call for call in reader.tool_calls(execution_id, task_id)}
    spent.tool_calls = sum(1 for call in tools.values() if call.status in CALLED)
    spent.seconds = reader.busy_s(execution_id, task_id)
    decisions = reader.decisions(execution_id, task_id)
    return replace(past, failures=failures, decisions=decisions, tools=tools, spent=spent)


CUT = ("it was cancelled",)
"""What is said of a request that did not fail."""
CALLED = ("running", "ok", "retry", "failed", "raised", "interrupted")


class Budget:
    """What all agents of an execution may use together, those of its children too."""

    def __init__(self, limits: dict[str, float], spent: Spent) -> None:
        self.limits = limits
        self.spent = spent
        self._began: float | None = None

    @classmethod
    def of(cls, limits: dict[str, float], database: Database, execution_id: str) -> Budget:
        """Return the budget of an execution, with what the file says that it has used."""
        reader = Reader(database.path)
        used = reader.usage(execution_id)
        spent = Spent(
            turns=used.turns,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            tool_calls=used.tool_calls,
            cost_usd=used.cost_usd,
            unpriced=used.unpriced,
            seconds=reader.busy_s(execution_id) if "seconds" in limits else 0.0,
        )
        return cls(limits, spent)

    def begin(self) -> None:
        """An agent starts."""
        self._began = self._began or time()

    def reached(self, tool: bool) -> str | None:
        """Return which limit keeps another request, or tool call, from being made, in words; None if none does."""
        spent, limits = self.spent, self.limits
        used = {
            "turns": spent.turns,
            "tokens": spent.input_tokens + spent.output_tokens,
            "tool_calls": spent.tool_calls if tool else 0,
            "cost_usd": spent.cost_usd if not spent.unpriced else float("inf"),
        }
        over = [name for name, value in used.items() if name in limits and value >= limits[name]]
        if self.remaining_s() == 0.0:
            over.append("seconds")
        return f"{over[0]} of the execution" if over else None

    def remaining_s(self) -> float | None:
        """Return how many seconds the agents may still go on: counted from the first that started in this process, and
        before that what requests and tool calls took.
        """
        most = self.limits.get("seconds")
        return None if most is None else max(0.0, (self._began or time()) + most - self.spent.seconds - time())


class TaskLedger:
    """What the runner writes of one task."""

    def __init__(self, live: Live, entry: TaskEntry) -> None:
        self._live = live
        self._entry = entry
        self._started = entry.attempt
        """How often the task had been started by then: after a restart the runner counts from 1."""
        live.budget.begin()

    async def asked(self, request: ModelCall) -> None:
        """Record a request. It may have been paid for: if the file is locked, it goes in with the task's end."""
        entry = self._entry
        entry.spent.add(request)
        entry.attempt = max(entry.attempt, request.attempt)
        self._live.budget.spent.add(request)
        await self._record(request, late=True)
        self._live.observers.notify()

    async def answer_to(self, signature: str) -> str | None:
        """Return the newest answer to the same request that the file has."""
        return await called(Reader(self._live.database.path).answer_to, signature)

    async def tool(self, call: ToolCall) -> None:
        """Record a tool call. One that can't be recorded is not begun."""
        if call.status == "running":
            self._entry.spent.tool_calls += 1
            self._live.budget.spent.tool_calls += 1
        elif call.status == "waiting" and call.ms is not None:
            # It was called, and asks first: it is counted when it does its work.
            self._entry.spent.tool_calls -= 1
            self._live.budget.spent.tool_calls -= 1
        await self._record(call, late=call.status != "running")

    def piece(self, turn: int, attempt: int, kind: str, payload: str) -> None:
        """Record a streamed piece."""
        self._live.stream.add(self._entry.task_id, turn, self._started + attempt - 1, kind, payload)

    def turn(self, window: str | None) -> AbstractAsyncContextManager[None]:
        """Wait until the provider may be asked."""
        return _at_once() if window is None else windows.turn(self._live.database, window)

    async def refused(self, window: str, wait_s: float) -> None:
        """Nobody asks this provider for a while."""
        await self._live.database.transaction(calls.close_window, window, time(), wait_s)

    def reached(self, tool: bool = False) -> str | None:
        """Return which limit of the execution is reached."""
        return self._live.budget.reached(tool)

    def remaining_s(self) -> float | None:
        """Return how long the execution's agents may still go on."""
        return self._live.budget.remaining_s()

    async def _record(self, call: ModelCall | ToolCall, late: bool) -> None:
        live = self._live
        try:
            await live.database.transaction(calls.add_call, live.execution_id, call)
        except StoreError as error:
            if not late:
                raise
            logger.warning("what %s did could not be recorded yet: %s", call.task_id, error)
            self._entry.late.append(call)


@asynccontextmanager
async def _at_once() -> AsyncIterator[None]:
    yield
