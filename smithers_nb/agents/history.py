"""Conversations that an agent takes over: another agent's, or its own of an earlier run; as JSON."""

from __future__ import annotations

import json
from typing import Any

from .runner import Past

Message = dict[str, Any]  # Any: JSON


def conversation_of(past: Past) -> list[Message]:
    """Return the whole conversation of an agent that has ended, with the results of the last answer's tool calls."""
    if not past.turn:
        return []
    messages: list[Message] = json.loads(past.request)
    answer: Message = json.loads(past.response)
    messages.append(answer)
    returns = [_return(part, past) for part in answer["parts"] if part["part_kind"] == "tool-call"]
    if returns:
        messages.append({"kind": "request", "parts": returns})
    return messages


def _return(call: Message, past: Past) -> Message:
    """Return the result of a call in the last answer, which no request has."""
    known = past.tools.get(call["tool_call_id"])
    content: Any = "Final result processed."  # Any: JSON. Said of a call that gives the output, as the library says it.
    if known is not None and known.output is not None:
        content = json.loads(known.output)
    elif known is not None:
        content = known.error or "It was not called."
    names = "tool_name", "tool_call_id"
    return {"part_kind": "tool-return", "content": content, **{name: call[name] for name in names}}


def last_exchanges(messages: list[Message], limit: int | None) -> list[Message]:
    """Return the last prompts of a conversation, at most ``limit``, each with all that followed it.

    A tool call and its result are in the same exchange, and are never parted.

    >>> ask = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "hi"}]}
    >>> last_exchanges([ask, {"kind": "response", "parts": []}, ask], 1) == [ask]
    True
    """
    if limit is None:
        return messages
    prompts = [place for place, message in enumerate(messages) if _has_prompt(message)]
    if len(prompts) <= limit:
        return messages
    first, *rest = messages[prompts[-limit] :]
    # The library puts the results of the calls before a prompt into one message with it.
    parts = [part for part in first["parts"] if part["part_kind"] == "user-prompt"]
    return [{**first, "parts": parts}, *rest]


def _has_prompt(message: Message) -> bool:
    return any(part["part_kind"] == "user-prompt" for part in message["parts"])


def without_instructions(messages: list[Message]) -> list[Message]:
    """Return a conversation without the system prompts and instructions of the agent that led it: the one that takes it
    over has its own.

    No provider would be sent these instructions, but as a part of the recorded request they would be found in it.

    >>> ask = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "hi"}]}
    >>> without_instructions([{**ask, "instructions": "Be brief."}]) == [ask]
    True
    """
    found = []
    for message in messages:
        parts = [part for part in message["parts"] if part["part_kind"] != "system-prompt"]
        if parts or not message["parts"]:
            kept = {name: value for name, value in message.items() if name != "instructions"}
            found.append({**kept, "parts": parts})
    return found
