"""The frame of another execution that matches one of this: the one in which as much has happened."""

from __future__ import annotations

from bisect import bisect_right

from ..store.facts import Fact, Facts


class Aligned:
    """The frames of another execution by those of one. Both are walked along the facts that they share.

    A frame's match depends on nothing that comes after it, so that a running execution and its records have the same.
    """

    def __init__(self, one: Facts, other: Facts, *, oldest: int, last: int) -> None:
        shared = sorted((_since(fact), _since(other[turn])) for turn, fact in one.items() if turn in other)
        self._here: list[int] = []
        self._there: list[int] = []
        furthest = 0
        # Of parallel events that ended in another order there, the last one decides: until then not all have happened.
        for here, there in shared:
            furthest = max(furthest, there)
            if self._here and self._here[-1] == here:
                self._there[-1] = furthest
            else:
                self._here.append(here)
                self._there.append(furthest)
        # What happened before the oldest frame that is left was pruned: no match is walked past it.
        self._events = sorted({oldest, *(_since(fact) for fact in other.values())})
        self._last = last

    def match(self, frame: int) -> int:
        """Return the matching frame; 0 if the other has none, or the first one here is still to come."""
        if frame < 1:
            return 0
        place = bisect_right(self._here, frame) - 1
        if place < 0:
            return min(1, self._last)
        # Frames in which nothing happens that both have go side by side, up to what happens only there.
        there = self._there[place]
        further = there + frame - self._here[place]
        later = bisect_right(self._events, there)
        if later < len(self._events):
            further = min(further, self._events[later] - 1)
        return min(further, self._last)


def _since(fact: Fact) -> int:
    """Return the first frame whose plan a fact may show in."""
    # Nodes and tasks come with the COMMIT of their frame; what a frame did is behind the next one.
    return fact.frame if fact.what in ("node", "task") else fact.frame + 1
