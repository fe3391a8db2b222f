"""The only crossing between the engine's thread and all others.

One thread with one event loop owns stores, tasks, agents and HTTP clients: a client used from two loops fails now
and then. A notebook cell, a widget's callback (which ipykernel 7 runs on a thread of its own) and a plain script
all come in through here.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import socket
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, TypeVar, TypeVarTuple

from .errors import RunError, said
from .store.connection import disconnect
from .threads import CALLS, SHARED, after_fork
from .user_code import as_failure

logger = logging.getLogger(__name__)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TICK_S = 0.1
"""While a cell awaits, the kernel's loop wakes this often: it handles the Stop button only when it wakes."""

ENDING_S = 5.0
"""The time that an interrupted command may take to end, and all executions at the interpreter's exit."""

Closer = Callable[[], Awaitable[object]]
_parents: list[EngineLoop] = []
"""The loops of the parent, in the child of a fork. A collected loop takes its files out of the parent's selector."""


class EngineLoop(asyncio.SelectorEventLoop):
    """A class of our own: nest-asyncio patches the class of the loop that it is applied to.

    It has no pool of threads: ``asyncio.to_thread`` in user code would share it with everything else.
    """

    def run_in_executor(  # type: ignore[override]  # the types of its arguments are the function's own matter
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        if executor is None:
            executor = SHARED
        return super().run_in_executor(executor, func, *args)

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        # Every HTTP client needs it, however many calls of user code wait for a thread.
        look_up = partial(socket.getaddrinfo, host, port, family=family, type=type, proto=proto, flags=flags)
        return await self.run_in_executor(CALLS, look_up)

    died: RunError | None = None
    """Raised by every call from another thread, once the engine's thread has ended."""

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call a function on the engine's thread, soon.

        Raises:
            RunError: if that thread has ended: the function would never be called.
        """
        if self.died is not None:
            raise self.died
        return super().call_soon_threadsafe(callback, *args, context=context)


class Engine:
    """The engine's thread. It starts with the first call and ends with the interpreter."""

    def __init__(self) -> None:
        self._loop: EngineLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closers: list[weakref.WeakMethod[Closer]] = []
        self._begun: set[concurrent.futures.Future[Any]] = set()
        """The calls that other threads wait for."""
        after_fork(self._begin_again)

    def call(self, work: Coroutine[Any, Any, T], meanwhile: Callable[[], object] | None = None) -> T:
        """Run ``work`` on the engine's loop and wait for it. The Stop button ends it and raises here.

        ``meanwhile()`` is called on this thread, ten times a second; an error of it ends the work, too.

        Raises:
            RuntimeError: if it is called on the engine's own thread, which would wait for itself for ever.
            RunError: if the engine's thread has ended.
        """
        self._refuse_own_thread(work)
        future = self._begin(work)
        try:
            while meanwhile is not None and not concurrent.futures.wait({future}, timeout=TICK_S).done:
                meanwhile()
            return future.result()
        except BaseException as error:
            # An error of the work itself has ended it.
            if isinstance(error, KeyboardInterrupt) or not future.done():
                future.cancel()
                with contextlib.suppress(concurrent.futures.CancelledError, concurrent.futures.TimeoutError):
                    self.call_ended(future)
            raise

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the engine's loop and await it on this one. Cancelling ends it."""
        if threading.current_thread() is self._thread:
            return await work
        future = self._begin(work)
        # The wrapped future is set on this loop, by call_soon_threadsafe. A future of the other loop would wake that
        # loop, and not the coroutine that waits here.
        wrapped = asyncio.wrap_future(future)
        try:
            while not wrapped.done():
                await asyncio.wait({wrapped}, timeout=TICK_S)
        except BaseException:
            # Its end is not waited for: it may be a call that does not end, and the user wants the prompt back.
            future.cancel()
            raise
        return wrapped.result()

    def soon(self, work: Coroutine[Any, Any, T], done: Callable[[T | None, BaseException | None], None]) -> None:
        """Run ``work`` on the engine's loop without waiting; ``done(result, error)`` is called there."""

        def ended(future: concurrent.futures.Future[T]) -> None:
            if future.cancelled():
                done(None, asyncio.CancelledError())
            elif error := future.exception():
                done(None, error)
            else:
                done(future.result(), None)

        self._begin(work).add_done_callback(ended)

    def do(self, work: Callable[[], object]) -> None:
        """Call a function on the engine's loop, soon."""
        self.loop.call_soon_threadsafe(work)

    def at_exit(self, closer: Closer) -> None:
        """Await ``closer()``, a method, when the interpreter ends, if its object lives by then."""
        # Weak: an execution that no one refers to ends by itself, and must not be kept for the exit.
        self._closers.append(weakref.WeakMethod(closer, self._closers.remove))

    def forget(self, closer: Closer) -> None:
        """Remove the closer of something that was closed already."""
        if (known := weakref.WeakMethod(closer)) in self._closers:
            self._closers.remove(known)

    @property
    def loop(self) -> EngineLoop:
        """The engine's loop; its thread is started if need be."""
        with self._starting:
            if self._loop is None:
                # A daemon: the interpreter waits for all other threads before it runs its exit handlers, and this one
                # never ends by itself. ``_end_with_main`` closes the executions that are open.
                self._loop = EngineLoop()
                self._thread = threading.Thread(target=self._main, args=(self._loop,), name="smithers", daemon=True)
                self._thread.start()
                threading.Thread(target=self._end_with_main, name="smithers-exit", daemon=True).start()
            return self._loop

    def _begin(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Begin ``work`` on the engine's loop.

        Raises:
            RunError: if its thread has ended.
        """
        loop = self.loop
        if loop.died is not None:
            work.close()
            raise loop.died
        future = asyncio.run_coroutine_threadsafe(_ordinary(work), loop)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        # The thread may have ended between the check above and the call: then nothing would ever fail the future.
        if loop.died is not None:
            self._fail(loop.died)
        return future

    def _main(self, loop: EngineLoop) -> None:
        """Run the loop for as long as the process lives."""
        asyncio.set_event_loop(loop)
        while loop.died is None:
            try:
                loop.run_forever()
                what = "its loop was stopped"  # By user code: nothing of ours stops it.
            except (SystemExit, KeyboardInterrupt) as error:
                # asyncio lets these out of its loop: of a task or a callback that user code has made for itself.
                what = f"{error!r} was raised on it"
            except BaseException as error:  # noqa: BLE001  # the thread ends, and all who wait get the reason
                self._died(loop, error)
                return
            logger.warning("the engine's thread continues although %s: exit() and loop.stop() don't belong there", what)

    def _died(self, loop: EngineLoop, error: BaseException) -> None:
        """Let every call fail, those that wait and those to come: none would ever be answered."""
        died = RunError(
            f"the engine's thread has ended ({said(error)}), and with it all that ran in this process. The files "
            "have every frame that was committed: restart the kernel (or the process), and Execution.resume(app, …) "
            "continues from there."
        )
        died.__cause__ = error
        logger.critical("%s", died, exc_info=error)
        loop.died = died
        self._fail(died)
        asyncio.set_event_loop(None)
        disconnect()

    def _fail(self, died: RunError) -> None:
        for future in list(self._begun):
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                future.set_exception(died)

    def _end_with_main(self) -> None:
        """Close all executions when the main thread ends: ``atexit`` would wait for aiosqlite's threads first."""
        threading.main_thread().join()
        if self.loop.died is None:
            with contextlib.suppress(concurrent.futures.TimeoutError):
                asyncio.run_coroutine_threadsafe(self._close_all(), self.loop).result(ENDING_S)
        disconnect()

    async def _close_all(self) -> None:
        for known in list(self._closers):
            try:
                if (closer := known()) is not None:
                    await closer()
            except Exception:
                logger.exception("an execution could not be closed")

    def _begin_again(self) -> None:
        """Begin without a thread in the child of a fork, which has memory and files of its parent, and one thread."""
        if self._loop is not None:
            _parents.append(self._loop)
        self._loop = self._thread = None
        self._starting = threading.Lock()
        self._closers.clear()
        self._begun.clear()

    @staticmethod
    def call_ended(future: concurrent.futures.Future[T]) -> None:
        """Wait until a cancelled call has ended, but not for ever."""
        concurrent.futures.wait({future}, timeout=ENDING_S)

    def _refuse_own_thread(self, work: Coroutine[Any, Any, T]) -> None:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError(
                "a blocking call (…_sync, stop, answer, making an Execution) was made on the engine's thread, which "
                "would wait for itself: components, handlers, effects, async tasks and async tools run there. Make it "
                "in a notebook cell, or in a sync <Task>, which has a thread of its own; to bring on the execution "
                "that this code belongs to, write to ctx.state and return: the next frame follows. In a handler, an "
                "effect or an async task, another execution's step() and run() can be awaited."
            )


async def _ordinary(work: Coroutine[Any, Any, T]) -> T:
    """Await a call's work; what user code raises in it reaches the caller as an ordinary exception."""
    task = asyncio.current_task()
    try:
        return await work
    except GeneratorExit:  # This coroutine itself is closed.
        raise
    except BaseException as error:
        # A CancelledError that no one asked for is the user's own, such as that of a future which they cancelled. The
        # caller's thread would take it for a cancellation of the call.
        cancelled = isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling()
        failure = as_failure(error)
        if cancelled or failure is error:
            raise
        raise failure from error


engine = Engine()
"""The engine of this process."""
