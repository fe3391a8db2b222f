"""The conversation of an agent: recorded as it happens, kept within limits, and resumable after any interruption.

The path of a turn, in the order of its methods: ``next_turn`` with a request of the library, ``recall`` for an answer
that is known, ``ask`` before it is sent, ``answer`` or ``failed``; then the calls of ``tools``, and the next turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import said
from ..records import AnsweredBy
from ..user_code import raised_by
from .cassette import Cassette, Unanswered
from .failures import Failures
from .inner_requests import InnerRequests
from .inner_tools import InnerTools
from .limits import Limits
from .request_log import RequestLog
from .runner import AgentTask, Ledger, ModelAnswer, Past, Request
from .scripted import Scripted
from .streamed import Streamed
from .tool_calls import ToolCalls
from .tool_policy import ToolPolicy
from .turns import Turns


class Conversation:
    """The requests and tool calls of an agent while it runs, independent of the library that makes them."""

    def __init__(self, task: AgentTask, ledger: Ledger) -> None:
        past = task.past or Past()
        self.task = task
        self.ledger = ledger
        self.cassette: Cassette | None = None
        """The recording that answers in a replay."""
        if task.recorded is not None:
            self.cassette = Cassette(task, task.recorded)
        self.turns = Turns(past)
        # A copy: the past belongs to the task, and is read again if the agent is submitted again.
        self.limits = Limits(task, ledger, replace(past.spent))
        self.log = RequestLog(task, ledger, self.turns, self.limits.spent)
        self.failures = Failures(task, ledger, self.turns)
        self.tools = ToolCalls(task, ledger, self.turns, self.limits)
        self.policy = ToolPolicy(task, self.turns)
        self.streamed = Streamed(task, ledger, self.turns, self.log, tools=self.tools)
        self.inner = InnerRequests(task, ledger, self.turns, self.limits, log=self.log)
        self.inner_tools = InnerTools(task, ledger, self.turns, self.limits)

    def begin(self) -> Past | None:
        """Begin a run of the agent, and return the answered turn that it continues from; None at the start."""
        self.turns.begin()
        self.tools.begin()
        return self.turns.answered

    async def next_turn(self, step: int, told: Mapping[str, str]) -> str | None:
        """Begin the turn of a request, the ``step``-th of this run; return its answer if it has one already.

        ``told`` is what the request tells the model about the tool calls of the turn before, by id.

        Raises:
            BudgetExceededError: if a limit is reached.
        """
        if self.turns.is_past_answers(step):
            await self.tools.reconcile(told)
        past = self.turns.next(step)
        # A branch looks for a recorded answer first, which no limit forbids.
        if past is None and not self.ledger.reuses:
            self.limits.check_request()
        return past

    async def recall(self, request: Request) -> str | None:
        """Return an answer that is known: the recorded one in a replay or a branch, or that of the same request
        before.

        Raises:
            ReplayMismatchError: if the request differs from the recorded one.
            BudgetExceededError: if a limit forbids to ask.
        """
        if self.cassette is not None:
            return await self._again(self.cassette, request)
        if self.ledger.reuses:
            if (reused := await self._reused_answer(request)) is not None:
                return reused
            self.limits.check_request()
        if not request.signature:
            return None
        known = await self.ledger.answer_to(request.signature)
        if known is not None:
            await self.ask(request)
            await self.answer(ModelAnswer(known), by="cache")
        return known

    async def ask(self, request: Request) -> None:
        """Record a request that is about to be sent."""
        await self.log.send(request)

    async def answer(self, answer: ModelAnswer, by: AnsweredBy = "model") -> None:
        """Record the answer to the request, before the agent continues."""
        self.failures.answered()
        await self.log.answer(answer, by)
        await self.tools.record_native(answer.response, self.turns.now)

    async def failed(self, error: Exception) -> float:
        """Record the error that ended the agent; return the seconds to wait before it continues, if a request failed.

        Raises:
            RetryLater: if that is long.
            Exception: the error, or one in our words, if it can't be tried again.
        """
        asked = self.log.open
        if asked is not None:
            await self.log.fail(said(raised_by(self.log.own_error(error))))
        elif not self.failures.is_closed(error):
            raise error
        return await self.failures.wait_s(asked, error)

    async def broke_off(self, why: str) -> None:
        """Record the open request when the agent is ended from outside: it may have to be paid for all the same."""
        if self.log.open is not None:
            await self.log.fail(why, "cancelled")

    def named(self, provider: str, model: str) -> tuple[str, str]:
        """Return provider and model as they are recorded."""
        return ("scripted" if isinstance(self.task.local.model, Scripted) else provider), model

    async def _reused_answer(self, request: Request) -> str | None:
        """Record the answer that the branch takes from the file, and return it; None if there is none."""
        found = request.same and await self.ledger.reused_answer(request.same)
        if not found:
            return None
        await self.ask(request)
        self.turns.reused[self.turns.now] = found.id
        await self.answer(ModelAnswer(found.response, reused_id=found.id, saved_usd=found.cost_usd), by="recording")
        return found.response

    async def _again(self, cassette: Cassette, request: Request) -> str:
        """Record the attempts of a turn as they were, and return the answer, if there was one."""
        attempts = cassette.attempts(self.turns.now, request)
        if self.turns.now == 1:
            for lost in cassette.lost[0]:
                await self.log.copy(lost)
            for call in cassette.lost[1]:
                await self.ledger.tool(call)
        for one in attempts:
            again = await self.log.repeat(one, request)
            if again.response is not None:
                self.failures.answered()
                return again.response
        raise Unanswered
