"""OpenAI's chat completions and responses APIs, as far as an agent meets them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .fake_replies import Asked, Reply, Status, spoken

CODES = {401: "invalid_api_key", 402: "insufficient_quota", 429: "rate_limit_exceeded"}


def error(status: Status) -> dict[str, Any]:
    kind = "invalid_request_error" if status.code < 500 else "server_error"
    code = status.kind or CODES.get(status.code)
    return {"error": {"message": status.message, "type": kind, "param": None, "code": code}}


def failure(status: Status) -> str:
    """Return the event of a stream that says so; the two APIs word it alike enough for the client."""
    return f"event: error\ndata: {json.dumps({'type': 'error', **error(status)})}\n\n"


def asked(number: int, headers: Mapping[str, str], body: dict[str, Any]) -> Asked:
    chat = "messages" in body
    messages = body["messages"] if chat else body["input"]
    users = [message for message in messages if message.get("role") == "user"]
    answers = sum(message.get("role") == "assistant" for message in messages) if chat else _answers(messages)
    return Asked(
        number=number,
        api="chat" if chat else "responses",
        stream=bool(body.get("stream")),
        turn=1 + answers,
        prompt=_text(users[0]["content"]) if users else "",
        key=headers.get("authorization", "").removeprefix("Bearer "),
        body=body,
    )


def _answers(items: list[dict[str, Any]]) -> int:
    """Count the model's answers: runs of items that are its own."""
    own = [
        item.get("role") == "assistant" or item.get("type") in ("function_call", "reasoning", "web_search_call")
        for item in items
    ]
    return sum(mine and not before for before, mine in zip([False, *own], own, strict=False))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def refusal(body: dict[str, Any]) -> str | None:
    """Return what the API has against the messages, if so: a call without its result, or the other way round."""
    calls, results = [], []
    for message in body["messages"] if "messages" in body else body["input"]:
        calls += [one["id"] for one in message.get("tool_calls") or ()]
        calls += [message["call_id"]] if message.get("type") == "function_call" else []
        results += [message["tool_call_id"]] if message.get("role") == "tool" else []
        results += [message["call_id"]] if message.get("type") == "function_call_output" else []
    return None if sorted(calls) == sorted(results) else f"calls {calls} have the results {results}"


# ---- chat completions ------------------------------------------------------------------------------------------


def _chat_calls(asked: Asked, reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{asked.number}_{n}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for n, (name, arguments) in enumerate(spoken(asked, reply).calls)
    ]


def _chat_usage(reply: Reply) -> dict[str, int]:
    used = reply.input_tokens, reply.output_tokens
    return {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}


def chat_answer(asked: Asked, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(spoken(asked, reply).pieces) or None,
        "refusal": None,
    }
    if calls := _chat_calls(asked, reply):
        message["tool_calls"] = calls
    return {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": asked.body["model"],
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if calls else "stop"}
        ],
        "usage": _chat_usage(reply),
    }


def chat_events(asked: Asked, reply: Reply) -> Iterator[tuple[bool, str]]:
    base = {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": asked.body["model"],
    }

    def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _data({**base, "choices": [choice]})

    yield False, chunk({"role": "assistant", "content": ""})
    for piece in spoken(asked, reply).pieces:
        yield True, chunk({"content": piece})
    calls = _chat_calls(asked, reply)
    for n, one in enumerate(calls):
        function = one["function"]
        empty = {**one, "function": {**function, "arguments": ""}}
        yield False, chunk({"tool_calls": [{"index": n, **empty}]})
        yield True, chunk({"tool_calls": [{"index": n, "function": {"arguments": function["arguments"]}}]})
    yield False, chunk({}, "tool_calls" if calls else "stop")
    if (asked.body.get("stream_options") or {}).get("include_usage"):
        yield False, _data({**base, "choices": [], "usage": _chat_usage(reply)})
    yield False, "data: [DONE]\n\n"


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


# ---- responses -------------------------------------------------------------------------------------------------


def responses_answer(asked: Asked, reply: Reply) -> dict[str, Any]:
    used = reply.input_tokens, reply.output_tokens
    usage = {
        "input_tokens": used[0],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": used[1],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sum(used),
    }
    return _response(asked, "completed") | {"output": _items(asked, reply), "usage": usage}


def _response(asked: Asked, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{asked.number}",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "model": asked.body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "usage": None,
    }


def _items(asked: Asked, reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for n, (query, _) in enumerate(reply.searches):
        action = {"type": "search", "query": query}
        items.append(
            {"id": f"ws_{asked.number}_{n}", "type": "web_search_call", "status": "completed", "action": action}
        )
    reply = spoken(asked, reply)
    if reply.pieces:
        part = {"type": "output_text", "text": "".join(reply.pieces), "annotations": []}
        items.append(
            {
                "id": f"msg_{asked.number}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    for n, (name, arguments) in enumerate(reply.calls):
        items.append(
            {
                "id": f"fc_{asked.number}_{n}",
                "type": "function_call",
                "call_id": f"call_{asked.number}_{n}",
                "name": name,
                "arguments": json.dumps(arguments),
                "status": "completed",
            }
        )
    return items


def responses_events(asked: Asked, reply: Reply) -> Iterator[tuple[bool, str]]:
    number = 0

    def event(type: str, **fields: Any) -> str:
        nonlocal number
        number += 1
        return f"event: {type}\ndata: {json.dumps({'type': type, 'sequence_number': number, **fields})}\n\n"

    yield False, event("response.created", response=_response(asked, "in_progress"))
    yield False, event("response.in_progress", response=_response(asked, "in_progress"))
    for index, item in enumerate(_items(asked, reply)):
        place = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            [part] = item["content"]
            at = {**place, "content_index": 0}
            empty = {**item, "status": "in_progress", "content": []}
            yield False, event("response.output_item.added", output_index=index, item=empty)
            yield False, event("response.content_part.added", **at, part={**part, "text": ""})
            for piece in spoken(asked, reply).pieces:
                yield True, event("response.output_text.delta", **at, delta=piece, logprobs=[])
            yield False, event("response.output_text.done", **at, text=part["text"], logprobs=[])
            yield False, event("response.content_part.done", **at, part=part)
        elif item["type"] == "web_search_call":
            started = {**item, "status": "in_progress"}
            yield False, event("response.output_item.added", output_index=index, item=started)
            yield False, event("response.web_search_call.searching", **place)
            yield False, event("response.web_search_call.completed", **place)
        else:
            empty = {**item, "status": "in_progress", "arguments": ""}
            yield False, event("response.output_item.added", output_index=index, item=empty)
            yield True, event("response.function_call_arguments.delta", **place, delta=item["arguments"])
            yield False, event("response.function_call_arguments.done", **place, arguments=item["arguments"])
        yield False, event("response.output_item.done", output_index=index, item=item)
    yield False, event("response.completed", response=responses_answer(asked, reply))
