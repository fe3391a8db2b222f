"""The protocol between the engine and whatever runs agents. A task is JSON but for what only this process has."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from ..errors import AgentConfigError
from ..records import BlockReason, Decision, ModelCall, ToolCall
from ..values import Unstorable, encode


@dataclass(slots=True)
class Spent:
    """What an agent, or all of an execution, has used; each request counted once."""

    turns: int = 0
    """Requests that were answered."""
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tool_calls: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Answers whose price is not known."""
    seconds: float = 0.0
    """How long requests and tool calls were under way, before it was cut off or began to wait."""

    def add(self, request: ModelCall) -> None:
        self.requests += request.answered_by != "cache"
        self.input_tokens += request.input_tokens or 0
        self.output_tokens += request.output_tokens or 0
        self.cost_usd += request.cost_usd or 0.0
        if request.response is not None:
            self.turns += 1
            self.unpriced += request.cost_usd is None

    @property
    def cost(self) -> float | None:
        """In USD; None where a price is not known."""
        return None if self.unpriced or not self.turns else self.cost_usd


@dataclass(frozen=True, slots=True)
class Past:
    """How far an agent had come when it was cut off, or began to wait."""

    turn: int = 0
    """The last turn that was answered; 0 if none."""
    request: str = ""
    response: str = ""
    """Of that turn, as JSON."""
    failures: int = 0
    """Attempts of the following turn that failed."""
    decisions: list[Decision] = field(default_factory=list)
    """What people decided about tool calls, oldest first."""
    tools: dict[str, ToolCall] = field(default_factory=dict)
    """The newest record of every tool call, by its id."""
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True)
class RecordedAgent:
    """What a replay answers an agent from, instead of its model and its tools."""

    requests: list[ModelCall] = field(default_factory=list)
    """In order, those that failed too."""
    tools: list[ToolCall] = field(default_factory=list)
    """Oldest first; a later record of the same call counts."""
    decisions: list[Decision] = field(default_factory=list)
    """What people decided about tool calls, oldest first."""
    complete: bool = False
    """Whether it went well to its end: then it is not to ask for more."""


@dataclass(frozen=True, slots=True)
class Local:
    """What only this process has of an agent."""

    model: Any = None  # Any: an id, ``Scripted``, or pydantic-ai's Model; None for the agent's own
    tools: list[Any] = field(default_factory=list)  # Any: functions, and pydantic-ai's tools and toolsets
    output_type: Any = None  # Any: whatever pydantic-ai takes
    approve: Callable[[str, dict[str, Any]], Any] | None = None  # Any: whether, or what to show
    agent: Any = None  # Any: the user's pydantic_ai.Agent
    deps: Any = None  # Any: whatever that agent takes


@dataclass(frozen=True, slots=True)
class AgentTask:
    """One agent node, with the props of the frame in which it starts."""

    execution_id: str
    task_id: str
    """Unique in its execution."""
    node_id: str
    agent: str
    """``claude``, or the name of the user's agent."""
    model: str
    """Its id, or what it is."""
    prompt: str
    system: str | None
    allow: list[str] | None
    deny: list[str]
    approve: list[str]
    """Names or patterns of the tools that a person is asked about."""
    limits: dict[str, float]
    """turns, tokens, tool_calls, cost_usd, seconds: those that are limited."""
    retries: int
    """How many times a request is tried again."""
    seed: int
    """Of the jitter."""
    source: str | None
    past: Past | None = None
    """None for one that begins."""
    cache: bool = False
    """Whether an answer to the same request may be used again."""
    recorded: RecordedAgent | None = None
    """In a replay: then nothing is sent, and no tool is called."""
    local: Local = field(default_factory=Local)

    def as_json(self) -> str:
        """Return what a runner in another process is given.

        Raises:
            AgentConfigError: naming what can't leave this process, and what to do.
        """
        local = self.local
        if not isinstance(local.model, str | None):
            raise self._stays("model", "name it by its id")
        if local.agent is not None and self.agent == "agent":
            raise self._stays("agent", "give it a name, Agent(…, name='…')")
        parts = {
            "tools": [self._reference(f"tool {tool!r:.60}", tool) for tool in local.tools],
            "output_type": None if local.output_type is None else self._reference("output_type", local.output_type),
            "approve": None if local.approve is None else self._reference("approve", local.approve),
            "deps": self._deps(),
        }
        return json.dumps({**asdict(replace(self, local=Local())), "local": parts})

    def _deps(self) -> list[str] | None:
        if self.local.deps is None:
            return None
        try:
            return [*encode(self.local.deps)]
        except Unstorable as why:
            raise self._stays("deps", f"make it JSON or a pydantic model ({why})") from None

    def _reference(self, what: str, thing: object) -> str:
        """Return ``module:name`` of something that another process can import."""
        module, name = getattr(thing, "__module__", "__main__"), getattr(thing, "__qualname__", "<none>")
        if module == "__main__" or "<" in name:
            raise self._stays(what, "define it at the top of a module that can be imported there")
        return f"{module}:{name}"

    def _stays(self, what: str, fix: str) -> AgentConfigError:
        return AgentConfigError(
            f"{what} of {self.node_id} can't leave this process, and its runner is in another one: {fix}, or run the "
            "execution with the runner of this process, which is the default.",
            node_id=self.node_id,
            source=self.source,
        )


@dataclass(frozen=True, slots=True)
class AgentReply:
    """How an agent ended, when it did not raise."""

    output: Any  # Any: text, or what output_type says


class Later(Exception):
    """An agent can't go on before a time that is worth waiting for elsewhere: it is submitted again then."""

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
    """As JSON."""
    shown: dict[str, Any]  # Any: anything storable
    """What else there is to look at, such as a diff."""


class Asks(Exception):
    """An agent goes on when people have answered: it is submitted again then, with its past."""

    def __init__(self, questions: list[ToolQuestion]) -> None:
        super().__init__(f"a person is asked about {', '.join(one.tool for one in questions)}")
        self.questions = questions


class Ledger(Protocol):
    """What a runner writes to, and asks, while an agent runs. The engine gives one to each ``submit``."""

    async def asked(self, request: ModelCall) -> None:
        """Record an attempt, before the agent goes on: what was paid for is in the store."""

    async def tool(self, call: ToolCall) -> None:
        """Record that a tool starts, or how it ended."""

    async def answer_to(self, signature: str) -> str | None:
        """Return the answer to the same request, as JSON, if the file has one."""

    def piece(self, turn: int, attempt: int, kind: str, payload: str) -> None:
        """Record a streamed piece (token, thinking, tool_start, tool_end; ``payload`` is JSON) with the next batch."""

    def turn(self, window: str | None) -> AbstractAsyncContextManager[None]:
        """Wait until a provider may be asked; the request is made inside. ``window`` is ``provider:model``;
        there is nothing to wait for without one.

        Raises:
            Later: if that is not soon.
        """

    async def refused(self, window: str, wait_s: float) -> None:
        """The provider does not want to be asked by anybody for so many seconds."""

    def reached(self, tool: bool = False) -> str | None:
        """Return which limit of the whole execution keeps another request, or tool call, from being made, in words;
        None if none does.
        """

    def remaining_s(self) -> float | None:
        """Return how long the execution's agents may still go on; None for as long as they like."""


class Runner(Protocol):
    """Runs agents. The engine calls the methods on its loop."""

    remote: bool
    """Whether it runs them in another process: then it is given ``AgentTask.as_json()`` to send."""

    async def check(self, task: AgentTask) -> None:
        """Look whether the agent could run, when its node mounts. Nothing is sent.

        Raises:
            AgentConfigError: for a missing package or key, or a model that does not exist, with the fix.
        """

    async def submit(self, task: AgentTask, ledger: Ledger) -> AgentReply:
        """Run it to its end. A task that is under way already is not started twice: both wait for its end.

        Cancelling ends it, and the request under way.

        Raises:
            Later: if it has to wait for long; it is submitted again then, with its past.
            Asks: if people are to decide about tool calls; likewise.
            AgentError: in our words; anything else as the library raised it.
        """
