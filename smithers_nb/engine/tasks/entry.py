"""The task of one mount of a node, as the process that runs it holds it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ...agents.runner import Spent
from ...errors import StoreError
from ...nodes.runnable import AGENT_TYPES
from ...nodes.tree import TreeNode
from ...records import HandlerCall, ModelCall, Question, TaskCall, TaskEnd, TaskResult, TaskStatus, ToolCall
from ...store.requests import Base
from ..user_code.scope import TaskScope

NO_CALL = TaskCall(None, None)
ENDED = frozenset({"succeeded", "failed", "cancelled", "abandoned"})


@dataclass(slots=True)
class TaskEntry:
    """The task of one mount of a node."""

    task_id: str
    node: TreeNode
    """The node as the last frame rendered it: its handlers are the ones that will be called."""
    started: TreeNode | None = None
    """The node as the frame rendered it in which the task started: its props are those that it runs with, also when it
    continues after an answer, a wait or an interruption. None before, and in the process that resumes it."""
    status: TaskStatus = "pending"
    call: TaskCall = NO_CALL
    """The call of its function; of nothing for other nodes than a Task."""
    reused_from: str | None = None
    """The recorded task whose result it takes."""
    attempt: int = 0
    settled: bool = False
    result: TaskResult | None = None
    unread: StoreError | None = None
    """The reason why its output can't be read back from the file: its handler is not called with a substitute."""
    unmounted: bool = False
    interrupted: bool = False
    """True if a person stopped it, and it will be run again."""
    cancelled: bool = False
    """True if it was cancelled by a person, or because the execution has ended."""
    questions: dict[str, Question] = field(default_factory=dict)
    """The questions that people are asked while it is blocked, by their ids."""
    handle: asyncio.Task[None] | None = None
    spent: Spent = field(default_factory=Spent)
    """The turns, tokens and time that an agent has used."""
    # Three flags, because "attempt > 0" alone does not tell how it continues: resume_mode applies only where it was cut
    # off, and only after an answer it starts without a new attempt.
    cut_off: bool = False
    """True if it ran before, in this process or in another, and that run left no record of an end."""
    waited: bool = False
    """True if it has been blocked, and continues from there."""
    answered: bool = False
    """True if it continues because people have answered: that is no new attempt."""
    on_workers: bool = False
    """True if it was handed to workers."""
    out: bool = False
    """True if workers have run it while no kernel had the execution: it is joined, which is no new attempt."""
    leaving: bool = False
    """True if this process gives it up, and workers continue it."""
    stalled: bool = False
    """True if it is blocked because no worker or engine is there: that is the workers' wait, and not its own."""
    worker: str = ""
    """The last news of its worker: which one has it, when that was seen last, or why none can continue it."""
    leg: int = 0
    """The number of times that it came back without an end."""
    ledger_offset: int = 0
    """The number of rows of this leg that came from workers and are recorded."""
    again: bool = False
    """True if it has the result of an earlier task, whose handler is called again by hand."""
    retry_at: float | None = None
    """The time until which it is blocked, in seconds since the epoch; None unless it waits to try again."""
    why: str = ""
    """The reason why it waits."""
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end its wait at once."""
    late: list[ModelCall | ToolCall] = field(default_factory=list)
    """Requests and tool calls that are recorded with the task's end."""
    base: Base | None = None
    """The last request of an agent that was interrupted: the next one is stored against it."""
    lost: list[str] = field(default_factory=list)
    """Messages about values that it changed in place and did not set."""
    scope: TaskScope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = TaskScope(self.node.id, self.task_id)

    @property
    def waits(self) -> bool:
        """True if it waits for a person, or for a time to try again; not while an answer is being recorded."""
        return self.status == "blocked" and bool(self.questions or self.retry_at is not None)

    def comes_back(self) -> None:
        """Count that it came back without an end: its next leg is told from the first row."""
        self.leg, self.ledger_offset = self.leg + 1, 0

    def used(self) -> tuple[dict[str, int], float | None]:
        """Return usage and cost in USD; nothing for a plain task."""
        spent = self.spent
        if not spent.requests and not spent.turns and not spent.reused:
            return {}, None
        names = ("input_tokens", "output_tokens", "requests")
        return {name: getattr(spent, name) for name in names}, spent.cost

    def end_by_hand(self, error: str | None = None, reason: str | None = None) -> TaskEnd:
        """Return the end of a task that is cancelled and does not run; its usage stays recorded."""
        usage, cost_usd = self.used()
        return TaskEnd(
            task_id=self.task_id,
            status="cancelled",
            attempt=self.attempt,
            error=error,
            reason=reason,
            usage=usage,
            cost_usd=cost_usd,
            calls=tuple(self.late),
        )

    def stale_call(self, frame: int, status: str, call_id: str | None = None) -> HandlerCall | None:
        """Return the record of a handler that is not called because the node is gone; None if there was no handler."""
        event = _handler_for(status)
        if event not in self.node.events or status not in ("succeeded", "failed"):
            return None
        return HandlerCall(
            id=call_id or f"{frame}s{self.task_id}",
            frame=frame,
            node_id=self.node.id,
            task_id=self.task_id,
            event=event,
            status="stale",
            writes=0,
            ms=0.0,
            error=None,
            source=self.node.source,
        )

    @property
    def is_agent(self) -> bool:
        # By its type: a plan that was read back has no nodes of the user's until the first frame.
        return self.node.type in AGENT_TYPES

    @property
    def continues(self) -> bool:
        """True for an agent that ran before, and does not start over."""
        over = self.cut_off and getattr(self.node.node, "resume_mode", None) == "restart"
        return self.is_agent and self.attempt > 0 and not over

    @property
    def event(self) -> str | None:
        """The handler that its end calls, if the node has one for it."""
        if self.status not in ENDED:
            return None
        wanted = _handler_for(self.status)
        if wanted in self.node.events:
            return wanted
        return None

    @property
    def max_attempts(self) -> int:
        return 1 + int(getattr(self.node.node, "retries", 0))


def _handler_for(status: str) -> str:
    # A task that was cancelled or abandoned has no result: its plan hears of that as of a failure.
    return "on_finished" if status == "succeeded" else "on_error"
