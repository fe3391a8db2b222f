"""The nouns of the frame loop: what happened, as frozen records. Users and tests rely on these names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .nodes.tree import Tree


class Phase(StrEnum):
    """The seven phases of a frame, in order."""

    SNAPSHOT = "SNAPSHOT"
    RENDER = "RENDER"
    RECONCILE = "RECONCILE"
    COMMIT = "COMMIT"
    EXECUTE = "EXECUTE"
    EFFECTS = "EFFECTS"
    FLUSH = "FLUSH"


Origin = Literal["handler", "effect", "operator", "task", "init"]
Scope = Literal["state", "vol"]
"""Stored state, and volatile state in memory."""
Op = Literal["set", "update", "delete", "init"]
WriteStatus = Literal["queued", "applied", "noop", "overridden", "rolled_back", "edited", "dropped"]
TaskStatus = Literal["pending", "running", "blocked", "succeeded", "failed", "cancelled", "abandoned"]
Status = Literal["ready", "running", "paused", "waiting", "finished", "failed", "stopped", "stalled", "terminated"]
"""Of an execution. ready: no frame yet; paused: at rest, a step goes on; waiting: for tasks or people; stopped: by a
Stop, or by hand, and then a step goes on; finished, failed, stalled, terminated: over."""


LoopKey = tuple[str, str]
"""The iteration that a loop stands in itself ("" outside of loops), and its id."""


@dataclass(frozen=True, slots=True)
class LoopState:
    """How far a loop has come."""

    iteration: int
    """From 1."""
    status: Literal["running", "done", "max_reached"] = "running"


@dataclass(frozen=True, slots=True)
class Write:
    """One change to state, from the moment it is queued."""

    id: str
    """``4w2``: the second write queued during frame 4."""
    scope: Scope
    key: str
    op: Op
    old: Any  # Any: it is what the user stored
    """The value before; None where there was none. While queued: the committed value."""
    new: Any  # Any: it is what the user stored
    """The value after; None for a delete, and for an update until FLUSH computes it."""
    origin: Origin
    origin_id: str | None
    """The handler call, effect run or task that wrote it."""
    node_id: str | None
    handler: str | None
    """``on_finished``, ``on_error``."""
    trigger: str
    """What made it happen, in words: ``notes succeeded``."""
    seq: int
    """Its place in the order of application within the frame, from 1; 0 while queued."""
    status: WriteStatus


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
    """How many writes it queued; those of one that raised are rolled back."""
    ms: float
    error: str | None
    """The traceback."""
    source: str | None


@dataclass(frozen=True, slots=True)
class EffectRun:
    """An effect that ran, or its cleanup."""

    id: str
    frame: int
    node_id: str
    kind: Literal["run", "cleanup"]
    status: Literal["ok", "raised"]
    deps: str
    """As JSON."""
    writes: int
    ms: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """What is neither a write nor a call, such as a file that was written."""

    frame: int
    kind: str
    node_id: str | None
    payload: str
    """As JSON."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a handler is given."""

    node_id: str
    task_id: str
    status: TaskStatus
    output: Any  # Any: what the task returned
    text: str
    """The output as text; of a failed task, the error's message."""
    error: str | None
    attempts: int
    usage: Mapping[str, int]
    """``input_tokens``, ``output_tokens``, ``requests`` of an agent; empty for a plain task."""
    cost_usd: float | None
    """None where the price of the model is not known."""
    duration_s: float


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of a frame that did not stop it."""

    kind: str
    """The error's class, e.g. ``HandlerError``."""
    message: str
    node_id: str | None
    phase: Phase | None
    source: str | None

    def event(self, frame: int) -> Event:
        """Return it as it is recorded."""
        payload = {"kind": self.kind, "message": self.message, "phase": self.phase, "source": self.source}
        return Event(frame, "problem", self.node_id, json.dumps(payload, ensure_ascii=False))


@dataclass(frozen=True)
class Frame:
    """One turn of the loop, so far."""

    number: int
    execution_id: str
    reason: tuple[str, ...]
    """Everything that caused it."""
    phase: Phase
    """The last phase that is done."""
    tree: Tree
    mounted: tuple[str, ...] = ()
    unmounted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    handlers: tuple[HandlerCall, ...] = ()
    effects: tuple[EffectRun, ...] = ()
    pending: tuple[Write, ...] = ()
    """The writes queued in this frame; FLUSH applies them, and the next frame sees them."""
    problems: tuple[Problem, ...] = ()
    ms: Mapping[Phase, float] = field(default_factory=dict)

    @cached_property
    def xml(self) -> str:
        """The plan as XML."""
        return self.tree.xml

    def __repr__(self) -> str:
        changes = ", ".join(
            f"{len(ids)} {what}"
            for what, ids in (
                ("mounted", self.mounted),
                ("unmounted", self.unmounted),
                ("updated", self.updated),
                ("moved", self.moved),
            )
            if ids
        )
        waiting = sum(1 for write in self.pending if write.status in ("queued", "edited"))
        return (
            f"<Frame {self.number} after {self.phase}: {changes or 'nothing changed'}; "
            f"{len(self.handlers)} handlers fired, {waiting} writes pending>"
        )


TOLD = 5
"""So many problems are written out where a run shows itself as text."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a ``run()`` ended."""

    status: Status
    reason: str
    frames: int
    """How many frames this ``run()`` rendered."""
    frame: Frame | None
    """The last one."""
    problems: tuple[Problem, ...] = ()
    """Those of all its frames."""

    def __repr__(self) -> str:
        last = f", the last one is {self.frame.number}" if self.frame else ""
        told = [f"\n  {problem.kind}: {problem.message}" for problem in self.problems[:TOLD]]
        more = f"\n  and {len(self.problems) - TOLD} more problems" if len(self.problems) > TOLD else ""
        return f"<RunResult {self.status}: {self.reason}; {self.frames} frames{last}>{''.join(told)}{more}"
