"""The conversation of an agent: recorded as it happens, kept within limits, and resumable after any interruption."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from time import time
from typing import Any, get_args

from ..credentials import masked
from ..errors import (
    AgentConfigError,
    AgentError,
    BudgetExceededError,
    RepeatRefusedError,
    UserCodeError,
    did_you_mean,
    said,
)
from ..records import AnsweredBy, CallStatus, Decision, ModelCall, Repeat, ToolCall, ToolStatus
from ..user_code import guarded, raised_by
from . import native_tools
from .cassette import Cassette, Unanswered
from .partial import PartialAnswer
from .retry import IN_PLACE_S, Verdict, backoff_s, verdict
from .runner import AgentTask, ApprovalRequired, Ledger, ModelAnswer, Past, Request, RetryLater, ToolQuestion
from .scripted import Scripted


class Conversation:
    """The requests and tool calls of an agent while it runs, independent of the library that makes them."""

    def __init__(self, task: AgentTask, ledger: Ledger) -> None:
        past = task.past or Past()
        self.task = task
        self.ledger = ledger
        # A copy: the past belongs to the task, and is read again if the agent is submitted again.
        self.spent = replace(past.spent)
        self.tools = dict(past.tools)
        decisions = past.decisions
        self.cassette: Cassette | None = None
        """The recording that answers in a replay."""
        if task.recorded is not None:
            decisions = task.recorded.decisions
            self.cassette = Cassette(task, task.recorded)
        self.decisions = {(one.turn, one.tool_call_id): one for one in decisions}
        self._reused_turns = {} if past.reused_id is None else {past.turn: past.reused_id}
        """The ids of the rows that turns were answered from, by turn."""
        self._attempts = {past.turn: past.attempt, past.turn + 1: past.attempts}
        """The number of attempts by turn."""
        self.failures = past.failures
        """The attempts of the turn that failed."""
        self.answered: Past | None = None
        if past.turn:
            self.answered = past
        """The last turn that was answered: it continues from there after an interruption."""
        self.asked: ModelCall | None = None
        """The request that is open."""
        self.came: ModelAnswer | None = None
        """The part of its answer that had come when it was cut off."""
        self.broken: BaseException | None = None
        """The error that ended it."""
        self.refusal: Exception | None = None
        """The last refusal of a request that the rate windows know of."""
        self.partial: PartialAnswer | None = None
        """The output that streams, for a node that listens to it."""
        self.history: tuple[str, ...] = ()
        """The conversation up to this turn, each message as JSON: the model may be given others."""
        self.turn = past.turn
        self.before = 0
        """The number of turns before the first of this run of the agent."""
        self.asked_later: list[ToolQuestion] = []
        """Questions about calls whose turn has begun, for the time before the next request."""
        self.schemas: dict[str, str] = {}
        """The JSON schemas of the arguments of tools that were called, by name."""
        self._inner: Counter[tuple[str, str | None]] = Counter()
        """The requests of agents that functions of this one run, by name and tool call."""
        self.unchecked: set[str] | None = None
        """The names of tools that are known until the first request, which has those of servers; None if the names in
        the node's policy are looked at already."""
        self._functions: list[str] = []
        self._outputs: list[str] = []
        self.repeating = False
        """An answer from the past is given once more: nothing of it is recorded again."""
        self.known: set[str] = set()
        """Ids of the tool calls that had ended when this run of the agent began."""
        self.begun: set[str] = set()
        """Ids of those calls, and of the calls that a person was asked about."""

        self._last: ModelCall | None = None
        """The last request that has an end."""
        self._began = time()

    # ---- requests ----------------------------------------------------------------------------------------------

    def begin(self) -> Past | None:
        """Begin a run of the agent, and return the answered turn that it continues from; None at the start."""
        self.before = 0
        self.repeating = self.answered is not None
        last: list[ToolCall] = []
        if self.answered:
            # The answered turn is given to the library once more, as the first of this run.
            self.before = self.answered.turn - 1
            last = [call for call in self.tools.values() if call.turn == self.answered.turn]
        self.known = {call.tool_call_id for call in last if call.status not in ("waiting", "running", "interrupted")}
        self.begun = self.known | {call.tool_call_id for call in last if call.status == "waiting"}
        return self.answered

    def is_past_answers(self, step: int) -> bool:
        """Return True if a request, the ``step``-th of this run of the agent, comes after all that was answered:
        then the tool calls of the last answer are over.
        """
        return self.answered is not None and self.before + step > self.answered.turn

    def next_turn(self, step: int) -> str | None:
        """A request is due, the ``step``-th of this run of the agent; return its answer if it has one already.

        Raises:
            BudgetExceededError: if a limit is reached.
        """
        self.turn = self.before + step
        # After an interruption the library asks for the last turn again, to call its tools: it was paid for already.
        if self.repeating and self.answered and self.turn == self.answered.turn:
            return self.answered.response
        self.repeating = False
        # A branch looks for a recorded answer first, which no limit forbids.
        if not self.ledger.reuses:
            self.check_limits()
        return None

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
            self.check_limits()
        if not request.signature:
            return None
        known = await self.ledger.answer_to(request.signature)
        if known is not None:
            await self.ask(request)
            await self.answer(ModelAnswer(known), by="cache")
        return known

    async def _reused_answer(self, request: Request) -> str | None:
        """Record the answer that the branch takes from the file, and return it; None if there is none."""
        found = request.same and await self.ledger.reused_answer(request.same)
        if not found:
            return None
        await self.ask(request)
        self._reused_turns[self.turn] = found.id
        await self.answer(ModelAnswer(found.response, reused_id=found.id, saved_usd=found.cost_usd), by="recording")
        return found.response

    async def _again(self, cassette: Cassette, request: Request) -> str:
        """Record the attempts of a turn as they were, and return the answer, if there was one."""
        attempts = cassette.attempts(self.turn, request)
        if self.turn == 1:
            for lost in cassette.lost[0]:
                await self._recorded(lost)
            for call in cassette.lost[1]:
                await self.ledger.tool(call)
        for one in attempts:
            now = replace(one, messages=request.messages, parameters=request.parameters, history=self._told(request))
            await self._recorded(now)
            self._attempts[self.turn] = one.attempt
            if one.response is not None:
                self._answered_by(now)
                return one.response
        raise Unanswered

    async def _recorded(self, one: ModelCall) -> None:
        """Record a request of the recording in this execution, too; no model is asked."""
        by: AnsweredBy = "cache" if one.answered_by == "cache" else "replay"
        status = one.status
        if status == "running":
            status = "interrupted"
        again = replace(
            one,
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
        self.spent.add(again)
        await self.ledger.asked(again)

    async def ask(self, request: Request) -> None:
        """Record a request that is about to be sent."""
        if self.asked is not None:
            # A capability of the user's tries again by itself.
            why = said(raised_by(self.broken)) if self.broken else "it was given up for another attempt"
            await self._record(replace(self._closed(), status="failed", error=why))
        self._attempts[self.turn] = self.attempt + 1
        asked = ModelCall(
            task_id=self.task.task_id,
            turn=self.turn,
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
        self.came = self.broken = None
        self.asked = replace(asked, id=await self.ledger.asked(asked))

    def _told(self, request: Request) -> tuple[str, ...] | None:
        """Return the conversation where the model is given something else."""
        if self.history == request.messages:
            return None
        return self.history

    async def answer(self, answer: ModelAnswer, by: AnsweredBy = "model") -> None:
        """Record the answer to the request, before the agent continues."""
        asked = replace(self._closed(), **asdict(answer), answered_by=by, status="ok")
        self._answered_by(asked)
        await self._record(asked)
        await self._record_native_calls(answer.response, asked.turn)

    def _answered_by(self, asked: ModelCall) -> None:
        history = asked.messages if asked.history is None else asked.history
        text = f"[{','.join(history)}]"
        self.answered = Past(asked.turn, text, asked.response or "", attempt=asked.attempt)
        self.failures = 0
        self._last = asked

    @property
    def is_answered(self) -> bool:
        """Whether this turn has an answer."""
        return self.answered is not None and self.answered.turn == self.turn

    async def accepts(self, response: str) -> None:
        """Record the answer that the agent continues with, if it differs from the model's."""
        last, answered = self._last, self.answered
        if last is None or answered is None or _said_the_same(response, answered.response):
            return
        self.answered = replace(answered, response=response)
        await self.ledger.accepted(replace(last, accepted=response))

    async def failed(self, error: Exception) -> float:
        """Record the error that ended the agent; return the seconds to wait before it continues, if a request failed.

        Raises:
            RetryLater: if that is long.
            Exception: the error, or one in our words, if it can't be tried again.
        """
        if self.asked is None:
            raise error
        asked = self._closed()
        await self._record(replace(asked, status="failed", error=masked(said(raised_by(error)))))
        found = verdict(error)
        wait_s = self.wait_s(found)
        # The failures of a fallback have told the windows of its models already.
        name = None
        if not isinstance(error, BaseExceptionGroup):
            name = window(asked.provider, asked.model)
            await self.limited(asked.provider, asked.model, error)
        self.failures += 1
        if not found.passes and found.fix:
            raise AgentError(
                f"{asked.provider} refused the request of {self.task.node_id} to {asked.model!r}: {_short(error)}. "
                f"{found.fix}, then ex.retry({self.task.node_id!r}).",
                node_id=self.task.node_id,
                source=self.task.source,
            ) from error
        if not found.passes or self.failures > self.task.retries:
            raise error
        if wait_s > IN_PLACE_S:
            raise RetryLater("rate_limit" if found.limited else "retry", time() + wait_s, _short(error)) from error
        # After a rate limit the window lets one agent after the other ask again; a wait here would come on top.
        if found.limited and name:
            return 0.0
        return wait_s

    async def limited(self, provider: str, model: str, error: Exception) -> None:
        """Close the window of a model that has refused a request because of its rate; once for each refusal."""
        found, name = verdict(error), window(provider, model)
        # The limit is the provider's for all: the other agents wait, too, instead of being refused one by one.
        if found.limited and name and error is not self.refusal:
            self.refusal = error
            await self.ledger.refused(name, self.wait_s(found))

    def wait_s(self, found: Verdict) -> float:
        """Return the seconds to wait after this attempt: those that the provider asked for, or our own choice."""
        if found.wait_s is not None:
            return found.wait_s
        return backoff_s(self.failures + 1, self._seed)

    async def broke_off(self, why: str) -> None:
        """Record the open request when the agent is ended from outside: it may have to be paid for all the same."""
        if self.asked is not None:
            await self._record(replace(self._closed(), status="cancelled", error=why))

    def _closed(self) -> ModelCall:
        """Return the open request, with what has come of its answer."""
        asked, self.asked = self.asked, None
        assert asked is not None  # for the type checker: ask() came before
        if self.came is None:
            return asked
        came = asdict(self.came)
        return replace(asked, partial=came.pop("response"), **came)

    async def _record(self, asked: ModelCall) -> None:
        request = replace(asked, ms=(time() - asked.started_at) * 1000)
        self.spent.add(request)
        id = await self.ledger.asked(request)
        if request.agent is None:
            self._last = replace(request, id=id) if id else None

    @property
    def attempt(self) -> int:
        """The number of attempts at this turn so far."""
        return self._attempts.get(self.turn, 0)

    @property
    def _seed(self) -> str:
        return f"{self.task.seed}/{self.task.task_id}/{self.turn}"

    # ---- requests of agents that functions of this one run -------------------------------------------------------

    async def ask_inner(self, request: Request, agent: str, caller: str | None) -> ModelCall:
        """Record a request that an agent makes which a function of this one runs; return it, with its answer where
        that is known: in a replay or a branch.

        Raises:
            BudgetExceededError: if a limit is reached.
            ReplayMismatchError: if the request differs from the recorded one.
        """
        self._inner[agent, caller] += 1
        asked = ModelCall(
            task_id=self.task.task_id,
            turn=self.turn,
            attempt=self._inner[agent, caller],
            provider=request.provider,
            model=request.model,
            messages=request.messages,
            parameters=request.parameters,
            started_at=time(),
            agent=agent,
            caller=caller,
            same=request.same,
        )
        if self.cassette is not None:
            again = replace(self.cassette.inner(asked), messages=request.messages, parameters=request.parameters)
            await self._recorded(again)
            return again
        if self.ledger.reuses and request.same and (found := await self.ledger.reused_answer(request.same)):
            answer = asdict(ModelAnswer(found.response, reused_id=found.id, saved_usd=found.cost_usd))
            reused = replace(asked, **answer, status="ok", answered_by="recording")
            await self._record(reused)
            return reused
        self.check_limits()
        return replace(asked, id=await self.ledger.asked(asked))

    async def end_inner(self, asked: ModelCall, came: ModelAnswer | None, error: str | None) -> None:
        """Record the answer to such a request, or the part of it that came before an error."""
        told = {} if came is None else asdict(came)
        status: CallStatus = "ok"
        if error is not None:
            told["partial"] = told.pop("response", None)
            status = "cancelled" if error == "it was cancelled" else "failed"
        await self._record(replace(asked, **told, error=error and masked(error), status=status))

    # ---- limits ------------------------------------------------------------------------------------------------

    def check_limits(self) -> None:
        """Look whether another request may be made.

        Raises:
            BudgetExceededError: naming the limit.
        """
        limits, spent = self.task.limits, self.spent
        used = {
            "turns": spent.turns,
            "tokens": spent.input_tokens + spent.output_tokens,
            "cost_usd": spent.cost_usd,
        }
        for name, value in used.items():
            if name in limits and value >= limits[name]:
                which = " (max_turns)" if name == "turns" else ""
                raise self.over(name, f"{value:g} of {limits[name]:g}{which} are used")
        # An unknown price could be any: continuing would break the promise of the limit.
        if "cost_usd" in limits and spent.unpriced:
            raise self._unpriced("cost_usd", f"{spent.unpriced} of its {spent.turns} answers")
        self._check_execution(tool=False)

    def _check_execution(self, *, tool: bool) -> None:
        """Look whether the limits of the execution allow a further request, or tool call.

        Raises:
            BudgetExceededError: naming the limit.
        """
        reached = self.ledger.reached(tool)
        if reached is None:
            return
        unpriced = self.ledger.unpriced()
        if unpriced and reached.startswith("cost_usd"):
            raise self._unpriced(reached, f"{unpriced} answers of the execution")
        raise self.over(reached, "all agents of the execution together have used it")

    def _unpriced(self, name: str, which: str) -> BudgetExceededError:
        """Return the error for a limit of cost that can't be kept, because there are answers without a price."""
        return self.over(
            name,
            f"it can't be kept, because the price of {which} is not known (df.model_calls, cost_usd). "
            f"This agent asks {self.task.model}",
            "Use a model whose price pydantic-ai knows, or limit tokens instead",
        )

    def over(self, name: str, words: str, fix: str = "Raise the limit") -> BudgetExceededError:
        """Return the error for a limit that is reached, or can't be kept."""
        return BudgetExceededError(
            f"limit: {name}: {words}. {self.task.node_id} was ended; what it had said and done is in model_calls and "
            f"tool_calls. {fix}, then ex.retry({self.task.node_id!r}).",
            limit=name,
            node_id=self.task.node_id,
            source=self.task.source,
        )

    def remaining_s(self) -> float | None:
        """Return how many seconds are left to it; None for as long as it likes."""
        # A replay has to reach the recorded end, however long it takes here.
        if self.cassette is not None:
            return None
        own = self.task.limits.get("seconds")
        left = [
            None if own is None else max(0.0, self._began + own - self.spent.seconds - time()),
            self.ledger.remaining_s(),
        ]
        return min((one for one in left if one is not None), default=None)

    # ---- tools -------------------------------------------------------------------------------------------------

    def denied(self, tool: str) -> str | None:
        """Return the refusal that the model gets for a tool that it may not call; None if it may."""
        task = self.task
        if any(fnmatchcase(tool, pattern) for pattern in task.deny):
            return f"Denied: this agent may not call {tool}."
        if task.allow is not None and not any(fnmatchcase(tool, pattern) for pattern in task.allow):
            return f"Denied: this agent may call only {', '.join(task.allow) or 'no tool'}."
        return None

    def asked_about(self, tool: str, args: dict[str, Any]) -> dict[str, Any] | None:  # Any: anything storable
        """Return more to show with a tool's call to the person who decides about it; None if the node lets it pass."""
        if any(fnmatchcase(tool, pattern) for pattern in self.task.approve):
            return {}
        approve = self.task.local.approve
        if approve is None:
            return None
        try:
            found = guarded(approve, tool, args)
        except UserCodeError as error:
            raise AgentError(
                f"approve= of {self.task.node_id} raised {said(error.raised)} when it was asked about {tool}.",
                node_id=self.task.node_id,
                source=self.task.source,
            ) from error.raised
        if not found:
            return None
        if isinstance(found, dict):
            return found
        return {}

    def decision(self, tool_call_id: str) -> Decision | None:
        """Return the decision about a call of this turn."""
        return self.decisions.get((self.turn, tool_call_id))

    async def made_elsewhere(self, tool_call_id: str, tool: str, given: str, decision: Decision) -> ToolCall:
        """Record the end of a call that was made elsewhere, and return its record."""
        known = self.known_call(tool_call_id)
        if known is not None and known.status != "waiting":
            return known
        # In a replay no one is asked: there is no record of a call that waits.
        call = known or self._call(self.turn, tool_call_id, tool, given, attempt=1, status="waiting")
        failure: str | None = None
        status: ToolStatus = "ok"
        if not decision.approved:
            status, failure = "failed", decision.comment or "It failed."
        self.spent.tool_calls += 1
        made = replace(call, status=status, output=decision.result, error=failure, ms=call.ms or 0.0, elsewhere=True)
        await self._tool(made)
        return made

    def refused(self, tool_call_id: str) -> str | None:
        """Return the refusal that the model gets for a call that a person denied; None if no one did."""
        found = self.decision(tool_call_id)
        if found is None or found.approved or found.external:
            return None
        return found.comment or "Denied by a person."

    async def asks(self, questions: list[ToolQuestion]) -> ApprovalRequired:
        """Calls wait for people; return the error that lets the agent wait, too."""
        for one in questions:
            known = self.known_call(one.tool_call_id)
            if known is None or known.status != "waiting":
                attempt = known.attempt + 1 if known else 1
                await self._tool(
                    self._call(one.turn, one.tool_call_id, one.tool, one.input, attempt=attempt, status="waiting")
                )
        return ApprovalRequired(questions)

    def known_call(self, tool_call_id: str, turn: int | None = None) -> ToolCall | None:
        """Return the record of a call of a turn, this one: there are models that use an id again."""
        call = self.tools.get(tool_call_id)
        if call is not None and call.turn == (turn or self.turn):
            return call
        return None

    def ended(self, tool_call_id: str) -> ToolCall | None:
        """Return the call if it has ended already: it is not made again."""
        call = self.known_call(tool_call_id)
        if call is not None and call.status in ("ok", "retry", "failed"):
            return call
        return None

    async def start_tool(self, tool_call_id: str, tool: str, given: str) -> ToolCall:
        """A tool is about to be called.

        Raises:
            BudgetExceededError: if it is one too many.
        """
        most = self.task.limits.get("tool_calls")
        if most is not None and self.spent.tool_calls >= most:
            raise self.over("tool_calls", f"{self.spent.tool_calls} of {most:g} are used")
        self._check_execution(tool=True)
        self.spent.tool_calls += 1
        known = self.known_call(tool_call_id)
        attempt = 1
        if known is not None:
            # A call that waited for a person was not made yet: it is still the same attempt.
            attempt = known.attempt + (known.status != "waiting")
        call = self._call(self.turn, tool_call_id, tool, given, attempt=attempt, status="running")
        await self._tool(call)
        return call

    async def end_tool(
        self, call: ToolCall, status: ToolStatus, output: str | None = None, error: str | None = None
    ) -> None:
        """A tool that was called has ended."""
        ms = (time() - call.started_at) * 1000
        await self._tool(replace(call, status=status, output=output, error=error, ms=ms))

    async def never_called(
        self, tool_call_id: str, tool: str, given: str, *, status: ToolStatus, why: str, turn: int | None = None
    ) -> None:
        """Record a tool call of this turn that was not made. Repeating it changes nothing."""
        turn = turn or self.turn
        known = self.known_call(tool_call_id, turn)
        if known is None or known.status in ("waiting", "running"):
            attempt = known.attempt if known else 1
            call = self._call(turn, tool_call_id, tool, given, attempt=attempt, status=status)
            await self._tool(replace(call, ms=0.0, error=why))

    async def _record_native_calls(self, response: str, turn: int) -> None:
        """Record the calls that the provider made while it gave an answer, unless they are recorded already."""
        for one in native_tools.calls_in(response):
            if self.known_call(one.tool_call_id, turn) is None:
                past = await self._reused_call(one.tool_call_id, turn)
                reused_id = None if past is None else past.id
                self.spent.tool_calls += reused_id is None
                call = self._call(turn, one.tool_call_id, one.tool, one.input, attempt=1, status=one.status)
                await self._tool(replace(call, output=one.output, ms=0.0, elsewhere=True, reused_id=reused_id))

    async def _reused_call(self, tool_call_id: str, turn: int) -> ToolCall | None:
        """Return the recorded call of a tool that a reused answer asked for; None if the answer was not reused."""
        reused_id = self._reused_turns.get(turn)
        if reused_id is None:
            return None
        return await self.ledger.reused_tool_call(reused_id, tool_call_id)

    async def reused_result(
        self,
        tool_call_id: str,
        tool: str,
        given: str,
        metadata: Mapping[str, Any] | None,  # Any: the user's
    ) -> ToolCall | None:
        """Record a call of a tool that the branch does not make, because the file has its result; return the record.

        None if it has to be made: the answer that asks for it is new, or it had no such arguments or no result, and
        its ``repeat``, of the node or in the tool's metadata, lets it be made.

        Raises:
            RepeatRefusedError: if it was made already, and is not to be repeated.
            AgentConfigError: for a ``repeat`` in the metadata that there is not.
        """
        past = await self._reused_call(tool_call_id, self.turn)
        if past is None or (past.tool, json.loads(past.input)) != (tool, json.loads(given)):
            try:
                past = await self.ledger.repeated_tool_call(tool, given, self._repeat(tool, metadata))
            except RepeatRefusedError as error:
                await self.never_called(tool_call_id, tool, given, status="denied", why=str(error))
                raise
        if past is None:
            return None
        known = self.known_call(tool_call_id)
        attempt = known.attempt if known else 1
        call = self._call(self.turn, tool_call_id, tool, given, attempt=attempt, status=past.status)
        made = replace(call, output=past.output, error=past.error, ms=0.0, reused_id=past.id)
        await self._tool(made)
        return made

    def _repeat(self, tool: str, metadata: Mapping[str, Any] | None) -> Repeat:  # Any: the user's
        """Return the treatment of a repeated call of a tool: by the node's ``repeat``, else by the tool's metadata."""
        for pattern, repeat in self.task.repeat.items():
            if fnmatchcase(tool, pattern):
                return repeat
        wanted = (metadata or {}).get("repeat", "run")
        if wanted not in get_args(Repeat):
            raise AgentConfigError(
                f"tool {tool} of {self.task.node_id} has {wanted!r:.60} as 'repeat' in its metadata, which is none of "
                f"{', '.join(get_args(Repeat))}.{did_you_mean(str(wanted), get_args(Repeat))}",
                node_id=self.task.node_id,
                source=self.task.source,
            )
        found: Repeat = wanted
        return found

    def offers(self, functions: list[str], outputs: list[str], structured: bool) -> None:
        """The model is offered these tools, and these ways to give its output; ``structured``: as JSON in its text."""
        self._functions, self._outputs = functions, outputs
        self.partial = None
        if self.task.reports:
            self.partial = PartialAnswer(outputs, structured)

    async def reconcile(self, told: Mapping[str, str]) -> None:
        """Record the calls of the last answer that came to nothing without anybody being told: of tools that there are
        not, and those that an output made needless. ``told`` is what the model heard of each, by id.
        """
        last = self.answered or Past(response='{"parts": []}')
        await self._record_native_calls(last.response, last.turn)
        for part in json.loads(last.response)["parts"]:
            if part["part_kind"] != "tool-call" or part["tool_name"] in self._outputs:
                continue
            id, tool = part["tool_call_id"], part["tool_name"]
            known = self.known_call(id, last.turn)
            if known is None or known.status == "waiting":
                status: ToolStatus = "skipped" if tool in self._functions else "unknown"
                given = part["args"] if isinstance(part["args"], str) else json.dumps(part["args"], ensure_ascii=False)
                why = told.get(id, "it was not called")
                await self.never_called(id, tool, given or "{}", status=status, why=why, turn=last.turn)

    def named(self, provider: str, model: str) -> tuple[str, str]:
        """Return provider and model as they are recorded."""
        return ("scripted" if isinstance(self.task.local.model, Scripted) else provider), model

    def _call(
        self, turn: int, tool_call_id: str, tool: str, given: str, *, attempt: int, status: ToolStatus
    ) -> ToolCall:
        return ToolCall(
            task_id=self.task.task_id,
            turn=turn,
            attempt=attempt,
            tool_call_id=tool_call_id,
            tool=tool,
            input=given,
            status=status,
            started_at=time(),
        )

    async def _tool(self, call: ToolCall) -> None:
        self.tools[call.tool_call_id] = call
        await self.ledger.tool(call)

    def piece(self, kind: str, payload: object) -> None:
        """Something was streamed."""
        self.ledger.piece(self.turn, max(1, self.attempt), kind, json.dumps(payload, ensure_ascii=False, default=str))


def window(provider: str, model: str) -> str | None:
    """Return the name of a rate window: all agents that ask this model of this provider share it.

    A script has none. A fallback has none of its own: each of the models that it tries has one.
    """
    if provider == "scripted" or provider.startswith("fallback:"):
        return None
    return f"{provider}:{model}"


def _said_the_same(response: str, other: str) -> bool:
    """Return whether two answers have the same parts."""
    return response == other or json.loads(response)["parts"] == json.loads(other)["parts"]


def _short(error: BaseException) -> str:
    words: Any = getattr(error, "message", None) or error
    if isinstance(error, BaseExceptionGroup):
        words = said(error)
    text = " ".join(str(words).split())
    if len(text) <= 400:
        return text
    return f"{text[:400]} …"
