"""The requests of agents that functions of a node's agent run, as they are recorded under it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from time import time

from ..credentials import masked
from ..records import CallStatus, ModelCall
from .cassette import Cassette
from .limits import Limits
from .request_log import RequestLog, told
from .runner import AgentTask, Ledger, ModelAnswer, Past, Request
from .turns import Turns


@dataclass(frozen=True, slots=True)
class InnerAgent:
    """An agent that a function of a node's agent runs."""

    name: str
    caller: str | None
    """The id of the tool call that runs it; None in other functions, such as a history processor."""


class InnerRequests:
    """The record of the requests of inner agents, which count for the limits of the node's agent."""

    def __init__(self, task: AgentTask, ledger: Ledger, turns: Turns, limits: Limits, *, log: RequestLog) -> None:
        self._task = task
        self._ledger = ledger
        self._turns = turns
        self._limits = limits
        self._log = log
        self._counts: Counter[InnerAgent] = Counter()
        """The number of requests so far."""
        self._answered = list((task.past or Past()).inner)
        """The answered requests from before an interruption that are not used again yet: a tool that was cut off is
        called again, and what its agents were told is paid for already."""

    async def send(self, request: Request, by: InnerAgent, cassette: Cassette | None) -> ModelCall:
        """Record a request that an inner agent makes; return it, with its answer where that is known: in a replay or
        a branch.

        Raises:
            BudgetExceededError: if a limit is reached.
            ReplayMismatchError: if the request differs from the recorded one.
        """
        self._counts[by] += 1
        asked = ModelCall(
            task_id=self._task.task_id,
            turn=self._turns.now,
            attempt=self._counts[by],
            provider=request.provider,
            model=request.model,
            messages=request.messages,
            parameters=request.parameters,
            started_at=time(),
            agent=by.name,
            caller=by.caller,
            same=request.same,
        )
        if cassette is not None:
            again = replace(cassette.inner(asked), messages=request.messages, parameters=request.parameters)
            return await self._log.copy(again)
        if self._ledger.reuses and request.same and (found := await self._ledger.reused_answer(request.same)):
            answer = ModelAnswer(found.response, reused_id=found.id, saved_usd=found.cost_usd)
            return await self._ended(replace(asked, **told(answer), status="ok", answered_by="recording"))
        if past := self._answer_before(asked):
            answer = ModelAnswer(past.response or "", reused_id=past.id, saved_usd=past.cost_usd)
            return await self._ended(replace(asked, **told(answer), status="ok", answered_by="recording"))
        self._limits.check_request()
        return replace(asked, id=await self._ledger.asked(asked))

    def _answer_before(self, asked: ModelCall) -> ModelCall | None:
        """Take the first answer to the same request of the same tool call from before an interruption."""
        for past in self._answered:
            if past.same and (past.same, past.agent, past.caller) == (asked.same, asked.agent, asked.caller):
                self._answered.remove(past)
                return past
        return None

    async def end(self, asked: ModelCall, came: ModelAnswer | None, error: str | None) -> None:
        """Record the answer to such a request, or the part of it that came before an error."""
        end = {} if came is None else told(came)
        status: CallStatus = "ok"
        if error is not None:
            end["partial"] = end.pop("response", None)
            status = "cancelled" if error == "it was cancelled" else "failed"
        await self._ended(replace(asked, **end, error=error and masked(error), status=status))

    async def _ended(self, request: ModelCall) -> ModelCall:
        ended = replace(request, ms=(time() - request.started_at) * 1000)
        self._limits.spent.add(ended)
        await self._ledger.asked(ended)
        return ended
