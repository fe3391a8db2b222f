"""Code of the user's, called so that whatever it raises is an ordinary failure.

Coroutines, tasks and futures give some exceptions a meaning of their own: a future refuses a ``StopIteration`` and its
waiter waits for ever, ``SystemExit`` ends the thread of the event loop, and a ``CancelledError`` looks as if the caller
had been cancelled. User code raises all of them: ``next(…)`` without a default, ``exit()``, ``pytest.fail()``, a future
that was cancelled. So they are caught where the user's function is called, and travel as ``UserCodeError``.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from .errors import UserCodeError, said

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

GRACE_S = 5.0
"""The time that cancelled code of the user's may take to end; then it is left behind."""

_STOPS = (StopIteration, StopAsyncIteration)


def guarded(function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Call a function of the user's.

    Raises:
        UserCodeError: instead of an exception that a coroutine can't pass on.
        Exception: any other, as it is.
    """
    # No cancellation of ours comes out of a plain call: what looks like one is the user's own.
    try:
        return function(*args, **named)
    except BaseException as error:
        failure = as_failure(error)
        if failure is error:
            raise
        raise failure from error


async def awaited(work: Awaitable[T]) -> T:
    """Await something of the user's, in a task of its own: only that shows which of the two was cancelled.

    A cancellation of the caller is passed on to it. Code that does not end within ``GRACE_S`` then is left behind.

    Raises:
        CancelledError: if the caller was cancelled.
        UserCodeError: instead of an exception that a coroutine can't pass on, a CancelledError too.
        Exception: any other, as it is.
    """
    task = asyncio.get_running_loop().create_task(_outcome(work))
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_S)
        if not task.done():
            logger.warning("%r was cancelled and does not end: it is left behind", work)
            raise
        if task.cancelled():
            if inspect.iscoroutine(work):
                work.close()  # It was cancelled before it began.
            raise
        value, error = task.result()
        if isinstance(error, asyncio.CancelledError):
            raise
    else:
        if task.cancelled():
            # A task that cancels itself and returns at once has no result.
            value, error = None, asyncio.CancelledError()
        else:
            value, error = task.result()
    if error is None:
        return value  # type: ignore[return-value]  # there is one where there is no error
    failure = as_failure(error)
    if failure is error:
        raise failure
    raise failure from error


async def _outcome(work: Awaitable[T]) -> tuple[T | None, BaseException | None]:
    """Return the value or the exception. As a result, asyncio does not interpret either."""
    try:
        return await work, None
    except BaseException as error:  # noqa: BLE001  # handed over
        return None, error


def as_failure(error: BaseException) -> Exception:
    """Return the error itself if asyncio passes it on as it is, else a ``UserCodeError`` that carries it."""
    raised = raised_by(error)
    # asyncio turns a cancelled future's error in a thread into a cancellation of the task that waits for the thread.
    special = (*_STOPS, concurrent.futures.CancelledError)
    if isinstance(error, UserCodeError) or (isinstance(raised, Exception) and not isinstance(raised, special)):
        return error  # type: ignore[return-value]  # an Exception in both cases
    return UserCodeError(said(raised), raised)


def raised_by(error: BaseException) -> BaseException:
    """Return what the user's code raised, whatever it travels in."""
    if isinstance(error, UserCodeError):
        return error.raised
    # Python itself lets no coroutine or generator raise these.
    if type(error) is RuntimeError and isinstance(error.__cause__, _STOPS) and " raised Stop" in str(error):
        return error.__cause__
    return error
