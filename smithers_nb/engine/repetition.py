"""The guard against executions that go round in circles: frames that plan the same over the same state."""

from __future__ import annotations

from ..nodes.diff import diff
from ..nodes.tree import Tree
from .draft import Draft
from .live import Live
from .phases.effects import LOOP

REMEMBERED = 256
"""The number of states for which plans are remembered: a long run must not keep all of its plans."""


class Repetition:
    """The plans of the frames since something last came from outside, by the state that they were made over."""

    def __init__(self) -> None:
        self._seen: dict[int, list[tuple[int, Tree]]] = {}
        """The frames over each state, by its signature, with their plans."""

    def forget(self) -> None:
        """Begin again: the next frame is no repetition of an earlier one."""
        self._seen.clear()

    def before(self, live: Live, draft: Draft) -> int | None:
        """Return the frame that a flushed one repeats: same plan, same state, nothing from outside in between."""
        moved = draft.ended or draft.operated or live.tasks.outstanding or live.inbox.writes or live.inbox.ending
        if moved:
            self.forget()
            return None
        # The signature is a sum of hashes, kept up to date at the cost of what changed. Comparing the values
        # themselves would cost every frame the size of the state.
        trees = self._seen.setdefault(live.committed.value_signature, [])
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        same = [number for number, tree in trees if not diff(tree, live.committed.tree)]
        trees.append((draft.number, live.committed.tree))
        # Effects that keep causing themselves are named by their own guard, which looks at more runs.
        allowed = 1
        if draft.effects:
            allowed = LOOP
        if len(same) < allowed:
            return None
        return same[-1]
