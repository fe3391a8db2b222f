"""The cursor: a frame at a phase, live or recorded, and the plan that it is compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..nodes.diff import Changes
from ..nodes.tree import EMPTY, Tree
from ..records import EventRecord, Phase

PHASES = tuple(Phase)
NONE = Changes()
"""No difference."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A frame at a phase. Every pane shows one of these."""

    frame: int
    phase: Phase | None
    """The last phase that is done; None before the first frame."""
    live: bool
    tree: Tree
    before: Tree = EMPTY
    """The plan that it is compared with."""
    changes: Changes = NONE
    base: int = 0
    """The frame that it is compared with; 0 for none."""
    dry: bool = False
    """True if the plan was rendered without executing anything."""
    edited: bool = False
    """True if edited code makes this plan of the frame: it is in no file, and compared with the recorded one."""
    stood: Mapping[str, str] | None = None
    """The status of the nodes that it is compared with, by id, where they are not of this execution."""

    @property
    def recorded(self) -> Cursor:
        """The same place with the plan that the execution had there."""
        if not self.edited:
            return self
        return replace(self, tree=self.before, edited=False)

    def reached(self, phase: Phase) -> bool:
        """Return whether a phase of this frame is done."""
        return self.phase is not None and PHASES.index(self.phase) >= PHASES.index(phase)

    def newest(self, phase: Phase) -> int:
        """Return the newest frame whose ``phase`` is done: this one, or the one before."""
        if self.reached(phase):
            return self.frame
        return self.frame - 1

    @property
    def values_frame(self) -> int:
        """The frame that reads the values which the cursor shows."""
        # A frame reads what the FLUSH of the one before has left behind.
        return self.newest(Phase.FLUSH) + 1

    def has_seen(self, event: EventRecord) -> bool:
        """Return whether something was printed, or went wrong, before the cursor; its frame is not after this one."""
        phase = json.loads(event.payload)["phase"]
        # A task prints in no phase: the time of its output says nothing about the frame's progress.
        return event.frame != self.frame or phase is None or self.reached(Phase(phase))


def queued_in(origin: str) -> Phase:
    """Return the phase after which a write of this origin is seen."""
    match origin:
        case "init":
            return Phase.RENDER
        case "handler":
            return Phase.EXECUTE
        case "effect":
            return Phase.EFFECTS
        case _:
            # People and tasks write between phases, and the file does not say between which: FLUSH has surely seen it.
            return Phase.FLUSH
