"""The table of an execution's tasks: which are mounted, which are open, and what those that are left wait for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from ...records import Status, TaskEnd
from ...store.writer import Left
from ..committed import Committed
from ..inbox import Inbox
from ..services import Services
from . import questions
from .entry import ENDED, TaskEntry


class Child(Protocol):
    """A child execution, as its parent's tasks see it."""

    @property
    def status(self) -> Status:
        """The status of its loop."""

    @property
    def live(self) -> ChildLive:
        """The parts that it holds in memory."""


class ChildLive(Protocol):
    """The parts of a child execution in memory, as its parent's tasks see them."""

    @property
    def tasks(self) -> ChildTasks:
        """The table of its tasks."""


class ChildTasks(questions.Asking, Protocol):
    """The tasks of a child execution, as its parent's tasks see them."""

    @property
    def stalled(self) -> list[TaskEntry]:
        """Tasks that no worker can continue for now."""

    @property
    def sleeping(self) -> list[TaskEntry]:
        """Tasks that wait until they may try again."""

    @property
    def waits(self) -> bool:
        """True if all that is left is blocked."""

    @property
    def waits_for_people(self) -> bool:
        """True if all that is left is blocked by questions."""


class TaskTable(Mapping[str, TaskEntry]):
    """The tasks of the mounted nodes by node id, and those that outlive their node for a while.

    The engine's loop changes it; the lists that it returns are copies, because other threads look at them meanwhile.
    """

    def __init__(self, services: Services, inbox: Inbox, committed: Committed) -> None:
        self._services = services
        self._inbox = inbox
        self.committed = committed
        """The last frame, as COMMIT and FLUSH left it."""
        self._mounted: dict[str, TaskEntry] = {}
        # A task outlives its node until it is cancelled, or its result is recorded as stale. Meanwhile the node may be
        # mounted again with another task: the mounted ones have node ids, and only task ids tell the open ones apart.
        self._open: dict[str, TaskEntry] = {}
        """All tasks that are not settled, by task id."""
        self.children: dict[str, Child] = {}
        """Child executions that run, by node id."""
        self.version = 0
        """Grows with each change after which other nodes may be ready to start."""

    def __getitem__(self, node_id: str) -> TaskEntry:
        return self._mounted[node_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mounted)

    def __len__(self) -> int:
        return len(self._mounted)

    # ---- changes -----------------------------------------------------------------------------------------------

    def add(self, entry: TaskEntry) -> None:
        """Add the task of a node that has none, or replace a settled one."""
        self.version += 1
        self._mounted[entry.node.id] = entry
        if not entry.settled:
            self._open[entry.task_id] = entry

    def unmount(self, node_id: str) -> None:
        """Take the node away: EXECUTE cancels its task, and what that still returns is stale."""
        self.version += 1
        if entry := self._mounted.pop(node_id, None):
            entry.unmounted = True

    def settle(self, task_id: str) -> bool:
        """Close the entry of a task whose end was dealt with; return whether its node is in the plan."""
        self.version += 1
        self._services.stream.tails.pop(task_id, None)
        entry = self._open.pop(task_id, None)
        if entry is None:
            return False
        entry.settled = True
        return not entry.unmounted

    def ended(self, end: TaskEnd) -> None:
        """Make a frame due for a task's end that is in the store."""
        self._inbox.progress.pop(end.task_id, None)
        if (entry := self._open.get(end.task_id)) and entry.result:
            self.version += 1
            entry.status, entry.questions = entry.result.status, {}
            self._inbox.cause(f"{entry.node.id} {end.status}")
        self._services.observers.notify()

    def left(self, end: TaskEnd) -> Left | None:
        """Return what settles a task that ends after its node has left the plan: no frame deals with it. Else None."""
        entry = self._open.get(end.task_id)
        if entry is None or not entry.unmounted:
            return None
        frame = self.committed.frame
        return Left(frame, entry.stale_call(frame, end.status))

    def changed(self) -> None:
        """Let the loop and the observers look again: a child, or a task of one, has moved."""
        self._inbox.wake()
        self._services.observers.notify()

    # ---- questions to the table --------------------------------------------------------------------------------

    @property
    def execution_id(self) -> str:
        """The id of the execution."""
        return self._services.execution_id

    @property
    def below(self) -> dict[str, questions.Asking]:
        """The tasks of child executions, by node id. A copy: other threads look here."""
        return {node_id: child.live.tasks for node_id, child in list(self.children.items())}

    @property
    def unsettled(self) -> list[TaskEntry]:
        """Tasks that have ended and were not dealt with yet, in no order."""
        return [entry for entry in self.open if entry.status in ENDED]

    @property
    def open(self) -> list[TaskEntry]:
        """Tasks that are not dealt with. A copy: other threads look here while the engine adds and settles."""
        return list(self._open.values())

    @property
    def running(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that run."""
        return [entry for entry in self.open if entry.status == "running" and not entry.unmounted]

    @property
    def reporting(self) -> list[TaskEntry]:
        """Running tasks of mounted nodes whose report no handler has got yet."""
        return [entry for entry in self.running if entry.task_id in self._inbox.progress]

    @property
    def asking(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that wait for a person."""
        return [entry for entry in self.open if entry.questions and not entry.unmounted]

    @property
    def stalled(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that no worker can continue for now; then those of children."""
        own = [entry for entry in self.open if entry.stalled and not entry.unmounted]
        inner = [entry for child in list(self.children.values()) for entry in child.live.tasks.stalled]
        return [*own, *inner]

    @property
    def sleeping(self) -> list[TaskEntry]:
        """Tasks of mounted nodes that wait until they may try again, those of children too; the next one first."""
        own = [entry for entry in self.open if entry.retry_at is not None and not entry.unmounted]
        inner = [entry for child in list(self.children.values()) for entry in child.live.tasks.sleeping]
        return sorted([*own, *inner], key=lambda entry: entry.retry_at or 0.0)

    @property
    def waits_for_people(self) -> bool:
        """True if nothing but a person's answer can continue this execution, here or in a child."""
        left = self._left
        return bool(left) and all(
            entry.questions or ((child := self._waiting_child(entry)) and child.waits_for_people) for entry in left
        )

    @property
    def waits(self) -> bool:
        """True if nothing runs: all that is left waits for people, or for a time to try again."""
        left = self._left
        return bool(left) and all(
            entry.waits or ((child := self._waiting_child(entry)) and child.waits) for entry in left
        )

    @property
    def _left(self) -> list[TaskEntry]:
        # A task whose node is gone holds nothing up while it is being cancelled. Once it has ended, a frame is due.
        return [entry for entry in self.open if not entry.unmounted or entry.status in ENDED]

    def _waiting_child(self, entry: TaskEntry) -> ChildTasks | None:
        # A child can be about to render although all of its tasks are blocked: only its loop knows that it waits.
        child = self.children.get(entry.node.id)
        if child is None or child.status != "waiting":
            return None
        return child.live.tasks

    @property
    def outstanding(self) -> bool:
        """True if a mounted node's task is to be started, runs, or is to be dealt with."""
        return any(not entry.unmounted or entry.status in ENDED for entry in self._open.values())
