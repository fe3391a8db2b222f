"""The protocol between the engine and whatever runs agents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One agent node, with the props of the frame in which it starts."""

    node_id: str
    task_id: str
    model: Any  # Any: an id, ``Scripted``, or pydantic-ai's Model
    prompt: str
    system: str | None
    tools: list[Callable[..., Any]]
    output_type: Any  # Any: whatever pydantic-ai takes
    max_turns: int
    timeout_s: float | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """One request that an agent made to its model."""

    turn: int
    attempt: int
    model: str
    request: str
    """The messages as JSON."""
    response: str | None
    """The message as JSON; None if there was none."""
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    """None where the price is not known."""
    ms: float
    error: str | None


@dataclass(frozen=True, slots=True)
class AgentReply:
    """How an agent ended, when it did not raise."""

    output: Any  # Any: text, or what output_type says


Recorder = Callable[[Request], Awaitable[None]]
"""Awaited after each request, before the agent goes on: what was paid for is in the store."""


class Runner(Protocol):
    """Runs agents. The engine calls both methods on its loop."""

    async def check(self, task: AgentTask) -> None:
        """Look whether the agent could run, when its node mounts. Nothing is sent.

        Raises:
            AgentConfigError: for a missing package or key, or a model that does not exist, with the fix.
        """

    async def run(self, task: AgentTask, record: Recorder) -> AgentReply:
        """Run it to its end. Cancelling ends the request under way.

        Raises:
            AgentError: in our words; anything else as the library raised it.
        """
