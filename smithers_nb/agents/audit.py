"""The audit of an agent: its conversation hears of each request, each tool call and each piece, before and after.

Imported, and pydantic-ai with it, only when the first agent begins.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields, replace
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic_ai import (
    ApprovalRequired,
    CallDeferred,
    FunctionToolset,
    ModelRetry,
    Tool,
    ToolApproved,
    ToolDenied,
    ToolFailed,
    WrapperToolset,
)
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ToolFailedError, ToolRetryError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, ToolReturn
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_core import PydanticSerializationError

from ..errors import AgentError, BudgetExceededError, NotStorableError, UserCodeError, clean, said
from ..records import ToolCall
from ..user_code import as_failure, awaited, guarded
from ..values import cleaned
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
from .cassette import Cassette, Unanswered
from .clients import keep_apart
from .conversation import Conversation, window
from .fallback import windowed
from .inner import Caller, called_by
from .native_tools import withheld
from .runner import AgentTask, Request, ToolQuestion
from .scripted import Scripted
from .servers import is_server, kept_alive
from .tool_names import native_names, refuse_unknown

Alone = Callable[[str | None], AbstractAsyncContextManager[object]]
"""Holds the place of the only request of a signature."""

_RETURNS: TypeAdapter[ToolReturn] = TypeAdapter(ToolReturn)
# As the library writes it for a provider: a recorded result that is given once more has to be the same to the model.
_SENT: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_bytes="base64"))


class Audit(AbstractCapability[Any]):
    """Lets a conversation know of everything but the pieces of a stream."""

    def __init__(self, conversation: Conversation, alone: Alone) -> None:
        self.conversation = conversation
        self.alone = alone
        self._first: Any = None
        """The model that a request is made to first."""
        self._told: list[ModelMessage] = []
        """The conversation up to the turn."""
        self._said: ModelResponse | None = None
        """The answer of the model in this turn."""

    def get_wrapper_toolset(self, toolset: Any) -> Any:
        if self.conversation.cassette is None:
            return kept_alive(toolset, self.conversation.task)
        return _here(toolset, self.conversation.cassette)

    def get_wrapper_model(self, model: Any) -> Any:
        # The first gets its turn when it is asked. Others come from the user's capabilities, such as ModelFallback.
        sends = windowed(model, self.conversation, has_turn=model is self._first)
        return RecordedModel(sends, model, self._opened)

    async def wrap_run(self, ctx: Any, *, handler: Callable[..., Any]) -> Any:
        _whose(ctx, self.conversation.task)
        with called_by(Caller(self.conversation)):
            return await handler()

    async def wrap_node_run(self, ctx: Any, *, node: Any, handler: Callable[..., Any]) -> Any:
        following = await handler(node)
        if following is node:
            # The library takes one of the user's code for the end of its graph, and would run this node for ever.
            raise as_failure(StopAsyncIteration(f"in a function of the agent of {self.conversation.task.node_id}"))
        return following

    async def wrap_model_request(self, ctx: Any, *, request_context: Any, handler: Callable[..., Any]) -> Any:
        conversation, asked = self.conversation, _allowed(request_context, self.conversation.task)
        _whose(ctx, conversation.task)
        if conversation.unchecked is not None:
            refuse_unknown(conversation.task, conversation.unchecked | _offered(request_context))
            conversation.unchecked = None
        if conversation.asked_later:
            raise await conversation.asks(conversation.asked_later)
        asked = _cleaned_request(asked)
        if conversation.is_past_answers(ctx.run_step):
            await conversation.reconcile(told_of_tools(asked.messages[-1:]))
        past = conversation.next_turn(ctx.run_step)
        parameters = asked.model_request_parameters
        conversation.offers(
            [tool.name for tool in parameters.function_tools],
            [tool.name for tool in parameters.output_tools],
            structured=parameters.output_object is not None,
        )
        if past is not None:
            return _response(past)
        self._told, self._said, self._first = list(asked.messages), None, asked.model
        response: ModelResponse = clean_response(await handler(asked))
        if conversation.asked is None and not conversation.is_answered:
            # A wrapper of the user's, such as one that sends requests in batches, has asked past all others.
            given = Given(asked.model, asked.messages, asked.model_settings, asked.model_request_parameters)
            await conversation.ask(self._request(given, None))
        if conversation.asked is not None:
            # The model had suspended its answer, and this is all of it.
            await conversation.answer(answer_of(response))
        elif self._said is None or self._said.parts != response.parts:
            await conversation.accepts(text_of(response))
        return response

    @asynccontextmanager
    async def _opened(self, given: Given) -> AsyncIterator[Opened]:
        """Open a request: in its turn, with a row in the store before it is sent."""
        conversation, model = self.conversation, given.model
        signature = _signature(given, conversation.task)
        request = self._request(given, signature)
        request = replace(request, same=same_of(given, request, conversation.task))
        async with self.alone(signature):
            if known := await conversation.recall(request):
                yield Opened(self._answered, known=_response(known))
                return
            name = window(request.provider, request.model)
            if model is not self._first:
                name = None
            async with conversation.ledger.turn(name):
                await conversation.ask(request)
                keep_apart(model)
                opened = Opened(self._answered)
                try:
                    yield opened
                except BaseException as error:
                    conversation.came, conversation.broken = opened.so_far(), error
                    raise

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
        self.conversation.history = tuple(known.get(id(one)) or text_of(one) for one in self._told)
        return Request(provider, name, messages, parameters_of(given), signature=signature)

    async def wrap_output_validate(self, ctx: Any, *, output_context: Any, output: Any, handler: Any) -> Any:
        return await awaited(handler(output))

    async def wrap_output_process(self, ctx: Any, *, output_context: Any, output: Any, handler: Any) -> Any:
        return await awaited(handler(output))

    async def on_tool_validate_error(self, ctx: Any, *, call: Any, tool_def: Any, args: Any, error: Any) -> Any:
        given = call.args_as_json_str()
        await self.conversation.never_called(call.tool_call_id, call.tool_name, given, status="invalid", why=str(error))
        raise error

    async def after_tool_validate(self, ctx: Any, *, call: Any, tool_def: Any, args: Any) -> Any:
        conversation, id, tool = self.conversation, call.tool_call_id, call.tool_name
        if ctx.tool_call_approved or tool_def.kind == "external" or conversation.denied(tool) or conversation.ended(id):
            return args
        conversation.schemas[tool] = json.dumps(tool_def.parameters_json_schema)
        if (made := conversation.decision(id)) and made.external:
            return args
        shown: dict[str, Any] | None = {}
        # With a decision the function in approve= is not called again: it may have effects, or change its mind.
        if not conversation.decision(id):
            shown = conversation.asked_about(tool, args)
        if shown is not None:
            raise ApprovalRequired(shown)
        return args

    async def handle_deferred_tool_calls(self, ctx: Any, *, requests: Any) -> Any:
        conversation = self.conversation
        questions: list[ToolQuestion] = []
        results: dict[str, Any] = {}
        for call in requests.approvals:
            id, tool, given = call.tool_call_id, call.tool_name, call.args_as_json_str()
            if why := conversation.denied(tool) or conversation.refused(id):
                await conversation.never_called(id, tool, given, status="denied", why=why)
                results[id] = ToolDenied(why)
            elif decision := conversation.decision(id):
                results[id] = ToolApproved(override_args=json.loads(decision.args) if decision.args else None)
            else:
                questions.append(
                    ToolQuestion(
                        turn=conversation.turn,
                        tool_call_id=id,
                        tool=tool,
                        input=given,
                        shown=requests.metadata.get(id) or {},
                        schema=conversation.schemas.get(tool),
                    )
                )
        made: dict[str, Any] = {}
        for call in requests.calls:
            id, tool, given = call.tool_call_id, call.tool_name, call.args_as_json_str()
            if why := conversation.denied(tool):
                await conversation.never_called(id, tool, given, status="denied", why=why)
                made[id] = ToolFailed(why)
            elif (decision := conversation.decision(id)) and decision.external:
                made[id] = _made_elsewhere(await conversation.made_elsewhere(id, tool, given, decision=decision))
            else:
                shown = requests.metadata.get(id) or {}
                questions.append(ToolQuestion(conversation.turn, id, tool, input=given, shown=shown, external=True))
        if questions:
            raise await conversation.asks(questions)
        return requests.build_results(approvals=results, calls=made)

    async def wrap_tool_execute(
        self, ctx: Any, *, call: Any, tool_def: Any, args: Any, handler: Callable[..., Any]
    ) -> Any:
        conversation, given = self.conversation, call.args_as_json_str()
        _whose(ctx, conversation.task)
        if past := conversation.ended(call.tool_call_id):
            return _recalled(past)
        if why := conversation.denied(call.tool_name):
            await conversation.never_called(call.tool_call_id, call.tool_name, given, status="denied", why=why)
            return ToolDenied(why)
        if (decision := conversation.decision(call.tool_call_id)) and decision.external:
            # The function has said that the call is made elsewhere, and may have begun it: it is not called again.
            done = await conversation.made_elsewhere(call.tool_call_id, call.tool_name, given, decision=decision)
            result = _made_elsewhere(done)
            if isinstance(result, ToolFailed):
                raise result
            return result
        if reused := await conversation.reused_result(call.tool_call_id, call.tool_name, given, tool_def.metadata):
            return _recalled(reused)
        row = await conversation.start_tool(call.tool_call_id, call.tool_name, given)
        if conversation.cassette is not None:
            past = conversation.cassette.tool(row)
            await conversation.end_tool(row, past.status, past.output, past.error)
            return _recalled(past)
        try:
            with called_by(Caller(conversation, call.tool_call_id)):
                result = await awaited(handler(args))
            output = guarded(_output, call, result, conversation.task)
        except asyncio.CancelledError:
            # Whether it had an effect is not known: the next run of the agent calls it again.
            await conversation.end_tool(row, "interrupted")
            raise
        except ApprovalRequired:
            if ctx.tool_call_approved:
                await conversation.end_tool(row, "raised", error="it asks for approval although it has it")
                raise AgentError(
                    f"tool {call.tool_name} of {conversation.task.node_id} raised ApprovalRequired although it was "
                    "approved: let it go on where ctx.tool_call_approved is true.",
                    node_id=conversation.task.node_id,
                    source=conversation.task.source,
                ) from None
            await conversation.end_tool(row, "waiting")
            raise
        except CallDeferred as deferred:
            await conversation.end_tool(row, "waiting")
            if not ctx.tool_call_approved:
                raise
            # The library asks no second time about a call that was approved: people are asked before the next request.
            conversation.asked_later.append(
                ToolQuestion(
                    turn=conversation.turn,
                    tool_call_id=call.tool_call_id,
                    tool=call.tool_name,
                    input=given,
                    shown=deferred.metadata or {},
                    external=True,
                )
            )
            return None
        except (ToolRetryError, ToolFailedError, ModelRetry, ToolFailed) as error:
            told = isinstance(error, ToolFailedError | ToolFailed)
            await conversation.end_tool(row, "failed" if told else "retry", error=_words(error))
            raise
        except UserCodeError as error:
            words = said(error.raised)
            if isinstance(error.raised, BudgetExceededError):
                # An agent that the tool ran has reached a limit of this one.
                await conversation.end_tool(row, "raised", error=words)
                raise error.raised from None
            await conversation.end_tool(row, "raised", error=words)
            raise AgentError(
                f"tool {call.tool_name} of {conversation.task.node_id} raised {words}.",
                node_id=conversation.task.node_id,
                source=conversation.task.source,
            ) from error.raised
        except Exception as error:
            await conversation.end_tool(row, "raised", error=said(error))
            raise
        await conversation.end_tool(row, "ok", output)
        return result


class Streaming(Audit):
    """Lets it know of every piece, too: the library then streams, which not every model can."""

    async def on_event(self, ctx: Any, *, event: Any) -> None:
        _piece(self.conversation, event)


def _made_elsewhere(call: ToolCall) -> Any:  # Any: JSON, or the library's word for a failure
    """Return the result of a call that was made elsewhere, as the library takes it."""
    if call.status == "failed":
        return ToolFailed(call.error or "")
    return json.loads(call.output or "null")


def _recalled(past: ToolCall) -> Any:  # Any: what the tool returned
    """Return the recorded result of a call, or raise its recorded refusal.

    Raises:
        Unanswered: if it had no end, or was the end of the agent.
    """
    told = past.error or ""
    match past.status:
        case "ok":
            return _returned(past.output or "null")
        case "denied":
            return ToolDenied(told)
        case "retry":
            raise ModelRetry(told)
        case "failed":
            raise ToolFailed(told)
        case "waiting":
            raise ApprovalRequired
    raise Unanswered


def _here(toolset: Any, cassette: Cassette) -> Any:  # Any: pydantic-ai's toolsets
    """Return what a replay offers for a toolset: tools of the recorded names for MCP servers, none of which is started
    or called.
    """
    found: list[Any] = []

    def leave_out(leaf: Any) -> Any:
        if not is_server(leaf):
            return leaf
        found.append(leaf)
        return FunctionToolset()

    class WithRecorded(WrapperToolset[Any]):
        async def get_tools(self, ctx: Any) -> dict[str, Any]:
            here = await super().get_tools(ctx)
            theirs = [
                Tool.from_schema(
                    dict, name, tool.get("description"), tool.get("parameters_json_schema") or {"type": "object"}
                )
                for name, tool in cassette.tools.items()
                if name not in here
            ]
            return here | await FunctionToolset(theirs).get_tools(ctx)

    rest = toolset.visit_and_replace(leave_out)
    if not found:
        return toolset
    return WithRecorded(rest)


def _whose(ctx: Any, task: AgentTask) -> None:
    """Say on the current span whose it is, where the user has the library trace agents (``Agent.instrument_all``)."""
    if type(ctx.tracer).__name__ == "NoOpTracer":
        return
    from opentelemetry.trace import get_current_span

    names = ("execution_id", "node_id", "task_id")
    get_current_span().set_attributes({f"smithers.{name}": getattr(task, name) for name in names})


def _piece(conversation: Conversation, event: Any) -> None:
    """Record a piece of the stream, unless it is of an answer that is given once more."""
    kind = event.event_kind
    if kind in ("part_start", "part_delta"):
        _progress(conversation, event)
        part = event.part if kind == "part_start" else event.delta
        kinds = {"text": "token", "thinking": "thinking"}
        name = kinds.get(str(getattr(part, "part_kind", None) or getattr(part, "part_delta_kind", "")))
        text = getattr(part, "content", None) or getattr(part, "content_delta", None)
        if name and text and not conversation.repeating:
            conversation.piece(name, clean(text))
    elif kind == "function_tool_call" and event.part.tool_call_id not in conversation.begun:
        part = event.part
        conversation.piece("tool_start", {"id": part.tool_call_id, "tool": part.tool_name, "input": part.args})
    elif kind == "function_tool_result" and event.part.tool_call_id not in conversation.known:
        part = event.part
        conversation.piece("tool_end", {"id": part.tool_call_id, "tool": part.tool_name, "outcome": part.outcome})


def _progress(conversation: Conversation, event: Any) -> None:
    """Report a piece of the output to a node that listens."""
    answer = conversation.partial
    if answer is None or conversation.repeating:
        return
    if event.event_kind == "part_delta":
        delta = event.delta
        piece = getattr(delta, "args_delta", None)
        if delta.part_delta_kind == "text":
            piece = delta.content_delta
        answer.extend(event.index, piece)
    elif event.part.part_kind == "text":
        answer.begin(event.index, None, event.part.content)
    elif event.part.part_kind == "tool-call":
        answer.begin(event.index, event.part.tool_name, event.part.args)
    else:
        return
    conversation.ledger.progress(answer.value)


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
    parts = [replace(part, content=clean(part.content)) for part in parameters.instruction_parts or ()]
    # The message gets its instructions from the parameters again before it is sent.
    if parts == list(parameters.instruction_parts or ()):
        return asked
    return replace(asked, model_request_parameters=replace(parameters, instruction_parts=parts))


def _response(text: str) -> ModelResponse:
    (found,) = ModelMessagesTypeAdapter.validate_json(f"[{text}]")
    assert isinstance(found, ModelResponse)  # for the type checker: it is the record of an answer
    return found


def told_of_tools(messages: list[ModelMessage]) -> dict[str, str]:
    """Return the answers that the model got to its tool calls, by their id."""
    parts = [part for message in messages for part in message.parts]
    return {
        part.tool_call_id: str(getattr(part, "content", ""))
        for part in parts
        if part.part_kind in ("tool-return", "retry-prompt") and part.tool_call_id
    }


def _output(call: Any, result: object, task: AgentTask) -> str:
    """Return what a tool returned as JSON; a ``ToolReturn`` with what else it has, such as content for the model.

    Raises:
        NotStorableError: if it can't be.
    """
    given = result
    if not isinstance(given, ToolReturn):
        given = ToolReturn(result)
    whole = replace(given, **{name: cleaned(getattr(given, name)) for name in ("return_value", "content", "metadata")})
    names = [field.name for field in fields(whole) if field.name != "content_file_digests"]
    try:
        parts = {name: _SENT.dump_python(getattr(whole, name), mode="json") for name in names}
        besides = any(parts[name] is not None for name in ("content", "metadata", "tools"))
        return json.dumps(parts if besides else parts["return_value"], ensure_ascii=False)
    except (PydanticSerializationError, ValueError) as error:
        kind = type(whole.return_value).__name__
        raise NotStorableError(
            f"what tool {call.tool_name} of {task.node_id} returned ({kind}) can't be stored: {error}. Return text, "
            "numbers, lists and dicts of these, or a pydantic model.",
            node_id=task.node_id,
            source=task.source,
        ) from error


def _returned(output: str) -> Any:  # Any: what the tool returned
    """Return what a tool returned, from its record."""
    value = json.loads(output)
    if isinstance(value, dict) and value.get("kind") == "tool-return" and "return_value" in value:
        return _RETURNS.validate_json(output)
    return _RETURNS.validate_json(json.dumps({"return_value": value})).return_value


def _words(error: Any) -> str:
    """Return what a tool told the model by raising."""
    part = getattr(error, "tool_retry", None) or getattr(error, "tool_failed", None)
    return str(getattr(part, "content", None) or getattr(error, "message", None) or error)
