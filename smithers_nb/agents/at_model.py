"""The models of agents as they are recorded: the last to see a request, after all capabilities and processors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from hashlib import sha256
from json import dumps, loads
from typing import Any, Self

from pydantic_ai.exceptions import ModelRequestTimeout
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, ModelResponseStreamEvent
from pydantic_ai.models import CompletedStreamedResponse, Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings, merge_model_settings
from pydantic_ai.usage import RequestUsage
from pydantic_core import to_json

from ..credentials import masked_json
from ..values import cleaned
from .runner import AgentTask, ModelAnswer, Request
from .settings import inner_models

TOGETHER = 4
"""The number of events of an answer that are heard before others may use the loop."""


@dataclass(frozen=True, slots=True)
class Given:
    """A request as the library gives it to a model."""

    model: Model
    messages: list[ModelMessage]
    settings: ModelSettings | None
    parameters: ModelRequestParameters

    @property
    def continues(self) -> bool:
        """Whether the model continues an answer that it had suspended: both are one answer."""
        last = self.messages[-1]
        return isinstance(last, ModelResponse) and last.state == "suspended"


@dataclass(slots=True)
class Opened:
    """A request while it is open."""

    answered: Callable[[ModelResponse], Awaitable[None]]
    """Called with the answer of the model."""
    known: ModelResponse | None = None
    """The answer, where the model is not asked for it."""
    stream: StreamedResponse | None = None
    """The answer while it comes, if the model streams."""

    def so_far(self) -> ModelAnswer | None:
        """Return the part of the answer that has come; None if there is none."""
        if self.stream is None:
            return None
        found = self.stream.get()
        if not found.parts and not found.usage.has_values():
            return None
        return answer_of(clean_response(found))


class RecordedModel(WrapperModel):
    """A model whose requests are recorded, and answered from the record where that is possible."""

    def __init__(
        self,
        wrapped: Model,
        opens: Callable[[Given], AbstractAsyncContextManager[Opened]],
        hears: Callable[[ModelResponseStreamEvent], None] | None = None,
        run: Any = None,
    ) -> None:
        super().__init__(wrapped)
        self._opens = opens
        """Called for each request: it is sent, and answered, while that is open."""
        self._hears = hears
        """Called with what an answer says while it comes; None where the library streams, and tells it by itself."""
        self._run = run
        """The run of the agent, as the library gives it to models."""

    async def __aenter__(self) -> Self:
        # The library enters a wrapper for one request, and the user's model is open for longer: closed with the
        # request, it would lose the connections that others use. It knows that model, but none that falls back below.
        return self

    async def __aexit__(self, *error: object) -> None:
        """Leave the model as it is."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask the model, unless the answer is known."""
        given = Given(self.wrapped, messages, model_settings, model_request_parameters)
        if given.continues:
            return await self._answer(given, None)
        async with self._opens(given) as opened:
            if opened.known is not None:
                if self._hears is not None:
                    async for event in _known(opened.known, given):
                        self._hears(event)
                return opened.known
            response = await self._answer(given, opened)
            await opened.answered(response)
            return response

    async def _answer(self, given: Given, opened: Opened | None) -> ModelResponse:
        """Return the model's answer. It streams where it can: a run that streams costs the library twice as much, for
        events that no one else listens to.

        Raises:
            ModelRequestTimeout: if nothing has come within ``first_event_timeout`` of the settings.
        """
        model, messages, settings, parameters = self.wrapped, given.messages, given.settings, given.parameters
        if self._hears is None or not _streams(model):
            return await model.request(messages, settings, parameters)
        first_s = (merge_model_settings(model.settings, settings) or {}).get("first_event_timeout")
        limit = asyncio.timeout(first_s)
        try:
            async with limit, model.request_stream(messages, settings, parameters, self._run) as stream:
                if opened is not None:
                    opened.stream = stream
                number = 0
                async for event in stream:
                    if first_s is not None:
                        limit.reschedule(None)
                    self._hears(event)
                    number += 1
                    # A function that waits for nothing would keep the loop from all others.
                    if number % TOGETHER == 0:
                        await asyncio.sleep(0)
        except TimeoutError:
            if first_s is None or not limit.expired():
                raise
            raise ModelRequestTimeout(model.model_name, first_s, setting="first_event_timeout") from None
        return stream.get()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Ask the model for an answer in pieces, unless it is known."""
        asked = self.wrapped.request_stream(messages, model_settings, model_request_parameters, run_context)
        given = Given(self.wrapped, messages, model_settings, model_request_parameters)
        if given.continues:
            async with asked as stream:
                yield stream
            return
        async with self._opens(given) as opened:
            if opened.known is not None:
                yield _known(opened.known, given)
                return
            async with asked as stream:
                opened.stream = stream
                yield stream
            await opened.answered(stream.get())


def _known(answer: ModelResponse, given: Given) -> StreamedResponse:
    """Return an answer that is known as a stream of it."""
    return CompletedStreamedResponse(answer, model_request_parameters=given.parameters, replay_events=True)


def _streams(model: Model) -> bool:
    """Return True if a model can stream: one made of a function may lack the function for it."""
    for one in inner_models(model):
        if isinstance(one, FunctionModel):
            if one.stream_function is None:
                return False
        elif type(one).request_stream is Model.request_stream:
            return False
    return True


# ---- requests as JSON ------------------------------------------------------------------------------------------


def texts_of(messages: Iterable[ModelMessage]) -> tuple[str, ...]:
    """Return messages as JSON, one by one."""
    return tuple(text_of(message) for message in messages)


def text_of(message: ModelMessage) -> str:
    """Return a message as JSON, without the many fields that a message and its usage can have and this one has not."""
    left_out: dict[str, Any] = dict.fromkeys(_unset(message), True)
    if isinstance(message, ModelResponse):
        left_out["usage"] = _unset(message.usage)
    return ModelMessagesTypeAdapter.dump_json([message], exclude={0: left_out})[1:-1].decode()


def _unset(value: ModelMessage | RequestUsage) -> set[str]:
    kind: Any = type(value)
    return {name for name, default in _optional(kind) if getattr(value, name) == default}


@cache
def _optional(kind: Any) -> list[tuple[str, Any]]:
    """Return the fields that can be left out, with their defaults."""
    return [(field.name, field.default) for field in fields(kind) if field.default in (None, 0) and field.init]


def parameters_of(given: Given) -> str:
    """Return the rest of a request as a JSON object: settings, tools with their schemas, output schema, native tools,
    and instructions that the messages do not have. Fields with their default are left out.
    """
    parameters = given.parameters
    if parameters.output_tools and parameters.output_mode != "tool":
        # The model decides how it is asked for structured output: with these tools, or without.
        _, decided = given.model.prepare_request(given.settings, parameters)
        if not decided.output_tools:
            parameters = replace(parameters, output_tools=[])
        parameters = replace(parameters, output_mode=decided.output_mode)
    told: dict[str, Any] = {"settings": dict(merge_model_settings(given.model.settings, given.settings) or {})}
    kind: Any = type(parameters)
    for name, default in _defaults(kind).items():
        value = getattr(parameters, name)
        if name not in _SAID_ELSEWHERE and value != default:
            told[name] = _differing(value)
    instructions = "\n\n".join(part.content for part in parameters.instruction_parts or ())
    if instructions and instructions != getattr(given.messages[-1], "instructions", None):
        told["instructions"] = instructions
    # What is no JSON, such as a client in extra settings, has a repr. Headers stand in settings and in native tools.
    return masked_json(to_json(told, fallback=repr).decode())


_SAID_ELSEWHERE = {
    "instruction_parts", "instruction_visibility", "tool_visibility", "revealed_tool_names", "introduced_tool_names",
}  # fmt: skip
"""The fields whose content is in the messages, or is made of other fields."""
_NOT_FOR_MODELS = {
    "metadata", "timeout", "toolset_id", "capability_id", "function_signature", "sequential",
    "include_return_schema",
}  # fmt: skip
"""The fields of a tool's definition that no model sees. Of the schema of what it returns, this one decides."""


def _differing(value: Any) -> Any:
    """Return definitions of tools and the like as dicts of the fields that differ from their default."""
    if isinstance(value, list):
        return [_differing(one) for one in value]
    if not is_dataclass(value):
        return value
    kind: Any = type(value)
    found = {}
    for name, default in _defaults(kind).items():
        one = getattr(value, name)
        if name == "return_schema" and not getattr(value, "include_return_schema", None):
            continue
        if name not in _NOT_FOR_MODELS and (name in ("kind", "name") or one != default):
            found[name] = one
    return found


@cache
def _defaults(kind: Any) -> dict[str, Any]:
    """Return the public fields of a class, with their defaults."""
    found = {}
    for field in fields(kind):
        if not field.name.startswith("_"):
            found[field.name] = field.default
            if field.default_factory is not MISSING:
                found[field.name] = field.default_factory()
    return found


def signature_of(given: Given, script: str | None, limits: dict[str, float], messages: Any) -> str:
    """Return what an answer depends on, in short; ``messages`` are those of the request, as plain JSON."""
    model = given.model
    parts = {
        "model": [model.system, model.model_name, getattr(model, "base_url", None), model.settings],
        "script": script,
        "settings": given.settings,
        "parameters": given.parameters,
        "messages": messages,
        "limits": limits,
    }
    # What is no JSON has a repr, perhaps with an address: then it is another one in the next process, and asked.
    return sha256(to_json(parts, fallback=repr)).hexdigest()


def same_of(given: Given, request: Request, task: AgentTask) -> str | None:
    """Return a hash of all that makes a request the same for a branch; None in a replay, which knows its answers."""
    if task.recorded is not None:
        return None
    model = given.model
    # Functions can't be compared: they are told by the name, or the node, that they stand under.
    is_function = any(isinstance(one, FunctionModel | TestModel) for one in inner_models(model))
    parts = {
        "model": [request.provider, request.model, getattr(model, "base_url", None)],
        "stands": task.stands if is_function else "",
        "messages": plain([loads(text) for text in request.messages]),
        "parameters": loads(request.parameters),
    }
    return sha256(dumps(parts, sort_keys=True).encode()).hexdigest()


def plain(messages: Any, ids: dict[str, str] | None = None) -> Any:  # Any: JSON
    """Return messages without what differs from run to run: times, ids of runs and tool calls, and of the model's
    earlier answers all but their texts and calls.
    """
    if ids is None:
        ids = {}
    if isinstance(messages, list):
        return [plain(one, ids) for one in messages]
    if not isinstance(messages, dict):
        return messages
    if messages.get("kind") == "response":
        return plain(messages["parts"], ids)
    left_out = {"timestamp", "run_id", "conversation_id"}
    kept = {name: plain(value, ids) for name, value in messages.items() if name not in left_out}
    if isinstance(id := kept.get("tool_call_id"), str):
        kept["tool_call_id"] = ids.setdefault(id, str(len(ids)))
    return kept


# ---- answers ---------------------------------------------------------------------------------------------------


def answer_of(response: ModelResponse) -> ModelAnswer:
    """Return an answer with its usage and price."""
    usage = response.usage
    cost_usd, unpriced = _price(response)
    return ModelAnswer(
        text_of(response),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.output_reasoning_tokens or usage.details.get("reasoning_tokens", 0),
        cost_usd=cost_usd,
        unpriced=unpriced,
    )


def _price(response: ModelResponse) -> tuple[float | None, str | None]:
    """Return the price in USD, and where the library does not know it, why; it is 0 for a scripted model."""
    if response.model_name == "scripted":
        return 0.0, None
    try:
        return float(response.cost().total_price), None
    except (LookupError, ValueError, AssertionError) as error:
        return None, str(error).strip("'\"") or type(error).__name__


def clean_response(response: ModelResponse) -> ModelResponse:
    """Return an answer that can be written down: escaped JSON may hold invalid text."""
    changed = [cleaned_fields(part) for part in response.parts]
    if not any(changed):
        return response
    return replace(
        response, parts=[replace(part, **texts) for part, texts in zip(response.parts, changed, strict=True)]
    )


def cleaned_fields(part: Any) -> dict[str, Any]:
    """Return those texts of a part that can't be written down as they are, as they can."""
    found = {}
    for name in ("content", "args"):
        value = getattr(part, name, None)
        if value is not None and (clean := cleaned(value)) != value:
            found[name] = clean
    return found
