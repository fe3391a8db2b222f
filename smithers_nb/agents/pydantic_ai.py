"""Agents on pydantic-ai, which is imported only when the first agent mounts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from ..errors import AgentConfigError, AgentError, kind_of
from ..nodes.parts import Content
from ..threads import CALLS, called, unlimited_anyio
from ..user_code import awaited
from . import native_tools
from .conversation import Conversation
from .history import last_exchanges
from .imports import imports
from .joined import joined
from .making import Agents
from .runner import AgentReply, AgentTask, ApprovalRequired, Ledger
from .scripted import Plain, Scripted
from .settings import wrong_setting
from .tool_names import names_of, refuse_unknown

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model
    from pydantic_ai.models.function import AgentInfo, DeltaToolCall
    from pydantic_ai.settings import ModelSettings

    from .audit import Alone

ALIASES = {
    "haiku": "anthropic:claude-haiku-5-5",
    "sonnet": "anthropic:claude-sonnet-5-5",
    "opus": "anthropic:claude-opus-5-5",
}
"""The short names of ``Claude(model=…)``; everything else is pydantic-ai's own id."""


class PydanticAiRunner:
    """Runs agent nodes in this process."""

    remote = False

    def __init__(self) -> None:
        self.begin_again()

    def begin_again(self) -> None:
        """Forget all clients and agents, as in the child of a fork: they are its parent's."""
        self._models: dict[tuple[str, int], Model] = {}
        """Models made of an id, and of the keys and addresses in the environment: one HTTP client each."""
        self._agents = Agents()
        self._under_way: dict[tuple[str, str, str], asyncio.Task[AgentReply]] = {}
        """The agents that run, by file, execution and task."""
        self._beginning = asyncio.Lock()
        """Many that begin at once would hold up the loop: they begin one after the other."""
        self._same: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Locks by signature: one of several equal requests is made, and the others wait for its answer."""

    async def check(self, task: AgentTask) -> None:
        """Make the agent, which finds a missing package or key, a misspelt id or setting, and an output type that can't
        be a schema. Nothing is sent.

        Raises:
            AgentConfigError: with what to install, set or change.
        """
        await self._checked_agent(task)

    async def _checked_agent(self, task: AgentTask) -> tuple[Agent[Any, Any], Model]:
        """Return the agent of a task, and its model, once nothing is found that would make it fail."""
        agent, model = await self._agent(task)
        # One that continues, or is answered from a recording, was asked already.
        if not task.prompt.strip() and task.local.parts is None and task.past is None and task.recorded is None:
            raise AgentConfigError(
                f"{task.node_id} has no prompt: its children are what the model is asked. Write it between the tags.",
                node_id=task.node_id,
                source=task.source,
            )
        from pydantic_ai.settings import ModelSettings

        if why := wrong_setting(task.settings, model, ModelSettings) or native_tools.unusable(task, model):
            raise AgentConfigError(f"{why} (node {task.node_id}).", node_id=task.node_id, source=task.source)
        if task.names_tools and task.recorded is None:
            names = names_of(agent, task)
            if names.complete:
                refuse_unknown(task, names.known)
        return agent, model

    async def submit(self, task: AgentTask, ledger: Ledger) -> AgentReply:
        """Run the agent to its end, or join it if it runs already; cancelling ends the request."""
        key = (task.local.file, task.execution_id, task.task_id)
        return await joined(self._under_way, key, self.run(task, ledger), name=f"agent {task.task_id}")

    async def run(self, task: AgentTask, ledger: Ledger) -> AgentReply:
        """Run the agent; after a failure that passes, continue from the last turn that was answered."""
        conversation = Conversation(task, ledger)
        async with self._beginning:
            # Not only at mount: an agent whose turn comes later starts with other props, and what was wrong then may
            # be mended by now.
            agent, model = await self._checked_agent(task)
            await asyncio.sleep(0)
        while True:
            limit = asyncio.timeout(conversation.limits.remaining_s())
            try:
                async with limit:
                    return await awaited(_runs(agent, model, conversation, self._alone))
            except asyncio.CancelledError:
                await conversation.broke_off("it was cancelled")
                raise
            except ApprovalRequired:
                raise
            except Exception as error:
                if limit.expired():
                    await conversation.broke_off("limit: seconds")
                    raise conversation.limits.over("seconds", "its time is up") from error
                await conversation.tools.reconcile({})
                await asyncio.sleep(await conversation.failed(error))

    def _alone(self, signature: str | None) -> AbstractAsyncContextManager[object]:
        """Wait until no request of this signature is open."""
        if signature is None:
            return nullcontext()
        return self._same.setdefault(signature, asyncio.Lock())

    async def _agent(self, task: AgentTask) -> tuple[Agent[Any, Any], Model]:
        """Return the agent of a task, and its model."""
        wanted = task.local.model
        if wanted is None:
            wanted = getattr(task.local.agent, "model", None)
        model = await self._model(wanted, task)
        return self._agents.agent(task, model), model

    async def _model(self, wanted: object, task: AgentTask) -> Model:
        if isinstance(wanted, str) and task.recorded is not None:
            return await called(_stand_in, ALIASES.get(wanted, wanted))
        if not isinstance(wanted, str):
            # A thread for each agent would cost more than the rest of this, and let them begin far apart.
            if not _loaded.is_set():
                with imports.waited(task.execution_id, "pydantic-ai"):
                    await called(load)
            if isinstance(wanted, Scripted):
                return _function_model(wanted)
            return _checked(wanted, task)
        # A key that is set anew is meant for the next agent.
        settings = {name: value for name, value in os.environ.items() if name.endswith(("_API_KEY", "_BASE_URL"))}
        made = (wanted, hash(frozenset(settings.items())))
        if made not in self._models:
            # The provider's package takes seconds to import; the loop goes on meanwhile.
            with imports.waited(task.execution_id, f"pydantic-ai and the package of model {wanted!r}"):
                await called(load)
                self._models[made] = await called(_inferred, wanted, task)
        return self._models[made]


async def _runs(agent: Agent[Any, Any], model: Model, conversation: Conversation, alone: Alone) -> AgentReply:
    """Run the agent to its end, from the start or from the last turn that was answered."""
    from pydantic_ai import Agent
    from pydantic_ai.capabilities import ReinjectSystemPrompt
    from pydantic_ai.messages import ModelMessagesTypeAdapter
    from pydantic_ai.usage import UsageLimits

    from .audit import Audit
    from .tool_results import told_of_tools

    past = conversation.begin()
    task = conversation.task
    if task.names_tools:
        conversation.policy.check_with_first_request(names_of(agent, task))
    capabilities: list[Any] = [Audit(conversation, alone)]
    if task.local.agent is not None and (task.history != "[]" or task.local.history):
        # The library adds an agent's system prompt only where there is no history.
        capabilities.append(ReinjectSystemPrompt(replace_existing=True))
    # The SDKs make hidden attempts of their own.
    settings: ModelSettings = {"max_retries": 0}
    async with AsyncExitStack() as stack:
        # Sync tools: the library's own threads are limited, and the interpreter waits for them at its exit.
        stack.enter_context(Agent.using_thread_executor(CALLS))
        unlimited_anyio()
        if conversation.cassette is None:
            await _started(agent, task, stack)
        result = await agent.run(
            None if past else _prompt(task),
            message_history=ModelMessagesTypeAdapter.validate_json(past.request if past else _history(task)) or None,
            model=model,
            deps=task.local.deps,
            model_settings=settings,
            # The limits are the conversation's: they hold over restarts, too.
            usage_limits=UsageLimits(request_limit=None),
            capabilities=capabilities,
        )
    await conversation.tools.reconcile(told_of_tools(result.all_messages()[-1:]))
    return AgentReply(result.output)


def _prompt(task: AgentTask) -> Any:  # Any: text, or what the library takes
    """Return the prompt as the library takes it."""
    if task.local.parts is None:
        return task.prompt or None
    return [part if isinstance(part, str) else _user_content(part) for part in task.local.parts]


def _user_content(part: Content) -> Any:  # Any: pydantic-ai's object
    from pydantic_ai import messages

    if part.given is not None:
        return part.given
    if part.data is not None:
        return messages.BinaryContent(part.data, media_type=str(part.media_type))
    kinds = {
        "image": messages.ImageUrl,
        "audio": messages.AudioUrl,
        "video": messages.VideoUrl,
        "document": messages.DocumentUrl,
    }
    return kinds[part.kind](url=str(part.url), media_type=part.media_type)


def _history(task: AgentTask) -> str:
    """Return the messages that come before the prompt, as a JSON list."""
    from pydantic_ai.messages import ModelMessagesTypeAdapter, repair_messages

    if task.local.history is None:
        return task.history
    whole = ModelMessagesTypeAdapter.dump_json(repair_messages(task.local.history))
    return json.dumps(last_exchanges(json.loads(whole), task.local.history_limit))


def _refuse_of_another_loop(toolset: Any, task: AgentTask) -> None:
    """Refuse an MCP server that a notebook cell has started: its answers come to the cell's loop, never here.

    Raises:
        AgentError: naming it.
    """
    state = getattr(getattr(toolset, "client", None), "_session_state", None)
    session = getattr(state, "session_task", None)
    if (
        isinstance(session, asyncio.Task)
        and not session.done()
        and session.get_loop() is not asyncio.get_running_loop()
    ):
        name = f"{type(toolset).__name__} {toolset.id or ''}".strip()
        raise AgentError(
            f"{name} of {task.node_id} was started on another event loop, as by `async with agent:` in a cell, "
            "and its answers go there. Leave that block first (the node starts the server by itself), or give the node "
            "a toolset of its own.",
            node_id=task.node_id,
            source=task.source,
        )


async def _started(agent: Agent[Any, Any], task: AgentTask, stack: AsyncExitStack) -> None:
    """Start the agent's toolsets, such as MCP servers, for as long as the stack is open.

    Raises:
        AgentError: naming the one that does not start.
    """
    from .servers import not_started

    for toolset in agent.toolsets:
        toolset.apply(lambda one: _refuse_of_another_loop(one, task))
        try:
            await stack.enter_async_context(toolset)
        except Exception as error:
            # The library, its MCP client and the server's process have errors of their own.
            raise not_started(toolset, task, error) from error


def prepare(models: Iterable[str]) -> None:
    """Begin to import what agents with these models need, before one of them mounts."""
    full = (ALIASES.get(name, name) for name in models)
    imports.begin(["pydantic_ai", *(name for name in full if ":" in name)], load_all)


_loaded = threading.Event()
"""Set when ``load`` has ended."""


def load() -> None:
    """Import what every agent needs."""
    with imports.alone():
        import anyio
        import pydantic_ai.models.function  # noqa: F401  # seconds, the first time
        from pydantic_ai.messages import ModelMessagesTypeAdapter
        from pydantic_ai.models.test import TestModel

        from . import audit, fallback, inner  # noqa: F401

        # Left for later by these, to the first agent: the prices, the schema of messages, and anyio's part for asyncio.
        TestModel()
        ModelMessagesTypeAdapter.rebuild()
        anyio.run(anyio.sleep, 0)

    inner.watch_runs()
    _loaded.set()


def load_all(names: list[str]) -> None:
    """Import what every agent needs, and the packages of providers by the ids of their models."""
    with suppress(Exception):  # What is missing is told by ``check``, where a person looks.
        load()
        from pydantic_ai.models import infer_model

        for name in names:
            with suppress(Exception), imports.alone():
                infer_model(name)  # Made and dropped: that imports all that the step will need.


def _inferred(wanted: str, task: AgentTask) -> Model:
    """Make the model of an id.

    Raises:
        AgentConfigError: with what to install or set.
    """
    from pydantic_ai.models import infer_model

    name = ALIASES.get(wanted, wanted)
    try:
        with imports.alone():
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
            f"model of {task.node_id} is {kind_of(model)}. It takes {', '.join(ALIASES)}, an id such as "
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
    arguments = reply
    if not isinstance(arguments, dict):
        arguments = arguments.model_dump(mode="json")
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
                return str(part.content)
    return ""
