"""The plans, differences and standings that a source has read last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from ..nodes.diff import Changes, diff
from ..nodes.tree import EMPTY, Tree
from .cursor import NONE

TREES = 16
"""The number of recorded plans that are kept: dragging goes back and forth between neighbours."""


class Cache:
    """Plans, differences and standings that were read last. Safe on any thread.

    The lock is never held while something is read or computed: a thread that reads a large plan must not keep the
    others from theirs. Two threads may so read the same plan, and either result is right, as committed plans stay.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trees: OrderedDict[int, Tree] = OrderedDict()
        self._difference = (EMPTY, EMPTY, NONE)
        """The two plans that were compared last, with their difference."""
        self._standing: tuple[int, Mapping[str, str]] = (0, {})
        """A frame, and the standing of its nodes."""

    def tree(self, frame: int, read: Callable[[], Tree]) -> Tree:
        """Return the plan of a frame."""
        with self._lock:
            if frame in self._trees:
                self._trees.move_to_end(frame)
                return self._trees[frame]
        tree = read()
        with self._lock:
            self._trees[frame] = tree
            if len(self._trees) > TREES:
                self._trees.popitem(last=False)
        return tree

    def difference(self, before: Tree, after: Tree) -> Changes:
        """Return the difference of two plans."""
        with self._lock:
            one, other, changes = self._difference
            # All panes of a cursor compare the same two, so that the last pair is enough.
            if one is before and other is after:
                return changes
        changes = diff(before, after)
        with self._lock:
            self._difference = (before, after, changes)
        return changes

    def standing(self, frame: int, keep: bool, read: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        """Return the standing of the nodes of a frame, and ``keep`` it unless it may change."""
        with self._lock:
            known, standing = self._standing
        if known == frame:
            return standing
        standing = read()
        if keep:
            with self._lock:
                self._standing = (frame, standing)
        return standing
