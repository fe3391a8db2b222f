"""Agents on pydantic-ai: the only module that imports it, and only when the first agent mounts."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..errors import AgentConfigError
from .runner import AgentReply, AgentTask, Recorder, Request
from .scripted import Scripted

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model
    from pydantic_ai.models.function import AgentInfo

ALIASES = {
    "haiku": "anthropic:claude-haiku-5-5",
    "sonnet": "anthropic:claude-sonnet-5-5",
    "opus": "anthropic:claude-opus-5-5",
}
"""The short names of ``Claude(model=…)``; everything else is pydantic-ai's own id."""


class PydanticAiRunner:
    """Runs agent nodes in this process."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        """Models made of an id: one HTTP client each."""

    async def check(self, task: AgentTask) -> None:
        """Make the model, which finds a missing package or key, and a misspelt id. Nothing is sent.

        Raises:
            AgentConfigError: with what to install or set.
        """
        await self._model(task)
        if not task.prompt.strip():
            raise AgentConfigError(
                f"{task.node_id} has no prompt: its children are what the model is asked. Write it between the tags.",
                node_id=task.node_id,
                source=task.source,
            )

    async def run(self, task: AgentTask, record: Recorder) -> AgentReply:
        """Run the agent to its end; every request is recorded before the next one."""
        agent = await self._agent(task, record)
        from pydantic_ai.usage import UsageLimits

        result = await agent.run(task.prompt or None, usage_limits=UsageLimits(request_limit=task.max_turns))
        return AgentReply(result.output)

    async def _agent(self, task: AgentTask, record: Recorder) -> Agent[None, Any]:
        model = await self._model(task)
        from pydantic_ai import Agent

        try:
            return Agent(
                model,
                output_type=task.output_type or str,
                instructions=task.system,
                tools=task.tools,
                capabilities=[_audit(record)],
                name=task.node_id,
            )
        except Exception as error:
            # A tool or an output type that no schema can be made of: the library has many errors for it.
            raise AgentConfigError(
                f"the tools or output_type of {task.node_id} can't be used: {error}",
                node_id=task.node_id,
                source=task.source,
            ) from error

    async def _model(self, task: AgentTask) -> Model:
        wanted = task.model
        if not isinstance(wanted, str):
            await asyncio.to_thread(_import)
            return _function_model(wanted) if isinstance(wanted, Scripted) else _checked(wanted, task)
        if wanted not in self._models:
            # The provider's package takes seconds to import; the loop goes on meanwhile.
            self._models[wanted] = await asyncio.to_thread(_inferred, wanted, task)
        return self._models[wanted]


def _import() -> None:
    import pydantic_ai.models.function  # noqa: F401  # about a second, the first time


def _inferred(wanted: str, task: AgentTask) -> Model:
    """Make the model of an id.

    Raises:
        AgentConfigError: with what to install or set.
    """
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.models import infer_model

    name = ALIASES.get(wanted, wanted)
    try:
        model = infer_model(name)
    except (ImportError, UserError, ValueError) as error:
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

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if script.delay_s:
            await asyncio.sleep(script.delay_s)
        return _response(script.answer(_last_prompt(messages)), info)

    return FunctionModel(answer, model_name="scripted")


def _response(reply: str | dict[str, Any] | BaseModel, info: AgentInfo) -> ModelResponse:
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart

    if isinstance(reply, str):
        return ModelResponse(parts=[TextPart(reply)])
    arguments = reply if isinstance(reply, dict) else reply.model_dump(mode="json")
    if not info.output_tools:
        return ModelResponse(parts=[TextPart(json.dumps(arguments, ensure_ascii=False))])
    return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, arguments)])


def _last_prompt(messages: list[ModelMessage]) -> str:
    for message in reversed(messages):
        for part in reversed(message.parts):
            if part.part_kind in ("user-prompt", "retry-prompt", "tool-return"):
                return part.content if isinstance(part.content, str) else str(part.content)
    return ""


# ---- the audit -------------------------------------------------------------------------------------------------


def _audit(record: Recorder) -> AbstractCapability[None]:
    """Return the capability that records each request, with the answer or the error."""
    from pydantic_ai.capabilities import AbstractCapability
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    def as_json(messages: list[Any]) -> str:
        return ModelMessagesTypeAdapter.dump_json(messages).decode()

    class Audit(AbstractCapability[None]):
        async def wrap_model_request(self, ctx: Any, *, request_context: Any, handler: Callable[..., Any]) -> Any:
            started = perf_counter()
            asked = as_json(request_context.messages)

            async def put_down(response: ModelResponse | None, error: str | None) -> None:
                await record(
                    Request(
                        turn=ctx.run_step,
                        attempt=1,
                        model=request_context.model.model_name,
                        request=asked,
                        response=as_json([response])[1:-1] if response else None,
                        input_tokens=response.usage.input_tokens if response else None,
                        output_tokens=response.usage.output_tokens if response else None,
                        cost_usd=_cost(response) if response else None,
                        ms=(perf_counter() - started) * 1000,
                        error=error,
                    )
                )

            try:
                response: ModelResponse = await handler(request_context)
            except Exception as error:
                await put_down(None, f"{type(error).__name__}: {error}")
                raise
            await put_down(response, None)
            return response

    return Audit()


def _cost(response: ModelResponse) -> float | None:
    """Return the price in USD; None where the library does not know it, and 0 for a scripted model."""
    if response.model_name == "scripted":
        return 0.0
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None
