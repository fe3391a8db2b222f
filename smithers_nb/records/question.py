"""Questions to people."""

from __future__ import annotations

from dataclasses import dataclass

from ..values import Stored
from .excerpt import Excerpt

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
EXTERNAL = "external"
"""Kind of the question for the result of a tool call that is made elsewhere …"""
RESULT = "result"
FAIL = "fail"
"""… and its options."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a person. The task waits for the answer."""

    approval_id: str
    task_id: str
    node_id: str
    # A text, not a closed list: apps name kinds of their own.
    kind: str
    prompt: str
    # Stored, not decoded: a model or a user wrote it, and only who shows it needs its contents.
    payload: Stored
    options: list[str]
    turn: int | None = None
    """The turn in which the model wanted the tool call that the question is about."""
    tool_call_id: str | None = None
    """The tool call that the question is about."""
    schema: str | None = None
    """The JSON schema of the tool's arguments, if they may be edited."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a person to a question."""

    choice: str
    comment: str | None = None
    args: str | None = None
    """The arguments that the tool is called with instead of the model's, as JSON."""
    result: str | None = None
    """The result of a tool call that was made elsewhere, as JSON."""
    reused_from: str | None = None
    """The execution and the id of the question that it was given to, where a branch took it from the file."""


@dataclass(frozen=True, slots=True)
class QuestionRecord:
    """A question with its answer, as a reader sees it. Times are ISO 8601 in UTC."""

    approval_id: str
    kind: str
    prompt: str
    options: list[str]
    status: str
    choice: str | None
    comment: str | None
    asked_at: str
    answered_at: str | None
    payload: Excerpt | None
    # Apart, as it is shown line by line: in the payload's JSON it would be one long text.
    diff: str | None
    """The difference that the person is to look at, apart from the payload."""
    args: str | None = None
    """The tool's arguments as JSON: those that a person wrote, else the model's; None if they are none, or too long."""
    edited: bool = False
    """True if a person wrote them."""
    result: Excerpt | None = None
    """The result of a tool call that was made elsewhere."""
