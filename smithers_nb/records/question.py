"""Questions to people."""

from __future__ import annotations

from dataclasses import dataclass

from ..values import Stored

ORPHAN = "orphan"
"""Kind of the question about a task whose process ended while it ran …"""
RUN_AGAIN = "run again"
GIVE_UP = "give up"
"""… and its options."""
TOOL = "tool"
"""Kind of the question about a tool call of an agent …"""
APPROVE = "approve"
DENY = "deny"
"""… and its options."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a person. The task waits for the answer."""

    approval_id: str
    task_id: str
    node_id: str
    kind: str
    prompt: str
    payload: Stored
    options: list[str]
    turn: int | None = None
    """The turn in which the model wanted the tool call that the question is about."""
    tool_call_id: str | None = None
    """The tool call that the question is about."""
