"""``scripted``: a model that answers from a list. It ships with the library: lessons and tests need no key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic import BaseModel

from .. import arguments
from ..arguments import takes
from ..user_code import as_failure, guarded


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A scripted reply that calls a tool."""

    tool: str
    args: dict[str, Any]


@takes(tool=arguments.full_text)
def call_tool(tool: str, /, **args: Any) -> ToolUse:
    """Return a reply for ``scripted(…)`` that calls a tool; a list of them calls several at once.

    The next reply answers what the tool returned.

    >>> scripted(call_tool("add", a=2, b=3), "the sum is 5")
    <scripted model, 2 replies, 0 calls>
    """
    return ToolUse(tool, args)


Plain = str | dict[str, Any] | BaseModel | list[ToolUse]
Answer = Plain | ToolUse | BaseException | Callable[[str], Any]


class Scripted:
    """A model for any agent node that answers each request with the next reply; the last one repeats."""

    def __init__(self, replies: tuple[Answer, ...], delay_s: float) -> None:
        self.replies = replies
        self.delay_s = delay_s
        """Seconds until it answers."""
        self.calls: list[str] = []
        """The prompts that it was asked, in order."""
        self._lock = Lock()

    def answer(self, prompt: str) -> Plain:
        """Return the next reply to a prompt, or raise it if it is an exception."""
        # A script may be shared by executions, and by cells, on different loops and threads.
        with self._lock:
            reply = self.replies[min(len(self.calls), len(self.replies) - 1)]
            self.calls.append(prompt)
        if callable(reply):
            reply = guarded(reply, prompt)
        if isinstance(reply, BaseException):
            raise as_failure(reply)
        if isinstance(reply, ToolUse):
            reply = [reply]
        tools = isinstance(reply, list) and bool(reply) and all(isinstance(one, ToolUse) for one in reply)
        if not tools and not isinstance(reply, str | dict | BaseModel):
            raise TypeError(f"a scripted reply is text, a dict, a pydantic object or call_tool(…), not {reply!r:.80}")
        return reply

    def __reduce__(self) -> tuple[object, ...]:
        # Its lock can't be pickled. The calls that it has had come along: a copy answers with the next reply.
        return _scripted_after, (self.replies, self.delay_s, list(self.calls))

    def __repr__(self) -> str:
        return f"<scripted model, {len(self.replies)} replies, {len(self.calls)} calls>"


def _scripted_after(replies: tuple[Answer, ...], delay_s: float, calls: list[str]) -> Scripted:
    found = Scripted(replies, delay_s)
    found.calls = calls
    return found


@takes(delay_s=arguments.seconds)
def scripted(*replies: Answer, delay_s: float = 0.0) -> Scripted:
    """Return a model that needs no key and no network.

    A reply is text; a dict or a pydantic object for structured output; ``call_tool(…)``, or a list of them; an
    exception, which is raised; or a function of the prompt that returns one of these. ``delay_s`` is how many seconds
    each answer takes.

    It counts its calls itself: one that is made inside of a component is a new one, with its first reply, in each frame
    that calls the component. For a model that answers differently from call to call, make it outside.

    Raises:
        ValueError: without replies, or with a negative delay.

    >>> model = scripted("one", lambda prompt: prompt.upper())
    >>> model.answer("a"), model.answer("b"), model.answer("c"), model.calls
    ('one', 'B', 'C', ['a', 'b', 'c'])
    """
    if not replies:
        raise ValueError('scripted() needs at least one reply: scripted("a text")')
    if delay_s < 0:
        raise ValueError(f"delay_s is in seconds from now, not {delay_s}")
    return Scripted(replies, delay_s)
