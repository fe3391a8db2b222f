"""The tool calls of agents that functions of a node's agent run, as they are recorded under it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from time import time

from ..errors import RepeatRefusedError
from ..records import ModelCall, Repeat, ToolCall, ToolStatus
from . import native_tools
from .cassette import Cassette
from .inner_requests import InnerAgent
from .limits import Limits
from .runner import AgentTask, Ledger, Past
from .tool_calls import TOLD, Asked
from .turns import Turns


class InnerTools:
    """The record of the tool calls of inner agents, which count for the limits of the node's agent."""

    def __init__(self, task: AgentTask, ledger: Ledger, turns: Turns, limits: Limits) -> None:
        self._task_id = task.task_id
        self._ledger = ledger
        self._turns = turns
        self._limits = limits
        self._before = list((task.past or Past()).inner_tools)
        """The calls from before an interruption that are not used again yet: the tool that was cut off is called
        again, and so is its agent, but what that one's tools did is done.
        """
        self._attempts = Counter(map(_key, self._before))

    async def recall(
        self, asked: Asked, by: InnerAgent, *, answer: ModelCall | None, repeat: Repeat
    ) -> ToolCall | None:
        """Return the recorded call whose result a call gets: where the ``answer`` that asks for it is a recorded one,
        or ``repeat`` says so; None if it is made.

        Raises:
            RepeatRefusedError: if it was made already, and is not to be repeated.
        """
        # A new answer may use an id again, and asks for a call of its own.
        past = None
        if answer is not None and answer.reused_id is not None:
            if before := self._take_before(asked, by):
                return before
            past = await self._ledger.reused_tool_call(answer.reused_id, asked.id)
        if past is None or (past.tool, json.loads(past.input)) != (asked.tool, json.loads(asked.input)):
            try:
                past = await self._ledger.repeated_tool_call(asked.tool, asked.input, repeat)
            except RepeatRefusedError as error:
                await self.never_called(asked, by, status="denied", why=str(error))
                raise
        if past is None:
            return None
        call = replace(self._call(asked, by, past.status), output=past.output, error=past.error, ms=0.0)
        return await self._record(replace(call, reused_id=past.id))

    async def replay(self, asked: Asked, by: InnerAgent, cassette: Cassette) -> ToolCall | None:
        """Record a call with its recorded end, and return it; None if the recording has none of such agents.

        Raises:
            ReplayMismatchError: if the call is not recorded.
        """
        past = cassette.inner_tool(self._call(asked, by, "running"))
        if past is None:
            return None
        row = await self.start(asked, by)
        await self.end(row, past.status, past.output, past.error)
        return past

    async def start(self, asked: Asked, by: InnerAgent) -> ToolCall:
        """Record a call that is about to be made; return its record.

        Raises:
            BudgetExceededError: if it is one too many.
        """
        # Counted before it is recorded: a call that is refused has no row.
        self._limits.count_tool()
        return await self._record(self._call(asked, by, "running"))

    async def end(
        self, call: ToolCall, status: ToolStatus, output: str | None = None, error: str | None = None
    ) -> None:
        """Record the end of a call that was made."""
        # Not by _record: this is the row of its start.
        ms = (time() - call.started_at) * 1000
        await self._ledger.tool(replace(call, status=status, output=output, error=error, ms=ms))

    async def never_called(self, asked: Asked, by: InnerAgent, *, status: ToolStatus, why: str) -> None:
        """Record a call that is not made."""
        await self._record(replace(self._call(asked, by, status), ms=0.0, error=why))

    async def record_native(self, response: str, by: InnerAgent) -> None:
        """Record the calls that the provider made while it gave an answer."""
        for one in native_tools.calls_in(response):
            self._limits.spent.tool_calls += 1
            call = self._call(Asked(one.tool_call_id, one.tool, one.input), by, one.status)
            await self._record(replace(call, output=one.output, ms=0.0, elsewhere=True))

    def _take_before(self, asked: Asked, by: InnerAgent) -> ToolCall | None:
        """Take the first such call from before an interruption, if the model was told its result."""
        wanted = (by.name, by.caller, asked.id, asked.tool, json.loads(asked.input))
        for past in self._before:
            if past.status in TOLD and (*_key(past)[1:], past.tool, json.loads(past.input)) == wanted:
                self._before.remove(past)
                return past
        return None

    def _call(self, asked: Asked, by: InnerAgent, status: ToolStatus) -> ToolCall:
        call = ToolCall(
            task_id=self._task_id,
            turn=self._turns.now,
            attempt=1,
            tool_call_id=asked.id,
            tool=asked.tool,
            input=asked.input,
            status=status,
            started_at=time(),
            agent=by.name,
            caller=by.caller,
        )
        return replace(call, attempt=self._attempts[_key(call)] + 1)

    async def _record(self, call: ToolCall) -> ToolCall:
        # A model may use an id again in its next answer: the attempt keeps the rows apart.
        self._attempts[_key(call)] += 1
        await self._ledger.tool(call)
        return call


def _key(call: ToolCall) -> tuple[int, str | None, str | None, str]:
    return call.turn, call.agent, call.caller, call.tool_call_id
