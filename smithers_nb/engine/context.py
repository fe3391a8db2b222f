"""``ctx``: the one object that components, handlers, effects and tasks are given.

It is the same object everywhere; what it does depends on where it is used, which a context variable knows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import PurityError, RenderWriteError, RunError
from ..nodes.effect import Effect
from ..values import decode
from .purity import RenderScope
from .state import Transaction

if TYPE_CHECKING:
    from .live import Live


@dataclass(slots=True)
class TaskScope:
    """A task that is running: its writes are applied one by one, at the next FLUSH."""

    node_id: str
    task_id: str
    closed: bool = False


Place = RenderScope | Transaction | TaskScope


@dataclass(frozen=True, slots=True)
class Scope:
    """Where code of the user's is running, and for which execution."""

    ctx: Context
    place: Place


_current: ContextVar[Scope | None] = ContextVar("smithers_scope", default=None)


@contextmanager
def entered(ctx: Context, place: Place) -> Iterator[None]:
    """Make ``ctx`` act for this render, handler, effect or task until the block ends."""
    token = _current.set(Scope(ctx, place))
    try:
        yield
    finally:
        _current.reset(token)


class Context:
    """The door of user code to its execution."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.state = StateDoor(self, live)
        """The execution's state: see ``StateDoor``."""

    @property
    def frame(self) -> int:
        """The number of the frame under way."""
        place = _place(self)
        return place.snapshot.frame if isinstance(place, RenderScope) else self._live.frame

    def now(self) -> datetime:
        """The time at which the frame began, in UTC: the same everywhere in the frame."""
        place = _place(self)
        seconds = place.snapshot.now if isinstance(place, RenderScope) else self._live.snapshot_time
        return datetime.fromtimestamp(seconds, UTC)

    def rand(self) -> random.Random:
        """A random generator, seeded by execution, frame and place: the same frame gives the same numbers."""
        place = _place(self)
        match place:
            case RenderScope():
                where: str | None = place.path
            case Transaction():
                where = place.node_id
            case TaskScope():
                where = place.task_id
            case None:
                where = None
        return random.Random(f"{self._live.seed}/{self.frame}/{where}")

    def use_effect(self, id: str, deps: list[Any], run: Callable[..., Any]) -> None:
        """Declare an effect of the component that is rendering, like ``Effect(id=id, deps=deps, run=run)``."""
        place = _place(self)
        if not isinstance(place, RenderScope):
            raise PurityError(f"use_effect({id!r}) belongs in a component: it declares a node of the plan.")
        place.effects.append(Effect(id=id, deps=deps, run=run))


class StateDoor:
    """``ctx.state``.

    While rendering: the frame's snapshot, and every read is recorded; writes raise ``RenderWriteError``.
    In a handler, an effect or a task: the latest committed values with its own writes on top; writes are queued
    and applied together, or not at all if it raises. In the notebook: committed values; writes are an operator's.
    """

    def __init__(self, ctx: Context, live: Live) -> None:
        self._ctx = ctx
        self._live = live

    def get(self, key: str, default: Any = None) -> Any:  # Any: it is what the user stored
        """Return the value, or ``default`` if the key is missing."""
        place = _place(self._ctx)
        if isinstance(place, RenderScope):
            return place.read(key, default)
        if isinstance(place, Transaction):
            stored = place.lookup(key)
            return default if stored is None else decode(stored)
        cell = self._live.cells.get(key)
        return default if cell is None else cell.value()

    def __getitem__(self, key: str) -> Any:
        """Return the value.

        Raises:
            KeyError: if it is missing.
        """
        if key not in self:
            raise KeyError(f"state has no key {key!r}")
        return self.get(key)

    def __contains__(self, key: object) -> bool:
        missing = object()
        return isinstance(key, str) and self.get(key, missing) is not missing

    def keys(self) -> list[str]:
        """Return the keys, sorted."""
        place = _place(self._ctx)
        if isinstance(place, RenderScope):
            return sorted(place.snapshot.cells)
        if isinstance(place, Transaction):
            written = {queued.write.key for queued in place.queued}
            return sorted(key for key in {*place.committed, *written} if place.lookup(key) is not None)
        return sorted(self._live.cells)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def set(self, key: str, value: object) -> None:
        """Queue a new value; the next frame sees it.

        Raises:
            NotStorableError: if the store can't give it back equal.
            RenderWriteError: while rendering.
        """
        self._write(key, lambda transaction: transaction.set(key, value))

    __setitem__ = set

    def update(self, key: str, function: Callable[[Any], Any]) -> None:
        """Queue ``function(value so far)``; it is called at FLUSH, so three ``+ 1`` add three.

        The value so far is None where the key is missing.
        """
        if not callable(function):
            raise TypeError(f"update({key!r}, …) takes a function of the value so far; to set a value, use set().")
        self._write(key, lambda transaction: transaction.update(key, function))

    def delete(self, key: str) -> None:
        """Queue the removal of a key; one that is missing stays missing."""
        self._write(key, lambda transaction: transaction.delete(key))

    __delitem__ = delete

    def init(self, key: str, value: object) -> None:
        """Queue a first value, unless there is one already. Allowed while rendering, too."""
        place = _place(self._ctx)
        if isinstance(place, RenderScope):
            place.init(key, value)
        else:
            self._write(key, lambda transaction: transaction.init(key, value))

    def _write(self, key: str, queue: Callable[[Transaction], object]) -> None:
        place = _place(self._ctx)
        if isinstance(place, RenderScope):
            place.refuse_write(key)
        if isinstance(place, Transaction):
            if place.state != "open":
                raise RunError(_too_late(key, f"{place.handler or place.origin} of {place.node_id}"))
            queue(place)
        elif isinstance(place, TaskScope):
            if place.closed:
                raise RunError(_too_late(key, f"task {place.task_id}"))
            self._live.outside(queue, "task", place.task_id, place.node_id)
        else:
            self._live.outside(queue)


def _too_late(key: str, who: str) -> str:
    return f"state key {key!r} was written after {who} had ended: its writes are decided. Await what you start in it."


def _place(ctx: Context) -> Place | None:
    """Return where we are, if that belongs to this execution."""
    scope = _current.get()
    return scope.place if scope is not None and scope.ctx is ctx else None


def rendering() -> RenderScope | None:
    """Return the render under way, of whichever execution."""
    scope = _current.get()
    return scope.place if scope is not None and isinstance(scope.place, RenderScope) else None


def refuse_while_rendering(what: str) -> None:
    """Raise if a component is being called.

    Raises:
        RenderWriteError: naming component and position.
    """
    if place := rendering():
        raise RenderWriteError(
            f"{what} while {place.name} was rendering. Rendering must be pure, because it may run again for the same "
            "state.",
            path=place.path,
            frame=place.snapshot.frame,
            source=place.source,
        )
