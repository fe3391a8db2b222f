"""Writes: changes to the state, from the moment they are queued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .excerpt import Excerpt
from .words import author

Origin = Literal["handler", "effect", "operator", "task", "init"]
Scope = Literal["state", "vol"]
"""Stored state, and volatile state in memory."""
Op = Literal["set", "update", "delete", "init"]
WriteStatus = Literal["queued", "applied", "noop", "overridden", "rolled_back", "edited", "dropped"]


@dataclass(frozen=True, slots=True)
class Write:
    """A change to the state."""

    # People refer to it, in edits and in messages: it can be read, and is the same in a replay.
    id: str
    """``4w2``: the second write queued during frame 4."""
    scope: Scope
    key: str
    op: Op
    # The values themselves, not their JSON: observers and the notebook get what the app wrote.
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
    """The place in the order of application within the frame, from 1; 0 while queued."""
    status: WriteStatus
    tool_call_id: str | None = None
    """The tool call that wrote it, where an agent's task did."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """A write as a reader sees it: its values cut, and never decoded."""

    id: str
    frame: int
    seq: int
    """The place in the order of application within the frame; 0 while queued."""
    scope: str
    key: str
    op: Op
    old: Excerpt | None
    new: Excerpt | None
    status: WriteStatus
    trigger: str
    origin: str
    origin_id: str | None
    node_id: str | None
    handler: str | None
    # Apart from the status: before FLUSH the cursor shows a recorded write as queued, and its end is known.
    outcome: WriteStatus | None
    """The status after FLUSH; None while it is not known."""
    tool_call_id: str | None
    """The tool call that wrote it, where an agent's task did."""

    @property
    def author(self) -> str:
        """The author, in words: ``on_finished of notes``."""
        return author(self.origin, self.handler, self.node_id)


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a value."""

    origin: str
    origin_id: str | None
    node_id: str | None
    handler: str | None

    @property
    def words(self) -> str:
        """The author, in words: ``on_finished of notes``."""
        return author(self.origin, self.handler, self.node_id)


@dataclass(frozen=True, slots=True)
class ValueRecord:
    """A value of the state, or a volatile one, as a reader sees it."""

    scope: Literal["state", "vol"]
    key: str
    value: Excerpt
    # The frame after the one that wrote it: within a frame every component reads the same state.
    since: int
    """The first frame that reads it."""
    changed: bool
    """True if the value is new in the frame that was asked for."""


@dataclass(frozen=True, slots=True)
class ValueVersion:
    """A version of a value."""

    since: int
    """The first frame that reads it."""
    value: Excerpt


@dataclass(frozen=True, slots=True)
class ReaderRecord:
    """A component that reads a key."""

    # The reads of components, not of nodes: the renderer runs a component, and its nodes are what comes of it.
    component: str
    path: str
    node_id: str | None
    """The first node that it rendered."""


@dataclass(frozen=True, slots=True)
class ReplacedValue:
    """The value of a state key before a write."""

    frame: int
    """The frame that wrote the key."""
    key: str
    old: str | None
    """The value as JSON; None if the key had none."""
