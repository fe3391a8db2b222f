"""Calls of the user's functions: handlers and effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class HandlerCall:
    """A handler that was called, or would have been (``stale``)."""

    id: str
    frame: int
    node_id: str
    task_id: str
    event: str
    status: Literal["ok", "raised", "stale"]
    writes: int
    """The number of writes that it queued; those of one that raised are rolled back."""
    ms: float
    # A text, not the exception: it goes into the file, and an exception would keep the user's objects alive.
    error: str | None
    """The traceback."""
    source: str | None


@dataclass(frozen=True, slots=True)
class EffectRun:
    """An effect that ran, or its cleanup."""

    id: str
    frame: int
    node_id: str
    # A cleanup is a run of its own: it may raise and write as well, frames after the effect.
    kind: Literal["run", "cleanup"]
    status: Literal["ok", "raised"]
    deps: str
    """The deps as JSON."""
    writes: int
    ms: float
    error: str | None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A handler call with its place, as a reader sees it."""

    call: HandlerCall
    # The file has no number for it: the order of its rows is the order of the calls.
    seq: int
    """The place among the calls of its frame, from 1."""
    task_status: str | None
    """The status of its task; None where the task is not known any more."""


@dataclass(frozen=True, slots=True)
class HandlerOutcome:
    """A handler call as a search for past hits of breakpoints sees it."""

    # Small, because such a search reads every call of an execution.
    frame: int
    node_id: str
    event: str
    status: str
    """``ok``, ``raised`` or ``stale``."""
