"""The inbox of an execution: causes of the next frame, writes of people and tasks, and ends of tasks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from ..records import TaskEnd
from .state import Transaction


class Inbox:
    """Everything that waits for the next frame, and the event that wakes the loop.

    Methods belong to the engine's loop, but for those that say that any thread may call them.
    """

    def __init__(self) -> None:
        self.causes: list[str] = []
        """The reasons of the next frame; while there are none, no frame is due."""
        self.writes: list[Transaction] = []
        """Writes of operators and tasks, in order of arrival."""
        self.ending: dict[str, TaskEnd] = {}
        """Ends of tasks whose writes still wait, by task id."""
        self.progress: dict[str, object] = {}
        """The newest report of each running task, by task id, until a handler got it."""
        # Writes arrive from the threads of sync tasks and from the kernel's, while the engine's thread takes them.
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()

    def cause(self, why: str) -> None:
        """Make a frame due; on the engine's loop."""
        if why not in self.causes:
            self.causes.append(why)
        self._awake.set()

    def wake(self) -> None:
        """Let the loop look again whether there is something to do; from any thread."""
        # An asyncio.Event belongs to its loop: set from another thread it would not wake a sleeping selector.
        if asyncio._get_running_loop() is self._loop:
            self._awake.set()
        else:
            self._loop.call_soon_threadsafe(self._awake.set)

    async def sleep(self) -> None:
        """Wait for ``cause`` or ``wake``."""
        # No wake-up is lost here: the loop has looked at the inbox without an await since, and another thread's wake-up
        # is a callback of this loop, which can't run before the wait below.
        self._awake.clear()
        await self._awake.wait()

    def soon(self, work: Callable[[], object]) -> None:
        """Call a function on the engine's loop; from any thread."""
        self._loop.call_soon_threadsafe(work)

    def add(self, transaction: Transaction) -> None:
        """Add writes; from any thread. FLUSH applies them before the next frame."""
        # The lock is held for a moment only, and never over an await or a call of the user's: it can't deadlock with
        # the loop, which takes it, too.
        with self._lock:
            self.writes.append(transaction)
        self.wake()

    def take(self) -> tuple[list[Transaction], list[TaskEnd]]:
        """Return the writes that have arrived, with the ends of the tasks that made them, and empty the box."""
        with self._lock:
            writes, self.writes = self.writes, []
            ends, self.ending = self.ending, {}
        return writes, list(ends.values())

    def put_back(self, writes: list[Transaction], ends: list[TaskEnd]) -> None:
        """Put back what could not be written: nothing is lost, the next FLUSH tries again."""
        with self._lock:
            # Before what has arrived since: writes of one origin apply in the order in which they were made.
            self.writes[:0] = writes
            self.ending = {**{end.task_id: end for end in ends}, **self.ending}

    def ends_with_flush(self, end: TaskEnd) -> bool:
        """Let FLUSH record a task's end together with its writes, if some of them still wait; else return False."""
        # A row that says succeeded, without its writes, would lose them in a crash: the task would not run again.
        with self._lock:
            if not any(write.origin_id == end.task_id for write in self.writes):
                return False
        self.end_later(end)
        return True

    def end_later(self, end: TaskEnd) -> None:
        """Let the next FLUSH record a task's end."""
        with self._lock:
            self.ending[end.task_id] = end
        self.wake()
