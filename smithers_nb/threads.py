"""Threads for functions that block: one a call, and what a fork leaves of them.

A pool is shared: functions that never return take all of its threads, and everything after them waits for ever. The
interpreter also waits for a pool's threads at its exit. These threads are daemons, and belong to one call each.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Threads(Executor):
    """Calls each function in a daemon thread of its own.

    Parameters
    ----------
    name : str
        Name of the threads.
    most : float
        How many calls run at a time; the others begin when one of these has ended. A call whose future was cancelled
        is not counted: its thread can't be ended, but no one waits for it.
    """

    def __init__(self, name: str, most: float = math.inf) -> None:
        self._name = name
        self._most = most
        self._busy = 0
        self._waiting: deque[_Call[Any]] = deque()
        self._lock = threading.Lock()
        # Thread.start waits until the new thread runs. Among many threads that compute, that takes seconds, for which
        # the caller, the engine's loop, would stand still. So a thread of its own starts all the others.
        self._starts: SimpleQueue[_Call[Any]] | None = None
        after_fork(self._forget)

    def submit(self, function: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        """Return the future of a call, which has a thread at once unless ``most`` of them are running."""
        call = _Call(self, lambda: function(*args, **named))
        with self._lock:
            if self._busy >= self._most:
                self._waiting.append(call)
                return call
            self._busy += 1
        self._start(call)
        return call

    def _start(self, call: _Call[Any]) -> None:
        with self._lock:
            if self._starts is None:
                self._starts = SimpleQueue()
                threading.Thread(
                    target=self._starter, args=(self._starts,), name=f"{self._name} starter", daemon=True
                ).start()
            self._starts.put(call)

    def _starter(self, starts: SimpleQueue[_Call[Any]]) -> None:
        """Start a thread for each call of the queue, for as long as the process lives."""
        while True:
            call = starts.get()
            try:
                threading.Thread(target=call.run, name=self._name, daemon=True).start()
            except RuntimeError as error:
                call.set_exception(
                    RuntimeError(
                        f"no thread could be started ({error}): this process has {threading.active_count()} threads, "
                        "and the system refuses further ones. Let fewer functions run together, as with "
                        "<Parallel max_concurrency={…}>."
                    )
                )
                self.leave(call)
            del call  # While this waits for the next one, it would keep the arguments and the result of the last.

    def leave(self, call: _Call[Any]) -> None:
        """Give the place of a call to the next one that waits; called once or more for each."""
        with self._lock:
            if call.left:
                return
            call.left = True
            following = None
            if self._waiting:
                following = self._waiting.popleft()  # It takes the place over, so the number stays.
            else:
                self._busy -= 1
        if following is not None:
            self._start(following)

    def _forget(self) -> None:
        """Begin again in the child of a fork, which has none of the threads."""
        self._busy = 0
        self._waiting.clear()
        self._lock = threading.Lock()
        self._starts = None


class _Call(Future[T]):
    """A call of a function on a thread."""

    def __init__(self, threads: Threads, function: Callable[[], T]) -> None:
        super().__init__()
        self._threads = threads
        self._function: Callable[[], T] | None = function
        self.left = False
        """True if it no longer counts as running."""

    def cancel(self) -> bool:
        """Do not begin, or let another call begin in its place: a thread can't be ended."""
        cancelled = super().cancel()
        # A running call can't be cancelled. Its thread may never end, and must not take a place for ever.
        if self.running():
            self._threads.leave(self)
        return cancelled

    def run(self) -> None:
        """Call the function, in its thread."""
        # Taken out of the object: who keeps the future would keep everything that the function refers to.
        function, self._function = self._function, None
        if function is not None and self.set_running_or_notify_cancel():
            try:
                result = function()
            except StopIteration as error:
                # A future of asyncio refuses it, and whoever awaits that would wait for ever.
                stopped = RuntimeError(f"the function raised StopIteration({error.value!r})")
                stopped.__cause__ = error
                self.set_exception(stopped)
            except BaseException as error:  # noqa: BLE001  # raised again where the call is awaited
                self.set_exception(error)
            else:
                self.set_result(result)
        self._threads.leave(self)


def after_fork(begin_again: Callable[[], object]) -> None:
    """Call a function in the child of every ``os.fork``, which has memory, locks and files of its parent, and no
    threads of it.
    """
    if hasattr(os, "register_at_fork"):  # Windows does not fork.
        os.register_at_fork(after_in_child=begin_again)


CALLS = Threads("smithers call")
"""Calls of tasks and tools, which the engine counts itself, and of the engine's own."""
SHARED = Threads("smithers shared", most=256)
"""Calls that user code makes by ``asyncio.to_thread`` on the engine's loop."""


async def called(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread of ``CALLS`` and return its result."""
    return await asyncio.get_running_loop().run_in_executor(CALLS, function, *args)


async def called_out(function: Callable[..., T], *args: Any) -> T:
    """Call a function in a thread of ``CALLS``; a cancellation waits for its end, and does not take it back."""
    call = asyncio.ensure_future(called(function, *args))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        if not call.cancelled():
            call.exception()  # Looked at: asyncio would log it.
        raise


def unlimited_anyio() -> None:
    """Let anyio have as many threads on the running loop as it asks for: 40 that never end would stop all others."""
    from anyio.to_thread import current_default_thread_limiter  # Only here: importing it takes its time.

    current_default_thread_limiter().total_tokens = math.inf
