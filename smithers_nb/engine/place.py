"""Where code of the user's is running: in a render, a handler, an effect, a task, or in none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from ..errors import RenderWriteError, RunError
from ..nodes import source as sources
from ..values import Stored
from .purity import RenderScope
from .state import HandedOut, Queued, Transaction

if TYPE_CHECKING:
    from .context import Context


@dataclass(slots=True)
class TaskScope:
    """A task that is running: its writes are applied one by one, at the next FLUSH."""

    node_id: str
    task_id: str
    closed: bool = False
    random: Random | None = None
    handed_out: HandedOut = field(default_factory=HandedOut)
    queued: list[Queued] = field(default_factory=list)
    """Its writes since it was handed a value that can be changed in place."""

    def lost_changes(self, result: Stored | None) -> list[str]:
        """Return what is to be said of each value that was changed in place and that neither write nor result holds."""
        return self.handed_out.lost(self.queued, f"task {self.node_id}", result)


Place = RenderScope | Transaction | TaskScope


@dataclass(frozen=True, slots=True)
class _Here:
    """A place, and the execution that it belongs to."""

    ctx: Context
    place: Place


_current: ContextVar[_Here | None] = ContextVar("smithers_place", default=None)


@contextmanager
def entered(ctx: Context, place: Place) -> Iterator[None]:
    """Make ``ctx`` act for this render, handler, effect or task until the block ends."""
    token = _current.set(_Here(ctx, place))
    try:
        yield
    finally:
        _current.reset(token)


def place_of(ctx: Context) -> Place | None:
    """Return where we are, if that belongs to this execution."""
    here = _current.get()
    return here.place if here is not None and here.ctx is ctx else None


def rendering() -> RenderScope | None:
    """Return the render under way, of whichever execution."""
    here = _current.get()
    return here.place if here is not None and isinstance(here.place, RenderScope) else None


def refuse_while_rendering(what: str) -> None:
    """Raise if a component is being called.

    Raises:
        RenderWriteError: naming component and position.
    """
    if place := rendering():
        raise RenderWriteError(
            f"{what} while {place.name} was rendering. Rendering must be pure, because it may run again for the same "
            "state. Do it in a handler, an Effect or a <Task>.",
            path=place.path,
            frame=place.snapshot.frame,
            source=sources.caller() or place.source,
        )


def refuse_when_closed(place: Place | None, what: str) -> None:
    """Raise if the handler, effect or task that this code belongs to has ended.

    Raises:
        RunError: naming it.
    """
    if isinstance(place, Transaction) and place.state != "open":
        who = f"{place.handler or place.origin} of {place.node_id}"
    elif isinstance(place, TaskScope) and place.closed:
        who = f"task {place.task_id}"
    else:
        return
    raise RunError(f"{what} was written after {who} had ended: its writes are decided. Await what you start in it.")
