"""The tool calls of an agent as they are recorded: before a tool is called, and again with its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import time

from ..errors import RepeatRefusedError
from ..records import Decision, Repeat, ToolCall, ToolStatus
from . import native_tools
from .limits import Limits
from .runner import AgentTask, ApprovalRequired, Ledger, Past, ToolQuestion
from .turns import Turns

TOLD: tuple[ToolStatus, ...] = ("ok", "retry", "failed")
"""The statuses of calls that were made, and whose end the model is told."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of a tool that an answer of the model asks for."""

    id: str
    tool: str
    input: str
    """The arguments as JSON."""


class ToolCalls:
    """The record of an agent's tool calls."""

    def __init__(self, task: AgentTask, ledger: Ledger, turns: Turns, limits: Limits) -> None:
        self._task_id = task.task_id
        self._ledger = ledger
        self._turns = turns
        self._limits = limits
        # A copy: the past belongs to the task, and is read again if the agent is submitted again.
        self._calls = dict((task.past or Past()).tools)
        """The newest record of each call, by its id."""
        self.asked_later: list[ToolQuestion] = []
        """Questions about calls whose turn has begun, for the time before the next request."""
        self.known: set[str] = set()
        """Ids of the tool calls that had ended when this run of the agent began."""
        self.begun: set[str] = set()
        """Ids of those calls, and of the calls that a person was asked about."""
        self.offered: frozenset[str] = frozenset()
        """The names of the functions that the model is offered in this turn."""
        self.outputs: frozenset[str] = frozenset()
        """The names of the tools by which it gives its output."""

    def begin(self) -> None:
        """Begin a run of the agent, which is given the last answered turn once more."""
        answered = self._turns.answered
        last = [call for call in self._calls.values() if answered and call.turn == answered.turn]
        self.known = {call.tool_call_id for call in last if call.status not in ("waiting", "running", "interrupted")}
        self.begun = self.known | {call.tool_call_id for call in last if call.status == "waiting"}

    def find(self, tool_call_id: str, turn: int | None = None) -> ToolCall | None:
        """Return the record of a call of a turn, this one: there are models that use an id again."""
        call = self._calls.get(tool_call_id)
        if call is not None and call.turn == (turn or self._turns.now):
            return call
        return None

    def ended(self, tool_call_id: str) -> ToolCall | None:
        """Return the call if it has ended already: it is not made again."""
        call = self.find(tool_call_id)
        if call is not None and call.status in TOLD:
            return call
        return None

    # ---- calls that are made -----------------------------------------------------------------------------------

    async def start(self, asked: Asked) -> ToolCall:
        """Record a call that is about to be made; return its record.

        Raises:
            BudgetExceededError: if it is one too many.
        """
        self._limits.count_tool()
        known = self.find(asked.id)
        attempt = 1
        if known is not None:
            # A call that waited for a person was not made yet: it is still the same attempt.
            attempt = known.attempt + (known.status != "waiting")
        return await self._record(self._call(asked, attempt, "running"))

    async def end(
        self, call: ToolCall, status: ToolStatus, output: str | None = None, error: str | None = None
    ) -> None:
        """Record the end of a call that was made."""
        ms = (time() - call.started_at) * 1000
        await self._record(replace(call, status=status, output=output, error=error, ms=ms))

    async def ask(self, questions: list[ToolQuestion]) -> ApprovalRequired:
        """Record that calls wait for people; return the error that lets the agent wait, too."""
        for one in questions:
            known = self.find(one.tool_call_id)
            if known is None or known.status != "waiting":
                attempt = known.attempt + 1 if known else 1
                asked = Asked(one.tool_call_id, one.tool, one.input)
                await self._record(self._call(asked, attempt, "waiting", one.turn))
        return ApprovalRequired(questions)

    # ---- calls that are not made here --------------------------------------------------------------------------

    async def never_called(self, asked: Asked, status: ToolStatus, why: str, turn: int | None = None) -> ToolCall:
        """Record a call that is not made; return its record. Repeating it changes nothing."""
        turn = turn or self._turns.now
        known = self.find(asked.id, turn)
        attempt = known.attempt if known else 1
        call = replace(self._call(asked, attempt, status, turn), ms=0.0, error=why)
        if known is None or known.status in ("waiting", "running"):
            await self._record(call)
        return call

    async def made_elsewhere(self, asked: Asked, decision: Decision) -> ToolCall:
        """Record the end of a call that was made elsewhere; return its record."""
        known = self.find(asked.id)
        if known is not None and known.status != "waiting":
            return known
        # In a replay no one is asked: there is no record of a call that waits.
        call = known or self._call(asked, 1, "waiting")
        failure: str | None = None
        status: ToolStatus = "ok"
        if not decision.approved:
            status, failure = "failed", decision.comment or "It failed."
        self._limits.spent.tool_calls += 1
        return await self._record(
            replace(call, status=status, output=decision.result, error=failure, ms=call.ms or 0.0, elsewhere=True)
        )

    async def reuse(self, asked: Asked, repeat: Repeat) -> ToolCall | None:
        """Record a call that the branch does not make, because the file has its result; return its record.

        None if it has to be made: the answer that asks for it is new, or it had no such arguments or no result, and
        ``repeat`` lets it be made.

        Raises:
            RepeatRefusedError: if it was made already, and is not to be repeated.
        """
        past = await self._reused(asked.id, self._turns.now)
        if past is None or (past.tool, json.loads(past.input)) != (asked.tool, json.loads(asked.input)):
            try:
                past = await self._ledger.repeated_tool_call(asked.tool, asked.input, repeat)
            except RepeatRefusedError as error:
                await self.never_called(asked, "denied", str(error))
                raise
        if past is None:
            return None
        known = self.find(asked.id)
        call = self._call(asked, known.attempt if known else 1, past.status)
        return await self._record(replace(call, output=past.output, error=past.error, ms=0.0, reused_id=past.id))

    async def record_native(self, response: str, turn: int) -> None:
        """Record the calls that the provider made while it gave an answer, unless they are recorded already."""
        for one in native_tools.calls_in(response):
            if self.find(one.tool_call_id, turn) is None:
                past = await self._reused(one.tool_call_id, turn)
                reused_id = None if past is None else past.id
                self._limits.spent.tool_calls += reused_id is None
                call = self._call(Asked(one.tool_call_id, one.tool, one.input), 1, one.status, turn)
                await self._record(replace(call, output=one.output, ms=0.0, elsewhere=True, reused_id=reused_id))

    async def reconcile(self, told: Mapping[str, str]) -> None:
        """Record the calls of the last answer that came to nothing without anybody being told: of tools that there are
        not, and those that an output made needless. ``told`` is what the model heard of each, by id.
        """
        last = self._turns.answered or Past(response='{"parts": []}')
        await self.record_native(last.response, last.turn)
        if '"tool-call"' not in last.response:
            return
        for part in json.loads(last.response)["parts"]:
            if part["part_kind"] != "tool-call" or part["tool_name"] in self.outputs:
                continue
            known = self.find(part["tool_call_id"], last.turn)
            if known is None or known.status == "waiting":
                given = part["args"] if isinstance(part["args"], str) else json.dumps(part["args"], ensure_ascii=False)
                asked = Asked(part["tool_call_id"], part["tool_name"], given or "{}")
                status: ToolStatus = "skipped" if asked.tool in self.offered else "unknown"
                await self.never_called(asked, status, told.get(asked.id, "it was not called"), last.turn)

    async def _reused(self, tool_call_id: str, turn: int) -> ToolCall | None:
        """Return the recorded call of a tool that a reused answer asked for; None if the answer was not reused."""
        reused_id = self._turns.reused.get(turn)
        if reused_id is None:
            return None
        return await self._ledger.reused_tool_call(reused_id, tool_call_id)

    def _call(self, asked: Asked, attempt: int, status: ToolStatus, turn: int | None = None) -> ToolCall:
        return ToolCall(
            task_id=self._task_id,
            turn=turn or self._turns.now,
            attempt=attempt,
            tool_call_id=asked.id,
            tool=asked.tool,
            input=asked.input,
            status=status,
            started_at=time(),
        )

    async def _record(self, call: ToolCall) -> ToolCall:
        self._calls[call.tool_call_id] = call
        await self._ledger.tool(call)
        return call
