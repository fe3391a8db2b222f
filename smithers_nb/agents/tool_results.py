"""The ends of tool calls as they are recorded, and as they are given to the library from a record.

Imported, and pydantic-ai with it, only when the first agent begins.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic_ai import ApprovalRequired, CallDeferred, ModelRetry, ToolDenied, ToolFailed
from pydantic_ai.exceptions import ToolFailedError, ToolRetryError
from pydantic_ai.messages import ModelMessage, ToolReturn
from pydantic_core import PydanticSerializationError

from ..errors import NotStorableError, UserCodeError, said
from ..records import ToolCall, ToolStatus
from ..values import cleaned
from .cassette import Unanswered
from .runner import AgentTask
from .tool_calls import Asked

_RETURNS: TypeAdapter[ToolReturn] = TypeAdapter(ToolReturn)
# As the library writes it for a provider: a recorded result that is given once more has to be the same to the model.
_SENT: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_bytes="base64"))


def asked_by(call: Any) -> Asked:  # Any: pydantic-ai's ToolCallPart
    """Return a call as an answer of the model asks for it."""
    return Asked(call.tool_call_id, call.tool_name, call.args_as_json_str())


def told_of_tools(messages: Iterable[ModelMessage]) -> dict[str, str]:
    """Return the answers that the model got to its tool calls, by their id."""
    parts = [part for message in messages for part in message.parts]
    return {
        part.tool_call_id: str(getattr(part, "content", ""))
        for part in parts
        if part.part_kind in ("tool-return", "retry-prompt") and part.tool_call_id
    }


def recalled(past: ToolCall) -> Any:  # Any: what the tool returned
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


def output_of(tool: str, result: object, task: AgentTask) -> str:
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
            f"what tool {tool} of {task.node_id} returned ({kind}) can't be stored: {error}. Return text, "
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


def end_of(error: BaseException) -> tuple[ToolStatus, str | None]:
    """Return how a call ended whose function raised, and in which words."""
    if isinstance(error, asyncio.CancelledError):
        # Whether it had an effect is not known: the next run of the agent calls it again.
        return "interrupted", None
    if isinstance(error, ToolRetryError | ModelRetry):
        return "retry", _words(error)
    if isinstance(error, ToolFailedError | ToolFailed):
        return "failed", _words(error)
    if isinstance(error, ApprovalRequired | CallDeferred):
        # Not waiting: the question is put to the code that runs the agent, and to no person.
        return "skipped", "it waits for what the caller of its agent decides"
    if isinstance(error, UserCodeError):
        return "raised", said(error.raised)
    return "raised", said(error)


def _words(error: Any) -> str:
    """Return what a tool told the model by raising."""
    part = getattr(error, "tool_retry", None) or getattr(error, "tool_failed", None)
    return str(getattr(part, "content", None) or getattr(error, "message", None) or error)
