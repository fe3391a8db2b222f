"""What one execution holds in memory while a process runs it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import time
from typing import Any, Literal

from ..agents.runner import Runner
from ..nodes.tree import EMPTY, Tree, TreeNode
from ..store.connection import Database
from ..store.lease import Lease
from ..store.writer import TaskEnd
from .context import Context
from .observe import Observers
from .state import Cell, Transaction
from .tasks import Tasks


class Live:
    """The parts of a running execution. It belongs to the engine's loop; ``outside`` and ``wake`` may be called
    from any thread.
    """

    def __init__(
        self,
        *,
        execution_id: str,
        name: str,
        app: object,
        database: Database,
        runner: Runner,
        seed: int,
        lease: Lease,
        cells: dict[str, Cell],
        models: dict[str, Any],  # Any: pydantic-ai's Model
    ) -> None:
        self.execution_id = execution_id
        self.name = name
        self.app = app
        """The root: any child that RENDER knows how to place."""
        self.database = database
        self.runner = runner
        self.models = models
        self.seed = seed
        self.lease = lease
        self.frame = 0
        """Number of the last frame that was committed."""
        self.snapshot_time = time()
        self.cells = cells
        self.tree: Tree = EMPTY
        """The last one that was committed."""
        self.since: dict[str, int] = {}
        """from_frame of every node's open version."""
        self.tasks = Tasks(self)
        self.effect_runs: dict[str, EffectMemory] = {}
        self.context = Context(self)
        self.observers = Observers()
        self.causes: list[str] = []
        """Why a frame is due."""
        self.inbox: list[Transaction] = []
        """Writes of operators and tasks, in order of arrival."""
        self.ending: dict[str, TaskEnd] = {}
        """Ends of tasks whose writes are still in the inbox, by task id."""
        self._ids = count(1)
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()

    # ---- causes ------------------------------------------------------------------------------------------------

    def cause(self, why: str) -> None:
        """Make a frame due; on the engine's loop."""
        if why not in self.causes:
            self.causes.append(why)
        self._awake.set()

    def wake(self) -> None:
        """Let the loop look again whether there is something to do; from any thread."""
        self._loop.call_soon_threadsafe(self._awake.set)

    async def sleep(self) -> None:
        """Wait for ``cause`` or ``wake``."""
        self._awake.clear()
        await self._awake.wait()

    @property
    def outstanding(self) -> bool:
        """Whether something is still to come without anybody's doing."""
        return bool(self.causes or self.inbox or self.ending or self.tasks.outstanding)

    # ---- writes from outside of a frame ------------------------------------------------------------------------

    def next_id(self) -> str:
        """Return the id of a write made between two frames: ``4o1``."""
        with self._lock:
            return f"{self.frame}o{next(self._ids)}"

    def outside(
        self,
        queue: Callable[[Transaction], object],
        origin: Literal["operator", "task"] = "operator",
        origin_id: str | None = None,
        node_id: str | None = None,
    ) -> None:
        """Queue a write of a person or a task; from any thread. FLUSH applies it before the next frame."""
        trigger = f"{node_id} is running" if node_id else "by hand"
        transaction = Transaction(origin, origin_id, node_id, None, trigger, self.next_id, self.cells)
        queue(transaction)
        with self._lock:
            self.inbox.append(transaction)
        self.wake()

    def take_inbox(self) -> tuple[list[Transaction], list[TaskEnd]]:
        """Return the writes that have arrived, with the ends of the tasks that made them, and empty the box."""
        with self._lock:
            writes, self.inbox = self.inbox, []
            ends, self.ending = self.ending, {}
        return writes, list(ends.values())

    def return_inbox(self, writes: list[Transaction], ends: list[TaskEnd]) -> None:
        """Put back what could not be written: nothing is lost, the next FLUSH tries again."""
        with self._lock:
            self.inbox[:0] = writes
            self.ending = {**{end.task_id: end for end in ends}, **self.ending}

    def ends_with_flush(self, end: TaskEnd) -> bool:
        """Let FLUSH record a task's end together with its writes, if some of them still wait; else return False."""
        with self._lock:
            if not any(write.origin_id == end.task_id for write in self.inbox):
                return False
        self.end_later(end)
        return True

    def end_later(self, end: TaskEnd) -> None:
        """Let the next FLUSH record a task's end."""
        with self._lock:
            self.ending[end.task_id] = end
        self.wake()


@dataclass(frozen=True, slots=True)
class EffectMemory:
    """The last run of an effect."""

    deps: str
    """As JSON."""
    history: tuple[str, ...] = ()
    """Deps of its last runs in this process, newest last."""
    node: TreeNode | None = None
    """Whose cleanup is to be called; None when there is nothing to clean up, as after a restart."""
