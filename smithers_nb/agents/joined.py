"""Work that is handed over once: who asks for it again while it runs waits for the same end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .runner import AgentReply

K = TypeVar("K")


async def joined(
    running: dict[K, asyncio.Task[AgentReply]], key: K, work: Coroutine[Any, Any, AgentReply], *, name: str
) -> AgentReply:
    """Run the work, or join that of this key if it runs already; a cancellation ends it, and waits for that."""
    if key in running:
        work.close()
    else:
        running[key] = asyncio.get_running_loop().create_task(work, name=name)
        running[key].add_done_callback(lambda _: running.pop(key, None))
    task = running[key]
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # Looked at: asyncio would log it.
        raise
