"""The interface of an execution to user code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from ...records import LoopKey, LoopState, Scope
from ...store.writer import Work
from ..state import Cell, TaskAuthor, Transaction


class Host(Protocol):
    """The execution, as ``ctx`` and its parts see it.

    User code runs on the engine's loop and in threads of tasks, so every method may be called from any thread.
    """

    @property
    def execution_id(self) -> str:
        """The id in the store."""

    @property
    def name(self) -> str:
        """The name in the store."""

    @property
    def path(self) -> str:
        """The path of the file."""

    @property
    def frame(self) -> int:
        """Number of the last frame that was committed."""

    @property
    def snapshot_time(self) -> float:
        """The time at which that frame began, in seconds since 1970."""

    @property
    def seed(self) -> int:
        """The seed of ``ctx.rand``."""

    @property
    def loops(self) -> Mapping[LoopKey, LoopState]:
        """The loops that have begun."""

    def values(self, scope: Scope) -> Mapping[str, Cell]:
        """Return the committed values of a scope."""

    # Handlers and effects have a transaction of their own. Tasks and cells, on other threads, queue here without asking
    # the loop, which may be busy for as long as a handler runs.
    def outside(self, queue: Callable[[Transaction], object], author: TaskAuthor | None = None) -> Transaction:
        """Queue a write of a task, or of a person without one, for the next FLUSH."""

    def reported(self, node_id: str, task_id: str, output: object) -> None:
        """Keep a task's newest report, and make a frame due for it."""

    def record(self, work: Work) -> None:
        """Write something to the file at once."""

    def look_at_files(self) -> None:
        """Look soon whether the watched files have changed."""

    def notify_soon(self) -> None:
        """Notify the observers soon."""

    def refuse_when_closed(self) -> None:
        """Raise if the execution was closed: a write would be lost."""
