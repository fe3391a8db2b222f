"""Agents that the functions of a node's agent run themselves, such as a tool that asks another agent.

Their requests are recorded under the node, and count for its limits. Imported, and pydantic-ai with it, only when the
first agent begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse

from ..errors import said
from .at_model import Given, Opened, RecordedModel, answer_of, clean_response, parameters_of, same_of, texts_of
from .conversation import Conversation
from .fallback import windowed
from .runner import Request

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
    """Records the requests of an agent under the one whose function runs it."""

    def __init__(self, caller: Caller, name: str) -> None:
        self._caller = caller
        self._name = name

    def get_wrapper_model(self, model: Any) -> Any:
        sends = model
        # A rate window belongs to the engine's loop.
        if self._caller.is_here and self._caller.conversation.cassette is None:
            sends = windowed(model, self._caller.conversation)
        return RecordedModel(sends, model, self._opened)

    @asynccontextmanager
    async def _opened(self, given: Given) -> AsyncIterator[Opened]:
        conversation, there = self._caller.conversation, self._caller.there
        provider, model = given.model.system, given.model.model_name
        request = Request(provider, model, texts_of(given.messages), parameters_of(given))
        request = replace(request, same=same_of(given, request, conversation.task))
        cassette, caller = conversation.cassette, self._caller.tool_call_id
        asked = await there(lambda: conversation.inner.send(request, self._name, caller, cassette))
        if asked.response is not None:
            (known,) = ModelMessagesTypeAdapter.validate_json(f"[{asked.response}]")
            assert isinstance(known, ModelResponse)  # for the type checker: it is the record of an answer
            yield Opened(_nothing, known=known)
            return

        async def answered(response: ModelResponse) -> None:
            await there(lambda: conversation.inner.end(asked, answer_of(clean_response(response)), None))

        opened = Opened(answered)
        try:
            yield opened
        except BaseException as error:
            why = said(error)
            if isinstance(error, asyncio.CancelledError):
                why = "it was cancelled"
            await there(lambda: conversation.inner.end(asked, opened.so_far(), why))
            raise


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
