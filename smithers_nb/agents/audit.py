"""The audit of an agent: its conversation hears of each request, each tool call and each piece, before and after.

Imported, and pydantic-ai with it, only when the first agent begins.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_ai import CallToolsNode
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel

from ..errors import clean
from ..user_code import as_failure, awaited
from .at_model import (
    Given,
    Opened,
    RecordedModel,
    answer_of,
    clean_response,
    cleaned_fields,
    parameters_of,
    plain,
    same_of,
    signature_of,
    text_of,
    texts_of,
)
from .audited_tools import AuditedTools
from .conversation import Conversation
from .fallback import at_window, each, falls_back
from .inner import Caller, called_by
from .native_tools import withheld
from .runner import AgentTask, Request
from .scripted import Scripted
from .servers import kept_alive, replayed
from .tool_names import native_names
from .tool_results import asked_by, told_of_tools

Alone = Callable[[str | None], AbstractAsyncContextManager[object]]
"""Holds the place of the only request of a signature."""


class Audit(AbstractCapability[Any]):
    """Lets a conversation know of everything that an agent does."""

    def __init__(self, conversation: Conversation, alone: Alone) -> None:
        self.conversation = conversation
        self.alone = alone
        self._tools = AuditedTools(conversation)
        self._ctx: Any = None
        """The run, as the library gives it to the request."""
        self._first: Any = None
        """The model that a request is made to first."""
        self._library_streams = False
        """True if the library streams the request: then it tells of the pieces by itself."""
        self._calls_tools = False
        """True while the library calls the tools of an answer."""
        self._told: list[ModelMessage] = []
        """The conversation up to the turn."""
        self._said: ModelResponse | None = None
        """The answer of the model in this turn."""

    def get_wrapper_toolset(self, toolset: Any) -> Any:
        if self.conversation.cassette is None:
            return kept_alive(toolset, self.conversation.task)
        return replayed(toolset, self.conversation.cassette)

    def get_wrapper_model(self, model: Any) -> Any:
        # Others than the first come from the user's capabilities, such as ModelFallback.
        waits = model is self._first and not falls_back(model)
        opens = partial(self._opened, whole=model, waits=waits)
        hears = None if self._library_streams else self.conversation.streamed.hear
        return each(model, lambda one: RecordedModel(one, opens, hears, self._ctx))

    async def wrap_run(self, ctx: Any, *, handler: Callable[..., Any]) -> Any:
        _whose(ctx, self.conversation.task)
        with called_by(Caller(self.conversation)):
            return await handler()

    @property
    def has_on_event(self) -> bool:
        # The library streams every request of a run in which someone listens, and that takes it twice the time. Here
        # models tell by themselves what they say, and only the calls of tools are listened to.
        return self._calls_tools

    async def on_event(self, ctx: Any, *, event: Any) -> None:
        if self._library_streams or event.event_kind in TOOL_EVENTS:
            self.conversation.streamed.hear(event)

    async def before_node_run(self, ctx: Any, *, node: Any) -> Any:
        self._calls_tools = isinstance(node, CallToolsNode) and bool(node.model_response.tool_calls)
        return node

    async def after_node_run(self, ctx: Any, *, node: Any, result: Any) -> Any:
        if result is node:
            # The library takes one of the user's code for the end of its graph, and would run this node for ever.
            raise as_failure(StopAsyncIteration(f"in a function of the agent of {self.conversation.task.node_id}"))
        return result

    async def wrap_model_request(self, ctx: Any, *, request_context: Any, handler: Callable[..., Any]) -> Any:
        conversation = self.conversation
        _whose(ctx, conversation.task)
        conversation.policy.check_names(_offered(request_context))
        if conversation.tools.asked_later:
            raise await conversation.tools.ask(conversation.tools.asked_later)
        asked = _cleaned_request(_allowed(request_context, conversation.task))
        past = await conversation.next_turn(ctx.run_step, told_of_tools(asked.messages[-1:]))
        _tell_offers(conversation, asked.model_request_parameters)
        if past is not None:
            return _response(past)
        self._told, self._said, self._first = list(asked.messages), None, asked.model
        self._ctx, self._library_streams = ctx, asked.streaming
        response: ModelResponse = clean_response(await handler(asked))
        if conversation.log.open is None and not conversation.turns.is_answered:
            # A wrapper of the user's, such as one that sends requests in batches, has asked past all others.
            given = Given(asked.model, asked.messages, asked.model_settings, asked.model_request_parameters)
            await conversation.ask(self._request(given, None))
        if conversation.log.open is not None:
            # The model had suspended its answer, and this is all of it.
            await conversation.answer(answer_of(response))
        elif self._said is None or self._said.parts != response.parts:
            await conversation.log.accept(text_of(response))
        return response

    @asynccontextmanager
    async def _opened(self, given: Given, *, whole: Any, waits: bool) -> AsyncIterator[Opened]:
        """Open a request: in its turn, with a row in the store before it is sent. ``whole`` is the model that the
        library asks: the given one, or one that falls back, and tries it.
        """
        conversation = self.conversation
        request = self._identified(given, whole)
        async with self.alone(request.signature):
            if known := await conversation.recall(request):
                yield Opened(self._answered, known=_response(known))
                return
            async with at_window(given.model, request.provider, conversation, waits=waits):
                await conversation.ask(request)
                opened = Opened(self._answered)
                try:
                    yield opened
                except BaseException as error:
                    conversation.log.broke(error, opened.so_far())
                    raise

    def _identified(self, given: Given, whole: Any) -> Request:
        """Return a request as it is recorded, with what makes it the same as another one. For a model that falls back
        that is the same whichever model it tries: any of them has answered the turn.
        """
        task = self.conversation.task
        request = self._request(given, _signature(replace(given, model=whole), task))
        if whole is given.model:
            return replace(request, same=same_of(given, request, task))
        asked = replace(given, model=whole)
        return replace(request, same=same_of(asked, self._request(asked, None), task))

    async def _answered(self, response: ModelResponse) -> None:
        if response.state != "suspended":
            self._said = clean_response(response)
            await self.conversation.answer(answer_of(self._said))

    def _request(self, given: Given, signature: str | None) -> Request:
        """Return a request as it is recorded, and tell the conversation up to it, which hooks may have cut or edited
        for the model.
        """
        provider, name = self.conversation.named(given.model.system, given.model.model_name)
        messages = texts_of(given.messages)
        # Mostly the same objects, and to write them takes its time.
        known = {id(message): text for message, text in zip(given.messages, messages, strict=True)}
        self.conversation.log.history = tuple(known.get(id(one)) or text_of(one) for one in self._told)
        return Request(provider, name, messages, parameters_of(given), signature=signature)

    async def wrap_output_validate(self, ctx: Any, *, output_context: Any, output: Any, handler: Any) -> Any:
        return await awaited(handler(output))

    async def wrap_output_process(self, ctx: Any, *, output_context: Any, output: Any, handler: Any) -> Any:
        if self.conversation.task.is_plain:
            return await handler(output)
        return await awaited(handler(output))

    async def on_tool_validate_error(self, ctx: Any, *, call: Any, tool_def: Any, args: Any, error: Any) -> Any:
        await self.conversation.tools.never_called(asked_by(call), "invalid", str(error))
        raise error

    async def after_tool_validate(self, ctx: Any, *, call: Any, tool_def: Any, args: Any) -> Any:
        self._tools.check(ctx, call, tool_def, args)
        return args

    async def handle_deferred_tool_calls(self, ctx: Any, *, requests: Any) -> Any:
        return await self._tools.deferred(requests)

    async def wrap_tool_execute(
        self, ctx: Any, *, call: Any, tool_def: Any, args: Any, handler: Callable[..., Any]
    ) -> Any:
        _whose(ctx, self.conversation.task)
        return await self._tools.execute(ctx, call, tool_def, args=args, handler=handler)


TOOL_EVENTS = ("function_tool_call", "function_tool_result")


def _whose(ctx: Any, task: AgentTask) -> None:
    """Say on the current span whose it is, where the user has the library trace agents (``Agent.instrument_all``)."""
    if type(ctx.tracer).__name__ == "NoOpTracer":
        return
    from opentelemetry.trace import get_current_span

    names = ("execution_id", "node_id", "task_id")
    get_current_span().set_attributes({f"smithers.{name}": getattr(task, name) for name in names})


def _tell_offers(conversation: Conversation, parameters: Any) -> None:
    """Tell what the model is offered in this turn."""
    outputs = [tool.name for tool in parameters.output_tools]
    conversation.tools.offered = frozenset(tool.name for tool in parameters.function_tools)
    conversation.tools.outputs = frozenset(outputs)
    conversation.streamed.begin(outputs, structured=parameters.output_object is not None)


def _offered(asked: Any) -> set[str]:
    """Return the names of all tools in a request."""
    parameters = asked.model_request_parameters
    tools = [*parameters.function_tools, *parameters.output_tools]
    return {tool.name for tool in tools} | native_names(parameters.native_tools)


def _allowed(asked: Any, task: AgentTask) -> Any:
    """Return a request without the native tools that the agent may not use: the provider would just call them."""
    parameters = asked.model_request_parameters
    left = [tool for tool in parameters.native_tools if not withheld(tool, task)]
    if len(left) == len(parameters.native_tools):
        return asked
    return replace(asked, model_request_parameters=replace(parameters, native_tools=left))


def _signature(given: Given, task: AgentTask) -> str | None:
    """Return all that an answer depends on, in short; None if it is not to be used again, or that is not known."""
    script = task.local.model
    known = isinstance(script, Scripted) and not any(map(callable, script.replies))
    if not task.cache or task.recorded is not None:
        return None
    if isinstance(given.model, FunctionModel | TestModel) and not known:
        return None
    replies = repr(script.replies) if isinstance(script, Scripted) else None
    messages = plain([json.loads(text) for text in texts_of(given.messages)])
    return signature_of(given, script=replies, limits=task.limits, messages=messages)


def _cleaned_request(asked: Any) -> Any:
    """Clean the last message to the model in place, since a tool may have returned or raised invalid text; return the
    request with clean instructions.
    """
    message, parameters = asked.messages[-1], asked.model_request_parameters
    for part in message.parts:
        for name, value in cleaned_fields(part).items():
            setattr(part, name, value)
    if message.instructions:
        message.instructions = clean(message.instructions)
    told = parameters.instruction_parts or ()
    if all(clean(part.content) == part.content for part in told):
        return asked
    # The message gets its instructions from the parameters again before it is sent.
    parts = [replace(part, content=clean(part.content)) for part in told]
    return replace(asked, model_request_parameters=replace(parameters, instruction_parts=parts))


def _response(text: str) -> ModelResponse:
    (found,) = ModelMessagesTypeAdapter.validate_json(f"[{text}]")
    assert isinstance(found, ModelResponse)  # for the type checker: it is the record of an answer
    return found
