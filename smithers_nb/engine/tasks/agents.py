"""Agents seen from the engine: what a runner is given of a node, and the ledger that it writes to."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import replace
from time import time
from typing import Any

from ...agents.runner import AgentTask, Local, Past
from ...agents.scripted import Scripted
from ...agents.wire import resolve, to_json
from ...credentials import is_masked
from ...errors import AgentConfigError, AgentError, StoreError, said
from ...nodes.parts import Content, PromptPart
from ...nodes.runnable import Agent, Claude
from ...nodes.tree import TreeNode
from ...records import ModelCall, Repeat, ReusedAnswer, ToolCall
from ...store import calls, writer
from ...store.reader import Reader
from ...store.requests import Base, base_of
from ...threads import called
from ..services import Services
from ..user_code.scope import in_tool
from . import windows
from .entry import TaskEntry
from .history import history_of
from .past import recorded_past

logger = logging.getLogger(__name__)

REPORT_S = 0.1
"""The time for which pieces are collected before they are reported as progress."""


def agent_task(
    services: Services, node: TreeNode, task_id: str, past: Past | None = None, *, leg: int = 0
) -> AgentTask:
    """Return an agent node as the runner gets it.

    Raises:
        AgentConfigError: if its runner is in another process, and the agent can't go there.
    """
    agent = node.node
    assert isinstance(agent, Claude | Agent)  # for the type checker: the schedule starts nothing else
    local = _local(services, agent)
    replay = services.replay
    limits = {str(name): value for name, value in agent.limits.items()}
    limits["turns"] = min(agent.max_turns, agent.limits.get("turns", agent.max_turns))
    # A pydantic-ai Agent brings its own instructions and settings: they are in ``Local``, as part of the agent.
    system: str | None = None
    settings: dict[str, Any] = {}
    if isinstance(agent, Claude):
        settings = agent.settings
        if isinstance(agent.system, str):  # A function that makes them is in Local.
            system = agent.system
    task = AgentTask(
        execution_id=services.execution_id,
        task_id=task_id,
        node_id=node.id,
        agent=_agent_name(agent),
        model=local.model if isinstance(local.model, str) else repr(local.model),
        prompt=node.content,
        system=system,
        allow=agent.allow,
        deny=agent.deny,
        approve=_patterns(agent.approve),
        repeat=dict(agent.repeat),
        limits=limits,
        retries=agent.retries,
        seed=services.seed,
        source=node.source,
        leg=leg,
        stands=_stands(services, agent, node.id),
        past=past,
        settings=settings,
        reports="on_progress" in node.events,
        # One that continues after an answer has it among its own messages.
        history="[]" if not task_id or (past and past.turn) else history_of(services, node, task_id),
        cache=agent.cache,
        recorded=replay.agent(task_id, node.id) if replay else None,
        local=local,
    )
    if parts := _parts(node):
        task = replace(task, local=replace(local, parts=parts))
    if services.runner.remote:
        # Refused here, where the node is known, and not by a worker that gets half of the agent.
        to_json(task, send_code=getattr(services.runner, "send_code", False))
    return task


def _parts(node: TreeNode) -> list[str | Content]:
    """Return the prompt in its parts, if some of them are no text."""
    found: list[str | Content] = []
    for child in node.walk():
        if isinstance(child.node, PromptPart):
            found.append(child.node.content)
        elif child.text:
            found.append(child.text)
    if all(isinstance(part, str) for part in found):
        return []
    return found


def _agent_name(agent: Claude | Agent) -> str:
    if isinstance(agent, Claude):
        return "claude"
    return str(getattr(_own(agent), "name", None) or "agent")


def _own(agent: Agent) -> Any:  # Any: a pydantic_ai.Agent
    """Return the user's agent, from its module where the node names it.

    Raises:
        AgentConfigError: if it can't be imported.
    """
    if not isinstance(agent.agent, str) or ":" not in agent.agent:
        return agent.agent
    try:
        return resolve(agent.agent)
    except Exception as error:  # an import runs the user's module
        raise AgentConfigError(
            f"agent={agent.agent!r} can't be imported ({said(error)}). It names a variable of a module: "
            "'research.agents:writer'."
        ) from error


def _stands(services: Services, agent: Claude | Agent, node_id: str) -> str:
    """Return the name that an agent's model stands under, with the branch that replaced it; else its node, with its
    script.
    """
    name = _model_name(agent)
    if name is not None and (isinstance(agent, Claude) or name in services.models):
        replaced = services.reusing.reuse.models.get(name, "") if services.reusing else ""
        return f"{name} {replaced}"
    script = agent.model if isinstance(agent, Claude) else None
    if isinstance(script, Scripted):
        return f"{node_id} {[getattr(one, '__qualname__', one) for one in script.replies]!r}"
    return node_id


def _model_name(agent: Claude | Agent) -> str | None:
    """Return the name of an agent's model; None for an object of the user's that has none."""
    if isinstance(agent, Claude):
        return agent.model if isinstance(agent.model, str) else None
    own: Any = getattr(_own(agent), "model", None)
    return str(getattr(own, "model_id", own))


def _patterns(approve: object) -> list[str]:
    """Return the names of the tools that ask first. A function decides in this process: it is in ``Local``."""
    if approve is True:
        return ["*"]
    if isinstance(approve, list):
        return approve
    return []


def _local(services: Services, agent: Claude | Agent) -> Local:
    """Return the parts that can't leave this process. A model of the execution's ``models`` replaces the agent's."""
    approve = agent.approve if callable(agent.approve) else None
    history = agent.history if isinstance(agent.history, list) else None
    if isinstance(agent, Claude):
        model = agent.model
        if isinstance(model, str):
            model = services.models.get(model, model)
        system = agent.system if callable(agent.system) else None
        return Local(
            model=model,
            tools=agent.tools,
            output_type=agent.output_type,
            approve=approve,
            deps=agent.deps,
            system=system,
            history=history,
            history_limit=agent.history_limit,
            file=services.database.path,
        )
    return Local(
        model=services.models.get(str(_model_name(agent))),
        approve=approve,
        agent=_own(agent),
        reference=agent.agent if isinstance(agent.agent, str) else None,
        deps=agent.deps,
        history=history,
        history_limit=agent.history_limit,
        file=services.database.path,
    )


async def past_of(services: Services, entry: TaskEntry) -> Past | None:
    """Return the progress of a task's agent, from the store; None if it begins.

    Requests and tool calls that have no end are marked as interrupted.

    Raises:
        AgentError: if it was cut off and ``resume_mode`` keeps it from continuing.
    """
    node = entry.node.node
    assert isinstance(node, Claude | Agent)  # for the type checker
    if entry.out:
        return await _past_out(services, entry)
    cut_off, entry.cut_off = entry.cut_off, False
    if not cut_off and not entry.waited:
        return None
    # A tool call without an end may have done its work, or a part of it. It is never called again silently: the model
    # reads that it was interrupted, and decides.
    await services.database.transaction(calls.interrupt_calls, services.execution_id, entry.task_id)
    if cut_off and node.resume_mode == "fail":
        raise AgentError(
            f'{entry.node.id} was cut off while it ran, and resume_mode="fail" keeps it from continuing by itself. '
            f"Its requests and tool calls are in model_calls and tool_calls; ex.retry({entry.node.id!r}) starts it "
            "from the beginning.",
            node_id=entry.node.id,
            source=entry.node.source,
        )
    if cut_off and node.resume_mode == "restart":
        await services.database.transaction(writer.withdraw, services.execution_id, [entry.task_id])
        return None
    past, entry.base = recorded_past(Reader(services.database.path), services.execution_id, entry.task_id)
    entry.spent = replace(past.spent)
    return past


async def _past_out(services: Services, entry: TaskEntry) -> Past | None:
    """Return the progress of an agent that workers have run while no kernel had the execution; None if it begins.

    It is for an item that was not handed over before the kernel ended. One that was has its past already.
    """
    entry.out = False
    if entry.ledger_offset == 0:
        # No row of this leg is here: what is open belongs to an earlier one, which has ended.
        await services.database.transaction(calls.interrupt_calls, services.execution_id, entry.task_id)
    past, entry.base = recorded_past(Reader(services.database.path), services.execution_id, entry.task_id)
    entry.spent = replace(past.spent)
    if not past.turn and not past.attempts and not past.tools:
        return None
    return past


RECORDED = ("system", "allow", "deny", "approve", "repeat", "limits", "max_turns", "retries")
"""The props that a file gives back as they were, where they are no functions."""


async def as_started(services: Services, entry: TaskEntry) -> TreeNode:
    """Return an agent's node with the props of the frame in which it started, in the process that resumes it.

    They are read from the file, but for those that no file can give back: the model, tools, types, functions and
    settings are the present ones.
    """
    present = entry.node.node
    assert isinstance(present, Claude | Agent)  # for the type checker
    reader = Reader(services.database.path)
    recorded = await called(reader.node_as_started, services.execution_id, entry.task_id)
    if recorded is None:  # Its first frames were pruned.
        return entry.node
    props = json.loads(recorded)
    changed = {
        name: props.get(name, default)
        for name, default in present.declared
        if name in RECORDED and not callable(getattr(present, name)) and not is_masked(props.get(name))
    }
    entry.started = replace(entry.node, node=present.model_copy(update=changed))
    return entry.started


class TaskLedger:
    """The record of one agent task, which its runner writes."""

    def __init__(self, services: Services, entry: TaskEntry, report: Callable[[object], None]) -> None:
        self._services = services
        self._entry = entry
        self._report = report
        """Gives the newest output to the handler ``on_progress``."""
        self._newest: Callable[[], object] = lambda: None
        self._reporting: asyncio.TimerHandle | None = None
        self._bases: dict[tuple[str | None, str | None], Base] = {(None, None): entry.base} if entry.base else {}
        """The last request of the node's agent, and of each that its tools run: the next one is stored against it."""
        self.reuses = services.reusing is not None and "agents" in services.reusing.reuse.kinds
        if entry.is_agent:
            services.budget.begin()

    async def asked(self, request: ModelCall) -> int | None:
        """Record a request, and return the id of its row."""
        entry = self._entry
        # A fallback asks several models in one attempt: their requests may be more than the attempts that the task has.
        entry.attempt = max(entry.attempt, min(request.attempt, entry.max_attempts))
        ended = request.status != "running"
        if ended:
            entry.spent.add(request)
            self._services.budget.spent.add(request)
        who = (request.agent, request.caller)
        base = self._bases.get(who)
        id = await self._put(request, base)
        if id is None and ended:
            # It may have been paid for, so a locked file must not lose it: it is then recorded with the task's end.
            entry.late.append(request)
        elif id is not None and ended:
            self._bases[who] = base_of(request, id)
        self._services.observers.notify()
        return id

    async def accepted(self, request: ModelCall) -> None:
        """Record the answer that the agent continues with, where it is not the model's."""
        if await self._put(request, None) is None:
            self._entry.late.append(request)

    async def _put(self, request: ModelCall, base: Base | None) -> int | None:
        services = self._services
        try:
            return await services.database.transaction(calls.put_model_call, services.execution_id, request, base=base)
        except StoreError as error:
            logger.warning("what %s did could not be recorded yet: %s", request.task_id, error)
            return None

    async def answer_to(self, signature: str) -> str | None:
        """Return the newest answer that the file has to a request of this signature; None if there is none."""
        return await called(Reader(self._services.database.path).answer_to, signature)

    async def reused_answer(self, same: str) -> ReusedAnswer | None:
        """Return the next recorded answer to a request that is the same; None if it has to be made."""
        reusing = self._services.reusing
        if reusing is None:
            return None
        return await reusing.answer(same, self._entry.node.id)

    async def reused_tool_call(self, reused_id: int, tool_call_id: str) -> ToolCall | None:
        """Return the recorded call of a tool that a reused answer asked for; None if it has to be made."""
        reusing = self._services.reusing
        if reusing is None:
            return None
        return await reusing.tool_call(reused_id, tool_call_id)

    async def repeated_tool_call(self, tool: str, given: str, repeat: Repeat) -> ToolCall | None:
        """Return the recorded call of a tool whose result the same call gets in a branch; None if it has to be made.

        Raises:
            RepeatRefusedError: if it was made already, and is not to be repeated.
        """
        reusing = self._services.reusing
        if reusing is None:
            return None
        return await reusing.repeated_tool(self._entry.node, tool, given, repeat=repeat)

    async def tool(self, call: ToolCall) -> None:
        """Record a tool call. A call whose beginning can't be recorded is not made."""
        if call.reused_id is None:  # Else it was made in another execution.
            self._count(call)
        # The beginning has to be in the file before the tool does anything: after a crash, the row is the only sign
        # that it may have.
        await self._record(call, late=call.status != "running")

    def _count(self, call: ToolCall) -> None:
        if call.status == "running" or call.elsewhere:
            self._entry.spent.tool_calls += 1
            self._services.budget.spent.tool_calls += 1
        elif call.status == "waiting" and call.ms is not None:
            # It was called, and asked for approval itself: it counts when it does its work.
            self._entry.spent.tool_calls -= 1
            self._services.budget.spent.tool_calls -= 1

    def in_tool(self, tool_call_id: str) -> AbstractContextManager[None]:
        """Let a tool call be the author of what its function writes to the state."""
        return in_tool(tool_call_id)

    def piece(self, turn: int, attempt: int, kind: str, payload: object) -> None:
        """Record a streamed piece."""
        self._services.stream.add(self._entry.task_id, turn=turn, attempt=attempt, kind=kind, payload=payload)

    def progress(self, report: Callable[[], object]) -> None:
        """Tell the node of output that streams, a few times a second."""
        # The recorded frames of a replay have their own causes, whatever streams in it.
        if self._services.replay is not None:
            return
        self._newest = report
        if self._reporting is None:
            self._reporting = asyncio.get_running_loop().call_later(REPORT_S, self._reported)

    def _reported(self) -> None:
        self._reporting = None
        # The task may have ended meanwhile: its end is the newest that there is.
        if self._entry.status == "running" and not self._services.closed and (output := self._newest()) is not None:
            self._report(output)

    def turn(self, window: str | None) -> AbstractAsyncContextManager[None]:
        """Wait until the provider may be asked."""
        if window is None:
            return nullcontext()
        return windows.turn(self._services.database, window)

    async def refused(self, window: str, wait_s: float) -> None:
        """Close the window of a provider that refused a request, for all processes of the file."""
        await self._services.database.transaction(calls.close_window, window, time(), wait_s)

    def reached(self, tool: bool = False) -> str | None:
        """Return the name of the execution's limit that is reached; None if none is."""
        return self._services.budget.reached(tool)

    def unpriced(self) -> int:
        """Return the number of answers in the execution whose price is not known."""
        return self._services.budget.spent.unpriced

    def remaining_s(self) -> float | None:
        """Return the seconds for which the execution's agents may still run; None without a limit."""
        return self._services.budget.remaining_s()

    async def _record(self, call: ToolCall, late: bool) -> None:
        services = self._services
        try:
            await services.database.transaction(calls.put_tool_call, services.execution_id, call)
        except StoreError as error:
            if not late:
                raise
            logger.warning("a call of %s could not be recorded yet: %s", call.task_id, error)
            self._entry.late.append(call)
