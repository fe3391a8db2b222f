"""The requests of an agent as they are recorded: before they are sent, and again with their end."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from time import time
from typing import Any

from ..credentials import masked
from ..errors import said
from ..records import AnsweredBy, CallStatus, ModelCall
from ..user_code import raised_by
from .runner import AgentTask, Ledger, ModelAnswer, Past, Request, Spent
from .turns import Turns


class RequestLog:
    """The record of an agent's requests, of which at most one is open."""

    def __init__(self, task: AgentTask, ledger: Ledger, turns: Turns, spent: Spent) -> None:
        past = task.past or Past()
        self._task_id = task.task_id
        self._ledger = ledger
        self._turns = turns
        self._spent = spent
        self._attempts = {past.turn: past.attempt, past.turn + 1: past.attempts}
        """The number of attempts by turn."""
        self.open: ModelCall | None = None
        """The request that has no end yet."""
        self._came: ModelAnswer | None = None
        """The part of its answer that had come when it was cut off."""
        self._broken: BaseException | None = None
        """The error that ended it."""
        self._last: ModelCall | None = None
        """The last request that has an end, and a row."""
        self.history: tuple[str, ...] = ()
        """The conversation up to this turn, each message as JSON: the model may be given others."""

    @property
    def attempt(self) -> int:
        """The number of attempts at this turn so far."""
        return self._attempts.get(self._turns.now, 0)

    async def send(self, request: Request) -> None:
        """Record a request that is about to be sent."""
        if self.open is not None:
            # A capability of the user's tries again by itself.
            why = said(raised_by(self._broken)) if self._broken else "it was given up for another attempt"
            await self.fail(why)
        turn = self._turns.now
        self._attempts[turn] = self.attempt + 1
        asked = ModelCall(
            task_id=self._task_id,
            turn=turn,
            attempt=self.attempt,
            provider=request.provider,
            model=request.model,
            messages=request.messages,
            parameters=request.parameters,
            history=self._told(request),
            started_at=time(),
            signature=request.signature,
            same=request.same,
        )
        self._came = self._broken = None
        self.open = replace(asked, id=await self._ledger.asked(asked))

    def broke(self, error: BaseException, came: ModelAnswer | None) -> None:
        """Keep what had come of the answer when the open request was cut off."""
        self._broken, self._came = error, came

    def own_error(self, error: Exception) -> BaseException:
        """Return the error of the open request itself, where others of the turn have failed, too."""
        if isinstance(error, BaseExceptionGroup) and self._broken is not None:
            return self._broken
        return error

    async def answer(self, answer: ModelAnswer, by: AnsweredBy) -> None:
        """Record the answer to the open request."""
        ended = self._ended("ok", **told(answer), answered_by=by)
        self._turns.answer(ended)
        self._last = ended
        await self._record(ended)

    async def fail(self, why: str, status: CallStatus = "failed") -> None:
        """Record that the open request came to nothing."""
        came: dict[str, Any] = {}
        if self._came is not None:
            came = told(self._came)
            came["partial"] = came.pop("response")
        # Providers quote the key that they refuse.
        await self._record(self._ended(status, **came, error=masked(why)))

    async def accept(self, response: str) -> None:
        """Record the answer that the agent continues with, if it differs from the model's."""
        last, answered = self._last, self._turns.answered
        if last is None or answered is None or _said_the_same(response, answered.response):
            return
        self._turns.answered = replace(answered, response=response)
        await self._ledger.accepted(replace(last, accepted=response))

    async def repeat(self, recorded: ModelCall, request: Request) -> ModelCall:
        """Record an attempt of the recording as one of this execution; return it."""
        again = replace(recorded, messages=request.messages, history=self._told(request))
        if (again.provider, again.model) == (request.provider, request.model):
            again = replace(again, parameters=request.parameters)
        self._attempts[self._turns.now] = again.attempt
        again = await self.copy(again)
        if again.response is not None:
            self._turns.answer(again)
            self._last = again
        return again

    async def copy(self, recorded: ModelCall) -> ModelCall:
        """Record a request of the recording in this execution, too, and return it; no model is asked."""
        by: AnsweredBy = "cache" if recorded.answered_by == "cache" else "replay"
        status = recorded.status
        if status == "running":
            status = "interrupted"
        again = replace(
            recorded,
            id=None,
            accepted=None,
            status=status,
            started_at=time(),
            ms=0.0,
            answered_by=by,
            signature=None,
            reused_id=None,
            saved_usd=None,
        )
        self._spent.add(again)
        return replace(again, id=await self._ledger.asked(again))

    def _told(self, request: Request) -> tuple[str, ...] | None:
        """Return the conversation where the model is given something else."""
        if self.history == request.messages:
            return None
        return self.history

    def _ended(self, status: CallStatus, **end: Any) -> ModelCall:  # Any: the fields of a ModelCall
        asked, self.open = self.open, None
        assert asked is not None  # for the type checker: send() came before
        return replace(asked, status=status, ms=(time() - asked.started_at) * 1000, **end)

    async def _record(self, ended: ModelCall) -> None:
        self._spent.add(ended)
        id = await self._ledger.asked(ended)
        self._last = None
        if id is not None:
            self._last = ended if id == ended.id else replace(ended, id=id)


def told(answer: ModelAnswer) -> dict[str, Any]:  # Any: the fields of a ModelCall
    """Return an answer as the fields of a request's record."""
    return {name: getattr(answer, name) for name in _ANSWER}


_ANSWER = [field.name for field in fields(ModelAnswer)]


def _said_the_same(response: str, other: str) -> bool:
    """Return whether two answers have the same parts."""
    return response == other or bool(json.loads(response)["parts"] == json.loads(other)["parts"])
