"""The cursor: a frame at a phase, live or recorded, and the plan that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from ..nodes.diff import Changes
from ..nodes.tree import EMPTY, Tree
from ..records import Phase

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

    def reached(self, phase: Phase) -> bool:
        """Return whether a phase of this frame is done."""
        return self.phase is not None and PHASES.index(self.phase) >= PHASES.index(phase)
