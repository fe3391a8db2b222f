"""Agents on pydantic-ai: the only module that imports it, and only when the first agent mounts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from pydantic_core import PydanticSerializationError, to_json

from ..errors import AgentConfigError, AgentError, NotStorableError, clean
from .recording import Answer, Talk, window
from .replaying import Tape, Unanswered
from .runner import AgentReply, AgentTask, Asks, Ledger, ToolCall, ToolQuestion
from .scripted import Plain, Scripted

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_ai import Agent
    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.messages import ModelMessage, ModelResponse, ToolReturn
    from pydantic_ai.models import Model
    from pydantic_ai.models.function import AgentInfo, DeltaToolCall
    from pydantic_ai.settings import ModelSettings

ALIASES = {
    "haiku": "anthropic:claude-haiku-5-5",
    "sonnet": "anthropic:claude-sonnet-5-5",
    "opus": "anthropic:claude-opus-5-5",
}
"""The short names of ``Claude(model=…)``; everything else is pydantic-ai's own id."""

Alone = Callable[[str | None], AbstractAsyncContextManager[object]]
"""Holds the place of the only request of a signature."""


class PydanticAiRunner:
    """Runs agent nodes in this process."""

    remote = False

    def __init__(self) -> None:
        self._models: dict[tuple[str, int], Model] = {}
        """Models made of an id, and of the keys and addresses in the environment: one HTTP client each."""
        self._under_way: dict[tuple[str, str], asyncio.Task[AgentReply]] = {}
        """By execution and task."""
        self._beginning = asyncio.Lock()
        """Many that begin at once would hold up the loop: they begin one after the other."""
        self._same: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By signature: of equal requests that may share an answer one is made, and the others wait for it."""

    async def check(self, task: AgentTask) -> None:
        """Make the agent, which finds a missing package or key, a misspelt id, and an output type that can't be a
        schema. Nothing is sent.

        Raises:
            AgentConfigError: with what to install, set or change.
        """
        await self._agent(task)
        if not task.prompt.strip():
            raise AgentConfigError(
                f"{task.node_id} has no prompt: its children are what the model is asked. Write it between the tags.",
                node_id=task.node_id,
                source=task.source,
            )

    async def submit(self, task: AgentTask, ledger: Ledger) -> AgentReply:
        """Run the agent to its end, or join it if it is under way; cancelling ends the request."""
        name = (task.execution_id, task.task_id)
        running = self._under_way.get(name)
        if running is None:
            running = asyncio.get_running_loop().create_task(self._talks(task, ledger), name=f"agent {task.task_id}")
            self._under_way[name] = running
            running.add_done_callback(lambda _: self._under_way.pop(name, None))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running})
            if not running.cancelled():
                running.exception()  # Looked at: asyncio would log it.
            raise

    async def _talks(self, task: AgentTask, ledger: Ledger) -> AgentReply:
        """Run the agent; after a failure that passes, go on from the last turn that was answered."""
        talk = Talk(task, ledger)
        async with self._beginning:
            agent, model = await self._agent(task)
            await asyncio.sleep(0)
        while True:
            limit = asyncio.timeout(talk.remaining_s())
            try:
                async with limit:
                    return await _runs(agent, model, talk, self._alone)
            except asyncio.CancelledError:
                await talk.broke_off("it was cancelled")
                raise
            except Asks:
                raise
            except Exception as error:
                if limit.expired():
                    await talk.broke_off("limit: seconds")
                    raise talk.over("seconds", "its time is up") from error
                await talk.reconcile({})
                await asyncio.sleep(await talk.failed(error))

    def _alone(self, signature: str | None) -> AbstractAsyncContextManager[object]:
        """Wait until no request of this signature is under way."""
        return nullcontext() if signature is None else self._same.setdefault(signature, asyncio.Lock())

    async def _agent(self, task: AgentTask) -> tuple[Agent[Any, Any], Model]:
        """Return the agent of a task, and its model."""
        local = task.local
        agent = local.agent
        wanted = local.model if local.model is not None else getattr(agent, "model", None)
        model = await self._model(wanted, task)
        from pydantic_ai import Agent

        if agent is not None:
            if not isinstance(agent, Agent):
                raise AgentConfigError(
                    f"agent of {task.node_id} is a {type(agent).__name__}; it takes a pydantic_ai.Agent.",
                    node_id=task.node_id,
                    source=task.source,
                )
            return agent, model
        try:
            made: Agent[Any, Any] = Agent(
                model,
                output_type=local.output_type or str,
                instructions=task.system,
                tools=[tool for tool in local.tools if not hasattr(tool, "get_tools")],
                toolsets=[tool for tool in local.tools if hasattr(tool, "get_tools")],
                name=task.node_id,
            )
        except Exception as error:
            # A tool or an output type that no schema can be made of: the library has many errors for it.
            raise AgentConfigError(
                f"the tools or output_type of {task.node_id} can't be used: {error}",
                node_id=task.node_id,
                source=task.source,
            ) from error
        return made, model

    async def _model(self, wanted: object, task: AgentTask) -> Model:
        if isinstance(wanted, str) and task.recorded is not None:
            return await asyncio.to_thread(_stand_in, ALIASES.get(wanted, wanted))
        if not isinstance(wanted, str):
            await asyncio.to_thread(_import)
            return _function_model(wanted) if isinstance(wanted, Scripted) else _checked(wanted, task)
        # A key that is set anew is meant for the next agent.
        settings = {name: value for name, value in os.environ.items() if name.endswith(("_API_KEY", "_BASE_URL"))}
        made = (wanted, hash(frozenset(settings.items())))
        if made not in self._models:
            # The provider's package takes seconds to import; the loop goes on meanwhile.
            self._models[made] = await asyncio.to_thread(_inferred, wanted, task)
        return self._models[made]


async def _runs(agent: Agent[Any, Any], model: Model, talk: Talk, alone: Alone) -> AgentReply:
    """Run the agent to its end, anew or from the last turn that was answered."""
    from pydantic_ai.messages import ModelMessagesTypeAdapter
    from pydantic_ai.usage import UsageLimits

    past = talk.begin()
    task = talk.task
    audit: Any = _audits()[_streams(model)]
    # The SDKs make hidden attempts of their own.
    settings: ModelSettings = {"max_retries": 0}
    async with AsyncExitStack() as stack:
        if talk.tape is None:
            await _started(agent, task, stack)
        result = await agent.run(
            None if past else task.prompt or None,
            message_history=ModelMessagesTypeAdapter.validate_json(past.request) if past else None,
            model=model,
            deps=task.local.deps,
            model_settings=settings,
            # The limits are the talk's: they hold over restarts, too.
            usage_limits=UsageLimits(request_limit=None),
            capabilities=[audit(talk, alone)],
        )
    await talk.reconcile(_told(result.all_messages()[-1:]))
    return AgentReply(result.output)


async def _started(agent: Agent[Any, Any], task: AgentTask, stack: AsyncExitStack) -> None:
    """Start the agent's toolsets, such as MCP servers, for as long as the stack is open.

    Raises:
        AgentError: naming the one that does not start.
    """
    for toolset in agent.toolsets:
        try:
            await stack.enter_async_context(toolset)
        except Exception as error:
            # The library, its MCP client and the server's process have errors of their own.
            name = f"{type(toolset).__name__} {toolset.id or ''}".strip()
            raise AgentError(
                f"{name} of {task.node_id} can't be started: {error or type(error).__name__}. An MCP server's command "
                f"or address has to work from here; run it by hand to see why, then ex.retry({task.node_id!r}).",
                node_id=task.node_id,
                source=task.source,
            ) from error


def _import() -> None:
    import pydantic_ai.models.function  # noqa: F401  # about a second, the first time


def _inferred(wanted: str, task: AgentTask) -> Model:
    """Make the model of an id.

    Raises:
        AgentConfigError: with what to install or set.
    """
    from pydantic_ai.models import infer_model

    name = ALIASES.get(wanted, wanted)
    try:
        model = infer_model(name)
    except Exception as error:
        # A missing package, key or name: of the library, or of the provider's package, which has errors of its own.
        raise AgentConfigError(
            f"model {wanted!r} of {task.node_id} can't be used: {str(error).rstrip('.')}. {_fix(name, error)}",
            node_id=task.node_id,
            source=task.source,
        ) from error
    if name.startswith("anthropic:") and not os.environ.get("ANTHROPIC_API_KEY", "x").strip():
        raise AgentConfigError(
            f"model {wanted!r} of {task.node_id} can't be used: ANTHROPIC_API_KEY is empty. {_fix(name, None)}",
            node_id=task.node_id,
            source=task.source,
        )
    return model


def _stand_in(name: str) -> Model:
    """Return what stands for a model in a replay: it needs no key. It is like the model in how output is asked for."""
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.providers import infer_provider_class

    provider, _, model = name.partition(":")
    try:
        profile = infer_provider_class(provider).model_profile(model)
    except (ImportError, ValueError):  # Its package is not there, or nobody knows it.
        profile = None

    async def never(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise AgentError(f"{name} was to be asked in a replay.")

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield str(await never(messages, info))

    return FunctionModel(never, stream_function=stream, model_name=model or name, profile=profile)


def _fix(name: str, error: Exception | None) -> str:
    provider = name.partition(":")[0]
    if isinstance(error, ImportError) and provider in ("anthropic", "openai"):
        return f"Install it: pip install 'smithers_nb[{provider}]', and restart the kernel."
    if isinstance(error, ImportError):
        return f"Install it: pip install 'pydantic-ai-slim[{provider}]', and restart the kernel."
    if ":" not in name:
        return f"The short names are {', '.join(ALIASES)}; others are written provider:model."
    return 'To try the workflow without a key, use model={scripted("a reply")}.'


def _checked(model: object, task: AgentTask) -> Model:
    from pydantic_ai.models import Model

    if not isinstance(model, Model):
        raise AgentConfigError(
            f"model of {task.node_id} is a {type(model).__name__}. It takes {', '.join(ALIASES)}, an id such as "
            "'openai:gpt-5', a model object of pydantic-ai, or scripted(…).",
            node_id=task.node_id,
            source=task.source,
        )
    return model


# ---- scripted models -------------------------------------------------------------------------------------------


def _function_model(script: Scripted) -> Model:
    from pydantic_ai.models.function import FunctionModel

    async def reply(messages: list[ModelMessage]) -> Plain:
        if script.delay_s:
            await asyncio.sleep(script.delay_s)
        return script.answer(_last_prompt(messages))

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return _response(await reply(messages), info)

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
        for piece in _pieces(_response(await reply(messages), info)):
            yield piece

    return FunctionModel(answer, stream_function=stream, model_name="scripted")


def _response(reply: Plain, info: AgentInfo) -> ModelResponse:
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart

    if isinstance(reply, str):
        return ModelResponse(parts=[TextPart(reply)])
    if isinstance(reply, list):
        return ModelResponse(parts=[ToolCallPart(use.tool, use.args) for use in reply])
    arguments = reply if isinstance(reply, dict) else reply.model_dump(mode="json")
    if not info.output_tools:
        return ModelResponse(parts=[TextPart(json.dumps(arguments, ensure_ascii=False))])
    return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, arguments)])


def _pieces(response: ModelResponse) -> Iterable[str | dict[int, DeltaToolCall]]:
    """Return a reply as it is streamed: word by word."""
    from pydantic_ai.messages import TextPart, ToolCallPart
    from pydantic_ai.models.function import DeltaToolCall

    for number, part in enumerate(response.parts):
        if isinstance(part, TextPart):
            yield from re.findall(r"\s*\S+|\s+$", part.content) or [part.content]
        elif isinstance(part, ToolCallPart):
            yield {number: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}


def _last_prompt(messages: list[ModelMessage]) -> str:
    for message in reversed(messages):
        for part in reversed(message.parts):
            if part.part_kind in ("user-prompt", "retry-prompt", "tool-return"):
                return part.content if isinstance(part.content, str) else str(part.content)
    return ""


# ---- the audit -------------------------------------------------------------------------------------------------


@cache
def _audits() -> tuple[type[AbstractCapability[Any]], type[AbstractCapability[Any]]]:
    """Return the capability that lets a talk know of everything, and the one that lets it know of every piece, too:
    the library then streams, which not every model can.
    """
    from pydantic_ai import ApprovalRequired, ModelRetry, ToolDenied, ToolFailed
    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.exceptions import ToolFailedError, ToolRetryError

    class Audit(AbstractCapability[Any]):
        def __init__(self, talk: Talk, alone: Alone) -> None:
            self.talk = talk
            self.alone = alone

        def get_wrapper_toolset(self, toolset: Any) -> Any:
            return None if self.talk.tape is None else _here(toolset, self.talk.tape)

        async def wrap_run(self, ctx: Any, *, handler: Callable[..., Any]) -> Any:
            _whose(ctx, self.talk.task)
            return await handler()

        async def wrap_model_request(self, ctx: Any, *, request_context: Any, handler: Callable[..., Any]) -> Any:
            talk, asked = self.talk, request_context
            _whose(ctx, talk.task)
            if talk.goes_on(ctx.run_step):
                await talk.reconcile(_told(asked.messages[-1:]))
            past = talk.next_turn(ctx.run_step)
            parameters = asked.model_request_parameters
            talk.offers(
                [tool.name for tool in parameters.function_tools], [tool.name for tool in parameters.output_tools]
            )
            if past is not None:
                return _load(f"[{past}]")[0]
            provider, model = talk.named(asked.model.system, asked.model.model_name)
            request, signature = _dump(asked.messages), _signature(asked, talk.task)
            async with self.alone(signature):
                if known := await talk.recall(provider, model, request, signature):
                    return _load(f"[{known}]")[0]
                async with talk.ledger.turn(window(provider, model)):
                    talk.ask(provider, model, request, signature)
                    response: ModelResponse = _clean(await handler(asked))
                usage = response.usage
                answer = Answer(_dump([response])[1:-1], usage.input_tokens, usage.output_tokens, _cost(response))
                await talk.answer(answer)
            return response

        async def on_tool_validate_error(self, ctx: Any, *, call: Any, tool_def: Any, args: Any, error: Any) -> Any:
            given = call.args_as_json_str()
            await self.talk.never_called(call.tool_call_id, call.tool_name, given, "invalid", str(error))
            raise error

        async def after_tool_validate(self, ctx: Any, *, call: Any, tool_def: Any, args: Any) -> Any:
            talk, id, tool = self.talk, call.tool_call_id, call.tool_name
            if ctx.tool_call_approved or tool_def.kind == "external" or talk.denied(tool) or talk.ended(id):
                return args
            # One that was decided about is not called again to ask.
            shown = {} if talk.decision(id) else talk.asked_about(tool, args)
            if shown is not None:
                raise ApprovalRequired(shown)
            return args

        async def handle_deferred_tool_calls(self, ctx: Any, *, requests: Any) -> Any:
            talk = self.talk
            questions: list[ToolQuestion] = []
            results: dict[str, Any] = {}
            for call in requests.approvals:
                id, tool, given = call.tool_call_id, call.tool_name, call.args_as_json_str()
                if why := talk.denied(tool) or talk.refused(id):
                    await talk.never_called(id, tool, given, "denied", why)
                    results[id] = ToolDenied(why)
                elif talk.decision(id):
                    results[id] = True
                else:
                    questions.append(ToolQuestion(talk.turn, id, tool, given, requests.metadata.get(id) or {}))
            if questions:
                raise await talk.asks(questions)
            return requests.build_results(approvals=results)

        async def wrap_tool_execute(
            self, ctx: Any, *, call: Any, tool_def: Any, args: Any, handler: Callable[..., Any]
        ) -> Any:
            talk, given = self.talk, call.args_as_json_str()
            _whose(ctx, talk.task)
            if past := talk.ended(call.tool_call_id):
                return _recalled(past)
            if why := talk.denied(call.tool_name):
                await talk.never_called(call.tool_call_id, call.tool_name, given, "denied", why)
                return ToolDenied(why)
            row = await talk.start_tool(call.tool_call_id, call.tool_name, given)
            if talk.tape is not None:
                past = talk.tape.tool(row)
                await talk.end_tool(row, past.status, past.output, past.error)
                return _recalled(past)
            try:
                result = await handler(args)
                output = _output(call, result, talk.task)
            except asyncio.CancelledError:
                await talk.end_tool(row, "interrupted")
                raise
            except ApprovalRequired:
                if ctx.tool_call_approved:
                    await talk.end_tool(row, "raised", error="it asks for approval although it has it")
                    raise AgentError(
                        f"tool {call.tool_name} of {talk.task.node_id} raised ApprovalRequired although it was "
                        "approved: let it go on where ctx.tool_call_approved is true.",
                        node_id=talk.task.node_id,
                        source=talk.task.source,
                    ) from None
                await talk.end_tool(row, "waiting")
                raise
            except (ToolRetryError, ToolFailedError, ModelRetry, ToolFailed) as error:
                told = isinstance(error, ToolFailedError | ToolFailed)
                await talk.end_tool(row, "failed" if told else "retry", error=_words(error))
                raise
            except (SystemExit, KeyboardInterrupt) as error:
                # asyncio would let it end the engine's thread.
                await talk.end_tool(row, "raised", error=repr(error))
                raise AgentError(f"tool {call.tool_name} of {talk.task.node_id} raised {error!r}.") from error
            except Exception as error:
                await talk.end_tool(row, "raised", error=f"{type(error).__name__}: {error}")
                raise
            await talk.end_tool(row, "ok", output)
            return result

    class Streaming(Audit):
        async def on_event(self, ctx: Any, *, event: Any) -> None:
            _piece(self.talk, event)

    return Audit, Streaming


def _recalled(past: ToolCall) -> Any:  # Any: what the tool returned
    """Return what a call gave when it was made, or tell the model again what it was told.

    Raises:
        Unanswered: if it had no end, or was the end of the agent.
    """
    from pydantic_ai import ApprovalRequired, ModelRetry, ToolDenied, ToolFailed

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


def _here(toolset: Any, tape: Tape) -> Any:  # Any: pydantic-ai's toolsets
    """Return what a replay offers for a toolset: tools of the recorded names for MCP servers, none of which is started
    or called.
    """
    from pydantic_ai import FunctionToolset, Tool, WrapperToolset

    servers = sys.modules.get("pydantic_ai.mcp")  # It is not there where nobody uses one.
    if servers is None:
        return toolset
    found: list[Any] = []

    def leave_out(leaf: Any) -> Any:
        if not isinstance(leaf, servers.MCPToolset):
            return leaf
        found.append(leaf)
        return FunctionToolset()

    class WithRecorded(WrapperToolset[Any]):
        async def get_tools(self, ctx: Any) -> dict[str, Any]:
            here = await super().get_tools(ctx)
            # What a wrapper calls them is known only of those that were called.
            theirs = [
                Tool.from_schema(dict, name, None, {"type": "object"}) for name in sorted(tape.tools - here.keys())
            ]
            return here | await FunctionToolset(theirs).get_tools(ctx)

    rest = toolset.visit_and_replace(leave_out)
    return WithRecorded(rest) if found else toolset


def _whose(ctx: Any, task: AgentTask) -> None:
    """Say on the span under way whose it is, where the user has the library trace agents (``Agent.instrument_all``)."""
    if type(ctx.tracer).__name__ == "NoOpTracer":
        return
    from opentelemetry.trace import get_current_span

    names = ("execution_id", "node_id", "task_id")
    get_current_span().set_attributes({f"smithers.{name}": getattr(task, name) for name in names})


def _piece(talk: Talk, event: Any) -> None:
    """Record a piece of the stream, unless it is of an answer that is given once more."""
    kind = event.event_kind
    if kind in ("part_start", "part_delta"):
        part = event.part if kind == "part_start" else event.delta
        kinds = {"text": "token", "thinking": "thinking"}
        name = kinds.get(str(getattr(part, "part_kind", None) or getattr(part, "part_delta_kind", "")))
        text = getattr(part, "content", None) or getattr(part, "content_delta", None)
        if name and text and not talk.repeating:
            talk.piece(name, clean(text))
    elif kind == "function_tool_call" and event.part.tool_call_id not in talk.begun:
        part = event.part
        talk.piece("tool_start", {"id": part.tool_call_id, "tool": part.tool_name, "input": part.args})
    elif kind == "function_tool_result" and event.part.tool_call_id not in talk.known:
        part = event.part
        talk.piece("tool_end", {"id": part.tool_call_id, "tool": part.tool_name, "outcome": part.outcome})


def _streams(model: Model) -> bool:
    """Whether a model can stream: one made of a function may lack the function for it."""
    from pydantic_ai.models.function import FunctionModel

    inner = getattr(model, "models", None) or ([model.wrapped] if hasattr(model, "wrapped") else [])
    return all(map(_streams, inner)) and not (isinstance(model, FunctionModel) and model.stream_function is None)


def _dump(messages: list[Any]) -> str:
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    return ModelMessagesTypeAdapter.dump_json(messages).decode()


def _signature(asked: Any, task: AgentTask) -> str | None:
    """Return what an answer depends on, in short; None if it is not to be used again, or nobody can say."""
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.models.test import TestModel

    model, script = asked.model, task.local.model
    known = isinstance(script, Scripted) and not any(map(callable, script.replies))
    if not task.cache or task.recorded is not None or (isinstance(model, FunctionModel | TestModel) and not known):
        return None
    parts = {
        "model": [model.system, model.model_name, getattr(model, "base_url", None), model.settings],
        "script": repr(script.replies) if isinstance(script, Scripted) else None,
        "settings": asked.model_settings,
        "parameters": asked.model_request_parameters,
        "messages": _plain(json.loads(_dump(asked.messages))),
        "limits": task.limits,
    }
    # What is no JSON has a repr, perhaps with an address: then it is another one in the next process, and asked.
    return sha256(to_json(parts, fallback=repr)).hexdigest()


def _plain(messages: Any, ids: dict[str, str] | None = None) -> Any:  # Any: JSON
    """Return messages without what differs from run to run: times, ids of runs and tool calls, and of the model's
    earlier answers all but what they say.
    """
    ids = {} if ids is None else ids
    if isinstance(messages, list):
        return [_plain(one, ids) for one in messages]
    if not isinstance(messages, dict):
        return messages
    if messages.get("kind") == "response":
        return _plain(messages["parts"], ids)
    left_out = {"timestamp", "run_id", "conversation_id"}
    plain = {name: _plain(value, ids) for name, value in messages.items() if name not in left_out}
    if isinstance(id := plain.get("tool_call_id"), str):
        plain["tool_call_id"] = ids.setdefault(id, str(len(ids)))
    return plain


def _clean(response: ModelResponse) -> ModelResponse:
    """Return an answer that can be written down: JSON may escape what is no valid text."""

    def cleaned(part: Any) -> Any:
        names = [name for name in ("content", "args") if isinstance(getattr(part, name, None), str)]
        return replace(part, **{name: clean(getattr(part, name)) for name in names})

    return replace(response, parts=[cleaned(part) for part in response.parts])


def _load(messages: str) -> list[ModelMessage]:
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    return ModelMessagesTypeAdapter.validate_json(messages)


def _told(messages: list[ModelMessage]) -> dict[str, str]:
    """Return what the model was told of its tool calls, by their id."""
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
    from pydantic_ai.messages import ToolReturn

    whole = result if isinstance(result, ToolReturn) else ToolReturn(result)
    try:
        parts = json.loads(_tool_returns().dump_json(whole, exclude={"content_file_digests"}))
        besides = any(parts[name] is not None for name in ("content", "metadata", "tools"))
        return json.dumps(parts if besides else parts["return_value"])
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
        return _tool_returns().validate_json(output)
    return _tool_returns().validate_json(json.dumps({"return_value": value})).return_value


@cache
def _tool_returns() -> TypeAdapter[ToolReturn]:
    from pydantic import TypeAdapter
    from pydantic_ai.messages import ToolReturn

    return TypeAdapter(ToolReturn)


def _words(error: Any) -> str:
    """Return what a tool told the model by raising."""
    part = getattr(error, "tool_retry", None) or getattr(error, "tool_failed", None)
    return str(getattr(part, "content", None) or getattr(error, "message", None) or error)


def _cost(response: ModelResponse) -> float | None:
    """Return the price in USD; None where the library does not know it, and 0 for a scripted model."""
    if response.model_name == "scripted":
        return 0.0
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None
