"""Anthropic's Messages API, as far as an agent meets it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .fake_replies import Asked, Reply, Status, spoken

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def asked(number: int, headers: Mapping[str, str], body: dict[str, Any]) -> Asked:
    messages = body["messages"]
    return Asked(
        number=number,
        api="anthropic",
        stream=bool(body.get("stream")),
        turn=1 + sum(message["role"] == "assistant" for message in messages),
        prompt="".join(part.get("text", "") for part in _parts(messages[0]["content"])),
        key=headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer "),
        body=body,
    )


def refusal(body: dict[str, Any]) -> str | None:
    """Return what the API has against the messages, if so: a call without its result, or an empty text."""
    messages = [_parts(message["content"]) for message in body["messages"]]
    for here, after in zip(messages, [*messages[1:], []], strict=True):
        if any(part["type"] == "text" and not part["text"] for part in here):
            return "text content blocks must be non-empty"
        calls = {part["id"] for part in here if part["type"] == "tool_use"}
        results = {part["tool_use_id"] for part in after if part["type"] == "tool_result"}
        if calls != results:
            return f"tool_use and tool_result blocks don't match: {calls} and {results}"
    return None


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def error(status: Status) -> dict[str, Any]:
    kind = status.kind or TYPES.get(status.code, "api_error")
    return {"type": "error", "error": {"type": kind, "message": status.message}}


def failure(status: Status) -> str:
    """Return the event of a stream that says so."""
    return f"event: error\ndata: {json.dumps(error(status))}\n\n"


def answer(asked: Asked, reply: Reply) -> dict[str, Any]:
    """Return the message as JSON."""
    blocks = [start | {"text": "", "thinking": ""} | full for start, full, _ in _blocks(asked, reply)]
    content = [{key: value for key, value in block.items() if key in KEPT[block["type"]]} for block in blocks]
    return _message(asked, reply) | {"content": content, "stop_reason": _reason(content), "usage": _usage(reply)}


KEPT = {
    "text": ("type", "text"),
    "thinking": ("type", "thinking", "signature"),
    "tool_use": ("type", "id", "name", "input"),
    "server_tool_use": ("type", "id", "name", "input"),
    "web_search_tool_result": ("type", "tool_use_id", "content"),
}


def _message(asked: Asked, reply: Reply) -> dict[str, Any]:
    return {
        "id": f"msg_{asked.number}",
        "type": "message",
        "role": "assistant",
        "model": asked.body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": reply.input_tokens, "output_tokens": 1},
    }


def _usage(reply: Reply) -> dict[str, int]:
    return {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}


def _reason(content: list[dict[str, Any]]) -> str:
    return "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"


def _blocks(asked: Asked, reply: Reply) -> Iterator[tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]]:
    """Yield each content block: as its stream starts, as it is in the end, and the deltas between."""
    if reply.thinking:
        signature = f"signed-{asked.number}"
        deltas = [{"type": "thinking_delta", "thinking": word + " "} for word in reply.thinking.split()]
        deltas.append({"type": "signature_delta", "signature": signature})
        start = {"type": "thinking", "thinking": "", "signature": ""}
        yield start, {"thinking": reply.thinking, "signature": signature}, deltas
    for n, (query, title) in enumerate(reply.searches):
        id = f"srvtoolu_{asked.number}_{n}"
        delta = {"type": "input_json_delta", "partial_json": json.dumps({"query": query})}
        start = {"type": "server_tool_use", "id": id, "name": "web_search", "input": {}}
        yield start, {"input": {"query": query}}, [delta]
        page = {
            "type": "web_search_result",
            "url": "https://example.org/",
            "title": title,
            "encrypted_content": "e",
            "page_age": None,
        }
        yield {"type": "web_search_tool_result", "tool_use_id": id, "content": [page]}, {}, []
    reply = spoken(asked, reply)
    if reply.pieces:
        deltas = [{"type": "text_delta", "text": piece} for piece in reply.pieces]
        yield {"type": "text", "text": ""}, {"text": "".join(reply.pieces)}, deltas
    for n, (name, arguments) in enumerate(reply.calls):
        text = json.dumps(arguments)
        halves = [text[: len(text) // 2], text[len(text) // 2 :]]
        deltas = [{"type": "input_json_delta", "partial_json": half} for half in halves]
        start = {"type": "tool_use", "id": f"toolu_{asked.number}_{n}", "name": name, "input": {}}
        yield start, {"input": arguments}, deltas


def events(asked: Asked, reply: Reply) -> Iterator[tuple[bool, str]]:
    """Yield the events of a stream, each with whether it is a piece that takes its time."""
    reasons = []
    yield False, _event("message_start", message=_message(asked, reply))
    yield False, _event("ping")
    for index, (start, _, deltas) in enumerate(_blocks(asked, reply)):
        reasons.append(start)
        yield False, _event("content_block_start", index=index, content_block=start)
        for delta in deltas:
            yield True, _event("content_block_delta", index=index, delta=delta)
        yield False, _event("content_block_stop", index=index)
    stop = {"stop_reason": _reason(reasons), "stop_sequence": None}
    yield False, _event("message_delta", delta=stop, usage={"output_tokens": reply.output_tokens})
    yield False, _event("message_stop")


def _event(type: str, **fields: Any) -> str:
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n"
