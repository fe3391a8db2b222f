"""Frames: one turn of the loop each, with its phases, problems and events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Literal

from ..errors import NamesNearest
from ..nodes.tree import Tree
from .call import EffectRun, HandlerCall
from .write import Write

Status = Literal["ready", "running", "paused", "waiting", "finished", "failed", "stopped", "stalled", "terminated"]
"""The status of an execution. ready: no frame yet; paused: at rest, a step continues; waiting: for tasks or people;
stopped: by a Stop, or by hand, and then a step continues; finished, failed, stalled, terminated: over."""
CONCLUDED: frozenset[str] = frozenset({"finished", "failed", "stalled"})
"""The statuses of an execution that came to its own end."""
OVER: frozenset[str] = CONCLUDED | {"terminated"}
"""The statuses of an execution that takes no further step."""
OVER_OR_STOPPED: frozenset[str] = OVER | {"stopped"}
"""The statuses of an execution that waits for nothing."""


class Phase(StrEnum):
    """The seven phases of a frame, in order."""

    # Texts and not numbers: they stand so in the file and on the page, where people read them.
    SNAPSHOT = "SNAPSHOT"
    RENDER = "RENDER"
    RECONCILE = "RECONCILE"
    COMMIT = "COMMIT"
    EXECUTE = "EXECUTE"
    EFFECTS = "EFFECTS"
    FLUSH = "FLUSH"


Severity = Literal["error", "hint"]
"""The severity of a problem. hint: worth a look, and perhaps intended."""
PROBLEMS: dict[str, Severity] = {"problem": "error", "hint": "hint"}
"""The severity of a problem by the kind of its event, errors first."""
_KINDS = {severity: kind for kind, severity in PROBLEMS.items()}


@dataclass(frozen=True, slots=True)
class Event:
    """An event that is neither a write nor a call, such as the writing of a file."""

    frame: int
    kind: str
    node_id: str | None
    payload: str
    """The data of the event as JSON."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of a frame that did not stop it, or a finding of ``ex.lint()``."""

    kind: str
    """The error's class, e.g. ``HandlerError``."""
    message: str
    node_id: str | None
    phase: Phase | None
    source: str | None
    severity: Severity = "error"

    @classmethod
    def of_event(cls, kind: str, node_id: str | None, payload: str) -> Problem:
        """Return the problem that an event records."""
        found = json.loads(payload)
        phase = found["phase"]
        # Outside of a phase nothing is missing: lint finds what looks wrong between frames, and a task fails in none.
        if phase is not None:
            phase = Phase(phase)
        return cls(
            kind=found["kind"],
            message=found["message"],
            node_id=node_id,
            phase=phase,
            source=found["source"],
            severity=PROBLEMS[kind],
        )

    def event(self, frame: int) -> Event:
        """Return it as it is recorded: an event ``problem`` or ``hint``, so that counting problems counts errors."""
        payload = {"kind": self.kind, "message": self.message, "phase": self.phase, "source": self.source}
        return Event(frame, _KINDS[self.severity], self.node_id, json.dumps(payload, ensure_ascii=False))


# No slots: ``cached_property`` keeps the XML in the instance's dict.
@dataclass(frozen=True)
class Frame(NamesNearest):
    """A turn of the loop, so far."""

    number: int
    execution_id: str
    # Several: what comes while a frame runs waits for the next one, which deals with all of it.
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
"""The number of problems that are written out where a run shows itself as text."""


@dataclass(frozen=True, slots=True)
class RunResult(NamesNearest):
    """The outcome of a ``run()``."""

    status: Status
    reason: str
    frames: int
    """The number of frames that this ``run()`` rendered."""
    frame: Frame | None
    """The last one."""
    problems: tuple[Problem, ...] = ()
    """The problems of all its frames."""

    def __repr__(self) -> str:
        said = f"<RunResult {self.status}"
        if self.reason:
            said += f": {self.reason}"
        said += f"; {self.frames} frames"
        if self.frame is not None:
            said += f", the last one is {self.frame.number}"
        lines = [f"{said}>", *(f"  {problem.kind}: {problem.message}" for problem in self.problems[:TOLD])]
        if len(self.problems) > TOLD:
            lines.append(f"  and {len(self.problems) - TOLD} more problems")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """A frame as the file has it, or as far as it has come."""

    number: int
    reason: tuple[str, ...]
    status: str
    """done, or open: not flushed yet, or abandoned."""
    # A crash may have come after COMMIT: a recorded frame is not a complete one.
    phase: Phase
    """The last phase that is done, as far as the file tells: FLUSH writes the times of the three after COMMIT."""
    created_at: str | None
    """ISO 8601 in UTC; None before COMMIT."""
    # A mapping: a frame in progress has only those of the phases that are done.
    counts: Mapping[str, int]
    """mounted, unmounted, updated, moved, handlers, writes."""
    ms: Mapping[Phase, float]


@dataclass(frozen=True, slots=True)
class FrameTotals:
    """A frame in a timeline."""

    number: int
    status: str
    writes: int
    handlers: int
    changes: int
    """Nodes mounted, unmounted, updated and moved."""
    ms: int


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as the file has it."""

    id: int
    """0 where it is not in the file yet."""
    kind: str
    frame: int
    node_id: str | None
    payload: str
    """The data of the event as JSON."""
    created_at: str | None
    """ISO 8601 in UTC; None where it is not in the file yet."""


@dataclass(frozen=True, slots=True)
class NodeVersion:
    """A version of a node."""

    from_frame: int
    to_frame: int | None
    type: str
    path: str


@dataclass(frozen=True, slots=True)
class LastNode:
    """A node as it was in the last frame that had it."""

    id: str
    path: str
    type: str
    key: str | None
    explicit_id: bool
    parent_id: str | None
    props: Mapping[str, object]
    """Its name only, where it has one."""
    frame: int
    """That frame; of a node that is still there, the frame that was asked for."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A node, key, handler, task or output whose name holds a text that was searched for."""

    kind: Literal["node", "key", "handler", "task", "output"]
    id: str
    label: str
    frame: int
    """The newest frame in which it was found."""
    node_id: str | None
