"""Scopes of user code: a render, a handler, an effect, a task, or none of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from ...errors import RenderWriteError, RunError
from ...nodes import source as sources
from ...values import Stored
from ..state import HandedOut, Queued, Transaction
from .purity import RenderScope


class Owner(Protocol):
    """The ``ctx`` that a scope belongs to. There is one for each execution."""

    @property
    def _execution(self) -> str:
        """The name of the execution."""


@dataclass(slots=True)
class TaskScope:
    """A task that is running: its writes are applied one by one, at the next FLUSH."""

    node_id: str
    task_id: str
    closed: bool = False
    random: Random | None = None
    handed_out: HandedOut = field(default_factory=HandedOut)
    queued: list[Queued] = field(default_factory=list)
    """The writes since it was handed a value that can be changed in place."""

    def lost_changes(self, result: Stored | None) -> list[str]:
        """Return a message for each value that was changed in place and is in neither a write nor the result."""
        return self.handed_out.lost(self.queued, f"task {self.node_id}", result)


CodeScope = RenderScope | Transaction | TaskScope


@dataclass(frozen=True, slots=True)
class _Here:
    """A scope, and the execution that it belongs to."""

    ctx: Owner
    scope: CodeScope
    tool_call_id: str | None = None
    """The call of the tool that runs, in the scope of an agent's task."""


# A context variable: coroutines of several handlers, tasks and executions take turns on one thread, and a worker thread
# gets a copy of the context of the task that it works for.
_current: ContextVar[_Here | None] = ContextVar("smithers_scope", default=None)


@contextmanager
def entered(ctx: Owner, scope: CodeScope) -> Iterator[None]:
    """Make ``ctx`` act for this render, handler, effect or task until the block ends."""
    token = _current.set(_Here(ctx, scope))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def in_tool(tool_call_id: str) -> Iterator[None]:
    """Let a tool call be the author of what the present task writes until the block ends."""
    here = _current.get()
    if here is None:
        yield
        return
    token = _current.set(replace(here, tool_call_id=tool_call_id))
    try:
        yield
    finally:
        _current.reset(token)


def tool_call_here() -> str | None:
    """Return the id of the tool call that runs here; None outside of tools."""
    here = _current.get()
    if here is None:
        return None
    return here.tool_call_id


def scope_of(ctx: Owner) -> CodeScope | None:
    """Return the present scope, if it belongs to this execution."""
    here = _current.get()
    if here is None or here.ctx is not ctx:
        return None
    return here.scope


def node_of(scope: CodeScope | None) -> str | None:
    """Return the id of the node that a scope belongs to; None without a scope, and for a component: it is no node."""
    if scope is None or isinstance(scope, RenderScope):
        return None
    return scope.node_id


def rendering() -> RenderScope | None:
    """Return the component that is rendering, of whichever execution."""
    here = _current.get()
    if here is None or not isinstance(here.scope, RenderScope):
        return None
    return here.scope


def refuse_while_rendering(what: str) -> None:
    """Raise if a component is being called.

    Raises:
        RenderWriteError: naming component and position.
    """
    if scope := rendering():
        raise RenderWriteError(
            f"{what} while {scope.name} was rendering. Rendering must be pure, because it may run again for the same "
            "state. Do it in a handler, an Effect or a <Task>.",
            path=scope.path,
            frame=scope.snapshot.frame,
            source=sources.caller() or scope.source,
        )


_steps: list[tuple[Owner, Owner]] = []
"""Pairs of executions: code of the first steps the second, and waits for it. Only the engine's loop changes it."""


@asynccontextmanager
async def stepping(ctx: Owner) -> AsyncIterator[None]:
    """Step the execution of ``ctx`` meanwhile.

    Raises:
        RuntimeError: if code does so that the execution itself waits for: a task, handler or effect of its own, of a
            child, or of an execution that one of its tasks is stepping.
    """
    here = _current.get()
    # A coroutine that outlives its handler has the handler's context, but the frame no longer waits for it.
    if here is None or _ended(here.scope):
        yield
        return
    if here.ctx in _waited_for_by(ctx):
        # Refused before it happens: two coroutines that wait for each other can't be told from a long task later.
        own = here.ctx._execution
        stepped = "itself" if here.ctx is ctx else repr(ctx._execution)
        raise RuntimeError(
            f"{words(here.scope)} of execution {own!r} stepped {stepped}, which waits for it to end: both would wait "
            "for ever. Write to ctx.state and return; the change makes the next frame due. From a sync <Task>, "
            "pause(), stop(), terminate() and answer() work, and so do all calls to executions that do not wait for "
            "this one."
        )
    step = (here.ctx, ctx)
    _steps.append(step)
    try:
        yield
    finally:
        _steps.remove(step)


def _waited_for_by(ctx: Owner) -> list[Owner]:
    """Return the executions whose code a command of this one may wait for, itself among them."""
    found = [ctx]
    # The list grows while it is walked: a chain of executions that step one another may be of any length.
    for one in found:
        found += [stepped for whose, stepped in _steps if whose is one and stepped not in found]
    return found


def _ended(scope: CodeScope) -> bool:
    """Return whether the handler, effect or task that the code began in has ended: nothing waits for that code."""
    if isinstance(scope, Transaction):
        return scope.state != "open"
    return isinstance(scope, TaskScope) and scope.closed


def words(scope: CodeScope) -> str:
    """Return a scope in words: ``task fetch``, ``on_finished of fetch``, the name of a component."""
    if isinstance(scope, RenderScope):
        return scope.name
    if isinstance(scope, TaskScope):
        return f"task {scope.node_id}"
    return f"{scope.handler or scope.origin} of {scope.node_id}"


def refuse_when_closed(scope: CodeScope | None, what: str) -> None:
    """Raise if the handler, effect or task that this code belongs to has ended.

    Raises:
        RunError: naming it.
    """
    if scope is None or not _ended(scope):
        return
    who = words(scope)
    if isinstance(scope, TaskScope):
        who = f"task {scope.task_id}"  # A node may have a later task that runs: the id tells them apart.
    raise RunError(f"{what} was written after {who} had ended: its writes are decided. Await what you start in it.")
