"""``ex.breakpoints``: the breakpoints of an execution, from any thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import arguments
from .arguments import optional, takes
from .bridge import engine
from .errors import NamesNearest
from .history.matching import HANDLERS
from .records import Breakpoint, BreakpointKind
from .values import readable

if TYPE_CHECKING:
    from .engine.live import Live

_UNSET = object()


def _point(name: str, value: Any) -> Any:
    if isinstance(value, Breakpoint):
        return value
    return arguments.text(name, value)


class BreakpointsApi(NamesNearest):
    """The breakpoints of an execution: those that are set here and those that are set in the stepper are the same.

    They are stored with the execution. A hit ends ``step``, ``run`` and the stepper's commands after the phase in which
    it happened, and is recorded in ``ex.df.events``.
    """

    def __init__(self, live: Live) -> None:
        self._live = live

    @takes(
        **dict.fromkeys(("node", "key", "handler", "phase", "event", "when"), optional(arguments.text)),
        **dict.fromkeys(("error", "once", "log"), arguments.flag),
        hits=arguments.whole(),
    )
    def add(
        self,
        *,
        node: str | None = None,
        key: str | None = None,
        handler: str | None = None,
        phase: str | None = None,
        error: bool = False,
        event: str | None = None,
        equals: object = _UNSET,
        when: str | None = None,
        hits: int = 1,
        once: bool = False,
        log: bool = False,
    ) -> Breakpoint:
        """Set a breakpoint and return it.

        Parameters
        ----------
        node : str
            A node's id; ``event`` is ``"mount"``, ``"start"``, ``"finished"``, ``"error"`` or ``"unmount"``. The
            default is the event that comes next for it.
        key : str
            A key of the state, or of the volatile state; ``event`` is ``"changed"`` (the default) or ``"written"``: as
            soon as a write of it is queued. With ``equals`` it stops when the key has become equal to that.
        handler : str
            The id of a node, one of whose handlers is called; ``event`` says which. Or the handler of any node:
            ``"on_error"``.
        phase : str
            One of the seven, such as ``"RENDER"``.
        error : bool
            Any error.
        when : str
            An expression over ``state``, ``prev`` (the state before), ``node``, ``frame`` and ``writes`` that must be
            true, too: ``"state.n > 3"``. Alone it stops in the frame in which it becomes true; one over ``prev``,
            ``frame`` or ``writes`` in every frame in which it is true.
        hits : int
            It stops at this hit and at all later ones.
        once : bool
            It is switched off after it has stopped.
        log : bool
            Its hits are recorded, and nothing stops.

        Raises
        ------
        ValueError
            If it could never hit, or ``when`` is no such expression.
        """
        kind, target = _thing({"node": node, "key": key, "handler": handler, "phase": phase}, error)
        if kind == "handler" and target in HANDLERS:
            target, event = None, target
        value = None
        if equals is not _UNSET:
            # As text, because it is stored. An object that can't be stored is compared by its shown text.
            value = readable(equals).text
            event = event or "equals"
        if kind == "key":
            event = event or "changed"
        point = Breakpoint("", kind, target, event, value=value, when=when, once=once, log_only=log, after=hits)
        return engine.call(self._live.breakpoints.add(point))

    @takes(id=_point)
    def remove(self, id: str | Breakpoint) -> None:
        """Remove a breakpoint; its hits stay in the records.

        Raises:
            ValueError: if there is none of that id.
        """
        engine.call(self._live.breakpoints.remove(_id(id)))

    @takes(id=_point)
    def enable(self, id: str | Breakpoint) -> None:
        """Switch a breakpoint on; its hits count from 0."""
        engine.call(self._live.breakpoints.change(_id(id), enabled=True))

    @takes(id=_point)
    def disable(self, id: str | Breakpoint) -> None:
        """Switch a breakpoint off."""
        engine.call(self._live.breakpoints.change(_id(id), enabled=False))

    def list(self) -> list[Breakpoint]:
        """Return all of them, oldest first."""
        return [*self._live.breakpoints.all]

    def __iter__(self) -> Iterator[Breakpoint]:
        return iter(self._live.breakpoints.all)

    def __len__(self) -> int:
        return len(self._live.breakpoints.all)

    def __repr__(self) -> str:
        lines = [repr(point) for point in self._live.breakpoints.all]
        return "\n".join(lines) or "<no breakpoints: ex.breakpoints.add(key='n') sets one>"


def _thing(targets: dict[BreakpointKind, str | None], error: bool) -> tuple[BreakpointKind, str | None]:
    """Return the one thing that a breakpoint waits for: its kind and target.

    Raises:
        ValueError: if there are two.
    """
    given: list[tuple[BreakpointKind, str | None]] = []
    given += [(kind, target) for kind, target in targets.items() if target is not None]
    if error:
        given.append(("error", None))
    if len(given) > 1:
        raise ValueError(f"a breakpoint waits for one thing, not for {' and '.join(kind for kind, _ in given)}.")
    if not given:
        return "expression", None
    return given[0]


def _id(point: str | Breakpoint) -> str:
    if isinstance(point, Breakpoint):
        return point.id
    return point
