"""The lease of an execution while a process has it: renewed at intervals, and given back when no one has it any more.

The file says until when an execution belongs to a process. Another process may take it over after that, so a process
that has it writes a heartbeat, at rest too. A process that slept for longer than its lease may have lost it without
knowing: that is found by the check at the beginning of every transaction (``OwnedDatabase``), not here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from collections.abc import Awaitable, Callable
from contextvars import Context

from ..errors import StoreError
from ..store.owned import OwnedDatabase
from .tasks.running import kept
from .user_code.files import Watch

logger = logging.getLogger(__name__)

HEARTBEAT_S = 10.0

Beat = Callable[[], Awaitable[bool]]
"""Renews the lease; False if it was lost to another process, and no further beat is needed."""


def begin(beat: Beat) -> asyncio.Task[None]:
    """Call ``beat``, a bound method, at intervals for as long as its object is there."""
    # In a context of its own: that of a task which made the execution would keep the task's execution.
    return asyncio.get_running_loop().create_task(
        _heartbeat(weakref.WeakMethod(beat)), name="smithers heartbeat", context=Context()
    )


async def _heartbeat(whose: weakref.WeakMethod[Beat]) -> None:
    """Renew a lease at intervals. While it sleeps it holds no reference: an execution that is forgotten must go."""
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        beat = whose()
        if beat is None or not await beat():
            return
        # Without this the variable keeps the execution until the next beat, and so for ever.
        del beat


def forsaken(database: OwnedDatabase, watch: Watch, heart: asyncio.Task[None]) -> None:
    """Give back an execution that was not closed and that no one has any more; on whatever thread collects it."""
    # A forked child has copies of the objects and collects them, too. The execution is still its parent's.
    if os.getpid() == database.shared.pid:
        loop = heart.get_loop()
        loop.call_soon_threadsafe(lambda: kept(loop.create_task(_given_back(database, watch, heart))))


async def _given_back(database: OwnedDatabase, watch: Watch, heart: asyncio.Task[None]) -> None:
    heart.cancel()
    try:
        await watch.stopped()
        await database.release()
    except StoreError as error:
        logger.warning("the lease of an execution that was not closed runs out by itself: %s", error)
    finally:
        await database.shared.close()
