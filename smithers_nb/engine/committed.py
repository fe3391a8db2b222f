"""The state that the last committed frame left: one value, which COMMIT and FLUSH replace."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..identity import Path
from ..nodes.schedule import Schedule
from ..nodes.tree import EMPTY, Tree, TreeNode
from ..records import LoopKey, LoopState
from .rendered import Rendered
from .state import Cell
from .user_code.purity import generation


@dataclass(frozen=True, slots=True)
class EffectMemory:
    """The last run of an effect."""

    deps: str
    """The deps as JSON."""
    history: tuple[str, ...] = ()
    """Deps of its last runs in this process, newest last."""
    node: TreeNode | None = None
    """The node whose cleanup is to be called; None when there is nothing to clean up, as after a restart."""
    refused: bool = False
    """Set if it was not run, because it keeps causing itself."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The execution after its last COMMIT and FLUSH. These two make a new value with ``dataclasses.replace``.

    The mappings are large, so they are shared by one value and the next, and only COMMIT and FLUSH change them in
    place: a copy in every frame would cost what the state holds, not what has changed.
    """

    cells: dict[str, Cell]
    """The state by key."""
    vol: dict[str, Cell] = field(default_factory=dict)
    """The volatile values by key; in memory only."""
    frame: int = 0
    """Number of the last frame that was committed."""
    tree: Tree = EMPTY
    loops: dict[LoopKey, LoopState] = field(default_factory=dict)
    """Loops that have begun."""
    rendered: Rendered | None = None
    """The memory of RENDER of this frame."""
    changed: set[str] | None = None
    """Names of what has changed since then, as in ``Snapshot.changed``; None if anything may have."""
    generation: int = field(default_factory=generation)
    """``purity.generation`` when the frame began."""
    schedule: Schedule = field(default_factory=Schedule)
    schedule_of: int = -1
    """``tasks.version`` for which the schedule holds; -1 before the first frame of this process."""
    value_signature: int = 0
    """A sum of hashes of all values, which FLUSH updates at the cost of what changed."""
    since: dict[str, int] = field(default_factory=dict)
    """from_frame of every node's open version."""
    reads: dict[Path, dict[str, int]] = field(default_factory=dict)
    """The keys that each component reads, by its path, with the from_frame of their row."""
    effect_runs: dict[str, EffectMemory] = field(default_factory=dict)

    def note(self, changed: str) -> None:
        """Remember that something which components may have read has changed, for ``Snapshot.changed``."""
        if self.changed is not None:
            self.changed.add(changed)
