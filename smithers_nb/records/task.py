"""Tasks: one execution of a runnable node each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import NamesNearest
from ..values import Stored
from .agent import ModelCall, ToolCall

TaskStatus = Literal["pending", "running", "blocked", "succeeded", "failed", "cancelled", "abandoned"]
REPEAT_REFUSED = "repeat: refuse"
"""The reason of a task that failed because its call, or that of a tool, is not to be repeated."""
_ENDED = frozenset({"succeeded", "failed", "cancelled", "abandoned"})


@dataclass(frozen=True, slots=True)
class TaskStart:
    """A task that COMMIT records before EXECUTE starts it."""

    task_id: str
    node_id: str
    max_attempts: int


@dataclass(frozen=True, slots=True)
class TaskCall:
    """What the function of a task is called with, in short: by this a branch sees that it is to be called again."""

    # Hashes, because arguments may be large, and only ever compared.
    args_hash: str | None
    """A hash of the arguments; None in files of releases that did not record it."""
    code_hash: str | None
    """A hash of the function, and of the functions and values that it sees; None where an argument can't be stored."""

    def same_args(self, other: TaskCall) -> bool:
        """Return whether two calls have the same arguments, as far as it is known."""
        return self.args_hash == other.args_hash or None in (self.args_hash, other.args_hash)


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """The end of a task, as it is recorded."""

    task_id: str
    status: str
    attempt: int
    result: Stored | None = None
    error: str | None = None
    reason: str | None = None
    usage: Mapping[str, int] = field(default_factory=dict)
    cost_usd: float | None = None
    # They are the proof of what was paid for: a file that is locked for a moment must not lose them.
    calls: tuple[ModelCall | ToolCall, ...] = ()
    """Requests and tool calls that could not be recorded when they were made, because the file was locked."""
    reused_from: str | None = None
    """The task whose recorded result it has, as ``EXECUTION_ID/TASK_ID``."""


# Near names, because r.result is what many write first for r.output.
@dataclass(frozen=True, slots=True)
class TaskResult(NamesNearest):
    """The argument of a handler."""

    node_id: str
    task_id: str
    status: TaskStatus
    output: Any  # Any: the task's return value
    text: str
    """The output as text; of a failed task, the error's message."""
    error: str | None
    attempts: int
    usage: Mapping[str, int]
    """``input_tokens``, ``output_tokens``, ``requests`` of an agent; empty for a plain task."""
    cost_usd: float | None
    """None where the price of the model is not known."""
    duration_s: float


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task as the file has it. Times are ISO 8601 in UTC."""

    task_id: str
    node_id: str
    mounted_at_frame: int
    status: TaskStatus
    reason: str | None
    attempt: int
    max_attempts: int
    next_retry_at: str | None
    started_at: str | None
    ended_at: str | None
    settled_at_frame: int | None
    """The frame that dealt with its end."""
    result: Stored | None
    error: str | None
    """The traceback of the last attempt; of a blocked task, the reason in words."""
    input_tokens: int | None
    output_tokens: int | None
    requests: int | None
    cost_usd: float | None
    worker: str | None = None
    """The worker that runs it, or ran it last; empty if none has begun it yet. None for a task of the kernel."""
    leg: int = 0
    """The number of times that it came back without an end: blocked, stopped, or to be tried again."""
    ledger_offset: int = 0
    """The number of rows of this leg that came from workers and are recorded."""
    comment: str | None = None
    """The comment of the person who answered."""
    tools: int = 0
    """The number of its tool calls, where a reader asked for it."""

    @property
    def ended(self) -> bool:
        """True if no attempt runs or will run, unless a person retries it."""
        return self.status in _ENDED

    @property
    def tokens(self) -> int | None:
        """The tokens of an ended agent, in and out; None where they are not known."""
        # A plain task has none, which is not the same as zero.
        if self.input_tokens is None:
            return None
        return self.input_tokens + (self.output_tokens or 0)

    def status_at(self, until: str | None, asking: Collection[str] = ()) -> TaskStatus:
        """Return the status that it had before a time, in ISO 8601; None is now.

        ``asking`` has the ids of the tasks that waited for a person then.
        """
        # The file has the status as it is now; the one before follows from its times.
        if until is None or (self.ended_at is not None and self.ended_at < until):
            return self.status
        if self.started_at is None or self.started_at >= until:
            return "pending"
        if self.task_id in asking:
            return "blocked"
        return "running"


@dataclass(frozen=True, slots=True)
class TaskFrames:
    """The frames of a task, as a reader of breakpoints sees them."""

    status: TaskStatus
    settled_at_frame: int | None
    started_frame: int | None
