"""The services of an execution: its identity, the store, the runner of its agents, and their limits."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..agents.runner import Runner
from ..store.connection import closed, forked
from ..store.lease import Lease
from ..store.owned import OwnedDatabase
from .observe import Observers
from .tasks.budget import Budget
from .tasks.reusing import Reusing
from .tasks.stream import Stream

if TYPE_CHECKING:
    from .replaying import Replaying

MAX_AGENTS = 32
"""The number of agents of an execution that run at a time by default."""


@dataclass(slots=True)
class Services:
    """The parts that stay the same from the first frame of a process to the last."""

    execution_id: str
    name: str
    database: OwnedDatabase
    runner: Runner
    models: dict[str, Any]  # Any: pydantic-ai's Model
    budget: Budget
    """The limits of all agents together; shared with children."""
    seed: int
    lease: Lease
    strict_effects: bool = False
    """Effects run, are cleaned up and run again when they mount."""
    max_agents: int = MAX_AGENTS
    """The number of agents that run at a time; the others are pending."""
    replay: Replaying | None = None
    """The recording that it follows, if it is the replay of another."""
    reusing: Reusing | None = None
    """The answers that it takes from the file, if it is a branch; shared with children."""
    observers: Observers = field(default_factory=Observers)
    stream: Stream = field(init=False)
    closed: bool = False
    """Set once the execution was given back: nothing is written after that."""

    def __post_init__(self) -> None:
        self.stream = Stream(self.execution_id, self.database, self.observers)

    def refuse_when_closed(self) -> None:
        """Raise if the execution was closed: a write would be lost now.

        Raises:
            StoreError: saying how to continue.
        """
        # First: the child's copy of ``closed`` says what held at the fork.
        self.refuse_in_a_fork()
        if self.closed:
            raise closed(self.database.path)

    @property
    def in_a_fork(self) -> bool:
        """Return whether the process that has the execution is not this one, but its parent."""
        # Compared at each call, not noted at the fork: a fork of C code runs no hook of Python's.
        return self.database.shared.pid != os.getpid()

    def refuse_in_a_fork(self) -> None:
        """Raise if it is the execution of the process that this one was forked from.

        Raises:
            StoreError: saying how to continue.
        """
        if self.in_a_fork:
            raise forked(self.database.path, self.database.shared.pid)
