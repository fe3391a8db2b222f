"""The task of one mount of a node, as the process that runs it holds it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ...agents.runner import Spent
from ...errors import StoreError
from ...nodes.runnable import AGENT_TYPES
from ...nodes.tree import TreeNode
from ...records import ModelCall, Question, TaskResult, TaskStatus, ToolCall
from ..user_code.scope import TaskScope

ENDED = frozenset({"succeeded", "failed", "cancelled", "abandoned"})


@dataclass(slots=True)
class TaskEntry:
    """One task of one mount of a node."""

    task_id: str
    node: TreeNode
    """As of the last frame that rendered it: its handlers are the ones that will be called."""
    status: TaskStatus = "pending"
    attempt: int = 0
    settled: bool = False
    result: TaskResult | None = None
    unread: StoreError | None = None
    """Why its output can't be read back from the file: its handler is not called with another one."""
    unmounted: bool = False
    interrupted: bool = False
    """It was stopped by a person and will be run again."""
    cancelled: bool = False
    """It was cancelled by a person, or because the execution has ended."""
    questions: dict[str, Question] = field(default_factory=dict)
    """By their ids: what it waits for people to answer, while it is blocked."""
    handle: asyncio.Task[None] | None = None
    spent: Spent = field(default_factory=Spent)
    """What an agent has used."""
    cut_off: bool = False
    """It was under way before, and ended without an end: in this process or in another."""
    waited: bool = False
    """It has been blocked, and goes on from where it was."""
    answered: bool = False
    """It is to go on because people have answered: that is no new attempt."""
    retry_at: float | None = None
    """Until when it is blocked, in seconds since the epoch; None unless it waits to try again."""
    why: str = ""
    """Why it waits."""
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by a person who does not want to wait."""
    late: list[ModelCall | ToolCall] = field(default_factory=list)
    """Requests and tool calls that are recorded with the task's end."""
    lost: list[str] = field(default_factory=list)
    """What is to be said of values that it changed in place and did not set."""
    scope: TaskScope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = TaskScope(self.node.id, self.task_id)

    def used(self) -> tuple[dict[str, int], float | None]:
        """Return usage and cost in USD; nothing for a plain task."""
        spent = self.spent
        if not spent.requests and not spent.turns:
            return {}, None
        names = ("input_tokens", "output_tokens", "requests")
        return {name: getattr(spent, name) for name in names}, spent.cost

    @property
    def is_agent(self) -> bool:
        # By its type: a plan that was read back has no nodes of the user's until the first frame.
        return self.node.type in AGENT_TYPES

    @property
    def event(self) -> str | None:
        """The handler that its end calls, if the node has one for it."""
        wanted = "on_finished" if self.status == "succeeded" else "on_error"
        return wanted if self.status in ENDED and wanted in self.node.events else None

    @property
    def max_attempts(self) -> int:
        return 1 + int(getattr(self.node.node, "retries", 0))
