"""One attempt of a task: its function is called, its time watched, its output made storable."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from ..errors import NotStorableError
from ..nodes.runnable import Task
from ..values import Stored, Unstorable, encode
from .callbacks import names_ctx, place_of_ctx

if TYPE_CHECKING:
    from .tasks import TaskEntry

CANCELLED = "it was cancelled by hand"


async def timed(work: Any, timeout_s: float | None) -> Any:
    """Await something, for so many seconds at most.

    Raises:
        TimeoutError: naming timeout_s.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except TimeoutError as error:
        if timeout_s is None or error.args:
            raise
        raise TimeoutError(f"it took longer than timeout_s={timeout_s:g} s") from None


async def call(node: Task, ctx: object) -> Any:
    """Call the function of a task: on the loop if it is async, else in a thread."""
    args = list(node.args) if isinstance(node.args, list) else []
    named = dict(node.args) if isinstance(node.args, dict) else {}
    if names_ctx(node.run):
        place = place_of_ctx(node.run)
        if place is not None and place <= len(args) > 0:
            args.insert(place, ctx)
        else:
            named["ctx"] = ctx
    if in_thread(node):
        return await asyncio.to_thread(node.run, *args, **named)
    return await node.run(*args, **named)


def in_thread(node: object) -> bool:
    """Whether a node runs in a thread, which can't be cancelled."""
    if not isinstance(node, Task):
        return False
    # An object with an async __call__ is async, too.
    return not any(inspect.iscoroutinefunction(function) for function in (node.run, type(node.run).__call__))


def stored(entry: TaskEntry, output: object) -> Stored:
    """Return what a task returned as it is stored.

    Raises:
        NotStorableError: if it can't be.
    """
    try:
        return encode(output)
    except Unstorable as why:
        raise NotStorableError(
            f"what {entry.node.type} {entry.node.id} returned ({type(output).__name__}) can't be stored: {why}.",
            node_id=entry.node.id,
            source=entry.node.source,
        ) from None


def text(output: object, value: Stored) -> str:
    """Return what a task returned as text."""
    return output if isinstance(output, str) else value.text
