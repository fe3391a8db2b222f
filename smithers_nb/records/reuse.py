"""The answers that a branch takes from the file instead of asking again, and the calls that it may not repeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, Self

from ..values import Stored
from .agent import ToolCall
from .task import TaskCall

Reusable = Literal["agents", "tools", "approvals", "tasks"]
# Not a choice of the fork alone: whoever writes the app knows which of its calls must not happen twice.
Repeat = Literal["run", "recorded", "refuse"]
"""The treatment of a call that was made already with the same arguments: make it, take its result, or fail."""
REUSED: tuple[Reusable, ...] = ("agents", "tools", "approvals")
"""The kinds of answers that a branch takes from the file by default."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """The choice of a branch, which its row keeps: it holds in every process that continues the branch."""

    kinds: tuple[str, ...] = REUSED
    """The kinds of answers that are taken from the file."""
    # A function can't be compared with one of another process: it is the same as long as no fork replaces it.
    models: Mapping[str, str] = field(default_factory=dict)
    """By the name of a model that ``models=`` of a fork replaced: the id of the branch that did so."""
    allow_repeat: tuple[str, ...] = ()
    """Ids of tasks' nodes and names of tools, or patterns of them, whose calls may be repeated."""

    def allows(self, name: str) -> bool:
        """Return whether the calls of a task's node or a tool may be repeated, whatever its ``repeat`` says."""
        return any(fnmatchcase(name, allowed) for allowed in self.allow_repeat)

    def as_json(self) -> str:
        """Return it as its column has it."""
        return json.dumps({"kinds": self.kinds, "models": dict(self.models), "allow_repeat": self.allow_repeat})

    @classmethod
    def of(cls, text: str | None) -> Self:
        """Return it from its column; that of an execution which is no branch reuses nothing."""
        if text is None:
            return cls(kinds=())
        found = json.loads(text)
        return cls(tuple(found["kinds"]), found["models"], tuple(found.get("allow_repeat", ())))


@dataclass(frozen=True, slots=True)
class ReusedAnswer:
    """A recorded answer of a model that a branch is given."""

    id: int
    """The id of its row."""
    response: str
    """The message as JSON."""
    # Not the price of the reuse, which is nothing: it is what the branch saves.
    cost_usd: float | None
    """The cost when it was asked for; None where the price is not known."""


@dataclass(frozen=True, slots=True)
class TaskMade:
    """A task of the family that called its function, and has no part in the line of a branch."""

    id: str
    """The id of the execution and that of the task: ``EXECUTION_ID/TASK_ID``."""
    execution: str
    """The name of its execution."""
    # One that failed may have done its work all the same: it counts as made.
    status: str
    call: TaskCall
    result: Stored | None
    """The output, where it succeeded."""


@dataclass(frozen=True, slots=True)
class TaskWrite:
    """A write to the state that a task made by itself."""

    key: str
    op: str
    value: Stored | None


@dataclass(frozen=True, slots=True)
class ToolMade:
    """A tool call of the family that was made, and has no part in the line of a branch."""

    execution: str
    """The name of its execution."""
    node_id: str
    call: ToolCall
