"""Writes: changes to the state, from the moment they are queued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Origin = Literal["handler", "effect", "operator", "task", "init"]
Scope = Literal["state", "vol"]
"""Stored state, and volatile state in memory."""
Op = Literal["set", "update", "delete", "init"]
WriteStatus = Literal["queued", "applied", "noop", "overridden", "rolled_back", "edited", "dropped"]


@dataclass(frozen=True, slots=True)
class Write:
    """One change to the state."""

    id: str
    """``4w2``: the second write queued during frame 4."""
    scope: Scope
    key: str
    op: Op
    old: Any  # Any: the user's value
    """The value before; None where there was none. While queued: the committed value."""
    new: Any  # Any: the user's value
    """The value after; None for a delete, and for an update until FLUSH computes it."""
    origin: Origin
    origin_id: str | None
    """The handler call, effect run or task that wrote it."""
    node_id: str | None
    handler: str | None
    """``on_finished``, ``on_error``."""
    trigger: str
    """The cause, in words: ``notes succeeded``."""
    seq: int
    """Its place in the order of application within the frame, from 1; 0 while queued."""
    status: WriteStatus
