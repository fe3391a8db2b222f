"""The handlers of a node: one field, and three spellings of it; any other spelling is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..errors import EventPropError, did_you_mean

Handler = Callable[..., Any]  # Any: (result) or (result, ctx), sync or async; its result is ignored

EVENTS = ("on_finished", "on_error", "on_progress")
SPELLINGS = {name: event for event in EVENTS for name in (event, f"on{event[3:].capitalize()}")}

_ELSEWHERE = {
    "on_finished": "success succeeded complete completed done end result approved answer answered",
    "on_error": "failure failed fail exception",
    "on_progress": "token stream chunk update",
}
MEANT = {word: event for event, words in _ELSEWHERE.items() for word in words.split()}
"""The handlers that are meant by names that other libraries have for them."""


class Handlers(BaseModel):
    """The functions that are called when a runnable node's task ends.

    A handler's writes are applied exactly once. Its effects outside (mail, files) happen at least once: after a crash
    between the call and its FLUSH it is called again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    on_finished: Handler | None = None
    """Called with the result of a task that succeeded."""
    on_error: Handler | None = None
    """Called with the result of a task that failed; the failure is then settled."""
    on_progress: Handler | None = None
    """Called with the last report of a running task (``ctx.progress``), at most four times a second; the result's
    status is ``running``. A report that was not handled before a crash is lost."""

    @property
    def events(self) -> tuple[str, ...]:
        """The names of the handlers that are set."""
        if self is NONE:  # Most nodes have none, and share this object.
            return ()
        return tuple(name for name in EVENTS if getattr(self, name) is not None)


NONE = Handlers.model_construct()  # Constructed without a schema: most programs build it with their first handler.


def take(tag: str, props: dict[str, Any], *, runnable: bool, source: str | None) -> Handlers:
    """Remove the handlers from ``props`` and return them.

    Raises:
        EventPropError: for any other ``on…`` prop, for one on a node that runs nothing, and for one given twice.
    """
    if "handlers" in props:
        _spread(tag, props, source)
    # Every "on…" is taken for a handler: a misspelt one that pydantic called an unknown prop would help less.
    names = [name for name in props if name.startswith("on")]
    if not names:
        return NONE
    taken: dict[str, Handler] = {}
    for name in names:
        value = props.pop(name)
        event = SPELLINGS.get(name)
        if event is None:
            raise EventPropError(
                f"<{tag}> has no handler {name!r}: it would never be called.{_meant(name)} "
                "The handlers are on_finished, on_error and on_progress.",
                source=source,
            )
        if not runnable:
            raise EventPropError(
                f"<{tag}> runs nothing itself, so {name!r} would never be called. "
                "Put it on the claude or task nodes inside.",
                source=source,
            )
        if event in taken:
            raise EventPropError(f"<{tag}> was given {event!r} twice, in two spellings. Keep one.", source=source)
        if value is not None and not callable(value):
            raise EventPropError(
                f"{name!r} of <{tag}> must be a function of (result) or (result, ctx), not {value!r}.", source=source
            )
        taken[event] = value
    return Handlers(**taken)


def _meant(name: str) -> str:
    meant = MEANT.get(name.lower()[2:].strip("_"))
    return did_you_mean(name, SPELLINGS) if meant is None else f" Did you mean {meant!r}?"


def _spread(tag: str, props: dict[str, Any], source: str | None) -> None:
    """Replace ``handlers={…}``, the third spelling, by a prop for each handler in it."""
    given = props.pop("handlers")
    if isinstance(given, Handlers):
        given = {event: getattr(given, event) for event in given.events}
    if not isinstance(given, dict):
        raise EventPropError(f"handlers of <{tag}> is a dict of functions by name, not {given!r:.60}.", source=source)
    for name, handler in given.items():
        if name in props:
            raise EventPropError(f"<{tag}> was given {name!r} twice, once in handlers=. Keep one.", source=source)
        props[str(name)] = handler
