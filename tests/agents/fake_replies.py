"""What the fake provider can be told to do with a request, whichever API it came by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request, as far as the script may care."""

    number: int
    """1, 2, 3 … over the life of the server."""
    api: str
    """``anthropic``, ``chat`` or ``responses``."""
    stream: bool
    """Whether an event stream was asked for."""
    turn: int
    """1 for a request without an answer of the model in it, then one more for each."""
    prompt: str
    """The first text that the user wrote."""
    key: str
    """The key that was sent."""
    body: Mapping[str, Any]
    """The JSON that was sent."""

    @property
    def tools(self) -> list[str]:
        """Names of the tools that the model may call."""
        return [tool.get("name") or tool["function"]["name"] for tool in self.body.get("tools") or []]


@dataclass(frozen=True)
class Status:
    """An error of the provider."""

    code: int
    retry_after: str | None = None
    """The header as it is sent."""
    message: str = "the fake provider was told to say so"
    kind: str | None = None
    """The provider's own name for the error; None for the usual one of the status."""


@dataclass(frozen=True)
class Reply:
    """An answer of the model: thinking, then text, then tool calls."""

    pieces: tuple[str, ...] = ()
    """The text; streamed piece by piece."""
    thinking: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Name and arguments of each tool call."""
    searches: tuple[tuple[str, str], ...] = ()
    """Query and title found of each web search that the provider makes itself, before it says anything."""
    output: dict[str, Any] | None = None
    """Structured output: a call of the tool that pydantic-ai offers for it, or JSON if it asks for that."""
    input_tokens: int = 10
    output_tokens: int = 5
    delay_s: float = 0.0
    """Seconds before the first byte, and before each piece of a stream."""
    cut_after: int | None = None
    """Cut the connection after that many events of the stream, or bytes of a plain answer."""
    fails: Status | None = None
    """What a stream says instead of being cut there: the status was 200, and then the provider failed."""


@dataclass(frozen=True)
class Hang:
    """No answer until the client has gone."""


@dataclass(frozen=True)
class Refuse:
    """The connection is cut before a byte was sent."""


@dataclass(frozen=True)
class Garbage:
    """Status 200, and a body that is none of the API's."""

    body: str = "<html>a proxy's front page</html>"
    content_type: str = "text/html"


def spoken(asked: Asked, reply: Reply) -> Reply:
    """Return the reply with its structured output as the request wants it."""
    if reply.output is None:
        return reply
    tool = next((name for name in asked.tools if name.startswith("final_result")), None)
    if tool is None:
        return replace(reply, output=None, pieces=(*reply.pieces, json.dumps(reply.output)))
    return replace(reply, output=None, calls=(*reply.calls, (tool, reply.output)))


Act = Reply | Status | Hang | Refuse | Garbage
Script = Callable[[Asked], Act]


def say(*pieces: str, **more: Any) -> Reply:
    """Return an answer in words."""
    return Reply(pieces, **more)


def tokens(count: int, delay_s: float = 0.0, word: str = "w") -> Reply:
    """Return ``w0 w1 w2 …``, streamed one by one."""
    return Reply(tuple(f"{word}{n} " for n in range(count)), output_tokens=count, delay_s=delay_s)


def call(tool: str, **arguments: Any) -> Reply:
    """Return an answer that calls one tool."""
    return Reply(calls=((tool, arguments),))


def output(**fields: Any) -> Reply:
    """Return structured output."""
    return Reply(output=fields)


@dataclass
class InOrder:
    """Acts by number of the request; the last one repeats."""

    acts: tuple[Act, ...]
    given: int = field(default=0)

    def __call__(self, asked: Asked) -> Act:
        self.given += 1
        return self.acts[min(self.given, len(self.acts)) - 1]


def by_turn(*acts: Act) -> Script:
    """Return a script that answers by the turn of the conversation, whoever asks and how often."""
    return lambda asked: acts[min(asked.turn, len(acts)) - 1]
