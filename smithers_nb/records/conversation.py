"""Conversations of agents: their requests, each with the messages that are new in it and with its answer."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from .agent import ModelCall, ToolCall
from .task import TaskRecord

Role = Literal["system", "user", "assistant", "tool"]
Json = Any  # Any: what a JSON text holds


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message."""

    role: Role
    kind: str
    """text, thinking, tool call, edited arguments (by a person, for that call), tool result, output (the call of a tool
    that gives the answer), retry, image, audio, video, document, file …
    """
    text: str
    """Its text; of a tool call the arguments as JSON; of a file its type and size, or its address."""
    tool: str | None = None
    tool_call_id: str | None = None
    status: str | None = None
    """The status of a tool call or its result, where it is known: ok, denied, failed …"""
    ms: float | None = None
    """The time that the tool took."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request to a model in one attempt, with its outcome."""

    call: ModelCall
    waited_s: float | None
    """The time since the end of the attempt before, of the same turn; None for a first attempt, and for the requests of
    an agent that a tool runs.
    """
    given: tuple[Part, ...]
    """The parts that no earlier request of the conversation had."""
    answer: tuple[Part, ...]
    """The parts of the response; where it was cut off, those that had come."""
    results: tuple[Part, ...]
    """The results of the answer's tool calls that no request has: the agent ended, or waits."""
    finish_reason: str | None
    answered_as: str | None = None
    """The model that answered, by the provider's name of it."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in order."""
        return (*self.given, *self.answer, *self.results)


@dataclass(frozen=True, slots=True)
class TaskConversation:
    """All requests of one task, oldest first."""

    execution_id: str
    task: TaskRecord
    iteration: int | None
    """The iteration of the innermost loop around the node, from 0 as in the plan; None outside of loops."""
    exchanges: tuple[Exchange, ...]

    @property
    def tokens(self) -> tuple[int, int]:
        """The tokens of all requests: in, out."""
        calls = [one.call for one in self.exchanges]
        return sum(call.input_tokens or 0 for call in calls), sum(call.output_tokens or 0 for call in calls)

    @property
    def cost_usd(self) -> float | None:
        """The price of all requests; None if the price of one is not known."""
        answered = [one.call for one in self.exchanges if one.call.response is not None]
        if any(call.cost_usd is None for call in answered):
            return None
        return sum(one.call.cost_usd or 0.0 for one in self.exchanges)


def exchanges_of(calls: Sequence[ModelCall], tools: Iterable[ToolCall]) -> tuple[Exchange, ...]:
    """Return the requests of a task, oldest first, with their parts: each part once, where it was first given.

    Parts are told apart by content: a history processor may have moved messages, or left some out.
    """
    read = _Reading({(tool.agent, tool.caller, tool.tool_call_id): tool for tool in tools})
    ends: dict[tuple[int, str | None], float] = {}
    found = []
    for call in calls:
        before = ends.get((call.turn, call.caller))
        waited_s = None
        if before is not None and call.attempt > 1 and call.agent is None:
            waited_s = max(0.0, call.started_at - before)
        ends[call.turn, call.caller] = call.started_at + call.ms / 1000
        found.append((call, waited_s, read.given(call), read.answer(call)))
    return tuple(
        Exchange(
            call=call,
            waited_s=waited_s,
            given=given,
            answer=answer,
            results=tuple(read.left(call, answer)),
            finish_reason=_decoded(call.response or call.partial).get("finish_reason"),
            answered_as=_decoded(call.response).get("model_name"),
        )
        for call, waited_s, given, answer in found
    )


_Key: TypeAlias = tuple[str | None, str | None, str | None]
"""The agent and the caller of a tool call, and its id."""


class _Reading:
    """Reads requests in order, and leaves out what was read before."""

    def __init__(self, tools: dict[_Key, ToolCall]) -> None:
        self._tools = tools
        self._request: ModelCall | None = None
        """The request that is read: a tool call is one of its agent."""
        self._messages: dict[str, Json] = {}
        self._seen: dict[str | None, Counter[str]] = defaultdict(Counter)
        self._system: dict[str | None, str] = {}
        self._returned: set[_Key] = set()
        self._outputs: set[str] = set()
        self._parameters: tuple[str, Json] = ("{}", {})

    def given(self, call: ModelCall) -> tuple[Part, ...]:
        """Return the parts that are new in a request."""
        self._request = call
        if call.parameters != self._parameters[0]:
            # Of two requests of an agent they are most often the same text, with long schemas.
            self._parameters = (call.parameters, json.loads(call.parameters))
            self._outputs |= {tool["name"] for tool in self._parameters[1].get("output_tools", ())}
        found: list[Part] = []
        instructions = self._parameters[1].get("instructions")
        # Counted, because the same words may be said twice.
        counts, seen = Counter[str](), self._seen[call.caller]
        for text in _with_reasons(call):
            # By text first: a long conversation is the same in each request, and is parsed once.
            if text not in self._messages:
                self._messages[text] = _with_keys(json.loads(text))
            message, keys = self._messages[text]
            if "instructions" not in self._parameters[1]:
                # The model gets those of the newest message that has some; they are stored with each.
                instructions = message.get("instructions") or instructions
            for key, part in keys:
                counts[key] += 1
                if counts[key] > seen[key]:
                    seen[key] += 1
                    found += self._of_response(part) if message["kind"] == "response" else self._of_request(part)
        if instructions and self._system.get(call.caller) != instructions:
            self._system[call.caller] = instructions
            found.insert(0, Part("system", "text", instructions))
        return tuple(found)

    def answer(self, call: ModelCall) -> tuple[Part, ...]:
        """Return the parts of the response to a request."""
        self._request = call
        message = _decoded(call.response or call.partial)
        if call.response is not None:
            # What a capability made of it is what later requests have.
            for key, _ in _with_keys(_decoded(call.accepted or call.response))[1]:
                self._seen[call.caller][key] += 1
        return tuple(part for one in message.get("parts", ()) for part in self._of_response(one))

    def left(self, call: ModelCall, answer: Sequence[Part]) -> Iterator[Part]:
        """Yield the results of an answer's tool calls that no request has."""
        for part in answer:
            key = (call.agent, call.caller, part.tool_call_id)
            tool = self._tools.get(key)
            if part.kind != "tool call" or tool is None or key in self._returned:
                continue
            text = tool.error
            if tool.output is not None:
                text = _legible(json.loads(tool.output))
            if text is not None:
                yield _of_tool(Part("tool", "tool result", text, tool.tool), tool)

    def _of_request(self, part: Json) -> Iterator[Part]:
        kind, content = part["part_kind"], part.get("content")
        # The names are pydantic-ai's; this module reads its JSON, because only agents/ imports the library.
        if kind == "system-prompt":
            yield Part("system", "text", content)
        elif kind == "user-prompt":
            for one in [content] if isinstance(content, str) else content:
                # A mark for the provider's cache is nothing that the model reads.
                if not isinstance(one, dict) or one.get("kind") != "cache-point":
                    yield _content("user", one)
        elif kind in ("tool-return", "retry-prompt", "retry-feedback"):
            yield self._result(part)
        else:
            yield _other("user", part)

    def _result(self, part: Json) -> Part:
        id, name = part.get("tool_call_id"), part.get("tool_name")
        self._returned.add(self._key(id))
        tool = self._tools.get(self._key(id))
        role: Role = "tool" if name else "user"
        retried = part["part_kind"] != "tool-return" or part.get("outcome") == "retried"
        text = _reason(part) if retried else _legible(part.get("content"))
        kind = "retry" if retried else "tool result"
        found = Part(role, kind, text, name, tool_call_id=id)
        if tool is not None:
            return _of_tool(found, tool)
        if retried or part.get("outcome") == "success":
            return found
        return replace(found, status=part.get("outcome"))

    def _called(self, part: Json) -> Iterator[Part]:
        """Yield a tool call, and the arguments that it was made with, if a person wrote others."""
        found = self._call(part)
        yield found
        tool = self._tools.get(self._key(part["tool_call_id"]))
        # As values: providers and pydantic-ai write the same JSON with other spaces.
        if found.kind == "tool call" and tool is not None and json.loads(tool.input) != json.loads(found.text):
            yield replace(found, role="user", kind="edited arguments", text=tool.input, status=None)

    def _call(self, part: Json) -> Part:
        id, name, text = part["tool_call_id"], part["tool_name"], _arguments(part.get("args"))
        if name in self._outputs:
            return Part("assistant", "output", text, name, tool_call_id=id)
        found = Part("assistant", "tool call", text, name, tool_call_id=id)
        if (tool := self._tools.get(self._key(id))) is None:
            return found
        return replace(found, status=tool.status)

    def _key(self, tool_call_id: str | None) -> _Key:
        call = self._request
        assert call is not None  # for the type checker: parts are those of a request
        return call.agent, call.caller, tool_call_id

    def _of_response(self, part: Json) -> Iterator[Part]:
        kind = part["part_kind"]
        if kind in ("text", "thinking"):
            # Providers send empty texts beside tool calls, and thinking that only they can read.
            if part["content"]:
                yield Part("assistant", kind, part["content"])
        elif kind in ("tool-call", "builtin-tool-call"):
            yield from self._called(part)
        elif kind == "builtin-tool-return":
            yield self._result({**part, "part_kind": "tool-return"})
        elif kind == "file":
            yield _content("assistant", part["content"])
        else:
            yield _other("assistant", part)


def _with_reasons(call: ModelCall) -> Iterator[str]:
    """Yield the messages that the model was given, each as JSON; where the library has put a rejection into words of a
    user, as the agent's own conversation has it: with the reason and the number of the retry.
    """
    # By their places: a processor that leaves messages out makes the two lists differ, and then nothing is known.
    told = call.history or ()
    if len(told) != len(call.messages):
        told = call.messages
    for given, own in zip(call.messages, told, strict=True):
        if given == own or '"retry-' not in own:
            yield given
            continue
        message, parts = json.loads(given), json.loads(own)["parts"]
        for place, part in enumerate(parts if len(parts) == len(message["parts"]) else ()):
            if part["part_kind"].startswith("retry-") and message["parts"][place]["part_kind"] == "user-prompt":
                message["parts"][place] = part
        yield json.dumps(message)


def _of_tool(part: Part, tool: ToolCall) -> Part:
    return replace(part, tool_call_id=tool.tool_call_id, status=tool.status, ms=tool.ms)


def _content(role: Role, content: Json) -> Part:
    """Return a part of a prompt: a text, or a file by its type and size, or by its address."""
    if isinstance(content, str):
        return Part(role, "text", content)
    kind = content.get("kind", "")
    if kind == "text-content":
        return Part(role, "text", content["content"])
    if kind.endswith("-url"):
        return Part(role, kind.removesuffix("-url"), content["url"])
    media = str(content.get("media_type") or "")
    family = media.partition("/")[0]
    if family not in ("image", "audio", "video"):
        family = "file" if kind == "uploaded-file" else "document"
    return Part(role, family, _legible(content))


def _other(role: Role, part: Json) -> Part:
    """Return a part of a kind that has no words here: as its JSON."""
    kind, content = part["part_kind"].replace("-", " "), part.get("content")
    if isinstance(content, str):
        return Part(role, kind, content)
    return Part(role, kind, _compact({name: value for name, value in part.items() if name != "part_kind"}))


def _reason(part: Json) -> str:
    """Return why something has to be made again: what is wrong, and which retry it is."""
    content = part.get("content")
    text = content if isinstance(content, str) else _compact(content)
    if isinstance(content, list) and all(isinstance(one, dict) and "msg" in one for one in content):
        text = "; ".join(_wrong(one) for one in content)
    retry = part.get("retry") or {}
    if retry.get("attempt") and retry.get("max_retries"):
        text += f" (retry {retry['attempt']} of {retry['max_retries']})"
    return text


def _wrong(error: Json) -> str:
    place = ".".join(str(one) for one in error.get("loc", ()))
    return f"{place}: {error['msg']}" if place else str(error["msg"])


def _arguments(args: Json) -> str:
    if isinstance(args, str):
        return args or "{}"
    return _compact(args or {})


def _legible(value: Json) -> str:
    """Return a text as it is, and anything else as JSON, its files by type and size."""
    if isinstance(value, str):
        return value
    shown = _without_bytes(value)
    if isinstance(shown, str):
        return shown
    return _compact(shown)


def _without_bytes(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_bytes(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "binary":
        data = value.get("data")
        kind = str(value.get("media_type") or "binary")
        if not isinstance(data, str):
            return kind
        return f"{kind}, {len(data) * 3 // 4:,} bytes"
    return {name: _without_bytes(one) for name, one in value.items()}


def _with_keys(message: Json) -> tuple[Json, list[tuple[str, Json]]]:
    """Return a message with its parts, each with a key of its content."""
    # An attempt that is made again has the same prompt with another time.
    parts = message.get("parts", ())
    return message, [(_compact({**part, "timestamp": None}), part) for part in parts]


def _decoded(text: str | None) -> Json:
    if text is None:
        return {}
    return json.loads(text)


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
