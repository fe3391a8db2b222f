"""The audit of an agent: its requests, its tool calls, its streamed pieces, and the decisions of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .excerpt import Excerpt

BlockReason = Literal["retry", "rate_limit"]
StallReason = Literal["no_worker", "engine"]
"""The reason why a task on workers can't continue: none of them is alive, or the engine between can't be reached."""
AnsweredBy = Literal["model", "cache", "replay", "recording"]
"""cache: the same request had been answered before. replay: the answer is the recorded one. recording: a branch took
the answer from the record of its family, or an agent in a tool that is called again after an interruption from its own.
"""
CallStatus = Literal["running", "ok", "failed", "cancelled", "interrupted"]
"""ok: it was answered. cancelled: it was ended by hand, or by a limit of time. interrupted: its process ended
meanwhile; a resume asks again.
"""
ToolStatus = Literal[
    "waiting", "running", "ok", "retry", "failed", "raised", "denied", "invalid", "unknown", "skipped", "interrupted"
]  # fmt: skip
"""waiting: a person is asked about it. ok: it returned. retry, failed: it told the model so (``ModelRetry``,
``ToolFailed``). raised: its exception ended the agent. denied, invalid, unknown, skipped: it was never called.
interrupted: it was cut off; a resume runs it again.
"""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A request of an agent to its model, in one attempt. It is recorded twice: as ``running`` before it is sent, and
    as it ended.
    """

    task_id: str
    turn: int
    attempt: int
    """The attempt at this turn, from 1; of an agent that a tool runs, the number of its request."""
    provider: str
    model: str
    messages: tuple[str, ...]
    """The messages that the model was given, each as JSON."""
    started_at: float
    """Seconds since the epoch."""
    parameters: str = "{}"
    """The rest of the request as a JSON object: settings, tools with their schemas, output schema, native tools."""
    history: tuple[str, ...] | None = None
    """The agent's own conversation, where a capability or history processor gave the model other messages."""
    response: str | None = None
    """The message, as JSON; None if there was none."""
    accepted: str | None = None
    """The answer that the agent went on with, where a capability had changed it."""
    partial: str | None = None
    """The part of an answer that had come when it was cut off."""
    input_tokens: int | None = None
    """All of them, those from and for a cache too."""
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    # An unknown price is not zero: totals that hide it would be believed.
    cost_usd: float | None = None
    """None where the price is not known."""
    unpriced: str | None = None
    """The reason why the price is not known."""
    ms: float = 0.0
    error: str | None = None
    status: CallStatus = "running"
    answered_by: AnsweredBy = "model"
    """The origin of the answer; anything else than ``model`` was not paid for."""
    signature: str | None = None
    """A hash of everything that the answer depends on, where the answer may be used again."""
    agent: str | None = None
    """The name of an agent that a tool, or another function of the node's agent, runs; None for the node's agent."""
    caller: str | None = None
    """The id of the tool call that runs it."""
    same: str | None = None
    """A hash of everything that makes two requests the same for a branch."""
    reused_id: int | None = None
    """The id of the row that answered it, where that is a recorded one."""
    saved_usd: float | None = None
    """The cost of that answer when it was asked for; None where the price is not known."""
    id: int | None = None
    """The id of its row, once it has one."""

    @property
    def request(self) -> str:
        """The messages that the model was given, as one JSON list."""
        return f"[{','.join(self.messages)}]"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool. It is recorded twice: as ``running`` before it starts, and as it ended."""

    task_id: str
    turn: int
    attempt: int
    # Only the model's id links the request, the call, the question about it and the result.
    tool_call_id: str
    """The model's own id of it."""
    tool: str
    input: str
    """The arguments as JSON."""
    status: ToolStatus
    started_at: float
    """Seconds since the epoch."""
    output: str | None = None
    """The result as JSON."""
    ms: float | None = None
    error: str | None = None
    elsewhere: bool = False
    """True if it was not made here: the provider made it while it answered, or a person gave its result."""
    reused_id: int | None = None
    """The id of the row whose result it has, where a branch did not call the tool."""
    agent: str | None = None
    """The name of an agent that a function of the node's agent runs, if it is a call of that one."""
    caller: str | None = None
    """The id of the tool call that runs that agent."""
    id: int | None = None
    """The id of its row, where it was read from the file."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of a person about a tool call."""

    turn: int
    tool_call_id: str
    approved: bool
    comment: str | None
    args: str | None = None
    """The arguments that a person wrote instead of the model's, as JSON."""
    result: str | None = None
    """The result of a call that was made elsewhere, as JSON."""
    external: bool = False
    """True if the call was made elsewhere, and not approved or denied."""


# A plain tuple, and no class: Python's garbage collector leaves tuples of texts and numbers alone, and thousands of
# objects that wait for the file would set off full collections, which hold up the loop for 100 ms.
Piece: TypeAlias = tuple[str, int, int, str, str, float]
"""A streamed piece of an answer: task id, turn, attempt (a failed one may have streamed half a sentence), kind, the
piece as JSON, and the time in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The totals of all agents of an execution and of its children."""

    turns: int
    """Requests that were answered."""
    input_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced: int
    """Answers whose price is not known."""
    tool_calls: int


@dataclass(frozen=True, slots=True)
class RateWindow:
    """The times at which a provider may be asked. Times are ISO 8601 in UTC."""

    name: str
    # In the file, for all its executions: a provider counts the requests of a key, not of a process.
    opens_at: str | None
    """None while it is open."""
    next_at: str | None
    interval_ms: float
    refused: int
    """The number of refused requests so far."""


@dataclass(frozen=True, slots=True)
class ModelCallRecord:
    """A request as a reader sees it: the response cut."""

    id: int
    turn: int
    attempt: int
    model: str
    answered_by: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    ms: float
    error: str | None
    agent: str | None
    """The name of an agent that a function of the node's agent runs, if it is its request."""
    response: Excerpt | None


@dataclass(frozen=True, slots=True)
class ToolCallRecord:
    """A tool call as a reader sees it: input and output cut."""

    id: int
    turn: int
    attempt: int
    tool: str
    input: Excerpt
    output: Excerpt | None
    status: str
    ms: float | None
    error: str | None
    agent: str | None
    """The name of an agent that a function of the node's agent runs, if it is a call of that one."""
    caller: str | None
    tool_call_id: str
