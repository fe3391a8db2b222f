"""The protocol between the engine and the runner of its agents. A task is JSON, except for its ``Local`` part."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..nodes.parts import Content
from ..printing import Stream
from ..records import BlockReason, Decision, ModelCall, Piece, Repeat, ReusedAnswer, StallReason, ToolCall
from .wire import agent_as_dict


@dataclass(slots=True)
class Spent:
    """The usage of an agent, or of all agents of an execution; each request counted once."""

    turns: int = 0
    """Requests that were answered."""
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tool_calls: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Answers whose price is not known."""
    reused: int = 0
    """Answers that a branch took from the file; they are in none of the other numbers."""
    seconds: float = 0.0
    """The time that requests and tool calls took, without interruptions and waits."""

    def add(self, request: ModelCall) -> None:
        """Count a request that has ended; one that a branch answers from the file costs nothing."""
        if request.answered_by == "recording":
            self.reused += 1
            return
        self.requests += request.answered_by != "cache"
        self.input_tokens += request.input_tokens or 0
        self.output_tokens += request.output_tokens or 0
        self.cost_usd += request.cost_usd or 0.0
        if request.response is not None:
            self.turns += 1
            self.unpriced += request.cost_usd is None

    @property
    def cost(self) -> float | None:
        """The cost in USD; None if a price is not known."""
        if self.unpriced or not self.turns + self.reused:
            return None
        return self.cost_usd


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a model, with all that the model is given."""

    provider: str
    model: str
    messages: tuple[str, ...]
    """Each as JSON."""
    parameters: str
    """Settings, tools, output schema and native tools, as a JSON object."""
    signature: str | None = None
    """A hash of everything that the answer depends on, where an earlier answer may be used."""
    same: str | None = None
    """A hash of everything that makes two requests the same for a branch."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """An answer of a model, or the part of it that has come."""

    response: str
    """The message as JSON."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = 0.0
    unpriced: str | None = None
    """The reason why the price is not known."""
    reused_id: int | None = None
    """The id of the row that it was taken from, where a branch reuses it."""
    saved_usd: float | None = None
    """The cost of that row."""


@dataclass(frozen=True, slots=True)
class Past:
    """The progress of an agent up to the moment when it was cut off or began to wait."""

    turn: int = 0
    """The last turn that was answered; 0 if none."""
    request: str = ""
    """The conversation up to that turn, as a JSON list."""
    response: str = ""
    """The answer of that turn, as JSON."""
    attempt: int = 1
    """The attempt at that turn that was answered."""
    attempts: int = 0
    """Attempts at the following turn."""
    failures: int = 0
    """Those of them that failed."""
    reused_id: int | None = None
    """The id of the row that the answer of the last turn was taken from, if it was."""
    decisions: list[Decision] = field(default_factory=list)
    """The decisions of people about tool calls, oldest first."""
    tools: dict[str, ToolCall] = field(default_factory=dict)
    """The newest record of every tool call of the node's agent, by its id."""
    inner: list[ModelCall] = field(default_factory=list)
    """The answered requests of agents that the tools of the last turn ran, oldest first."""
    inner_tools: list[ToolCall] = field(default_factory=list)
    """The tool calls of these agents, oldest first."""
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True)
class RecordedAgent:
    """The recorded requests and tool calls that answer an agent in a replay."""

    requests: list[ModelCall] = field(default_factory=list)
    """The requests in order, failed ones too."""
    tools: list[ToolCall] = field(default_factory=list)
    """Oldest first; a later record of the same call counts."""
    decisions: list[Decision] = field(default_factory=list)
    """The decisions of people about tool calls, oldest first."""
    complete: bool = False
    """True if it succeeded: a request that is not recorded is then a mismatch."""


@dataclass(frozen=True, slots=True)
class Local:
    """The parts of an agent that exist in this process only."""

    model: Any = None  # Any: an id, ``Scripted``, or pydantic-ai's Model; None for the agent's own
    tools: list[Any] = field(default_factory=list)  # Any: functions, and pydantic-ai's tools and toolsets
    output_type: Any = None  # Any: whatever pydantic-ai takes
    approve: Callable[[str, dict[str, Any]], Any] | None = None  # Any: whether, or what to show
    agent: Any = None  # Any: the user's pydantic_ai.Agent
    reference: str | None = None
    """The ``module:variable`` that holds that agent."""
    deps: Any = None  # Any: whatever the agent's tools take
    parts: list[str | Content] | None = None
    """The prompt in its parts, if some of them are no text."""
    history: list[Any] | None = None  # Any: pydantic-ai's messages
    """The messages that come before the prompt, instead of the task's."""
    history_limit: int | None = None
    system: Callable[..., Any] | None = None  # Any: its text, or an awaitable of it
    """The function that returns the instructions."""
    file: str = ""
    """The file of the execution: two may have one of the same id, as those of a sweep that is run in each."""


@dataclass(frozen=True, slots=True)
class AgentTask:
    """The task of an agent node, with the props of the frame in which it starts."""

    execution_id: str
    task_id: str
    """Unique in its execution."""
    node_id: str
    agent: str
    """``claude``, or the name of the user's agent."""
    model: str
    """The id of the model, or a description of the object."""
    prompt: str
    system: str | None
    allow: list[str] | None
    deny: list[str]
    approve: list[str]
    """Names or patterns of the tools that a person is asked about."""
    repeat: dict[str, Repeat]
    """The treatment of repeated tool calls, by name or pattern."""
    limits: dict[str, float]
    """turns, tokens, tool_calls, cost_usd, seconds: those that are limited."""
    retries: int
    """The number of retries of a request."""
    seed: int
    """The seed of the jitter of waits."""
    source: str | None
    leg: int = 0
    """The number of times that it came back without an end: each leg is an item of its own elsewhere."""
    stands: str = ""
    """The name or node that a model stands under which can't be told from another by itself, such as a script."""
    past: Past | None = None
    """None for one that begins."""
    settings: dict[str, Any] = field(default_factory=dict)  # Any: whatever the provider takes
    """The settings of the model."""
    reports: bool = False
    """True if the node listens to what streams."""
    history: str = "[]"
    """The messages that come before the prompt, as a JSON list."""
    cache: bool = False
    """True if an answer to the same request may be used again."""
    recorded: RecordedAgent | None = None
    """The recording that a replay answers from: then nothing is sent, and no tool is called."""
    local: Local = field(default_factory=Local)

    @property
    def is_plain(self) -> bool:
        """Whether no code of the user's sees the output: it is text, of an agent that has no tools or capabilities."""
        local = self.local
        return local.agent is None and not local.tools and local.output_type in (None, str)

    @property
    def names_tools(self) -> bool:
        """Whether the node names tools in its policy: they are compared with those that the agent has."""
        return bool(self.allow or self.deny or self.approve or self.repeat)

    def as_json(self) -> str:
        """Return the task for a runner in another process.

        Raises:
            AgentConfigError: naming the part that can't leave this process, and what to do.
        """
        return json.dumps(agent_as_dict(self), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class FunctionTask:
    """The task of a function that runs in another process."""

    execution_id: str
    task_id: str
    node_id: str
    leg: int
    run: Callable[..., Any]
    args: list[Any] | dict[str, Any]
    timeout_s: float | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionTask:
    """A whole execution that runs in another process, in a file of its own."""

    execution_id: str
    """Unique among all files that the same workers serve."""
    node_id: str
    """The name of the execution: errors name it."""
    root: object
    """The root of its plan."""
    models: dict[str, Any]  # Any: ids, ``Scripted``, and pydantic-ai's models
    until: Callable[..., object] | str | None
    options: dict[str, Any]  # Any: JSON
    """The rest, which needs no care on its way."""
    leg: int = 0
    """The number of times that it was cancelled."""
    task_id: str = "execution"
    source: str | None = None


FarTask = AgentTask | FunctionTask | ExecutionTask
"""Anything that can run in another process."""


@dataclass(frozen=True, slots=True)
class AgentReply:
    """The result of an agent that did not raise."""

    output: Any  # Any: text, or what output_type says


class RetryLater(Exception):
    """Raised by an agent that has to wait for long: the engine blocks its task, and submits it again at that time."""

    def __init__(self, reason: BlockReason, at: float, why: str) -> None:
        super().__init__(why)
        self.reason: BlockReason = reason
        self.at = at
        """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ToolQuestion:
    """A call of a tool that a person is asked about."""

    turn: int
    tool_call_id: str
    tool: str
    input: str
    """The arguments as JSON."""
    shown: dict[str, Any]  # Any: anything storable
    """More for the person to look at, such as a diff."""
    schema: str | None = None
    """The JSON schema of the arguments, as JSON."""
    external: bool = False
    """True if the call is made elsewhere, and its result is asked for."""


class ApprovalRequired(Exception):
    """Raised by an agent that has to wait for people: it is submitted again, with its past, when they have answered."""

    def __init__(self, questions: list[ToolQuestion]) -> None:
        super().__init__(f"a person is asked about {', '.join(one.tool for one in questions)}")
        self.questions = questions


class Ledger(Protocol):
    """The records and limits of a running agent. The engine gives one to each ``submit``."""

    reuses: bool
    """True if answers are taken from the record of a family, as a branch does."""

    async def asked(self, request: ModelCall) -> int | None:
        """Record that an attempt is made (``running``), or how it ended, before the agent continues, so that every
        paid answer is in the store. Returns the id of its row; None if the file does not take it now.
        """

    async def accepted(self, request: ModelCall) -> None:
        """Record the answer that the agent continues with, where it is not the model's (``accepted``)."""

    async def tool(self, call: ToolCall) -> None:
        """Record that a tool starts, or how it ended."""

    def in_tool(self, tool_call_id: str) -> AbstractContextManager[None]:
        """Let a tool call be the author of what its function writes, until the block ends; on any thread."""

    async def answer_to(self, signature: str) -> str | None:
        """Return the answer to the same request, as JSON, if the file has one."""

    async def reused_answer(self, same: str) -> ReusedAnswer | None:
        """Return the next recorded answer to a request that is the same; None if it has to be made."""

    async def reused_tool_call(self, reused_id: int, tool_call_id: str) -> ToolCall | None:
        """Return the recorded call of a tool that a reused answer asked for; None if it has to be made."""

    async def repeated_tool_call(self, tool: str, given: str, repeat: Repeat) -> ToolCall | None:
        """Return the recorded call of a tool whose result the same call gets in a branch; None if it has to be made.

        Raises:
            RepeatRefusedError: if it was made already, and is not to be repeated.
        """

    def piece(self, turn: int, attempt: int, kind: str, payload: object) -> None:
        """Record a streamed piece with the next batch: text (token, thinking), or an object (tool_start, tool_end)."""

    def progress(self, report: Callable[[], object]) -> None:
        """Tell the node of output that streams: ``report`` returns it as far as it has come, and is called when a
        frame can be made of it, a few times a second.
        """

    def turn(self, window: str | None) -> AbstractAsyncContextManager[None]:
        """Wait until a provider may be asked; the request is made inside. ``window`` is ``provider:model``;
        there is nothing to wait for without one.

        Raises:
            RetryLater: if that is not soon.
        """

    async def refused(self, window: str, wait_s: float) -> None:
        """Close a provider's window to all agents for these seconds."""

    def reached(self, tool: bool = False) -> str | None:
        """Return the limit of the whole execution that forbids a further request, or tool call; None if none does."""

    def unpriced(self) -> int:
        """Return the number of answers in the execution whose price is not known."""

    def remaining_s(self) -> float | None:
        """Return the seconds that the execution's agents may still run; None without a limit."""


class Runner(Protocol):
    """Runs agents. The engine calls the methods on its loop."""

    remote: bool
    """True if it runs them in another process."""

    async def check(self, task: AgentTask) -> None:
        """Check that the agent could run, when its node mounts. Nothing is sent.

        Raises:
            AgentConfigError: for a missing package or key, a model that does not exist, or a part that can't leave this
                process, with the fix.
        """

    async def submit(self, task: AgentTask, ledger: Ledger) -> AgentReply:
        """Run it to its end. A task that runs already is not started twice: both callers wait for its end.

        Cancelling ends it, and the open request.

        Raises:
            RetryLater: if it has to wait for long; it is submitted again then, with its past.
            ApprovalRequired: if people are to decide about tool calls; likewise.
            AgentError: in our words; anything else as the library raised it.
        """


class ItemLedger(Protocol):
    """The part of a ledger that all that runs on workers has."""

    @property
    def offset(self) -> int:
        """The number of rows of this leg that are recorded."""

    @property
    def leaving(self) -> bool:
        """True if only this process gives the task up: the workers continue it."""

    async def lost(self, worker: str, why: str) -> None:
        """Record that a worker has gone, and that the task waits for the next one."""

    async def quiet(self, why: str | None) -> None:
        """Record that the worker of the task was not seen for a while; None once it is seen again."""

    async def taken(self, worker: str, note: str | None) -> None:
        """Record the worker that has the task, with a note, if there is one."""

    async def stalled(self, reason: StallReason | None, why: str = "") -> None:
        """Record that the task can't continue for now, and why; without a reason, that it can again."""


class FarLedger(ItemLedger, Ledger, Protocol):
    """The ledger of a task that runs on workers, which outlives the kernel."""

    async def told(self, call: ModelCall | ToolCall, offset: int) -> None:
        """Record a row as one of this task, whichever its own is, and that the rows up to ``offset`` are recorded."""

    async def told_output(self, pieces: list[tuple[Stream, str]], offset: int) -> None:
        """Record what the task printed, and that the rows up to ``offset`` are recorded."""

    async def told_pieces(self, pieces: list[Piece], offset: int) -> None:
        """Record streamed pieces, and that the rows up to ``offset`` are recorded."""


class FarRunner(Runner, Protocol):
    """Runs agents and functions on workers, which continue when the kernel ends."""

    outlives: bool
    """True: that tells it from a runner whose work ends with the kernel."""
    send_code: bool
    """True if it sends the code of what can't be imported there."""

    async def call(self, task: FunctionTask, ledger: FarLedger) -> AgentReply:
        """Call a function to its end, as ``submit`` runs an agent."""

    async def execute(self, task: ExecutionTask, ledger: ItemLedger) -> dict[str, Any]:  # Any: JSON
        """Run a whole execution to its end or rest, and return that with its file."""

    def rest(self) -> None:
        """Close the connections that are held for tasks, if there are none. Called when an execution was closed."""


class WorkerFailure(Exception):
    """The failure of a task on a worker, as the worker tells it."""

    def __init__(self, message: str, trace: str | None = None, *, abandoned: bool = False) -> None:
        super().__init__(message)
        self.message = message
        """The class and message of the error there."""
        self.trace = trace
        """The traceback there."""
        self.abandoned = abandoned
        """True if the workers that began it have ended, one after the other."""
