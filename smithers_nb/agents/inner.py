"""Agents that the functions of a node's agent run themselves, such as a tool that asks another agent.

Their requests and tool calls are recorded under the node, and count for its limits. Imported, and pydantic-ai with it,
only when the first agent begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from copy import copy
from dataclasses import replace
from functools import partial, wraps
from typing import Any, TypeVar

from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse, ToolCallPart

from ..errors import said
from ..records import ModelCall, ToolCall
from .at_model import Given, Opened, RecordedModel, answer_of, clean_response, parameters_of, same_of, texts_of
from .conversation import Conversation
from .fallback import at_window, each
from .inner_requests import InnerAgent
from .runner import Request
from .tool_calls import Asked
from .tool_results import asked_by, end_of, output_of, recalled, told_of_tools

T = TypeVar("T")

_CALLER: ContextVar[Caller | None] = ContextVar("smithers_caller", default=None)
"""The agent of a node whose function runs here."""


class Caller:
    """The agent of a node, seen from a function of its own."""

    def __init__(self, conversation: Conversation, tool_call_id: str | None = None) -> None:
        self.conversation = conversation
        self.tool_call_id = tool_call_id
        """The call of the tool that runs; None in other functions, such as a history processor."""
        self._loop = asyncio.get_running_loop()

    def inside(self, tool_call_id: str) -> Caller:
        """Return it as seen from a tool of an agent that it runs: an agent in there is called by that one."""
        # A copy: the loop stays that of the engine, and the tool may run on one of its own.
        inner = copy(self)
        inner.tool_call_id = tool_call_id
        return inner

    @property
    def is_here(self) -> bool:
        """Whether this is the engine's loop. A sync tool can run an agent on a loop of its own."""
        return asyncio.get_running_loop() is self._loop

    async def there(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of something that belongs on the engine's loop."""

        async def done() -> T:
            return await work()

        if self.is_here:
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(done(), self._loop))


@contextmanager
def called_by(caller: Caller | None) -> Iterator[None]:
    """Record the agents that run meanwhile under their caller; under none with None."""
    token = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(token)


class Inner(AbstractCapability[Any]):
    """Records the requests and tool calls of an agent under the one whose function runs it."""

    def __init__(self, caller: Caller, name: str) -> None:
        self._caller = caller
        self._agent = InnerAgent(name, caller.tool_call_id)
        self._answer: ModelCall | None = None
        """The last request that was answered from a record; None if the model was asked since."""
        self._offered: set[str] = set()
        """The names of the tools that the model was offered with its last request."""
        self._calls: list[ToolCallPart] = []
        """The calls that its last answer asks for."""
        self._recorded: set[str] = set()
        """The ids of those that have a row."""

    def get_wrapper_model(self, model: Any) -> Any:
        return each(model, lambda one: RecordedModel(one, self._opened))

    @asynccontextmanager
    async def _opened(self, given: Given) -> AsyncIterator[Opened]:
        conversation, there = self._caller.conversation, self._caller.there
        await self._reconcile(told_of_tools(given.messages[-1:]))
        offered = (*given.parameters.function_tools, *given.parameters.output_tools)
        self._offered, self._recorded = {tool.name for tool in offered}, set()
        provider, model = given.model.system, given.model.model_name
        request = Request(provider, model, texts_of(given.messages), parameters_of(given))
        request = replace(request, same=same_of(given, request, conversation.task))
        cassette = conversation.cassette
        asked = await there(lambda: conversation.inner.send(request, self._agent, cassette))
        self._answer = None
        if asked.response is not None:
            self._answer = asked
            (known,) = ModelMessagesTypeAdapter.validate_json(f"[{asked.response}]")
            assert isinstance(known, ModelResponse)  # for the type checker: it is the record of an answer
            self._calls = _calls_in(known)
            yield Opened(_nothing, known=known)
            return

        async def answered(response: ModelResponse) -> None:
            self._calls = _calls_in(response)
            answer = answer_of(clean_response(response))
            await there(lambda: conversation.inner.end(asked, answer, None))
            await there(lambda: conversation.inner_tools.record_native(answer.response, self._agent))

        opened = Opened(answered)
        try:
            async with self._turn(given):
                yield opened
        except BaseException as error:
            why = said(error)
            if isinstance(error, asyncio.CancelledError):
                why = "it was cancelled"
            await there(lambda: conversation.inner.end(asked, opened.so_far(), why))
            raise

    async def on_run_error(self, ctx: Any, *, error: BaseException) -> Any:
        await self._reconcile({})
        raise error

    async def _reconcile(self, told: Mapping[str, str]) -> None:
        """Record the calls of the last answer whose tools do not exist: the library tells no hook of them. ``told`` is
        what the model was told about each, by id.
        """
        tools, calls = self._caller.conversation.inner_tools, self._calls
        self._calls = []
        for call in calls:
            if call.tool_name not in self._offered and call.tool_call_id not in self._recorded:
                asked, why = asked_by(call), told.get(call.tool_call_id, "it was not called")
                await self._caller.there(partial(tools.never_called, asked, self._agent, status="unknown", why=why))

    def _turn(self, given: Given) -> AbstractAsyncContextManager[None]:
        # A rate window belongs to the engine's loop.
        if not self._caller.is_here:
            return nullcontext()
        return at_window(given.model, given.model.system, self._caller.conversation, waits=False)

    async def on_tool_validate_error(self, ctx: Any, *, call: Any, tool_def: Any, args: Any, error: Any) -> Any:
        tools, asked = self._caller.conversation.inner_tools, asked_by(call)
        self._recorded.add(asked.id)
        await self._caller.there(
            lambda: tools.never_called(asked, self._agent, status="invalid", why=str(error)),
        )
        raise error

    async def wrap_tool_execute(
        self, ctx: Any, *, call: Any, tool_def: Any, args: Any, handler: Callable[..., Any]
    ) -> Any:
        conversation, there, asked = self._caller.conversation, self._caller.there, asked_by(call)
        self._recorded.add(asked.id)
        if past := await there(lambda: self._past(asked, tool_def)):
            return recalled(past)
        tools = conversation.inner_tools
        # allow, deny and approve of the node are not asked: its agent, and not this one, was given them. People can't
        # be asked, either, because the tool around it would have to run again.
        row = await there(lambda: tools.start(asked, self._agent))
        try:
            with called_by(self._caller.inside(asked.id)), conversation.ledger.in_tool(asked.id):
                result = await handler(args)
            output = output_of(asked.tool, result, conversation.task)
        except BaseException as error:
            # A cancellation, too: a row that says running would be taken for a call that was cut off by a crash.
            status, why = end_of(error)
            await there(lambda: tools.end(row, status, error=why))
            raise
        await there(lambda: tools.end(row, "ok", output))
        return result

    async def _past(self, asked: Asked, tool_def: Any) -> ToolCall | None:  # Any: pydantic-ai's ToolDefinition
        """Return the record of a call that has ended already; None if it is made."""
        conversation = self._caller.conversation
        if conversation.cassette is not None:
            return await conversation.inner_tools.replay(asked, self._agent, conversation.cassette)
        repeat = conversation.policy.repeat(asked.tool, tool_def.metadata)
        return await conversation.inner_tools.recall(asked, self._agent, answer=self._answer, repeat=repeat)


def _calls_in(response: ModelResponse) -> list[ToolCallPart]:
    """Return the calls that an answer asks for."""
    return [part for part in response.parts if isinstance(part, ToolCallPart)]


async def _nothing(response: ModelResponse) -> None:
    pass


def watch_runs() -> None:
    """Let every run of an agent in this process look whether a node's agent has called for it.

    pydantic-ai has hooks for the agents that one makes or runs oneself, and none for those of others.
    """
    run: Any = Agent.iter
    if hasattr(run, "__smithers__"):
        return

    @wraps(run)
    def watched(self: Agent[Any, Any], *args: Any, **more: Any) -> Any:
        caller = _CALLER.get()
        if caller is not None:
            inner = Inner(caller, str(self.name or "agent"))
            more["capabilities"] = [*(more.get("capabilities") or ()), inner]
        return run(self, *args, **more)

    watched.__smithers__ = True  # type: ignore[attr-defined]
    Agent.iter = watched  # type: ignore[method-assign]
