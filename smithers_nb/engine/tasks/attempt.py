"""A single attempt of a task: the call of its function, its time limit, and the form in which its output is stored."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from ...errors import NotStorableError, clean
from ...nodes.runnable import Task
from ...threads import CALLS
from ...user_code import awaited, guarded
from ...values import Stored, Unstorable, encode
from ..user_code.call import names_ctx, place_of_ctx
from .entry import TaskEntry

CANCELLED = "it was cancelled by hand"


async def timed(work: Any, timeout_s: float | None) -> Any:
    """Await something for at most ``timeout_s`` seconds.

    Raises:
        TimeoutError: naming timeout_s.
    """
    async with _limited(timeout_s) as begin:
        begin()
        return await work


@asynccontextmanager
async def _limited(timeout_s: float | None) -> AsyncIterator[Callable[[], None]]:
    """Limit the time of the block. It counts from the call of the function that is yielded."""
    limit = asyncio.timeout(None)

    def begin() -> None:
        if timeout_s is not None:
            limit.reschedule(asyncio.get_running_loop().time() + timeout_s)

    try:
        async with limit:
            yield begin
    except TimeoutError as error:
        # User code raises TimeoutErrors, too. Only one of asyncio's own, which has no arguments, after the limit has
        # expired, is ours to put into words.
        if timeout_s is None or error.args or not limit.expired():
            raise
        raise TimeoutError(f"it took longer than timeout_s={timeout_s:g} s") from None


async def call(node: Task, ctx: object) -> Any:
    """Call the function of a task, for ``timeout_s`` at most: on the loop if it is async, else in a thread."""
    # Copies: ctx is added to them, and the next attempt gets them again.
    args: list[Any] = []
    named: dict[str, Any] = {}
    if isinstance(node.args, dict):
        named.update(node.args)
    elif isinstance(node.args, list):
        args.extend(node.args)
    if names_ctx(node.run):
        place = place_of_ctx(node.run)
        if place is not None and place <= len(args) > 0:
            args.insert(place, ctx)
        else:
            named["ctx"] = ctx
    if in_thread(node):
        return await _call_in_thread(lambda: guarded(node.run, *args, **named), node.timeout_s)
    return await timed(awaited(guarded(node.run, *args, **named)), node.timeout_s)


async def _call_in_thread(function: Callable[[], Any], timeout_s: float | None) -> Any:
    """Call a function in a thread of its own. The time counts from the call there."""
    loop = asyncio.get_running_loop()
    async with _limited(timeout_s) as begin:
        # Among many threads that compute, a new one waits for seconds until the interpreter lets it run. That is not
        # the function's time. A timer belongs to the loop, so the thread asks the loop to start it.
        def runs() -> Any:
            loop.call_soon_threadsafe(lambda: running.done() or begin())
            return function()

        running = loop.run_in_executor(CALLS, copy_context().run, runs)
        return await running


def in_thread(node: object) -> bool:
    """Return whether a node runs in a thread, which can't be cancelled."""
    if not isinstance(node, Task):
        return False
    # An object with an async __call__ is async, too.
    return not any(inspect.iscoroutinefunction(function) for function in (node.run, type(node.run).__call__))


def stored(entry: TaskEntry, output: object) -> Stored:
    """Return the output of a task as it is stored.

    Raises:
        NotStorableError: if it is of a type that can't be.
    """
    try:
        return encode(output, "output")
    except Unstorable as why:
        raise NotStorableError(
            f"what {entry.node.type} {entry.node.id} returned ({type(output).__name__}) can't be stored: {why}. It "
            f"returned {_repr(output)}. Return what can be stored, or keep the object in ctx.vol.",
            node_id=entry.node.id,
            source=entry.node.source,
        ) from None


def _repr(output: object) -> str:
    """Return the beginning of a value's ``repr``."""
    try:
        text = repr(output)
    except Exception:  # noqa: BLE001  # the user's __repr__, or it is nested too deeply
        text = f"{type(output).__name__}(…)"
    if len(text) > 300:
        text = f"{text[:300]}…"
    return clean(text)


def text(output: object, value: Stored) -> str:
    """Return the output of a task as text."""
    return output if isinstance(output, str) else value.text
