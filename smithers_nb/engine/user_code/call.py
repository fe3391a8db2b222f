"""Calls of the user's functions: sync or async, with the arguments that their signature asks for, as transactions."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from types import FunctionType
from typing import Any, Literal

from ...errors import traceback_of
from ...user_code import as_failure, awaited, guarded, raised_by
from ..state import Transaction
from .context import Context
from .scope import entered


@dataclass(frozen=True, slots=True)
class TransactionCall:
    """The outcome of one call of a handler or an effect."""

    transaction: Transaction
    failure: BaseException | None
    """The exception that the function raised; then none of its writes is applied."""
    ms: float

    @property
    def error(self) -> str | None:
        """The traceback of the failure."""
        if self.failure is None:
            return None
        return traceback_of(self.failure)

    @property
    def status(self) -> Literal["ok", "raised"]:
        """The status that the records have."""
        if self.failure is None:
            return "ok"
        return "raised"


async def call_as_transaction(
    ctx: Context, transaction: Transaction, function: Callable[[Context], Awaitable[None]]
) -> TransactionCall:
    """Call ``function(ctx)``, which queues its writes in ``transaction``.

    An exception is part of the outcome, and closes the transaction as raised.

    Raises:
        CancelledError: if the command was cancelled meanwhile.
    """
    started = perf_counter()
    failure: BaseException | None = None
    try:
        with entered(ctx, transaction):
            await function(ctx)
        transaction.state = "closed"
    except asyncio.CancelledError:
        transaction.state = "raised"  # Code that does not end is left behind, and may write nothing more.
        raise
    except Exception as raised:  # noqa: BLE001  # the user's; it is recorded, and none of its writes is applied
        transaction.state = "raised"
        failure = raised_by(raised)
    return TransactionCall(transaction, failure, (perf_counter() - started) * 1000)


async def call_handler(function: Callable[..., Any], result: object, ctx: object) -> None:
    """Call ``function(result)`` or ``function(result, ctx)``, whichever it takes."""
    if takes_two(function):
        await _finished(function, result, ctx)
    else:
        await _finished(function, result)


async def call_with_ctx(function: Callable[..., Any], ctx: object) -> None:
    """Call ``function()``, or ``function(ctx)`` if its signature names ``ctx``."""
    if names_ctx(function):
        await _finished(function, ctx=ctx)
    else:
        await _finished(function)


@dataclass(frozen=True, slots=True)
class ParameterNames:
    """The names of a function's parameters."""

    names: frozenset[str]
    """All of them."""
    positional: tuple[str, ...]
    """Those that can be given by place."""
    needed: int
    """The number of positional ones without a default."""

    @classmethod
    def of(cls, function: Callable[..., Any]) -> ParameterNames:
        """Return those of a function; none for some builtins, which have no signature."""
        # The signature of a plain function is in its code: one is asked for in every frame, of lambdas that are new
        # in each, and inspect takes ten times as long. A decorator's __wrapped__ and __signature__ are in __dict__.
        if type(function) is FunctionType and not function.__dict__:
            code = function.__code__
            count = code.co_argcount + code.co_kwonlyargcount
            count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
            positional = code.co_varnames[: code.co_argcount]
            return cls(
                frozenset(code.co_varnames[:count]), positional, len(positional) - len(function.__defaults__ or ())
            )
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return cls(frozenset(), (), 0)
        by_place = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        needed = sum(p.default is p.empty for p in by_place)
        return cls(frozenset(p.name for p in parameters), tuple(p.name for p in by_place), needed)


def takes_two(function: Callable[..., Any]) -> bool:
    """Return whether a handler takes (result, ctx)."""
    found = ParameterNames.of(function)
    # A second parameter with a default is ctx by name only: "lambda result, key=key: …" binds a loop's variable.
    return found.needed > 1 or found.positional[1:2] == ("ctx",)


def names_ctx(function: Callable[..., Any]) -> bool:
    """Return whether a function's signature names ``ctx``."""
    return "ctx" in ParameterNames.of(function).names


def place_of_ctx(function: Callable[..., Any]) -> int | None:
    """Return the place of ``ctx`` among the positional arguments of a function that names it; None if it has none."""
    positional = ParameterNames.of(function).positional
    if "ctx" not in positional:
        return None
    return positional.index("ctx")


async def _finished(function: Callable[..., Any], *args: object, **named: object) -> None:
    task = asyncio.current_task()
    sent = 0
    if task is not None:
        sent = task.cancelling()
    with asyncio_run_allowed():
        value = guarded(function, *args, **named)
    if task is not None and task.cancelling() > sent:
        # It cancelled the task that it was called in, which is the command's: only stop() and an interrupt may do that.
        # The cancellation is delivered at the next await, so one is made here and its error is replaced.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        task.uncancel()
        raise as_failure(asyncio.CancelledError("it cancelled the task that it was called in"))
    if inspect.isawaitable(value):
        await awaited(value)


@contextmanager
def asyncio_run_allowed() -> Iterator[None]:
    """Let the user's function call ``asyncio.run()`` or ``agent.run_sync()`` although a loop is running.

    nest-asyncio patches asyncio for the whole process, so it is applied only when such a call is made, and only
    to the loop of this thread.
    """
    loop = asyncio.get_running_loop()
    thread = threading.get_ident()
    plain_run = asyncio.run
    plain_until = loop.run_until_complete

    def nested() -> None:
        import nest_asyncio

        loop.__dict__.pop("run_until_complete", None)
        nest_asyncio.apply(loop)

    def run(main: Any, **options: Any) -> Any:
        if threading.get_ident() != thread or asyncio._get_running_loop() is not loop:
            return plain_run(main, **options)
        nested()
        return loop.run_until_complete(asyncio.ensure_future(main, loop=loop))

    def run_until_complete(future: Any) -> Any:
        if not loop.is_running():
            return plain_until(future)
        nested()
        return loop.run_until_complete(future)

    if getattr(asyncio, "_nest_patched", False):
        yield
        return
    asyncio.run = run
    loop.run_until_complete = run_until_complete  # type: ignore[method-assign]  # undone below
    try:
        yield
    finally:
        loop.__dict__.pop("run_until_complete", None)
        if asyncio.run is run:
            asyncio.run = plain_run
