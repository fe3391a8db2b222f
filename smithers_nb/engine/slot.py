"""The slot of the one command that moves an execution, and how a command is paused, halted and cancelled."""

from __future__ import annotations

import asyncio

from ..records import Status


class CommandSlot:
    """The place of the command that is running. A pause or a halt may come while it is taken; other commands wait.

    A command is a part of an asyncio task that belongs to its caller: a notebook's cell, a thread that waits for it,
    the node of a child execution. So a command that is halted must end without ending its caller's task, and one whose
    caller is cancelled must end although the cancellation may have been caught on the way.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        """Held by the command that is running; those that wait for it come in their order."""
        self.name: str | None = None
        """``step``, ``phase`` or ``run`` while a command is running."""
        self.task: asyncio.Task[object] | None = None
        """The task that the command is a part of."""
        self.pausing = False
        """Set if the command is to end before its next phase."""
        self._halting: Status | None = None
        """The status that ``halt`` wants the command to end with."""
        self._cancelled_before = 0
        """The number of cancellations that had been sent to the task before the command began."""
        self._free = asyncio.Event()
        self._free.set()

    async def take(self, name: str) -> None:
        """Make the current task the command; the caller holds the lock."""
        self.task = asyncio.current_task()
        self._cancelled_before = 0
        if self.task is not None:
            # Asyncio never lowers this count by itself. A caller who caught an earlier cancellation, and steps on
            # purpose afterwards, must not have its step cancelled by that one.
            self._cancelled_before = self.task.cancelling()
        if self._cancelled_before:
            # A transaction before the command may have put one off. It is raised here, before anything has moved.
            await asyncio.sleep(0)
        self._free.clear()
        self.name = name
        self.pausing = False

    def leave(self) -> bool:
        """Free the slot, and return whether the command was asked to pause."""
        paused = self.pausing
        self.task, self.name, self.pausing = None, None, False
        self._free.set()
        return paused

    async def checkpoint(self) -> None:
        """Let a cancellation of the command take effect.

        A transaction puts it off to the next await, and in a flood of frames every await is a transaction; a handler of
        the user's may swallow it. Asyncio's count of the cancellations that were sent shows it in both cases.

        Raises:
            CancelledError: if the command was cancelled.
        """
        if self.task is not None and self.task.cancelling() > self._cancelled_before:
            # One that was put off is raised by this sleep. Left in the task, it would be raised by an await of the
            # caller's, which a halted command must not disturb.
            await asyncio.sleep(0)
            raise asyncio.CancelledError

    def halted_as(self) -> Status | None:
        """Return the status that a cancelled command ends with; None if the cancellation was its caller's own.

        A cancellation by ``halt`` is taken back: its task continues after the command as if nothing had been sent.
        """
        if self._halting is None or self.task is None:
            return None
        self.task.uncancel()
        return self._halting

    async def halt(self, status: Status) -> None:
        """End the command that is running, whatever it is doing, and wait until it has ended."""
        task = self.task
        # A handler or an Effect may stop its own execution: waiting for oneself would never end.
        if task is None or task is asyncio.current_task():
            return
        self._halting = status
        try:
            task.cancel()
            # For the command, not for its task: the task may continue with other commands, or belong to a child's node.
            await self._free.wait()
        finally:
            self._halting = None
